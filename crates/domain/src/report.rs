//! Reading reports of traffic: shares, and percentiles out of counted buckets.

/// Upper bounds of the times from submit to final receipt, in milliseconds. A time is in the first bucket whose bound
/// is above it, or in the one behind the last. The database counts by the same (`receipt_buckets`).
pub const RECEIPT_BUCKETS_MS: [u32; 32] = [
    100,
    200,
    300,
    500,
    700,
    1_000,
    1_500,
    2_000,
    3_000,
    4_000,
    5_000,
    7_000,
    10_000,
    15_000,
    20_000,
    30_000,
    45_000,
    60_000,
    90_000,
    120_000,
    180_000,
    300_000,
    600_000,
    900_000,
    1_800_000,
    3_600_000,
    7_200_000,
    14_400_000,
    28_800_000,
    43_200_000,
    86_400_000,
    172_800_000,
];

/// How many messages got their receipt in which time: one count for each bucket, and one for those behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiptTimes([i64; RECEIPT_BUCKETS_MS.len() + 1]);

impl Default for ReceiptTimes {
    fn default() -> Self {
        Self([0; RECEIPT_BUCKETS_MS.len() + 1])
    }
}

impl ReceiptTimes {
    /// Counts `messages` more in a bucket; one that is not there, such as that of messages without a receipt, counts
    /// nowhere.
    pub fn add(&mut self, bucket: i16, messages: i64) {
        let bucket = usize::try_from(bucket).ok().and_then(|bucket| self.0.get_mut(bucket));
        if let Some(count) = bucket {
            *count += messages;
        }
    }

    /// The time within which `percent` of 100 had their receipt: the bound of the bucket in which that one is, so at
    /// most as much too high as the bucket is wide. `None` where there is no receipt, or it took longer than all bounds.
    pub fn percentile_ms(&self, percent: u8) -> Option<u32> {
        let all: i128 = self.0.iter().map(|count| i128::from(*count)).sum();
        if all <= 0 {
            return None;
        }
        // The smallest rank that has at least this share at or below it.
        let rank = (all * i128::from(percent) + 99) / 100;
        let mut passed = 0;
        for (bucket, count) in self.0.iter().enumerate() {
            passed += i128::from(*count);
            if passed >= rank.max(1) {
                return RECEIPT_BUCKETS_MS.get(bucket).copied();
            }
        }
        None
    }
}

/// `part` of `whole` as a decimal of four digits, `0.9731`; half a digit goes to the even one. `None` of nothing.
pub fn share(part: i64, whole: i64) -> Option<String> {
    if whole <= 0 {
        return None;
    }
    let (scaled, whole) = (i128::from(part) * 10_000, i128::from(whole));
    let (below, rest) = (scaled.div_euclid(whole), scaled.rem_euclid(whole));
    let is_up = rest * 2 > whole || rest * 2 == whole && below % 2 != 0;
    let rounded = below + i128::from(is_up);
    Some(format!("{}.{:04}", rounded / 10_000, rounded % 10_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts by bucket, the percentage, and the bound.
    type Case = (&'static [(i16, i64)], u8, Option<u32>);

    #[test]
    fn percentiles_are_bounds_of_buckets() {
        let rows: [Case; 9] = [
            (&[], 50, None),
            (&[(-1, 9)], 50, None),
            (&[(0, 1)], 50, Some(100)),
            (&[(0, 1), (1, 1)], 50, Some(100)),
            (&[(0, 1), (1, 2)], 50, Some(200)),
            (&[(5, 94), (9, 6)], 95, Some(4_000)),
            (&[(5, 95), (9, 5)], 95, Some(1_000)),
            (&[(32, 1)], 50, None),
            (&[(31, 1)], 95, Some(172_800_000)),
        ];
        for (counts, percent, expected) in rows {
            let mut times = ReceiptTimes::default();
            for (bucket, messages) in counts {
                times.add(*bucket, *messages);
            }
            assert_eq!(times.percentile_ms(percent), expected, "{counts:?} {percent}");
        }
    }

    #[test]
    fn shares_have_four_digits() {
        let rows = [
            (0, 0, None),
            (0, 7, Some("0.0000")),
            (7, 7, Some("1.0000")),
            (2, 3, Some("0.6667")),
            (1, 3, Some("0.3333")),
            (1, 20_000, Some("0.0000")),
            (3, 20_000, Some("0.0002")),
            (i64::MAX, i64::MAX, Some("1.0000")),
        ];
        for (part, whole, expected) in rows {
            assert_eq!(share(part, whole).as_deref(), expected, "{part} of {whole}");
        }
    }
}
