//! From a routed message to the fields of `submit_sm`.

use bytes::Bytes;
use chrono::TimeDelta;
use contract::{Encoding, Routed};
use domain::Sender;
use smpp::pdu::Address;
use smpp::{text, udh};

/// Type of number: international, for numbers with their country code.
const TON_INTERNATIONAL: u8 = 1;
/// Type of number: alphanumeric.
const TON_ALPHANUMERIC: u8 = 5;
/// Numbering plan: ISDN (E.164).
const NPI_ISDN: u8 = 1;
/// Numeric senders shorter than this are short codes, which have no plan.
const NUMBER_DIGITS_MIN: usize = 7;

/// The wire's name of our encoding.
const fn wire(encoding: Encoding) -> text::Encoding {
    match encoding {
        Encoding::Gsm7 => text::Encoding::Gsm7,
        Encoding::Ucs2 => text::Encoding::Ucs2,
        Encoding::Latin1 | Encoding::Binary => text::Encoding::Latin1,
    }
}

pub(super) const fn data_coding(encoding: Encoding) -> u8 {
    wire(encoding).data_coding()
}

/// `short_message` of each segment. Several share `reference` in their user data headers.
pub(super) fn parts(routed: &Routed, reference: u8) -> Result<Vec<Bytes>, text::Error> {
    let parts = text::split(routed.text.expose(), wire(routed.encoding), text::Concat::Udh8)?;
    let Ok(total) = u8::try_from(parts.len()) else { return Ok(Vec::new()) };
    if total <= 1 {
        return Ok(parts);
    }
    let reference = udh::Reference::Bits8(reference);
    let numbered = parts.iter().zip(1..=total);
    Ok(numbered.map(|(body, part)| Bytes::from(udh::Concat { reference, total, part }.prefix(body))).collect())
}

/// The sender as an SMPP address: a name, a number with its country code, or a short code.
pub(crate) fn address_of(sender: &Sender) -> Address<'_> {
    let text = sender.as_str();
    if !sender.is_numeric() {
        return Address::new(TON_ALPHANUMERIC, 0, text.as_bytes());
    }
    if text.len() < NUMBER_DIGITS_MIN {
        return Address::new(0, 0, text.as_bytes());
    }
    Address::new(TON_INTERNATIONAL, NPI_ISDN, text.as_bytes())
}

/// The addressee: always a number with its country code.
pub(crate) const fn address_to(digits: &str) -> Address<'_> {
    Address::new(TON_INTERNATIONAL, NPI_ISDN, digits.as_bytes())
}

/// `validity_period` relative to the operator's own clock (SMPP 3.4 §7.1.1): its time zone is unknown to us.
/// At least a second, at most 99 days.
pub(crate) fn validity(left: TimeDelta) -> [u8; 16] {
    const DAYS_MAX: i64 = 99;
    let seconds = left.num_seconds().clamp(1, DAYS_MAX * 86_400);
    let mut period = *b"000000000000000R";
    // Days 31 and more are carried as months of 30 days: the field of days ends at 31.
    let (months, days) = (seconds / (86_400 * 30), seconds / 86_400 % 30);
    let fields = [(2, months), (4, days), (6, seconds / 3600 % 24), (8, seconds / 60 % 60), (10, seconds % 60)];
    for (at, value) in fields {
        let value = u8::try_from(value).unwrap_or(0);
        period[at] = b'0' + value / 10;
        period[at + 1] = b'0' + value % 10;
    }
    period
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validities() {
        for (seconds, expected) in [
            (-5, "000000000001000R"),
            (1, "000000000001000R"),
            (59, "000000000059000R"),
            (3_600, "000000010000000R"),
            (2 * 86_400 + 3 * 3_600 + 4 * 60 + 5, "000002030405000R"),
            (31 * 86_400, "000101000000000R"),
            (1_000 * 86_400, "000309000000000R"),
        ] {
            let period = validity(TimeDelta::seconds(seconds));
            assert_eq!(String::from_utf8_lossy(&period), expected, "{seconds}");
        }
    }

    #[test]
    fn senders() {
        for (sender, ton, npi) in [("Bank", 5, 0), ("998901234567", 1, 1), ("1234", 0, 0), ("7 days", 5, 0)] {
            let sender = Sender::parse(sender).unwrap();
            let address = address_of(&sender);
            assert_eq!((address.ton, address.npi), (ton, npi), "{sender}");
        }
    }
}
