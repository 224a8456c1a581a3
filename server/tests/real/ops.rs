//! Jobs of every op, in every way in which one is submitted, computed and read.

use crate::support::{
    Answer, Client, Server, Worker, eights, ended, interrupt, new_job, recording, run, run_with,
    spawn, until, within,
};
use reqwest::Method;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::sync::Arc;
use tempfile::TempDir;
use tequio::store::{MemoryStore, SqliteStore, Store};
use tequio_protocol::api::{JobState, JobView, OpView};
use tequio_protocol::op;
use tequio_protocol::values::Values;
use tokio::io::{AsyncBufReadExt, BufReader};

/// How many steps 1 to 10 take to 1 (OEIS A006577).
const STEPS: [u64; 10] = [0, 1, 7, 2, 5, 8, 16, 3, 19, 6];

/// One whose way leaves 64 bits, and what is said then.
const TOO_HIGH: &str = "12327829503";
const SAID: &str = "a value on its way does not fit into 64 bits";

/// A store of each kind, with the folder of the one that needs one.
fn stores() -> [(Arc<dyn Store>, Option<TempDir>); 2] {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Arc::new(SqliteStore::open(folder.path()).unwrap());
    [(Arc::new(MemoryStore::new()), None), (sqlite, Some(folder))]
}

fn collatz(axis: &str) -> String {
    json!({"op": "collatz", "axes": {"n": axis}}).to_string()
}

/// The results of 1 to 10 as lines.
fn steps_lines() -> String {
    let line = |(index, steps)| format!("{{\"index\":{index},\"result\":{steps}}}\n");
    STEPS.iter().enumerate().map(line).collect()
}

// ---- Computing --------------------------------------------------------------------------------

#[tokio::test]
async fn a_job_of_another_op_is_computed_by_workers_to_its_end() {
    for (store, _folder) in stores() {
        let server = Server::start_on(store).await;
        let worker = Worker::start(&server);
        let id = server.submit("/api/jobs", collatz("1..=10")).await;
        let job = server.job_over(id).await;
        assert_eq!((job.op.name(), job.state, job.done), ("collatz", JobState::Done, 10));
        assert_eq!(server.get_text(&format!("/api/jobs/{id}/results")).await, steps_lines());

        let id = server.submit("/api/jobs?op=collatz", "n\n27\n 97 \n").await;
        assert_eq!(server.job_over(id).await.done, 2);
        let expected =
            "{\"index\":0,\"line\":2,\"result\":111}\n{\"index\":1,\"line\":3,\"result\":118}\n";
        assert_eq!(server.get_text(&format!("/api/jobs/{id}/results")).await, expected);
        let sample = server.get(&format!("/api/jobs/{id}/sample")).await.1;
        assert_eq!(sample["points"], json!([[0, 111], [1, 118]]));
        worker.stop().await;
    }
}

#[tokio::test]
async fn an_error_of_the_op_is_a_tasks_outcome() {
    for (store, _folder) in stores() {
        let server = Server::start_on(store).await;
        let worker = Worker::start(&server);
        let id = server.submit("/api/jobs", collatz(&format!("27,{TOO_HIGH},1"))).await;
        let job = server.job_over(id).await;
        assert_eq!((job.state, job.done, job.failed), (JobState::Done, 2, 1));
        let expected = format!(
            "{{\"index\":0,\"result\":111}}\n{{\"index\":1,\"error\":\"{SAID}\"}}\n\
             {{\"index\":2,\"result\":0}}\n"
        );
        assert_eq!(server.get_text(&format!("/api/jobs/{id}/results")).await, expected);
        let csv = server.get_text(&format!("/api/jobs/{id}/results?format=csv")).await;
        assert_eq!(csv, format!("index,result,error\n0,111,\n1,,\"{SAID}\"\n2,0,\n"));
        let sample = server.get(&format!("/api/jobs/{id}/sample")).await.1;
        assert_eq!((&sample["errors"], &sample["points"]), (&json!(1), &json!([[0, 111], [2, 0]])));
        let workers = server.workers().await;
        assert_eq!(workers[0].pulse.errors, 0, "the worker has done nothing wrong");
        worker.stop().await;
    }
}

#[tokio::test]
async fn a_client_in_a_dozen_lines_computes_any_op() {
    let server = Server::start_with(None).await;
    let mut client = Client::connect(&server).await;
    let id = server.submit("/api/jobs", collatz(&format!("27,{TOO_HIGH},6"))).await;
    let task = client.receive().await;
    assert_eq!((&task["op"], &task["n"]), (&json!("collatz"), &json!(27)));
    // Many languages have floats only.
    let answer = json!({"type": "result", "task_id": task["task_id"], "result": 111.0});
    client.send(&answer.to_string()).await;
    let task = client.receive().await;
    assert_eq!(task["n"].to_string(), TOO_HIGH);
    // It has words of its own for that.
    let answer = json!({"type": "error", "code": "compute_failed", "message": "overflow",
        "task_id": task["task_id"]});
    client.send(&answer.to_string()).await;
    let task = client.receive().await;
    let answer = json!({"type": "result", "task_id": task["task_id"], "result": 8});
    assert_eq!(task["n"], 6);
    client.send(&answer.to_string()).await;
    let job = server.job_over(id).await;
    assert_eq!((job.done, job.failed), (2, 1));
    let results = server.get_text(&format!("/api/jobs/{id}/results")).await;
    let lines: Vec<&str> = results.lines().collect();
    assert_eq!(lines[0], r#"{"index":0,"result":111}"#, "it is written as we write it");
    assert!(lines[1].starts_with(r#"{"index":1,"error":""#), "{results}");
    assert_eq!(lines[2], r#"{"index":2,"result":8}"#);
}

#[tokio::test]
async fn a_client_that_fails_an_op_which_it_never_did_is_lent_others() {
    let server = Server::start_with(None).await;
    let mut client = Client::connect(&server).await;
    let id = server.submit("/api/jobs", collatz("1..=10")).await;
    let task = client.receive().await;
    let answer = json!({"type": "error", "code": "compute_failed", "message": "what is collatz?",
        "task_id": task["task_id"]});
    client.send(&answer.to_string()).await;
    let job = until(async || Some(server.job(id).await).filter(|job| job.done > 0)).await;
    assert_eq!((job.done, job.failed), (1, 0), "the server has computed it");
    server.submit("/api/jobs?op=repeat_multiply", eights(3..4)).await;
    let task = client.receive().await;
    assert_eq!((&task["op"], &task["initial"]), (&json!("repeat_multiply"), &json!(3.0)));
}

#[tokio::test]
async fn a_wrong_result_of_any_op_is_refused() {
    let server = Server::start_with(None).await;
    let mut client = Client::connect(&server).await;
    server.submit("/api/jobs", collatz("27")).await;
    let task = client.receive().await;
    for (result, code) in [(json!("many"), "bad_result"), (json!(112), "wrong_result")] {
        let answer = json!({"type": "result", "task_id": task["task_id"], "result": result});
        client.send(&answer.to_string()).await;
        assert_eq!(client.receive().await["code"], code);
    }
    assert_eq!(server.job(1).await.done, 0);
}

#[tokio::test]
async fn a_worker_without_a_browser_computes_any_op() {
    let server = Server::start().await;
    let url = server.url();
    let mut work = spawn(&url, &["work", "--slots", "2"]);
    let id = server.submit("/api/jobs", collatz("1..=10")).await;
    server.job_over(id).await;
    assert_eq!(run(&url, &["results", "1"]).await.succeeded(), steps_lines());
    interrupt(&mut work).await;
    ended(work).await;
}

// ---- Axes -------------------------------------------------------------------------------------

#[tokio::test]
async fn axes_are_kept_in_their_order_and_the_last_varies_fastest() {
    for (store, _folder) in stores() {
        let server = Server::start_on(store).await;
        let worker = Worker::start(&server);
        let job = r#"{"op":"repeat_multiply","axes":{"times":[1,2],"factor":3,"initial":"1..=2"}}"#;
        let id = server.submit("/api/jobs", job).await;
        server.job_over(id).await;
        let rows = |results: &[f64]| -> String {
            let line = |(index, result)| format!("{{\"index\":{index},\"result\":{result:?}}}\n");
            results.iter().enumerate().map(line).collect()
        };
        let results = server.get_text(&format!("/api/jobs/{id}/results")).await;
        assert_eq!(results, rows(&[3.0, 6.0, 9.0, 18.0]));
        let text = server.get_text(&format!("/api/jobs/{id}")).await;
        let axes = r#""axes":{"times":[1.0,2.0],"factor":3.0,"initial":{"from":1.0,"step":1.0,"count":2}}"#;
        assert!(text.contains(axes), "{text}");

        // Of a grid the order is the op's.
        let id = server.submit("/api/jobs", job.replace("axes", "grid")).await;
        server.job_over(id).await;
        let results = server.get_text(&format!("/api/jobs/{id}/results")).await;
        assert_eq!(results, rows(&[3.0, 9.0, 6.0, 18.0]));
        worker.stop().await;
    }
}

#[tokio::test]
async fn axes_that_an_op_does_not_take_are_refused_by_name() {
    let server = Server::start().await;
    for (body, code, said) in [
        (
            r#"{"op":"divide","axes":{"n":1}}"#,
            "unknown_op",
            "There is no op divide; there is repeat_multiply, collatz",
        ),
        (
            r#"{"op":"collatz","axes":{"n":0}}"#,
            "bad_job",
            "n: 0 is no integer from 1 to 9007199254740991",
        ),
        (r#"{"op":"collatz","axes":{"n":"1..2:0.5"}}"#, "bad_job", "n: 1.5 is no integer"),
        (r#"{"op":"collatz","axes":{}}"#, "bad_job", "\"n\" is missing"),
        (r#"{"op":"collatz","axes":{"n":1,"m":2}}"#, "bad_job", "a grid has no \"m\"; it has n"),
        (r#"{"op":"collatz","axes":{"n":1},"grid":{"n":1}}"#, "bad_job", "both there"),
        (
            r#"{"op":"collatz","axes":{"n":[]}}"#,
            "bad_job",
            "A job is {\"op\":\"collatz\",\"axes\":{\"n\":",
        ),
    ] {
        let answer = server.post("/api/jobs", body).await;
        assert_eq!(answer.refusal(), (400, code.to_owned()), "{body}");
        assert!(answer.message().contains(said), "{body}: {}", answer.message());
    }
    let answer = server.post("/api/jobs?op=collatz", "{\"n\":1}\n{\"n\":-1}\n").await;
    assert_eq!(answer.refusal(), (400, "bad_line".to_owned()));
    assert!(answer.message().contains("Line 2, column 6: \"n\" is -1"), "{}", answer.message());
    assert_eq!(server.get("/api/jobs").await.1, json!([]), "nothing is kept");
}

#[tokio::test]
async fn the_server_tells_of_its_ops_and_looks_at_axes_of_each() {
    let server = Server::start().await;
    let ops: Vec<OpView> = serde_json::from_value(server.get("/api/ops").await.1).unwrap();
    let known: Vec<&str> = op::ALL.iter().map(|op| op.name()).collect();
    assert_eq!(ops.iter().map(|op| op.name.as_str()).collect::<Vec<_>>(), known);
    let of_collatz = json!([{"name": "n", "kind": "integer", "min": 1,
        "max": 9_007_199_254_740_991_i64, "example": 27.0}]);
    let collatz = ops.iter().find(|op| op.name == "collatz").unwrap();
    assert_eq!(serde_json::to_value(&collatz.params).unwrap(), of_collatz);

    let view = server.get("/api/grid?op=collatz&n=1..%3D100").await;
    let axis = json!({"count": 100, "first": 1.0, "last": 100.0});
    let expected = json!({"total": 100, "errors": {}, "axes": {"n": axis}});
    assert_eq!(view, (200, expected));
    let view = server.get("/api/grid?n=0&op=collatz").await.1;
    assert_eq!(
        (&view["total"], &view["errors"]["n"]["code"]),
        (&Value::Null, &json!("not_an_integer"))
    );
    for (query, code, said) in [
        ("op=divide&n=1", "unknown_op", "There is no op divide"),
        ("op=collatz&m=1", "bad_query", "there is no `m` here; there is op, n"),
        ("op=collatz&n=1&n=2", "bad_query", "`n` is there twice"),
    ] {
        let answer = Answer::of(server.request(Method::GET, &format!("/api/grid?{query}"))).await;
        assert_eq!(answer.refusal(), (400, code.to_owned()), "{query}");
        assert!(answer.message().contains(said), "{query}: {}", answer.message());
    }
}

// ---- Commands ---------------------------------------------------------------------------------

#[tokio::test]
async fn commands_submit_and_map_any_op() {
    let server = Server::start().await;
    let url = server.url();
    let worker = Worker::start(&server);
    let said = run(&url, &["submit", "collatz", "n=1..=10", "--name", "steps"]).await.succeeded();
    assert!(said.starts_with("Job 1 submitted: 10 tasks\n"), "{said}");
    let job = server.job_over(1).await;
    assert_eq!((job.op.name(), job.name.as_str()), ("collatz", "steps"));
    assert_eq!(run(&url, &["results", "1"]).await.succeeded(), steps_lines());

    let flags =
        ["submit", "repeat_multiply", "--initial=1", "--factor=2", "--times=0..4", "--json"];
    let names = ["submit", "repeat_multiply", "initial=1", "factor=2", "times=0..4", "--json"];
    let (flags, names) = (run(&url, &flags).await.succeeded(), run(&url, &names).await.succeeded());
    for printed in [flags, names] {
        let job: JobView = serde_json::from_str(&printed).unwrap();
        server.job_over(job.id.0).await;
        let results = run(&url, &["results", &job.id.to_string(), "--format", "csv"]).await;
        assert_eq!(results.succeeded(), "index,result,error\n0,1.0,\n1,2.0,\n2,4.0,\n3,8.0,\n");
    }

    let mapped = run_with(&url, &["map", "collatz"], "{\"n\":27}\n\n{ \"n\" : 9.7e1 }\n").await;
    let expected =
        "{\"index\":0,\"line\":1,\"result\":111}\n{\"index\":1,\"line\":3,\"result\":118}\n";
    assert_eq!(mapped.succeeded(), expected);
    let failed = run_with(&url, &["map", "collatz"], "{\"x\":1}").await.failed(1);
    assert!(failed.contains("\"n\" is missing") && failed.contains("{\"n\":27}"), "{failed}");
    let from = run_with(&url, &["submit", "collatz", "--input", "-", "--wait"], "n\n1\n2\n").await;
    assert_eq!(from.code, Some(0), "{from:?}");
    worker.stop().await;
}

#[tokio::test]
async fn run_submits_waits_and_prints_the_results() {
    let server = Server::start().await;
    let url = server.url();
    let worker = Worker::start(&server);
    let ran = run(&url, &["run", "collatz", "n=1..=10", "--name", "steps", "--priority=3"]).await;
    assert_eq!((ran.code, ran.out), (Some(0), steps_lines()));
    assert_eq!(ran.err, "tequio: job 1 submitted: 10 tasks\n");
    assert_eq!(server.job(1).await.name, "steps");

    let ran = run(&url, &["run", "collatz", "n=3", "--format", "csv", "--inputs"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "index,n,result,error\n0,3,7,\n"));

    // What there is comes first, and then what is wrong.
    let ran = run(&url, &["run", "collatz", &format!("n=27,{TOO_HIGH}")]).await;
    assert_eq!(ran.out.lines().next(), Some(r#"{"index":0,"result":111}"#));
    assert!(ran.out.contains(SAID), "{}", ran.out);
    let said = ran.failed(1);
    assert!(said.contains("1 of the 2 tasks of job 3 failed"), "{said}");
    worker.stop().await;
}

#[tokio::test]
async fn whoever_stops_a_run_is_told_how_to_go_on() {
    let server = Server::start().await;
    let mut child = spawn(&server.url(), &["run", "collatz", "n=1..=10"]);
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = within(said.next_line()).await.unwrap();
    assert_eq!(first.as_deref(), Some("tequio: job 1 submitted: 10 tasks"));
    interrupt(&mut child).await;
    let last = within(said.next_line()).await.unwrap().unwrap();
    assert!(last.contains("job 1 goes on; `tequio job 1`"), "{last}");
    let ran = ended(child).await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert_eq!(server.job(1).await.state, JobState::Running);
}

#[tokio::test]
async fn what_an_op_does_not_take_is_said_before_anything_is_sent() {
    // Nobody listens there.
    let nowhere = "http://127.0.0.1:1";
    for command in ["submit", "run"] {
        for (arguments, said) in [
            (&["collatz"][..], "collatz needs a value for each of its parameters, such as n=27"),
            (&["collatz", "n=0"], "n: 0 is no integer from 1 to"),
            (&["collatz", "n=x"], "n: `x` is no number"),
            (&["collatz", "1..=5"], "there is no axis 1..; there are n"),
            (&["collatz", "5"], "expected NAME=AXIS"),
            (&["collatz", "n=1", "m=1"], "there is no axis m; there are n"),
            (&["collatz", "--initial=1"], "there is no axis initial; there are n"),
            (&["repeat_multiply", "initial=1", "factor=2"], "the axis times is missing"),
            (&["repeat_multiply", "--initial=1", "factor=2"], "cannot be used with"),
        ] {
            let arguments = [&[command], arguments].concat();
            let failed = run(nowhere, &arguments).await.failed(2);
            assert!(failed.contains(said), "{arguments:?}: {failed}");
            assert!(failed.contains("--help"), "{arguments:?}: {failed}");
        }
    }
}

#[tokio::test]
async fn ops_are_listed_with_what_they_take() {
    let server = Server::start().await;
    let table = run(&server.url(), &["ops"]).await.succeeded();
    let rows: Vec<Vec<&str>> = table.lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["OP", "PARAMETER", "EXAMPLE", "VALUES"]);
    assert_eq!(rows[1], ["repeat_multiply", "initial", "1", "numbers"]);
    let collatz = rows.iter().find(|row| row[0] == "collatz").unwrap();
    assert_eq!(collatz[1..4], ["n", "27", "whole"]);
    let printed = run(&server.url(), &["ops", "--json"]).await.succeeded();
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed, server.get("/api/ops").await.1);
}

// ---- Inputs beside results --------------------------------------------------------------------

#[tokio::test]
async fn inputs_stand_beside_their_results() {
    for (store, _folder) in stores() {
        let server = Server::start_on(store).await;
        let url = server.url();
        let worker = Worker::start(&server);
        let job = r#"{"op":"repeat_multiply","axes":{"times":[1,2],"factor":3,"initial":0.5}}"#;
        let id = server.submit("/api/jobs", job).await;
        server.job_over(id).await;
        let path = format!("/api/jobs/{id}/results?inputs=true");
        let input = |times| format!(r#"{{"initial":0.5,"factor":3.0,"times":{times}}}"#);
        let expected = format!(
            "{{\"index\":0,\"input\":{},\"result\":1.5}}\n{{\"index\":1,\"input\":{},\"result\":4.5}}\n",
            input(1),
            input(2)
        );
        assert_eq!(server.get_text(&path).await, expected);
        assert_eq!(run(&url, &["results", "1", "--inputs"]).await.succeeded(), expected);
        let csv = "index,initial,factor,times,result,error\n0,0.5,3.0,1,1.5,\n1,0.5,3.0,2,4.5,\n";
        let part = run(&url, &["results", "1", "--inputs", "--format=csv"]).await.succeeded();
        assert_eq!(part, csv);

        let inputs = format!("{{\"n\":27}}\n\n{{\"n\":{TOO_HIGH}}}\n");
        let id = server.submit("/api/jobs?op=collatz", inputs).await;
        server.job_over(id).await;
        let path = format!("/api/jobs/{id}/results?inputs=true");
        let expected = format!(
            "{{\"index\":0,\"line\":1,\"input\":{{\"n\":27}},\"result\":111}}\n\
             {{\"index\":1,\"line\":3,\"input\":{{\"n\":{TOO_HIGH}}},\"error\":\"{SAID}\"}}\n"
        );
        assert_eq!(server.get_text(&path).await, expected);
        let csv = format!("index,n,result,error,line\n0,27,111,,1\n1,{TOO_HIGH},,\"{SAID}\",3\n");
        assert_eq!(server.get_text(&format!("{path}&format=csv")).await, csv);
        let ended = format!("{csv}end,2,,,\n");
        assert_eq!(server.get_text(&format!("{path}&format=csv&end=true")).await, ended);
        let printed = run(&url, &["results", "2", "--inputs", "--format=csv"]).await.succeeded();
        assert_eq!(printed, csv);
        worker.stop().await;
    }
}

#[tokio::test]
async fn inputs_are_there_while_a_job_is_followed() {
    for (store, _folder) in stores() {
        let server = Server::start_on(store).await;
        let url = server.url();
        let id = server.submit("/api/jobs?op=collatz&more=true", "{\"n\":1}\n").await;
        let mut child = spawn(&url, &["results", &id.to_string(), "--inputs", "--follow"]);
        let mut rows = BufReader::new(child.stdout.take().unwrap()).lines();
        let worker = Worker::start(&server);
        let first = within(rows.next_line()).await.unwrap();
        assert_eq!(first.as_deref(), Some(r#"{"index":0,"line":1,"input":{"n":1},"result":0}"#));
        let grown = server.post(&format!("/api/jobs/{id}/inputs?first=1"), "{\"n\":2}\n").await;
        assert_eq!(grown.status, 200, "{}", grown.text);
        let second = within(rows.next_line()).await.unwrap();
        assert_eq!(second.as_deref(), Some(r#"{"index":1,"line":2,"input":{"n":2},"result":1}"#));
        assert_eq!(within(rows.next_line()).await.unwrap(), None);
        assert_eq!(ended(child).await.code, Some(0));
        worker.stop().await;
    }
}

#[tokio::test]
async fn inputs_of_a_job_of_any_size_are_made_where_its_results_are() {
    const LARGE: u64 = 1_000_000_000;
    let store = MemoryStore::new();
    let grid = format!(r#"{{"n":{{"from":1,"step":1,"count":{LARGE}}}}}"#);
    let job = store.submit(&new_job("", "collatz", Some(&grid))).unwrap();
    for first in [0, LARGE / 2, LARGE - 2] {
        let results: Values = ["7", "8"].into_iter().collect();
        store.record(&[recording(job, first, results)]).unwrap();
    }
    let server = Server::start_on(Arc::new(store)).await;
    let csv = server.get_text("/api/jobs/1/results?inputs=true&format=csv&end=true").await;
    let row = |index: u64, result| format!("{index},{},{result},\n", index + 1);
    let rows = [0, LARGE / 2, LARGE - 2].map(|first| row(first, 7) + &row(first + 1, 8));
    assert_eq!(csv, format!("index,n,result,error\n{}end,6,,\n", rows.concat()));
}

// ---- Results and ops of other versions --------------------------------------------------------

#[tokio::test]
async fn a_result_of_any_kind_is_given_as_it_is_recorded() {
    for (store, _folder) in stores() {
        let job = store.submit(&new_job("", "collatz", Some(r#"{"n":"1..=5"}"#))).unwrap();
        let results = ["1.5", "\"two\\nlines\"", r#"{"x":[1]}"#, "null", "18446744073709551615"];
        store.record(&[recording(job, 0, results.into_iter().collect())]).unwrap();
        let server = Server::start_on(store).await;
        let url = server.url();
        let line = |(index, result)| format!("{{\"index\":{index},\"result\":{result}}}\n");
        let lines: String = results.iter().enumerate().map(line).collect();
        assert_eq!(run(&url, &["results", "1"]).await.succeeded(), lines);
        let csv = "index,result,error\n0,1.5,\n1,\"two\nlines\",\n2,\"{\"\"x\"\":[1]}\",\n\
            3,\"null\",\n4,18446744073709551615,\n";
        let printed = run(&url, &["results", "1", "--format", "csv"]).await.succeeded();
        assert_eq!(printed, csv);
        let sample = server.get_text("/api/jobs/1/sample").await;
        let points = r#""points":[[0,1.5],[1,"two\nlines"],[2,{"x":[1]}],[3,null],[4,18446744073709551615]]"#;
        assert!(sample.contains(points), "{sample}");
    }
}

#[tokio::test]
async fn a_job_of_an_op_that_the_server_does_not_know_keeps_nobody_from_anything() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let job = store.submit(&new_job("new", "collatz", Some(r#"{"n":"1..=5"}"#))).unwrap();
    store.record(&[recording(job, 0, ["7", "8"].into_iter().collect())]).unwrap();
    let lines = store.create_job(&new_job("lines", "collatz", None)).unwrap();
    store.append_inputs(lines, 0, &[r#"{"n":1}"#].into_iter().collect()).unwrap();
    store.publish(lines).unwrap();
    drop(store);
    let shell = Connection::open(folder.path().join("tequio.sqlite")).unwrap();
    assert_eq!(shell.execute("UPDATE job SET op = 'divide'", ()).unwrap(), 2);
    shell.close().unwrap();

    let server = Server::start_on(Arc::new(SqliteStore::open(folder.path()).unwrap())).await;
    let url = server.url();
    let worker = Worker::start(&server);
    let view = server.get("/api/jobs/1").await.1;
    assert_eq!((&view["op"], &view["state"]), (&json!("divide"), &json!("paused")));
    let trouble = view["trouble"].as_str().unwrap();
    assert!(trouble.contains("divide"), "{trouble}");
    assert_eq!(view["axes"], json!({"n": {"from": 1.0, "step": 1.0, "count": 5}}));
    let shown = run(&url, &["job", "1"]).await.succeeded();
    assert!(shown.contains("divide") && shown.contains("`tequio remove 1`"), "{shown}");
    let id = server.submit("/api/jobs", collatz("1..=10")).await;
    assert_eq!(server.job_over(id).await.done, 10);

    let results = run(&url, &["results", "1", "--inputs"]).await.succeeded();
    let expected = "{\"index\":0,\"input\":{\"n\":1.0},\"result\":7}\n\
        {\"index\":1,\"input\":{\"n\":2.0},\"result\":8}\n";
    assert_eq!(results, expected);
    let grown = server.post("/api/jobs/2/inputs?first=1", "{\"n\":2}\n").await;
    assert_eq!(grown.refusal(), (409, "job_set_aside".to_owned()));
    let resumed = server.post("/api/jobs/1/resume", "").await;
    assert_eq!(resumed.refusal(), (409, "job_set_aside".to_owned()));
    for removed in ["1", "2"] {
        run(&url, &["remove", removed]).await.succeeded();
    }
    until(async || (server.get("/api/jobs/1").await.0 == 404).then_some(())).await;
    worker.stop().await;
}
