//! The clock on the wall, which people read and nothing is decided by: it may jump.

use std::time::{SystemTime, UNIX_EPOCH};

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
