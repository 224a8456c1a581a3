//! A handler over a link of the test's own, on virtual time: what a real socket shows only after
//! a minute, or when a peer stops reading.

use crate::link::{closing, link, peer};
use crate::support::{PATIENCE, new_job, welcome};
use std::sync::Arc;
use std::time::Duration;
use tequio::connection::{Close, Connection, Frame};
use tequio::dispatcher::{Control, Dispatcher, FromWorker, Places, WelcomeTask};
use tequio::handler;
use tequio::metrics::{Metrics, Service};
use tequio::store::MemoryStore;
use tequio_protocol::api::{JobState, JobView};
use tequio_protocol::ids::{JobId, LeaseId};
use tequio_protocol::limits::{
    OUTBOX_MESSAGES_MAX, PLAIN_SILENCE_MAX, SESSION_KEPT, SILENCE_MAX, TASK_ATTEMPTS_MAX,
};
use tequio_protocol::message::{ServerMessage, Welcome, WorkerMessage};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

struct Harness {
    dispatcher: Dispatcher,
    metrics: Arc<Metrics>,
    from_peer: mpsc::UnboundedSender<Frame>,
    to_peer: mpsc::UnboundedReceiver<Frame>,
    stop: watch::Sender<bool>,
    ended: tokio::task::JoinHandle<()>,
    /// What it was called when it took a lease.
    session: String,
}

/// The answer to the welcome task.
const WELCOME_ANSWER: &str = r#"{"type":"result","task_id":1,"result":3072}"#;

/// The answer to the one task of a job, of a plain client.
const TASK_ANSWER: &str = r#"{"type":"result","task_id":2,"result":16}"#;

async fn dispatcher(welcome: Option<WelcomeTask>) -> (Dispatcher, Arc<Metrics>) {
    let (store, metrics) = (Arc::new(MemoryStore::new()), Arc::new(Metrics::default()));
    let started = Dispatcher::start(welcome, store, metrics.clone(), 1).await;
    (started.unwrap().0, metrics)
}

async fn start(takes_frames: bool) -> Harness {
    let (dispatcher, metrics) = dispatcher(Some(welcome(3.0, 2.0, 10))).await;
    connect(dispatcher, metrics, takes_frames)
}

fn connect(dispatcher: Dispatcher, metrics: Arc<Metrics>, takes_frames: bool) -> Harness {
    let (link, from_peer, to_peer) = link(takes_frames);
    let (stop, stopping) = watch::channel(false);
    let connection = Connection::new(link, stopping, metrics.tally(Service::Tasks));
    let handler = handler::run(connection, peer("/ws"), dispatcher.clone());
    let ended = tokio::spawn(async { handler.await.unwrap() });
    Harness { dispatcher, metrics, from_peer, to_peer, stop, ended, session: String::new() }
}

/// A worker that has been lent the one task of a job, whose result is 16.
async fn start_with_a_lease() -> (Harness, JobId, LeaseId) {
    let (dispatcher, metrics) = dispatcher(Some(welcome(3.0, 2.0, 10))).await;
    // Before anybody connects: while the store's thread is waited for, virtual time runs on.
    let job = submit(&dispatcher).await;
    let mut harness = connect(dispatcher, metrics, true);
    let lease = harness.take_lease().await;
    (harness, job, lease)
}

async fn submit(dispatcher: &Dispatcher) -> JobId {
    let grid = r#"{"initial":1,"factor":2,"times":4}"#;
    let job = new_job("", "repeat_multiply", Some(grid));
    let id = dispatcher.create_job(job.clone()).await.unwrap();
    dispatcher.publish(id, job, 1, false).await.unwrap();
    id
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_given_up() {
    for says_hello in [true, false] {
        let mut harness = start(true).await;
        if says_hello {
            harness.hello("").await;
        }
        let silence_max = if says_hello { SILENCE_MAX } else { PLAIN_SILENCE_MAX };
        let began = Instant::now();
        let close = closing(&mut harness.to_peer).await;
        assert_eq!(close.code, 4009);
        assert!(began.elapsed() > silence_max && began.elapsed() < silence_max + SILENCE_MAX);
        harness.ended.await.unwrap();
        assert!(harness.dispatcher.list_workers().await.unwrap().is_empty());
    }
}

/// A plain client that has the one task of a job, and that answers no ping: it computes in the loop
/// that would.
async fn start_computing() -> (Harness, JobId) {
    let (dispatcher, metrics) = dispatcher(Some(welcome(3.0, 2.0, 10))).await;
    let job = submit(&dispatcher).await;
    let mut harness = connect(dispatcher, metrics, true);
    harness.take_task().await;
    (harness, job)
}

#[tokio::test(start_paused = true)]
async fn a_plain_client_that_computes_for_minutes_is_waited_for() {
    let (mut harness, job) = start_computing().await;
    tokio::time::sleep(6 * SILENCE_MAX).await;
    harness.say(TASK_ANSWER);
    let view = harness.done(job).await;
    assert_eq!((view.done, view.failed), (1, 0));
    assert_eq!(harness.metrics.expiries.get(), 1, "others would have had it meanwhile");
    // Then it answers all the pings at once.
    for _ in 0..15 {
        harness.from_peer.send(Frame::Pong).unwrap();
    }
    assert_eq!(harness.dispatcher.list_workers().await.unwrap()[0].pulse.refused, 0);
}

#[tokio::test(start_paused = true)]
async fn the_welcome_task_may_take_minutes_as_well() {
    let mut harness = start(true).await;
    harness.hear("task", Instant::now() + PATIENCE).await.unwrap();
    tokio::time::sleep(6 * SILENCE_MAX).await;
    harness.say(WELCOME_ANSWER);
    harness.say(WELCOME_ANSWER);
    let refusal = harness.hear("error", Instant::now() + PATIENCE).await.unwrap();
    assert!(refusal.contains("unknown_task"), "the first one counted: {refusal}");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_no_plain_client_comes_back_from_is_computed_by_the_server() {
    // Silent, stuck behind a browser that answers pings, and gone.
    for way in ["silent", "stuck", "gone"] {
        let (mut harness, job) = start_computing().await;
        for attempt in 1..=TASK_ATTEMPTS_MAX {
            let began = Instant::now();
            let view = harness.dispatcher.job(job).await.unwrap().unwrap();
            assert_eq!((view.leased, view.failed), (1, 0), "{way}, attempt {attempt}");
            match way {
                "silent" => assert_eq!(closing(&mut harness.to_peer).await.code, 4009),
                "stuck" => assert_eq!(harness.closed_though_it_answers_pings().await.code, 4009),
                _ => harness.from_peer.send(closes_with(1011)).unwrap(),
            }
            assert_eq!(began.elapsed() >= PLAIN_SILENCE_MAX, way != "gone");
            harness = harness.reconnect().await;
            if attempt < TASK_ATTEMPTS_MAX {
                harness.take_task().await;
            }
        }
        harness.say(WELCOME_ANSWER);
        let view = harness.done(job).await;
        assert_eq!((view.done, view.failed), (1, 0), "{way}");
    }
}

#[tokio::test(start_paused = true)]
async fn pages_that_are_closed_are_no_attempts() {
    let (mut harness, job) = start_computing().await;
    for _ in 0..2 * TASK_ATTEMPTS_MAX {
        harness.from_peer.send(closes_with(1001)).unwrap();
        harness = harness.reconnect().await;
        harness.take_task().await;
    }
    harness.say(TASK_ANSWER);
    assert_eq!(harness.done(job).await.done, 1);
}

fn closes_with(code: u16) -> Frame {
    Frame::Close(Close { code, reason: String::new() })
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_stays() {
    let mut harness = start(true).await;
    let began = Instant::now();
    while began.elapsed() < 10 * SILENCE_MAX {
        match harness.to_peer.recv().await.unwrap() {
            Frame::Ping => harness.from_peer.send(Frame::Pong).unwrap(),
            Frame::Text(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(harness.dispatcher.list_workers().await.unwrap().len(), 1);
    harness.stop.send_replace(true);
    assert_eq!(closing(&mut harness.to_peer).await.code, 1001);
}

impl Harness {
    fn say(&self, text: &str) {
        self.from_peer.send(Frame::Text(text.to_owned())).unwrap();
    }

    /// Answers pings as a browser does, whatever its tab is up to, until a text has come that
    /// holds `part`, or a time is over.
    async fn hear(&mut self, part: &str, until: Instant) -> Option<String> {
        loop {
            match timeout_at(until, self.to_peer.recv()).await.ok()?.unwrap() {
                Frame::Ping => self.from_peer.send(Frame::Pong).unwrap(),
                Frame::Text(text) if text.contains(part) => return Some(text),
                Frame::Text(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Says hello, answers the welcome task, and takes a lease.
    async fn take_lease(&mut self) -> LeaseId {
        self.session = self.hello("").await.session.unwrap();
        self.say(WELCOME_ANSWER);
        self.lease().await
    }

    /// Answers the welcome task as a plain client, and takes the one of the job.
    async fn take_task(&mut self) {
        self.say(WELCOME_ANSWER);
        let task = self.hear(r#""task_id":2"#, Instant::now() + PATIENCE).await.unwrap();
        assert!(task.contains(r#""times":4"#), "{task}");
    }

    /// How it is closed, though something answers for it.
    async fn closed_though_it_answers_pings(&mut self) -> Close {
        loop {
            match self.to_peer.recv().await.expect("a closing frame") {
                Frame::Ping => self.from_peer.send(Frame::Pong).unwrap(),
                Frame::Close(close) => return close,
                _ => {}
            }
        }
    }

    /// Says hello, with what a test adds to it.
    async fn hello(&mut self, more: &str) -> Welcome {
        self.say(&format!(
            r#"{{"type":"hello","protocol":1,"agent":"A","slots":1,"worker":"a",
            "ops":["repeat_multiply"]{more}}}"#
        ));
        let welcome = self.hear(r#""type":"welcome""#, Instant::now() + PATIENCE).await.unwrap();
        let ServerMessage::Welcome(welcome) = ServerMessage::read(&welcome).unwrap() else {
            panic!()
        };
        welcome
    }

    async fn resume(&mut self, session: &str) -> Welcome {
        self.hello(&format!(r#","resume":"{session}""#)).await
    }

    async fn lease(&mut self) -> LeaseId {
        let lease = self.hear(r#""type":"lease""#, Instant::now() + PATIENCE).await.unwrap();
        let ServerMessage::Lease(lease) = ServerMessage::read(&lease).unwrap() else { panic!() };
        assert_eq!((lease.first, lease.count), (0, 1));
        lease.lease
    }

    /// Loses the line, and comes back on another.
    async fn reconnect(self) -> Harness {
        drop((self.from_peer, self.to_peer));
        self.ended.await.unwrap();
        connect(self.dispatcher, self.metrics, true)
    }

    fn answer(&self, lease: LeaseId) {
        self.say(&format!(
            r#"{{"type":"results","lease":{lease},"first":0,"results":[16],"duration_ms":1}}"#
        ));
    }

    /// Lives on until the job is done.
    async fn done(&mut self, job: JobId) -> JobView {
        loop {
            let view = self.dispatcher.job(job).await.unwrap().unwrap();
            if view.state == JobState::Done {
                return view;
            }
            self.hear("nothing of the kind", Instant::now() + Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn results_that_come_after_the_deadline_count_once_if_nobody_was_faster() {
    let (mut harness, job, lease) = start_with_a_lease().await;
    // A tab that is frozen for an hour: its browser answers, it does not.
    let later = Instant::now() + Duration::from_secs(3600);
    assert_eq!(harness.hear(r#""type":"lease""#, later).await, None, "nothing is lent to it");
    assert_eq!(harness.metrics.expiries.get(), 1);
    harness.answer(lease);
    assert_eq!(harness.done(job).await.done, 1);
    harness.answer(lease);
    harness.say(r#"{"type":"heartbeat"}"#);
    harness.hear("heartbeat", Instant::now() + PATIENCE).await.unwrap();
    assert_eq!(harness.metrics.duplicates.get(), 1);
    assert_eq!(harness.done(job).await.done, 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_half_open_connection_holds_is_computed_by_others() {
    let (mut silent, job, lease) = start_with_a_lease().await;
    // Nothing more arrives from it, and nobody is told that it is gone.
    assert_eq!(closing(&mut silent.to_peer).await.code, 4009);
    silent.ended.await.unwrap();
    let mut other = connect(silent.dispatcher, silent.metrics, true);
    let again = other.take_lease().await;
    assert_ne!(again, lease);
    other.answer(again);
    assert_eq!(other.done(job).await.done, 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_computed_when_the_line_broke_counts_when_its_worker_is_back() {
    let (harness, job, lease) = start_with_a_lease().await;
    let session = harness.session.clone();
    let mut back = harness.reconnect().await;
    let welcome = back.resume(&session).await;
    assert!(welcome.resumed);
    assert_ne!(welcome.session.unwrap(), session);
    let anew = back.lease().await;
    back.answer(lease);
    assert_eq!(back.done(job).await.done, 1);
    back.answer(anew);
    back.answer(lease);
    back.say(r#"{"type":"heartbeat"}"#);
    back.hear("heartbeat", Instant::now() + PATIENCE).await.unwrap();
    assert_eq!(back.metrics.duplicates.get(), 2);
    assert_eq!(back.dispatcher.list_workers().await.unwrap()[0].pulse.refused, 0);
}

#[tokio::test(start_paused = true)]
async fn the_welcome_task_may_still_be_answered_by_a_worker_that_is_back() {
    let (harness, job, lease) = start_with_a_lease().await;
    let session = harness.session.clone();
    let mut back = harness.reconnect().await;
    assert!(back.resume(&session).await.resumed);
    let anew = back.lease().await;
    back.say(WELCOME_ANSWER);
    back.answer(lease);
    assert_eq!(back.done(job).await.done, 1, "what it had is still known");
    back.answer(anew);
    back.say(r#"{"type":"heartbeat"}"#);
    back.hear("heartbeat", Instant::now() + PATIENCE).await.unwrap();
    let worker = &back.dispatcher.list_workers().await.unwrap()[0];
    assert_eq!((worker.pulse.refused, worker.pulse.leases), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_back_before_its_loss_is_known_ends_its_old_connection() {
    let (mut old, job, lease) = start_with_a_lease().await;
    let mut back = connect(old.dispatcher.clone(), old.metrics.clone(), true);
    assert!(back.resume(&old.session).await.resumed);
    let reason = "the worker has connected again".to_owned();
    assert_eq!(closing(&mut old.to_peer).await, Close { code: 1001, reason });
    assert_eq!(back.dispatcher.list_workers().await.unwrap().len(), 1);
    // What the line still brings is nobody's.
    old.say(WELCOME_ANSWER);
    old.answer(lease);
    drop((old.from_peer, old.to_peer));
    old.ended.await.unwrap();
    assert_eq!(back.dispatcher.job(job).await.unwrap().unwrap().done, 0);
    back.answer(lease);
    assert_eq!(back.done(job).await.done, 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_over_or_unknown_is_a_newcomers() {
    let (harness, job, lease) = start_with_a_lease().await;
    let session = harness.session.clone();
    let mut back = harness.reconnect().await;
    for unknown in ["", "9d1e", "é", &"0".repeat(32), &"9".repeat(100_000)] {
        let mut other = connect(back.dispatcher.clone(), back.metrics.clone(), true);
        let welcome = other.resume(unknown).await;
        assert!(!welcome.resumed && welcome.session.is_some());
    }
    back.hear("nothing of the kind", Instant::now() + SESSION_KEPT).await;
    assert!(!back.resume(&session).await.resumed);
    back.say(WELCOME_ANSWER);
    let anew = back.lease().await;
    back.answer(lease);
    let refusal = back.hear("error", Instant::now() + PATIENCE).await.unwrap();
    assert!(refusal.contains("unknown_lease"), "{refusal}");
    back.answer(anew);
    assert_eq!(back.done(job).await.done, 1);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_never_answered_the_welcome_task_has_nothing_to_go_on_with() {
    let mut harness = start(true).await;
    let session = harness.hello("").await.session.unwrap();
    submit(&harness.dispatcher).await;
    let mut back = harness.reconnect().await;
    assert!(!back.resume(&session).await.resumed);
    back.say(WELCOME_ANSWER);
    back.lease().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_turned_away_has_nothing_to_go_on_with() {
    let (mut harness, job, _) = start_with_a_lease().await;
    for _ in 0..3 {
        harness.say(r#"{"type":"results","lease":7,"first":0,"results":[1]}"#);
    }
    assert_eq!(closing(&mut harness.to_peer).await.code, 4012);
    // It asks before its old connection is gone, and after.
    for _ in 0..2 {
        let mut back = connect(harness.dispatcher.clone(), harness.metrics.clone(), true);
        assert!(!back.resume(&harness.session).await.resumed);
    }
    assert_eq!(harness.dispatcher.job(job).await.unwrap().unwrap().leased, 0);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_was_cancelled_meanwhile_takes_no_results_and_no_offence() {
    let (harness, job, lease) = start_with_a_lease().await;
    let session = harness.session.clone();
    let mut back = harness.reconnect().await;
    // Not waited for: virtual time would run on until it is on disk.
    let dispatcher = back.dispatcher.clone();
    tokio::spawn(async move { dispatcher.control(job, Control::Cancel).await.unwrap() });
    assert!(back.resume(&session).await.resumed);
    back.answer(lease);
    back.say(r#"{"type":"heartbeat"}"#);
    back.hear("heartbeat", Instant::now() + PATIENCE).await.unwrap();
    assert_eq!(back.dispatcher.list_workers().await.unwrap()[0].pulse.refused, 0);
    let view = back.dispatcher.job(job).await.unwrap().unwrap();
    assert_eq!((view.state, view.done), (JobState::Cancelled, 0));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_is_given_up_and_holds_nobody() {
    let harness = start(false).await;
    harness.ended.await.unwrap();
    assert!(harness.dispatcher.list_workers().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_outbox_that_overflows_ends_the_connection() {
    let (dispatcher, _) = dispatcher(None).await;
    let (worker, mut outbox) = dispatcher.connected(peer("/ws")).await.unwrap();
    let places = Places::default();
    for _ in 0..2 * OUTBOX_MESSAGES_MAX {
        let result = serde_json::from_str(r#"{"task_id":1,"result":1}"#).unwrap();
        let result = FromWorker::Message(WorkerMessage::Result(result));
        dispatcher.received(worker, &places, result).await.unwrap();
    }
    dispatcher.list_workers().await.unwrap();
    let mut messages = 0;
    while outbox.recv().await.is_some() {
        messages += 1;
    }
    assert_eq!(messages, OUTBOX_MESSAGES_MAX, "what fitted is kept, then the outbox ends");
}
