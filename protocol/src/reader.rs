//! Inputs from a text that comes in pieces: lines of JSON, one JSON array, or a table (CSV), as its
//! beginning shows. The server and the commands read with this one.

use crate::fault::Fault;
use crate::foreign::{Foreign, Format, MARK, recognise};
use crate::limits::{EXCERPT_CHARS_MAX, INTEGER_MAX, LINE_BYTES_MAX, SKIPPED_NAMED_MAX};
use crate::line;
use crate::op::Param;
use crate::table::{Row, RowError, Table};
use crate::text::printable;
use crate::values::Values;
use std::fmt;

/// What is done with a line that is no input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// Refuse all that is read.
    Refuse,
    /// Count it and go on.
    Skip,
}

/// Where a text begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The index of its first input.
    pub index: u64,
    /// The number of its first line.
    pub line: u64,
}

/// From input `first` on, each comes from a line of its own, and the first of them from `line`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineRun {
    /// The index of the first input.
    pub first: u64,
    /// The number of its line, from 1. Of a JSON array, elements are counted in place of lines.
    pub line: u64,
}

/// What was read since the last [`Reader::take`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taken {
    /// The inputs, in order, each as [`line::read`] gives it.
    pub inputs: Values,
    /// Their lines, where they do not go on from the last.
    pub lines: Vec<LineRun>,
}

/// Gives each input the number of its line, over all that is taken of one reader.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numbering {
    index: u64,
    run: Option<LineRun>,
}

impl Numbering {
    /// The inputs with their lines.
    pub fn number<'a>(&'a mut self, taken: &'a Taken) -> impl Iterator<Item = (u64, &'a str)> + 'a {
        let mut runs = taken.lines.iter().peekable();
        taken.inputs.iter().map(move |input| {
            let (index, last) = (self.index, self.run.take());
            self.run = runs.next_if(|run| run.first <= index).copied().or(last);
            self.index += 1;
            // The first input of a reader that begins at 0 begins a run.
            let line = self.run.map_or(index + 1, |run| run.line + index - run.first);
            (line, input)
        })
    }
}

/// The lines that were skipped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many.
    pub count: u64,
    /// The first [`SKIPPED_NAMED_MAX`] of them.
    pub first: Vec<u64>,
}

/// Why a text is not read any further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A line that is no input: the whole sentence but its full stop.
    Line(String),
    /// All of it is something else.
    Foreign(Foreign),
}

/// Reads a text of inputs.
#[derive(Debug)]
pub struct Reader {
    params: &'static [Param],
    invalid: Invalid,
    mode: Mode,
    /// What has not ended: the beginning while the format is unknown; a line, a record or an element,
    /// or as much of it as shows that it is too long.
    partial: Vec<u8>,
    /// The number of the line, or element, that is read now.
    line: u64,
    /// The first line's.
    first_line: u64,
    /// Lines that are in `partial` beside the last: a record of a table may have several.
    folded: u64,
    index: u64,
    /// What a line's number is above its input's index, wrapping; `None` before the first.
    above: Option<u64>,
    taken: Taken,
    skipped: Skipped,
}

#[derive(Debug)]
enum Mode {
    /// Nothing is known yet.
    Beginning,
    Lines,
    Array(Array),
    Table(Table),
}

/// Where in an array a text is.
#[derive(Debug, Default)]
struct Array {
    depth: u32,
    is_in_text: bool,
    is_escaped: bool,
    /// Behind its `]`.
    is_ended: bool,
    /// Where the element that is read now begins, and where the text is: line and byte of the line.
    began: (u64, u64),
    at: (u64, u64),
}

impl Reader {
    /// A reader of a text that begins at `start`, of inputs with these parameters.
    pub fn new(params: &'static [Param], start: Start, invalid: Invalid) -> Reader {
        // Whoever names a line beyond this means none.
        let start = Start { line: start.line.clamp(1, INTEGER_MAX), ..start };
        Reader {
            params,
            invalid,
            mode: Mode::Beginning,
            partial: Vec::new(),
            line: start.line,
            first_line: start.line,
            folded: 0,
            index: start.index,
            above: None,
            taken: Taken::default(),
            skipped: Skipped::default(),
        }
    }

    /// Reads the next bytes of the text.
    ///
    /// # Errors
    ///
    /// Returns why the text is refused; nothing may be pushed after that. What was read before can
    /// still be taken.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        match &self.mode {
            Mode::Beginning => {
                self.partial.extend_from_slice(bytes);
                self.begin(false)
            }
            Mode::Lines | Mode::Table(_) => self.push_lines(bytes),
            Mode::Array(_) => self.push_array(bytes),
        }
    }

    /// Says that the text ends here.
    ///
    /// # Errors
    ///
    /// As [`Reader::push`].
    pub fn end(&mut self) -> Result<(), Refused> {
        if matches!(self.mode, Mode::Beginning) {
            self.begin(true)?;
        }
        match &self.mode {
            Mode::Array(array) if !array.is_ended => {
                let said = format!(
                    "The array is cut off in line {}: its ] is missing",
                    self.first_line + array.at.0
                );
                Err(Refused::Line(said))
            }
            Mode::Array(_) => Ok(()),
            Mode::Table(_) => {
                let record = std::mem::take(&mut self.partial);
                self.end_record(&record)
            }
            Mode::Beginning | Mode::Lines => {
                let line = std::mem::take(&mut self.partial);
                self.end_line(&line)
            }
        }
    }

    /// How many inputs wait to be taken.
    pub fn waiting(&self) -> usize {
        self.taken.inputs.len()
    }

    /// What was read since the last time.
    pub fn take(&mut self) -> Taken {
        std::mem::take(&mut self.taken)
    }

    /// What was skipped so far.
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// Finds out what the text is, and reads what there is of it.
    fn begin(&mut self, is_whole: bool) -> Result<(), Refused> {
        let Some(format) = recognise(self.params, &self.partial, is_whole) else { return Ok(()) };
        self.mode = match format.map_err(Refused::Foreign)? {
            Format::Lines => Mode::Lines,
            Format::Array => Mode::Array(Array::default()),
            Format::Table(separator) => Mode::Table(Table::new(self.params, separator)),
        };
        let head = std::mem::take(&mut self.partial);
        self.push(head.strip_prefix(MARK).unwrap_or(&head))
    }

    // ---- Lines ------------------------------------------------------------------------------

    fn push_lines(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let mut pieces = bytes.split(|byte| *byte == b'\n');
        // The last piece is the beginning of a line that goes on, be it an empty one.
        let last = pieces.next_back().unwrap_or_default();
        for piece in pieces {
            if self.partial.is_empty() {
                self.end_line(piece)?;
            } else {
                self.extend(piece);
                let record = std::mem::take(&mut self.partial);
                self.end_line(&record)?;
            }
        }
        self.extend(last);
        Ok(())
    }

    /// Keeps a byte too many of a line that is too long, and no more.
    fn extend(&mut self, piece: &[u8]) {
        let room = (LINE_BYTES_MAX + 1).saturating_sub(self.partial.len());
        self.partial.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    fn end_line(&mut self, text: &[u8]) -> Result<(), Refused> {
        if let Mode::Table(_) = &self.mode {
            if Table::goes_on(text) && text.len() <= LINE_BYTES_MAX {
                // Read on with its line break, which is a part of a quoted cell.
                self.partial.extend_from_slice(text);
                self.partial.push(b'\n');
                self.folded += 1;
                return Ok(());
            }
            return self.end_record(text);
        }
        match line::read(self.params, text) {
            Ok(None) => {}
            Ok(Some(input)) => self.accept(&input),
            Err(fault) => {
                let params = self.params;
                self.refuse(|line| bad_line(params, line, text, &fault))?;
            }
        }
        self.line += 1;
        Ok(())
    }

    fn end_record(&mut self, text: &[u8]) -> Result<(), Refused> {
        let Mode::Table(table) = &mut self.mode else { return Ok(()) };
        let read = if text.len() > LINE_BYTES_MAX {
            Err(RowError::Bad(format!(
                "it is longer than {LINE_BYTES_MAX} bytes, or a quote is open"
            )))
        } else {
            table.read(text)
        };
        match read {
            Ok(Row::Nothing) => {}
            Ok(Row::Input(input)) => self.accept(&input),
            Err(RowError::Foreign(foreign)) => return Err(Refused::Foreign(foreign)),
            Err(RowError::Bad(said)) => {
                let example = table.example();
                let excerpt = excerpt(&String::from_utf8_lossy(text), 0);
                self.refuse(|line| {
                    format!("Line {line}: {said}. It reads {excerpt}; a right row is {example}")
                })?;
            }
        }
        self.line += 1 + std::mem::take(&mut self.folded);
        Ok(())
    }

    // ---- Arrays -----------------------------------------------------------------------------

    fn push_array(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let Mode::Array(mut array) = std::mem::replace(&mut self.mode, Mode::Lines) else {
            return Ok(());
        };
        let read = bytes.iter().try_for_each(|byte| self.push_byte(&mut array, *byte));
        self.mode = Mode::Array(array);
        read
    }

    fn push_byte(&mut self, array: &mut Array, byte: u8) -> Result<(), Refused> {
        let at = array.at;
        array.at = if byte == b'\n' { (at.0 + 1, 0) } else { (at.0, at.1 + 1) };
        if array.is_in_text {
            array.is_in_text = array.is_escaped || byte != b'"';
            array.is_escaped = !array.is_escaped && byte == b'\\';
            self.keep(byte);
            return Ok(());
        }
        let is_space = byte.is_ascii_whitespace();
        if array.is_ended {
            let said = "something follows the array's ]: it must be the only one in the text";
            return if is_space { Ok(()) } else { Err(self.broken(at, said)) };
        }
        match (array.depth, byte) {
            // The array's own bracket.
            (0, b'[') => array.depth = 1,
            (0, _) => {}
            (1, b',' | b']') => {
                let is_blank = self.partial.iter().all(u8::is_ascii_whitespace);
                let is_empty = byte == b']' && self.line == self.first_line;
                match (is_blank, byte) {
                    (true, b',') => {
                        return Err(self.broken(at, "an element is missing before the comma"));
                    }
                    (true, _) if !is_empty => {
                        return Err(self.broken(at, "a comma before the array's ]: take it away"));
                    }
                    (true, _) => {}
                    (false, _) => self.end_element(array)?,
                }
                array.is_ended = byte == b']';
            }
            (1, _) if self.partial.is_empty() => {
                if !is_space {
                    array.began = at;
                    self.element_byte(array, byte);
                }
            }
            (1, b'{') => {
                return Err(self.broken(at, "a comma is missing between two elements"));
            }
            _ => self.element_byte(array, byte),
        }
        Ok(())
    }

    fn element_byte(&mut self, array: &mut Array, byte: u8) {
        match byte {
            b'{' | b'[' => array.depth += 1,
            b'}' | b']' => array.depth = array.depth.saturating_sub(1).max(1),
            b'"' => array.is_in_text = true,
            _ => {}
        }
        self.keep(byte);
    }

    /// As [`Reader::extend`], for each byte of an element.
    fn keep(&mut self, byte: u8) {
        if self.partial.len() <= LINE_BYTES_MAX {
            self.partial.push(byte);
        }
    }

    fn end_element(&mut self, array: &Array) -> Result<(), Refused> {
        let element = std::mem::take(&mut self.partial);
        match line::read(self.params, &element) {
            Ok(None) => {}
            Ok(Some(input)) => self.accept(&input),
            Err(fault) => {
                let (params, first_line) = (self.params, self.first_line);
                let began = array.began;
                self.refuse(|element_number| {
                    let text = String::from_utf8_lossy(&element);
                    let (line, column) = fault.place_in(&text);
                    let before = if line == 1 { began.1 } else { 0 };
                    format!(
                        "Element {element_number}, in line {}, column {}: {}. It reads {}; an input is {}",
                        first_line + began.0 + line - 1,
                        before + column,
                        fault.said,
                        excerpt(&text, fault.at),
                        line::example(params),
                    )
                })?;
            }
        }
        self.line += 1;
        Ok(())
    }

    /// The array is no array.
    fn broken(&self, at: (u64, u64), said: &str) -> Refused {
        let (line, column) = (self.first_line + at.0, at.1 + 1);
        Refused::Line(format!("Line {line}, column {column}: {said}"))
    }

    // ---- All of them ------------------------------------------------------------------------

    fn accept(&mut self, input: &str) {
        let above = Some(self.line.wrapping_sub(self.index));
        if self.above != above {
            self.above = above;
            self.taken.lines.push(LineRun { first: self.index, line: self.line });
        }
        self.taken.inputs.push(input);
        self.index = self.index.wrapping_add(1);
    }

    fn refuse(&mut self, said: impl FnOnce(u64) -> String) -> Result<(), Refused> {
        match self.invalid {
            Invalid::Refuse => Err(Refused::Line(said(self.line))),
            Invalid::Skip => {
                self.skipped.add(self.line);
                Ok(())
            }
        }
    }
}

impl Skipped {
    /// The numbers of the first of them, as a header has them: `3,7,12`; empty where there are none.
    pub fn numbers(&self) -> String {
        self.first.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
    }

    fn add(&mut self, line: u64) {
        self.count += 1;
        if self.first.len() < SKIPPED_NAMED_MAX {
            self.first.push(line);
        }
    }
}

impl fmt::Display for Skipped {
    /// Writes `2 lines that are no inputs: 3 and 7`, or `12 lines that are no inputs: 1, 2, ... and 2 more`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines =
            if self.count == 1 { "line that is no input" } else { "lines that are no inputs" };
        write!(f, "{} {lines}", self.count)?;
        let mut numbers: Vec<String> = self.first.iter().map(u64::to_string).collect();
        let unnamed = self.count.saturating_sub(numbers.len() as u64);
        if unnamed > 0 {
            numbers.push(format!("{unnamed} more"));
        }
        match &numbers[..] {
            [] => Ok(()),
            [one] => write!(f, ": {one}"),
            [most @ .., last] => write!(f, ": {} and {last}", most.join(", ")),
        }
    }
}

impl Refused {
    /// A word for programs: `bad_line` or `foreign_format`.
    pub fn code(&self) -> &'static str {
        match self {
            Refused::Line(_) => "bad_line",
            Refused::Foreign(_) => "foreign_format",
        }
    }

    /// What is wrong, without a full stop, for a person who runs `command` on what is to be read.
    pub fn message(&self, command: &str) -> String {
        match self {
            Refused::Line(said) => said.clone(),
            Refused::Foreign(foreign) => foreign.message(command),
        }
    }
}

fn bad_line(params: &[Param], line: u64, text: &[u8], fault: &Fault) -> String {
    let text = String::from_utf8_lossy(text);
    let text = text.trim_end();
    let column = text.get(..fault.at).map_or(1, |before| before.chars().count() + 1);
    format!(
        "Line {line}, column {column}: {}. It reads {}; an input is {}",
        fault.said,
        excerpt(text, fault.at),
        line::example(params)
    )
}

/// What is around byte `at` of `text`.
fn excerpt(text: &str, at: usize) -> String {
    let text = text.trim_end();
    let before = text.get(..at).map_or(0, |before| before.chars().count());
    let cut = if before + 20 > EXCERPT_CHARS_MAX { before - EXCERPT_CHARS_MAX / 2 } else { 0 };
    let rest: String = text.chars().skip(cut).take(EXCERPT_CHARS_MAX + 1).collect();
    let mut shown = if cut > 0 { "…".to_owned() } else { String::new() };
    shown += &printable(&rest, EXCERPT_CHARS_MAX);
    shown
}

#[cfg(test)]
mod tests;
