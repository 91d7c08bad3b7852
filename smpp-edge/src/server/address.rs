//! Lists of networks that a system may come from.

use std::net::IpAddr;

/// Whether `peer` is in one of `networks` (`192.0.2.0/24`, `2001:db8::/32`, or one address); an empty list has
/// everybody. What cannot be read has nobody.
pub(super) fn allows(networks: &[String], peer: IpAddr) -> bool {
    let peer = peer.to_canonical();
    networks.is_empty() || networks.iter().any(|network| contains(network, peer) == Some(true))
}

fn contains(network: &str, peer: IpAddr) -> Option<bool> {
    let (base, length) = match network.trim().split_once('/') {
        Some((base, length)) => (base, Some(length.parse::<u32>().ok()?)),
        None => (network.trim(), None),
    };
    Some(match (base.parse::<IpAddr>().ok()?, peer) {
        (IpAddr::V4(base), IpAddr::V4(peer)) => {
            let length = length.unwrap_or(32);
            let mask = u32::MAX.checked_shl(32_u32.checked_sub(length)?).unwrap_or(0);
            base.to_bits() & mask == peer.to_bits() & mask
        }
        (IpAddr::V6(base), IpAddr::V6(peer)) => {
            let length = length.unwrap_or(128);
            let mask = u128::MAX.checked_shl(128_u32.checked_sub(length)?).unwrap_or(0);
            base.to_bits() & mask == peer.to_bits() & mask
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_who_is_in_them() {
        for (networks, peer, allowed) in [
            (&[][..], "203.0.113.9", true),
            (&["192.0.2.0/24"], "192.0.2.77", true),
            (&["192.0.2.0/24"], "192.0.3.77", false),
            (&["192.0.2.7"], "192.0.2.7", true),
            (&["192.0.2.7"], "192.0.2.8", false),
            (&["192.0.2.7"], "::ffff:192.0.2.7", true),
            (&["0.0.0.0/0"], "203.0.113.9", true),
            (&["2001:db8::/32"], "2001:db8:1::1", true),
            (&["2001:db8::/32"], "2001:db9::1", false),
            (&["2001:db8::1", "10.0.0.0/8"], "10.1.2.3", true),
            (&["::/0"], "2001:db9::1", true),
            (&["::/0"], "10.1.2.3", false),
            (&["nonsense", "10.0.0.0/33"], "10.1.2.3", false),
        ] {
            let networks: Vec<String> = networks.iter().map(|&network| network.to_owned()).collect();
            assert_eq!(allows(&networks, peer.parse().unwrap()), allowed, "{networks:?} {peer}");
        }
    }
}
