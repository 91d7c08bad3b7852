use super::*;

const AT: Duration = Duration::from_micros(1_790_000_000_000_007);

/// A packet as it was read back.
#[derive(Debug, PartialEq, Eq)]
struct Packet {
    is_v6: bool,
    ports: (u16, u16),
    number: u32,
    acknowledged: u32,
    flags: u8,
    payload: Vec<u8>,
}

fn u16_at(octets: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([octets[at], octets[at + 1]])
}

fn u32_at(octets: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]])
}

/// Reads packets as a dissector does, and checks every length and checksum on the way.
fn read(mut file: &[u8]) -> Vec<Packet> {
    let mut packets = Vec::new();
    while let Some((record, rest)) = file.split_at_checked(16) {
        let little = |at: usize| u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]]);
        assert_eq!((little(0), little(4)), (1_790_000_000, 7));
        assert_eq!(little(8), little(12));
        let (packet, rest) = rest.split_at(usize::try_from(little(8)).unwrap());
        file = rest;
        let is_v6 = packet[0] >> 4 == 6;
        let (ip_bytes, addresses) = if is_v6 { (40, &packet[8..40]) } else { (20, &packet[12..20]) };
        let tcp = &packet[ip_bytes..];
        if is_v6 {
            assert_eq!((usize::from(u16_at(packet, 4)), packet[6]), (tcp.len(), 6));
        } else {
            assert_eq!((usize::from(u16_at(packet, 2)), packet[9]), (packet.len(), 6));
            assert_eq!(checksum(&[&packet[..20]]), 0, "a header with its checksum sums to nothing");
        }
        let length = u16::try_from(tcp.len()).unwrap().to_be_bytes();
        let pseudo = [addresses, &[0, 6], &length].concat();
        assert_eq!(checksum(&[&pseudo, tcp]), 0, "so does a segment");
        assert_eq!(tcp[12] >> 4, 5);
        packets.push(Packet {
            is_v6,
            ports: (u16_at(tcp, 0), u16_at(tcp, 2)),
            number: u32_at(tcp, 4),
            acknowledged: u32_at(tcp, 8),
            flags: tcp[13],
            payload: tcp[20..].to_vec(),
        });
    }
    assert!(file.is_empty());
    packets
}

#[test]
fn the_file_says_what_it_holds() {
    let expected = [0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0];
    assert_eq!(file_header(), expected);
}

#[test]
fn a_conversation_is_numbered_like_a_real_one() {
    let rows = [
        ("10.0.0.1:50000", "10.0.0.2:2775", false),
        ("[2001:db8::1]:50000", "[2001:db8::2]:2775", true),
        ("10.0.0.1:50000", "[2001:db8::2]:2775", true),
    ];
    for (client, server, is_v6) in rows {
        let mut flow = Flow::new(client.parse().unwrap(), server.parse().unwrap());
        let mut out = Vec::new();
        flow.say(&mut out, AT, From::Client, b"request");
        flow.say(&mut out, AT, From::Server, b"answer");
        flow.close(&mut out, AT, From::Client);
        let packets = read(&out);
        let (up, down) = ((50000, 2775), (2775, 50000));
        let rows = [
            (up, 1000, 0, SYN, &b""[..]),
            (down, 2000, 1001, SYN | ACK, b""),
            (up, 1001, 2001, ACK, b""),
            (up, 1001, 2001, PSH | ACK, b"request"),
            (down, 2001, 1008, PSH | ACK, b"answer"),
            (up, 1008, 2007, FIN | ACK, b""),
            (down, 2007, 1009, FIN | ACK, b""),
            (up, 1009, 2008, ACK, b""),
        ];
        assert_eq!(packets.len(), rows.len());
        for (packet, (ports, number, acknowledged, flags, payload)) in packets.iter().zip(rows) {
            let expected = Packet { is_v6, ports, number, acknowledged, flags, payload: payload.to_vec() };
            assert_eq!(*packet, expected);
        }
    }
}

#[test]
fn long_pdus_take_several_segments_and_nothing_is_lost() {
    for bytes in [0, 1, 1399, 1400, 1401, 70 * 1024] {
        let octets: Vec<u8> = (0..=u8::MAX).cycle().take(bytes).collect();
        let mut flow = Flow::new("10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap());
        let mut out = Vec::new();
        flow.say(&mut out, AT, From::Server, &octets);
        let packets = read(&out);
        assert_eq!(packets.len(), 3 + bytes.div_ceil(SEGMENT_BYTES_MAX));
        let mut next = 2001;
        for packet in &packets[3..] {
            assert_eq!(packet.number, next);
            next += u32::try_from(packet.payload.len()).unwrap();
        }
        let joined: Vec<u8> = packets.into_iter().flat_map(|packet| packet.payload).collect();
        assert_eq!(joined, octets);
    }
}
