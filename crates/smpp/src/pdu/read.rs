//! Reading mandatory fields out of one PDU's slice.

use crate::frame::{BodyError, Policy};
use crate::status::Status;

/// A string field: its name, its length by the specification and what to answer when it is wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    /// Octets including the closing NUL (SMPP 3.4 §5.2).
    pub(crate) octets_max: usize,
    pub(crate) status: Status,
}

impl Field {
    const fn new(name: &'static str, octets_max: usize, status: Status) -> Self {
        Self { name, octets_max, status }
    }

    pub(crate) const SYSTEM_ID: Self = Self::new("system_id", 16, Status::RINVSYSID);
    pub(crate) const PASSWORD: Self = Self::new("password", 9, Status::RINVPASWD);
    pub(crate) const SYSTEM_TYPE: Self = Self::new("system_type", 13, Status::RINVSYSTYP);
    pub(crate) const ADDRESS_RANGE: Self = Self::new("address_range", 41, Status::RINVCMDLEN);
    pub(crate) const SERVICE_TYPE: Self = Self::new("service_type", 6, Status::RINVSERTYP);
    pub(crate) const SOURCE: Self = Self::new("source_addr", 21, Status::RINVSRCADR);
    pub(crate) const DESTINATION: Self = Self::new("destination_addr", 21, Status::RINVDSTADR);
    pub(crate) const SOURCE_LONG: Self = Self::new("source_addr", 65, Status::RINVSRCADR);
    pub(crate) const DESTINATION_LONG: Self = Self::new("destination_addr", 65, Status::RINVDSTADR);
    pub(crate) const SCHEDULE: Self = Self::new("schedule_delivery_time", 17, Status::RINVSCHED);
    pub(crate) const VALIDITY: Self = Self::new("validity_period", 17, Status::RINVEXPIRY);
    pub(crate) const MESSAGE_ID: Self = Self::new("message_id", 65, Status::RINVMSGID);
    pub(crate) const FINAL_DATE: Self = Self::new("final_date", 17, Status::RQUERYFAIL);
}

/// A cursor over the body of one PDU. Never reads past it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    policy: Policy,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(body: &'a [u8], policy: Policy) -> Self {
        Self { rest: body, policy }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Everything not read so far.
    pub(crate) const fn rest(self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, BodyError> {
        let Some((&octet, rest)) = self.rest.split_first() else {
            return Err(BodyError { status: Status::RINVCMDLEN, field });
        };
        self.rest = rest;
        Ok(octet)
    }

    /// A string up to its NUL. Without one it is the rest of the PDU, if the policy tolerates that.
    #[inline]
    pub(crate) fn text(&mut self, field: &Field) -> Result<&'a [u8], BodyError> {
        let wrong = BodyError { status: field.status, field: field.name };
        let text = if let Some(end) = find_nul(self.rest) {
            let (text, rest) = self.rest.split_at(end);
            self.rest = rest.get(1..).unwrap_or_default();
            text
        } else if self.policy == Policy::Lenient {
            std::mem::take(&mut self.rest)
        } else {
            return Err(wrong);
        };
        if self.policy == Policy::Strict && text.len() >= field.octets_max {
            return Err(wrong);
        }
        Ok(text)
    }

    /// `len` octets of any value.
    #[inline]
    pub(crate) fn octets(&mut self, len: usize, wrong: BodyError) -> Result<&'a [u8], BodyError> {
        let (octets, rest) = self.rest.split_at_checked(len).ok_or(wrong)?;
        self.rest = rest;
        Ok(octets)
    }
}

/// Where the first NUL is. Looks at eight octets at a time: strings are short, and this is most of the work of
/// decoding. (A word has a zero octet exactly when `(w - 0x01…) & !w & 0x80…` is not zero; the lowest set bit
/// marks the first one.)
#[inline]
fn find_nul(octets: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([0x01; 8]);
    const TOPS: u64 = u64::from_le_bytes([0x80; 8]);
    let (words, tail) = octets.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let zeros = word.wrapping_sub(ONES) & !word & TOPS;
        if zeros != 0 {
            return usize::try_from(zeros.trailing_zeros() / 8).ok().map(|at| number * 8 + at);
        }
    }
    let at = tail.iter().position(|&octet| octet == 0)?;
    Some(words.len() * 8 + at)
}

#[cfg(test)]
mod tests {
    use super::find_nul;

    #[test]
    fn finds_the_first_nul() {
        for len in 0..40 {
            for octet in [1, 0x7F, 0x80, 0xFF] {
                let mut octets = vec![octet; len];
                assert_eq!(find_nul(&octets), None);
                for at in (0..len).rev() {
                    octets[at] = 0;
                    assert_eq!(find_nul(&octets), Some(at), "{octet} {len}");
                }
            }
        }
    }
}
