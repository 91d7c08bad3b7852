//! Times outside: RFC 3339 in UTC with milliseconds.

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use serde::Serializer;

/// Now, to the millisecond: what is answered and what is stored are the same.
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(3)
}

/// For `#[serde(serialize_with)]`.
pub(crate) fn millis<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// For `#[serde(serialize_with)]` of an optional time.
#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
pub(crate) fn millis_some<S: Serializer>(time: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => millis(time, serializer),
        None => serializer.serialize_none(),
    }
}
