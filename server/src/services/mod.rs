//! What a server does for a connection beside handing out tasks: echo and chat. Each is a loop over a
//! [`Connection`](crate::connection::Connection), in a file of its own.

pub mod chat;
pub mod echo;
pub(crate) mod lines;
mod roster;

use crate::metrics::{Metrics, Service, Tally};
use chat::{RoomLimits, Rooms};
use roster::Roster;
use std::sync::Arc;

/// What the connections of all services share.
#[derive(Clone, Debug)]
pub struct Services {
    metrics: Arc<Metrics>,
    echo: Arc<Roster>,
    chat: Arc<Roster>,
    rooms: Arc<Rooms>,
}

impl Services {
    /// Services that nobody uses yet.
    pub fn new(metrics: Arc<Metrics>) -> Services {
        Services::within(metrics, RoomLimits::default())
    }

    /// The same, whose rooms may hold what `limits` say.
    pub fn within(metrics: Arc<Metrics>, limits: RoomLimits) -> Services {
        Services {
            metrics,
            echo: Arc::new(Roster::new(Service::Echo)),
            chat: Arc::new(Roster::new(Service::Chat)),
            rooms: Arc::new(Rooms::new(limits)),
        }
    }

    /// What is counted of a service's connections.
    pub fn tally(&self, service: Service) -> Tally {
        self.metrics.tally(service)
    }
}
