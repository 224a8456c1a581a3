//! What the HTTP API answers: plain JSON objects and arrays.

use crate::ids::WorkerId;
use serde::{Deserialize, Serialize};

/// One element of `GET /api/workers`, which answers an array of them in the order of arrival.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct WorkerView {
    /// The connection's number.
    pub id: WorkerId,
    /// The peer's address and port.
    pub address: String,
    /// The path that it connected to.
    pub path: String,
    /// The user agent: that of its newest result, before the first that of its HTTP request.
    pub agent: Option<String>,
    /// Seconds since it connected.
    pub connected_s: f64,
    /// Seconds since its last message.
    pub idle_s: f64,
    /// Tasks that it was sent.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub tasks: u64,
    /// Results of it that were accepted.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub results: u64,
    /// Messages of it that were refused or ignored.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub refused: u64,
}

/// The body of every answer with a status of 400 or above.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong, for programs and for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ErrorDetail {
    /// A short word in `snake_case`.
    pub code: String,
    /// A sentence.
    pub message: String,
}
