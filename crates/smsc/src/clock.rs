//! The operator's clock: milliseconds since its start for timing, calendar time for receipts.

use chrono::{DateTime, Datelike, Timelike};
use smpp::receipt::Date;
use tokio::time::Instant;

/// Runs from the start of the operator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
    epoch_ms: i64,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the simulated operator is a world of its own: here its time enters")]
    pub(crate) fn start() -> Self {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let epoch_ms = i64::try_from(since_epoch.as_millis()).unwrap_or_default();
        Self { start: Instant::now(), epoch_ms }
    }

    /// Milliseconds since the start.
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The instant of `at_ms` milliseconds after the start.
    pub(crate) fn instant(&self, at_ms: u64) -> Instant {
        self.start + std::time::Duration::from_millis(at_ms)
    }

    /// Calendar time of `at_ms` milliseconds after the start, so many minutes east of UTC.
    pub(crate) fn date(&self, at_ms: u64, offset_minutes: i32) -> Option<Date> {
        let at_ms = self.epoch_ms.checked_add(i64::try_from(at_ms).ok()?)?;
        let at_ms = at_ms.checked_add(i64::from(offset_minutes) * 60_000)?;
        let at = DateTime::from_timestamp_millis(at_ms)?;
        Some(Date {
            year: u16::try_from(at.year()).ok()?,
            month: u8::try_from(at.month()).ok()?,
            day: u8::try_from(at.day()).ok()?,
            hour: u8::try_from(at.hour()).ok()?,
            minute: u8::try_from(at.minute()).ok()?,
            second: u8::try_from(at.second()).ok()?,
        })
    }

    /// A first message number that no earlier run has reached: microseconds since 1970.
    pub(crate) fn first_id(&self) -> u64 {
        u64::try_from(self.epoch_ms).unwrap_or_default().saturating_mul(1000)
    }
}
