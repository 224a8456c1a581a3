use super::*;
use crate::store::{Fresh, MemoryStore, Recording};
use std::net::SocketAddr;
use std::time::Duration;
use tequio_protocol::api::JobState;
use tequio_protocol::check::Check;
use tequio_protocol::grid::Axis;
use tequio_protocol::message::{
    Hello, LeaseInputs, LeaseResults, PROTOCOL, ServerMessage, WorkerMessage,
};
use tequio_protocol::op::{Computed, OpId};
use tequio_protocol::outcome::Outcome;

async fn start() -> (Dispatcher, Ended) {
    let store = Arc::new(MemoryStore::new());
    Dispatcher::start(None, store, Arc::new(Metrics::default()), 1).await.unwrap()
}

/// A job of a grid whose first axis lists so many values.
pub(super) fn grid_job(values: u32) -> NewJob {
    let list = Axis::list((0..values).map(f64::from).collect()).unwrap();
    let one = |name: &str| (name.to_owned(), Axis::value_of(1.0).unwrap());
    let axes = vec![("initial".to_owned(), list), one("factor"), one("times")];
    let (name, op) = (String::new(), OpId::new("repeat_multiply"));
    NewJob {
        name,
        op,
        priority: 0,
        grid: Grid::new(axes).ok(),
        block: 1,
        check: Check::Auto,
        submitted_at_ms: 0,
    }
}

/// A worker that computes whatever it is lent of grids.
async fn work(dispatcher: Dispatcher) {
    let address = SocketAddr::from(([127, 0, 0, 1], 1)).into();
    let peer = Peer { address, path: "/".to_owned(), agent: None };
    let (worker, mut outbox) = dispatcher.connected(peer).await.unwrap();
    let places = Places::default();
    let hello = Hello {
        protocol: PROTOCOL,
        agent: String::new(),
        slots: 1,
        worker: String::new(),
        ops: vec!["repeat_multiply".to_owned()],
        resume: None,
    };
    let hello = FromWorker::Message(WorkerMessage::Hello(hello));
    dispatcher.received(worker, &places, hello).await.unwrap();
    while let Some(Outgoing::Message(message)) = outbox.recv().await {
        let ServerMessage::Lease(lease) = *message else { continue };
        assert!(matches!(lease.inputs, LeaseInputs::Grid(_)), "{lease:?}");
        let mut computed = Computed::with_capacity(lease.count as usize);
        let tasks = lease.first..lease.first + lease.count;
        lease.op.compute(tasks, lease.inputs.from(lease.first), &mut computed);
        let results = LeaseResults {
            lease: lease.lease,
            first: lease.first,
            outcomes: computed.into_outcomes().unwrap(),
            duration_ms: None,
            agent: None,
        };
        let results = FromWorker::Message(WorkerMessage::Results(results));
        dispatcher.received(worker, &places, results).await.unwrap();
    }
}

/// Errors that another server records of `tasks`.
fn foreign(job: JobId, tasks: std::ops::Range<u64>) -> Recording {
    let error = || Outcome::Error("of another server");
    Recording {
        job,
        first: tasks.start,
        outcomes: tasks.map(|_| error()).collect(),
        worker: WorkerId(99),
        agent: String::new(),
        duration_ms: None,
        audited: 0,
        recorded_at_ms: 0,
    }
}

#[tokio::test]
async fn outcomes_that_are_there_already_stand_and_their_job_comes_to_its_end() {
    let store = Arc::new(MemoryStore::new());
    let metrics = Arc::new(Metrics::default());
    let started = Dispatcher::start(None, store.clone(), metrics.clone(), 1).await;
    let (dispatcher, _ended) = started.unwrap();
    let id = dispatcher.submit(grid_job(1000)).await.unwrap();
    let mut progress = dispatcher.follow(id).await.unwrap().unwrap();
    let foreign = [0..1, 10..30, 500..503].map(|tasks| foreign(id, tasks));
    assert_eq!(store.record(&foreign).unwrap(), [Fresh::All, Fresh::All, Fresh::All]);
    let worker = tokio::spawn(work(dispatcher.clone()));
    let over = progress.wait_for(|progress| progress.state.is_over());
    let over = *timeout(Duration::from_secs(60), over).await.unwrap().unwrap();
    assert_eq!((over.state, over.recorded, over.failed), (JobState::Done, 1000, 24));
    let view = dispatcher.job(id).await.unwrap().unwrap();
    let tally = store.tally(id).unwrap();
    assert_eq!((view.done, view.failed), (976, 24));
    assert_eq!((tally.done, tally.failed), (976, 24), "the first ones stand");
    // Those of the other server that are known by then need not be computed here as well.
    let dropped = metrics.duplicates.get();
    assert!(metrics.recorded.get() == 976 && (1..=24).contains(&dropped), "{dropped}");
    assert_eq!(dispatcher.health().await.unwrap().store_error, None);
    worker.abort();
}

#[tokio::test]
async fn jobs_have_a_bound_and_make_room_when_they_are_removed() {
    let (mut dispatcher, _ended) = start().await;
    dispatcher.jobs_max = 2;
    let first = dispatcher.submit(grid_job(1)).await.unwrap();
    dispatcher.submit(grid_job(1)).await.unwrap();
    let refused = dispatcher.submit(grid_job(1)).await;
    assert!(matches!(refused, Err(ChangeError::TooManyJobs(2))), "{refused:?}");
    assert!(dispatcher.create_job(NewJob { grid: None, ..grid_job(1) }).await.is_err());
    dispatcher.control(first, Control::Cancel).await.unwrap();
    dispatcher.remove(first).await.unwrap();
    dispatcher.submit(grid_job(1)).await.unwrap();
}

#[tokio::test]
async fn grids_have_a_bound_until_their_jobs_are_over() {
    let (mut dispatcher, _ended) = start().await;
    dispatcher.grids_bytes_max = 3000;
    let first = dispatcher.submit(grid_job(200)).await.unwrap();
    let refused = dispatcher.submit(grid_job(200)).await;
    assert!(matches!(refused, Err(ChangeError::TooManyGrids)), "{refused:?}");
    dispatcher.submit(grid_job(2)).await.unwrap();
    dispatcher.control(first, Control::Cancel).await.unwrap();
    let second = dispatcher.submit(grid_job(200)).await.unwrap();
    assert_eq!(dispatcher.job(second).await.unwrap().unwrap().state, JobState::Running);
}

#[tokio::test(start_paused = true)]
async fn what_waits_to_be_written_has_a_bound_and_gives_it_back() {
    let (dispatcher, _ended) = start().await;
    for _ in 0..10 {
        dispatcher.submit(grid_job(1000)).await.unwrap();
    }
    // What was written gives its room back, if only after its answer.
    let all = dispatcher.room.clone().acquire_many_owned(WRITES_WAITING_KIB_MAX as u32);
    let all = all.await.unwrap();
    let refused = dispatcher.submit(grid_job(1)).await;
    assert!(matches!(refused, Err(ChangeError::Busy)), "{refused:?}");
    drop(all);
    dispatcher.submit(grid_job(1)).await.unwrap();
}
