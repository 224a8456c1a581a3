//! The bounds on what peers may hold, as arguments: tests reach small ones.

use std::time::Duration;
use tequio_protocol::limits::{
    ANSWER_PATIENCE, ANSWERS_BYTES_MAX, BODIES_BYTES_MAX, BODY_PATIENCE, CONNECTIONS_IDLE_MAX,
    CONNECTIONS_SILENT_MAX, EVENT_STREAMS_MAX, EVENTS_BYTES_MAX, HEADERS_TIMEOUT, ROOM_WAIT,
    WRITE_TIMEOUT,
};

/// What peers may hold of a server. The defaults are [`tequio_protocol::limits`], where each has its
/// reason.
#[derive(Clone, Debug)]
pub struct Limits {
    /// See [`HEADERS_TIMEOUT`].
    pub headers_timeout: Duration,
    /// See [`CONNECTIONS_SILENT_MAX`].
    pub connections_silent_max: usize,
    /// See [`CONNECTIONS_IDLE_MAX`].
    pub connections_idle_max: usize,
    /// See [`ANSWER_PATIENCE`].
    pub answer_patience: Duration,
    /// See [`ANSWERS_BYTES_MAX`].
    pub answers_bytes_max: usize,
    /// See [`BODY_PATIENCE`].
    pub body_patience: Duration,
    /// See [`BODIES_BYTES_MAX`].
    pub bodies_bytes_max: usize,
    /// See [`ROOM_WAIT`].
    pub room_wait: Duration,
    /// How long a stream of events may take nothing: see [`WRITE_TIMEOUT`].
    pub events_patience: Duration,
    /// See [`EVENT_STREAMS_MAX`].
    pub event_streams_max: usize,
    /// See [`EVENTS_BYTES_MAX`].
    pub events_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            headers_timeout: HEADERS_TIMEOUT,
            connections_silent_max: CONNECTIONS_SILENT_MAX,
            connections_idle_max: CONNECTIONS_IDLE_MAX,
            answer_patience: ANSWER_PATIENCE,
            answers_bytes_max: ANSWERS_BYTES_MAX,
            body_patience: BODY_PATIENCE,
            bodies_bytes_max: BODIES_BYTES_MAX,
            room_wait: ROOM_WAIT,
            events_patience: WRITE_TIMEOUT,
            event_streams_max: EVENT_STREAMS_MAX,
            events_bytes_max: EVENTS_BYTES_MAX,
        }
    }
}
