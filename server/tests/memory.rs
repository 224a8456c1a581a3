//! What a job costs the server: a thousand million tasks cost it what ten thousand do.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

mod process;

use process::{serve, submit, tequio, wait_for, work};
use std::fs;
use tequio_protocol::api::JobState;

/// What a hundred thousand times the tasks may cost.
const MORE_BYTES_MAX: u64 = 32 * 1024 * 1024;

#[test]
fn a_thousand_million_tasks_cost_the_server_no_more_memory_than_ten_thousand() {
    let few = resident_bytes(10_000, 10_000);
    let many = resident_bytes(1_000_000_000, 1_000_000);
    assert!(many < few + MORE_BYTES_MAX, "few tasks: {few} bytes, many: {many} bytes");
}

/// What a server holds in memory when a job of so many tasks was submitted and at least `computed`
/// of them recorded, and nothing is going on.
fn resident_bytes(tasks: u64, computed: u64) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let (server, url) = serve("127.0.0.1:0", folder.path());
    let worker = work(&url);
    submit(&url, tasks);
    let mut job = wait_for(&url, |job| job.done >= computed);
    if job.state != JobState::Done {
        tequio(&url, &["pause", "1"]);
        job = wait_for(&url, |job| job.leased == 0);
    }
    assert_eq!(job.total, tasks);
    drop(worker);
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}
