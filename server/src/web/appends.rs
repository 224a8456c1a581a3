//! What requests that add inputs to a job hold, from when their lines are read until they are written: all
//! of a request's are kept or none, so that they wait in memory.

use super::error::ApiError;
use std::sync::Arc;
use tequio_protocol::limits::{APPEND_INPUTS_MAX, APPENDS_KIB_MAX};
use tequio_protocol::reader::Taken;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The room for all of them.
#[derive(Clone, Debug)]
pub(super) struct Appends(Arc<Semaphore>);

/// What one request holds; dropped, it is given back.
#[derive(Debug)]
pub(super) struct Appended {
    room: Appends,
    held: Option<OwnedSemaphorePermit>,
    inputs: usize,
}

impl Default for Appends {
    fn default() -> Appends {
        Appends::new(APPENDS_KIB_MAX)
    }
}

impl Appends {
    fn new(kib_max: usize) -> Appends {
        Appends(Arc::new(Semaphore::new(kib_max)))
    }

    /// A request that holds nothing yet.
    pub(super) fn begin(&self) -> Appended {
        Appended { room: self.clone(), held: None, inputs: 0 }
    }
}

impl Appended {
    /// Holds a block more.
    ///
    /// Returns an error where that is too much for one request (413), or for all together (503).
    pub(super) fn hold(&mut self, block: &Taken) -> Result<(), ApiError> {
        self.inputs += block.inputs.len();
        if self.inputs > APPEND_INPUTS_MAX {
            return Err(ApiError::too_many_inputs(APPEND_INPUTS_MAX));
        }
        let bytes = block.inputs.bytes() + size_of_val(&*block.lines);
        let kib = bytes.div_ceil(1024) as u32;
        let more = self.room.0.clone().try_acquire_many_owned(kib).map_err(|_| {
            ApiError::busy(
                "busy",
                "Other requests add as many inputs as the server holds: try again.",
            )
        })?;
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(inputs: usize) -> Taken {
        let input = r#"{"initial":1.0,"factor":2.0,"times":3}"#;
        Taken { inputs: vec![input; inputs].into_iter().collect(), lines: Vec::new() }
    }

    #[test]
    fn requests_share_what_may_wait_and_give_it_back() {
        let appends = Appends::new(10);
        let (mut first, mut second) = (appends.begin(), appends.begin());
        first.hold(&block(100)).unwrap();
        first.hold(&block(100)).unwrap();
        let refused = second.hold(&block(200)).unwrap_err();
        assert!(format!("{refused:?}").contains("busy"), "{refused:?}");
        drop(first);
        second.hold(&block(200)).unwrap();
        drop(second);
        assert_eq!(appends.0.available_permits(), 10);
    }

    #[test]
    fn one_request_has_so_many_inputs_at_most() {
        let mut appended = Appends::default().begin();
        appended.hold(&block(APPEND_INPUTS_MAX)).unwrap();
        let refused = appended.hold(&block(1)).unwrap_err();
        assert!(format!("{refused:?}").contains("too_many_inputs"), "{refused:?}");
    }
}
