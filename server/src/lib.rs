//! The `tequio` server: imports point down this list only.
//!
//! - [`cli`]: the commands that a person types;
//! - [`web`]: every HTTP route, and WebSockets as links for a session;
//! - [`session`]: one connection, frames to events and back;
//! - [`dispatcher`]: the one task that knows who is connected and what time it is;
//! - [`scheduler`]: who computes what, pure policy;
//! - [`store`]: the durable truth.
//!
//! [`metrics`] is filled by all of them; [`native`] is a worker without a browser; [`agent`] reads
//! what workers say that they are; [`demo`] submits jobs to look at.

pub mod agent;
pub mod cli;
pub mod demo;
pub mod dispatcher;
pub mod metrics;
pub mod native;
pub mod scheduler;
pub mod session;
pub mod store;
pub mod web;
