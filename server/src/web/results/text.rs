//! How rows of results are written: as lines of JSON, or as CSV.

use super::rows::{Inputs, Rows, Source};
use crate::web::readers::{Block, Piece};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use tequio_protocol::limits::ANSWER_PIECE_BYTES;
use tequio_protocol::number::Number;
use tequio_protocol::outcome::{Outcome, OutcomeRef};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Format {
    #[default]
    Jsonl,
    Csv,
}

/// One result, and what stands beside it.
struct Row<'a> {
    index: u64,
    /// The line that its input comes from. `None` if inputs come from no lines, or the line is unknown.
    line: Option<u64>,
    input: Option<&'a str>,
    outcome: OutcomeRef<'a>,
}

impl Format {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Format::Jsonl => "application/x-ndjson",
            Format::Csv => "text/csv; charset=utf-8",
        }
    }

    /// The first line, which names the columns.
    pub(super) fn header(self, source: &Source) -> Option<String> {
        match self {
            Format::Jsonl => None,
            Format::Csv => Some(columns(source).join(",") + "\n"),
        }
    }

    /// The line that says how many rows there were.
    pub(super) fn end(self, rows: u64, source: &Source) -> String {
        match self {
            Format::Jsonl => format!("{{\"end\":{rows}}}\n"),
            Format::Csv => {
                let empty = ",".repeat(columns(source).len() - 2);
                format!("end,{rows}{empty}\n")
            }
        }
    }

    /// Rows as a text.
    pub(super) fn text(self, source: &Source, rows: &mut Rows) -> Vec<u8> {
        let mut text = Vec::new();
        self.write(source, rows, &mut text, |_, _| {});
        text
    }

    /// Rows in pieces that an answer is written in.
    pub(super) fn block(self, source: &Source, rows: &mut Rows) -> Block {
        let (mut text, mut pieces) = (Vec::new(), VecDeque::<Piece>::new());
        let mut start = 0;
        self.write(source, rows, &mut text, |end, index| {
            let is_full = pieces.is_empty() || end - start > ANSWER_PIECE_BYTES;
            match pieces.back_mut().filter(|_| !is_full) {
                Some(last) => *last = Piece { end, next: index + 1, count: last.count + 1 },
                None => {
                    start = pieces.back().map_or(0, |last| last.end);
                    pieces.push_back(Piece { end, next: index + 1, count: 1 });
                }
            }
        });
        Block::new(text, pieces)
    }

    /// Says of each row where it ends, and its index.
    fn write(
        self,
        source: &Source,
        rows: &mut Rows,
        text: &mut Vec<u8>,
        mut wrote: impl FnMut(usize, u64),
    ) {
        let Rows { runs, lines, inputs } = rows;
        for (place, run) in runs.iter().enumerate() {
            let inputs = inputs.get(place);
            for (index, outcome) in (run.first..).zip(run.outcomes.iter()) {
                let line = lines.as_mut().and_then(|lines| lines.of(index));
                let input = inputs.map(|inputs| inputs.get((index - run.first) as usize));
                let row = Row { index, line, input, outcome };
                match self {
                    Format::Jsonl => row.write_json(text),
                    Format::Csv => row.write_csv(text, source),
                }
                wrote(text.len(), index);
            }
        }
    }
}

/// The names of a CSV's columns.
fn columns(source: &Source) -> Vec<String> {
    let mut columns = vec!["index".to_owned()];
    match source.inputs.as_deref().map(Inputs::names) {
        Some([]) => columns.push("input".to_owned()),
        Some(names) => columns.extend(names.iter().map(|name| csv_name(name))),
        None => {}
    }
    columns.extend(["result", "error"].map(str::to_owned));
    if source.has_lines {
        columns.push("line".to_owned());
    }
    columns
}

impl Row<'_> {
    /// `{"index":0,"result":1.5}` or `{"index":3,"error":"..."}`; behind the index with `"line":1` where
    /// the input comes from one, and with `"input":{...}` where inputs are asked for.
    fn write_json(&self, text: &mut Vec<u8>) {
        write!(text, "{{\"index\":{},", self.index).expect(VECTORS_GROW);
        if let Some(line) = self.line {
            write!(text, "\"line\":{line},").expect(VECTORS_GROW);
        }
        if let Some(input) = self.input {
            write!(text, "\"input\":{input},").expect(VECTORS_GROW);
        }
        match self.outcome {
            Outcome::Result(result) => {
                text.extend_from_slice(b"\"result\":");
                text.extend_from_slice(result.as_bytes());
            }
            Outcome::Error(error) => {
                text.extend_from_slice(b"\"error\":");
                serde_json::to_writer(&mut *text, error).expect(VECTORS_GROW);
            }
        }
        text.extend_from_slice(b"}\n");
    }

    /// `0,1.5,` or `3,,"..."` (RFC 4180, with line feeds); behind the index with the input's values where
    /// inputs are asked for, and with one more column for the line where inputs come from lines.
    fn write_csv(&self, text: &mut Vec<u8>, source: &Source) {
        write!(text, "{},", self.index).expect(VECTORS_GROW);
        if let (Some(input), Some(inputs)) = (self.input, &source.inputs) {
            write_cells(text, inputs.names(), input);
        }
        match self.outcome {
            Outcome::Result(result) => {
                write_result(text, result);
                text.push(b',');
            }
            Outcome::Error(error) => write!(text, ",{}", csv_text(error)).expect(VECTORS_GROW),
        }
        match self.line {
            Some(line) => writeln!(text, ",{line}").expect(VECTORS_GROW),
            None if source.has_lines => text.extend_from_slice(b",\n"),
            None => text.push(b'\n'),
        }
    }
}

/// An input's values, each with a comma behind it. Where nobody knows their names, the input as text.
fn write_cells(text: &mut Vec<u8>, names: &[String], input: &str) {
    if names.is_empty() {
        write!(text, "{},", csv_text(input)).expect(VECTORS_GROW);
        return;
    }
    if write_known_cells(text, names, input).is_some() {
        return;
    }
    let values: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(input).unwrap_or_default();
    for name in names {
        if let Some(value) = values.get(name.as_str()) {
            write_result(text, value.get());
        }
        text.push(b',');
    }
}

/// The values of an input as we write them: numbers by these names, in this order, without white space.
/// `None`, and nothing written, if it is another.
fn write_known_cells(text: &mut Vec<u8>, names: &[String], input: &str) -> Option<()> {
    let start = text.len();
    let mut rest = input.strip_prefix('{')?;
    for (place, name) in names.iter().enumerate() {
        let value = rest
            .strip_prefix('"')
            .and_then(|rest| rest.strip_prefix(name.as_str()))
            .and_then(|rest| rest.strip_prefix("\":"));
        let end = if place + 1 == names.len() { '}' } else { ',' };
        let split = value.and_then(|value| value.split_once(end)).filter(|(number, _)| {
            number.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))
        });
        let Some((number, behind)) = split else {
            text.truncate(start);
            return None;
        };
        text.extend_from_slice(number.as_bytes());
        text.push(b',');
        rest = behind;
    }
    Some(())
}

/// A JSON value as a cell: a number as it is, a text as text, and anything else as JSON.
fn write_result(text: &mut Vec<u8>, json: &str) {
    let said = match json.as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => Cow::Borrowed(json),
        Some(b'"') => match Number::read(json) {
            // One that JSON has no digits for.
            Some(number) => Cow::Owned(number.to_string()),
            // Half a character cannot be shown, but as JSON has it.
            None => match serde_json::from_str::<Cow<'_, str>>(json) {
                Ok(said) => Cow::Owned(csv_text(&said)),
                Err(_) => Cow::Owned(csv_text(json)),
            },
        },
        _ => Cow::Owned(csv_text(json)),
    };
    text.extend_from_slice(said.as_bytes());
}

/// The name of a column.
fn csv_name(name: &str) -> String {
    let is_word = name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if is_word { name.to_owned() } else { csv_text(name) }
}

/// A cell of text. One that a spreadsheet would take for a formula is shown as text by an apostrophe
/// (OWASP, "CSV Injection"): what failed may have said anything.
fn csv_text(text: &str) -> String {
    const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    let harmless = if text.starts_with(FORMULA) { "'" } else { "" };
    format!("\"{harmless}{}\"", text.replace('"', "\"\""))
}

const VECTORS_GROW: &str = "writing to a vector does not fail";

#[cfg(test)]
mod tests {
    use super::super::rows::LineNumbers;
    use super::*;
    use crate::store::{MemoryStore, NewJob, Run, Store};
    use tequio_protocol::ids::JobId;
    use tequio_protocol::op::OpId;
    use tequio_protocol::reader::LineRun;
    use tequio_protocol::values::Values;

    const PLAIN: Source = Source { job: JobId(1), has_lines: false, inputs: None };

    fn run(first: u64, outcomes: &[OutcomeRef<'_>]) -> Run {
        Run { first, outcomes: outcomes.iter().copied().collect() }
    }

    fn written(format: Format, source: &Source, runs: Vec<Run>, lines: &[(u64, u64)]) -> String {
        let line = |(first, line): &(u64, u64)| LineRun { first: *first, line: *line };
        let lines = source.has_lines.then(|| LineNumbers::new(lines.iter().map(line).collect()));
        let mut rows = Rows { runs, lines, inputs: Vec::new() };
        String::from_utf8(format.text(source, &mut rows)).unwrap()
    }

    #[test]
    fn lines_are_what_the_readme_shows() {
        let results = ["1.5", "-0.0", "\"Infinity\"", "111"].map(Outcome::Result);
        let runs = || vec![run(0, &results), run(7, &[Outcome::Error("no \"op\"")])];
        let json = "{\"index\":0,\"result\":1.5}\n{\"index\":1,\"result\":-0.0}\n\
            {\"index\":2,\"result\":\"Infinity\"}\n{\"index\":3,\"result\":111}\n\
            {\"index\":7,\"error\":\"no \\\"op\\\"\"}\n";
        assert_eq!(written(Format::Jsonl, &PLAIN, runs(), &[]), json);
        let csv = "0,1.5,\n1,-0.0,\n2,Infinity,\n3,111,\n7,,\"no \"\"op\"\"\"\n";
        assert_eq!(written(Format::Csv, &PLAIN, runs(), &[]), csv);
        assert_eq!(Format::Csv.header(&PLAIN).unwrap(), "index,result,error\n");
        assert_eq!(Format::Csv.end(5, &PLAIN), "end,5,\n");
    }

    #[test]
    fn inputs_that_come_from_lines_say_which() {
        let results = ["1.5", "2.5", "3.5"].map(Outcome::Result);
        let runs = || vec![run(0, &results), run(7, &[Outcome::Error("no")])];
        let lines = [(1, 3), (2, 9), (5, 20)];
        let source = Source { has_lines: true, ..PLAIN };
        let json = "{\"index\":0,\"result\":1.5}\n{\"index\":1,\"line\":3,\"result\":2.5}\n\
            {\"index\":2,\"line\":9,\"result\":3.5}\n{\"index\":7,\"line\":22,\"error\":\"no\"}\n";
        assert_eq!(written(Format::Jsonl, &source, runs(), &lines), json);
        let csv = "0,1.5,,\n1,2.5,,3\n2,3.5,,9\n7,,\"no\",22\n";
        assert_eq!(written(Format::Csv, &source, runs(), &lines), csv);
        assert_eq!(Format::Csv.header(&source).unwrap(), "index,result,error,line\n");
        assert_eq!(Format::Csv.end(4, &source), "end,4,,\n");
    }

    #[test]
    fn a_result_of_any_kind_has_its_cell() {
        for (result, cell) in [
            ("18446744073709551616", "18446744073709551616"),
            ("\"NaN\"", "NaN"),
            ("\"a \\\"b\\\"\\n\\u00f1\"", "\"a \"\"b\"\"\nñ\""),
            ("\"=1+1\"", "\"'=1+1\""),
            ("\"\\ud800\"", "\"\"\"\\ud800\"\"\""),
            ("{\"x\":[1,2]}", "\"{\"\"x\"\":[1,2]}\""),
            ("null", "\"null\""),
            ("true", "\"true\""),
        ] {
            let runs = || vec![run(7, &[Outcome::Result(result)])];
            assert_eq!(written(Format::Csv, &PLAIN, runs(), &[]), format!("7,{cell},\n"));
            let json = format!("{{\"index\":7,\"result\":{result}}}\n");
            assert_eq!(written(Format::Jsonl, &PLAIN, runs(), &[]), json);
        }
    }

    #[test]
    fn no_cell_of_a_csv_is_a_formula() {
        for (error, cell) in [
            ("=1+1", "\"'=1+1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("+1", "\"'+1\""),
            ("-2 is \"bad\"", "\"'-2 is \"\"bad\"\"\""),
            ("\t=1", "\"'\t=1\""),
            ("\r=1", "\"'\r=1\""),
            ("＝1", "\"'＝1\""),
            ("no - or =", "\"no - or =\""),
            ("", "\"\""),
        ] {
            let runs = vec![run(7, &[Outcome::Error(error)])];
            let csv = written(Format::Csv, &PLAIN, runs, &[]);
            assert_eq!(csv, format!("7,,{cell}\n"), "{error:?}");
        }
        let runs = vec![run(0, &["-1.5", "\"-Infinity\""].map(Outcome::Result))];
        let csv = written(Format::Csv, &PLAIN, runs, &[]);
        assert_eq!(csv, "0,-1.5,\n1,-Infinity,\n", "numbers stay numbers");
    }

    /// Rows of a job of `op`, all with the same result.
    fn with_inputs(op: &str, grid: Option<&str>, inputs: &[&str]) -> (Source, Rows) {
        let store = MemoryStore::new();
        let grid = grid.map(|grid| serde_json::from_str(grid).unwrap());
        let op = OpId::new(op);
        let job = NewJob::of(op, grid);
        let id = store.create_job(&job).unwrap();
        store.publish(id).unwrap();
        let source = Source::open(&store, id, job.grid.is_some(), Some(&job.op)).unwrap();
        let results: Vec<_> = inputs.iter().map(|_| Outcome::Result("8.0")).collect();
        let inputs: Values = inputs.iter().collect();
        let rows = Rows { runs: vec![run(5, &results)], lines: None, inputs: vec![inputs] };
        (Source { has_lines: false, ..source }, rows)
    }

    #[test]
    fn inputs_stand_beside_their_results() {
        let inputs =
            [r#"{"initial":1.50,"factor":-2e-7,"times":3}"#, r#"{ "times": 3, "initial": 1 }"#];
        let (source, mut rows) = with_inputs("repeat_multiply", None, &inputs);
        let json = Format::Jsonl.text(&source, &mut rows);
        let row =
            |(index, input)| format!("{{\"index\":{index},\"input\":{input},\"result\":8.0}}\n");
        assert_eq!(
            String::from_utf8(json).unwrap(),
            (5..).zip(inputs).map(row).collect::<String>()
        );
        let csv = String::from_utf8(Format::Csv.text(&source, &mut rows)).unwrap();
        assert_eq!(csv, "5,1.50,-2e-7,3,8.0,\n6,1,,3,8.0,\n", "what is not there is left empty");
        let header = Format::Csv.header(&source).unwrap();
        assert_eq!(header, "index,initial,factor,times,result,error\n");
        assert_eq!(Format::Csv.end(2, &source), "end,2,,,,\n");
    }

    #[test]
    fn inputs_of_an_op_that_nobody_knows_have_their_place() {
        let grid = r#"{"a,\"b\"":1,"c":2}"#;
        let (source, mut rows) = with_inputs("divide", Some(grid), &[r#"{"a,\"b\"":1.0,"c":2.0}"#]);
        let csv = String::from_utf8(Format::Csv.text(&source, &mut rows)).unwrap();
        assert_eq!(csv, "5,1.0,2.0,8.0,\n");
        let header = Format::Csv.header(&source).unwrap();
        assert_eq!(header, "index,\"a,\"\"b\"\"\",c,result,error\n");
        let (source, mut rows) = with_inputs("divide", None, &[r#"{"x":"y"}"#]);
        let csv = String::from_utf8(Format::Csv.text(&source, &mut rows)).unwrap();
        assert_eq!(csv, "5,\"{\"\"x\"\":\"\"y\"\"}\",8.0,\n");
        assert_eq!(Format::Csv.header(&source).unwrap(), "index,input,result,error\n");
    }
}
