//! Jobs that wait for inputs: how they say so, and how they come to an end.

use crate::support::{Server, Worker, eights, eights_results, run};
use serde_json::json;
use tequio_protocol::api::JobState;

const OPEN: &str = "/api/jobs?op=repeat_multiply&more=true";

#[tokio::test]
async fn an_open_job_says_so_and_is_closed_with_what_it_has() {
    let server = Server::start().await;
    let url = server.url();
    let id = server.submit(OPEN, eights(0..3)).await;
    let view = server.get("/api/jobs/1").await.1;
    assert_eq!((&view["state"], &view["open"]), (&json!("running"), &json!(true)));
    let shown = run(&url, &["job", "1"]).await.out;
    assert!(shown.contains("waits for inputs") && shown.contains("tequio close 1"), "{shown}");
    let table = run(&url, &["jobs"]).await.out;
    assert!(table.contains("running,open"), "{table}");

    let worker = Worker::start(&server);
    let closed = server.post("/api/jobs/1/close", "").await;
    assert_eq!((closed.status, &closed.json()["open"]), (200, &json!(false)));
    let job = server.job_over(id).await;
    assert_eq!((job.state, job.done, job.open), (JobState::Done, 3, false));
    assert_eq!(run(&url, &["results", "1"]).await.out, eights_results(0..3));

    let again = server.post("/api/jobs/1/close", "").await;
    assert_eq!(again.refusal(), (409, "job_not_open".to_owned()));
    assert_eq!(
        again.message(),
        "Job 1 is done and does not wait for inputs: there is nothing to close."
    );
    let late = server.post("/api/jobs/1/inputs?first=3", eights(3..4)).await;
    assert_eq!(late.status, 409);
    assert_eq!(server.post("/api/jobs/9/close", "").await.status, 404);
    worker.stop().await;
}

#[tokio::test]
async fn closing_fits_whatever_state_a_job_is_in() {
    let server = Server::start().await;
    let url = server.url();
    // Without any inputs there is nothing to do.
    server.submit(OPEN, "").await;
    let said = run(&url, &["close", "1"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.starts_with("Job 1 is done: 0 of 0 tasks done"), "{said:?}");
    // A paused one stays so, and has an end once it goes on.
    server.submit(OPEN, eights(0..2)).await;
    server.post("/api/jobs/2/pause", "").await;
    let closed = server.post("/api/jobs/2/close", "").await.json();
    assert_eq!((&closed["state"], &closed["open"]), (&json!("paused"), &json!(false)));
    // A cancelled one is not open, whatever it was.
    server.submit(OPEN, eights(0..2)).await;
    let cancelled = server.post("/api/jobs/3/cancel", "").await.json();
    assert_eq!((&cancelled["state"], &cancelled["open"]), (&json!("cancelled"), &json!(false)));
    let said = run(&url, &["close", "3"]).await;
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("Job 3 is cancelled and does not wait for inputs"), "{said:?}");
    // Nor is one that was never open.
    server.submit("/api/jobs?op=repeat_multiply", eights(0..2)).await;
    assert_eq!(server.post("/api/jobs/4/close", "").await.refusal().0, 409);
}
