//! Types and plans of addresses.

use contract::profile::{Addresses, Plan, Profile};
use contract::{Routed, SmppFields};
use domain::Sender;

/// A name: alphanumeric, without a plan (SMPP 3.4 sections 5.2.5 and 5.2.6).
const NAME: Plan = Plan { ton: 5, npi: 0 };
/// A short code: neither type nor plan is known.
const SHORT_CODE: Plan = Plan { ton: 0, npi: 0 };
/// A number with its country code: international, ISDN (E.164).
const NUMBER: Plan = Plan { ton: 1, npi: 1 };
/// Numeric senders shorter than this are short codes.
const NUMBER_DIGITS_MIN: usize = 7;

/// Of the sender: as the SMPP customer gave it where the profile keeps that, else by the profile, else by its form.
pub(super) fn source_plan(sender: &Sender, fields: Option<&SmppFields>, addresses: &Addresses) -> Plan {
    let given = fields.filter(|_| addresses.keep_source).and_then(|fields| fields.source);
    if let Some((ton, npi)) = given {
        return Plan { ton, npi };
    }
    if !sender.is_numeric() {
        return addresses.alphanumeric.unwrap_or(NAME);
    }
    if sender.as_str().len() < NUMBER_DIGITS_MIN {
        return addresses.short_code.unwrap_or(SHORT_CODE);
    }
    addresses.number.unwrap_or(NUMBER)
}

/// Of the addressee, which always has its country code.
pub(super) fn destination_plan(addresses: &Addresses) -> Plan {
    addresses.destination.unwrap_or(NUMBER)
}

/// The addressee's digits behind the operator's prefix.
pub(super) fn destination(routed: &Routed, profile: &Profile) -> String {
    let digits = routed.to.digits();
    let prefix = &profile.addresses.destination_prefix;
    if prefix.is_empty() { digits } else { format!("{prefix}{digits}") }
}
