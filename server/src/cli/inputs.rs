//! Inputs as people give them, line by line, in blocks that a proxy lets through.

use anyhow::{Context, bail};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tequio_protocol::limits::{INPUTS_BLOCK, MAP_BLOCKS_WAITING_MAX, READ_BYTES, UPLOAD_BYTES_MAX};
use tequio_protocol::op::Param;
use tequio_protocol::reader::{Invalid, Numbering, Reader, Refused, Skipped, Start};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// Where inputs come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Stdin,
    File(PathBuf),
}

/// How long is waited for a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Until its first line; after it the block is empty.
    pub(super) first: Duration,
    /// Between its first line and its last.
    pub(super) rest: Duration,
}

/// Lines as they are sent.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// JSON objects, one a line; a line without an input is blank.
    pub(super) text: String,
    /// Inputs among them.
    pub(super) count: u64,
    /// The number of its first line.
    pub(super) line: u64,
    /// That of the line behind its last.
    next_line: u64,
    /// Whether nothing follows.
    pub(super) is_last: bool,
}

/// Inputs, read ahead by a thread of its own, since reading cannot be interrupted.
pub(super) struct Inputs {
    lines: mpsc::Receiver<Read>,
    command: String,
    /// What did not fit into the block before.
    pending: Option<Line>,
    skipped: Skipped,
}

struct Line {
    number: u64,
    json: String,
}

/// What comes of the source.
enum Read {
    /// An input, on its line.
    Input(Line),
    /// What is wrong, with the line's number.
    Bad(Refused),
    Broken(io::Error),
    /// These lines were skipped.
    Skipped(Skipped),
}

impl Source {
    pub(super) fn of(file: &Path) -> Source {
        if file == Path::new("-") { Source::Stdin } else { Source::File(file.to_owned()) }
    }

    /// For messages.
    pub(super) fn name(&self) -> String {
        match self {
            Source::Stdin => "stdin".to_owned(),
            Source::File(file) => file.display().to_string(),
        }
    }

    fn open(&self) -> anyhow::Result<Box<dyn BufRead + Send>> {
        let Source::File(path) = self else {
            return Ok(Box::new(BufReader::with_capacity(READ_BYTES, io::stdin())));
        };
        if path.is_dir() {
            bail!("{} is a folder; expected a file of inputs, or - for stdin", path.display());
        }
        let file =
            File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(Box::new(BufReader::with_capacity(READ_BYTES, file)))
    }
}

impl Inputs {
    /// Begins to read inputs with these parameters. `command` is what a person is advised to pipe a
    /// foreign text into, once it is what is read.
    pub(super) fn open(
        params: &'static [Param],
        source: &Source,
        invalid: Invalid,
        command: String,
    ) -> anyhow::Result<Inputs> {
        let reader = source.open()?;
        let (read, lines) = mpsc::channel(INPUTS_BLOCK * MAP_BLOCKS_WAITING_MAX);
        let inputs = Reader::new(params, Start { index: 0, line: 1 }, invalid);
        std::thread::spawn(move || read_all(reader, inputs, &read));
        Ok(Inputs { lines, command, pending: None, skipped: Skipped::default() })
    }

    /// The lines that were skipped, once the last block was given.
    pub(super) fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// The next inputs: as many as one request should have, or as came in time.
    pub(super) async fn next_block(&mut self, patience: Patience) -> anyhow::Result<Block> {
        let mut block = Block::default();
        let mut until = Instant::now() + patience.first;
        while block.count < INPUTS_BLOCK as u64 {
            let line = match self.pending.take() {
                Some(line) => line,
                None => match timeout_at(until, self.next_line()).await {
                    Err(_) => return Ok(block),
                    Ok(None) => {
                        block.is_last = true;
                        return Ok(block);
                    }
                    Ok(Some(line)) => line?,
                },
            };
            if !block.has_room(&line) {
                self.pending = Some(line);
                return Ok(block);
            }
            if block.count == 0 {
                until = Instant::now() + patience.rest;
            }
            block.add(&line);
        }
        Ok(block)
    }

    /// May be cancelled.
    async fn next_line(&mut self) -> Option<anyhow::Result<Line>> {
        loop {
            return Some(match self.lines.recv().await? {
                Read::Input(line) => Ok(line),
                Read::Skipped(skipped) => {
                    self.skipped = skipped;
                    continue;
                }
                Read::Bad(refused) => Err(anyhow::Error::msg(refused.message(&self.command))),
                Read::Broken(error) => Err(error).context("the inputs cannot be read"),
            });
        }
    }
}

impl Block {
    /// Lines without an input that lie before `line`, if that is not the first.
    fn gap(&self, line: &Line) -> u64 {
        if self.count == 0 { 0 } else { line.number.saturating_sub(self.next_line) }
    }

    fn has_room(&self, line: &Line) -> bool {
        let bytes = self.text.len() as u64 + self.gap(line) + line.json.len() as u64 + 1;
        bytes <= UPLOAD_BYTES_MAX as u64
    }

    fn add(&mut self, line: &Line) {
        for _ in 0..self.gap(line) {
            self.text.push('\n');
        }
        if self.count == 0 {
            self.line = line.number;
        }
        self.text += &line.json;
        self.text.push('\n');
        self.count += 1;
        self.next_line = line.number + 1;
    }
}

fn read_all(mut source: Box<dyn BufRead + Send>, mut reader: Reader, read: &mpsc::Sender<Read>) {
    let mut numbers = Numbering::default();
    loop {
        let (count, last) = match source.fill_buf() {
            Ok([]) => match reader.end() {
                Ok(()) => (0, Some(Read::Skipped(reader.skipped().clone()))),
                Err(refused) => (0, Some(Read::Bad(refused))),
            },
            Ok(bytes) => (bytes.len(), reader.push(bytes).err().map(Read::Bad)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => (0, Some(Read::Broken(error))),
        };
        source.consume(count);
        // What came before an end comes first. Nobody listens any more where the command is over.
        for (number, input) in numbers.number(&reader.take()) {
            let line = Line { number, json: input.to_owned() };
            if read.blocking_send(Read::Input(line)).is_err() {
                return;
            }
        }
        if let Some(last) = last {
            read.blocking_send(last).ok();
            return;
        }
    }
}
