//! Messages to the server and to the page that more than one room has.

use crate::worker::Action;
use tequio_protocol::ids::{LeaseId, TaskId};
use tequio_protocol::message::{ErrorCode, ErrorMessage, WorkerMessage};
use tequio_protocol::page::ToPage;

/// Gives back what of a lease has no outcome.
pub(crate) fn release(lease: LeaseId, actions: &mut Vec<Action>) {
    actions.push(Action::Send(WorkerMessage::Release { lease }.write()));
}

/// What a refusal is about.
pub(crate) enum About {
    Nothing,
    Task(Option<TaskId>),
    Lease(Option<LeaseId>),
}

pub(crate) fn notice(actions: &mut Vec<Action>, text: String) {
    actions.push(Action::Tell(ToPage::Notice { text }));
}

pub(crate) fn refuse(actions: &mut Vec<Action>, code: ErrorCode, message: String, about: About) {
    let (task_id, lease) = match about {
        About::Nothing => (None, None),
        About::Task(task_id) => (task_id, None),
        About::Lease(lease) => (None, lease),
    };
    let error = ErrorMessage { code, message, task_id, lease };
    actions.push(Action::Send(WorkerMessage::Error(error).write()));
}
