//! One flood after the other, each against a server of its own: beside idle workers, honest ones that
//! compute a job, and an honest client. What is measured is a [`Row`] each.
//!
//! Everything that is no part of the server runs with a lower priority than the server and the honest
//! client: strangers have machines of their own, and this one has few cores.

use super::crowd::address;
use super::floods::{self, Beside, Flood};
use super::honest::Honest;
use super::jobs::Work;
use super::row::Row;
use super::worker::{Kind, Leaving, Tally, Worker};
use super::{Api, Complaints, Soak};
use crate::measures::part;
use crate::process::{Process, Server};
use crate::setting::Setting;
use anyhow::{Context, Result, bail, ensure};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tequio_protocol::api::JobView;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};
use tokio::time::{Instant, interval, sleep, timeout};

/// How long honest workers compute before anything is measured: leases have grown to their size by then.
const WARM: Duration = Duration::from_secs(8);

/// How long things are looked at before a flood begins.
const BEFORE: Duration = Duration::from_secs(5);

/// How long a flood may take to be there before it is measured beside.
const RISING: Duration = Duration::from_secs(1);

/// How long after a flood a server has given back what it will. A peer that is gone is noticed at once, one
/// that fell silent or lingers has some 15 seconds, and the allocator is asked every five.
const SETTLING: Duration = Duration::from_secs(30);

/// How often the server's memory and threads are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// How often it is asked what it has recorded.
const POLL: Duration = Duration::from_millis(250);

/// A flood that a server does not hold is ended at so much memory, before the machine suffers.
const MEMORY_STOP: u64 = 3 << 30;

/// How often one of the honest workers loses its connection and comes back to its session.
const RETURN: Duration = Duration::from_millis(500);

/// How long a flood's process may take to say what came of it.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// How long a server may take to end that is asked to, before it is killed.
const END_PATIENCE: Duration = Duration::from_secs(60);

/// How long honest workers may take to leave.
const LEAVE_PATIENCE: Duration = Duration::from_secs(30);

/// What all of a crowd is nicer by than the server.
const NICE: &str = "5";

/// Plays all floods that are asked for, and returns an error where one was not held.
pub(super) fn run(setting: &Setting, soak: &Soak, floods: &[&'static Flood]) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let mut rows = Vec::new();
    Row::print_head();
    for flood in floods {
        eprintln!("▸ {}", flood.what);
        let row = match runtime.block_on(play(setting, soak, flood)) {
            Ok(row) => row,
            Err(error) => Row { faults: vec![format!("{error:#}")], ..Row::of(flood) },
        };
        row.print();
        rows.push(row);
    }
    let failed: Vec<&str> =
        rows.iter().filter(|row| !row.failures().is_empty()).map(|row| row.name).collect();
    if !failed.is_empty() {
        bail!("floods that were not held: {}", failed.join(", "));
    }
    Ok(())
}

/// A server and who is there before a flood comes.
struct Scene {
    server: Server,
    folder: TempDir,
    address: SocketAddr,
    api: Api,
    log: Arc<AtomicU64>,
    complaints: Complaints,
    job: JobView,
    work: Work,
    workers: Workers,
    _idle: Process,
}

async fn play(setting: &Setting, soak: &Soak, flood: &'static Flood) -> Result<Row> {
    let scene = Scene::set(setting, soak, flood).await?;
    let mut row = Row::of(flood);
    let honest = Honest::new(scene.address, scene.job.id)?;
    sleep(WARM).await;
    (row.before, row.waits_before) = tokio::join!(scene.pace(BEFORE), honest.ask_on(BEFORE));
    ensure!(row.before.tasks_a_second > 0.0, "honest workers record nothing before the flood");

    row.memory_before = scene.server.process.resident()?;
    let log_before = scene.log.load(Ordering::Relaxed);
    scene.server.process.forget_peak()?;
    let (time, scale) = (Duration::from_secs(soak.flood_seconds), soak.flood_scale);
    let mut waters = Waters::start(flood, &scene, scale)?;
    let peak = Peak::watch(&scene.server, waters.process.id());
    sleep(RISING).await;
    (row.during, row.waits) = tokio::join!(scene.pace(time), honest.ask_on(time));
    row.log_bytes = scene.log.load(Ordering::Relaxed) - log_before;
    row.memory_peak = scene.server.process.resident_peak()?;
    let said = scene.api.get::<JobView>(&format!("/api/jobs/{}", scene.job.id)).await?;
    row.failed_share = said.failed as f64 / (said.done + said.failed).max(1) as f64;

    if flood.beside == Beside::Stopped {
        let Scene { mut server, folder, workers, work, complaints, .. } = scene;
        row.note_workers(workers.leave().await);
        row.threads = peak.end();
        row.end = Some(end(&mut server).await?);
        row.toll = waters.recede().await?;
        row.console(&complaints);
        drop((server, work));
        return check_kept(setting, folder, &said, row).await;
    }
    row.toll = waters.recede().await?;
    row.threads = peak.end();
    row.memory_after = scene.settle(row.memory_before + super::row::KEPT_MAX).await?;
    let Scene { server, folder, api, workers, work, complaints, .. } = scene;
    row.note_workers(workers.leave().await);
    if flood.beside == Beside::Checked {
        let (wrong, looked_at) = work.wrong_results(&api, said.id).await?;
        row.wrong_share = Some(wrong as f64 / looked_at.max(1) as f64);
    }
    row.console(&complaints);
    // It is killed: what it had said to be on disk is there for the next one.
    drop(server);
    check_kept(setting, folder, &said, row).await
}

/// A server that is started anew knows at least what the one before it had said.
async fn check_kept(
    setting: &Setting,
    folder: TempDir,
    said: &JobView,
    mut row: Row,
) -> Result<Row> {
    let server = Server::start_on(setting, folder.path())?;
    let api = Api { client: reqwest::Client::new(), url: server.url.clone() };
    let kept: JobView = api.get(&format!("/api/jobs/{}", said.id)).await?;
    if kept.done < said.done || kept.failed < said.failed {
        row.faults.push(format!(
            "started again, the server knows {} results, and had said {}",
            kept.done, said.done
        ));
    }
    Ok(row)
}

/// Asks a server to end; gives how long that took.
async fn end(server: &mut Server) -> Result<Duration> {
    let asked = Instant::now();
    let status = Command::new("kill").arg(server.process.id().to_string()).status()?;
    ensure!(status.success(), "kill says {status}");
    while asked.elapsed() < END_PATIENCE {
        if server.process.child().try_wait()?.is_some() {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    Ok(asked.elapsed())
}

impl Scene {
    async fn set(setting: &Setting, soak: &Soak, flood: &Flood) -> Result<Scene> {
        let folder = setting.folder()?;
        let (log, complaints) = (Arc::new(AtomicU64::new(0)), Complaints::default());
        let heard = {
            let (log, complaints) = (log.clone(), complaints.clone());
            move |line: String| {
                log.fetch_add(line.len() as u64 + 1, Ordering::Relaxed);
                complaints.hear(line);
            }
        };
        let server = Server::start_heard(setting, folder.path(), heard)?;
        let api = Api { client: reqwest::Client::new(), url: server.url.clone() };
        let address = address(&server)?;
        let idle = gather(&server.socket(), soak.idle)?;
        let work = match flood.beside {
            Beside::Lines => Work::lines(),
            _ => Work::endless()?,
        };
        let job = work.submit(&api, 0).await.context("submitting the honest job")?;
        let workers = Workers::come(address, flood.beside);
        Ok(Scene { server, folder, address, api, log, complaints, job, work, workers, _idle: idle })
    }

    /// How the work of honest workers goes on for so long. What strangers answer is no part of it; but
    /// where nothing at all is recorded, honest work stands still as well.
    async fn pace(&self, time: Duration) -> Pace {
        let began = Instant::now();
        let (mut answered, mut recorded) = (Vec::new(), Vec::new());
        while began.elapsed() < time {
            let count = self.workers.tally.answered.load(Ordering::Relaxed) as f64;
            answered.push((Instant::now(), count));
            // One that is not answered is seen by what follows.
            if let Ok(metrics) = self.api.metrics().await {
                recorded.push((Instant::now(), metrics.value("tequio_tasks_recorded_total")));
            }
            sleep(POLL).await;
        }
        let ended = Instant::now();
        let honest = Pace::of(&answered, began, ended);
        let all = Pace::of(&recorded, began, ended);
        Pace { stood_still: honest.stood_still.max(all.stood_still), ..honest }
    }

    /// Waits until the server has given back what it took, or its time for that is over; gives what it
    /// has in use then.
    async fn settle(&self, enough: u64) -> Result<u64> {
        let began = Instant::now();
        loop {
            let resident = self.server.process.resident()?;
            if resident <= enough && began.elapsed() > RISING || began.elapsed() > SETTLING {
                return Ok(resident);
            }
            sleep(POLL).await;
        }
    }
}

/// How quickly results came.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    pub(super) tasks_a_second: f64,
    /// The longest time in which nothing came.
    pub(super) stood_still: Duration,
}

impl Pace {
    /// Of counts and when they were seen.
    fn of(counts: &[(Instant, f64)], began: Instant, ended: Instant) -> Pace {
        let [(first_at, first), .., (_, last)] = counts else {
            return Pace { tasks_a_second: 0.0, stood_still: ended - began };
        };
        let (mut moved_at, mut seen, mut stood_still) = (*first_at, *first, Duration::ZERO);
        for (at, count) in counts {
            if *count > seen {
                (moved_at, seen) = (*at, *count);
            }
            stood_still = stood_still.max(*at - moved_at);
        }
        let tasks_a_second = (last - first) / (ended - *first_at).as_secs_f64();
        Pace { tasks_a_second, stood_still: stood_still.max(ended - moved_at) }
    }
}

// ---- Processes beside the server ------------------------------------------------------------------

/// This program as another part of itself, nicer than the server.
fn nicely(arguments: &[String]) -> Result<Command> {
    let mut command = Command::new("nice");
    command.args(["-n", NICE]).arg(std::env::current_exe()?).args(arguments);
    Ok(command)
}

/// So many workers that are connected and lend no slot.
fn gather(url: &str, workers: u32) -> Result<Process> {
    let arguments = ["crowd", url, &workers.to_string(), "0"].map(str::to_owned);
    let mut process = Process::start(nicely(&arguments)?.stdout(Stdio::piped()))?;
    let stdout = process.child().stdout.take().context("it answers through a pipe")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    ensure!(line.trim() == "all are there", "{workers} idle workers could not come");
    Ok(process)
}

/// A flood that is being played.
struct Waters {
    process: Process,
}

impl Waters {
    fn start(flood: &Flood, scene: &Scene, scale: f64) -> Result<Waters> {
        let mut arguments = vec![part::FLOOD.to_owned()];
        arguments.extend(floods::arguments(flood, scene.address, scene.job.id, scale));
        let mut command = nicely(&arguments)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Ok(Waters { process: Process::start(&mut command)? })
    }

    /// Ends it; gives what it says of itself.
    async fn recede(&mut self) -> Result<String> {
        drop(self.process.child().stdin.take());
        let stdout = self.process.child().stdout.take().context("it answers through a pipe")?;
        let words = spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).map(|_| line.trim().to_owned())
        });
        let words = timeout(LAST_WORDS, words).await;
        // One that was ended early, or cannot speak for its work, says nothing.
        let words = words.ok().and_then(Result::ok).and_then(Result::ok).unwrap_or_default();
        self.process.child().kill().ok();
        Ok(words)
    }
}

/// The most that a server was seen to have of threads, while a task looks at it.
struct Peak {
    threads: Arc<AtomicU64>,
    looking: JoinHandle<()>,
}

impl Peak {
    /// Looks at the server, and ends the flood's process where the server takes far too much.
    fn watch(server: &Server, flood: u32) -> Peak {
        let threads = Arc::new(AtomicU64::new(0));
        let (most, process) = (threads.clone(), server.process.id());
        let looking = tokio::spawn(async move {
            let mut look = interval(LOOK);
            loop {
                look.tick().await;
                // A server that has ended has none.
                let Ok((resident, now)) = crate::process::memory_and_threads(process) else {
                    return;
                };
                most.fetch_max(now, Ordering::Relaxed);
                if resident > MEMORY_STOP {
                    Command::new("kill").args(["-9", &flood.to_string()]).status().ok();
                    return;
                }
            }
        });
        Peak { threads, looking }
    }

    fn end(self) -> u64 {
        self.looking.abort();
        self.threads.load(Ordering::Relaxed)
    }
}

// ---- Honest workers -------------------------------------------------------------------------------

/// Workers that compute, two of whom lose their connection each second.
struct Workers {
    tally: Arc<Tally>,
    living: JoinSet<Result<()>>,
    seats: Arc<Vec<mpsc::Sender<Leaving>>>,
    returning: JoinHandle<()>,
}

/// What honest workers met.
#[derive(Debug, Default)]
pub(super) struct Met {
    pub(super) faults: Vec<String>,
    pub(super) resumed: u64,
    pub(super) forgotten: u64,
}

impl Workers {
    fn come(address: SocketAddr, beside: Beside) -> Workers {
        let (count, task_time) = match beside {
            Beside::Grid | Beside::Stopped => (100, Duration::from_micros(50)),
            Beside::Lines => (100, Duration::from_micros(400)),
            Beside::Few => (20, Duration::from_micros(50)),
            Beside::Checked => (14, Duration::from_micros(100)),
        };
        let (tally, connecting) = (Arc::new(Tally::default()), Arc::new(Semaphore::new(16)));
        let (mut living, mut seats) = (JoinSet::new(), Vec::new());
        for number in 0..count {
            let (seat, orders) = mpsc::channel(4);
            let (connecting, tally) = (connecting.clone(), tally.clone());
            let worker = Worker::new(address, number, Kind::Leases, orders, connecting, tally);
            living.spawn(worker.with_task_time(task_time).live());
            seats.push(seat);
        }
        let seats = Arc::new(seats);
        let returning = tokio::spawn({
            let seats = seats.clone();
            async move {
                sleep(WARM).await;
                for seat in seats.iter().cycle() {
                    sleep(RETURN).await;
                    seat.try_send(Leaving::Returning).ok();
                }
            }
        });
        Workers { tally, living, seats, returning }
    }

    /// Has all leave; gives what they met meanwhile.
    async fn leave(mut self) -> Met {
        self.returning.abort();
        for seat in self.seats.iter() {
            seat.send(Leaving::Closing).await.ok();
        }
        let mut met = Met::default();
        let leaving = async {
            while let Some(ended) = self.living.join_next().await {
                match ended {
                    Ok(Ok(())) => {}
                    Ok(Err(fault)) => met.faults.push(format!("{fault:#}")),
                    Err(panicked) => met.faults.push(panicked.to_string()),
                }
            }
        };
        if timeout(LEAVE_PATIENCE, leaving).await.is_err() {
            met.faults.push("honest workers cannot leave".to_owned());
        }
        met.resumed = self.tally.resumed.load(Ordering::Relaxed);
        met.forgotten = self.tally.forgotten.load(Ordering::Relaxed);
        met
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standing_still_is_seen_at_the_end_too() {
        let began = Instant::now();
        let at = |ms: u64| began + Duration::from_millis(ms);
        let recorded = [(at(0), 5.0), (at(1000), 10.0), (at(2000), 10.0), (at(3000), 25.0)];
        let pace = Pace::of(&recorded, began, at(4000));
        assert_eq!(pace.tasks_a_second, 5.0);
        assert_eq!(pace.stood_still, Duration::from_secs(1));
        let pace = Pace::of(&recorded, began, at(8000));
        assert_eq!(pace.stood_still, Duration::from_secs(5));
        assert_eq!(Pace::of(&[], began, at(2000)).stood_still, Duration::from_secs(2));
    }
}
