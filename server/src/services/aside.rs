//! Where the connections of echo and chat are served: a thread of their own. However much is said there,
//! tasks and pages do not queue behind it.

use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

/// The runtime of one thread. Cloning it costs nothing, and is the same thread.
#[derive(Clone, Debug)]
pub(super) struct Aside(Arc<Thread>);

#[derive(Debug)]
struct Thread {
    /// `None` once it ends.
    runtime: Option<Runtime>,
}

impl Aside {
    /// Panics if the system has no thread for it, as the runtime of everything else does.
    pub(super) fn new() -> Aside {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).thread_name("tequio-aside").enable_all().build();
        Aside(Arc::new(Thread { runtime: Some(runtime.expect("there is a thread for services")) }))
    }

    pub(super) fn spawn(&self, serve: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0.runtime {
            runtime.spawn(serve);
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // It may be dropped by a task, which must not wait for others.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
