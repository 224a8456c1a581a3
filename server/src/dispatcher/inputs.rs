//! The one thread that reads the inputs of leases. It is not one of the runtime's, which all may be busy
//! with what others read: workers do not wait for them.

use super::event::{Report, Reports};
use crate::store::Store;
use std::ops::Range;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use tequio_protocol::ids::{JobId, LeaseId};

/// Inputs that a lease waits for.
pub(super) struct Wanted {
    pub(super) lease: LeaseId,
    pub(super) job: JobId,
    pub(super) range: Range<u64>,
}

/// The way to the thread, and its end.
pub(super) type Started = (mpsc::Sender<Wanted>, JoinHandle<()>);

/// Starts the thread; it ends when nobody can ask it any more.
pub(super) fn start(store: Arc<dyn Store>, reports: Reports) -> std::io::Result<Started> {
    let (asks, asked) = mpsc::channel::<Wanted>();
    let read = move || {
        for Wanted { lease, job, range } in asked {
            let inputs = store.inputs(job, range);
            // Without a dispatcher nobody waits for them.
            if reports.send(Report::InputsRead { lease, inputs }).is_err() {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("inputs".to_owned()).spawn(read)?;
    Ok((asks, thread))
}
