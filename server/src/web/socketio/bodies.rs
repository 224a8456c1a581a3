//! Bodies of requests, which are read whole before the library sees them: what is begun and not ended has
//! a bound together, and its time.

use crate::begun::{Begun, GivenUp, Share};
use crate::web::error::ApiError;
use crate::web::limits::Limits;
use axum::body::Body;
use axum::http::StatusCode;
use futures_util::StreamExt;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;
use tequio_protocol::limits::SOCKETIO_BODY_BYTES_MAX;
use tokio::time::{Instant, timeout_at};

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
        let reading = async {
            let mut chunks = body.into_data_stream();
            while bytes.len() <= SOCKETIO_BODY_BYTES_MAX {
                let held = bytes.len();
                let next = poll_fn(|cx| {
                    // Whoever waits for its client is told when it is given up.
                    if held > 0 {
                        match share.hold(held, began_at, Instant::now(), cx) {
                            Poll::Ready(Ok(())) => {}
                            Poll::Ready(Err(given_up)) => return Poll::Ready(Err(given_up)),
                            Poll::Pending => return Poll::Pending,
                        }
                    }
                    chunks.poll_next_unpin(cx).map(Ok)
                });
                match next.await? {
                    Some(Ok(chunk)) => bytes.extend_from_slice(&chunk),
                    // The client has left, and is not answered.
                    Some(Err(_)) | None => break,
                }
            }
            Ok::<(), GivenUp>(())
        };
        match timeout_at(began_at + self.time_max, reading).await {
            Ok(Ok(())) => {
                share.complete();
                Ok((bytes, share))
            }
            Ok(Err(given_up)) => {
                let message = format!("{given_up}. Try again later.");
                Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "full", message))
            }
            Err(_) => {
                let message = format!("The body took more than {} s.", self.time_max.as_secs());
                Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "too_slow", message))
            }
        }
    }
}
