//! `GET /api/events`: what pages are told.

use crate::support::{Client, Server, Worker, until, within};
use axum::body::Bytes;
use futures_util::StreamExt;
use reqwest::Method;
use serde_json::json;
use std::pin::Pin;
use tequio_protocol::api::{JobState, WorkerKind};
use tequio_protocol::ids::{JobId, WorkerId};
use tequio_protocol::live::{Changes, HowEnded, LiveEvent, Snapshot};

/// A page that listens.
struct Page {
    body: Pin<Box<dyn futures_util::Stream<Item = reqwest::Result<Bytes>> + Send>>,
    read: Vec<u8>,
}

impl Page {
    async fn open(server: &Server) -> (Page, Snapshot) {
        let answer = server.request(Method::GET, "/api/events").send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        assert_eq!(answer.headers()["x-accel-buffering"], "no");
        let mut page = Page { body: Box::pin(answer.bytes_stream()), read: Vec::new() };
        match page.next().await {
            Some(LiveEvent::Snapshot(snapshot)) => (page, snapshot),
            other => panic!("a page begins with a snapshot, not {other:?}"),
        }
    }

    /// The next event; `None` at the end.
    async fn next(&mut self) -> Option<LiveEvent> {
        loop {
            if let Some(end) = self.read.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = self.read.drain(..end + 2).collect();
                let data = event.strip_prefix(b"data: ").expect("an event is its data");
                return Some(serde_json::from_slice(data).unwrap());
            }
            self.read.extend_from_slice(&within(self.body.next()).await?.ok()?);
        }
    }

    /// The first change that `is_it` says it is.
    async fn change(&mut self, is_it: impl Fn(&Changes) -> bool) -> Changes {
        loop {
            match self.next().await {
                Some(LiveEvent::Changes(changes)) if is_it(&changes) => return changes,
                Some(_) => {}
                None => panic!("the stream ended"),
            }
        }
    }
}

#[tokio::test]
async fn who_keeps_no_connection_is_told_of_everything_once() {
    let server = Server::start().await;
    server.submit("/api/jobs", grid("0..5")).await;
    let text = server.get_text("/api/events?once=true").await;
    let data = text.strip_prefix("data: ").and_then(|rest| rest.strip_suffix("\n\n"));
    match serde_json::from_str(data.expect("one event, and the end")).unwrap() {
        LiveEvent::Snapshot(snapshot) => assert_eq!(snapshot.jobs.len(), 1),
        other @ LiveEvent::Changes(_) => panic!("it is told of everything, not {other:?}"),
    }
    let (status, refused) = server.get("/api/events?once=yes").await;
    assert_eq!((status, &refused["error"]["code"]), (400, &json!("bad_query")));
    server.stop().await;
}

fn grid(times: &str) -> String {
    json!({"op": "repeat_multiply", "name": "growth",
        "grid": {"initial": 1, "factor": "1.5", "times": times}})
    .to_string()
}

#[tokio::test]
async fn a_page_is_told_how_everything_is_and_then_what_is_new() {
    let server = Server::start().await;
    let (mut page, snapshot) = Page::open(&server).await;
    assert_eq!((snapshot.jobs.len(), snapshot.workers.len(), snapshot.bars.len()), (0, 0, 0));

    let job = JobId(server.submit("/api/jobs", grid("0..40")).await);
    let changes = page.change(|changes| !changes.jobs.is_empty()).await;
    assert_eq!((changes.jobs[0].id, changes.jobs[0].name.as_str()), (job, "growth"));

    let worker = Worker::start(&server);
    let changes = page.change(|changes| !changes.workers.is_empty()).await;
    assert_eq!(changes.workers[0].pulse.id, WorkerId(1));
    page.change(|changes| {
        changes.jobs.iter().any(|job| job.state == JobState::Done && job.done == 40)
    })
    .await;
    worker.stop().await;
    page.change(|changes| changes.workers_gone == [WorkerId(1)]).await;

    // Who comes later is told what was before.
    let (_, snapshot) = Page::open(&server).await;
    assert_eq!((snapshot.jobs.len(), snapshot.workers.len()), (1, 0));
    let tasks: u64 = snapshot.throughput.tasks.values().flatten().sum();
    assert!(tasks <= 40, "the second that has not ended is not told of");
    let leased: u64 = snapshot.bars.iter().map(|bar| bar.tasks).sum();
    assert_eq!(leased, 40, "each task was in one lease: {:?}", snapshot.bars);
    assert!(snapshot.bars.iter().all(|bar| bar.job == job && bar.end.is_some()));

    assert_eq!(server.request(Method::DELETE, "/api/jobs/1").send().await.unwrap().status(), 204);
    let changes = page.change(|changes| !changes.jobs_gone.is_empty()).await;
    assert_eq!(changes.jobs_gone, [job]);
}

#[tokio::test]
async fn every_second_is_told_once_it_has_ended_under_its_kind_of_worker() {
    let server = Server::start().await;
    server.submit("/api/jobs", grid("0..40")).await;
    let worker = Worker::start(&server);
    until(async || (server.job(1).await.done == 40).then_some(())).await;
    let counted = until(async || {
        let (_, snapshot) = Page::open(&server).await;
        let tasks = snapshot.throughput.tasks;
        (tasks.values().flatten().sum::<u64>() == 40).then_some(tasks)
    })
    .await;
    assert_eq!(counted.into_keys().collect::<Vec<_>>(), [WorkerKind::Native]);
    worker.stop().await;
}

#[tokio::test]
async fn what_a_worker_held_when_it_vanished_is_shown_as_lost() {
    let server = Server::start_with(None).await;
    server.submit("/api/jobs", grid("0..40")).await;
    let (mut page, _) = Page::open(&server).await;
    let mut client = Client::connect(&server).await;
    client.receive().await;
    let changes = page.change(|changes| !changes.bars.is_empty()).await;
    assert_eq!(changes.rows.map(|rows| rows[0].slots), Some(1));
    assert_eq!(changes.bars[0].end, None, "it is out");
    drop(client);
    let changes = page.change(|changes| !changes.bars.is_empty()).await;
    assert_eq!(changes.bars[0].end.map(|end| end.how), Some(HowEnded::Lost));
}

#[tokio::test]
async fn what_a_worker_cannot_take_is_shown_as_given_back() {
    let server = Server::start_with(None).await;
    let (mut page, _) = Page::open(&server).await;
    let mut client = Client::connect(&server).await;
    client.hello().await;
    server.submit("/api/jobs", grid("0..40")).await;
    let lease = client.receive().await["lease"].as_u64().unwrap();
    let refusal = json!({"type": "error", "code": "bad_task", "message": "no", "lease": lease});
    client.send(&refusal.to_string()).await;
    let is_given_back = |changes: &Changes| {
        let mut ends = changes.bars.iter().filter_map(|bar| bar.end);
        ends.any(|end| end.how == HowEnded::Returned)
    };
    page.change(is_given_back).await;
}

#[tokio::test]
async fn the_stream_ends_with_the_server() {
    let server = Server::start().await;
    let (mut page, _) = Page::open(&server).await;
    assert_eq!(server.metric("tequio_pages_watching").await, 1);
    server.stop().await;
    while page.next().await.is_some() {}
}
