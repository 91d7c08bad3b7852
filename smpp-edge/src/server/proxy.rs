//! The PROXY protocol, version 2: how a load balancer tells who is behind it (the specification of `HAProxy`, section 2.2).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

/// What every header begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The longest part behind the fixed sixteen octets that we read: two IPv6 addresses and some TLVs.
const REST_BYTES_MAX: usize = 1024;

/// Reads one header. `None` where the balancer speaks for itself (`LOCAL`, or an unknown family): the peer is who
/// connected.
///
/// # Errors
/// When the connection does not begin with such a header.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut fixed = [0; 16];
    stream.read_exact(&mut fixed).await?;
    let [signature @ .., command, family, length_high, length_low] = fixed;
    let length = usize::from(u16::from_be_bytes([length_high, length_low]));
    if signature != SIGNATURE || command >> 4 != 2 || length > REST_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "no PROXY protocol header of version 2"));
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    Ok(if command & 0x0F == 1 { address(family, &rest) } else { None })
}

/// The source address of a TCP connection.
fn address(family: u8, rest: &[u8]) -> Option<SocketAddr> {
    let (address, ports): (IpAddr, &[u8]) = match family {
        0x11 => (Ipv4Addr::from(*rest.first_chunk::<4>()?).into(), rest.get(8..)?),
        0x21 => (Ipv6Addr::from(*rest.first_chunk::<16>()?).into(), rest.get(32..)?),
        _ => return None,
    };
    Some(SocketAddr::new(address, u16::from_be_bytes(*ports.first_chunk::<2>()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn headers_and_what_they_tell() {
        let v4 = b"\x21\x11\x00\x0C\xC0\x00\x02\x01\x0A\x00\x00\x01\xD9\x03\x0A\xD7".to_vec();
        let v6 = [&b"\x21\x21\x00\x24\x20\x01\x0D\xB8"[..], &[0; 11], &[1], &[0; 16], b"\x00\x50\x00\x51"].concat();
        let with_tlv = b"\x21\x11\x00\x0F\xC0\x00\x02\x01\x0A\x00\x00\x01\xD9\x03\x0A\xD7\x04\x00\x00".to_vec();
        for (rest, expected) in [
            (v4, Some(Some("192.0.2.1:55555"))),
            (with_tlv, Some(Some("192.0.2.1:55555"))),
            (v6, Some(Some("[2001:db8::1]:80"))),
            (b"\x20\x00\x00\x00".to_vec(), Some(None)),
            (b"\x21\x31\x00\x00".to_vec(), Some(None)),
            (b"\x11\x11\x00\x00".to_vec(), None),
            (b"\x21\x11\xFF\xFF".to_vec(), None),
            (b"\x21\x11\x00\x0C\xC0".to_vec(), None),
        ] {
            let octets = [&SIGNATURE[..], &rest].concat();
            let read = read(&mut &octets[..]).await.ok();
            let expected = expected.map(|told| told.map(|address| address.parse().unwrap()));
            assert_eq!(read, expected, "{rest:02X?}");
        }
        assert!(read(&mut &b"\x00\x00\x00\x10 and no header at all"[..]).await.is_err());
    }
}
