//! Jobs that are submitted in several requests. Until the last of them a job is a draft: nobody sees
//! it, nothing of it is computed, and whatever goes wrong leaves nothing of it. Who appends to a draft is
//! known here alone, so that it ends with the server: the store discards drafts when it is loaded.

use super::appends::Appended;
use super::error::ApiError;
use crate::dispatcher::{ChangeError, Dispatcher};
use crate::store::{NewJob, StoreError};
use axum::http::StatusCode;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::{DRAFT_IDLE_MAX, DRAFTS_MAX};
use tequio_protocol::op::OpId;
use tequio_protocol::reader::LineRun;
use tequio_protocol::values::Values;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;
use tracing::info;

/// How often it is looked for drafts that nobody appends to any more: a part of their time.
const SWEEP_INTERVAL: Duration = Duration::from_secs(DRAFT_IDLE_MAX.as_secs() / 10);

/// All drafts that wait for another request.
#[derive(Clone)]
pub(super) struct Drafts {
    dispatcher: Dispatcher,
    entries: Arc<Mutex<HashMap<JobId, Entry>>>,
}

struct Entry {
    op: OpId,
    /// Requests for one draft wait for each other.
    draft: Arc<AsyncMutex<Draft>>,
}

#[derive(Debug)]
struct Draft {
    job: NewJob,
    total: u64,
    touched: Instant,
    /// It is a job now. Remembered for a while, for a last request that is repeated.
    is_published: bool,
}

/// What a request adds to a draft.
pub(super) struct Addition {
    /// How many inputs the draft has had before: a request that is repeated is recognised.
    pub(super) first: u64,
    pub(super) inputs: Values,
    /// From which lines they come.
    pub(super) lines: Vec<LineRun>,
    pub(super) then: Then,
    /// The room that the inputs take.
    pub(super) appended: Appended,
}

/// What becomes of a draft that was added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// It waits for more.
    Draft,
    /// It becomes a job, and takes no more inputs.
    Job,
    /// It becomes an open job.
    OpenJob,
}

impl Drafts {
    /// None at first; call [`Drafts::sweep`] beside it.
    pub(super) fn new(dispatcher: Dispatcher) -> Drafts {
        Drafts { dispatcher, entries: Arc::default() }
    }

    /// Errs where there are too many.
    pub(super) fn check_room(&self) -> Result<(), ApiError> {
        if self.lock().len() < DRAFTS_MAX {
            return Ok(());
        }
        let message = format!("{DRAFTS_MAX} jobs are being submitted already: try again later.");
        Err(ApiError::busy("too_many_drafts", message))
    }

    /// Keeps a draft of `total` inputs that the store has.
    pub(super) fn keep(&self, id: JobId, job: NewJob, total: u64) {
        let op = job.op.clone();
        let draft = Draft { job, total, touched: Instant::now(), is_published: false };
        self.lock().insert(id, Entry { op, draft: Arc::new(AsyncMutex::new(draft)) });
    }

    /// What it computes; `None` unless it is known here: as a draft, or as a job that was one just now.
    pub(super) fn op(&self, id: JobId) -> Option<OpId> {
        self.lock().get(&id).map(|entry| entry.op.clone())
    }

    /// Adds to a draft, or sees that this was done before; gives its number of inputs. What was begun
    /// comes to its end, whether or not the asker waits for it.
    pub(super) async fn add(&self, id: JobId, addition: Addition) -> Result<u64, ApiError> {
        let draft = self.lock().get(&id).map(|entry| entry.draft.clone());
        let draft = draft.ok_or_else(|| unknown_draft(id))?;
        let dispatcher = self.dispatcher.clone();
        let adding = tokio::spawn(async move {
            let mut draft = draft.lock().await;
            draft.touched = Instant::now();
            draft.add(&dispatcher, id, addition).await
        });
        adding.await.map_err(|error| StoreError::Unavailable(error.to_string()))?
    }

    /// Forgets a draft, and removes it unless it is a job by now; whether it did.
    pub(super) async fn discard(&self, id: JobId) -> bool {
        let Some(entry) = self.lock().remove(&id) else { return false };
        // Whoever adds to it just now has done so first.
        let is_draft = !entry.draft.lock().await.is_published;
        if is_draft {
            self.dispatcher.discard(id);
        }
        is_draft
    }

    /// Discards drafts that nobody appends to any more, for ever.
    pub(super) async fn sweep(self) {
        loop {
            tokio::time::sleep(SWEEP_INTERVAL).await;
            self.discard_idle(Instant::now());
        }
    }

    fn discard_idle(&self, now: Instant) {
        self.lock().retain(|id, entry| {
            // One that is locked is being added to.
            let Ok(draft) = entry.draft.try_lock() else { return true };
            let is_kept = now.saturating_duration_since(draft.touched) < DRAFT_IDLE_MAX;
            if !is_kept && !draft.is_published {
                info!("Draft {id} is discarded: nothing was added to it for a while");
                self.dispatcher.discard(*id);
            }
            is_kept
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Draft {
    async fn add(
        &mut self,
        dispatcher: &Dispatcher,
        id: JobId,
        addition: Addition,
    ) -> Result<u64, ApiError> {
        let Addition { first, inputs, lines, then, appended: _held } = addition;
        let end = first + inputs.len() as u64;
        if first != self.total && end != self.total {
            let message = format!(
                "Draft {id} takes no inputs from {first} on: it has {} inputs.",
                self.total
            );
            return Err(ApiError::new(StatusCode::CONFLICT, "not_growing", message));
        }
        // Otherwise these are its last ones: the same request has added them before.
        if first == self.total && !inputs.is_empty() {
            if self.is_published {
                let message = format!("Draft {id} is a job, and takes no more inputs.");
                return Err(ApiError::new(StatusCode::CONFLICT, "not_growing", message));
            }
            dispatcher
                .append_inputs(id, first, inputs, lines)
                .await
                .map_err(|error| gone(id, error))?;
            self.total = end;
        }
        if then != Then::Draft && !self.is_published {
            if self.total == 0 && then == Then::Job {
                return Err(ApiError::bad("empty_job", "There are no inputs."));
            }
            let is_open = then == Then::OpenJob;
            let published = dispatcher.publish(id, self.job.clone(), self.total, is_open);
            published.await.map_err(|error| gone(id, error))?;
            self.is_published = true;
        }
        Ok(self.total)
    }
}

/// 404, for a draft that was discarded, or whose server has ended.
pub(super) fn unknown_draft(id: JobId) -> ApiError {
    let minutes = DRAFT_IDLE_MAX.as_secs() / 60;
    let message = format!(
        "There is no draft {id}: one is discarded when nothing is added to it for {minutes} minutes, \
         and when the server stops. Submit it anew."
    );
    ApiError::new(StatusCode::NOT_FOUND, "unknown_draft", message)
}

fn gone(id: JobId, error: ChangeError) -> ApiError {
    match error {
        ChangeError::Store(error) if error.is_refusal() => unknown_draft(id),
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::appends::Appends;
    use super::*;
    use crate::metrics::Metrics;
    use crate::store::{MemoryStore, Store};
    use tequio_protocol::check::Check;

    const DRAFT: JobId = JobId(1);

    fn job() -> NewJob {
        NewJob {
            name: String::new(),
            op: OpId::new("repeat_multiply"),
            priority: 0,
            grid: None,
            block: 1,
            check: Check::Auto,
            submitted_at_ms: 0,
        }
    }

    async fn one_draft() -> (Drafts, Arc<MemoryStore>) {
        let store = Arc::new(MemoryStore::new());
        let metrics = Arc::new(Metrics::default());
        let started = Dispatcher::start(None, store.clone(), metrics, 1).await;
        let drafts = Drafts::new(started.unwrap().0);
        let job = job();
        let id = drafts.dispatcher.create_job(job.clone()).await.unwrap();
        drafts.keep(id, job, 0);
        (drafts, store)
    }

    fn addition(first: u64, count: u64, then: Then) -> Addition {
        let input = |n| format!(r#"{{"initial":{n},"factor":2,"times":3}}"#);
        let inputs = (first..first + count).map(input);
        let appended = Appends::default().begin();
        Addition { first, inputs: inputs.collect(), lines: Vec::new(), then, appended }
    }

    /// The store's thread has come to what it was told before.
    async fn settle(drafts: &Drafts) {
        drafts.dispatcher.create_job(job()).await.unwrap();
    }

    #[tokio::test]
    async fn a_draft_that_nobody_adds_to_is_discarded() {
        let (drafts, store) = one_draft().await;
        drafts.add(DRAFT, addition(0, 2, Then::Draft)).await.unwrap();
        let now = Instant::now();
        drafts.discard_idle(now + DRAFT_IDLE_MAX / 2);
        assert!(drafts.op(DRAFT).is_some());
        drafts.discard_idle(now + DRAFT_IDLE_MAX);
        assert!(drafts.op(DRAFT).is_none());
        settle(&drafts).await;
        assert!(store.inputs(DRAFT, 0..1).is_err(), "the store has not got it either");
        let late = drafts.add(DRAFT, addition(2, 2, Then::Draft)).await;
        assert!(format!("{:?}", late.unwrap_err()).contains("unknown_draft"));
    }

    #[tokio::test]
    async fn a_job_that_was_a_draft_is_kept() {
        let (drafts, store) = one_draft().await;
        assert_eq!(drafts.add(DRAFT, addition(0, 2, Then::Job)).await.unwrap(), 2);
        assert_eq!(drafts.add(DRAFT, addition(0, 2, Then::Job)).await.unwrap(), 2, "repeated");
        assert!(drafts.add(DRAFT, addition(2, 1, Then::Job)).await.is_err());
        drafts.discard_idle(Instant::now() + DRAFT_IDLE_MAX);
        assert!(!drafts.discard(DRAFT).await, "it is none");
        settle(&drafts).await;
        assert_eq!(store.inputs(DRAFT, 0..2).unwrap().len(), 2);
        assert_eq!(drafts.dispatcher.job(DRAFT).await.unwrap().unwrap().total, 2);
    }
}
