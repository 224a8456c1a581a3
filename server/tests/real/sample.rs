//! Samples of jobs' results, as a chart asks for them.

use crate::support::{Answer, Client, Server, Worker, eights, new_job, recording, until};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use tempfile::TempDir;
use tequio::store::{Recording, SqliteStore, Store};
use tequio_protocol::ids::JobId;
use tequio_protocol::values::Values;

/// A job's tasks that are a thousand times as many as a chart has places.
const LARGE: u64 = 1_000_000_000;
const PART: u64 = LARGE / 1000;

async fn sample(server: &Server, job: u64) -> Value {
    let (status, view) = server.get(&format!("/api/jobs/{job}/sample")).await;
    assert_eq!(status, 200, "{view}");
    view
}

fn grid(initial: &str, factor: &str, times: &str) -> String {
    let grid = json!({"initial": initial, "factor": factor, "times": times});
    json!({"op": "repeat_multiply", "grid": grid}).to_string()
}

#[tokio::test]
async fn of_a_small_job_every_value_is_shown() {
    let server = Server::start().await;
    let worker = Worker::start(&server);
    let id = server.submit("/api/jobs", grid("0..1000", "2", "3")).await;
    server.job_over(id).await;
    let points: Vec<_> = (0..1000).map(|index| json!([index, index as f64 * 8.0])).collect();
    let expected = json!({
        "job": id, "total": 1000, "wanted": 1000, "points": points, "errors": 0, "complete": true,
    });
    for _ in 0..2 {
        assert_eq!(sample(&server, id).await, expected);
    }
    worker.stop().await;
}

#[tokio::test]
async fn of_a_job_that_runs_what_is_recorded_is_shown_and_errors_are_counted() {
    let server = Server::that_believes_failures().await;
    let id = server.submit("/api/jobs", grid("1", "1e300", "1..=2")).await;
    let view = |points: Value, errors: u64| {
        json!({
            "job": id, "total": 2, "wanted": 2, "points": points, "errors": errors, "complete": true,
        })
    };
    assert_eq!(sample(&server, id).await, view(json!([]), 0));
    let mut client = Client::connect(&server).await;
    for (task, points) in [(1, json!([[0, 1e300]])), (2, json!([[0, 1e300], [1, "Infinity"]]))] {
        client.receive().await;
        let result = if task == 1 { json!(1e300) } else { json!("Infinity") };
        let answer = json!({"type": "result", "task_id": task, "result": result});
        client.send(&answer.to_string()).await;
        until(async || (server.job(id).await.done == task).then_some(())).await;
        assert_eq!(sample(&server, id).await, view(points, 0));
    }

    drop(client);
    let mut worker = Client::connect(&server).await;
    worker.hello().await;
    let id = server.submit("/api/jobs", grid("1", "2", "3")).await;
    tokio::select! {
        _ = server.job_over(id) => {}
        _ = worker.fail_everything("trap") => unreachable!(),
    }
    let view = sample(&server, id).await;
    assert_eq!((&view["points"], &view["errors"]), (&json!([]), &json!(1)));
}

#[tokio::test]
async fn of_a_job_that_grows_every_answer_has_the_places_of_its_size() {
    let server = Server::start().await;
    let worker = Worker::start(&server);
    let id = server.submit("/api/jobs?op=repeat_multiply&more=true", "").await;
    let view = sample(&server, id).await;
    let expected = json!({
        "job": id, "total": 0, "wanted": 0, "points": [], "errors": 0, "complete": true,
    });
    assert_eq!(view, expected);
    let mut total = 0;
    for (more, wanted) in [(500, 500), (500, 1000), (2000, 1000)] {
        let path = format!("/api/jobs/{id}/inputs?first={total}&more=true");
        assert_eq!(server.post(&path, eights(total..total + more)).await.status, 200);
        total += more;
        until(async || (server.job(id).await.done == total).then_some(())).await;
        let view = sample(&server, id).await;
        assert_eq!((&view["total"], &view["wanted"]), (&json!(total), &json!(wanted)));
        let points = view["points"].as_array().unwrap();
        assert_eq!((points.len() as u64, &view["complete"]), (wanted, &json!(true)));
        for point in points {
            assert_eq!(point[1].as_f64().unwrap(), point[0].as_f64().unwrap() * 8.0);
        }
    }
    worker.stop().await;
}

#[tokio::test]
async fn a_large_job_costs_no_more_and_shows_the_same_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let open = |folder: &TempDir| Arc::new(SqliteStore::open(folder.path()).unwrap());
    let store = open(&folder);
    let id = large_job(&*store);
    // The whole of a part of the job, and some of its end.
    for (first, count) in [(2 * PART, PART / 2), (2 * PART + PART / 2, PART / 2), (LARGE - 9, 9)] {
        store.record(&[numbers(id, first, count)]).unwrap();
    }
    let server = Server::start_on(store).await;
    let view = sample(&server, id.0).await;
    let about = ["total", "wanted", "errors", "complete"].map(|name| view[name].clone());
    assert_eq!(about, [json!(LARGE), json!(1000), json!(0), json!(true)]);
    let points = view["points"].as_array().unwrap();
    let index = points[0][0].as_u64().unwrap();
    assert!((2 * PART..3 * PART).contains(&index), "{points:?}");
    assert_eq!(points[0][1], json!(index as f64));
    assert_eq!(sample(&server, id.0).await, view);
    server.stop().await;

    let server = Server::start_on(open(&folder)).await;
    assert_eq!(sample(&server, id.0).await, view);
}

#[tokio::test]
async fn of_a_job_that_is_not_there_nothing_is_shown() {
    let server = Server::start().await;
    for job in ["1", "x", "18446744073709551616"] {
        let path = format!("/api/jobs/{job}/sample");
        let answer = Answer::of(server.request(Method::GET, &path)).await;
        assert_eq!(answer.refusal(), (404, "unknown_job".to_owned()), "{job}");
    }
}

// ---- Helpers ----------------------------------------------------------------------------------

fn large_job(store: &dyn Store) -> JobId {
    let grid = format!(r#"{{"initial":"0..{LARGE}","factor":1,"times":1}}"#);
    let job = new_job("", "repeat_multiply", Some(&grid));
    let id = store.create_job(&job).unwrap();
    store.publish(id).unwrap();
    id
}

/// The results of [`large_job`].
fn numbers(job: JobId, first: u64, count: u64) -> Recording {
    let results: Values = (first..first + count).map(|index| format!("{index}.0")).collect();
    recording(job, first, results)
}
