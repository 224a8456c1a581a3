//! The bounds on what peers may hold, as arguments: tests reach small ones.

use crate::services::chat::RoomLimits;
use std::time::Duration;
use tequio_protocol::limits::{
    ANSWER_PATIENCE, ANSWERS_BYTES_MAX, BEGUN_BYTES_MAX, BEGUN_GRACE, BEGUN_TIME_MAX,
    BODIES_BYTES_MAX, BODY_PATIENCE, CONNECTIONS_ASKED_MAX, CONNECTIONS_IDLE_MAX,
    CONNECTIONS_SILENT_MAX, EVENT_STREAMS_MAX, EVENTS_BYTES_MAX, HEADERS_TIMEOUT, ROOM_WAIT,
    SOCKETIO_BODIES_BYTES_MAX, SOCKETIO_CHANGING_MAX, SOCKETIO_OPENING_MAX, SOCKETIO_OWED_MAX,
    SOCKETIO_POLLING_MAX, SOCKETIO_SOCKETS_MAX, UNREAD_BYTES_MAX, WRITE_TIMEOUT,
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
    /// See [`CONNECTIONS_ASKED_MAX`].
    pub connections_asked_max: usize,
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
    /// See [`BEGUN_BYTES_MAX`].
    pub begun_bytes_max: usize,
    /// See [`BEGUN_TIME_MAX`].
    pub begun_time_max: Duration,
    /// See [`BEGUN_GRACE`].
    pub begun_grace: Duration,
    /// See [`UNREAD_BYTES_MAX`].
    pub unread_bytes_max: usize,
    /// What rooms of the chat may hold.
    pub chat: RoomLimits,
    /// See [`SOCKETIO_OPENING_MAX`].
    pub socketio_opening_max: usize,
    /// See [`SOCKETIO_POLLING_MAX`].
    pub socketio_polling_max: usize,
    /// See [`SOCKETIO_SOCKETS_MAX`].
    pub socketio_sockets_max: usize,
    /// See [`SOCKETIO_CHANGING_MAX`].
    pub socketio_changing_max: usize,
    /// See [`SOCKETIO_OWED_MAX`].
    pub socketio_owed_max: usize,
    /// See [`SOCKETIO_BODIES_BYTES_MAX`].
    pub socketio_bodies_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            headers_timeout: HEADERS_TIMEOUT,
            connections_silent_max: CONNECTIONS_SILENT_MAX,
            connections_idle_max: CONNECTIONS_IDLE_MAX,
            connections_asked_max: CONNECTIONS_ASKED_MAX,
            answer_patience: ANSWER_PATIENCE,
            answers_bytes_max: ANSWERS_BYTES_MAX,
            body_patience: BODY_PATIENCE,
            bodies_bytes_max: BODIES_BYTES_MAX,
            room_wait: ROOM_WAIT,
            events_patience: WRITE_TIMEOUT,
            event_streams_max: EVENT_STREAMS_MAX,
            events_bytes_max: EVENTS_BYTES_MAX,
            begun_bytes_max: BEGUN_BYTES_MAX,
            begun_time_max: BEGUN_TIME_MAX,
            begun_grace: BEGUN_GRACE,
            unread_bytes_max: UNREAD_BYTES_MAX,
            chat: RoomLimits::default(),
            socketio_opening_max: SOCKETIO_OPENING_MAX,
            socketio_polling_max: SOCKETIO_POLLING_MAX,
            socketio_sockets_max: SOCKETIO_SOCKETS_MAX,
            socketio_changing_max: SOCKETIO_CHANGING_MAX,
            socketio_owed_max: SOCKETIO_OWED_MAX,
            socketio_bodies_bytes_max: SOCKETIO_BODIES_BYTES_MAX,
        }
    }
}
