//! A session over a link of the test's own, on virtual time: what a real socket shows only after
//! a minute, or when a peer stops reading.

use std::future::pending;
use std::sync::Arc;
use tequio::dispatcher::{Dispatcher, FromWorker, Peer};
use tequio::metrics::Metrics;
use tequio::session::{self, Close, Frame, Link, LinkError};
use tequio::store::MemoryStore;
use tequio_protocol::limits::{OUTBOX_MESSAGES_MAX, SILENCE_MAX};
use tequio_protocol::op::RepeatMultiply;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

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
    from_peer: mpsc::UnboundedSender<Frame>,
    to_peer: mpsc::UnboundedReceiver<Frame>,
    stop: watch::Sender<bool>,
    ended: tokio::task::JoinHandle<()>,
}

async fn dispatcher(welcome: Option<RepeatMultiply>) -> Dispatcher {
    let store = Arc::new(MemoryStore::new());
    Dispatcher::start(welcome, store, Arc::new(Metrics::default()), 1).await.unwrap().0
}

async fn start(takes_frames: bool) -> Harness {
    let dispatcher = dispatcher(RepeatMultiply::new(3.0, 2.0, 10).ok()).await;
    let (from_peer, receiver) = mpsc::unbounded_channel();
    let (sender, to_peer) = mpsc::unbounded_channel();
    let (stop, stopping) = watch::channel(false);
    let link = ChannelLink { from_peer: receiver, to_peer: sender, takes_frames };
    let address = "127.0.0.1:9".parse().unwrap();
    let peer = Peer { address, path: "/ws".to_owned(), agent: None };
    let session = session::run(link, peer, dispatcher.clone(), stopping);
    let ended = tokio::spawn(async { session.await.unwrap() });
    Harness { dispatcher, from_peer, to_peer, stop, ended }
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

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_is_given_up_and_holds_nobody() {
    let harness = start(false).await;
    harness.ended.await.unwrap();
    assert!(harness.dispatcher.list_workers().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_outbox_that_overflows_ends_the_connection() {
    let dispatcher = dispatcher(None).await;
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
