//! How many connections there may be at once, and what they may hold. Each is an open file, of which a
//! process has a limited number: some are kept for the store, and some for short requests, so that
//! `/healthz` answers when sockets have taken up all that they may.
//!
//! Where something runs short, nobody is turned away while others hold it and do nothing: what stands
//! still the longest is ended.

use super::error::{ApiError, FULL};
use super::limits::Limits;
use super::line::{Doing, Line, Still};
use super::patience::Turns;
use crate::bounds::{Bound, Held};
use axum::http::StatusCode;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tequio_protocol::limits::{
    BUSY_RETRY_AFTER, FILES_RESERVED, GIVE_BACK_BYTES, GIVE_BACK_GAINED, GIVE_BACK_INTERVAL,
    GIVE_BACK_LOOK, GIVE_BACK_RETRY, LOG_CALM, ROOM_LOOK, STALLED_MIN,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

/// The place of one connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Crowd,
    number: u64,
    line: Arc<Line>,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// The connection that has it.
    pub(super) fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// All connections.
    pub(super) fn crowd(&self) -> &Crowd {
        &self.crowd
    }

    /// It has said something.
    pub(super) fn speaks(&self) {
        let mut lines = self.crowd.lines();
        if let Some(line) = lines.silent.remove(&self.number) {
            lines.open.insert(self.number, line);
        }
        drop(lines);
        self.line.turns(Doing::Idle, Instant::now());
        self.crowd.limit_idle();
    }

    /// Which connection has it.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.lines().remove(self.number);
        self.crowd.0.has_ended.store(true, Ordering::Relaxed);
    }
}

/// All connections.
#[derive(Clone, Debug)]
pub(super) struct Crowd(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: Limits,
    places: Arc<Semaphore>,
    /// Connections that there may be at once.
    places_max: usize,
    /// Of these, the ones that only short requests may take.
    for_requests: usize,
    next: AtomicU64,
    lines: Mutex<Lines>,
    /// Bytes of answers that are being written.
    answers: Bound,
    /// Bytes of headers and bodies that are being read.
    bodies: Bound,
    /// Streams of events.
    events: Bound,
    lingering: Turns,
    /// Whether a connection has ended since what they held was given back.
    has_ended: AtomicBool,
    /// How often somebody was turned away.
    refusals: Mutex<Rarely>,
}

/// By their numbers, which ascend.
#[derive(Debug, Default)]
struct Lines {
    /// Those that have said nothing yet: the first waits the longest.
    silent: BTreeMap<u64, Arc<Line>>,
    /// All others but WebSockets.
    open: BTreeMap<u64, Arc<Line>>,
    /// The one that was ended last, and for what.
    ending: Option<(Still, Weak<Line>)>,
    /// When nothing was found last that could be ended, for each that was looked for: many who wait look
    /// at the same, and each look goes through all.
    in_vain: BTreeMap<Still, Instant>,
}

/// Whether somebody still has it.
fn is_there(line: &Weak<Line>) -> bool {
    line.strong_count() > 0
}

impl Lines {
    fn remove(&mut self, number: u64) -> Option<Arc<Line>> {
        self.silent.remove(&number).or_else(|| self.open.remove(&number))
    }

    /// How many have no request under way.
    fn idle(&self) -> usize {
        let open = self.open.values().filter(|line| line.still_since(Still::Idle).is_some());
        self.silent.len() + open.count()
    }

    /// Which of those that have said something stands still the longest, and since when.
    fn stillest(&self, still: Still) -> Option<(Instant, &Arc<Line>)> {
        let still = self.open.values().filter_map(|line| Some((line.still_since(still)?, line)));
        still.min_by_key(|(since, _)| *since)
    }
}

impl Crowd {
    /// For a process that may have `files_max` open files.
    pub(super) fn new(files_max: Option<u64>, limits: Limits) -> Crowd {
        let files_max = files_max.and_then(|files| usize::try_from(files).ok());
        let files_max = files_max.unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        // A process that has next to no files still serves some of each.
        let reserved = FILES_RESERVED.min(files_max / 3);
        let places_max = files_max - reserved;
        Crowd(Arc::new(Shared {
            places: Arc::new(Semaphore::new(places_max)),
            places_max,
            for_requests: FILES_RESERVED.min(places_max / 3),
            next: AtomicU64::new(0),
            lines: Mutex::default(),
            answers: Bound::new(limits.answers_bytes_max),
            bodies: Bound::new(limits.bodies_bytes_max),
            events: Bound::new(limits.event_streams_max),
            lingering: Turns::default(),
            has_ended: AtomicBool::new(false),
            refusals: Mutex::default(),
            limits,
        }))
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Bytes of answers that are being written.
    pub(super) fn answers(&self) -> &Bound {
        &self.0.answers
    }

    /// Bytes of headers and bodies that are being read.
    pub(super) fn bodies(&self) -> &Bound {
        &self.0.bodies
    }

    /// The turns of those that linger.
    pub(super) fn lingering(&self) -> &Turns {
        &self.0.lingering
    }

    /// Waits for a place; there mostly is one.
    pub(super) async fn enter(&self) -> Place {
        let places = &self.0.places;
        if let Ok(permit) = places.clone().try_acquire_owned() {
            return self.place(permit);
        }
        // Nobody waits for those who do nothing.
        self.tell(match self.end_idle() {
            true => "take the places of idle ones",
            false => "wait until others have left",
        });
        loop {
            if let Ok(permit) = timeout(STALLED_MIN, places.clone().acquire_owned()).await {
                return self.place(permit.expect("nobody closes it"));
            }
            self.end_idle();
        }
    }

    fn place(&self, permit: OwnedSemaphorePermit) -> Place {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let line = Arc::new(Line::new(Instant::now(), self.0.limits.answer_patience));
        let mut lines = self.lines();
        lines.silent.insert(number, line.clone());
        if lines.silent.len() > self.0.limits.connections_silent_max
            && let Some((_, longest)) = lines.silent.pop_first()
        {
            longest.end();
        }
        drop(lines);
        Place { crowd: self.clone(), number, line, _permit: permit }
    }

    /// Has the allocator give back what connections held that have ended, and what is free where the server
    /// has much, for as long as it is let.
    pub(super) async fn give_back(self) {
        // Where the system does not say how much there is, ended connections decide.
        let resident = || tequio_allocator::resident_bytes().unwrap_or(0);
        let (mut last, mut left) = (Instant::now(), resident());
        loop {
            sleep(GIVE_BACK_LOOK).await;
            let now = resident();
            let was_in_vain = left > GIVE_BACK_BYTES;
            let is_pressed =
                now > GIVE_BACK_BYTES && (last.elapsed() >= GIVE_BACK_RETRY || !was_in_vain);
            let is_due = last.elapsed() >= GIVE_BACK_INTERVAL
                && (self.0.has_ended.swap(false, Ordering::Relaxed)
                    || now > left + GIVE_BACK_GAINED);
            if is_pressed || is_due {
                // Nothing comes of it, and a panic in it would be told by the panic itself.
                spawn_blocking(tequio_allocator::give_back_now).await.ok();
                (last, left) = (Instant::now(), resident());
            }
        }
    }

    /// A connection is a WebSocket from now on, which has bounds of its own.
    pub(super) fn is_socket(&self, number: u64) {
        let mut lines = self.lines();
        let Some(line) = lines.remove(number) else { return };
        line.turns(Doing::Socket, Instant::now());
        // One that was to make room, and was faster, makes none any more.
        if lines.ending.as_ref().is_some_and(|(_, ending)| ending.as_ptr() == Arc::as_ptr(&line)) {
            lines.ending = None;
        }
    }

    /// Ends the connection that does nothing for the longest time, first of those that have said
    /// nothing at all. Whether there was one.
    fn end_idle(&self) -> bool {
        let mut lines = self.lines();
        if let Some((_, longest)) = lines.silent.pop_first() {
            longest.end();
            return true;
        }
        drop(lines);
        self.end_stillest()
    }

    /// Ends the connection, of those that have said something, that does the least. Whether there was one.
    fn end_stillest(&self) -> bool {
        let kinds = [Still::Idle, Still::Unread, Still::Unsent, Still::Asked];
        kinds.into_iter().any(|still| self.end_still(still))
    }

    /// Ends what stands still for the longest time, if that is long enough. Whether there was one.
    pub(super) fn end_still(&self, still: Still) -> bool {
        let mut lines = self.lines();
        // What is about to go makes room first.
        if lines.ending.as_ref().is_some_and(|(kind, line)| *kind == still && is_there(line)) {
            return true;
        }
        if lines.in_vain.get(&still).is_some_and(|at| at.elapsed() < ROOM_LOOK) {
            return false;
        }
        // One on which nothing is under way is missed by nobody.
        let is_long = |since: &Instant| still == Still::Idle || since.elapsed() >= STALLED_MIN;
        let stillest = lines.stillest(still).filter(|(since, _)| is_long(since));
        let Some(line) = stillest.map(|(_, line)| line.clone()) else {
            lines.in_vain.insert(still, Instant::now());
            return false;
        };
        line.end();
        lines.ending = Some((still, Arc::downgrade(&line)));
        true
    }

    /// Ends what is idle the longest, where there is too much of it; or else a request that stands still,
    /// where there are too many.
    fn limit_idle(&self) {
        let lines = self.lines();
        let open = lines.open.len();
        if open <= self.0.limits.connections_idle_max {
            return;
        }
        if open > self.0.limits.connections_idle_max + self.0.limits.connections_asked_max {
            drop(lines);
            self.end_stillest();
            return;
        }
        if lines.idle() - lines.silent.len() > self.0.limits.connections_idle_max
            && let Some((_, longest)) = lines.stillest(Still::Idle)
        {
            longest.end();
        }
    }

    /// Takes `amount` of what answers may hold, at the cost of those that nobody reads, or waits for a
    /// while; gives 503 where all are read.
    pub(super) async fn room_for_answer(&self, amount: usize) -> Result<Held, ApiError> {
        self.room(self.answers(), amount, Still::UnreadRoom).await
    }

    /// Takes the room of a stream of events, likewise.
    pub(super) async fn room_for_events(&self) -> Result<Held, ApiError> {
        self.room(&self.0.events, 1, Still::UnreadEvents).await
    }

    async fn room(&self, bound: &Bound, amount: usize, still: Still) -> Result<Held, ApiError> {
        let began = Instant::now();
        loop {
            if let Ok(held) = bound.take(amount) {
                return Ok(held);
            }
            self.end_still(still);
            if began.elapsed() >= self.0.limits.room_wait {
                return Err(no_room());
            }
            sleep(ROOM_LOOK).await;
        }
    }

    /// Returns an error if a connection, which has a place already, must not keep it for long.
    pub(super) fn admit(&self) -> Result<(), ApiError> {
        let free = self.0.places.available_permits();
        if free >= self.0.for_requests {
            return Ok(());
        }
        // What does nothing makes way for what does.
        let idle = self.lines().idle();
        if free + idle >= self.0.for_requests && self.end_idle() {
            return Ok(());
        }
        self.tell("are refused what would keep them open");
        let message = "This server has as many connections as its system lets it have; \
                       try again later, or raise its limit of open files.";
        Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, FULL, message))
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        // Each change is made whole.
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, what: &str) {
        let mut refusals = self.0.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = refusals.count(Instant::now()) {
            warn!(
                "of the {} connections that the limit of open files leaves, hardly any are free: \
                 new ones {what} ({times} so far); `ulimit -n`, or LimitNOFILE of systemd, raises it",
                self.0.places_max
            );
        }
    }
}

/// 503: others hold all that there is, and use it.
pub(super) fn no_room() -> ApiError {
    let message = format!(
        "This server writes and reads as much at once as it may; try again in {} s.",
        BUSY_RETRY_AFTER.as_secs()
    );
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, FULL, message)
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

    fn crowd(files_max: u64) -> Crowd {
        Crowd::new(Some(files_max), Limits::default())
    }

    #[tokio::test]
    async fn what_stays_open_leaves_places_for_requests() {
        let crowd = crowd(90);
        let mut places = Vec::new();
        while crowd.admit().is_ok() {
            places.push(crowd.enter().await);
            crowd.is_socket(places[places.len() - 1].number());
        }
        assert_eq!(places.len(), 41, "60 places, 20 of them for requests");
        // Those that say nothing take none away from those that do.
        let silent: Vec<Place> = [crowd.enter().await, crowd.enter().await].into();
        assert!(crowd.admit().is_err());
        drop(places.pop());
        assert!(crowd.admit().is_ok());
        assert!(silent[0].line().is_ended() && !silent[1].line().is_ended());
        drop(places);
        assert!(crowd.admit().is_ok());
        for files_max in [None, Some(u64::MAX), Some(1), Some(0)] {
            Crowd::new(files_max, Limits::default());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_idle_the_longest_makes_way() {
        let limits =
            Limits { connections_silent_max: 3, connections_idle_max: 2, ..Limits::default() };
        let crowd = Crowd::new(None, limits);
        let ended = |places: &[Place]| -> Vec<bool> {
            places.iter().map(|place| place.line().is_ended()).collect()
        };
        let mut places = Vec::new();
        for _ in 0..4 {
            places.push(crowd.enter().await);
            sleep(STALLED_MIN).await;
        }
        assert_eq!(ended(&places), [true, false, false, false]);
        for place in &places[1..] {
            place.speaks();
            sleep(STALLED_MIN).await;
        }
        assert_eq!(ended(&places), [true, true, false, false]);
        places[2].line().turns(Doing::Asked, Instant::now());
        places[2].line().is_unread(Instant::now());
        assert!(!crowd.end_still(Still::Unread), "not for a moment");
        sleep(STALLED_MIN).await;
        assert!(crowd.end_still(Still::Unread));
        assert_eq!(ended(&places), [true, true, true, false]);
        places[3].line().turns(Doing::Asked, Instant::now());
        places[3].line().is_unread(Instant::now());
        sleep(STALLED_MIN).await;
        assert!(crowd.end_still(Still::Unread));
        assert!(!places[3].line().is_ended(), "the other has not gone yet");
        places.remove(2);
        assert!(crowd.end_still(Still::Unread));
        assert!(places[2].line().is_ended());
    }

    #[tokio::test(start_paused = true)]
    async fn room_is_what_nobody_reads_or_is_waited_for() {
        let limits = Limits { answers_bytes_max: 10, ..Limits::default() };
        let crowd = Crowd::new(None, limits);
        let place = crowd.enter().await;
        place.speaks();
        let held = crowd.room_for_answer(8).await.unwrap();
        place.line().turns(Doing::Asked, Instant::now());
        place.line().is_unread(Instant::now());
        sleep(STALLED_MIN).await;
        assert!(!crowd.end_still(Still::UnreadRoom), "it holds none of the room");
        place.line().has_answer_room();
        let asker = tokio::spawn({
            let crowd = crowd.clone();
            async move { crowd.room_for_answer(8).await.map(|held| held.amount()) }
        });
        place.line().ended().await;
        drop((place, held));
        assert_eq!(asker.await.unwrap().unwrap(), 8);
        let _read = crowd.room_for_answer(8).await.unwrap();
        let began = Instant::now();
        assert!(crowd.room_for_answer(8).await.is_err());
        assert!(began.elapsed() >= crowd.limits().room_wait);
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
