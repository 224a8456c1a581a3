//! Outcomes on their way to the disk, and how the store is.

use super::answers::Claimant;
use super::{Effect, Now, Reactor, Sampled};
use crate::agent::Agent;
use crate::native;
use crate::store::Recording;
use std::ops::Range;
use tequio_protocol::api::WorkerKind;
use tequio_protocol::ids::JobId;
use tequio_protocol::message::DurationMs;
use tequio_protocol::outcome::Outcome;
use tequio_scheduler::{Accepted, By};
use tracing::{debug, debug_span, info, warn};

/// Outcomes that are on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Of which job.
    pub job: JobId,
    /// Which tasks.
    pub range: Range<u64>,
    /// How many of them are errors.
    pub failed: u64,
    /// How many of them the server has computed as well.
    pub audited: u64,
    /// What computed them.
    pub kind: WorkerKind,
    /// The first of them, and the user agent that computed it.
    pub first: Option<(Outcome, String)>,
}

impl Recorded {
    /// What is on disk once these are: neighbours are often of one kind of worker.
    pub fn all(recordings: impl IntoIterator<Item = Recording>) -> Vec<Recorded> {
        let mut known: Option<(String, WorkerKind)> = None;
        let recorded = recordings.into_iter().map(|recording| {
            let agent = &recording.agent;
            let kind = match known.as_ref().filter(|(of, _)| of == agent) {
                Some((_, kind)) => *kind,
                None => {
                    let kind = Agent::parse(Some(agent)).kind;
                    known = Some((agent.clone(), kind));
                    kind
                }
            };
            Recorded::by(kind, recording)
        });
        recorded.collect()
    }

    fn by(kind: WorkerKind, recording: Recording) -> Recorded {
        let end = recording.first + recording.outcomes.len();
        Recorded {
            job: recording.job,
            range: recording.first..end,
            failed: recording.outcomes.failed(),
            audited: recording.audited,
            kind,
            first: recording.outcomes.first().map(|first| (first.to_owned(), recording.agent)),
        }
    }
}

impl Reactor {
    pub(super) fn record(&mut self, claimant: &Claimant, accepted: Accepted, now: Now) {
        let Some(job) = accepted.job else { return };
        let Claimant { worker, ref agent, duration_ms } = *claimant;
        let agent = match accepted.by {
            By::Worker => agent.clone(),
            By::Server => native::agent(),
        };
        let _job = debug_span!("job", id = %job).entered();
        let mut audited = u64::from(accepted.audited);
        for (first, outcomes) in accepted.fresh {
            debug!(first, count = outcomes.len(), "to be recorded");
            self.uncommitted += outcomes.len();
            // Which of them these are nobody asks.
            let of_these = audited.min(outcomes.len());
            audited -= of_these;
            self.effects.push(Effect::Record(Recording {
                job,
                first,
                outcomes,
                worker,
                agent: agent.clone(),
                duration_ms: duration_ms.map(DurationMs::get),
                audited: of_these,
                recorded_at_ms: now.unix_ms,
            }));
        }
    }

    /// Outcomes are on disk.
    pub fn recorded(&mut self, recorded: Recorded, now: Now) {
        let Recorded { job: id, range, failed, audited, kind, first } = recorded;
        let count = range.end - range.start;
        self.live.history.count(now.at, kind, count);
        self.uncommitted -= count;
        self.metrics.recorded.inc_by(count);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if let Some((outcome, agent)) = first {
            self.live.sample(Sampled { job: id, index: range.start, outcome, agent });
        }
        job.done += count - failed;
        job.failed += failed;
        job.audited += audited;
        job.rate.count(now.at, count);
        if !job.state.is_over() {
            job.durable.insert(range);
            self.progressed.insert(id);
        }
        self.finish_if_complete(id);
    }

    /// The store cannot write, or can again. While it cannot, nothing is lent.
    pub fn set_store_error(&mut self, error: Option<String>) {
        match (&self.store_error, &error) {
            (None, Some(error)) => warn!("nothing can be recorded, and nothing is lent: {error}"),
            (Some(_), None) => info!("outcomes are recorded again"),
            _ => {}
        }
        self.store_error = error;
    }

    /// What the store says while it cannot write.
    pub fn store_error(&self) -> Option<&str> {
        self.store_error.as_deref()
    }
}
