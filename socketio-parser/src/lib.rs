//! The parser that socketioxide is built with: its own, which this hands packets to whose event it
//! can read.
//!
//! socketioxide looks for an event's handler by borrowing the event's name from the packet, and so
//! ends a connection whose event has a name with JSON escapes. Python escapes every letter that is not
//! ASCII: `emit("mañana")` is `["ma\u00f1ana"]`. Numbers are names as well in Node's server.

mod names;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use socketioxide_core::packet::Packet;
use socketioxide_core::parser::{Parse, ParseConfig, ParseError, ParserError, ParserState};
use socketioxide_core::{Str, Value};

/// Stands before a name that cannot be borrowed: one that is a number, or that JSON cannot write
/// without escapes. The event has one element more then. Unicode keeps this character out of text.
pub const OTHER_NAME: &str = "\u{fdd0}";

/// See the crate.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommonParser;

impl Parse for CommonParser {
    fn encode(self, packet: Packet) -> Value {
        original::CommonParser.encode(packet)
    }

    fn decode_str(
        self,
        config: &ParseConfig,
        state: &ParserState,
        packet: Str,
    ) -> Result<Packet, ParseError> {
        let packet = names::with_borrowable_name(&packet).map_or(packet, Str::from);
        original::CommonParser.decode_str(config, state, packet)
    }

    fn decode_bin(
        self,
        config: &ParseConfig,
        state: &ParserState,
        attachment: Bytes,
    ) -> Result<Packet, ParseError> {
        original::CommonParser.decode_bin(config, state, attachment)
    }

    fn encode_value<T: ?Sized + Serialize>(
        self,
        data: &T,
        event: Option<&str>,
    ) -> Result<Value, ParserError> {
        original::CommonParser.encode_value(data, event)
    }

    fn decode_value<'de, T: Deserialize<'de>>(
        self,
        value: &'de mut Value,
        with_event: bool,
    ) -> Result<T, ParserError> {
        original::CommonParser.decode_value(value, with_event)
    }

    fn decode_default<'de, T: Deserialize<'de>>(
        self,
        value: Option<&'de Value>,
    ) -> Result<T, ParserError> {
        original::CommonParser.decode_default(value)
    }

    fn encode_default<T: ?Sized + Serialize>(self, data: &T) -> Result<Value, ParserError> {
        original::CommonParser.encode_default(data)
    }

    fn read_event(self, value: &Value) -> Result<&str, ParserError> {
        original::CommonParser.read_event(value)
    }
}
