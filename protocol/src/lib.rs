//! What travels between Tequio's parts, and what is computed: messages, ops, limits.
//!
//! Types only. Nothing in here does I/O, reads a clock or draws a random number, and everything
//! builds for the server's target as for the browser's, so that both ends of the wire are one
//! piece of code. Read [`message`] for the protocol, [`op`] for what a task computes.

pub mod api;
pub mod chat;
pub mod check;
pub mod fault;
mod foreign;
pub mod grid;
pub mod ids;
pub mod job_text;
pub mod limits;
pub mod line;
pub mod live;
pub mod message;
pub mod number;
pub mod op;
pub mod outcome;
pub mod page;
pub mod piece;
pub mod power;
pub mod ranges;
pub mod reader;
mod scan;
mod table;
pub mod text;
pub mod values;
