//! From when on and until when.

use chrono::{DateTime, TimeDelta, Utc};
use smpp::time::{self, Time};
use smpp::{Status, Tlvs};

use super::tlvs::QOS_TIME_TO_LIVE;

/// A schedule that is past by no more than this means now: clocks differ.
const SKEW: TimeDelta = TimeDelta::minutes(2);

/// `schedule_delivery_time`; `None`: now.
pub(crate) fn schedule(text: &[u8], now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Status> {
    let Some(time) = time::parse(text).map_err(|_| Status::RINVSCHED)? else { return Ok(None) };
    let at = moment(time, now).ok_or(Status::RINVSCHED)?;
    if at < now - SKEW {
        return Err(Status::RINVSCHED);
    }
    Ok((at > now).then_some(at))
}

/// `validity_period`, or `qos_time_to_live` above it; `None`: the platform's default. It ends after `begins`.
pub(crate) fn validity(
    text: &[u8],
    tlvs: Tlvs<'_>,
    begins: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Status> {
    let time_to_live = if tlvs.is_empty() { None } else { tlvs.int(QOS_TIME_TO_LIVE) };
    let at = match time_to_live {
        Some(seconds) => now.checked_add_signed(TimeDelta::seconds(seconds.into())).ok_or(Status::RINVEXPIRY)?,
        None => match time::parse(text).map_err(|_| Status::RINVEXPIRY)? {
            Some(time) => moment(time, now).ok_or(Status::RINVEXPIRY)?,
            None => return Ok(None),
        },
    };
    if at <= begins { Err(Status::RINVEXPIRY) } else { Ok(Some(at)) }
}

fn moment(time: Time, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.unix(now.timestamp()), 0)
}
