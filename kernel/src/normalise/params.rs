//! What a kernel says of its parameters, in a custom section: a JSON array of
//! `{"name": "re", "default": "-2..=1:0.01", "help": "real part"}`.

use super::form::unnamed;
use crate::refused::Refused;
use crate::shape::{KernelParam, ValueType};
use crate::{PARAMS_SECTION, PARAMS_SECTION_BYTES_MAX};
use serde::{Deserialize, Serialize};
use tequio_protocol::grid::Axis;
use tequio_protocol::limits::NAME_CHARS_MAX;
use tequio_protocol::op::PARAMS_MAX;
use tequio_protocol::text::quote;

/// The longest help of a parameter, in characters: a line or two.
const HELP_CHARS_MAX: usize = 400;

/// What is said of one parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    name: String,
    #[serde(default, deserialize_with = "axis", skip_serializing_if = "Option::is_none")]
    default: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

/// Reads the section.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Said>, Refused> {
    if bytes.len() > PARAMS_SECTION_BYTES_MAX {
        let len = bytes.len();
        return Err(refused(format!(
            "it has {len} bytes, and may have {PARAMS_SECTION_BYTES_MAX}"
        )));
    }
    // Zeros behind the text are what C's string literals end with.
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let said: Vec<Said> = serde_json::from_slice(&bytes[..end])
        .map_err(|error| refused(quote(&error.to_string())))?;
    if said.len() > PARAMS_MAX {
        return Err(refused(format!(
            "it has {} parameters, and may have {PARAMS_MAX}",
            said.len()
        )));
    }
    for (place, param) in said.iter().enumerate() {
        param.check(&said[..place]).map_err(|words| {
            refused(format!("parameter {}, \"{}\": {words}", place + 1, quote(&param.name)))
        })?;
    }
    Ok(said)
}

/// The section as it is written.
pub(super) fn write(said: &[Said]) -> Vec<u8> {
    serde_json::to_vec(said).expect("names are strings")
}

impl Said {
    fn check(&self, before: &[Said]) -> Result<(), String> {
        let name = &*self.name;
        let is_letter = |c: char| c == '_' || c.is_ascii_alphabetic();
        let is_part = |c: char| is_letter(c) || c.is_ascii_digit();
        if !name.starts_with(is_letter) || !name.chars().all(is_part) || name.len() > NAME_CHARS_MAX
        {
            return Err(format!(
                "a name has 1 to {NAME_CHARS_MAX} letters, digits and _, no digit first"
            ));
        }
        if matches!(name, "op" | "grid") {
            return Err("this name means something else: take another".to_owned());
        }
        if before.iter().any(|other| other.name == name) {
            return Err("it is there twice".to_owned());
        }
        if let Some(default) = &self.default {
            default.parse::<Axis>().map_err(|error| format!("its default is no axis: {error}"))?;
        }
        if self.help.as_ref().is_some_and(|help| help.chars().count() > HELP_CHARS_MAX) {
            return Err(format!("its help may have {HELP_CHARS_MAX} characters"));
        }
        Ok(())
    }

    fn param(&self, kind: Option<ValueType>) -> KernelParam {
        let Said { name, default, help } = self.clone();
        KernelParam { name, kind, default, help }
    }
}

/// The parameters of a form that takes any.
pub(super) fn named(said: Option<&[Said]>) -> Vec<KernelParam> {
    said.unwrap_or_default().iter().map(|said| said.param(None)).collect()
}

/// The parameters of the numbers form, which are as many as `run` takes.
pub(super) fn of_numbers(
    said: Option<&[Said]>,
    kinds: &[ValueType],
) -> Result<Vec<KernelParam>, Refused> {
    if let Some(said) = said.filter(|said| said.len() != kinds.len()) {
        let (said, takes) = (said.len(), kinds.len());
        return Err(refused(format!("it names {said} parameters, and run takes {takes}")));
    }
    let param = |(place, kind): (usize, &ValueType)| match said {
        Some(said) => said[place].param(Some(*kind)),
        None => KernelParam { kind: Some(*kind), ..unnamed(place) },
    };
    Ok(kinds.iter().enumerate().map(param).collect())
}

fn refused(words: impl std::fmt::Display) -> Refused {
    Refused::new("params", format!("the custom section {PARAMS_SECTION} cannot be read: {words}"))
}

/// A number, or an axis as people type it.
fn axis<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a default is a number, or an axis as text")]
    enum Default {
        Number(serde_json::Number),
        Text(String),
    }
    Ok(Some(match Default::deserialize(deserializer)? {
        Default::Number(number) => number.to_string(),
        Default::Text(text) => text,
    }))
}

/// A string, and not `null`.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}
