//! The `tequio` server: imports point down this list only.
//!
//! - [`cli`]: the commands that a person types;
//! - [`web`]: every HTTP route, and WebSockets as links for a session;
//! - [`session`]: one connection, frames to events and back;
//! - [`dispatcher`]: the one task that knows who is connected and who computes what.

pub mod cli;
pub mod dispatcher;
pub mod session;
pub mod web;
