//! The HTTP API but for jobs: how the server is, who works, and what is not there.

use super::App;
use super::error::{ApiError, STORE_FAILING};
use super::join;
use super::list::list;
use super::names::HostPort;
use crate::metrics::Metrics;
use axum::extract::{FromRequestParts, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tequio_protocol::api::{ServerView, WorkerView};
use tequio_protocol::limits::LIST_ROWS;
use tequio_protocol::text::quote;

/// The query string, read as `T`.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Params<T>, ApiError> {
        match Query::from_request_parts(parts, app).await {
            Ok(Query(params)) => Ok(Params(params)),
            Err(rejection) => {
                let query = parts.uri.query().unwrap_or_default();
                let said = query_said(query, &rejection.body_text());
                Err(ApiError::bad("bad_query", format!("Query: {said}.")))
            }
        }
    }
}

/// What is wrong with a query, from what serde says of it, which speaks of Rust's types.
fn query_said(query: &str, said: &str) -> String {
    let said = said.strip_prefix("Failed to deserialize query string: ").unwrap_or(said);
    let names =
        |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let named = names(said);
    let (first, others) = named.split_first().map_or(("", &[][..]), |(first, rest)| (first, rest));
    if said.contains("unknown field") {
        return format!("there is no `{}` here; there is {}", quote(first), others.join(", "));
    }
    if said.contains("missing field") {
        return format!("`{first}` is missing");
    }
    if said.contains("duplicate field") {
        return format!("`{first}` is there twice");
    }
    // What is wrong with one value begins with its name.
    let Some((name, why)) = said.split_once(": ") else { return "it cannot be read".to_owned() };
    let given = query.split('&').filter_map(|pair| pair.split_once('='));
    let value = given.filter(|(key, _)| *key == name).map(|(_, value)| quote(value)).next_back();
    let value = value.unwrap_or_default();
    let wanted = if why.contains("unknown variant") {
        others.join(" or ")
    } else if why.contains("true") {
        "true or false".to_owned()
    } else if value.starts_with('-') && why.contains("invalid digit") {
        "a whole number of 0 or more".to_owned()
    } else if why.contains("too large") || why.contains("too small") {
        "a whole number that is not so far from 0".to_owned()
    } else {
        "a whole number".to_owned()
    };
    format!("`{name}` is `{value}`; it must be {wanted}")
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
pub(super) async fn server(
    State(app): State<App>,
    Extension(asked): Extension<HostPort>,
) -> Json<ServerView> {
    Json(ServerView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        needs_token: app.who.operator_token.is_some(),
        join: join::link(&app, &asked),
    })
}

/// `POST /api/operator`: whether the asker may change things, so that a page can try a token before
/// it keeps it. Whoever may not has been turned away before this, as from any change.
pub(super) async fn operator() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// `GET /api/workers`
pub(super) async fn workers(State(app): State<App>) -> Result<Response, ApiError> {
    let dispatcher = app.dispatcher;
    list(
        |worker: &WorkerView| worker.pulse.id,
        move |last| {
            let dispatcher = dispatcher.clone();
            async move { dispatcher.list_workers_behind(last, LIST_ROWS).await }
        },
    )
    .await
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_spoken_of_without_types() {
        for (query, said, expected) in [
            (
                "x=1",
                "unknown field `x`, expected `op` or `name`",
                "there is no `x` here; there is op, name",
            ),
            ("", "missing field `first`", "`first` is missing"),
            (
                "first=-1",
                "first: invalid digit found in string",
                "`first` is `-1`; it must be a whole number of 0 or more",
            ),
            (
                "first=",
                "first: cannot parse integer from empty string",
                "`first` is ``; it must be a whole number",
            ),
            (
                "format=xml",
                "format: unknown variant `xml`, expected `jsonl` or `csv`",
                "`format` is `xml`; it must be jsonl or csv",
            ),
            (
                "more=1",
                "more: provided string was not `true` or `false`",
                "`more` is `1`; it must be true or false",
            ),
            ("a=1&a=2", "duplicate field `a`", "`a` is there twice"),
            ("first=1", "some news of serde's", "it cannot be read"),
        ] {
            let said = format!("Failed to deserialize query string: {said}");
            assert_eq!(query_said(query, &said), expected);
        }
    }
}
