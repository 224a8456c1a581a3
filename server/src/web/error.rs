//! What every refused request is answered with: a status, a code for programs and a sentence.

use crate::dispatcher::{ChangeError, ControlError, Stopped};
use crate::store::StoreError;
use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use tequio_protocol::api::{ErrorBody, ErrorDetail};
use tequio_protocol::limits::RETRY_AFTER_S;
use tequio_protocol::text::quote;
use tracing::error;

/// The code of a body that has not come to its end.
pub(super) const BODY_CUT_OFF: &str = "body_cut_off";

/// An error answer.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl ApiError {
    pub(super) fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
    ) -> ApiError {
        ApiError { status, code, message: message.into() }
    }

    /// 400: the request is wrong in itself.
    pub(super) fn bad(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// Whether a body has not come to its end.
    pub(super) fn is_cut_off(&self) -> bool {
        self.code == BODY_CUT_OFF
    }

    /// 404, for an `id` as it was written in the path.
    pub(super) fn unknown_job(id: &str) -> ApiError {
        let message = format!("There is no job {}.", quote(id));
        ApiError::new(StatusCode::NOT_FOUND, "unknown_job", message)
    }

    /// 413.
    pub(super) fn body_too_big(bytes_max: usize) -> ApiError {
        let message = format!("The body is over the limit of {bytes_max} bytes.");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_big", message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let detail = ErrorDetail { code: self.code.to_owned(), message: self.message };
        let body = Json(ErrorBody { error: detail });
        if self.status == StatusCode::UNAUTHORIZED {
            return (self.status, [(WWW_AUTHENTICATE, "Bearer")], body).into_response();
        }
        if self.code == FULL {
            // Whoever is turned away for want of places keeps none.
            let headers =
                [(CONNECTION, "close".to_owned()), (RETRY_AFTER, RETRY_AFTER_S.to_string())];
            return (self.status, headers, body).into_response();
        }
        (self.status, body).into_response()
    }
}

/// The code of a server that has no place or no room for more.
pub(super) const FULL: &str = "full";

impl From<Stopped> for ApiError {
    fn from(_: Stopped) -> ApiError {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "The server is stopping.")
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        match error {
            StoreError::Missing(job) => ApiError::unknown_job(&job.to_string()),
            // A path and what the system said are the operator's business.
            error => {
                error!("the store failed: {error}");
                ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "store_failing", STORE_FAILING)
            }
        }
    }
}

/// What the outside is told of a store that cannot write.
pub(super) const STORE_FAILING: &str = "The server's disk is full or failing, or its data folder was \
    moved or deleted, as its log says; nothing is lent or recorded until that is mended.";

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> ApiError {
        match error {
            ControlError::Unknown(job) => ApiError::unknown_job(&job.to_string()),
            ControlError::Over(job, state, control) => {
                let message = format!(
                    "Job {job} is {} already, and cannot be {} any more.",
                    state.name(),
                    control.participle()
                );
                ApiError::new(StatusCode::CONFLICT, "job_over", message)
            }
            ControlError::NotOpen(job, state) => {
                let message = format!(
                    "Job {job} is {} and does not wait for inputs: there is nothing to close.",
                    state.name()
                );
                ApiError::new(StatusCode::CONFLICT, "job_not_open", message)
            }
            ControlError::NotOver(job, state) => {
                let message = format!("Job {job} is {}; cancel it first.", state.name());
                ApiError::new(StatusCode::CONFLICT, "job_not_over", message)
            }
        }
    }
}

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> ApiError {
        match error {
            ChangeError::Stopped(stopped) => stopped.into(),
            ChangeError::Store(error) => error.into(),
            ChangeError::Control(error) => error.into(),
        }
    }
}
