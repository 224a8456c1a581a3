//! What every refused request is answered with: a status, a code for programs and a sentence.

use crate::dispatcher::{ChangeError, ControlError, Stopped};
use crate::store::StoreError;
use axum::Json;
use axum::http::header::{CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::time::Duration;
use tequio_protocol::api::{ErrorBody, ErrorDetail};
use tequio_protocol::limits::BUSY_RETRY_AFTER;
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
    /// When the same request may be answered.
    retry_after: Option<Duration>,
}

impl ApiError {
    pub(super) fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
    ) -> ApiError {
        ApiError { status, code, message: message.into(), retry_after: None }
    }

    /// 503: there is no room now; who asks again after `Retry-After` may be answered.
    pub(super) fn busy(code: &'static str, message: impl Into<String>) -> ApiError {
        let error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code, message);
        ApiError { retry_after: Some(BUSY_RETRY_AFTER), ..error }
    }

    /// 400: the request is wrong in itself.
    pub(super) fn bad(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// Whether the same request may succeed: its body has not come to its end, or there was no room.
    pub(super) fn may_pass(&self) -> bool {
        self.code == BODY_CUT_OFF || self.status == StatusCode::SERVICE_UNAVAILABLE
    }

    /// 404, for an `id` as it was written in the path.
    pub(super) fn unknown_job(id: &str) -> ApiError {
        let message = format!("There is no job {}.", quote(id));
        ApiError::new(StatusCode::NOT_FOUND, "unknown_job", message)
    }

    /// 413, for a request that adds inputs.
    pub(super) fn too_many_inputs(inputs_max: usize) -> ApiError {
        let message = format!(
            "A request adds {inputs_max} inputs at the most: send them in several, with `more=true`."
        );
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many_inputs", message)
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
            let headers = [
                (CONNECTION, "close".to_owned()),
                (RETRY_AFTER, BUSY_RETRY_AFTER.as_secs().to_string()),
            ];
            return (self.status, headers, body).into_response();
        }
        if let Some(pause) = self.retry_after {
            let seconds = HeaderValue::from(pause.as_secs());
            return (self.status, [(RETRY_AFTER, seconds)], body).into_response();
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
            StoreError::NoSuchJob(job) => ApiError::unknown_job(&job.to_string()),
            error if error.is_refusal() => {
                let message = format!("{}.", capitalized(&error.to_string()));
                let code = match error {
                    StoreError::NameTaken { .. } => "name_taken",
                    StoreError::KernelInUse { .. } => "kernel_in_use",
                    _ => "job_refuses",
                };
                ApiError::new(StatusCode::CONFLICT, code, message)
            }
            StoreError::Damaged { job, .. } => {
                let said = error.to_string();
                error!("{said}");
                let message = format!(
                    "{}. What is before and behind it may be whole: ask for it with `first` and \
                     `count`. POST /api/jobs/{job}/repair has what is lost computed again, and DELETE \
                     /api/jobs/{job} removes the job once it is over or set aside.",
                    capitalized(&said)
                );
                ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "job_damaged", message)
            }
            // A path and what the system said are the operator's business.
            error => {
                error!("the store failed: {error}");
                ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "store_failing", STORE_FAILING)
            }
        }
    }
}

/// A text as a sentence begins.
fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
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
            ControlError::SetAside(job) => {
                let message = format!(
                    "Job {job} is set aside, since a part of it cannot be read: GET /api/jobs/{job} says \
                     which. Its other results can be read, POST /api/jobs/{job}/repair has lost outcomes \
                     computed again, and DELETE /api/jobs/{job} removes it."
                );
                ApiError::new(StatusCode::CONFLICT, "job_set_aside", message)
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
            ChangeError::TooManyJobs(jobs) => {
                let message = format!(
                    "The server keeps {jobs} jobs, and no more: remove some that are over first \
                     (`tequio remove ID`, DELETE /api/jobs/ID)."
                );
                ApiError::new(StatusCode::CONFLICT, "too_many_jobs", message)
            }
            ChangeError::TooManyGrids => ApiError::busy(
                "too_many_grids",
                "The lists of values of jobs that are not over hold as much memory as they may: try \
                 again when one of them is over, or give the values as ranges.",
            ),
            ChangeError::Busy => ApiError::busy(
                "busy",
                "More changes to jobs wait to be written than the server keeps: try again.",
            ),
        }
    }
}
