//! `validity_period` in the operator's form (SMPP 3.4 section 7.1.1).

use chrono::{DateTime, Datelike, FixedOffset, TimeDelta, Timelike, Utc};
use contract::profile::Validity;

/// The octets of a time, and how many of them count.
type Period = ([u8; 16], usize);

/// Until when the operator shall try; nothing where its own default holds.
pub(super) fn octets(form: Validity, expires_at: DateTime<Utc>, now: DateTime<Utc>) -> Period {
    match form {
        Validity::Relative => (relative(expires_at - now), 16),
        Validity::Absolute { zone_minutes } => (absolute(expires_at, zone_minutes), 16),
        Validity::None => ([0; 16], 0),
    }
}

/// Relative to the operator's own clock: its time zone is unknown to us. At least a second, at most 99 days.
fn relative(left: TimeDelta) -> [u8; 16] {
    const DAYS_MAX: i64 = 99;
    let seconds = left.num_seconds().clamp(1, DAYS_MAX * 86_400);
    let mut period = *b"000000000000000R";
    // Days 31 and more are carried as months of 30 days: the field of days ends at 31.
    let (months, days) = (seconds / (86_400 * 30), seconds / 86_400 % 30);
    let fields = [(2, months), (4, days), (6, seconds / 3600 % 24), (8, seconds / 60 % 60), (10, seconds % 60)];
    for (at, value) in fields {
        put(&mut period, at, u32::try_from(value).unwrap_or(0));
    }
    period
}

/// The moment on a clock of the operator's zone, with the zone behind it in quarters of an hour.
fn absolute(at: DateTime<Utc>, zone_minutes: i16) -> [u8; 16] {
    let mut period = *b"000000000000000+";
    let Some(zone) = FixedOffset::east_opt(i32::from(zone_minutes) * 60) else { return period };
    let local = at.with_timezone(&zone);
    let year = u32::try_from(local.year().rem_euclid(100)).unwrap_or(0);
    let (day, time) = (local.date_naive(), local.time());
    let fields = [year, day.month(), day.day(), time.hour(), time.minute(), time.second()];
    for (at, value) in (0..).step_by(2).zip(fields) {
        put(&mut period, at, value);
    }
    put(&mut period, 13, u32::from(zone_minutes.unsigned_abs()) / 15);
    if zone_minutes < 0 {
        period[15] = b'-';
    }
    period
}

/// Two digits.
fn put(period: &mut [u8; 16], at: usize, value: u32) {
    let value = u8::try_from(value % 100).unwrap_or(0);
    period[at] = b'0' + value / 10;
    period[at + 1] = b'0' + value % 10;
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn relative_to_the_operators_clock() {
        for (seconds, expected) in [
            (-5, "000000000001000R"),
            (1, "000000000001000R"),
            (59, "000000000059000R"),
            (3_600, "000000010000000R"),
            (2 * 86_400 + 3 * 3_600 + 4 * 60 + 5, "000002030405000R"),
            (31 * 86_400, "000101000000000R"),
            (1_000 * 86_400, "000309000000000R"),
        ] {
            let period = relative(TimeDelta::seconds(seconds));
            assert_eq!(String::from_utf8_lossy(&period), expected, "{seconds}");
        }
    }

    #[test]
    fn absolute_in_the_operators_zone() {
        let at = Utc.with_ymd_and_hms(2026, 12, 31, 22, 4, 5).unwrap();
        for (zone_minutes, expected) in
            [(0, "261231220405000+"), (300, "270101030405020+"), (-210, "261231183405014-"), (345, "270101034905023+")]
        {
            let (period, length) = octets(Validity::Absolute { zone_minutes }, at, at);
            assert_eq!((String::from_utf8_lossy(&period).as_ref(), length), (expected, 16), "{zone_minutes}");
        }
    }
}
