//! What a server does for a connection beside handing out tasks: echo and chat. Each is a loop over a
//! [`Connection`](crate::connection::Connection), in a file of its own.

mod aside;
pub mod chat;
pub mod echo;
pub(crate) mod lines;
mod roster;

use crate::metrics::{Metrics, Service, Tally};
use aside::Aside;
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
    aside: Aside,
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
            aside: Aside::new(),
        }
    }

    /// Serves a connection to its end. All but workers' are served on a thread of their own.
    pub fn spawn(&self, service: Service, serve: impl Future<Output = ()> + Send + 'static) {
        match service {
            Service::Tasks => drop(tokio::spawn(serve)),
            _ => self.aside.spawn(serve),
        }
    }

    /// What is counted of a service's connections.
    pub fn tally(&self, service: Service) -> Tally {
        self.metrics.tally(service)
    }
}
