//! What the page and its coordinator (the dedicated worker that holds the socket) tell each other,
//! and what the coordinator and its compute worker do: JavaScript objects, posted
//! between them. The page is checked against the TypeScript made of these types.

use crate::ids::{JobId, TaskId};
use crate::op::OpId;
use serde::{Deserialize, Serialize};

/// From the page to the coordinator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromPage {
    /// Begin, or go on after [`FromPage::Pause`] or [`FromPage::Finish`]. Not before
    /// [`ToPage::Ready`].
    Start {
        /// The server's socket, `ws://` or `wss://`.
        url: String,
        /// The id that this browser keeps, to be said in `hello`; none for a server that is not
        /// known to be Tequio's, and is sent nothing that it may not expect.
        worker: Option<String>,
        /// A random id of this tab's own: the tabs of a browser share its cores out by it.
        tab: String,
        /// Whether the server's kernels can be had: a page may fetch code from its own server only.
        kernels: bool,
        /// What may be used of this machine.
        allowance: Allowance,
    },
    /// What may be used has changed.
    Allow {
        /// From now on.
        allowance: Allowance,
    },
    /// Stop at once: what is computed within a second is sent, the rest is given back. Ends with
    /// [`ToPage::Paused`].
    Pause,
    /// Take nothing new, compute what is here, then stop. Ends with [`ToPage::Paused`].
    Finish,
    /// The browser is about to freeze or put away this tab (`freeze`, `pagehide`): give back what
    /// is not begun.
    Suspend,
    /// The tab is back (`resume`, `pageshow`): connect at once, since nobody knows for how long it
    /// was away.
    Resume,
    /// Connect now instead of when the countdown ends, or after the server would have no more of
    /// it: a click on "now", or the `online` event.
    RetryNow,
}

/// What a person lends of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Allowance {
    /// How many cores, at least 1, for all tabs of this browser together; each tab has at least
    /// one slot all the same.
    pub cores: u32,
    /// How much of each core's time, in percent: 1 to 100. Kept by pausing between small pieces.
    pub share_percent: u32,
}

/// From the coordinator to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToPage {
    /// The coordinator listens. It speaks first: what is posted before this is lost.
    Ready,
    /// A connection is being opened.
    Connecting {
        /// How many attempts since the last connection that lasted, this one included.
        attempt: u32,
    },
    /// The connection is open.
    Connected,
    /// The connection is closed, or did not open; the next attempt comes by itself.
    Disconnected {
        /// Why, for people: the close code and its reason.
        reason: String,
        /// Milliseconds until the next attempt.
        retry_in_ms: f64,
    },
    /// How much this tab computes with: at the start, and when that changes.
    Lent {
        /// Slots that this tab has.
        slots: u32,
        /// Tabs of this browser that share its cores out, this one included.
        tabs: u32,
    },
    /// Nothing is computed and nobody is connected, as a person has asked.
    Paused,
    /// A task is being computed, in its turn.
    Task {
        /// On which slot, from 0.
        slot: u32,
        /// Its id.
        task_id: TaskId,
        /// What is computed, for people.
        text: String,
    },
    /// A result was sent.
    Result {
        /// The slot that computed it.
        slot: u32,
        /// Its task.
        task_id: TaskId,
        /// What was computed, for people.
        text: String,
        /// The number, for people: every digit that it has.
        result: String,
        /// How long it took to compute, in milliseconds.
        duration_ms: f64,
    },
    /// A lease is being computed, in its turn.
    Lease {
        /// On which slot, from 0.
        slot: u32,
        /// What is computed.
        op: OpId,
        /// The job.
        job: JobId,
        /// The first task.
        #[cfg_attr(feature = "typescript", ts(type = "number"))]
        first: u64,
        /// How many tasks.
        #[cfg_attr(feature = "typescript", ts(type = "number"))]
        count: u64,
    },
    /// Results of a lease were sent.
    Results {
        /// The slot that computed them.
        slot: u32,
        /// The job.
        job: JobId,
        /// The last one's task.
        #[cfg_attr(feature = "typescript", ts(type = "number"))]
        last: u64,
        /// How many.
        #[cfg_attr(feature = "typescript", ts(type = "number"))]
        count: u64,
        /// What the last one was computed of, for people.
        text: String,
        /// The last one, for people.
        result: String,
        /// How long they took to compute, all together, in milliseconds.
        duration_ms: f64,
    },
    /// A slot has nothing to compute.
    Idle {
        /// Which, from 0.
        slot: u32,
    },
    /// Something that a person should know and that stops nothing.
    Notice {
        /// What happened.
        text: String,
    },
    /// The worker does not go on by itself; the page says why.
    Failed {
        /// What happened.
        text: String,
        /// Whether [`FromPage::RetryNow`] may mend it. If not, only loading the page again may.
        can_retry: bool,
    },
}

/// From one tab's coordinator to those of the same browser's other tabs, as JSON on the channel
/// `tequio`; a page says `bye` for its coordinator, which a closing tab gives no time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TabMessage {
    /// A tab computes, and has its part of the cores.
    Here {
        /// Its id.
        tab: String,
    },
    /// It leaves its part to the others.
    Bye {
        /// Its id.
        tab: String,
    },
}

impl TabMessage {
    /// As it travels.
    pub fn write(&self) -> String {
        serde_json::to_string(self).expect("a message of strings serialises")
    }

    /// Reads what a tab said; errs on anything else that is said on the channel.
    pub fn read(text: &str) -> Result<TabMessage, serde_json::Error> {
        serde_json::from_str(text)
    }
}
