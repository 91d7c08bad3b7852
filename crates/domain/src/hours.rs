//! Hours of the week: when an operator takes messages, when a routing rule holds.

use chrono::{DateTime, Datelike, FixedOffset, Timelike, Utc};
use serde::{Deserialize, Serialize};

/// Hours of some days of the week.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenHours {
    /// 1 (Monday) to 7; empty: every day.
    #[serde(default)]
    pub days: Vec<u8>,
    /// From this minute of the day, 0 to 1439.
    pub from_minute: u16,
    /// Until this minute of the day, 1 to 1440; before `from_minute` it is on the next day.
    pub until_minute: u16,
    /// In a zone of so many minutes east of UTC.
    #[serde(default)]
    pub zone_minutes: i16,
}

/// Whether any of these hours covers `now`; always where no hours are given.
pub fn is_open(hours: &[OpenHours], now: DateTime<Utc>) -> bool {
    hours.is_empty() || hours.iter().any(|hours| covers(hours, now))
}

fn covers(hours: &OpenHours, now: DateTime<Utc>) -> bool {
    let Some(zone) = FixedOffset::east_opt(i32::from(hours.zone_minutes) * 60) else { return false };
    let local = now.with_timezone(&zone);
    let minute = local.hour() * 60 + local.minute();
    let (from, until) = (u32::from(hours.from_minute), u32::from(hours.until_minute));
    let on = |day: u32| hours.days.is_empty() || hours.days.iter().any(|open| u32::from(*open) == day);
    let today = local.weekday().number_from_monday();
    if from < until {
        return on(today) && (from..until).contains(&minute);
    }
    // Over midnight: the hours belong to the day on which they begin.
    let yesterday = (today + 5) % 7 + 1;
    (on(today) && minute >= from) || (on(yesterday) && minute < until)
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn hours_of_days() {
        let hours = |days: &[u8], from_minute, until_minute, zone_minutes| OpenHours {
            days: days.to_vec(),
            from_minute,
            until_minute,
            zone_minutes,
        };
        // 2026-11-23 is a Monday.
        for (day, hour, minute, hours, expected) in [
            (23, 9, 0, hours(&[], 540, 1_080, 0), true),
            (23, 8, 59, hours(&[], 540, 1_080, 0), false),
            (23, 18, 0, hours(&[], 540, 1_080, 0), false),
            (23, 4, 0, hours(&[], 540, 1_080, 300), true),
            (23, 9, 0, hours(&[2], 540, 1_080, 0), false),
            (23, 9, 0, hours(&[1, 2], 540, 1_080, 0), true),
            // From Monday 22:00 to Tuesday 06:00.
            (23, 23, 0, hours(&[1], 1_320, 360, 0), true),
            (24, 5, 59, hours(&[1], 1_320, 360, 0), true),
            (24, 6, 0, hours(&[1], 1_320, 360, 0), false),
            (23, 5, 0, hours(&[1], 1_320, 360, 0), false),
            (23, 5, 0, hours(&[7], 1_320, 360, 0), true),
            (23, 23, 59, hours(&[], 0, 1_440, 0), true),
        ] {
            let now = Utc.with_ymd_and_hms(2026, 11, day, hour, minute, 0).unwrap();
            assert_eq!(is_open(std::slice::from_ref(&hours), now), expected, "{now} {hours:?}");
        }
        assert!(is_open(&[], Utc::now()));
    }
}
