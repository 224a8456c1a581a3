//! The clock on the wall, which people read and nothing is decided by: it may jump.

use chrono::{DateTime, Local};
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

/// The time now: milliseconds since 1970, UTC.
pub fn unix_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since_1970.as_millis() as u64
}

/// A time as RFC 3339 writes it, in UTC; `unix_ms` counts milliseconds since 1970.
pub fn rfc3339(unix_ms: u64) -> String {
    let time = i64::try_from(unix_ms).ok().and_then(chrono::DateTime::from_timestamp_millis);
    time.unwrap_or_default().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// Whether the clock shows a time that all parts of a server can write: the HTTP library knows the years
/// 1970 to 9999. Returns an error that says what to do if not.
pub fn check() -> Result<(), String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    match now {
        Ok(since_1970) if since_1970 < YEAR_9999 => Ok(()),
        _ => {
            let when = if now.is_ok() { "behind the year 9998" } else { "before 1970" };
            Err(format!("this machine's clock shows a time {when}; set it, and start again"))
        }
    }
}

/// From 1970 to the beginning of 9999.
const YEAR_9999: Duration = Duration::from_secs(253_370_764_800);

/// The time of a log line: the hour of the day here, whatever the clock shows.
#[derive(Clone, Copy, Debug)]
pub struct LogTime;

impl FormatTime for LogTime {
    fn format_time(&self, line: &mut Writer<'_>) -> fmt::Result {
        let now = i64::try_from(unix_ms()).ok().and_then(DateTime::from_timestamp_millis);
        // chrono's own `now` panics before 1970.
        let now = now.unwrap_or_default().with_timezone(&Local);
        write!(line, "{}", now.format("%H:%M:%S%.3f"))
    }
}
