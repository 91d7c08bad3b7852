//! From a submit to a message that only its wallet can still refuse. Pure: catalogue and clock are arguments.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use contract::intake::Submission;
use domain::{Catalogue, Number, Private, Sender};
use store::accept::{NewMessage, SmppMessage};

use super::count::count;
use super::status::Why;
use crate::lookups::LookedUp;
use crate::messages::prepare::{Priced, SCHEDULE_MAX, SCHEDULE_SLACK, price_of};
use crate::problem::Code;

/// How long a message may take when nothing is said.
const VALIDITY: TimeDelta = TimeDelta::days(1);
/// The longest validity; one that ends later is shortened, as every message centre does.
const VALIDITY_MAX: TimeDelta = TimeDelta::days(7);

/// Makes a message of `submission`, or says what is wrong with it.
pub(super) fn prepare(
    catalogue: &Catalogue,
    submission: &Submission,
    now: DateTime<Utc>,
    looked_up: &LookedUp,
) -> Result<NewMessage, Why> {
    let to = Number::parse(submission.to.expose()).map_err(|_| Why::InvalidNumber)?;
    let from = Sender::parse(&submission.from).map_err(|_| Why::InvalidSender)?;
    // A map of an older release may hold what is no class.
    let class = submission.traffic_class.as_ref().and_then(|name| name.to_ascii_lowercase().parse().ok());
    let account = submission.account_id;
    let network = catalogue.network_of(to, looked_up.network(account, to));
    let what = Priced { account, network, class, at: now };
    let (mcc_mnc, chain) = price_of(catalogue, what).map_err(|code| match code {
        Code::AccountSuspended => Why::AccountSuspended,
        _ => Why::UnpricedDestination,
    })?;
    if !catalogue.sender_allowed(submission.account_id, &from) {
        return Err(Why::SenderNotAllowed);
    }
    let text = text_of(&submission.text);
    let (encoding, segments) = count(text.expose(), submission.encoding, &submission.fields)?;
    let (scheduled_at, expires_at) = times(submission.scheduled_at, submission.expires_at, now)?;
    Ok(NewMessage {
        id: submission.message_id,
        account_id: submission.account_id,
        to,
        from,
        text,
        encoding,
        segments,
        mcc_mnc,
        traffic_class: class,
        template: None,
        chain: Arc::new(chain),
        client_reference: None,
        status_url: None,
        metadata: None,
        expires_at,
        scheduled_at,
        created_at: now,
        capped_key: None,
        smpp: Some(Box::new(SmppMessage {
            system_id: submission.system_id,
            registered_delivery: submission.registered_delivery,
            receipt_id: submission.receipt_id,
            fields: submission.fields.clone(),
            long: submission.long,
        })),
    })
}

/// Some customers send the NUL that ends a string of theirs.
pub(super) fn text_of(text: &Private) -> Private {
    match text.expose().strip_suffix('\0') {
        Some(_) => Private::new(text.expose().trim_end_matches('\0')),
        None => text.clone(),
    }
}

/// When the message is sent, where that is not now, and when it is given up.
pub(super) fn times(
    scheduled_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(Option<DateTime<Utc>>, DateTime<Utc>), Why> {
    if scheduled_at.is_some_and(|at| at < now - SCHEDULE_SLACK || at > now + SCHEDULE_MAX) {
        return Err(Why::InvalidSchedule);
    }
    let scheduled_at = scheduled_at.filter(|at| *at > now);
    let from = scheduled_at.unwrap_or(now);
    let expires_at = expires_at.unwrap_or(from + VALIDITY).min((now + VALIDITY_MAX).max(from + VALIDITY));
    if expires_at <= from { Err(Why::InvalidValidity) } else { Ok((scheduled_at, expires_at)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scheduled, expires, and what becomes of both; in minutes from now.
    type Row = (Option<i64>, Option<i64>, Result<(Option<i64>, i64), Why>);

    #[test]
    fn times_have_bounds() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let at = |minutes: Option<i64>| minutes.map(|minutes| now + TimeDelta::minutes(minutes));
        let (day, hour) = (1_440, 60);
        let rows: [Row; 12] = [
            (None, None, Ok((None, day))),
            (None, Some(1), Ok((None, 1))),
            (None, Some(30 * day), Ok((None, 7 * day))),
            (None, Some(0), Err(Why::InvalidValidity)),
            (None, Some(-1), Err(Why::InvalidValidity)),
            (Some(hour), None, Ok((Some(hour), hour + day))),
            (Some(hour), Some(2 * hour), Ok((Some(hour), 2 * hour))),
            (Some(hour), Some(hour), Err(Why::InvalidValidity)),
            (Some(-59), None, Ok((None, day))),
            (Some(-61), None, Err(Why::InvalidSchedule)),
            (Some(7 * day), Some(30 * day), Ok((Some(7 * day), 8 * day))),
            (Some(7 * day + 1), None, Err(Why::InvalidSchedule)),
        ];
        for (scheduled, expires, expected) in rows {
            let expected = expected.map(|(scheduled, expires)| (at(scheduled), now + TimeDelta::minutes(expires)));
            assert_eq!(times(at(scheduled), at(expires), now), expected, "{scheduled:?} {expires:?}");
        }
    }

    #[test]
    fn a_text_loses_the_nul_behind_it() {
        let rows = [("hello\0", "hello"), ("hello\0\0", "hello"), ("a\0b", "a\0b"), ("", "")];
        for (given, expected) in rows {
            assert_eq!(text_of(&Private::new(given)).expose(), expected);
        }
    }
}
