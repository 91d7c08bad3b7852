//! Which URLs a customer may name for events: the part of the guard that needs no look-up. Names are resolved, and
//! their addresses judged again, when an event is sent.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Longest URL, in bytes.
const LENGTH_MAX: usize = 2048;

/// Reads a URL for events. `private_allowed` is for machines of one's own, where the receiver is next door.
pub(crate) fn check(text: &str, private_allowed: bool) -> Result<String, &'static str> {
    if text.len() > LENGTH_MAX {
        return Err("expected a URL of at most 2048 characters");
    }
    let url = Url::parse(text).map_err(|_| "expected a URL such as https://example.com/events")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("expected a URL of http or https");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("expected a URL without a user name and password");
    }
    let public = match url.host() {
        Some(Host::Domain(name)) => is_public_name(name),
        Some(Host::Ipv4(address)) => is_public(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => is_public(IpAddr::V6(address)),
        None => return Err("expected a URL with a host"),
    };
    if !public && !private_allowed {
        return Err("expected a host on the public internet");
    }
    Ok(url.into())
}

fn is_public_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let private = ["localhost", "local", "internal", "intranet", "lan", "home", "corp", "arpa"];
    let last = name.rsplit('.').next().unwrap_or_default();
    name.contains('.') && !private.contains(&last)
}

/// Addresses that anybody on the internet can have (the rest: IANA special-purpose registries).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_public_v4(mapped),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let benchmark = a == 198 && (b == 18 || b == 19);
    let special = a == 0 || a >= 224 || (a == 192 && b == 0 && c == 0);
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || shared
        || benchmark
        || special)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Global unicast is 2000::/3; without documentation, 6to4, Teredo and NAT64, which carry other addresses.
    let global = first & 0xe000 == 0x2000;
    let carries = first == 0x2002 || (first == 0x2001 && (second == 0 || second == 0x0db8));
    global && !carries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_without_a_look_up() {
        let good = ["https://example.com/events?x=1", "http://203.0.114.7:8080/", "https://[2a00:1450::1]/"];
        let bad = [
            "ftp://example.com/",
            "example.com",
            "https://user:pw@example.com/",
            "http://localhost/",
            "http://LOCALHOST./",
            "http://db.internal/",
            "http://intranet/",
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://10.1.2.3/",
            "http://169.254.169.254/latest/meta-data",
            "http://100.64.0.1/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://[fe80::1]/",
            "http://[fd00::1]/",
            "http://[64:ff9b::a00:1]/",
            "http://0.0.0.0/",
        ];
        for url in good {
            assert!(check(url, false).is_ok(), "{url}");
        }
        for url in bad {
            assert!(check(url, false).is_err(), "{url}");
        }
        assert!(check("http://127.0.0.1:9000/hook", true).is_ok());
        assert!(check("file:///etc/passwd", true).is_err());
    }
}
