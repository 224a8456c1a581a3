//! Workers of lease mode that are killed, fall silent, come late or lie, over real sockets and on
//! virtual time.

use crate::support::{Client, Server, Worker, product, until, within};
use serde_json::{Value, json};
use std::time::Duration;

/// `times` 0 to 99, of which task `n` is `2^n`.
const JOB: &str = r#"{"op":"repeat_multiply","grid":{"initial":1,"factor":2,"times":"0..100"}}"#;

/// A connection that has said hello and answered the welcome task, in a few lines.
struct Tab {
    client: Client,
    /// What came while something else was waited for.
    kept: Vec<Value>,
}

impl Tab {
    async fn open(server: &Server, slots: u32) -> Tab {
        let mut tab = Tab { client: Client::connect(server).await, kept: Vec::new() };
        tab.send(&json!({"type": "hello", "protocol": 1, "agent": "Tab/1.0", "slots": slots,
            "worker": "tab", "ops": ["repeat_multiply"]}))
            .await;
        tab.send(&json!({"type": "result", "task_id": 1, "result": 3072})).await;
        tab
    }

    async fn send(&mut self, message: &Value) {
        self.client.send(&message.to_string()).await;
    }

    /// The next message of this type, among those of other types.
    async fn next(&mut self, kind: &str) -> Value {
        if let Some(at) = self.kept.iter().position(|message| message["type"] == kind) {
            return self.kept.remove(at);
        }
        loop {
            let message = self.client.receive().await;
            if message["type"] == kind {
                return message;
            }
            self.kept.push(message);
        }
    }

    async fn answer(&mut self, lease: &Value) {
        let message = right(lease);
        self.send(&message).await;
    }
}

/// The right answer to a lease.
fn right(lease: &Value) -> Value {
    let first = lease["first"].as_u64().unwrap();
    let results: Vec<f64> = (first..first + lease["count"].as_u64().unwrap())
        .map(|times| product(1.0, 2.0, times))
        .collect();
    json!({"type": "results", "lease": lease["lease"], "first": first, "results": results,
        "duration_ms": 0.1, "agent": "Tab/1.0"})
}

async fn done(server: &Server) -> Value {
    server.get("/api/jobs/1").await.1["done"].clone()
}

#[tokio::test]
async fn what_a_closed_tab_held_is_computed_by_others() {
    let server = Server::start().await;
    let mut tab = Tab::open(&server, 4).await;
    server.submit("/api/jobs", JOB).await;
    let leases = [tab.next("lease").await, tab.next("lease").await];
    assert_eq!(leases.each_ref().map(|lease| lease["first"].as_u64()), [Some(0), Some(1)]);
    tab.answer(&leases[0]).await;
    drop(tab);
    let worker = Worker::start(&server);
    server.job_over(1).await;
    let (_, job) = server.get("/api/jobs/1").await;
    assert_eq!((&job["done"], &job["failed"]), (&json!(100), &json!(0)));
    drop(worker);
}

#[tokio::test]
async fn a_tab_that_lost_its_line_brings_what_it_had_computed() {
    let server = Server::start().await;
    let mut tab = Tab::open(&server, 1).await;
    let session = tab.next("welcome").await["session"].clone();
    server.submit("/api/jobs", JOB).await;
    let leases = [tab.next("lease").await, tab.next("lease").await];
    // Whether the server knows of the loss by then is the network's affair.
    drop(tab);
    let mut tab = Tab { client: Client::connect(&server).await, kept: Vec::new() };
    tab.send(&json!({"type": "hello", "protocol": 1, "agent": "Tab/1.0", "slots": 0,
        "worker": "tab", "ops": ["repeat_multiply"], "resume": session}))
        .await;
    let welcome = tab.next("welcome").await;
    assert_eq!((&welcome["resumed"], welcome["session"] == session), (&json!(true), false));
    // The first of its frames is lost for good.
    tab.answer(&leases[1]).await;
    tab.answer(&leases[1]).await;
    tab.send(&json!({"type": "heartbeat"})).await;
    tab.next("heartbeat").await;
    until(async || (done(&server).await == json!(1)).then_some(())).await;
    assert_eq!(server.metric("tequio_duplicates_dropped_total").await, 1);
    let worker = Worker::start(&server);
    let job = server.job_over(1).await;
    assert_eq!((job.done, job.failed), (100, 0));
    drop(worker);
}

#[tokio::test]
async fn an_answer_that_is_sent_twice_counts_once() {
    let server = Server::start().await;
    let mut tab = Tab::open(&server, 1).await;
    server.submit("/api/jobs", JOB).await;
    let lease = tab.next("lease").await;
    tab.answer(&lease).await;
    tab.answer(&lease).await;
    tab.answer(&lease).await;
    // What comes after shows that those were taken, and that nobody minded.
    let mut answered = lease["count"].as_u64().unwrap();
    while answered < 100 {
        let next = tab.next("lease").await;
        tab.answer(&next).await;
        answered += next["count"].as_u64().unwrap();
    }
    server.job_over(1).await;
    let metrics = server.get_text("/metrics").await;
    assert!(metrics.contains("tequio_duplicates_dropped_total 2"), "{metrics}");
    assert_eq!(server.workers().await[0].pulse.refused, 0);
}

/// What is sent instead of the right answer, and the code that answers it.
type Lie = (&'static str, fn(&Value) -> Value, &'static str);

#[tokio::test]
async fn a_worker_that_answers_what_it_may_not_is_told_and_turned_away_at_the_third_time() {
    let lies: [Lie; 5] = [
        ("a lease of nobody", |lease| with(lease, "lease", json!(123_456)), "unknown_lease"),
        ("nothing", |lease| with(lease, "results", json!([])), "bad_result"),
        ("before its front", |lease| with(lease, "first", json!(99)), "bad_result"),
        ("too many", |lease| with(lease, "results", json!(vec![1.0; 101])), "bad_result"),
        ("no index", |lease| with(lease, "first", json!(-1)), "bad_result"),
    ];
    for (name, lie, code) in lies {
        let server = Server::start().await;
        server.submit("/api/jobs", JOB).await;
        // Enough slots for a lease each time, also where the last one is still out.
        let mut tab = Tab::open(&server, 4).await;
        for _ in 0..3 {
            let lease = tab.next("lease").await;
            tab.send(&lie(&lease)).await;
            let error = tab.next("error").await;
            assert_eq!(error["code"], code, "{name}: {error}");
        }
        let last = tab.next("error").await;
        assert_eq!(last["code"], "turned_away", "{name}: {last}");
        assert_eq!(u16::from(tab.client.closing().await.code), 4012, "{name}");
        assert_eq!(done(&server).await, json!(0), "{name}: nothing of it is recorded");
        let worker = Worker::start(&server);
        server.job_over(1).await;
        drop(worker);
    }
}

#[tokio::test]
async fn one_wrong_result_is_enough_to_be_turned_away() {
    let lies: [Lie; 3] = [
        ("wrong by a bit", |lease| one(lease, |right| right.next_up()), "wrong_result"),
        ("no number", |lease| with(lease, "results", json!(["one"])), "wrong_result"),
        ("not finite", |lease| with(lease, "results", json!(["Infinity"])), "wrong_result"),
    ];
    for (name, lie, code) in lies {
        let server = Server::start().await;
        server.submit("/api/jobs", JOB).await;
        let mut tab = Tab::open(&server, 4).await;
        let lease = tab.next("lease").await;
        tab.send(&lie(&lease)).await;
        for code in [code, "turned_away"] {
            let error = tab.next("error").await;
            assert_eq!(error["code"], code, "{name}: {error}");
        }
        let close = tab.client.closing().await;
        assert_eq!((u16::from(close.code), &*close.reason), (4012, "a wrong result"), "{name}");
        assert_eq!(done(&server).await, json!(0), "{name}: nothing of it is recorded");
        let worker = Worker::start(&server);
        server.job_over(1).await;
        drop(worker);
    }
}

/// The right answer, but for one field.
fn with(lease: &Value, field: &str, value: Value) -> Value {
    let mut answer = right(lease);
    answer[field] = value;
    answer
}

/// The right answer, but for its first result.
fn one(lease: &Value, lie: impl Fn(f64) -> f64) -> Value {
    let mut answer = right(lease);
    answer["results"][0] = json!(lie(answer["results"][0].as_f64().unwrap()));
    answer
}

#[tokio::test]
async fn a_worker_of_another_version_is_told_both_and_closed() {
    let server = Server::start().await;
    let mut client = Client::connect(&server).await;
    client
        .send(
            r#"{"type":"hello","protocol":2,"agent":"Later/2.0","slots":1,"worker":"x","ops":[]}"#,
        )
        .await;
    let mut tab = Tab { client, kept: Vec::new() };
    let error = tab.next("error").await;
    assert_eq!(error["code"], "unsupported_protocol");
    let said = error["message"].as_str().unwrap();
    assert!(said.contains("protocol 1") && said.contains("the worker 2"), "{said}");
    assert_eq!(u16::from(tab.client.closing().await.code), 4011);
}

#[tokio::test]
async fn plain_clients_compute_jobs_one_task_at_a_time() {
    let server = Server::start().await;
    server.submit("/api/jobs", JOB).await;
    let mut client = Client::connect(&server).await;
    for task_id in 1..=101 {
        let task = client.receive().await;
        let keys: Vec<&String> = task.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["factor", "initial", "op", "task_id", "times", "type"]);
        assert_eq!(task["task_id"], task_id);
        let number = |field: &str| task[field].as_f64().unwrap();
        // As a browser computes it, which is off by a bit now and then.
        let result = number("initial") * number("factor").powf(number("times"));
        let answer = json!({"type": "result", "task_id": task_id, "result": result});
        client.send(&answer.to_string()).await;
    }
    server.job_over(1).await;
    let results = server.get_text("/api/jobs/1/results?first=99").await;
    assert_eq!(results, format!("{{\"index\":99,\"result\":{}}}\n", json!(2f64.powi(99))));
}

#[tokio::test]
async fn a_plain_client_that_was_slower_than_others_is_not_refused() {
    let server = Server::start().await;
    let mut slow = Client::connect(&server).await;
    slow.receive().await;
    slow.send(r#"{"type":"result","task_id":1,"result":3072}"#).await;
    server.submit("/api/jobs", JOB).await;
    let task = slow.receive().await;
    // It gets a copy of the slow one's task in the end.
    let worker = Worker::start(&server);
    server.job_over(1).await;
    drop(worker);
    slow.send(&json!({"type": "result", "task_id": task["task_id"], "result": 1}).to_string())
        .await;
    slow.send("no message").await;
    while server.workers().await.iter().all(|worker| worker.pulse.refused == 0) {}
    assert_eq!(server.workers().await[0].pulse.refused, 1, "what is no message, and nothing else");
}

#[tokio::test]
async fn a_worker_that_wakes_after_its_job_is_over_is_lent_the_next() {
    let server = Server::start().await;
    let mut tab = Tab::open(&server, 1).await;
    server.submit("/api/jobs", JOB).await;
    tab.next("lease").await;
    // Longer than a deadline, without a word.
    while server.metric("tequio_leases_expired_total").await < 2 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    server.post("/api/jobs/1/cancel", "").await;
    server.submit("/api/jobs", JOB).await;
    tab.send(&json!({"type": "heartbeat"})).await;
    while tab.next("lease").await["job"] != 2 {}
}

#[tokio::test]
async fn a_revoked_lease_is_said_and_its_late_results_are_dropped() {
    let server = Server::start().await;
    server.submit("/api/jobs", JOB).await;
    let mut tab = Tab::open(&server, 1).await;
    let lease = tab.next("lease").await;
    assert_eq!(server.post("/api/jobs/1/cancel", "").await.status, 200);
    let revoked = within(tab.next("revoke")).await;
    assert_eq!(revoked["lease"], lease["lease"]);
    tab.answer(&lease).await;
    tab.send(&json!({"type": "heartbeat"})).await;
    tab.next("heartbeat").await;
    assert_eq!(done(&server).await, json!(0));
    assert_eq!(server.workers().await[0].pulse.refused, 0);
}
