//! The threads that compute tasks again to judge claims, where that takes long: beside the dispatcher, which
//! goes on meanwhile.

use super::event::{Report, Reports};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Instant;
use tequio_protocol::limits::AUDIT_THREADS_MAX;
use tequio_scheduler::Audit;
use tracing::error;

/// Starts the threads, and gives the way to them. They end when nobody can ask them any more; nobody waits for
/// that, since what they compute then is of no use.
pub(super) fn start(reports: &Reports) -> std::io::Result<mpsc::Sender<Audit>> {
    let (asks, asked) = mpsc::channel::<Audit>();
    let asked = Arc::new(Mutex::new(asked));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    for number in 0..(cores / 2).clamp(1, AUDIT_THREADS_MAX) {
        let (asked, reports) = (asked.clone(), reports.clone());
        let name = format!("audit {number}");
        thread::Builder::new().name(name).spawn(move || run(&asked, &reports))?;
    }
    Ok(asks)
}

fn run(asked: &Mutex<mpsc::Receiver<Audit>>, reports: &Reports) {
    loop {
        // Whoever waits holds the lock, and the others wait for that.
        let next = asked.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(audit) = next else { return };
        let before = Instant::now();
        let computed = catch_unwind(AssertUnwindSafe(|| audit.compute()));
        if computed.is_err() {
            error!("an audit of {} has failed; its claim is believed", audit.op.name());
        }
        // What could not be computed here either is unknown.
        let ours = computed.ok().and_then(Result::ok);
        let (claim, took) = (audit.claim, before.elapsed());
        // Without a dispatcher nobody waits for it.
        if reports.send(Report::Audited { claim, ours, took }).is_err() {
            return;
        }
    }
}
