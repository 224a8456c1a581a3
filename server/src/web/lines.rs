//! Inputs as a body has them, read as it arrives.

use super::bodies;
use super::error::ApiError;
use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt;
use tequio_protocol::limits::INPUTS_BLOCK;
use tequio_protocol::op::Op;
use tequio_protocol::reader::{Invalid, Reader, Skipped, Start, Taken};

/// The inputs of one body.
pub(super) struct Lines {
    op: &'static dyn Op,
    body: BodyDataStream,
    bytes_left: usize,
    bytes_max: usize,
    reader: Reader,
    is_ended: bool,
}

impl Lines {
    /// Reads inputs of `op` from a body of at most `bytes_max` bytes. Inputs and lines are counted from
    /// `start`.
    pub(super) fn new(
        op: &'static dyn Op,
        body: Body,
        bytes_max: usize,
        start: Start,
        invalid: Invalid,
    ) -> Lines {
        Lines {
            op,
            body: body.into_data_stream(),
            bytes_left: bytes_max,
            bytes_max,
            reader: Reader::new(op.params(), start, invalid),
            is_ended: false,
        }
    }

    /// The next inputs: [`INPUTS_BLOCK`] of them or a few more, fewer at the end, none behind it.
    pub(super) async fn next_block(&mut self) -> Result<Taken, ApiError> {
        while self.reader.waiting() < INPUTS_BLOCK && !self.is_ended {
            let read = match self.body.next().await {
                Some(Ok(bytes)) => {
                    let left = self.bytes_left.checked_sub(bytes.len());
                    self.bytes_left = left.ok_or_else(|| ApiError::body_too_big(self.bytes_max))?;
                    self.reader.push(&bytes)
                }
                Some(Err(error)) => return Err(bodies::broken(&error.into_inner())),
                None => {
                    self.is_ended = true;
                    self.reader.end()
                }
            };
            read.map_err(|refused| {
                // What a person is advised to pipe a foreign text into, once it is what is read.
                let command = format!("tequio submit {} --input -", self.op.name());
                let said = refused.message(&command);
                let message = format!("{said}. Nothing of this submission is kept.");
                ApiError::bad(refused.code(), message)
            })?;
        }
        Ok(self.reader.take())
    }

    /// What was skipped so far.
    pub(super) fn skipped(&self) -> &Skipped {
        self.reader.skipped()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use tequio_protocol::limits::LINE_BYTES_MAX;
    use tequio_protocol::op;
    use tequio_protocol::values::Values;

    fn line(times: u64) -> String {
        format!(r#"{{"initial":1.0,"factor":2.0,"times":{times}}}"#)
    }

    fn inputs(times: &[u64]) -> Values {
        times.iter().map(|times| line(*times)).collect()
    }

    /// The body in chunks of `size` bytes.
    fn lines(text: &str, size: usize, invalid: Invalid, bytes_max: usize) -> Lines {
        let chunks: Vec<Result<Vec<u8>, std::io::Error>> =
            text.as_bytes().chunks(size).map(|chunk| Ok(chunk.to_vec())).collect();
        let start = Start { index: 0, line: 1 };
        let op = op::named("repeat_multiply").unwrap();
        Lines::new(op, Body::from_stream(stream::iter(chunks)), bytes_max, start, invalid)
    }

    #[tokio::test]
    async fn lines_are_read_however_the_body_is_cut() {
        let text = format!("{}\n\n{}\r\n  \n{}", line(1), line(2), line(3));
        for size in 1..=text.len() {
            let mut lines = lines(&text, size, Invalid::Refuse, text.len());
            let read = lines.next_block().await.unwrap().inputs;
            assert_eq!(read, inputs(&[1, 2, 3]), "in chunks of {size}");
            assert!(lines.next_block().await.unwrap().inputs.is_empty());
        }
    }

    #[tokio::test]
    async fn a_bad_line_is_named_or_skipped() {
        let long = " ".repeat(LINE_BYTES_MAX) + &line(9);
        let text = format!("{}\nno json\n\n{long}\n{{\"initial\":1}}\n{}\n", line(1), line(2));
        for size in [1, 7, 4096, text.len()] {
            let error = lines(&text, size, Invalid::Refuse, text.len()).next_block().await;
            let said = format!("{:?}", error.unwrap_err());
            assert!(said.contains("Line 2, column 1: it is no JSON"), "{said}");
            let mut skipping = lines(&text, size, Invalid::Skip, text.len());
            assert_eq!(skipping.next_block().await.unwrap().inputs, inputs(&[1, 2]));
            assert_eq!(skipping.skipped().first, [2, 4, 5]);
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
