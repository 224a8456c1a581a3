//! What goes wrong, and what people want meanwhile.

use crate::workers::Kind;
use crate::world::{Happening, Simulation};
use rand::RngExt;
use std::time::Duration;
use tequio::dispatcher::Control;
use tequio_protocol::ids::JobId;
use tequio_worker::worker::Event;

impl Simulation {
    pub(crate) fn chaos(&mut self) {
        if !self.is_chaos() {
            return self.calm();
        }
        let next = self.random.random_range(0.05..8.0);
        self.after(next, Happening::Chaos);
        let index = self.random.random_range(0..self.nodes.len());
        let is_steady = self.nodes[index].kind == Kind::Steady;
        match self.random.random_range(0..20) {
            0..=2 => self.crash(),
            3..=5 if !is_steady && !self.nodes[index].is_gone => self.vanish(index),
            6..=9 if !is_steady => {
                let seconds = self.random.random_range(1.0..600.0);
                self.nodes[index].frozen_until = self.now + Duration::from_secs_f64(seconds);
            }
            10..=12 => self.break_line(index),
            13..=14 => {
                let seconds = self.random.random_range(0.1..30.0);
                let until = self.now + Duration::from_secs_f64(seconds);
                if let Some(server) = &mut self.server {
                    server.disk_fails_until = until;
                }
            }
            15 => {
                let ids: Vec<JobId> = self.jobs.keys().copied().collect();
                if let Some(&job) = ids.first() {
                    self.control(job, Control::Pause);
                    let seconds = self.random.random_range(1.0..60.0);
                    self.after(seconds, Happening::Resume { job });
                }
            }
            17 | 18 if !self.nodes[index].is_gone => self.want(index),
            16 if self.chance(0.2) => {
                if let Some(&job) = self.jobs.keys().next_back() {
                    self.control(job, Control::Cancel);
                }
            }
            _ => {}
        }
    }

    /// A person pauses, finishes or lends otherwise; a browser puts the tab away.
    fn want(&mut self, index: usize) {
        let life = self.nodes[index].lives;
        let (allowance, kind) = (self.allowance(), self.nodes[index].kind);
        let (event, back) = match self.random.random_range(0..4) {
            0 => (Event::Pause, self.start_of(kind)),
            1 => (Event::Finish, self.start_of(kind)),
            2 => (Event::Suspend, Event::Resume),
            _ => (Event::Allow(allowance), Event::Allow(allowance)),
        };
        let pause = self.random.random_range(0.01..60.0);
        self.tell(index, event);
        self.after(pause, Happening::Wanted { node: index, life, event: back });
    }

    /// What is paused goes on; a server that is down rises by itself.
    fn calm(&mut self) {
        if let Some(server) = &mut self.server {
            server.disk_fails_until = Duration::ZERO;
        }
    }
}
