//! A sample of a job's results, for charts: a job of a thousand million tasks costs no more than one
//! of a thousand.
//!
//! Which places of a job are shown follows from its number and its total alone, so that every answer
//! shows more of the same. An outcome that is recorded stands: what was read once is kept.

use super::App;
use super::error::ApiError;
use super::jobs::{parse_id, view};
use crate::store::{Store, StoreError};
use axum::Json;
use axum::extract::{Path, State};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tequio_protocol::api::SampleView;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::{SAMPLE_POINTS, SAMPLE_TASKS_MAX, SAMPLES_KEPT_MAX};
use tequio_protocol::outcome::Outcome;
use tequio_protocol::values::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// `GET /api/jobs/ID/sample`
pub(super) async fn get(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<SampleView>, ApiError> {
    let job = parse_id(&id)?;
    let total = view(&app.dispatcher, job).await?.total;
    Ok(Json(app.samples.look(app.store, job, total).await?))
}

/// The samples of the jobs that were looked at last.
#[derive(Clone, Default)]
pub(super) struct Samples(Arc<Mutex<Kept>>);

impl Samples {
    /// A look at what is recorded by now. One at a time: of many who ask for the same while somebody
    /// looks, the next has it read for all, and readers of results are not crowded out.
    async fn look(
        &self,
        store: Arc<dyn Store>,
        job: JobId,
        total: u64,
    ) -> Result<SampleView, StoreError> {
        let asked = Instant::now();
        let mut kept = self.0.clone().lock_owned().await;
        if let Some(view) = kept.looked_since(asked, job, total) {
            return Ok(view);
        }
        // Whoever asked may be gone before it ends; what it has read is kept all the same.
        let looking = tokio::task::spawn_blocking(move || {
            kept.sample(job, total).look(&*store, SAMPLE_TASKS_MAX)
        });
        looking.await.map_err(|error| StoreError::Unavailable(error.to_string()))?
    }
}

/// The newest first.
#[derive(Default)]
struct Kept(VecDeque<Sample>);

impl Kept {
    /// What a look has found that began after somebody asked, while he waited for his turn.
    fn looked_since(&self, asked: Instant, job: JobId, total: u64) -> Option<SampleView> {
        let known = self.0.iter().find(|known| known.job == job && known.total == total)?;
        let (began, complete) = known.looked?;
        (began >= asked).then(|| known.view(complete))
    }

    /// What is known of a job, which from now on is the newest.
    fn sample(&mut self, job: JobId, total: u64) -> &mut Sample {
        let known = self.0.iter().position(|known| known.job == job);
        let known = known.and_then(|position| self.0.remove(position));
        // A job that has grown has other places.
        let known = known.filter(|known| known.total == total);
        self.0.push_front(known.unwrap_or_else(|| Sample::new(job, total)));
        self.0.truncate(SAMPLES_KEPT_MAX);
        &mut self.0[0]
    }
}

/// What is known of one job.
struct Sample {
    job: JobId,
    total: u64,
    /// What was read so far, by index; nothing for an error.
    read: BTreeMap<u64, Option<Value>>,
    /// When the last look at it began, and whether it found all that was recorded.
    looked: Option<(Instant, bool)>,
}

impl Sample {
    fn new(job: JobId, total: u64) -> Sample {
        Sample { job, total, read: BTreeMap::new(), looked: None }
    }

    /// Reads what it lacks, of `tasks_max` outcomes or so.
    fn look(&mut self, store: &dyn Store, tasks_max: u64) -> Result<SampleView, StoreError> {
        let began = Instant::now();
        let places = places(self.job, self.total);
        let lacking: Vec<u64> = places.filter(|place| !self.read.contains_key(place)).collect();
        let mut complete = true;
        if !lacking.is_empty() {
            let found = store.sample(self.job, &lacking, tasks_max)?;
            complete = found.looked_at == lacking.len();
            self.read.extend(found.outcomes.into_iter().map(|(index, outcome)| match outcome {
                Outcome::Result(result) => (index, Some(Value::new(result))),
                Outcome::Error(_) => (index, None),
            }));
        }
        self.looked = Some((began, complete));
        Ok(self.view(complete))
    }

    fn view(&self, complete: bool) -> SampleView {
        let point = |(index, value): (&u64, &Option<Value>)| Some((*index, value.clone()?));
        let points: Vec<(u64, Value)> = self.read.iter().filter_map(point).collect();
        SampleView {
            job: self.job,
            total: self.total,
            wanted: places(self.job, self.total).count() as u64,
            errors: (self.read.len() - points.len()) as u64,
            points,
            complete,
        }
    }
}

/// The indices of a job that are shown, in order: all of a few, and else one of each of
/// [`SAMPLE_POINTS`] parts of the same size. Where in its part it lies is as good as random, so that
/// nothing that repeats itself in the job, as an axis of a grid does, is met in step.
fn places(job: JobId, total: u64) -> impl Iterator<Item = u64> + Clone {
    let parts = total.min(SAMPLE_POINTS);
    // A job has at most 2^53 tasks, so that this overflows nothing.
    let start = move |part| part * total / parts;
    (0..parts).map(move |part| {
        let (start, end) = (start(part), start(part + 1));
        start + scattered(job.0.wrapping_mul(SAMPLE_POINTS).wrapping_add(part)) % (end - start)
    })
}

/// SplitMix64 (Steele, Lea and Flood, 2014), so that neighbours come out far apart.
fn scattered(value: u64) -> u64 {
    let mut bits = value.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{MemoryStore, NewJob, Recording};
    use std::ops::Range;
    use tequio_protocol::grid::{Axis, Grid};
    use tequio_protocol::ids::WorkerId;
    use tequio_protocol::limits::JOB_TASKS_MAX;
    use tequio_protocol::op::OpId;
    use tequio_protocol::outcome::OutcomeRef;

    const LARGE: u64 = 1_000_000_000;

    /// A store with a job of so many tasks.
    fn store_with(total: u64) -> (MemoryStore, JobId) {
        let axis = Axis::range(1.0, 1.0, total).unwrap();
        let grid = Grid::new(vec![("n".to_owned(), axis)]).unwrap();
        let job = NewJob::of(OpId::new("collatz"), Some(grid));
        let store = MemoryStore::new();
        let id = store.create_job(&job).unwrap();
        store.publish(id).unwrap();
        (store, id)
    }

    /// Records of each index itself, and an error of each multiple of 5.
    fn record(store: &MemoryStore, job: JobId, range: Range<u64>) {
        let results: Vec<String> = range.clone().map(|index| index.to_string()).collect();
        let outcome = |index: u64| match index % 5 {
            0 => OutcomeRef::Error("trap"),
            _ => OutcomeRef::Result(results[(index - range.start) as usize].as_str()),
        };
        let recording = Recording {
            job,
            first: range.start,
            outcomes: range.clone().map(outcome).collect(),
            worker: WorkerId(1),
            agent: String::new(),
            duration_ms: None,
            audited: 0,
            recorded_at_ms: 1,
        };
        store.record(&[recording]).unwrap();
    }

    #[test]
    fn places_are_all_of_a_few_or_one_of_each_part() {
        for total in [0, 1, 2, 999, 1000] {
            assert!(places(JobId(7), total).eq(0..total), "{total}");
        }
        for total in [1001, 1999, 2000, 123_456, LARGE, JOB_TASKS_MAX] {
            let places: Vec<u64> = places(JobId(7), total).collect();
            assert_eq!(places.len(), 1000, "{total}");
            for (part, place) in (0..).zip(&places) {
                let part = u128::from(total) * part / 1000..u128::from(total) * (part + 1) / 1000;
                assert!(part.contains(&u128::from(*place)), "{place} of {part:?}");
            }
        }
    }

    #[test]
    fn places_stay_and_differ_from_job_to_job() {
        let first = |job| -> Vec<u64> { places(JobId(job), LARGE).take(3).collect() };
        assert_eq!(first(1), [600_481, 1_694_701, 2_766_517]);
        assert_ne!(first(2), first(1));
    }

    /// A chart of a job whose last axis has `period` values shows each of them about as often.
    #[test]
    fn no_axis_is_met_in_step() {
        for period in [10, 1000, 4096, 1_000_000, 2_000_000] {
            let mut tenths = [0; 10];
            for place in places(JobId(3), LARGE) {
                tenths[(place % period * 10 / period) as usize] += 1;
            }
            assert!(tenths.iter().all(|count| (60..140).contains(count)), "{period}: {tenths:?}");
        }
    }

    #[test]
    fn a_look_shows_what_is_recorded_and_counts_errors() {
        let (store, job) = store_with(100);
        let mut sample = Sample::new(job, 100);
        for (range, points, errors) in
            [(0..0, 0, 0), (10..20, 8, 2), (0..10, 16, 4), (20..100, 80, 20)]
        {
            record(&store, job, range);
            let view = sample.look(&store, u64::MAX).unwrap();
            assert_eq!((view.job, view.total, view.wanted), (job, 100, 100));
            assert_eq!((view.points.len(), view.errors, view.complete), (points, errors, true));
            assert!(view.points.is_sorted_by_key(|(index, _)| *index));
            assert!(view.points.iter().all(|(index, value)| value.json() == index.to_string()));
        }
    }

    #[test]
    fn what_is_too_much_for_one_look_is_read_by_the_next_ones() {
        let (store, job) = store_with(LARGE);
        let places: Vec<u64> = places(job, LARGE).collect();
        // Each of these rows has a place of its own.
        for place in &places[..30] {
            record(&store, job, *place..place + 100);
        }
        let mut sample = Sample::new(job, LARGE);
        for read in [10, 20, 30] {
            let view = sample.look(&store, 1000).unwrap();
            assert_eq!(view.points.len() as u64 + view.errors, read);
            assert_eq!(view.complete, read == 30, "{read}");
            assert_eq!((view.total, view.wanted), (LARGE, 1000));
        }
        record(&store, job, places[500]..places[500] + 1);
        let view = sample.look(&store, 0).unwrap();
        assert_eq!(view.points.len() as u64 + view.errors, 31, "what was read is not read again");
        assert!(view.complete);
    }

    #[test]
    fn the_newest_samples_are_kept_and_a_job_that_grew_is_read_anew() {
        let (store, job) = store_with(LARGE);
        let place = places(job, LARGE).next().unwrap();
        record(&store, job, place..place + 1);
        let mut kept = Kept::default();
        kept.sample(job, LARGE).look(&store, 1).unwrap();
        assert_eq!(kept.sample(job, LARGE).read.len(), 1);
        assert_eq!(kept.sample(job, LARGE + 1).read.len(), 0, "it has grown");
        kept.sample(job, LARGE).look(&store, 1).unwrap();
        for other in 2..=SAMPLES_KEPT_MAX as u64 {
            kept.sample(JobId(other), 5);
            assert_eq!(kept.sample(job, LARGE).read.len(), 1);
        }
        for other in 2..=SAMPLES_KEPT_MAX as u64 + 1 {
            kept.sample(JobId(other), 5);
        }
        assert_eq!(kept.0.len(), SAMPLES_KEPT_MAX);
        assert_eq!(kept.sample(job, LARGE).read.len(), 0, "others were asked for since");
    }

    #[test]
    fn whoever_waited_while_somebody_looked_anew_is_answered_with_that() {
        let (store, id) = store_with(5);
        let mut kept = Kept::default();
        let before = Instant::now();
        assert!(kept.looked_since(before, id, 5).is_none());
        let view = kept.sample(id, 5).look(&store, SAMPLE_TASKS_MAX).unwrap();
        assert_eq!(kept.looked_since(before, id, 5), Some(view));
        assert!(kept.looked_since(before, id, 6).is_none(), "it has grown");
        let after = Instant::now() + std::time::Duration::from_nanos(1);
        assert!(kept.looked_since(after, id, 5).is_none(), "there may be more by now");
    }
}
