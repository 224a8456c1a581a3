//! A session over a link of the test's own, on virtual time: what a real socket shows only after
//! a minute, or when a peer stops reading.

use crate::support::PATIENCE;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tequio::dispatcher::{Close, Dispatcher, FromWorker, Peer};
use tequio::metrics::Metrics;
use tequio::session::{self, Frame, Link, LinkError};
use tequio::store::{MemoryStore, NewJob};
use tequio_protocol::api::{JobState, JobView};
use tequio_protocol::grid::{Axis, Grid};
use tequio_protocol::ids::{JobId, LeaseId};
use tequio_protocol::limits::{OUTBOX_MESSAGES_MAX, SILENCE_MAX};
use tequio_protocol::message::ServerMessage;
use tequio_protocol::op::{Op, RepeatMultiply};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

/// Frames from the test to the session, and back.
struct ChannelLink {
    from_peer: mpsc::UnboundedReceiver<Frame>,
    to_peer: mpsc::UnboundedSender<Frame>,
    takes_frames: bool,
}

impl Link for ChannelLink {
    async fn receive(&mut self) -> Option<Result<Frame, LinkError>> {
        self.from_peer.recv().await.map(Ok)
    }

    async fn send(&mut self, frame: Frame) -> Result<(), LinkError> {
        if !self.takes_frames {
            pending::<()>().await;
        }
        self.to_peer.send(frame).map_err(|_| LinkError::Lost("the test is over".to_owned()))
    }
}

struct Harness {
    dispatcher: Dispatcher,
    metrics: Arc<Metrics>,
    from_peer: mpsc::UnboundedSender<Frame>,
    to_peer: mpsc::UnboundedReceiver<Frame>,
    stop: watch::Sender<bool>,
    ended: tokio::task::JoinHandle<()>,
}

async fn dispatcher(welcome: Option<RepeatMultiply>) -> (Dispatcher, Arc<Metrics>) {
    let (store, metrics) = (Arc::new(MemoryStore::new()), Arc::new(Metrics::default()));
    let started = Dispatcher::start(welcome, store, metrics.clone(), 1).await;
    (started.unwrap().0, metrics)
}

async fn start(takes_frames: bool) -> Harness {
    let (dispatcher, metrics) = dispatcher(RepeatMultiply::new(3.0, 2.0, 10).ok()).await;
    connect(dispatcher, metrics, takes_frames)
}

fn connect(dispatcher: Dispatcher, metrics: Arc<Metrics>, takes_frames: bool) -> Harness {
    let (from_peer, receiver) = mpsc::unbounded_channel();
    let (sender, to_peer) = mpsc::unbounded_channel();
    let (stop, stopping) = watch::channel(false);
    let link = ChannelLink { from_peer: receiver, to_peer: sender, takes_frames };
    let address = "127.0.0.1:9".parse().unwrap();
    let peer = Peer { address, path: "/ws".to_owned(), agent: None };
    let session = session::run(link, peer, dispatcher.clone(), stopping);
    let ended = tokio::spawn(async { session.await.unwrap() });
    Harness { dispatcher, metrics, from_peer, to_peer, stop, ended }
}

/// A worker that has been lent the one task of a job, whose result is 16.
async fn start_with_a_lease() -> (Harness, JobId, LeaseId) {
    let (dispatcher, metrics) = dispatcher(RepeatMultiply::new(3.0, 2.0, 10).ok()).await;
    // Before anybody connects: while the store's thread is waited for, virtual time runs on.
    let job = submit(&dispatcher).await;
    let mut harness = connect(dispatcher, metrics, true);
    let lease = harness.take_lease().await;
    (harness, job, lease)
}

async fn submit(dispatcher: &Dispatcher) -> JobId {
    let axis = |value| Axis::value_of(value).unwrap();
    let grid = Grid::new(axis(1.0), axis(2.0), axis(4.0)).unwrap();
    let job = NewJob {
        name: String::new(),
        op: Op::RepeatMultiply,
        priority: 0,
        grid: Some(grid),
        submitted_at_ms: 0,
    };
    let id = dispatcher.create_job(job.clone()).await.unwrap();
    dispatcher.publish(id, job, 1, false).await.unwrap();
    id
}

async fn closing(frames: &mut mpsc::UnboundedReceiver<Frame>) -> Close {
    loop {
        if let Frame::Close(close) = frames.recv().await.expect("a closing frame") {
            return close;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_given_up() {
    let mut harness = start(true).await;
    let began = Instant::now();
    let close = closing(&mut harness.to_peer).await;
    assert_eq!(close.code, 4009);
    assert!(began.elapsed() > SILENCE_MAX);
    harness.ended.await.unwrap();
    assert!(harness.dispatcher.list_workers().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_stays() {
    let mut harness = start(true).await;
    let began = Instant::now();
    while began.elapsed() < 10 * SILENCE_MAX {
        match harness.to_peer.recv().await.unwrap() {
            Frame::Heartbeat => harness.from_peer.send(Frame::Heartbeat).unwrap(),
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
                Frame::Heartbeat => self.from_peer.send(Frame::Heartbeat).unwrap(),
                Frame::Text(text) if text.contains(part) => return Some(text),
                Frame::Text(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Says hello, answers the welcome task, and takes a lease.
    async fn take_lease(&mut self) -> LeaseId {
        self.say(
            r#"{"type":"hello","protocol":1,"agent":"A","slots":1,"worker":"a",
            "ops":["repeat_multiply"]}"#,
        );
        self.say(r#"{"type":"result","task_id":1,"result":3072}"#);
        let lease = self.hear(r#""type":"lease""#, Instant::now() + PATIENCE).await.unwrap();
        let ServerMessage::Lease(lease) = ServerMessage::read(&lease).unwrap() else { panic!() };
        assert_eq!((lease.first, lease.count), (0, 1));
        lease.lease
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
async fn a_peer_that_reads_nothing_is_given_up_and_holds_nobody() {
    let harness = start(false).await;
    harness.ended.await.unwrap();
    assert!(harness.dispatcher.list_workers().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_outbox_that_overflows_ends_the_connection() {
    let (dispatcher, _) = dispatcher(None).await;
    let address = "127.0.0.1:9".parse().unwrap();
    let peer = Peer { address, path: "/ws".to_owned(), agent: None };
    let (worker, mut outbox) = dispatcher.connected(peer).await.unwrap();
    for _ in 0..2 * OUTBOX_MESSAGES_MAX {
        let result = serde_json::from_str(r#"{"task_id":1,"result":1}"#).unwrap();
        dispatcher.heard(worker, FromWorker::Result(result)).await.unwrap();
    }
    dispatcher.list_workers().await.unwrap();
    let mut messages = 0;
    while outbox.recv().await.is_some() {
        messages += 1;
    }
    assert_eq!(messages, OUTBOX_MESSAGES_MAX, "what fitted is kept, then the outbox ends");
}
