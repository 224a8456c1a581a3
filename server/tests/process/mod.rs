//! The real binary in processes of its own, for tests that have no runtime: they kill it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tequio_protocol::api::JobView;

/// How long a test waits for what must come; it is no measure of speed.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process that is killed when dropped, as by `kill -9`.
pub(crate) struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Killed {
    #[allow(dead_code, reason = "not every test asks")]
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

/// A server that listens on `listen` and keeps its jobs in `folder`, and its address.
pub(crate) fn serve(listen: &str, folder: &Path) -> (Killed, String) {
    let mut child = command(&["serve", "--listen", listen, "--data"])
        .arg(folder)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut console = BufReader::new(child.stderr.take().unwrap());
    let server = Killed(child);
    let mut line = String::new();
    while !line.contains("Listening on") {
        line.clear();
        assert_ne!(console.read_line(&mut line).unwrap(), 0, "the server ended");
    }
    let url = line.split_once(" · open ").unwrap().1.trim().to_owned();
    // The rest of what it says is kept from filling the pipe.
    std::thread::spawn(move || std::io::copy(&mut console, &mut std::io::sink()));
    (server, url)
}

/// A worker of one slot.
pub(crate) fn work(url: &str) -> Killed {
    Killed(command(&["work", url, "--slots", "1"]).stderr(Stdio::null()).spawn().unwrap())
}

/// Submits the job whose task `n` is `1.00000043^(n + 1)`; it is the server's first.
pub(crate) fn submit(url: &str, tasks: u64) {
    let times = format!("1..={tasks}");
    let grid = ["--initial", "1", "--factor", "1.00000043", "--times", &times];
    tequio(url, &[["submit", "repeat_multiply"].as_slice(), &grid].concat());
}

/// The server's first job, when it is as it is waited for.
pub(crate) fn wait_for(url: &str, is_there: impl Fn(&JobView) -> bool) -> JobView {
    let began = Instant::now();
    loop {
        let job: JobView = serde_json::from_str(&tequio(url, &["job", "1", "--json"])).unwrap();
        if is_there(&job) {
            return job;
        }
        assert!(began.elapsed() < PATIENCE, "it does not come: {job:?}");
        sleep(Duration::from_millis(2));
    }
}

/// Runs a command, which must succeed, for what it prints.
pub(crate) fn tequio(url: &str, arguments: &[&str]) -> String {
    let output = command(arguments).env("TEQUIO_URL", url).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tequio"));
    command.args(arguments).env_remove("RUST_LOG");
    command
}
