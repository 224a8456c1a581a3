//! What peers may make this server hold, as numbers that a test can make small.

use crate::services::chat::RoomLimits;
use std::time::Duration;
use tequio_protocol::limits::{
    BEGUN_BYTES_MAX, BEGUN_GRACE, BEGUN_TIME_MAX, SOCKETIO_BODIES_BYTES_MAX, SOCKETIO_CHANGING_MAX,
    SOCKETIO_OPENING_MAX, SOCKETIO_OWED_MAX, SOCKETIO_POLLING_MAX, SOCKETIO_SOCKETS_MAX,
    UNREAD_BYTES_MAX,
};

/// The bounds of a server. Those that it has by default are told, with their reasons, in
/// [`tequio_protocol::limits`].
#[derive(Clone, Debug)]
pub struct Limits {
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
