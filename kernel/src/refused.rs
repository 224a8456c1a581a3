//! Why a module is no kernel.

/// Why a module is refused: a sentence that says what is wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    code: &'static str,
    message: String,
}

impl Refused {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Refused {
        Refused { code, message: message.into() }
    }

    /// What kind of refusal it is, for programs: `too_large`, `not_wasm`, `invalid`, `feature`, `import`,
    /// `limit`, `exports`, `params`, `reserved`, `not_normalised` or `engine`.
    pub fn code(&self) -> &'static str {
        self.code
    }
}
