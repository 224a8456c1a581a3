//! A worker on virtual time and a shell that computes what it is asked to, for tests.

use crate::worker::{Action, Event, Start, Worker};
use std::ops::Range;
use std::time::Duration;
use tequio_protocol::grid::{Axis, Grid};
use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::{FRAME_RESULTS_MAX, HEARTBEAT};
use tequio_protocol::message::{
    ErrorCode, Lease, LeaseInputs, PROTOCOL, ServerMessage, Welcome, WorkerMessage,
};
use tequio_protocol::op::{self, Op};
use tequio_protocol::page::{Allowance, ToPage};
use tequio_protocol::piece::{Piece, PieceResults};

/// A connected worker that has said hello, on virtual time, and a shell that computes what it
/// is asked to.
pub(crate) struct Bench {
    pub(crate) worker: Worker,
    pub(crate) now: Duration,
    /// What each slot computes.
    pub(crate) pieces: Vec<Option<Piece>>,
}

/// What a worker did.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) sent: Vec<WorkerMessage>,
    /// Slots that began a piece, and its tasks.
    pub(crate) begun: Vec<(usize, Range<u64>)>,
    pub(crate) told: Vec<ToPage>,
    /// Slots whose programs were ended.
    pub(crate) resets: Vec<usize>,
    pub(crate) others: Vec<Action>,
}

impl Bench {
    pub(crate) fn new(slots: u32) -> Bench {
        let mut bench = Bench::unnamed(slots);
        bench.start(slots);
        bench.open();
        bench
    }

    pub(crate) fn unnamed(slots: u32) -> Bench {
        let worker = Worker::new("Test/1.0", 1);
        Bench { worker, now: Duration::ZERO, pieces: vec![None; slots as usize] }
    }

    pub(crate) fn start(&mut self, cores: u32) -> Done {
        let (worker, tab) = (Some("5f0c".to_owned()), None);
        self.handle(Event::Start(Start { worker, tab, allowance: allowance(cores, 100) }))
    }

    pub(crate) fn open(&mut self) -> Done {
        let done = self.handle(Event::Opened);
        self.welcome(None, false);
        done
    }

    /// A welcome to a session, perhaps to the one that was asked for.
    pub(crate) fn welcome(&mut self, session: Option<&str>, resumed: bool) -> Done {
        let heartbeat_s = HEARTBEAT.as_secs();
        let welcome = Welcome {
            protocol: PROTOCOL,
            worker_id: WorkerId(7),
            heartbeat_s,
            session: session.map(str::to_owned),
            resumed,
        };
        self.receive(&ServerMessage::Welcome(welcome))
    }

    pub(crate) fn handle(&mut self, event: Event) -> Done {
        let mut done = Done::default();
        for action in self.worker.handle(event, self.now) {
            match action {
                Action::Send(text) => done.sent.push(WorkerMessage::read(&text).unwrap()),
                Action::Compute { slot, piece } => {
                    assert!((1..=FRAME_RESULTS_MAX as u64).contains(&piece.count));
                    done.begun.push((slot, piece.first..piece.first + piece.count));
                    let before = self.pieces[slot].replace(piece);
                    assert_eq!(before, None, "slot {slot} has two pieces");
                }
                Action::Reset { slot } => {
                    done.resets.push(slot);
                    if let Some(piece) = self.pieces.get_mut(slot) {
                        *piece = None;
                    }
                }
                Action::Tell(told) => done.told.push(told),
                other => done.others.push(other),
            }
        }
        done
    }

    pub(crate) fn receive(&mut self, message: &ServerMessage) -> Done {
        self.handle(Event::Text(message.write()))
    }

    pub(crate) fn lend(&mut self, id: u64, range: Range<u64>) -> Done {
        self.receive(&lease(id, range))
    }

    pub(crate) fn revoke(&mut self, id: u64) -> Done {
        self.receive(&ServerMessage::Revoke { lease: LeaseId(id) })
    }

    /// A slot computes its piece, each task in `task_ms`.
    pub(crate) fn compute(&mut self, slot: usize, task_ms: f64) -> Done {
        let piece = self.pieces[slot].take().expect("the slot has a piece");
        let duration_ms = task_ms * piece.count as f64;
        self.live_until(self.now + Duration::from_secs_f64(duration_ms / 1000.0));
        self.handle(Event::Computed {
            slot,
            results: PieceResults::new(piece.compute()).unwrap(),
            duration_ms,
        })
    }

    /// Lets time pass, with a server that answers heartbeats.
    pub(crate) fn live_until(&mut self, end: Duration) {
        while let Some(at) = self.worker.next_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            if self.handle(Event::Timeout).sent.contains(&WorkerMessage::Heartbeat) {
                self.receive(&ServerMessage::Heartbeat);
            }
        }
        self.now = end;
    }

    pub(crate) fn fail(&mut self, slot: usize) -> Done {
        assert!(self.pieces[slot].take().is_some());
        self.handle(Event::ComputeFailed { slot, reason: "trap".to_owned() })
    }

    pub(crate) fn close(&mut self, code: u16) -> Done {
        self.handle(Event::Closed { code, reason: "no".to_owned() })
    }

    /// Lets time pass to the next timeout.
    pub(crate) fn pass(&mut self) -> Done {
        self.now = self.now.max(self.worker.next_timeout().expect("it waits for a time"));
        self.handle(Event::Timeout)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.pieces.iter().all(Option::is_none)
    }
}

impl Done {
    /// The leases and tasks whose results were sent.
    pub(crate) fn results(&self) -> Vec<(u64, Range<u64>)> {
        let results = self.sent.iter().filter_map(|message| match message {
            WorkerMessage::Results(results) => Some(results),
            _ => None,
        });
        results
            .map(|results| {
                for (index, outcome) in (results.first..).zip(results.outcomes.iter()) {
                    let alone = Piece::of_one(op(), &input(index)).compute();
                    assert_eq!(outcome, alone.get(0), "task {index}");
                }
                let end = results.first + results.outcomes.len();
                (results.lease.0, results.first..end)
            })
            .collect()
    }

    pub(crate) fn errors(&self) -> Vec<(ErrorCode, Option<u64>)> {
        let errors = self.sent.iter().filter_map(|message| match message {
            WorkerMessage::Error(error) => Some((error.code, error.lease.map(|id| id.0))),
            _ => None,
        });
        errors.collect()
    }

    pub(crate) fn progress(&self) -> Vec<u64> {
        let progress = self.sent.iter().filter_map(|message| match message {
            WorkerMessage::Progress { lease } => Some(lease.0),
            _ => None,
        });
        progress.collect()
    }
}

pub(crate) fn op() -> &'static dyn Op {
    op::named("repeat_multiply").unwrap()
}

pub(crate) fn input(index: u64) -> String {
    format!(r#"{{"initial":1.5,"factor":1.000001,"times":{index}}}"#)
}

pub(crate) fn lease_of(id: u64, job: u64, range: Range<u64>, inputs: LeaseInputs) -> Lease {
    Lease {
        lease: LeaseId(id),
        job: JobId(job),
        op: op(),
        first: range.start,
        count: range.end - range.start,
        block: 1,
        inputs,
        deadline_ms: 10_000,
    }
}

/// A lease of a grid of so many tasks, or of a list where its number is even.
pub(crate) fn lease_of_total(id: u64, range: Range<u64>, total: u64) -> Lease {
    let inputs = if id.is_multiple_of(2) {
        LeaseInputs::List(range.clone().map(input).collect())
    } else {
        let axis = |name: &str, text: &str| (name.to_owned(), text.parse::<Axis>().unwrap());
        let times = axis("times", &format!("0..{total}"));
        let grid = Grid::new(vec![axis("initial", "1.5"), axis("factor", "1.000001"), times]);
        LeaseInputs::Grid(grid.unwrap())
    };
    lease_of(id, 1, range, inputs)
}

/// A lease of a grid, or of a list where its number is even.
pub(crate) fn lease(id: u64, range: Range<u64>) -> ServerMessage {
    ServerMessage::Lease(lease_of_total(id, range, 1_000_000_000))
}

pub(crate) fn allowance(cores: u32, share_percent: u32) -> Allowance {
    Allowance { cores, share_percent }
}
