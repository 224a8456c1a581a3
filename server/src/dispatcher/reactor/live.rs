//! What pages are told while they look: a snapshot, and then what is new, each time that somebody
//! asks. Nobody looking costs the bounded history and nothing else.

use super::stream::Stream;
use super::throughput::History;
use super::worker::Worker;
use super::{Now, Reactor};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tequio_protocol::api::JobView;
use tequio_protocol::ids::{JobId, WorkerId};
use tequio_protocol::limits::{JOBS_SHOWN_MAX, LIVE_PULSES_MAX};
use tequio_protocol::live::{Changes, Snapshot};
use tequio_protocol::outcome::Outcome;

/// What is kept for pages, and what they know.
#[derive(Debug, Default)]
pub(super) struct Live {
    pub(super) history: History,
    pub(super) stream: Stream,
    /// Workers that are new, or are other than they were.
    pub(super) changed: BTreeSet<WorkerId>,
    /// Workers of which something was heard.
    pub(super) busy: BTreeSet<WorkerId>,
    /// The last of those that were told of: the next ones' turn is next.
    pulsed: u64,
    gone: Vec<WorkerId>,
    /// Jobs, as pages know them.
    shown: BTreeMap<JobId, JobView>,
    omitted: u32,
    /// The first second whose throughput pages do not know.
    next_s: u64,
    /// Of each job the newest of its samples that nobody was told of.
    samples: BTreeMap<JobId, Sampled>,
    is_watched: bool,
    started_at_ms: Option<u64>,
}

/// One of the outcomes that came to the disk together. Of a job, whoever looks is told of one at each
/// telling, whatever its tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled {
    /// The job.
    pub job: JobId,
    /// The task.
    pub index: u64,
    /// What it ended with.
    pub outcome: Outcome,
    /// The user agent of what computed it.
    pub agent: String,
}

impl Live {
    pub(super) fn sample(&mut self, sample: Sampled) {
        if self.is_watched {
            self.samples.insert(sample.job, sample);
        }
    }

    pub(super) fn left(&mut self, worker: WorkerId, now: Duration) {
        self.stream.left(worker, now);
        self.changed.remove(&worker);
        self.busy.remove(&worker);
        if self.is_watched {
            self.gone.push(worker);
        }
    }

    /// The next of the busy workers, so many at most, in turn.
    fn take_busy(&mut self) -> Vec<WorkerId> {
        let behind = self.busy.split_off(&WorkerId(self.pulsed + 1));
        let next = behind.into_iter().chain(std::mem::take(&mut self.busy));
        let mut next: Vec<WorkerId> = next.collect();
        self.busy = next.split_off(next.len().min(LIVE_PULSES_MAX)).into_iter().collect();
        self.pulsed = next.last().map_or(0, |last| last.0);
        next
    }
}

impl Reactor {
    /// How everything is. Whoever looks already is told first what is new: from here on, all are
    /// told what differs from this.
    pub fn snapshot(&mut self, now: Now) -> Snapshot {
        self.live.is_watched = true;
        let at_ms = now.at.as_millis() as u64;
        // Once: the clock on the wall may be set while the server runs.
        let started_at_ms =
            *self.live.started_at_ms.get_or_insert(now.unix_ms.saturating_sub(at_ms));
        let (jobs, jobs_omitted) = self.shown_jobs(now.at);
        let (rows, bars) = self.live.stream.all(now.at);
        Snapshot {
            at_ms,
            started_at_ms,
            jobs: jobs.into_values().collect(),
            jobs_omitted,
            workers: self.workers(now.at),
            throughput: self.live.history.since(0, now.at),
            rows,
            bars,
        }
    }

    /// What is new since this was last called; nothing but the time where nothing is.
    pub fn changes(&mut self, now: Now) -> Changes {
        let (jobs, jobs_omitted) = self.shown_jobs(now.at);
        let is_new = |(id, job): &(&JobId, &JobView)| self.live.shown.get(id) != Some(*job);
        let new = jobs.iter().filter(is_new).map(|(_, job)| job.clone()).collect();
        let is_gone = |id: &&JobId| !jobs.contains_key(id);
        let jobs_gone = self.live.shown.keys().filter(is_gone).copied().collect();
        self.live.shown = jobs;

        let live = &mut self.live;
        let (changed, busy) = (std::mem::take(&mut live.changed), live.take_busy());
        let workers_gone = std::mem::take(&mut live.gone);
        let (rows, bars) = live.stream.take_changes(now.at);
        let throughput = live.history.since(live.next_s, now.at);
        live.next_s = now.at.as_secs();
        let known = |id: WorkerId| self.workers.get(&id).map(|worker| (id, worker));
        let workers = changed.into_iter().filter_map(known);
        let pulses = busy.into_iter().filter_map(known);
        let pulse = |(id, worker): (WorkerId, &Worker)| {
            worker.pulse(id, self.scheduler.leases_of(id), now.at)
        };
        Changes {
            at_ms: now.at.as_millis() as u64,
            jobs: new,
            jobs_gone,
            jobs_omitted,
            workers: workers.map(|(id, worker)| self.worker_view(id, worker, now.at)).collect(),
            pulses: pulses.map(pulse).collect(),
            workers_gone,
            throughput,
            rows,
            bars,
        }
    }

    /// Whether anything of it is new. Seconds in which nothing happened can wait until something
    /// does.
    pub fn is_news(&mut self, changes: &Changes) -> bool {
        let omitted = std::mem::replace(&mut self.live.omitted, changes.jobs_omitted);
        omitted != changes.jobs_omitted
            || !changes.jobs.is_empty()
            || !changes.jobs_gone.is_empty()
            || !changes.workers.is_empty()
            || !changes.pulses.is_empty()
            || !changes.workers_gone.is_empty()
            || !changes.throughput.tasks.is_empty()
            || changes.rows.is_some()
            || !changes.bars.is_empty()
    }

    /// Samples since this was last called, one a job.
    pub fn take_samples(&mut self) -> Vec<Sampled> {
        std::mem::take(&mut self.live.samples).into_values().collect()
    }

    /// Nobody looks any more.
    pub fn unwatch(&mut self) {
        self.live.is_watched = false;
        self.live.samples.clear();
    }

    /// All jobs that are not over, and the newest of the others, up to a limit; and how many are
    /// left out.
    fn shown_jobs(&self, now: Duration) -> (BTreeMap<JobId, JobView>, u32) {
        let (over, active): (Vec<_>, Vec<_>) =
            self.jobs.iter().rev().partition(|(_, job)| job.state.is_over());
        let shown = active.into_iter().chain(over).take(JOBS_SHOWN_MAX);
        let shown: BTreeMap<JobId, JobView> =
            shown.map(|(id, job)| (*id, self.job_view(*id, job, now))).collect();
        let omitted = self.jobs.len() - shown.len();
        (shown, omitted as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Control, FromWorker, HowLeft};
    use super::*;
    use crate::connection::Peer;
    use crate::metrics::Metrics;
    use crate::store::{NewJob, StoredJob};
    use tequio_protocol::api::{JobState, WorkerKind};
    use tequio_protocol::message::{Hello, PROTOCOL, WorkerMessage};
    use tequio_protocol::op::OpId;

    fn reactor() -> Reactor {
        Reactor::new(None, 0, Vec::new(), 1, Metrics::default().into(), at(0))
    }

    fn at(ms: u64) -> Now {
        Now { at: Duration::from_millis(ms), unix_ms: ms }
    }

    fn add_job(reactor: &mut Reactor, id: u64) {
        let grid = serde_json::from_str(r#"{"initial":1,"factor":1,"times":1}"#).ok();
        let op = OpId::new("repeat_multiply");
        let job = StoredJob {
            id: JobId(id),
            job: NewJob::of(op, grid),
            total: 1,
            is_open: false,
            appended_at_ms: 0,
            state: JobState::Running,
            done: 0,
            failed: 0,
            audited: 0,
            recorded: Vec::new(),
            trouble: None,
        };
        reactor.add_job(job, at(0));
    }

    fn connect(reactor: &mut Reactor) -> WorkerId {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 1)).into();
        reactor.connected(Peer { address, path: "/".to_owned(), agent: None }, at(0))
    }

    #[test]
    fn what_changes_back_between_two_tellings_is_told_to_whom_a_snapshot_came_between() {
        let mut reactor = reactor();
        add_job(&mut reactor, 1);
        reactor.changes(at(0));
        reactor.snapshot(at(0));
        reactor.control(JobId(1), Control::Pause).unwrap();
        // As the feed does for a second page.
        assert_eq!(reactor.changes(at(1)).jobs[0].state, JobState::Paused);
        assert_eq!(reactor.snapshot(at(1)).jobs[0].state, JobState::Paused);
        reactor.control(JobId(1), Control::Resume).unwrap();
        assert_eq!(reactor.changes(at(2)).jobs[0].state, JobState::Running);
    }

    #[test]
    fn a_silent_server_says_how_many_jobs_it_does_not_tell_of() {
        let mut reactor = reactor();
        for id in 0..JOBS_SHOWN_MAX as u64 + 3 {
            add_job(&mut reactor, id);
        }
        let first = reactor.changes(at(0));
        assert_eq!((first.jobs.len(), first.jobs_omitted), (JOBS_SHOWN_MAX, 3));
        assert!(reactor.is_news(&first));
        let silence = reactor.changes(at(1));
        assert_eq!((silence.jobs.len(), silence.jobs_omitted), (0, 3));
        assert!(!reactor.is_news(&silence));
        // One that nobody sees has gone.
        reactor.control(JobId(0), Control::Cancel).unwrap();
        reactor.forget_job(JobId(0));
        let fewer = reactor.changes(at(2));
        assert_eq!((fewer.jobs_gone.len(), fewer.jobs_omitted), (0, 2));
        assert!(reactor.is_news(&fewer));
    }

    #[test]
    fn workers_that_come_and_go_leave_nothing_while_nobody_looks() {
        let mut reactor = reactor();
        for _ in 0..3 {
            let worker = connect(&mut reactor);
            reactor.live.busy.insert(worker);
            reactor.disconnected(worker, "gone", HowLeft::Broken, at(1));
        }
        assert!(reactor.live.changed.is_empty() && reactor.live.busy.is_empty());
        assert!(reactor.live.gone.is_empty());
    }

    #[test]
    fn a_worker_that_says_what_it_is_is_told_of_anew() {
        let mut reactor = reactor();
        let worker = connect(&mut reactor);
        assert_eq!(reactor.changes(at(0)).workers[0].slots, 1);
        let hello = Hello {
            protocol: PROTOCOL,
            agent: "tequio/1 (linux; x86_64)".to_owned(),
            slots: 8,
            worker: "w".to_owned(),
            ops: vec!["repeat_multiply".to_owned()],
            resume: None,
        };
        let hello = FromWorker::Message(WorkerMessage::Hello(hello));
        reactor.received(worker, hello, at(1));
        let told = reactor.changes(at(2)).workers;
        assert_eq!((told[0].slots, told[0].kind), (8, WorkerKind::Native));
    }

    #[test]
    fn busy_workers_are_told_of_in_turn() {
        let mut reactor = reactor();
        let all: BTreeSet<WorkerId> =
            (0..2 * LIVE_PULSES_MAX + 5).map(|_| connect(&mut reactor)).collect();
        reactor.changes(at(0));
        let mut told = Vec::new();
        for _ in 0..3 {
            // Those that were told of are busy again.
            reactor.live.busy.extend(&all);
            told.extend(reactor.changes(at(1)).pulses.iter().map(|pulse| pulse.id));
        }
        assert_eq!(told.len(), 3 * LIVE_PULSES_MAX);
        assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), all, "nobody is passed over");
    }
}
