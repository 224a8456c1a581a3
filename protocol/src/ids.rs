//! Identifiers. Each is a type of its own, so that no two can be confused, and stays at or below
//! [`INTEGER_MAX`](crate::limits::INTEGER_MAX), so that JavaScript reads it exactly.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "typescript", derive(ts_rs::TS), ts(type = "number"))]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// One task of a plain connection, chosen by the server and echoed in the result.
    TaskId
}
id! {
    /// One connection that computes, numbered from 1 in the order of arrival.
    WorkerId
}
id! {
    /// One job, numbered from 1 in the order of submission; never used again.
    JobId
}
id! {
    /// One lease. No two leases of one store have the same id, whatever server granted them.
    LeaseId
}
