//! Message ids as operators mangle them: decimal in the response and hexadecimal in the receipt, zeros lost on the
//! way, upper case here and lower case there. Ids are strings; a rule per operator makes two of them comparable.

use std::borrow::Cow;

/// How an id is brought to the form in which it is stored and looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rule {
    /// As it came.
    #[default]
    Raw,
    /// Upper case, leading zeros dropped.
    Stripped,
    /// A decimal number written as hexadecimal; an id that is none is stripped.
    DecimalToHex,
    /// A hexadecimal number written as decimal; an id that is none is stripped.
    HexToDecimal,
}

impl Rule {
    /// The id in the form of this rule. Surrounding white space and NULs go in any case.
    pub fn apply(self, id: &str) -> Cow<'_, str> {
        let id = id.trim_matches(is_blank);
        match self {
            Self::Raw => Cow::Borrowed(id),
            Self::Stripped => stripped(id),
            Self::DecimalToHex => decimal_to_hex(id).map_or_else(|| stripped(id), Cow::Owned),
            Self::HexToDecimal => hex_to_decimal(id).map_or_else(|| stripped(id), Cow::Owned),
        }
    }
}

/// Upper case without leading zeros, and without spaces among them; an id of nothing but zeros is "0".
pub fn stripped(id: &str) -> Cow<'_, str> {
    let short = id.trim_start_matches(|character: char| character == '0' || is_blank(character));
    let short = if short.is_empty() && !id.is_empty() { "0" } else { short };
    if short.bytes().any(|octet| octet.is_ascii_lowercase()) {
        Cow::Owned(short.to_ascii_uppercase())
    } else {
        Cow::Borrowed(short)
    }
}

const fn is_blank(character: char) -> bool {
    character.is_ascii_whitespace() || character == '\0'
}

/// `None` when the id is no decimal number of at most 128 bits.
pub fn decimal_to_hex(id: &str) -> Option<String> {
    number(id, 10).map(|value| format!("{value:X}"))
}

/// `None` when the id is no hexadecimal number of at most 128 bits.
pub fn hex_to_decimal(id: &str) -> Option<String> {
    number(id, 16).map(|value| value.to_string())
}

/// Digits only: `from_str_radix` would take a sign.
fn number(id: &str, radix: u32) -> Option<u128> {
    let digits = id.chars().all(|character| character.is_digit(radix));
    digits.then(|| u128::from_str_radix(id, radix).ok()).flatten()
}
