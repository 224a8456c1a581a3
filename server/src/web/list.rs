//! Lists of any length as JSON: of a long one, an answer holds some rows at a time.

use super::error::ApiError;
use crate::dispatcher::Stopped;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use futures_util::stream::{once, try_unfold};
use serde::Serialize;
use std::future::ready;
use tequio_protocol::limits::LIST_ROWS;

/// An array of all rows. `behind` gives the rows behind the one with a key, [`LIST_ROWS`] of them if there
/// are as many, and the first ones without one. Rows that come while the list is read are at its end; each
/// row is as it is when its part of the list is read.
pub(super) async fn list<T, K, F>(
    key: fn(&T) -> K,
    behind: impl Fn(Option<K>) -> F + Send + 'static,
) -> Result<Response, ApiError>
where
    T: Serialize + Send + 'static,
    K: Send + 'static,
    F: Future<Output = Result<Vec<T>, Stopped>> + Send + 'static,
{
    let rows = behind(None).await?;
    if rows.len() < LIST_ROWS {
        return Ok(Json(rows).into_response());
    }
    let last = rows.last().map(key);
    let first = part(&rows, b'[');
    let rest = try_unfold(last, move |last| {
        let next = last.map(|last| behind(Some(last)));
        async move {
            let Some(next) = next else { return Ok(None) };
            let rows = next.await?;
            let is_full = rows.len() == LIST_ROWS;
            let last = rows.last().map(key).filter(|_| is_full);
            Ok::<_, Stopped>(Some((part(&rows, b','), last)))
        }
    });
    let parts = once(ready(Ok(first))).chain(rest);
    Ok(([(CONTENT_TYPE, "application/json")], Body::from_stream(parts)).into_response())
}

/// Some rows of an array, after what stands before them; the last ones end it.
fn part<T: Serialize>(rows: &[T], before: u8) -> Bytes {
    let mut text = Vec::new();
    for (row, before) in rows.iter().zip(std::iter::once(before).chain(std::iter::repeat(b','))) {
        text.push(before);
        serde_json::to_writer(&mut text, row).expect("rows are plain data");
    }
    if rows.len() < LIST_ROWS {
        text.push(b']');
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_list_of_any_length_is_one_array() {
        for count in [0, 1, LIST_ROWS - 1, LIST_ROWS, LIST_ROWS + 1, 2 * LIST_ROWS, 1000] {
            let behind = move |last: Option<usize>| {
                let first = last.map_or(0, |last| last + 1);
                ready(Ok((first..count).take(LIST_ROWS).collect::<Vec<_>>()))
            };
            let answer = list(|row| *row, behind).await.unwrap();
            assert_eq!(answer.headers()[CONTENT_TYPE], "application/json");
            let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
            let rows: Vec<usize> = serde_json::from_slice(&body).unwrap();
            assert!(rows.into_iter().eq(0..count), "{count}");
        }
    }
}
