//! The HTTP API: JSON in, JSON out, and an error is an object with a code and a sentence.

use super::App;
use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tequio_protocol::api::{ErrorBody, ErrorDetail, WorkerView};
use tequio_protocol::text::quote;

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
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let error = ErrorDetail { code: self.code.to_owned(), message: self.message };
        (self.status, Json(ErrorBody { error })).into_response()
    }
}

impl From<crate::dispatcher::Stopped> for ApiError {
    fn from(_: crate::dispatcher::Stopped) -> ApiError {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "The server is stopping.")
    }
}

/// `GET /healthz`
pub(super) async fn health(State(app): State<App>) -> Result<Json<Value>, ApiError> {
    // A dispatcher that answers is what being healthy means.
    let workers = app.dispatcher.list_workers().await?.len();
    Ok(Json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION"), "workers": workers})))
}

/// `GET /api/workers`
pub(super) async fn workers(State(app): State<App>) -> Result<Json<Vec<WorkerView>>, ApiError> {
    Ok(Json(app.dispatcher.list_workers().await?))
}

/// Any other path below `/api/`.
pub(super) async fn not_found(uri: Uri) -> ApiError {
    let message = format!("There is no {} here.", quote(uri.path()));
    ApiError::new(StatusCode::NOT_FOUND, "not_found", message)
}

/// A known path with a method that it does not have.
pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    let message = format!("{} does not take {}.", quote(uri.path()), quote(method.as_str()));
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}
