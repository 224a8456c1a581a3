//! How many connections there may be at once. Each is an open file, of which a process has a limited
//! number: some are kept for the store, and some for short requests, so that `/healthz` answers when
//! sockets have taken up all that they may.

use super::error::{ApiError, FULL};
use axum::http::StatusCode;
use std::sync::{Arc, Mutex, PoisonError};
use tequio_protocol::limits::{FILES_RESERVED, LOG_CALM};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tracing::warn;

/// The place of one connection, until it is dropped.
pub(super) type Place = OwnedSemaphorePermit;

/// All connections.
#[derive(Clone, Debug)]
pub(super) struct Crowd {
    places: Arc<Semaphore>,
    /// Connections that there may be at once.
    places_max: usize,
    /// Of these, the ones that only short requests may take.
    for_requests: usize,
    /// How often somebody was turned away.
    refusals: Arc<Mutex<Rarely>>,
}

impl Crowd {
    /// For a process that may have `files_max` open files.
    pub(super) fn new(files_max: Option<u64>) -> Crowd {
        let files_max = files_max.and_then(|files| usize::try_from(files).ok());
        let files_max = files_max.unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        // A process that has next to no files still serves some of each.
        let reserved = FILES_RESERVED.min(files_max / 3);
        let places_max = files_max - reserved;
        Crowd {
            places: Arc::new(Semaphore::new(places_max)),
            places_max,
            for_requests: FILES_RESERVED.min(places_max / 3),
            refusals: Arc::default(),
        }
    }

    /// Waits for a place; there mostly is one.
    pub(super) async fn enter(&self) -> Place {
        let places = self.places.clone();
        if let Ok(place) = places.clone().try_acquire_owned() {
            return place;
        }
        self.tell("wait until others have left");
        places.acquire_owned().await.expect("nobody closes it")
    }

    /// Whether even short requests are running out of places.
    pub(super) fn is_tight(&self) -> bool {
        self.places.available_permits() < self.for_requests / 2
    }

    /// Returns an error if a connection, which has a place already, must not keep it for long.
    pub(super) fn admit(&self) -> Result<(), ApiError> {
        if self.places.available_permits() >= self.for_requests {
            return Ok(());
        }
        self.tell("are refused what would keep them open");
        let message = "This server has as many connections as its system lets it have; \
                       try again later, or raise its limit of open files.";
        Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, FULL, message))
    }

    fn tell(&self, what: &str) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = refusals.count(Instant::now()) {
            warn!(
                "of the {} connections that the limit of open files leaves, hardly any are free: \
                 new ones {what} ({times} so far); `ulimit -n`, or LimitNOFILE of systemd, raises it",
                self.places_max
            );
        }
    }
}

/// What happens over and over, and is said once, and then each time that it has happened twice as
/// often. After [`LOG_CALM`] without it, it is news again.
#[derive(Debug, Default)]
pub(super) struct Rarely {
    times: u64,
    last: Option<Instant>,
}

impl Rarely {
    /// Counts it once more. Returns how often it has happened, if that is to be said.
    pub(super) fn count(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.duration_since(last) >= LOG_CALM) {
            self.times = 0;
        }
        self.last = Some(now);
        self.times += 1;
        self.times.is_power_of_two().then_some(self.times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_stays_open_leaves_places_for_requests() {
        let crowd = Crowd::new(Some(90));
        let mut places = Vec::new();
        while crowd.admit().is_ok() {
            places.push(crowd.enter().await);
        }
        assert_eq!(places.len(), 41, "60 places, 20 of them for requests");
        assert!(!crowd.is_tight());
        for _ in 0..11 {
            places.push(crowd.enter().await);
        }
        assert!(crowd.is_tight());
        drop(places);
        assert!(crowd.admit().is_ok());
        for files_max in [None, Some(u64::MAX), Some(1), Some(0)] {
            Crowd::new(files_max);
        }
    }

    #[test]
    fn what_goes_on_is_said_ever_more_rarely() {
        let start = Instant::now();
        let mut rarely = Rarely::default();
        let said: Vec<u64> = (0..1000).filter_map(|_| rarely.count(start)).collect();
        assert_eq!(said, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
        assert_eq!(rarely.count(start + LOG_CALM), Some(1));
    }
}
