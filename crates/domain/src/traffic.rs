//! What a customer says of a message for pricing and routing: its class of traffic, and the template that it was made of.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Characters of a traffic class at most.
pub const CLASS_MAX: usize = 40;
/// Characters of a template's name at most.
pub const TEMPLATE_MAX: usize = 64;

/// Why a string is not such a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not a traffic class.
    #[error("expected a name of 1 to 40 of a-z, 0-9, - and _ that begins with a letter, such as otp")]
    Class,
    /// Not the name of a template.
    #[error("expected a name of 1 to 64 of a-z, 0-9, -, _ and . that begins with a letter or a digit")]
    Template,
}

/// A class of traffic, such as `otp`, `transactional` or `marketing`: prices, rates and routing rules can name it.
/// Which classes there are is the house's own business.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrafficClass([u8; CLASS_MAX]);

impl TrafficClass {
    /// The name.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(CLASS_MAX);
        std::str::from_utf8(&self.0[..end]).unwrap_or_default()
    }
}

impl FromStr for TrafficClass {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
        if !begins || text.len() > CLASS_MAX || !text.bytes().all(|byte| is_plain(byte, b"-_")) {
            return Err(ParseError::Class);
        }
        let mut name = [0; CLASS_MAX];
        name[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self(name))
    }
}

/// The name of a template. Whether there is one of that name is not judged here.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateName(Box<str>);

impl TemplateName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TemplateName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let begins = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        if !begins || text.len() > TEMPLATE_MAX || !text.bytes().all(|byte| is_plain(byte, b"-_.")) {
            return Err(ParseError::Template);
        }
        Ok(Self(text.into()))
    }
}

fn is_plain(byte: u8, also: &[u8]) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || also.contains(&byte)
}

macro_rules! text_form {
    ($($type:ident),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

text_form!(TrafficClass, TemplateName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_an_alphabet_and_a_bound() {
        let (long, longer) = ("x".repeat(CLASS_MAX), "x".repeat(TEMPLATE_MAX));
        for (text, is_class, is_template) in [
            ("otp", true, true),
            ("two-factor_2", true, true),
            (long.as_str(), true, true),
            (longer.as_str(), false, true),
            ("2fa", false, true),
            ("welcome.v2", false, true),
            (".v2", false, false),
            ("OTP", false, false),
            ("", false, false),
            ("-otp", false, false),
            ("otp ", false, false),
            ("öffentlich", false, false),
            ("otp\0", false, false),
        ] {
            assert_eq!(text.parse::<TrafficClass>().is_ok(), is_class, "{text}");
            assert_eq!(text.parse::<TemplateName>().is_ok(), is_template, "{text}");
        }
        assert!(format!("{longer}x").parse::<TemplateName>().is_err());
    }

    #[test]
    fn the_text_forms_are_the_name() {
        for name in ["otp", &"x".repeat(CLASS_MAX)] {
            let class: TrafficClass = name.parse().unwrap();
            let json = serde_json::to_string(&class).unwrap();
            assert_eq!((class.to_string().as_str(), json.as_str()), (name, format!("\"{name}\"").as_str()));
            assert_eq!(serde_json::from_str::<TrafficClass>(&json).unwrap(), class);
        }
        assert!(serde_json::from_str::<TemplateName>("\"A\"").is_err());
    }
}
