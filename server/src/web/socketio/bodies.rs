//! Bodies of requests, which are read whole before the library sees them: what is begun and not ended has
//! a bound together, and its time.

use crate::begun::{Begun, GivenUp, Share};
use crate::web::bodies;
use crate::web::error::ApiError;
use crate::web::limits::Limits;
use crate::web::reading::ROOM_RETRY;
use axum::BoxError;
use axum::body::{Body, HttpBody};
use axum::http::StatusCode;
use futures_util::StreamExt;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tequio_protocol::limits::{SOCKET_READ_BUFFER_BYTES, SOCKETIO_BODY_BYTES_MAX};
use tokio::time::{Instant, sleep, timeout_at};

/// What all bodies share.
#[derive(Clone, Debug)]
pub(super) struct Bodies {
    begun: Begun,
    pub(super) time_max: Duration,
}

impl Bodies {
    pub(super) fn new(limits: &Limits) -> Bodies {
        let begun = Begun::new(limits.socketio_bodies_bytes_max, limits.begun_grace);
        Bodies { begun, time_max: limits.begun_time_max }
    }

    /// Reads a body, or as much of it as shows that it is too long; and what it holds until that is
    /// dropped.
    pub(super) async fn read(&self, body: Body) -> Result<(Vec<u8>, Share), ApiError> {
        let began_at = Instant::now();
        let mut share = self.begun.share();
        let mut bytes = Vec::new();
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        let announced = announced.min(SOCKETIO_BODY_BYTES_MAX);
        let reading = async {
            let mut chunks = body.into_data_stream();
            while bytes.len() <= SOCKETIO_BODY_BYTES_MAX {
                let (come, room) = (bytes.len(), announced.max(bytes.len()));
                let mut retry = pin!(sleep(ROOM_RETRY));
                let next = poll_fn(|cx| {
                    if room <= SOCKET_READ_BUFFER_BYTES {
                        return chunks.poll_next_unpin(cx).map(Ok);
                    }
                    // Whoever waits for its client is told when it is given up.
                    match share.hold(come, room, began_at, Instant::now(), cx) {
                        Poll::Ready(Ok(())) => chunks.poll_next_unpin(cx).map(Ok),
                        Poll::Ready(Err(given_up)) => Poll::Ready(Err(given_up)),
                        Poll::Pending => {
                            // Where nobody says that there is room, it is asked again.
                            if retry.as_mut().poll(cx).is_ready() {
                                retry.as_mut().reset(Instant::now() + ROOM_RETRY);
                                cx.waker().wake_by_ref();
                            }
                            Poll::Pending
                        }
                    }
                });
                match next.await.map_err(given_up)? {
                    Some(Ok(chunk)) => bytes.extend_from_slice(&chunk),
                    Some(Err(error)) => return Err(broken(error.into_inner())),
                    None => break,
                }
            }
            Ok(())
        };
        match timeout_at(began_at + self.time_max, reading).await {
            Ok(Ok(())) => {
                share.complete();
                Ok((bytes, share))
            }
            Ok(Err(error)) => Err(error),
            Err(_) => {
                let message = format!("The body took more than {} s.", self.time_max.as_secs());
                Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "too_slow", message))
            }
        }
    }
}

fn given_up(given_up: GivenUp) -> ApiError {
    let message = format!("{given_up}. Try again later.");
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "full", message)
}

/// Why a body is not whole: what came of it must not be taken for all. A client that has left is not
/// answered.
fn broken(error: BoxError) -> ApiError {
    let because = || ApiError::bad("broken_body", format!("The body broke off: {error}."));
    bodies::refusal(&error).unwrap_or_else(because)
}
