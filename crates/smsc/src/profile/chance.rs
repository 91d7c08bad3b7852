//! Chance that is the same in every run.

/// A repeatable random number for one choice about one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw(u64);

impl Draw {
    /// `salt` tells the choices about one message apart.
    pub(crate) const fn new(seed: u64, number: u64, salt: u64) -> Self {
        Self(mix(mix(seed ^ (salt << 56)) ^ number))
    }

    /// 0 to `max`, both included.
    pub(crate) const fn up_to(self, max: u64) -> u64 {
        match max.checked_add(1) {
            Some(range) => self.0 % range,
            None => self.0,
        }
    }

    /// The value whose share, in thousandths and one after the other, this number falls into.
    pub(crate) fn pick<T>(self, shares: impl Iterator<Item = (T, u32)>) -> Option<T> {
        let mut left = self.0 % 1000;
        for (value, share) in shares {
            let share = u64::from(share);
            if left < share {
                return Some(value);
            }
            left -= share;
        }
        None
    }
}

/// The finaliser of splitmix64: spreads neighbouring numbers over all 64 bits.
pub(crate) const fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
