//! The commands that a person types, against a real server.

use crate::support::{
    Client, Ran, Server, Tequio, Worker, eights, eights_of_lines, eights_results, ended, interrupt,
    run, run_with, spawn, until, within,
};
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::ops::Range;
use tequio_protocol::api::{JobState, JobView};
use tequio_protocol::limits::INPUTS_BLOCK;
use tequio_protocol::message::close_code::TURNED_AWAY;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdout};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};

const MAP: &[&str] = &["map", "repeat_multiply"];

fn submit<'a>(initial: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["submit", "repeat_multiply", "--initial", initial, "--factor", "2", "--times", "3"], more]
        .concat()
}

impl Ran {
    /// What a command wrote to stdout when it succeeds in silence.
    #[track_caller]
    pub(crate) fn succeeded(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{}", self.out);
        self.out
    }

    /// What a command wrote to stdout when it succeeds, and says one line on stderr.
    #[track_caller]
    fn succeeded_with(self, said: &str) -> String {
        let expected = format!("tequio: {said}\n");
        assert_eq!((self.code, self.err.as_str()), (Some(0), expected.as_str()), "{}", self.out);
        self.out
    }

    /// What a command wrote to stderr when it fails.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(!self.err.is_empty(), "it says why");
        self.err
    }
}

/// A job as `tequio job ID --json` prints it.
async fn job(url: &str, id: u64) -> JobView {
    let printed = run(url, &["job", &id.to_string(), "--json"]).await.succeeded();
    serde_json::from_str(&printed).unwrap()
}

/// A command's lines, as they come.
fn lines(child: &mut Child) -> Lines<BufReader<ChildStdout>> {
    BufReader::new(child.stdout.take().unwrap()).lines()
}

async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<String> {
    within(lines.next_line()).await.unwrap()
}

/// The next lines are the results of [`eights`].
async fn expect(lines: &mut Lines<BufReader<ChildStdout>>, values: Range<u64>) {
    for line in eights_of_lines(values).lines() {
        assert_eq!(next(lines).await.as_deref(), Some(line));
    }
}

/// All that follows.
async fn rest(mut lines: Lines<BufReader<ChildStdout>>) -> String {
    let mut text = String::new();
    while let Some(line) = next(&mut lines).await {
        text += &(line + "\n");
    }
    text
}

/// What a command proposes to type, which begins as `begins`.
fn proposed<'a>(said: &'a str, begins: &str) -> Vec<&'a str> {
    let mut quoted = said.split('`').skip(1).step_by(2);
    let found = quoted.find(|command| command.starts_with(begins));
    found.unwrap_or_else(|| panic!("no `{begins}` in {said}")).split(' ').skip(1).collect()
}

// ---- Submitting and looking -------------------------------------------------------------------

#[tokio::test]
async fn a_job_is_submitted_looked_at_and_read() {
    let server = Server::start().await;
    let url = server.url();
    let said = run(&url, &submit("0..1200", &["--name", "my job"])).await.succeeded();
    assert!(said.starts_with("Job 1 submitted: 1,200 tasks\n"), "{said}");
    let shown = run(&url, &proposed(&said, "tequio job")).await.succeeded();
    assert!(shown.starts_with("Job 1 is running: 0 of 1,200 tasks done"), "{shown}");
    assert!(shown.contains("my job") && shown.contains("repeat_multiply"), "{shown}");

    let worker = Worker::start(&server);
    server.job_over(1).await;
    let results = run(&url, &proposed(&said, "tequio results")).await.succeeded();
    assert_eq!(results, eights_results(0..1200));
    let shown = run(&url, &["job", "1"]).await.succeeded();
    assert!(shown.starts_with("Job 1 is done: 1,200 of 1,200 tasks done\n"), "{shown}");
    let table = run(&url, &["jobs"]).await.succeeded();
    let rows: Vec<Vec<&str>> = table.lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["ID", "STATE", "DONE", "TOTAL", "FAILED", "TASKS/S", "LEFT", "NAME"]);
    assert_eq!(rows[1][..5], ["1", "done", "1,200", "1,200", "0"]);
    assert!(table.trim_end().ends_with("my job") && rows.len() == 2, "{table}");
    let workers = run(&url, &["workers"]).await.succeeded();
    let rows: Vec<Vec<&str>> =
        workers.lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["ID", "ADDRESS", "SLOTS", "LEASES", "RESULTS", "REFUSED", "AGENT"]);
    assert_eq!((rows[1][0], rows[1][2], rows[1][3], rows[1][5]), ("1", "2", "0", "0"));
    assert!(rows[1][6].starts_with("tequio/"), "{workers}");
    worker.stop().await;
}

#[tokio::test]
async fn json_is_what_the_server_answers() {
    let server = Server::start().await;
    let url = server.url();
    let _client = Client::connect(&server).await;
    let printed = run(&url, &submit("-1,2", &["--priority", "-3", "--json"])).await.succeeded();
    let mut answered = server.get("/api/jobs/1").await.1;
    let read = |printed: String| -> Value { serde_json::from_str(&printed).unwrap() };
    assert_eq!(read(run(&url, &["job", "1", "--json"]).await.succeeded()), answered);
    // Only whoever looks at one job is shown its axes.
    let axes = json!({"initial": [-1.0, 2.0], "factor": 2.0, "times": 3.0});
    assert_eq!(answered.as_object_mut().unwrap().remove("axes"), Some(axes));
    assert_eq!(read(printed), answered);
    assert_eq!((&answered["total"], &answered["id"]), (&json!(2), &json!(1)));
    assert_eq!(read(run(&url, &["jobs", "--json"]).await.succeeded()), json!([answered]));
    let paused = read(run(&url, &["pause", "1", "--json"]).await.succeeded());
    assert_eq!(json!([paused]), server.get("/api/jobs").await.1);
    let workers = read(run(&url, &["workers", "--json"]).await.succeeded());
    assert_eq!((&workers[0]["id"], &workers[0]["path"]), (&json!(1), &json!("/ws")));
}

#[tokio::test]
async fn inputs_come_from_a_file_or_from_stdin() {
    let server = Server::start().await;
    let worker = Worker::start(&server);
    let url = server.url();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tasks.jsonl");
    std::fs::write(&file, eights(0..20_000)).unwrap();
    let file = file.to_str().unwrap();
    let from = |input| ["submit", "repeat_multiply", "--input", input, "--wait"];
    let said = run(&url, &from(file)).await.succeeded_with("job 1 submitted: 20,000 tasks");
    assert!(said.starts_with("Job 1 is done: 20,000 of 20,000 tasks done\n"), "{said}");
    let said = run_with(&url, &from("-"), &eights(0..20_000)).await;
    let said = said.succeeded_with("job 2 submitted: 20,000 tasks");
    assert!(said.starts_with("Job 2 is done: 20,000 of 20,000 tasks done\n"), "{said}");
    for id in ["1", "2"] {
        let results = run(&url, &["results", id]).await.succeeded();
        assert!(results == eights_of_lines(0..20_000), "job {id}");
    }
    worker.stop().await;
}

#[tokio::test]
async fn inputs_that_are_none_are_named_or_skipped() {
    let server = Server::start().await;
    let url = server.url();
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.jsonl");
    let missing = missing.to_str().unwrap();
    let from = |input, more: &[&'static str]| {
        [&["submit", "repeat_multiply", "--input", input], more].concat()
    };
    let mixed = eights(0..2) + "rubbish\n{}\n" + &eights(2..3);
    let said = run_with(&url, &from("-", &[]), &mixed).await.failed(1);
    assert!(said.contains("Line 3, column 1: it is no JSON object"), "{said}");
    let said = run(&url, &from(missing, &[])).await.failed(1);
    assert!(said.contains("missing.jsonl cannot be read: No such file"), "{said}");
    let said = run(&url, &from("-", &[])).await.failed(1);
    assert!(said.contains("no inputs"), "{said}");
    assert_eq!(server.get("/api/jobs").await.1, json!([]), "nothing of these is kept");

    let skipping = run_with(&url, &from("-", &["--skip-invalid", "--json"]), &mixed).await;
    assert_eq!(skipping.code, Some(0), "{skipping:?}");
    assert_eq!(skipping.err, "tequio: skipped 2 lines that are no inputs: 3 and 4\n");
    let job: JobView = serde_json::from_str(&skipping.out).unwrap();
    assert_eq!(job.total, 3);
    run_with(&url, &from("-", &["--skip-invalid"]), &eights(0..1)).await.succeeded();
}

#[tokio::test]
async fn a_submission_that_is_refused_does_not_wait_for_more_of_stdin() {
    let server = Server::start().await;
    let mut child = spawn(&server.url(), &["submit", "repeat_multiply", "--input", "-"]);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"rubbish\n").await.unwrap();
    let said = ended(child).await.failed(1);
    assert!(said.contains("Line 1, column 1: "), "{said}");
    drop(stdin);
}

#[tokio::test]
async fn waiting_fails_unless_every_task_has_a_result() {
    let server = Server::that_believes_failures().await;
    let url = server.url();
    let mut client = Client::connect(&server).await;
    client.hello().await;
    let failing = client.fail_everything("it burnt");
    let arguments = submit("0..2", &["--wait"]);
    let ran = tokio::select! {
        ran = run(&url, &arguments) => ran,
        _ = failing => unreachable!(),
    };
    assert!(ran.out.starts_with("Job 1 is done: 0 of 2 tasks done, 2 failed\n"), "{ran:?}");
    let said = ran.failed(1);
    assert!(said.contains("2 of the 2 tasks of job 1 failed"), "{said}");
    let why = run(&url, &proposed(&said, "tequio results")).await.succeeded();
    assert!(why.starts_with("{\"index\":0,\"error\":\"it burnt\"}\n"), "{why}");
    drop(client);

    let waiting = spawn(&url, &submit("0..2", &["--wait"]));
    until(async || (server.get("/api/jobs/2").await.0 == 200).then_some(())).await;
    let changed = run(&url, &["cancel", "2"]).await.succeeded();
    assert!(changed.starts_with("Job 2 is cancelled: 0 of 2 tasks done\n"), "{changed}");
    let said = ended(waiting).await.failed(1);
    assert!(said.contains("job 2 is cancelled"), "{said}");
}

#[tokio::test]
async fn control_c_ends_the_waiting_and_not_the_job() {
    let server = Server::start().await;
    let url = server.url();
    let mut waiting = spawn(&url, &submit("0..50", &["--wait"]));
    until(async || (server.get("/api/jobs/1").await.0 == 200).then_some(())).await;
    interrupt(&mut waiting).await;
    let said = ended(waiting).await.failed(1);
    assert!(said.contains("job 1 goes on"), "{said}");
    assert_eq!(server.job(1).await.state, JobState::Running);
    let following = proposed(&said, "tequio results");
    let worker = Worker::start(&server);
    assert_eq!(run(&url, &following).await.succeeded(), eights_results(0..50));
    worker.stop().await;
}

#[tokio::test]
async fn results_are_written_in_part_as_csv_and_followed() {
    let server = Server::start().await;
    let url = server.url();
    let id = server.submit("/api/jobs?op=repeat_multiply&more=true", eights(0..10)).await;
    assert_eq!(run(&url, &["results", "1"]).await.succeeded(), "", "there are none yet");
    let mut following = spawn(&url, &["results", "1", "--follow"]);
    let mut followed = lines(&mut following);
    let worker = Worker::start(&server);
    expect(&mut followed, 0..10).await;
    for (arguments, expected) in [
        (&["--first", "8"][..], eights_of_lines(8..10)),
        (&["--count", "2"], eights_of_lines(0..2)),
        (&["--first", "3", "--count", "2"], eights_of_lines(3..5)),
        (&["--first", "10"], String::new()),
        (&["--first", "3", "--count", "2", "--follow"], eights_of_lines(3..5)),
        (&["--format", "jsonl", "--first", "9"], eights_of_lines(9..10)),
        (&["--format", "csv", "--first", "9"], "index,result,error,line\n9,72.0,,10\n".to_owned()),
    ] {
        let ran = run(&url, &[&["results", "1"], arguments].concat()).await;
        assert_eq!(ran.succeeded(), expected, "{arguments:?}");
    }
    let path = format!("/api/jobs/{id}/inputs?first=10");
    assert_eq!(server.post(&path, eights(10..12)).await.status, 200);
    assert_eq!(rest(followed).await, eights_of_lines(10..12), "and the end of the job ends it");
    assert_eq!(ended(following).await.code, Some(0));
    worker.stop().await;
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_error() {
    let server = Server::start().await;
    let url = server.url();
    let worker = Worker::start(&server);
    server.submit("/api/jobs?op=repeat_multiply", eights(0..50_000)).await;
    server.job_over(1).await;
    // More than any pipe holds.
    for arguments in [&["results", "1"][..], &["results", "1", "--format", "csv", "--follow"]] {
        let mut child = spawn(&url, arguments);
        let mut results = lines(&mut child);
        assert!(next(&mut results).await.is_some());
        drop(results);
        let ran = ended(child).await;
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{arguments:?}");
    }
    let mut child = spawn(&url, &["jobs"]);
    drop(child.stdout.take());
    let ran = ended(child).await;
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    worker.stop().await;
}

#[tokio::test]
async fn a_job_is_paused_resumed_and_cancelled() {
    let server = Server::start().await;
    let url = server.url();
    run(&url, &submit("0..2", &[])).await.succeeded();
    for (change, state) in [
        ("pause", JobState::Paused),
        ("pause", JobState::Paused),
        ("resume", JobState::Running),
        ("cancel", JobState::Cancelled),
        ("cancel", JobState::Cancelled),
    ] {
        let said = run(&url, &[change, "1"]).await.succeeded();
        assert!(said.starts_with(&format!("Job 1 is {}: ", state.name())), "{change}: {said}");
        assert_eq!(job(&url, 1).await.state, state);
    }
    let said = run(&url, &["resume", "1"]).await.failed(1);
    assert_eq!(said, "tequio: Job 1 is cancelled already, and cannot be resumed any more.\n");
}

#[tokio::test]
async fn a_job_that_is_over_is_removed_with_its_results() {
    let server = Server::start().await;
    let url = server.url();
    run(&url, &submit("0..2", &[])).await.succeeded();
    let said = run(&url, &["remove", "1"]).await.failed(1);
    assert_eq!(said, "tequio: Job 1 is running; cancel it first.\n");
    run(&url, &["cancel", "1"]).await.succeeded();
    let said = run(&url, &["remove", "1"]).await.succeeded();
    assert_eq!(said, "Job 1 is removed, with its results\n");
    for command in ["job", "results", "remove"] {
        let said = run(&url, &[command, "1"]).await.failed(1);
        assert_eq!(said, "tequio: There is no job 1.\n", "{command}");
    }
}

// ---- Which server, and how a command ends -----------------------------------------------------

#[tokio::test]
async fn a_server_is_named_in_the_environment_or_by_url_in_any_scheme() {
    let server = Server::start().await;
    let (nowhere, port) = (nowhere().await, server.address.port());
    for url in [
        server.url(),
        format!("{}/", server.url()),
        format!("ws://{}", server.address),
        format!("ws://{}/ws", server.address),
        format!("http://localhost:{port}"),
    ] {
        assert_eq!(run(&url, &["jobs", "--json"]).await.succeeded(), "[]\n", "{url}");
        let named = run(&nowhere, &["jobs", "--json", "--url", &url]).await;
        assert_eq!(named.succeeded(), "[]\n", "--url {url} is what counts");
    }
}

#[tokio::test]
async fn what_cannot_be_done_is_one_clear_line_and_code_1() {
    let server = Server::start().await;
    let nowhere = nowhere().await;
    let no_tequio = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = server.url();
    let stranger = format!("http://{}", no_tequio.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = no_tequio.accept().await.unwrap();
            socket.read_buf(&mut Vec::with_capacity(4096)).await.unwrap();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
            socket.write_all(answer).await.unwrap();
        }
    });
    for (url, arguments, said) in [
        (&url, &["job", "99"][..], "There is no job 99."),
        (&url, &["results", "99"], "There is no job 99."),
        (&url, &["results", "99", "--follow"], "There is no job 99."),
        (&url, &["pause", "99"], "There is no job 99."),
        (&nowhere, &["jobs"], "is the server there? `tequio serve` starts one"),
        (&nowhere, &["workers"], "is the server there?"),
        (&nowhere, &["results", "1"], "is the server there?"),
        (&nowhere, &["cancel", "1"], "is the server there?"),
        (&nowhere, &submit("1", &[]), "is the server there?"),
        (&nowhere, &submit("1", &["--wait"]), "is the server there?"),
        (&nowhere, MAP, "is the server there?"),
        (&stranger, &["jobs"], "with what no tequio sends"),
    ] {
        let ran = run(url, arguments).await;
        assert_eq!((ran.out.as_str(), ran.err.lines().count()), ("", 1), "{arguments:?}: {ran:?}");
        let err = ran.failed(1);
        assert!(err.starts_with("tequio: ") && err.contains(said), "{arguments:?}: {err}");
        let names_server = err.contains(url.trim_start_matches("http://"));
        assert!(*url == server.url() || names_server, "{arguments:?}: {err}");
    }
}

#[tokio::test]
async fn wrong_use_is_code_2_before_anything_is_asked() {
    let nowhere = nowhere().await;
    for arguments in [
        &[][..],
        &["frobnicate"],
        &["submit"],
        &["submit", "repeat_multiply"],
        &["submit", "repeat_multiply", "--initial=1"],
        &["submit", "repeat_multiply", "--initial=1", "--factor=2", "--times=3", "--input=x"],
        &["submit", "repeat_multiply", "--initial=", "--factor=2", "--times=3"],
        &["submit", "repeat_multiply", "--initial=9..1", "--factor=2", "--times=3"],
        &["submit", "repeat_multiply", "--skip-invalid", "--initial=1", "--factor=2", "--times=3"],
        &["map"],
        &["kernel"],
        &["kernel", "add"],
        &["kernel", "test", "x.wasm", "n"],
        &["kernel", "test", "x.wasm", "n=1,2"],
        &["kernel", "new", "cobol", "x"],
        &["jobs", "1"],
        &["jobs", "--url", "ftp://127.0.0.1"],
        &["jobs", "--url", "127.0.0.1:8765"],
        &["job"],
        &["job", "abc"],
        &["results", "-1"],
        &["results", "1", "--format", "xml"],
        &["results", "1", "--first", "x"],
        &["work", "--slots", "0"],
        &["work", "nowhere"],
    ] {
        let ran = run(&nowhere, arguments).await;
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{arguments:?}: {ran:?}");
        assert!(ran.err.contains("--help"), "it says where to read on: {arguments:?}: {ran:?}");
    }
}

/// A server's URL, without a server.
async fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

// ---- map --------------------------------------------------------------------------------------

#[tokio::test]
async fn map_writes_the_results_of_stdin_in_their_order() {
    let server = Server::start().await;
    let worker = Worker::start(&server);
    let url = server.url();
    let count = 2 * INPUTS_BLOCK as u64 + 5;
    let results = run_with(&url, MAP, &eights(0..count)).await.succeeded();
    assert!(results == eights_of_lines(0..count), "{} lines", results.lines().count());
    assert_eq!(run_with(&url, MAP, "").await.succeeded(), "", "nothing is nothing");
    let blank = eights(0..2).replace('\n', "\r\n\n");
    let named = [MAP, &["--name", "mine"]].concat();
    let results = run_with(&url, &named, blank.trim_end()).await.succeeded();
    let second = "{\"index\":1,\"line\":3,\"result\":8.0}\n";
    assert_eq!(results, eights_of_lines(0..1) + second, "blank lines are lines");
    let jobs: Vec<JobView> = serde_json::from_value(server.get("/api/jobs").await.1).unwrap();
    let ends: Vec<_> = jobs.iter().map(|job| (job.state, job.total, job.name.as_str())).collect();
    let done = JobState::Done;
    assert_eq!(ends, [(done, count, ""), (done, 2, "mine")], "without inputs there is no job");
    worker.stop().await;
}

#[tokio::test]
async fn map_gives_each_result_as_it_comes() {
    let server = Server::start().await;
    let worker = Worker::start(&server);
    let mut map = spawn(&server.url(), MAP);
    let (mut stdin, mut results) = (map.stdin.take().unwrap(), lines(&mut map));
    for index in 0..3 {
        stdin.write_all(eights(index..index + 1).as_bytes()).await.unwrap();
        expect(&mut results, index..index + 1).await;
    }
    drop(stdin);
    assert_eq!(next(&mut results).await, None);
    ended(map).await.succeeded();
    worker.stop().await;
}

#[tokio::test]
async fn map_stops_at_a_line_that_is_no_input_or_skips_it() {
    let server = Server::start().await;
    let worker = Worker::start(&server);
    let url = server.url();
    let long = " ".repeat(5000) + "\n";
    for (bad, said) in [
        ("rubbish\n", "Line 4, column 1: it is no JSON object"),
        ("{\"initial\":1,\"factor\":2}\n", "Line 4, column 24: \"times\" is missing"),
        (&long, "Line 4, column 1: it is longer than 4096 bytes"),
    ] {
        let mut bad = bad.to_owned();
        if bad.len() > 4096 {
            bad.insert_str(0, "{}");
        }
        let mixed = eights(0..2) + "\n" + &bad + &eights(2..3);
        let stopped = run_with(&url, MAP, &mixed).await;
        assert!(eights_of_lines(0..2).starts_with(&stopped.out), "{stopped:?}");
        let err = stopped.failed(1);
        assert!(err.contains(said) && err.lines().count() == 1, "{err}");
        let skipped = run_with(&url, &[MAP, &["--skip-invalid"]].concat(), &mixed).await;
        let third = "{\"index\":2,\"line\":5,\"result\":16.0}\n";
        assert_eq!((skipped.code, skipped.out), (Some(0), eights_of_lines(0..2) + third));
        assert_eq!(skipped.err, "tequio: skipped 1 line that is no input: 4\n");
    }
    worker.stop().await;
}

#[tokio::test]
async fn map_ends_its_job_at_a_bad_line_that_comes_late() {
    let server = Server::start().await;
    let mut map = spawn(&server.url(), MAP);
    let mut stdin = map.stdin.take().unwrap();
    stdin.write_all(eights(0..2).as_bytes()).await.unwrap();
    until(async || (server.get("/api/jobs/1").await.1["total"] == 2).then_some(())).await;
    stdin.write_all(b"rubbish\n").await.unwrap();
    let said = ended(map).await.failed(1);
    assert!(
        said.contains("Line 3, column 1: ") && said.contains("; job 1 is cancelled\n"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(server.job(1).await.state, JobState::Cancelled, "it is of no use to anybody");
    drop(stdin);
}

#[tokio::test]
async fn map_fails_with_its_job() {
    let server = Server::that_believes_failures().await;
    let url = server.url();
    let mut client = Client::connect(&server).await;
    client.hello().await;
    let inputs = eights(0..2);
    let ran = tokio::select! {
        ran = run_with(&url, MAP, &inputs) => ran,
        _ = client.fail_everything("it burnt") => unreachable!(),
    };
    let errors = "{\"index\":0,\"line\":1,\"error\":\"it burnt\"}\n\
        {\"index\":1,\"line\":2,\"error\":\"it burnt\"}\n";
    assert_eq!(ran.out, errors);
    let said = ran.failed(1);
    assert!(said.contains("2 of the 2 tasks of job 1 failed"), "{said}");
    drop(client);

    let mut map = spawn(&url, MAP);
    let mut stdin = map.stdin.take().unwrap();
    stdin.write_all(eights(0..2).as_bytes()).await.unwrap();
    until(async || (server.get("/api/jobs/2").await.1["total"] == 2).then_some(())).await;
    run(&url, &["cancel", "2"]).await.succeeded();
    let said = ended(map).await.failed(1);
    assert!(said.contains("job 2 is cancelled"), "{said}");
    drop(stdin);
}

#[tokio::test]
async fn map_that_nobody_reads_cancels_its_job() {
    let server = Server::start().await;
    let worker = Worker::start(&server);
    let mut map = spawn(&server.url(), MAP);
    let mut stdin = map.stdin.take().unwrap();
    drop(map.stdout.take());
    stdin.write_all(eights(0..2).as_bytes()).await.unwrap();
    let said = ended(map).await.failed(1);
    assert!(said.contains("job 1 is cancelled"), "{said}");
    assert_eq!(server.job(1).await.state, JobState::Cancelled);
    drop(stdin);
    worker.stop().await;
}

#[tokio::test]
async fn map_that_is_interrupted_says_how_to_come_back() {
    let server = Server::start().await;
    let url = server.url();
    let worker = Worker::start(&server);
    let mut map = spawn(&url, MAP);
    let (mut stdin, mut results) = (map.stdin.take().unwrap(), lines(&mut map));
    stdin.write_all(eights(0..3).as_bytes()).await.unwrap();
    expect(&mut results, 0..3).await;
    worker.stop().await;
    stdin.write_all(eights(3..8).as_bytes()).await.unwrap();
    until(async || (server.job(1).await.total == 8).then_some(())).await;
    interrupt(&mut map).await;
    assert_eq!(rest(results).await, "");
    let said = ended(map).await.failed(1);
    assert!(said.contains("job 1 goes on"), "{said}");
    assert_eq!(server.job(1).await.state, JobState::Running);
    let following = proposed(&said, "tequio results");
    let worker = Worker::start(&server);
    assert_eq!(run(&url, &following).await.succeeded(), eights_of_lines(3..8), "{following:?}");
    assert_eq!(server.job(1).await.state, JobState::Done);
    drop(stdin);
    worker.stop().await;
}

// ---- A server that comes back -----------------------------------------------------------------

#[tokio::test]
async fn map_survives_the_servers_death() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Tequio::serve_from(&folder, "127.0.0.1:0").await;
    let address = server.address();
    let worker = Worker::start_at(address);
    let mut map = spawn(&format!("http://{address}"), MAP);
    let (mut stdin, mut results) = (map.stdin.take().unwrap(), lines(&mut map));
    for first in [0, 20, 40] {
        stdin.write_all(eights(first..first + 10).as_bytes()).await.unwrap();
        expect(&mut results, first..first + 10).await;
        server.kill().await;
        // What is said to nobody is said again.
        stdin.write_all(eights(first + 10..first + 20).as_bytes()).await.unwrap();
        server = restarted(&folder, address).await;
        expect(&mut results, first + 10..first + 20).await;
    }
    drop(stdin);
    assert_eq!(next(&mut results).await, None);
    let ran = ended(map).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let job = job(&server.url, 1).await;
    assert_eq!((job.state, job.total, job.done), (JobState::Done, 60, 60));
    worker.stop().await;
}

#[tokio::test]
async fn waiting_and_following_survive_the_servers_death() {
    const TASKS: u64 = 200_000;
    let folder = tempfile::tempdir().unwrap();
    let server = Tequio::serve_from(&folder, "127.0.0.1:0").await;
    let (address, url) = (server.address(), server.url.clone());
    let waiting = spawn(&url, &submit("0..200000", &["--wait"]));
    until(async || run(&url, &["job", "1"]).await.out.contains("running").then_some(())).await;
    let following = tokio::spawn(ended(spawn(&url, &["results", "1", "--follow"])));
    let csv = ["results", "1", "--follow", "--format", "csv"];
    let following_csv = tokio::spawn(ended(spawn(&url, &csv)));
    let worker = Worker::start_at(address);
    until(async || (job(&url, 1).await.done > 0).then_some(())).await;
    server.kill().await;
    let server = restarted(&folder, address).await;

    let waited = ended(waiting).await;
    assert_eq!(waited.code, Some(0), "{waited:?}");
    assert!(waited.out.starts_with("Job 1 is done: 200,000 of 200,000 tasks done\n"), "{waited:?}");
    let followed = within(following).await.unwrap();
    assert_eq!(followed.code, Some(0), "{}", followed.err);
    assert!(followed.out == eights_results(0..TASKS), "{} lines", followed.out.lines().count());
    let followed = within(following_csv).await.unwrap();
    assert_eq!(followed.code, Some(0), "{}", followed.err);
    let rows = (0..TASKS).map(|index| format!("{index},{}.0,\n", index * 8));
    let expected = "index,result,error\n".to_owned() + &rows.collect::<String>();
    assert!(followed.out == expected, "{} lines", followed.out.lines().count());
    let at_rest = run(&server.url, &["results", "1"]).await.succeeded();
    assert!(at_rest == eights_results(0..TASKS), "each index once");
    worker.stop().await;
}

async fn restarted(folder: &tempfile::TempDir, address: SocketAddr) -> Tequio {
    Tequio::serve_from(folder, &address.to_string()).await
}

// ---- work -------------------------------------------------------------------------------------

#[tokio::test]
async fn work_computes_until_it_is_interrupted() {
    let server = Server::start().await;
    let id = server
        .submit(
            "/api/jobs",
            r#"{"op":"repeat_multiply","grid":{"initial":"0..500","factor":2,"times":3}}"#,
        )
        .await;
    for arguments in [&["work"][..], &["work", "--slots", "3"]] {
        let mut work = spawn(&server.url(), arguments);
        server.job_over(id).await;
        let slots = if arguments.len() > 1 { Some(3) } else { None };
        let is_here = async || match &server.workers().await[..] {
            [worker] => slots.is_none_or(|slots| worker.slots == slots).then_some(()),
            _ => None,
        };
        until(is_here).await;
        interrupt(&mut work).await;
        let ran = ended(work).await;
        assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""), "{ran:?}");
        assert!(ran.err.lines().last().is_some_and(|line| line.contains("Stopped; ")), "{ran:?}");
        until(async || server.workers().await.is_empty().then_some(())).await;
    }
    let results = run(&server.url(), &["results", "1"]).await.succeeded();
    assert_eq!(results, eights_results(0..500));
}

#[tokio::test]
async fn work_that_is_turned_away_is_code_1() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let work = spawn(&url, &["work", "--slots", "1"]);
    let (socket, _) = within(listener.accept()).await.unwrap();
    let mut socket = within(accept_async(socket)).await.unwrap();
    let reason = "too many wrong results".into();
    let close = CloseFrame { code: CloseCode::from(TURNED_AWAY), reason };
    socket.close(Some(close)).await.unwrap();
    // It goes for good, and does not connect again.
    while within(socket.next()).await.is_some_and(|frame| frame.is_ok()) {}
    let said = ended(work).await.failed(1);
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("tequio: ") && last.contains("too many wrong results"), "{said}");
}
