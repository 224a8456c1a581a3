//! The HTTP API but for jobs: how the server is, who works, and what is not there.

use super::App;
use super::error::{ApiError, STORE_FAILING};
use super::join;
use crate::metrics::Metrics;
use axum::Json;
use axum::extract::{FromRequestParts, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tequio_protocol::api::{ServerView, WorkerView};
use tequio_protocol::text::quote;

/// The query string, read as `T`.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Params<T>, ApiError> {
        match Query::from_request_parts(parts, app).await {
            Ok(Query(params)) => Ok(Params(params)),
            Err(rejection) => {
                let said = rejection.body_text();
                // What follows names the field and what would be right; there is room for no more.
                let said =
                    said.strip_prefix("Failed to deserialize query string: ").unwrap_or(&said);
                Err(ApiError::bad("bad_query", format!("Query: {}.", quote(said))))
            }
        }
    }
}

/// `GET /healthz`
pub(super) async fn health(State(app): State<App>) -> Result<Json<Value>, ApiError> {
    // A dispatcher that answers, and a store that takes what it is given, are what being healthy
    // means.
    let health = app.dispatcher.health().await?;
    if health.store_error.is_some() {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return Err(ApiError::new(status, "store_failing", STORE_FAILING));
    }
    let (version, workers) = (env!("CARGO_PKG_VERSION"), health.workers);
    Ok(Json(json!({"status": "ok", "version": version, "workers": workers})))
}

/// `GET /metrics`
pub(super) async fn metrics(State(app): State<App>) -> Result<impl IntoResponse, ApiError> {
    app.dispatcher.health().await?;
    Ok(([(CONTENT_TYPE, Metrics::CONTENT_TYPE)], app.metrics.text()))
}

/// `GET /api/server`
pub(super) async fn server(State(app): State<App>, headers: HeaderMap) -> Json<ServerView> {
    Json(ServerView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        needs_token: app.who.operator_token.is_some(),
        join: join::link(&app, &headers),
    })
}

/// `POST /api/operator`: whether the asker may change things, so that a page can try a token before
/// it keeps it. Whoever may not has been turned away before this, as from any change.
pub(super) async fn operator() -> StatusCode {
    StatusCode::NO_CONTENT
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
