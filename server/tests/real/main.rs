//! The server as others meet it: real sockets, the real binary, and sessions on virtual time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

mod cli;
mod console;
mod events;
mod foreign_files;
mod jobs;
mod link;
mod open_jobs;
mod page;
mod plain;
mod refusals;
mod sample;
mod services;
mod services_cli;
mod session;
mod socketio;
mod support;
mod tls;
mod trouble;
mod uploads;
mod who;
mod words;
mod workers;
