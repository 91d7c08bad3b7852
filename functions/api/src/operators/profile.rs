//! Reading an operator's profile: everything that is wrong with it at once, each at its place.

use contract::Alphabet;
use contract::profile::{self, Long, OpenHours, Profile};
use serde_json::{Map, Value, json};

use super::{presets, wire_text};
use crate::check::Check;
use crate::problem::Code;

/// Errors that are looked for at most.
const ERRORS_MAX: usize = 100;
/// Octets of the values of an address range and a service type, without their NUL (SMPP 3.4 sections 5.2.4, 5.2.11).
const ADDRESS_RANGE_MAX: usize = 40;
const SERVICE_TYPE_MAX: usize = 5;
/// Octets of certificates.
const PEM_MAX: usize = 64 * 1024;
/// Entries of each list.
const CODES_MAX: usize = 1_000;
const SUBSTITUTIONS_MAX: usize = 500;
const TLVS_MAX: usize = 20;
const TLV_BYTES_MAX: usize = 1_000;
const HOURS_MAX: usize = 50;
/// Time zones in use, in minutes east of UTC.
const ZONES: std::ops::RangeInclusive<i16> = -720..=840;

/// The profile of a preset, if one is named, with `given` over it; `None` when it is none.
pub(super) fn read(check: &mut Check, preset: Option<&str>, given: Map<String, Value>) -> Option<Profile> {
    let mut whole = Value::Object(Map::new());
    if let Some(name) = preset {
        let Some(preset) = presets::named(name) else {
            check.refuse("/preset", Code::InvalidRequest, "expected a name of GET /v1/operator-presets");
            return None;
        };
        whole = Value::Object(preset.profile.clone());
    }
    merge(&mut whole, Value::Object(given));
    if let Ok(profile) = serde_json::from_value::<Profile>(whole.clone()) {
        check_values(check, &profile);
        return Some(profile);
    }
    let mut left = ERRORS_MAX;
    name_errors(check, "/profile", &whole, &|value| value, &mut left);
    None
}

/// Objects are merged, everything else is replaced.
fn merge(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (name, value) in over {
                merge(under.entry(name).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

/// Reads every member by itself, deeper and deeper, until it is known which ones are wrong. `wrap` puts a part back to
/// its place in a profile that is otherwise empty.
fn name_errors(
    check: &mut Check,
    pointer: &str,
    value: &Value,
    wrap: &dyn Fn(Value) -> Value,
    left: &mut usize,
) -> bool {
    let Err(error) = serde_json::from_value::<Profile>(wrap(value.clone())) else { return false };
    let error = error.to_string();
    let mut named = false;
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let wrap = |value: Value| wrap(json!({ name: value }));
                named |= name_errors(check, &format!("{pointer}/{}", escape(name)), member, &wrap, left);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                let wrap = |value: Value| wrap(json!([value]));
                named |= name_errors(check, &format!("{pointer}/{at}"), item, &wrap, left);
            }
        }
        _ => {}
    }
    // That a sister is missing is the whole's error and not this member's.
    if named || *left == 0 || error.starts_with("missing field") && !value.is_object() {
        return named;
    }
    *left -= 1;
    let code = if error.starts_with("unknown field") { Code::UnknownField } else { Code::InvalidRequest };
    check.refuse(pointer, code, error);
    true
}

/// One step of a JSON pointer (RFC 6901 section 3), of bounded length.
fn escape(name: &str) -> String {
    let name: String = name.chars().take(64).collect();
    name.replace('~', "~0").replace('/', "~1")
}

fn check_values(check: &mut Check, profile: &Profile) {
    let session = &profile.session;
    let version = (0x33..=0x50).contains(&session.interface_version);
    check.that(version, "/profile/session/interface_version", "expected 51 (3.3), 52 (3.4) or 80 (5.0)");
    let range = wire_text(&session.address_range, ADDRESS_RANGE_MAX);
    check.that(range, "/profile/session/address_range", "expected up to 40 characters of ASCII");
    let has_tlvs = session.interface_version >= 0x34;
    let by_tlvs = matches!(profile.long, Long::Sar | Long::Payload);
    check.that(has_tlvs || !by_tlvs, "/profile/long", "SMPP 3.3 has no parameters for this");
    check.that(has_tlvs || profile.tlvs.is_empty(), "/profile/tlvs", "SMPP 3.3 has no optional parameters");
    let is_text = profile.coding.default_alphabet != Alphabet::Binary;
    check.that(is_text, "/profile/coding/default_alphabet", "expected an alphabet of text");
    let prefix = &profile.addresses.destination_prefix;
    let is_prefix = prefix.len() <= 5 && prefix.chars().all(|c| c.is_ascii_digit() || c == '+');
    check.that(is_prefix, "/profile/addresses/destination_prefix", "expected up to 5 digits or +");
    let service = wire_text(&profile.service_type, SERVICE_TYPE_MAX);
    check.that(service, "/profile/service_type", "expected up to 5 characters of ASCII");
    if let profile::Validity::Absolute { zone_minutes } = profile.validity {
        let quarters = ZONES.contains(&zone_minutes) && zone_minutes % 15 == 0;
        check.that(quarters, "/profile/validity/zone_minutes", "expected -720 to 840 in quarters of an hour");
    }
    let zone = profile.receipts.zone_minutes.is_none_or(|zone| ZONES.contains(&zone));
    check.that(zone, "/profile/receipts/zone_minutes", "expected -720 to 840");
    check_tls(check, profile);
    check_codes(check, profile);
    check_lists(check, profile);
    for (at, hours) in profile.open_hours.iter().enumerate() {
        check_hours(check, &format!("/profile/open_hours/{at}"), hours);
    }
}

fn check_tls(check: &mut Check, profile: &Profile) {
    let Some(tls) = &profile.tls else { return };
    for (pem, pointer) in [(&tls.ca, "/profile/tls/ca"), (&tls.client_certificate, "/profile/tls/client_certificate")] {
        let good = pem.as_ref().is_none_or(|pem| pem.len() <= PEM_MAX && pem.contains("-----BEGIN CERTIFICATE-----"));
        check.that(good, pointer, "expected certificates in PEM");
    }
    let is_name = |name: &String| {
        (1..=253).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || ".-:_".contains(c))
    };
    check.that(tls.server_name.as_ref().is_none_or(is_name), "/profile/tls/server_name", "expected a host name");
}

fn check_codes(check: &mut Check, profile: &Profile) {
    let errors = &profile.errors;
    let few = errors.statuses.len() <= CODES_MAX && errors.receipts.len() <= CODES_MAX;
    check.that(few, "/profile/errors", "expected at most 1000 codes of a kind");
    for key in errors.statuses.keys().take(CODES_MAX) {
        let good = profile::status(key).is_some_and(|status| status != 0);
        let pointer = format!("/profile/errors/statuses/{}", escape(key));
        check.that(good, &pointer, "expected a command_status other than 0, in decimal digits or as 0x58");
    }
    for (key, meaning) in errors.receipts.iter().take(CODES_MAX) {
        let code = &meaning.code;
        let good = (1..=64).contains(&code.len())
            && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            && (1..=64).contains(&key.len());
        let pointer = format!("/profile/errors/receipts/{}", escape(key));
        check.that(good, &pointer, "expected a code of 1 to 64 lower-case letters, digits and _");
    }
}

fn check_lists(check: &mut Check, profile: &Profile) {
    check.that(profile.tlvs.len() <= TLVS_MAX, "/profile/tlvs", "expected at most 20");
    for (at, tlv) in profile.tlvs.iter().enumerate().take(TLVS_MAX) {
        let value = tlv.value.0.len() <= TLV_BYTES_MAX;
        check.that(value, &format!("/profile/tlvs/{at}/value"), "expected at most 1000 octets");
        // What this platform says by itself: the parts of a message, and its text.
        let ours = matches!(tlv.tag, 0x020C | 0x020E | 0x020F | 0x0424);
        check.that(!ours, &format!("/profile/tlvs/{at}/tag"), "this parameter is set for each message");
    }
    let table = &profile.substitutions;
    let good = table.len() <= SUBSTITUTIONS_MAX && table.values().all(|instead| instead.chars().count() <= 10);
    check.that(good, "/profile/substitutions", "expected at most 500, each of up to 10 characters");
    check.that(profile.open_hours.len() <= HOURS_MAX, "/profile/open_hours", "expected at most 50");
}

/// Checks hours that stand at a place.
pub(crate) fn check_hours(check: &mut Check, at: &str, hours: &OpenHours) {
    let pointer = |field: &str| format!("{at}/{field}");
    let days = hours.days.iter().all(|day| (1..=7).contains(day));
    check.that(days, &pointer("days"), "expected 1 (Monday) to 7");
    check.that(hours.from_minute < 1_440, &pointer("from_minute"), "expected 0 to 1439");
    let until = (1..=1_440).contains(&hours.until_minute) && hours.until_minute != hours.from_minute;
    check.that(until, &pointer("until_minute"), "expected 1 to 1440, other than from_minute");
    check.that(ZONES.contains(&hours.zone_minutes), &pointer("zone_minutes"), "expected -720 to 840");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(preset: Option<&str>, profile: Value) -> Vec<String> {
        let Value::Object(profile) = profile else { panic!("no object") };
        let mut check = Check::default();
        read(&mut check, preset, profile);
        let Err(problem) = check.finish() else { return Vec::new() };
        problem.errors().iter().map(|error| error.pointer.clone()).collect()
    }

    #[test]
    fn every_error_is_named_at_its_place() {
        for (profile, expected) in [
            (json!({}), &[][..]),
            (json!({"long": "udh16", "validity": {"form": "absolute", "zone_minutes": 300}}), &[]),
            (json!({"long": "udh32", "color": 1}), &["/profile/color", "/profile/long"]),
            (json!({"session": {"pairs": 1, "speed": 2}}), &["/profile/session/pairs", "/profile/session/speed"]),
            (json!({"addresses": {"number": {"ton": 1}}}), &["/profile/addresses/number"]),
            (json!({"addresses": {"number": {"ton": 1, "npi": 300}}}), &["/profile/addresses/number/npi"]),
            (json!({"tlvs": [{"tag": 5122, "value": "AA=="}, {"tag": 1, "value": "?"}]}), &["/profile/tlvs/1/value"]),
            (json!({"tlvs": [{"tag": 1060, "value": "AA=="}]}), &["/profile/tlvs/0/tag"]),
            (json!({"errors": {"statuses": {"0x58": "slow", "x": "permanent"}}}), &["/profile/errors/statuses/0x58"]),
            (json!({"errors": {"statuses": {"x": "permanent"}}}), &["/profile/errors/statuses/x"]),
            (json!({"errors": {"receipts": {"1": {"code": "Bad Code"}}}}), &["/profile/errors/receipts/1"]),
            (json!({"substitutions": {"ab": "c"}}), &["/profile/substitutions/ab"]),
            (json!({"validity": {"form": "absolute", "zone_minutes": 7}}), &["/profile/validity/zone_minutes"]),
            (json!({"open_hours": [{"from_minute": 5, "until_minute": 5}]}), &["/profile/open_hours/0/until_minute"]),
            (json!({"session": {"interface_version": 51}, "long": "sar"}), &["/profile/long"]),
            (json!({"coding": {"default_alphabet": "binary"}}), &["/profile/coding/default_alphabet"]),
            (json!({"tls": {"ca": "x", "verify_name": false}}), &["/profile/tls/ca"]),
        ] {
            assert_eq!(errors(None, profile.clone()), expected, "{profile}");
        }
        assert_eq!(errors(Some("none"), json!({})), ["/preset"]);
    }

    #[test]
    fn a_profile_goes_over_its_preset() {
        let mut check = Check::default();
        let Value::Object(given) = json!({"receipts": {"ids": "raw"}, "long": "udh16"}) else { panic!("no object") };
        let profile = read(&mut check, Some("payload"), given).unwrap();
        assert!(profile.receipts.one_for_all_parts && profile.long == Long::Udh16);
    }
}
