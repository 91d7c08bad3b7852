//! The mobile networks of Uzbekistan and their prefixes.
//!
//! From the carrier data of libphonenumber 9.0 (Apache-2.0) and the country's MNC list. Numbers are portable since
//! October 2023, so a prefix says where a number began; an override of a single number says where it is.

/// The country's calling code.
pub(super) const COUNTRY_CODE: &str = "998";
/// The country's mobile country code.
pub(super) const MCC: &str = "434";

/// A network's code (none: only the country is known), its operator and the prefixes behind the calling code.
type Prefixes = (Option<&'static str>, &'static str, &'static [&'static str]);

pub(super) const PREFIXES: &[Prefixes] = &[
    (Some("04"), "Beeline", &["90", "91", "92", "20"]),
    (Some("05"), "Ucell", &["93", "94", "50"]),
    (Some("06"), "Perfectum", &["98", "80"]),
    (Some("07"), "Mobiuz", &["97", "88", "87"]),
    (Some("08"), "Uzmobile", &["99", "95", "77", "70"]),
    (None, "Humans", &["33"]),
];
