//! The `tequio` server: imports point down this list only.
//!
//! - [`cli`]: the commands that a person types;
//! - [`web`]: every HTTP route, and WebSockets as links of connections;
//! - [`handler`]: a worker's connection, frames to events and back; [`services`]: the other ones,
//!   echo and chat;
//! - [`dispatcher`]: the one task that knows who computes and what time it is;
//! - [`connection`]: one connection, kept alive, bounded in time and closed with a reason;
//! - [`kernels`]: which there are, and [`engine`]: computing them here;
//! - [`tequio_scheduler`], a crate of its own: who computes what, pure policy;
//! - [`store`]: the durable truth.
//!
//! [`metrics`] is filled by all of them; [`native`] is a worker without a browser; [`agent`] reads
//! what workers say that they are; [`demo`] submits jobs to look at; [`files`] is the limit of open ones;
//! [`wall_clock`] is for people, and [`console`] is what they read lines on;
//! [`connect`] is how a worker and the commands come to a server's socket, `pace` how often something
//! may happen, `bounds` what peers may hold, `begun` what they may leave unfinished, `outbox` what may wait for them.

pub mod agent;
mod begun;
mod bounds;
pub mod cli;
pub mod connect;
pub mod connection;
pub mod console;
pub mod demo;
pub mod dispatcher;
pub mod engine;
pub mod files;
pub mod handler;
pub mod kernels;
mod lock;
pub mod metrics;
pub mod native;
mod outbox;
mod pace;
pub mod services;
pub mod store;
pub mod wall_clock;
pub mod web;
