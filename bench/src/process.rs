//! Processes that a measure starts, and ends.

use crate::metrics::Metrics;
use crate::setting::Setting;
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tequio_protocol::api::JobView;

/// What a measure waits for at the most; it is no measure of speed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// A process that is killed when dropped.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Result<Process> {
        let child = command.spawn();
        Ok(Process(child.with_context(|| format!("starting {}", command.get_program().display()))?))
    }

    /// Bytes of memory that it has in use: its resident set.
    pub(crate) fn resident(&self) -> Result<u64> {
        status_bytes(self.0.id(), "VmRSS:")
    }

    /// File descriptors that it has open.
    pub(crate) fn descriptors(&self) -> Result<usize> {
        let path = format!("/proc/{}/fd", self.0.id());
        let open = fs::read_dir(&path)
            .with_context(|| format!("descriptors are counted where there is {path}"))?;
        Ok(open.count())
    }

    /// The most that [`Process::resident`] ever was.
    pub(crate) fn resident_peak(&self) -> Result<u64> {
        resident_peak(self.0.id())
    }

    /// Begins to look for [`Process::resident_peak`] anew.
    pub(crate) fn forget_peak(&self) -> Result<()> {
        // proc(5): 5 resets the peak of the resident set.
        let path = format!("/proc/{}/clear_refs", self.0.id());
        fs::write(&path, "5").with_context(|| format!("writing {path}"))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.0
    }
}

/// The most memory that a process ever had in use, in bytes.
pub(crate) fn resident_peak(process: u32) -> Result<u64> {
    status_bytes(process, "VmHWM:")
}

/// Bytes of memory that a process has in use, and how many threads it has.
pub(crate) fn memory_and_threads(process: u32) -> Result<(u64, u64)> {
    Ok((status_bytes(process, "VmRSS:")?, status_figure(process, "Threads:")?))
}

fn status_bytes(process: u32, field: &str) -> Result<u64> {
    Ok(status_figure(process, field)? * 1024)
}

fn status_figure(process: u32, field: &str) -> Result<u64> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path)
        .with_context(|| format!("memory is measured where there is {path}"))?;
    let line = status.lines().find(|line| line.starts_with(field)).context("no such field")?;
    let figure = line.split_whitespace().nth(1).context("no figure")?;
    Ok(figure.parse()?)
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, or have been waited for.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A real server on a port of its own, over a store on disk.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) process: Process,
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    tequio: std::path::PathBuf,
    _folder: Option<TempDir>,
}

impl Server {
    /// One with an empty store.
    pub(crate) fn start(setting: &Setting) -> Result<Server> {
        let folder = setting.folder()?;
        let mut server = Server::start_on(setting, folder.path())?;
        server._folder = Some(folder);
        Ok(server)
    }

    /// One whose store is in `folder`.
    pub(crate) fn start_on(setting: &Setting, folder: &Path) -> Result<Server> {
        let (server, mut console) = Server::listening(setting, folder)?;
        // The rest of what it says is kept from filling the pipe.
        std::thread::spawn(move || std::io::copy(&mut console, &mut std::io::sink()));
        Ok(server)
    }

    /// One whose store is in `folder`, and each line of whose console is `heard`.
    pub(crate) fn start_heard(
        setting: &Setting,
        folder: &Path,
        mut heard: impl FnMut(String) + Send + 'static,
    ) -> Result<Server> {
        let (server, console) = Server::listening(setting, folder)?;
        std::thread::spawn(move || console.lines().map_while(Result::ok).for_each(&mut heard));
        Ok(server)
    }

    /// A server that listens, and the rest of what it says.
    fn listening(setting: &Setting, folder: &Path) -> Result<(Server, BufReader<ChildStderr>)> {
        let mut command = Command::new(&setting.tequio);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder);
        let mut process = Process::start(command.env_remove("RUST_LOG").stderr(Stdio::piped()))?;
        let console = process.child().stderr.take().context("its console is a pipe")?;
        let mut console = BufReader::new(console);
        let mut line = String::new();
        while !line.contains("Listening on") {
            line.clear();
            ensure!(console.read_line(&mut line)? > 0, "the server ended before it listened");
        }
        let url = line.split_once(" · open ").context("it says its address")?.1.trim().to_owned();
        let tequio = setting.tequio.clone();
        Ok((Server { process, url, tequio, _folder: None }, console))
    }

    /// `ws://127.0.0.1:PORT/ws`.
    pub(crate) fn socket(&self) -> String {
        format!("{}/ws", self.url.replacen("http", "ws", 1))
    }

    /// A native worker of one slot.
    pub(crate) fn work(&self) -> Result<Process> {
        let mut command = self.command(&["work", &self.url, "--slots", "1"]);
        Process::start(command.stderr(Stdio::null()))
    }

    /// Runs a command, which must succeed, for what it prints.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command(arguments).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "tequio {arguments:?}: {said}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// A command that talks to this server.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.tequio);
        command.args(arguments).env("TEQUIO_URL", &self.url).env_remove("RUST_LOG");
        command
    }

    /// How a job is.
    pub(crate) async fn job(&self, client: &reqwest::Client, id: u64) -> Result<JobView> {
        let answer = client.get(format!("{}/api/jobs/{id}", self.url)).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// What `/metrics` says.
    pub(crate) async fn metrics(&self, client: &reqwest::Client) -> Result<Metrics> {
        let answer = client.get(format!("{}/metrics", self.url)).send().await?;
        Ok(Metrics(answer.error_for_status()?.text().await?))
    }

    /// Tasks a second that job `id` has recorded, from `warm` tasks on to its end or over `time`.
    pub(crate) async fn rate(&self, id: u64, warm: u64, time: Duration) -> Result<f64> {
        let client = reqwest::Client::new();
        let began = Instant::now();
        let from = loop {
            let job = self.job(&client, id).await?;
            if job.done >= warm {
                break (Instant::now(), job.done);
            }
            if began.elapsed() > PATIENCE {
                bail!("job {id} does not get on: {job:?}");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        loop {
            let job = self.job(&client, id).await?;
            let elapsed = from.0.elapsed();
            if job.done == job.total || elapsed >= time {
                return Ok((job.done - from.1) as f64 / elapsed.as_secs_f64());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
