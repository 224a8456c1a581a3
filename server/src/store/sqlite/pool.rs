//! Connections that several share who only read. Whoever finds none free waits for one.

use rusqlite::Connection;
use std::ops::Deref;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Some connections that read.
#[derive(Debug)]
pub(super) struct Pool {
    free: Mutex<Vec<Connection>>,
    freed: Condvar,
}

/// A connection that is in use; dropped, it is free again.
pub(super) struct Lent<'a> {
    pool: &'a Pool,
    connection: Option<Connection>,
}

impl Pool {
    pub(super) fn new(connections: Vec<Connection>) -> Pool {
        Pool { free: Mutex::new(connections), freed: Condvar::new() }
    }

    /// A connection, as soon as one is free.
    pub(super) fn lend(&self) -> Lent<'_> {
        let mut free = self.lock();
        loop {
            if let Some(connection) = free.pop() {
                return Lent { pool: self, connection: Some(connection) };
            }
            free = self.freed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nobody panics with it held.
    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Lent<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("it is given back at the end")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.lock().push(connection);
            self.pool.freed.notify_one();
        }
    }
}
