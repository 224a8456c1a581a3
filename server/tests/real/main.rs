//! The server as others meet it: real sockets, the real binary, and handlers on virtual time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

mod checks;
mod cli;
mod console;
mod damage;
mod events;
mod every_way_in;
mod folder;
mod foreign_files;
mod handler;
mod idle;
mod jobs;
mod kernels;
mod limits;
mod lingering;
mod link;
mod listen;
mod open_jobs;
mod ops;
mod page;
mod plain;
mod proxies;
mod proxy;
mod refusals;
mod repair;
mod saboteurs;
mod sample;
mod services;
mod services_cli;
mod socketio;
mod support;
mod tls;
mod trouble;
mod unfinished;
mod unread;
mod upgrade;
mod uploads;
mod who;
mod whole;
mod words;
mod workers;
