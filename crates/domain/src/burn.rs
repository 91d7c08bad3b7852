//! How long a wallet lasts.

use crate::money::Micros;

/// Seconds of an hour.
const HOUR_S: i128 = 3_600;
/// What lasts longer than this is not said to end: ten years, in seconds.
const LONG_S: i128 = 10 * 366 * 24 * HOUR_S;

/// After how many seconds nothing is left of `available` when `per_hour` goes on being spent; rounded down. `None`: it
/// lasts for years, or nothing is spent.
pub fn seconds_left(available: Micros, per_hour: Micros) -> Option<u32> {
    if per_hour <= Micros::ZERO {
        return None;
    }
    let left = i128::from(available.get().max(0)) * HOUR_S / i128::from(per_hour.get());
    u32::try_from(left).ok().filter(|_| left <= LONG_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wallet_lasts_as_long_as_it_can_pay() {
        let rows = [
            (100, 10, Some(36_000)),
            (100, 0, None),
            (100, -5, None),
            (0, 10, Some(0)),
            (-50, 10, Some(0)),
            (1, 3, Some(1_200)),
            (1, 7, Some(514)),
            (i64::MAX, 1, None),
            (i64::MAX, i64::MAX, Some(3_600)),
        ];
        for (available, per_hour, expected) in rows {
            assert_eq!(seconds_left(Micros::new(available), Micros::new(per_hour)), expected, "{available} {per_hour}");
        }
    }
}
