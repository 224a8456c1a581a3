//! `kill -9`, ten times over: the real binary is killed at random moments of a job of a million
//! tasks, with real workers, of which one is killed as well. In the end every task has its result,
//! once, and it is the right one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

use rand::rngs::{StdRng, SysRng};
use rand::{RngExt, SeedableRng, TryRng};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tequio::store::{SqliteStore, Store};
use tequio_protocol::api::{JobState, JobView};
use tequio_protocol::ids::JobId;
use tequio_protocol::op::RepeatMultiply;
use tequio_protocol::outcome::Outcome;

const TASKS: u64 = 1_000_000;
const KILLS: u64 = 10;
/// How long the test waits for what must come; it is no measure of speed.
const PATIENCE: Duration = Duration::from_secs(120);
const JOB: &str = r#"{"op":"repeat_multiply",
    "grid":{"initial":1,"factor":1.00000043,"times":"1..=1000000"}}"#;

#[test]
fn nothing_is_lost_or_counted_twice_when_the_server_is_killed_again_and_again() {
    let seed = SysRng.try_next_u64().unwrap();
    eprintln!("the moments follow from the seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let log = folder.path().join("log");
    let log = File::create(log).unwrap();

    let mut server = serve(address, folder.path(), &log);
    let job: JobView = serde_json::from_str(&request(address, "POST /api/jobs", JOB)).unwrap();
    assert_eq!((job.id, job.total), (JobId(1), TASKS));
    let mut workers = [work(address, &log), work(address, &log)];
    let mut reported = 0;
    for kill in 0..KILLS {
        // A tenth of the job each time, so that all ten fall within it.
        let enough = (kill * TASKS + random.random_range(0..TASKS)) / (KILLS + 1);
        reported = wait_for(address, |job| job.done >= enough).done.max(reported);
        sleep(Duration::from_millis(random.random_range(0..40)));
        drop(server);
        if random.random_bool(0.3) {
            workers[0] = work(address, &log);
        }
        server = serve(address, folder.path(), &log);
        let after = wait_for(address, |_| true);
        assert!(after.done >= reported, "{} were reported, {} are there", reported, after.done);
        assert_ne!(after.state, JobState::Done, "the job is to outlast the kills");
    }
    let done = wait_for(address, |job| job.state == JobState::Done);
    assert_eq!((done.done, done.failed), (TASKS, 0));
    check_results(&request(address, "GET /api/jobs/1/results", ""));
    drop(server);

    let store = SqliteStore::open(folder.path()).unwrap();
    let jobs = store.load().unwrap().jobs;
    assert_eq!((jobs[0].state, jobs[0].done, jobs[0].failed), (JobState::Done, TASKS, 0));
    let runs = store.outcomes(JobId(1), 0..TASKS, TASKS).unwrap();
    let mut next = 0;
    for run in runs {
        assert_eq!(run.first, next, "every task once, and none left out");
        for outcome in run.outcomes {
            let Outcome::Result(result) = outcome else { panic!("task {next}: {outcome:?}") };
            assert_eq!(result.0.to_bits(), right(next).to_bits(), "task {next}");
            next += 1;
        }
    }
    assert_eq!(next, TASKS);
}

fn check_results(lines: &str) {
    let mut next = 0;
    for line in lines.lines() {
        let number = line
            .strip_prefix(&format!("{{\"index\":{next},\"result\":"))
            .and_then(|rest| rest.strip_suffix('}'))
            .unwrap_or_else(|| panic!("task {next}: {line}"));
        let number: f64 = number.parse().unwrap();
        assert_eq!(number.to_bits(), right(next).to_bits(), "task {next}");
        next += 1;
    }
    assert_eq!(next, TASKS);
}

/// What task `index` comes to.
fn right(index: u64) -> f64 {
    RepeatMultiply::new(1.0, 1.000_000_43, index + 1).unwrap().compute()
}

/// A process that is killed when dropped, as by `kill -9`.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A server that listens.
fn serve(address: SocketAddr, folder: &Path, log: &File) -> Killed {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tequio"))
        .args(["serve", "--listen", &address.to_string(), "--data"])
        .arg(folder)
        .env("RUST_LOG", "info")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut console = BufReader::new(child.stderr.take().unwrap());
    let child = Killed(child);
    let mut line = String::new();
    while !line.contains("Listening on") {
        line.clear();
        assert_ne!(console.read_line(&mut line).unwrap(), 0, "the server ended");
    }
    // The rest of what it says is kept from filling the pipe.
    let mut log = log.try_clone().unwrap();
    std::thread::spawn(move || std::io::copy(&mut console, &mut log));
    child
}

fn work(address: SocketAddr, log: &File) -> Killed {
    let child = Command::new(env!("CARGO_BIN_EXE_tequio"))
        .args(["work", &format!("http://{address}"), "--slots", "1"])
        .stderr(log.try_clone().unwrap())
        .spawn()
        .unwrap();
    Killed(child)
}

/// An address that nobody listens on, and that servers can listen on again and again.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn wait_for(address: SocketAddr, is_there: impl Fn(&JobView) -> bool) -> JobView {
    let began = Instant::now();
    loop {
        let job: JobView = serde_json::from_str(&request(address, "GET /api/jobs/1", "")).unwrap();
        if is_there(&job) {
            return job;
        }
        assert!(began.elapsed() < PATIENCE, "it does not come: {job:?}");
        sleep(Duration::from_millis(2));
    }
}

/// The body of the answer to a request of HTTP/1.0, whose end is that of the connection.
fn request(address: SocketAddr, what: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    write!(stream, "{what} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(" 200 ") || head.contains(" 201 "), "{answer}");
    body.to_owned()
}
