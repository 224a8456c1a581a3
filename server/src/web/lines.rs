//! Inputs as newline-delimited JSON: one object a line, read as the body arrives.

use super::error::{ApiError, BODY_CUT_OFF};
use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt;
use tequio_protocol::limits::{INPUTS_BLOCK, LINE_BYTES_MAX};
use tequio_protocol::line;
use tequio_protocol::op::RepeatMultiply;

/// What is done with a line that is no input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Invalid {
    /// Refuse the whole submission.
    Refuse,
    /// Count it and go on.
    Skip,
}

/// The lines of one body.
pub(super) struct Lines {
    body: BodyDataStream,
    bytes_left: usize,
    bytes_max: usize,
    invalid: Invalid,
    /// The line that has not ended, or its beginning where it is too long already.
    partial: Vec<u8>,
    inputs: Vec<RepeatMultiply>,
    is_ended: bool,
    line: u64,
    skipped: u64,
}

impl Lines {
    /// Reads a body of at most `bytes_max` bytes.
    pub(super) fn new(body: Body, bytes_max: usize, invalid: Invalid) -> Lines {
        Lines {
            body: body.into_data_stream(),
            bytes_left: bytes_max,
            bytes_max,
            invalid,
            partial: Vec::new(),
            inputs: Vec::new(),
            is_ended: false,
            line: 0,
            skipped: 0,
        }
    }

    /// Counts lines from `first` on, where those before were in another body.
    pub(super) fn from_line(mut self, first: u64) -> Lines {
        self.line = first.saturating_sub(1);
        self
    }

    /// The next inputs: [`INPUTS_BLOCK`] of them or a few more, fewer at the end, none behind it.
    pub(super) async fn next_block(&mut self) -> Result<Vec<RepeatMultiply>, ApiError> {
        while self.inputs.len() < INPUTS_BLOCK && !self.is_ended {
            match self.body.next().await {
                Some(Ok(bytes)) => self.take(&bytes)?,
                Some(Err(error)) => {
                    let message = format!("The body was cut off: {error}.");
                    return Err(ApiError::bad(BODY_CUT_OFF, message));
                }
                None => {
                    self.is_ended = true;
                    self.end_line(&[])?;
                }
            }
        }
        Ok(std::mem::take(&mut self.inputs))
    }

    /// How many lines were skipped so far.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), ApiError> {
        let left = self.bytes_left.checked_sub(bytes.len());
        self.bytes_left = left.ok_or_else(|| ApiError::body_too_big(self.bytes_max))?;
        let mut pieces = bytes.split(|byte| *byte == b'\n');
        // The last piece is the beginning of a line that goes on, be it an empty one.
        let last = pieces.next_back().unwrap_or_default();
        for piece in pieces {
            self.end_line(piece)?;
        }
        self.extend(last);
        Ok(())
    }

    /// Keeps a byte too many of a line that is too long, and no more.
    fn extend(&mut self, piece: &[u8]) {
        let room = (LINE_BYTES_MAX + 1).saturating_sub(self.partial.len());
        self.partial.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    fn end_line(&mut self, piece: &[u8]) -> Result<(), ApiError> {
        self.line += 1;
        let read = if self.partial.is_empty() {
            line::read(piece)
        } else {
            self.extend(piece);
            line::read(&std::mem::take(&mut self.partial))
        };
        match (read, self.invalid) {
            (Ok(input), _) => self.inputs.extend(input),
            (Err(_), Invalid::Skip) => self.skipped += 1,
            (Err(reason), Invalid::Refuse) => {
                let message =
                    format!("Line {}: {reason}. Nothing of this submission is kept.", self.line);
                return Err(ApiError::bad("bad_line", message));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    fn line(times: u64) -> String {
        format!(r#"{{"initial":1,"factor":2,"times":{times}}}"#)
    }

    fn input(times: u64) -> RepeatMultiply {
        RepeatMultiply::new(1.0, 2.0, times).unwrap()
    }

    /// The body in chunks of `size` bytes.
    fn lines(text: &str, size: usize, invalid: Invalid, bytes_max: usize) -> Lines {
        let chunks: Vec<Result<Vec<u8>, std::io::Error>> =
            text.as_bytes().chunks(size).map(|chunk| Ok(chunk.to_vec())).collect();
        Lines::new(Body::from_stream(stream::iter(chunks)), bytes_max, invalid)
    }

    #[tokio::test]
    async fn lines_are_read_however_the_body_is_cut() {
        let text = format!("{}\n\n{}\r\n  \n{}", line(1), line(2), line(3));
        for size in 1..=text.len() {
            let mut lines = lines(&text, size, Invalid::Refuse, text.len());
            let inputs = lines.next_block().await.unwrap();
            assert_eq!(inputs, [input(1), input(2), input(3)], "in chunks of {size}");
            assert_eq!(lines.next_block().await.unwrap(), []);
        }
    }

    #[tokio::test]
    async fn a_bad_line_is_named_or_skipped() {
        let long = " ".repeat(LINE_BYTES_MAX) + &line(9);
        let text = format!("{}\nno json\n\n{long}\n{{\"initial\":1}}\n{}\n", line(1), line(2));
        for size in [1, 7, 4096, text.len()] {
            let error = lines(&text, size, Invalid::Refuse, text.len()).next_block().await;
            let said = format!("{:?}", error.unwrap_err());
            assert!(said.contains("Line 2: expected"), "{said}");
            let mut skipping = lines(&text, size, Invalid::Skip, text.len());
            assert_eq!(skipping.next_block().await.unwrap(), [input(1), input(2)]);
            assert_eq!(skipping.skipped(), 3);
        }
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused() {
        let text = line(1) + "\n";
        assert!(lines(&text, 3, Invalid::Skip, text.len()).next_block().await.is_ok());
        let error = lines(&text, 3, Invalid::Skip, text.len() - 1).next_block().await.unwrap_err();
        assert!(format!("{error:?}").contains("body_too_big"));
    }
}
