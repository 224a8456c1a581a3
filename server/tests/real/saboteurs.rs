//! Workers that lie, that hide their lies, that say that all fails, and that hold what they do not
//! compute: beside them honest ones come to right results, and are not held up.

use crate::support::{Client, Server, Worker, product, until, within};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

const TASKS: u64 = 6000;

/// `n × 1.0000001^1000` for `n` from 0.
fn job() -> String {
    format!(
        r#"{{"op":"repeat_multiply","grid":{{"initial":"0..{TASKS}","factor":1.0000001,"times":1000}}}}"#
    )
}

fn right(index: u64) -> f64 {
    product(index as f64, 1.0000001, 1000)
}

/// A plain task may come before the answer to this; nobody need compute it.
fn hello(slots: u32) -> Value {
    json!({"type": "hello", "protocol": 1, "agent": "Spoiler/1.0", "slots": slots, "worker": "w",
        "ops": ["repeat_multiply"]})
}

/// How somebody spoils a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoils {
    /// One result in 20 is wrong, from the first on.
    Lies,
    /// The same, with all that it has sent before sent once more with each.
    HidesLies,
    /// Every task is said to fail.
    Fails,
}

/// A connection that works, spoiling as it goes, and comes back under a new name whenever it is turned
/// away. Nothing that it is told makes it stop.
async fn sabotage(server: &Server, spoils: Spoils) {
    loop {
        let mut client = Client::connect(server).await;
        client.try_send(&hello(1)).await;
        let mut sent = 0;
        while let Some(message) = client.heard().await {
            if message["type"] != "lease" {
                continue;
            }
            let lease = &message["lease"];
            let (first, count) =
                (message["first"].as_u64().unwrap(), message["count"].as_u64().unwrap());
            if spoils == Spoils::Fails {
                for index in first..first + count {
                    let failed =
                        json!({"type": "failed", "lease": lease, "index": index, "error": "no"});
                    client.try_send(&failed).await;
                }
                continue;
            }
            let results: Vec<f64> = (first..first + count)
                .map(|index| {
                    sent += 1;
                    if sent % 20 == 7 { right(index).next_up() } else { right(index) }
                })
                .collect();
            let part = |first: u64, results: &[f64]| {
                json!({"type": "results", "lease": lease, "first": first, "results": results,
                    "duration_ms": 0.001, "agent": "Spoiler/1.0"})
            };
            if spoils == Spoils::HidesLies && count > 1 {
                // The lie is the last, behind what is settled by then.
                let half = count / 2;
                client.try_send(&part(first, &results[..half as usize])).await;
            }
            client.try_send(&part(first, &results)).await;
        }
    }
}

/// Each result, as it is recorded.
async fn results(server: &Server) -> Vec<Value> {
    let text = server.get_text("/api/jobs/1/results").await;
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn what_saboteurs_spoil_is_not_recorded() {
    for spoils in [Spoils::Lies, Spoils::HidesLies, Spoils::Fails] {
        let server = Server::start_with(None).await;
        server.submit("/api/jobs", job()).await;
        let spoilers = join_all((0..3).map(|_| sabotage(&server, spoils)));
        let worked = async {
            let away = until(async || {
                Some(server.metric("tequio_workers_turned_away_total").await).filter(|n| *n >= 3)
            });
            away.await;
            let worker = Worker::start(&server);
            let job = server.job_over(1).await;
            worker.stop().await;
            job
        };
        let job = tokio::select! {
            job = worked => job,
            _ = spoilers => unreachable!(),
        };
        assert_eq!((job.done, job.failed), (TASKS, 0), "{spoils:?}");
        let results = results(&server).await;
        let wrong =
            (0..TASKS).zip(&results).filter(|(index, line)| line["result"] != right(*index));
        assert_eq!(wrong.count(), 0, "{spoils:?}: all first results of a newcomer are audited");
    }
}

#[tokio::test]
async fn what_a_plain_client_says_has_failed_is_computed() {
    let server = Server::start_with(None).await;
    server.submit("/api/jobs", job()).await;
    let mut client = Client::connect(&server).await;
    // It has shown that it can compute this op: else it would be lent no more of it.
    let task = client.receive().await;
    let answer = json!({"type": "result", "task_id": task["task_id"], "result": right(0)});
    client.send(&answer.to_string()).await;
    for index in 1..4 {
        let task = client.receive().await;
        assert_eq!(task["initial"].as_f64(), Some(index as f64));
        let error = json!({"type": "error", "code": "compute_failed", "message": "no",
            "task_id": task["task_id"]});
        client.send(&error.to_string()).await;
    }
    until(async || (server.job(1).await.done == 4).then_some(())).await;
    assert_eq!(server.job(1).await.failed, 0);
    let results = results(&server).await;
    assert!(
        (0..4).zip(&results).all(|(index, line)| line["result"] == right(index)),
        "{results:?}"
    );
}

/// Says hello for as many slots as there may be, answers the first `answers` leases, and then only
/// says of all that it has that it goes on.
async fn hog(server: &Server, answers: usize) {
    let mut client = Client::connect(server).await;
    client.try_send(&hello(1024)).await;
    let (mut held, mut answered) = (Vec::new(), 0);
    let mut beat = interval(Duration::from_secs(2));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = client.heard() => {
                let Some(message) = message else { return };
                if message["type"] != "lease" {
                    continue;
                }
                let first = message["first"].as_u64().unwrap();
                if answered < answers {
                    answered += 1;
                    let end = first + message["count"].as_u64().unwrap();
                    let results: Vec<f64> = (first..end).map(right).collect();
                    let answer = json!({"type": "results", "lease": message["lease"],
                        "first": first, "results": results, "duration_ms": 0.001, "agent": "Hog/1.0"});
                    client.try_send(&answer).await;
                } else {
                    held.push(message["lease"].clone());
                }
            }
            _ = beat.tick() => {
                for lease in &held {
                    client.try_send(&json!({"type": "progress", "lease": lease})).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn who_holds_what_it_does_not_compute_stops_nobody() {
    for answers in [0, 4] {
        let server = Server::start_with(None).await;
        server.submit("/api/jobs", job()).await;
        let hogs = join_all((0..8).map(|_| hog(&server, answers)));
        let worked = async {
            until(async || (server.workers().await.len() == 8).then_some(())).await;
            until(async || (server.job(1).await.leased > 20).then_some(())).await;
            let worker = Worker::start(&server);
            let job = within(server.job_over(1)).await;
            worker.stop().await;
            job
        };
        let job = tokio::select! {
            job = worked => job,
            _ = hogs => panic!("nobody is turned away for this"),
        };
        assert_eq!((job.done, job.failed), (TASKS, 0));
    }
}
