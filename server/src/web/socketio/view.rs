//! What dashboards know: jobs, workers and the newest results, as the dispatcher tells of them.

use crate::dispatcher::{Sampled, Telling};
use serde::Serialize;
use socketioxide::SendError;
use socketioxide::extract::SocketRef;
use std::collections::BTreeMap;
use tequio_protocol::api::{JobView, Pulse, WorkerView};
use tequio_protocol::ids::{JobId, WorkerId};
use tequio_protocol::live::{Changes, LiveEvent, Snapshot};
use tequio_protocol::outcome::Outcome;
use tequio_protocol::values::Value;

/// Something that a dashboard is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Thing {
    Job(JobId),
    Worker(WorkerId),
    /// The newest result of a job.
    Result(JobId),
}

/// How everything is.
#[derive(Debug, Default)]
pub(super) struct View {
    jobs: BTreeMap<JobId, JobView>,
    workers: BTreeMap<WorkerId, Worker>,
    results: BTreeMap<JobId, Sampled>,
}

#[derive(Debug)]
struct Worker {
    view: WorkerView,
    /// When it was so.
    at_ms: u64,
}

/// A job that is not shown any more.
#[derive(Serialize)]
struct Removed {
    id: JobId,
    removed: bool,
}

/// A worker that is not connected any more.
#[derive(Serialize)]
struct Left {
    id: WorkerId,
    left: bool,
}

/// One of a job's results, or an error.
#[derive(Serialize)]
struct ResultEvent<'a> {
    job: JobId,
    index: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    agent: &'a str,
}

impl View {
    /// Jobs and workers that there are; results are told of as they come.
    pub(super) fn things(&self) -> impl Iterator<Item = Thing> {
        let jobs = self.jobs.keys().copied().map(Thing::Job);
        jobs.chain(self.workers.keys().copied().map(Thing::Worker))
    }

    /// Takes in what was told, and gives what of it is other than it was.
    pub(super) fn take(&mut self, telling: &Telling) -> Vec<Thing> {
        let mut news = match &telling.event {
            LiveEvent::Snapshot(snapshot) => self.begin_anew(snapshot),
            LiveEvent::Changes(changes) => self.change(changes),
        };
        for sampled in &telling.samples {
            // It may have been removed, or be one of too many to be shown.
            if self.jobs.contains_key(&sampled.job) {
                self.results.insert(sampled.job, sampled.clone());
                news.push(Thing::Result(sampled.job));
            }
        }
        news
    }

    fn begin_anew(&mut self, snapshot: &Snapshot) -> Vec<Thing> {
        let mut news: Vec<Thing> = self.things().collect();
        let Snapshot { at_ms, jobs, workers, .. } = snapshot;
        self.jobs = jobs.iter().map(|job| (job.id, job.clone())).collect();
        let worker =
            |view: &WorkerView| (view.pulse.id, Worker { view: view.clone(), at_ms: *at_ms });
        self.workers = workers.iter().map(worker).collect();
        self.results.retain(|job, _| self.jobs.contains_key(job));
        news.extend(self.things());
        news
    }

    fn change(&mut self, changes: &Changes) -> Vec<Thing> {
        let at_ms = changes.at_ms;
        let mut news = Vec::new();
        for job in &changes.jobs {
            self.jobs.insert(job.id, job.clone());
            news.push(Thing::Job(job.id));
        }
        for id in &changes.jobs_gone {
            self.jobs.remove(id);
            self.results.remove(id);
            news.push(Thing::Job(*id));
        }
        for view in &changes.workers {
            self.workers.insert(view.pulse.id, Worker { view: view.clone(), at_ms });
            news.push(Thing::Worker(view.pulse.id));
        }
        for pulse in &changes.pulses {
            // One that is not known is told of whole when it is.
            if let Some(worker) = self.workers.get_mut(&pulse.id) {
                worker.feel(pulse, at_ms);
                news.push(Thing::Worker(pulse.id));
            }
        }
        for id in &changes.workers_gone {
            self.workers.remove(id);
            news.push(Thing::Worker(*id));
        }
        news
    }

    /// Sends how a thing is now.
    pub(super) fn emit(&self, thing: Thing, socket: &SocketRef) -> Result<(), SendError> {
        match thing {
            Thing::Job(id) => match self.jobs.get(&id) {
                Some(job) => socket.emit("job", job),
                None => socket.emit("job", &Removed { id, removed: true }),
            },
            Thing::Worker(id) => match self.workers.get(&id) {
                Some(worker) => socket.emit("worker", &worker.view),
                None => socket.emit("worker", &Left { id, left: true }),
            },
            Thing::Result(id) => match self.results.get(&id) {
                Some(sampled) => socket.emit("result", &ResultEvent::of(sampled)),
                None => Ok(()),
            },
        }
    }
}

impl Worker {
    /// The view of a worker is told of whole: who draws it need not put it together.
    fn feel(&mut self, pulse: &Pulse, at_ms: u64) {
        self.view.pulse = *pulse;
        self.view.connected_s += at_ms.saturating_sub(self.at_ms) as f64 / 1000.0;
        self.at_ms = at_ms;
    }
}

impl ResultEvent<'_> {
    fn of(sampled: &Sampled) -> ResultEvent<'_> {
        let (result, error) = match &sampled.outcome {
            Outcome::Result(result) => (Some(Value::new(result.as_str())), None),
            Outcome::Error(error) => (None, Some(error.as_str())),
        };
        let Sampled { job, index, agent, .. } = sampled;
        ResultEvent { job: *job, index: *index, result, error, agent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_the_value_that_is_recorded() {
        let event = |outcome| {
            let agent = "Test/1.0".to_owned();
            let sampled = Sampled { job: JobId(1), index: 5, outcome, agent };
            serde_json::to_string(&ResultEvent::of(&sampled)).unwrap()
        };
        for (outcome, json) in [
            (
                Outcome::Result("1.50".to_owned()),
                r#"{"job":1,"index":5,"result":1.50,"agent":"Test/1.0"}"#,
            ),
            (
                Outcome::Result(r#"{"x":["-Infinity"]}"#.to_owned()),
                r#"{"job":1,"index":5,"result":{"x":["-Infinity"]},"agent":"Test/1.0"}"#,
            ),
            (
                Outcome::Error("trap".to_owned()),
                r#"{"job":1,"index":5,"error":"trap","agent":"Test/1.0"}"#,
            ),
        ] {
            assert_eq!(event(outcome), json);
        }
    }
}
