//! What commands say while they wait, and to whom nobody listens.

use crate::support::{Client, Server, Worker, binary, eights, run, spawn, until, within};
use std::fs::File;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr};

const GRID: &[&str] =
    &["submit", "repeat_multiply", "--initial", "0..100", "--factor", "2", "--times", "3"];

fn says(child: &mut Child) -> Lines<BufReader<ChildStderr>> {
    BufReader::new(child.stderr.take().unwrap()).lines()
}

async fn next(says: &mut Lines<BufReader<ChildStderr>>) -> String {
    within(says.next_line()).await.unwrap().unwrap_or_default()
}

#[tokio::test]
async fn whoever_waits_without_a_worker_is_told_so_and_that_one_came() {
    let server = Server::start().await;
    let url = server.url();
    let mut submit = spawn(&url, &[GRID, &["--wait"]].concat());
    let mut submit_says = says(&mut submit);
    assert_eq!(next(&mut submit_says).await, "tequio: job 1 submitted: 100 tasks");
    let mut map = spawn(&url, &["map", "repeat_multiply"]);
    let mut map_says = says(&mut map);
    let mut stdin = map.stdin.take().unwrap();
    stdin.write_all(eights(0..3).as_bytes()).await.unwrap();
    let mut follow = spawn(&url, &["results", "1", "--follow"]);
    let mut follow_says = says(&mut follow);
    for says in [&mut submit_says, &mut map_says, &mut follow_says] {
        let said = next(says).await;
        assert!(said.starts_with("tequio: no worker is connected"), "{said}");
        assert!(said.contains("`tequio work`"), "{said}");
    }
    let worker = Worker::start(&server);
    drop(stdin);
    for child in [&mut submit, &mut map, &mut follow] {
        // What is printed fits into the pipe.
        assert_eq!(within(child.wait()).await.unwrap().code(), Some(0));
    }
    for says in [&mut submit_says, &mut map_says] {
        let said = next(says).await;
        assert!(said.is_empty() || said.starts_with("tequio: now 1 worker"), "{said}");
    }
    worker.stop().await;
}

#[tokio::test]
async fn whoever_waits_for_a_worker_that_holds_the_job_hears_that_it_came() {
    let server = Server::start_with(None).await;
    let mut submit = spawn(&server.url(), &[GRID, &["--wait"]].concat());
    let mut says = says(&mut submit);
    assert!(next(&mut says).await.contains("submitted"));
    assert!(next(&mut says).await.contains("no worker is connected"));
    let mut client = Client::connect(&server).await;
    client.receive().await;
    assert_eq!(next(&mut says).await, "tequio: now 1 worker");
}

#[tokio::test]
async fn whoever_waits_for_a_paused_job_is_told_so() {
    let server = Server::start().await;
    let url = server.url();
    server.submit("/api/jobs?op=repeat_multiply", eights(0..3)).await;
    run(&url, &["pause", "1"]).await;
    let mut follow = spawn(&url, &["results", "1", "--follow"]);
    let mut says = says(&mut follow);
    let said = next(&mut says).await;
    assert_eq!(said, "tequio: job 1 is paused; `tequio resume 1` goes on with it");
}

/// A device on which there is never any room.
#[cfg(target_os = "linux")]
fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_stderr_is_no_reason_to_fail() {
    let server = Server::start().await;
    let url = server.url();
    let worker = Worker::start(&server);
    let skipping = ["map", "repeat_multiply", "--skip-invalid"];
    for (arguments, stdin, code) in [
        (&["job", "99"][..], String::new(), 1),
        (&["results", "99", "--follow"], String::new(), 1),
        (&[], String::new(), 2),
        (&[GRID, &["--wait"]].concat()[..], String::new(), 0),
        (&skipping, eights(0..2) + "rubbish\n", 0),
        (&["submit", "repeat_multiply", "--input", "-", "--skip-invalid"], eights(0..1) + "x", 0),
        (&["echo", "ws://127.0.0.1:9/echo", "x"], String::new(), 1),
    ] {
        let mut child = binary()
            .args(arguments)
            .env("TEQUIO_URL", &url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(full())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(stdin.as_bytes()).await.ok();
        drop(input);
        let ended = within(child.wait_with_output()).await.unwrap();
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {ended:?}");
    }
    worker.stop().await;
    // A server goes on, whatever becomes of its log, and so does a worker.
    let mut serve = binary()
        .args(["serve", "--memory", "--listen", "0.0.0.0:0"])
        .stderr(full())
        .spawn()
        .unwrap();
    let mut work = binary().args(["work", &url]).stderr(full()).spawn().unwrap();
    until(async || (!server.workers().await.is_empty()).then_some(())).await;
    crate::support::interrupt(&mut work).await;
    assert_eq!(within(work.wait()).await.unwrap().code(), Some(0));
    crate::support::interrupt(&mut serve).await;
    assert_eq!(within(serve.wait()).await.unwrap().code(), Some(0));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_stdout_is_an_error_and_no_panic() {
    let server = Server::start().await;
    let url = server.url();
    let worker = Worker::start(&server);
    server.submit("/api/jobs?op=repeat_multiply", eights(0..10)).await;
    server.job_over(1).await;
    for arguments in [
        &["results", "1"][..],
        &["results", "1", "--follow", "--format", "csv"],
        &["jobs"],
        &["job", "1", "--json"],
        &["workers"],
        GRID,
        &["--help"],
        &["--version"],
    ] {
        let mut command = binary();
        command.args(arguments).env("TEQUIO_URL", &url).stdout(full()).stderr(Stdio::piped());
        let ran = within(command.spawn().unwrap().wait_with_output()).await.unwrap();
        assert_eq!(ran.status.code(), Some(1), "{arguments:?}: {ran:?}");
        let said = String::from_utf8(ran.stderr).unwrap();
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    }
    worker.stop().await;
}
