//! What pages are told while they look: a snapshot, and then what is new, each time that somebody
//! asks. Nobody looking costs the bounded history and nothing else.

use super::stream::Stream;
use super::throughput::History;
use super::{Core, Now};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tequio_protocol::api::JobView;
use tequio_protocol::ids::{JobId, WorkerId};
use tequio_protocol::limits::{JOBS_SHOWN_MAX, LIVE_WORKERS_EVERY};
use tequio_protocol::live::{Changes, Snapshot};

/// What is kept for pages, and what they know.
#[derive(Debug, Default)]
pub(super) struct Live {
    pub(super) history: History,
    pub(super) stream: Stream,
    /// Workers that are new, or are other than they were.
    pub(super) changed: BTreeSet<WorkerId>,
    /// Workers of which something was heard.
    pub(super) busy: BTreeSet<WorkerId>,
    gone: Vec<WorkerId>,
    /// Jobs, as pages know them.
    shown: BTreeMap<JobId, JobView>,
    /// The first second whose throughput pages do not know.
    next_s: u64,
    tellings: u64,
    is_watched: bool,
}

impl Live {
    pub(super) fn left(&mut self, worker: WorkerId, now: Duration) {
        self.stream.left(worker, now);
        if self.is_watched {
            self.gone.push(worker);
        }
    }
}

impl Core {
    /// How everything is. What pages are told next is new to whoever knows this.
    pub fn snapshot(&mut self, now: Now) -> Snapshot {
        if !self.live.is_watched {
            // What was noted before is in here.
            self.changes(now);
            self.live.is_watched = true;
        }
        let (jobs, jobs_omitted) = self.shown_jobs(now.at);
        let (rows, bars) = self.live.stream.all(now.at);
        Snapshot {
            at_ms: now.at.as_millis() as u64,
            jobs: jobs.into_values().collect(),
            jobs_omitted,
            workers: self.workers(now.at),
            throughput: self.live.history.since(0, now.at),
            rows,
            bars,
        }
    }

    /// What is new since this was last called; `None` where nothing is.
    pub fn changes(&mut self, now: Now) -> Option<Changes> {
        let (jobs, jobs_omitted) = self.shown_jobs(now.at);
        let is_new = |(id, job): &(&JobId, &JobView)| self.live.shown.get(id) != Some(*job);
        let new = jobs.iter().filter(is_new).map(|(_, job)| job.clone()).collect();
        let is_gone = |id: &&JobId| !jobs.contains_key(id);
        let jobs_gone = self.live.shown.keys().filter(is_gone).copied().collect();
        self.live.shown = jobs;

        let live = &mut self.live;
        live.tellings += 1;
        let mut told = std::mem::take(&mut live.changed);
        if live.tellings.is_multiple_of(LIVE_WORKERS_EVERY) {
            told.append(&mut live.busy);
        }
        let workers_gone = std::mem::take(&mut live.gone);
        let (rows, bars) = live.stream.take_changes(now.at);
        let throughput = live.history.since(live.next_s, now.at);
        let workers = told
            .iter()
            .filter_map(|id| {
                self.workers.get(id).map(|worker| self.worker_view(*id, worker, now.at))
            })
            .collect();
        let at_ms = now.at.as_millis() as u64;
        let changes = Changes {
            at_ms,
            jobs: new,
            jobs_gone,
            jobs_omitted,
            workers,
            workers_gone,
            throughput,
            rows,
            bars,
        };
        is_worth_telling(&changes).then(|| {
            self.live.next_s = now.at.as_secs();
            changes
        })
    }

    /// Nobody looks any more.
    pub fn unwatch(&mut self) {
        self.live.is_watched = false;
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

/// Seconds in which nothing happened can wait until something does.
fn is_worth_telling(changes: &Changes) -> bool {
    !changes.jobs.is_empty()
        || !changes.jobs_gone.is_empty()
        || !changes.workers.is_empty()
        || !changes.workers_gone.is_empty()
        || !changes.throughput.tasks.is_empty()
        || changes.rows.is_some()
        || !changes.bars.is_empty()
}
