//! What is lent: leases with their inputs, and those that end before they are answered.

use super::{Effect, Now, Reactor};
use std::time::Duration;
use tequio_protocol::grid::Grid;
use tequio_protocol::ids::{LeaseId, WorkerId};
use tequio_protocol::limits::{
    DISPATCHER_LEASES, IN_FLIGHT_TASKS_MAX, LEASES_INPUTS_BYTES_MAX, LEASES_OUT_MAX, STORE_RETRY,
    UNCOMMITTED_TASKS_MAX,
};
use tequio_protocol::live::HowEnded;
use tequio_protocol::message::{Lease, LeaseInputs, ServerMessage};
use tequio_protocol::values::Values;
use tequio_scheduler::{Expired, Grant, Inputs};
use tracing::{debug, debug_span, warn};

impl Reactor {
    /// Lends what can be lent, as long as what is taken can be recorded; after [`DISPATCHER_LEASES`]
    /// others have their turn first.
    pub(super) fn grant(&mut self, now: Now) {
        let mut lent = 0;
        self.may_lend_more = false;
        while self.store_error.is_none()
            && self.uncommitted < UNCOMMITTED_TASKS_MAX
            && now.at >= self.no_grants_until
        {
            if lent == DISPATCHER_LEASES {
                self.may_lend_more = true;
                break;
            }
            let Some(grant) = self.next_grant(now.at) else { break };
            lent += 1;
            self.metrics.grants.inc();
            let Some(job) = self.jobs.get(&grant.job) else { continue };
            let Grant { worker, lease, range, is_copy, .. } = &grant;
            let _job = debug_span!("job", id = %grant.job).entered();
            let _lease = debug_span!("lease", id = %lease).entered();
            debug!(?range, is_copy, "[#{worker}] lease");
            match &job.grid {
                Some(grid) => {
                    let grid = grid.clone();
                    let inputs = Inputs::Grid(grid.clone());
                    self.scheduler.set_inputs(grant.lease, inputs);
                    self.deliver(&grant, LeaseInputs::Grid(Grid::clone(&grid)), now.at);
                }
                None => {
                    self.effects.push(Effect::ReadInputs {
                        lease: grant.lease,
                        job: grant.job,
                        range: grant.range.clone(),
                    });
                    self.reading.insert(grant.lease, grant);
                }
            }
        }
    }

    /// Where as much is out as may be, what stalls is still anybody's who has room.
    fn next_grant(&mut self, now: Duration) -> Option<Grant> {
        let tasks = self.uncommitted + self.scheduler.tasks_out();
        if tasks < IN_FLIGHT_TASKS_MAX
            && self.scheduler.leases_out() < LEASES_OUT_MAX
            && self.scheduler.inputs_bytes() < LEASES_INPUTS_BYTES_MAX
        {
            self.scheduler.grant(now)
        } else {
            self.scheduler.grant_taken_over(now)
        }
    }

    /// The inputs that [`Effect::ReadInputs`] asked for are there, or cannot be read now.
    pub fn inputs_read(&mut self, lease: LeaseId, inputs: Result<Values, String>, now: Now) {
        let Some(grant) = self.reading.remove(&lease) else { return };
        let inputs = match inputs {
            Ok(inputs) => inputs,
            Err(error) => {
                warn!(%lease, job = %grant.job, "inputs cannot be read: {error}");
                self.no_grants_until = now.at + STORE_RETRY;
                return self.scheduler.withdraw(lease);
            }
        };
        let known = Inputs::List { first: grant.range.start, inputs: inputs.clone().into() };
        self.scheduler.set_inputs(lease, known);
        // It may have expired or been revoked meanwhile; then nobody waits for it.
        if self.scheduler.rest_of(lease).is_some() {
            self.deliver(&grant, LeaseInputs::List(inputs), now.at);
        }
    }

    /// The inputs that [`Effect::ReadInputs`] asked for are damaged, or gone: their job is set aside, and
    /// the others go on.
    pub fn inputs_damaged(&mut self, lease: LeaseId, what: String) {
        if let Some(grant) = self.reading.remove(&lease) {
            self.set_aside(grant.job, what, 0);
        }
    }

    fn deliver(&mut self, grant: &Grant, inputs: LeaseInputs, now: Duration) {
        let Grant { lease, job, worker: id, range, deadline, .. } = grant;
        let lent = self.jobs.get(job);
        let (Some(worker), Some(op)) =
            (self.workers.get_mut(id), lent.and_then(|job| job.job.op.known()))
        else {
            return;
        };
        let block = lent.map_or(1, |job| job.job.block);
        let count = range.end - range.start;
        self.live.stream.lent(*id, worker.slots(), *lease, *job, count, now);
        if !worker.is_in_lease_mode() {
            let input = inputs.from(range.start).text(op.params(), range.start);
            return self.give(*id, op, input, Some((*lease, range.start)), now);
        }
        worker.tasks += count;
        let message = Lease {
            lease: *lease,
            job: *job,
            op,
            first: range.start,
            count,
            block,
            inputs,
            deadline_ms: deadline.saturating_sub(now).as_millis() as u64,
        };
        self.send(*id, ServerMessage::Lease(message));
    }

    pub(super) fn revoked(&mut self, id: WorkerId, lease: LeaseId) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if worker.is_in_lease_mode() {
            return self.send(id, ServerMessage::Revoke { lease });
        }
        // A plain client knows no revoking: it answers, and what it answers is dropped.
        worker.supersede(lease);
    }

    pub(super) fn expired(&mut self, expired: Expired, now: Now) {
        let Expired { lease, job, worker } = expired;
        self.metrics.expiries.inc();
        debug!(%lease, %job, "[#{worker}] lease expired");
        self.live.stream.ended(worker, lease, HowEnded::Lost, now.at);
        self.live.busy.insert(worker);
    }
}
