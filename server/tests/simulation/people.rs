//! Who is who at a server: what workers become under their sessions, whose claims wait, and who was found to lie.

use std::collections::{HashMap, HashSet};
use tequio_protocol::ids::WorkerId;
use tequio_protocol::message::Welcome;
use tequio_scheduler::ClaimId;

/// Workers by their sessions, across connections.
#[derive(Default)]
pub(crate) struct People {
    /// The session that a worker has asked for.
    asked: HashMap<WorkerId, String>,
    /// Who has these sessions.
    sessions: HashMap<String, Person>,
    workers: HashMap<WorkerId, Person>,
    claims: HashMap<ClaimId, Person>,
    found: HashSet<Person>,
    /// Who says what is being dealt with.
    speaking: Option<WorkerId>,
}

/// Numbers those that have said hello, and have not resumed a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Person(usize);

impl People {
    /// What follows is because of what this worker says.
    pub(crate) fn listen(&mut self, worker: WorkerId) {
        self.speaking = Some(worker);
    }

    /// A worker wants to go on with a session.
    pub(crate) fn asks(&mut self, worker: WorkerId, session: String) {
        self.asked.insert(worker, session);
    }

    /// A worker is told its session. Who was found to lie is not known by an earlier one any more.
    pub(crate) fn welcome(&mut self, worker: WorkerId, welcome: &Welcome) {
        let person = match welcome.resumed {
            true => self.sessions[&self.asked[&worker]],
            false => Person(self.workers.len()),
        };
        assert!(!self.found.contains(&person), "a liar goes on under its session");
        self.workers.insert(worker, person);
        self.sessions.extend(welcome.session.clone().map(|session| (session, person)));
    }

    /// A claim of who speaks waits for its verdict.
    pub(crate) fn claims(&mut self, claim: ClaimId) {
        if let Some(person) = self.speaking.and_then(|worker| self.workers.get(&worker)) {
            self.claims.entry(claim).or_insert(*person);
        }
    }

    /// A claim was found wrong. Gives those that are out.
    pub(crate) fn find_out(&mut self, claim: ClaimId) -> Vec<WorkerId> {
        let Some(person) = self.claims.get(&claim) else { return Vec::new() };
        self.found.insert(*person);
        let theirs = self.workers.iter().filter(|(_, of)| *of == person);
        theirs.map(|(worker, _)| *worker).collect()
    }
}
