//! Times as customers write them: `validity_period` and `schedule_delivery_time` (SMPP 3.4, 7.1.1).
//!
//! The form is `YYMMDDhhmmsstnnp`: absolute with the offset from UTC in quarters of an hour (`nn`, ahead with `+`,
//! behind with `-`), or relative to the time at the SMSC with `R` in the end. What many peers send instead is read as
//! they mean it: nothing, `0` or zeros for "not given", and a tail that is short or missing.

use crate::receipt::Date;

/// A time that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// A moment, and how far its clock is ahead of UTC.
    Absolute {
        /// What the clock shows.
        date: Date,
        /// Quarters of an hour, -48 to 48.
        quarters_ahead: i8,
    },
    /// From now on. A month has the days of the month it begins in.
    Relative(Span),
}

/// A span of time by calendar units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// 0 to 99.
    pub years: u8,
    /// 0 to 99.
    pub months: u8,
    /// 0 to 99.
    pub days: u8,
    /// 0 to 99.
    pub hours: u8,
    /// 0 to 99.
    pub minutes: u8,
    /// 0 to 99.
    pub seconds: u8,
}

/// Neither a time nor one of the usual ways to give none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither an absolute nor a relative time")]
pub struct Malformed;

/// Seconds of a day, and of a quarter of an hour.
const DAY: i64 = 86_400;
const QUARTER: i64 = 900;

/// Reads a time. `Ok(None)` where none is given: empty, blank, or nothing but zeros.
///
/// # Errors
/// [`Malformed`]: answer with the status of the field, `ESME_RINVSCHED` or `ESME_RINVEXPIRY`.
pub fn parse(text: &[u8]) -> Result<Option<Time>, Malformed> {
    let text = text.trim_ascii();
    let digits = text.iter().take_while(|octet| octet.is_ascii_digit()).count();
    let (digits, tail) = text.split_at_checked(digits).ok_or(Malformed)?;
    if !matches!(tail, [] | [b'+' | b'-' | b'R' | b'r']) {
        return Err(Malformed);
    }
    if digits.iter().all(|digit| *digit == b'0') {
        return Ok(None);
    }
    if let [b'R' | b'r'] = tail {
        return Ok(Some(Time::Relative(span(digits)?)));
    }
    let ahead = if tail == b"-" { -1 } else { 1 };
    absolute(digits, ahead).map(Some).ok_or(Malformed)
}

impl Time {
    /// Seconds since 1970-01-01 00:00 UTC, where it is `now` by the same count.
    pub fn unix(self, now: i64) -> i64 {
        match self {
            Self::Absolute { date, quarters_ahead } => seconds(date) - i64::from(quarters_ahead) * QUARTER,
            Self::Relative(span) => span.after(now),
        }
    }
}

impl Span {
    fn after(self, now: i64) -> i64 {
        let (year, month, day) = civil(now.div_euclid(DAY));
        let months = (year * 12 + month - 1) + i64::from(self.years) * 12 + i64::from(self.months);
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        let days = days(year, month, day.min(month_days(year, month))) + i64::from(self.days);
        let clock = i64::from(self.hours) * 3600 + i64::from(self.minutes) * 60 + i64::from(self.seconds);
        days * DAY + now.rem_euclid(DAY) + clock
    }
}

/// Pairs of digits from the left; what is missing is zero. The tenths and the offset of the full form are zeros here.
fn span(digits: &[u8]) -> Result<Span, Malformed> {
    let pair = |at: usize| two(digits, at * 2).unwrap_or(0);
    if digits.len() > 15 || digits.len() % 2 == 1 && digits.len() < 13 {
        return Err(Malformed);
    }
    Ok(Span { years: pair(0), months: pair(1), days: pair(2), hours: pair(3), minutes: pair(4), seconds: pair(5) })
}

/// `YYMMDDhhmm`, and as much of `sstnn` as is there.
fn absolute(digits: &[u8], ahead: i8) -> Option<Time> {
    if !matches!(digits.len(), 10 | 12 | 13 | 15) {
        return None;
    }
    let quarters = if digits.len() == 15 { two(digits, 13)? } else { 0 };
    let date = Date {
        year: 2000 + u16::from(two(digits, 0)?),
        month: two(digits, 2)?,
        day: two(digits, 4)?,
        hour: two(digits, 6)?,
        minute: two(digits, 8)?,
        second: two(digits, 10).unwrap_or(0),
    };
    let (year, month) = (i64::from(date.year), i64::from(date.month));
    let in_calendar = (1..=12).contains(&month) && (1..=month_days(year, month)).contains(&i64::from(date.day));
    let on_clock = date.hour < 24 && date.minute < 60 && date.second <= 60;
    let quarters = i8::try_from(quarters).ok().filter(|quarters| *quarters <= 48)?;
    (in_calendar && on_clock).then_some(Time::Absolute { date, quarters_ahead: quarters * ahead })
}

fn two(digits: &[u8], at: usize) -> Option<u8> {
    match digits.get(at..at + 2)? {
        [tens, ones] => Some((tens - b'0') * 10 + (ones - b'0')),
        _ => None,
    }
}

fn seconds(date: Date) -> i64 {
    let days = days(date.year.into(), date.month.into(), date.day.into());
    days * DAY + i64::from(date.hour) * 3600 + i64::from(date.minute) * 60 + i64::from(date.second)
}

fn month_days(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years begin in March here, so that the leap day is the
/// last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date, so many days after 1970-01-01: the inverse of [`days`].
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23 06:00:00 UTC.
    const NOW: i64 = 1_795_413_600;

    fn check(text: &str, expected: Result<Option<i64>, Malformed>) {
        let read = parse(text.as_bytes()).map(|time| time.map(|time| time.unix(NOW) - NOW));
        assert_eq!(read, expected, "{text:?}");
    }

    #[test]
    fn times_as_they_come() {
        for none in ["", " ", "0", "00", "0000000000", "000000000000", "000000000000000R", "000000000000000+"] {
            check(none, Ok(None));
        }
        for (text, seconds) in [
            ("261123060000000+", 0),
            ("261123070000000+", 3600),
            ("261123070000004+", 0),
            ("261123070000004-", 7200),
            ("261123110000020+", 0),
            ("261123060000900+", 0),
            ("261123060000000-", 0),
            ("2611230601", 60),
            ("261123060001", 1),
            ("2611230600010", 1),
            ("261123060001000", 1),
            (" 261123060001000+ ", 1),
            ("251123060000000+", -365 * 86_400),
            ("000000010000000R", 3600),
            ("000000000130000R", 90),
            ("000001000000000R", 86_400),
            ("000001000000000r", 86_400),
            ("000100000000000R", 30 * 86_400),
            ("010000000000000R", 365 * 86_400),
            ("000007R", 7 * 86_400),
            ("00000099000000R", 99 * 3600),
            ("000000000099R", 99),
        ] {
            check(text, Ok(Some(seconds)));
        }
        for wrong in [
            "1",
            "R",
            "abc",
            "261323060000000+",
            "260230060000000+",
            "261123240000000+",
            "261123066000000+",
            "261123060000049+",
            "26112306",
            "261123060000000Z",
            "261123060000000++",
            "0000000100000000R",
            "-5",
        ] {
            if wrong == "R" {
                check(wrong, Ok(None));
            } else {
                check(wrong, Err(Malformed));
            }
        }
    }

    #[test]
    fn months_end_where_they_end() {
        // 2028-01-31 12:00 UTC and a month: February has 29 days that year.
        let january = days(2028, 1, 31) * DAY + DAY / 2;
        let month = Span { months: 1, ..Span::default() };
        assert_eq!(month.after(january), days(2028, 2, 29) * DAY + DAY / 2);
        let year = Span { years: 1, ..Span::default() };
        assert_eq!(year.after(days(2028, 2, 29) * DAY), days(2029, 2, 28) * DAY);
    }

    #[test]
    fn dates_and_days_are_inverse() {
        assert_eq!((days(1970, 1, 1), days(2000, 3, 1)), (0, 11_017));
        for day in (-800_000..800_000).step_by(37) {
            let (year, month, of_month) = civil(day);
            assert_eq!(days(year, month, of_month), day);
        }
    }
}
