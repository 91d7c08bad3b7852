//! Sequence numbers: each direction has its own series, 1 to 0x7FFFFFFF and again from 1 (SMPP 3.4 §3.2).

/// The last number of a series.
pub const SEQUENCE_MAX: u32 = 0x7FFF_FFFF;

/// The numbers of one direction of one session.
#[derive(Clone, Debug)]
pub struct Sequence {
    next: u32,
}

impl Default for Sequence {
    fn default() -> Self {
        Self { next: 1 }
    }
}

impl Sequence {
    /// A series that goes on from `next`; a value outside of the range starts it at 1.
    pub const fn starting_at(next: u32) -> Self {
        Self { next: if next == 0 || next > SEQUENCE_MAX { 1 } else { next } }
    }

    /// The next number.
    pub const fn take(&mut self) -> u32 {
        let taken = self.next;
        self.next = if taken >= SEQUENCE_MAX { 1 } else { taken + 1 };
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_to_one() {
        let mut sequence = Sequence::starting_at(SEQUENCE_MAX - 1);
        assert_eq!([sequence.take(), sequence.take(), sequence.take()], [SEQUENCE_MAX - 1, SEQUENCE_MAX, 1]);
        assert_eq!(Sequence::starting_at(0).take(), 1);
        assert_eq!(Sequence::starting_at(u32::MAX).take(), 1);
    }
}
