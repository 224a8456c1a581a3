//! Wrong operator tokens, which somebody may be trying one after the other. A right one is never kept
//! waiting, whoever else tries wrong ones from the same address; a wrong one is answered at once as often
//! as people mistype, and late after that.
//!
//! What is kept does not grow: origins share a fixed number of paces. Two that share one cost each other
//! a few fast answers to wrong tokens, and nothing else.

use super::crowd::Rarely;
use super::error::ApiError;
use crate::connection::{PeerAddress, Stopping, stopped};
use crate::pace::Pace;
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tequio_protocol::limits::{
    TOKEN_PACES, TOKEN_TRIES_ALL_MAX, TOKEN_TRIES_MAX, TOKEN_TRIES_WAITING_MAX, TOKEN_TRY_DELAY,
    TOKEN_TRY_EVERY, TOKEN_TRY_EVERY_ALL,
};
use tequio_scheduler::Origin;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use tracing::warn;

/// The wrong tokens of everybody.
#[derive(Clone, Debug)]
pub(super) struct Tries {
    paces: Arc<Mutex<Paces>>,
    /// Which pace is whose.
    hasher: RandomState,
    /// Places of answers that are kept back.
    waiting: Arc<Semaphore>,
}

impl Tries {
    pub(super) fn new(now: Instant) -> Tries {
        let limits = Limits {
            paces: TOKEN_PACES,
            each: (TOKEN_TRIES_MAX, TOKEN_TRY_EVERY),
            all: (TOKEN_TRIES_ALL_MAX, TOKEN_TRY_EVERY_ALL),
        };
        Tries {
            paces: Arc::new(Mutex::new(Paces::new(&limits, now))),
            hasher: RandomState::new(),
            waiting: Arc::new(Semaphore::new(TOKEN_TRIES_WAITING_MAX)),
        }
    }

    /// What `peer` is answered to a wrong token. Ends early when the server stops.
    pub(super) async fn answer(&self, peer: PeerAddress, mut stopping: Stopping) -> Response {
        let Some(wait) = self.count(peer) else { return wrong().into_response() };
        // Where all places are taken nothing is kept back: then each try costs a connection at least.
        if let Ok(_place) = self.waiting.try_acquire() {
            tokio::select! {
                () = sleep(TOKEN_TRY_DELAY) => {}
                () = stopped(&mut stopping) => {}
            }
        }
        let retry_after = [(RETRY_AFTER, wait.as_secs().max(1).to_string())];
        let close = [(CONNECTION, "close")];
        (retry_after, close, too_many(wait)).into_response()
    }

    /// How long it is until another wrong token is answered at once; `None` where this one is.
    fn count(&self, peer: PeerAddress) -> Option<Duration> {
        let now = Instant::now();
        let hash = self.hasher.hash_one(Origin::from(peer));
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = paces.try_one(hash, now)?;
        if let Some(times) = paces.excess.count(now) {
            warn!(
                "wrong operator tokens are tried, more than people mistype ({times} so far): \
                 the last came from {peer}"
            );
        }
        Some(wait)
    }
}

fn wrong() -> ApiError {
    let message = "This is not the operator token that the server printed when it started.";
    ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
}

fn too_many(wait: Duration) -> ApiError {
    let message = format!(
        "Too many wrong operator tokens have been tried, and this is another one. Look it up where the \
         server was started, and try again in {} s; the right one is taken at any time.",
        wait.as_secs().max(1)
    );
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tries", message)
}

/// How many paces there are, and how many tries each lets go at once and after which time one more.
#[derive(Debug)]
struct Limits {
    paces: usize,
    each: (u32, Duration),
    all: (u32, Duration),
}

/// How fast wrong tokens are answered.
#[derive(Debug)]
struct Paces {
    /// Of the origins, by the rests of their hashes.
    each: Vec<Pace>,
    all: Pace,
    /// Tries beyond the pace.
    excess: Rarely,
}

impl Paces {
    fn new(limits: &Limits, now: Instant) -> Paces {
        let pace = |(burst, every)| Pace::new(burst, every, now);
        Paces {
            each: vec![pace(limits.each); limits.paces],
            all: pace(limits.all),
            excess: Rarely::default(),
        }
    }

    /// Counts a try of the origin with this hash. Returns how long it is until the next may go, if this one
    /// may not.
    fn try_one(&mut self, hash: u64, now: Instant) -> Option<Duration> {
        let count = u64::try_from(self.each.len()).expect("a few");
        let at = usize::try_from(hash % count).expect("below their number");
        let each = &mut self.each[at];
        let next_at = each.next_at(now).max(self.all.next_at(now));
        if next_at > now {
            return Some(next_at - now);
        }
        each.take(now);
        self.all.take(now);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paces(count: usize) -> (Paces, Instant) {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        (Paces::new(&Limits { paces: count, each: (2, second), all: (3, second / 2) }, now), now)
    }

    #[test]
    fn an_origin_tries_so_often_at_once_and_all_so_often_together() {
        let (mut paces, now) = paces(4);
        let second = Duration::from_secs(1);
        let [a, b, c] = [4, 5, 6];
        assert_eq!([paces.try_one(a, now), paces.try_one(a, now)], [None, None]);
        assert_eq!(paces.try_one(a, now), Some(second));
        // What was not answered at once is not counted against anybody.
        assert_eq!(paces.try_one(b, now), None);
        assert_eq!(paces.try_one(c, now), Some(second / 2), "all have tried three times");
        assert_eq!(paces.try_one(c, now + second / 2), None);
        assert_eq!(paces.try_one(a, now + second), None);
    }

    #[test]
    fn what_is_kept_does_not_grow() {
        let (mut paces, now) = paces(4);
        for hash in 0..1000 {
            paces.try_one(hash * hash, now + Duration::from_secs(hash));
        }
        assert_eq!(paces.each.len(), 4);
    }
}
