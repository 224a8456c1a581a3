//! How the results of a job are checked.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How the results of a job are checked, before they are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The server computes some blocks again, within its budget: a newcomer's first ones, and then ever fewer.
    #[default]
    Auto,
    /// The server computes every block again, whatever its budget is.
    All,
    /// The server computes nothing again.
    None,
    /// Two workers compute each block, at different addresses where that does not hold the job up, and must come to the
    /// same.
    Twice,
}

impl Check {
    /// All of them.
    pub const ALL: [Check; 4] = [Check::Auto, Check::All, Check::None, Check::Twice];

    /// Its name, as flags, the API and the store have it.
    pub const fn name(self) -> &'static str {
        match self {
            Check::Auto => "auto",
            Check::All => "all",
            Check::None => "none",
            Check::Twice => "twice",
        }
    }

    /// Whether it is the one that jobs have for which nothing is said.
    pub fn is_default(&self) -> bool {
        *self == Check::default()
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Check {
    type Err = String;

    fn from_str(text: &str) -> Result<Check, String> {
        let found = Check::ALL.into_iter().find(|check| check.name() == text);
        found.ok_or_else(|| {
            let names = Check::ALL.map(Check::name).join(", ");
            format!("it must be one of {names}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for check in Check::ALL {
            assert_eq!(check.to_string().parse(), Ok(check));
            assert_eq!(serde_json::to_string(&check).unwrap(), format!("\"{check}\""));
        }
        assert!("some".parse::<Check>().unwrap_err().contains("auto, all, none, twice"));
    }
}
