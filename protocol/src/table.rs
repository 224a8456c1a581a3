//! Inputs as a table (CSV, RFC 4180): a header with the names of the parameters in any order, and a row
//! for each input, separated by commas, semicolons or tabs.

use crate::foreign::{Foreign, doubled, lacking};
use crate::line;
use crate::number::Number;
use crate::op::{self, Kind, PARAMS_MAX, Param};
use crate::text::quote;
use std::borrow::Cow;

/// A table that is being read.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    params: &'static [Param],
    separator: u8,
    header: Option<Header>,
    /// The decimal mark of the numbers so far, where the separator leaves a choice.
    mark: Option<char>,
}

/// What the header says.
#[derive(Clone, Copy, Debug)]
struct Header {
    /// The number of columns.
    width: usize,
    /// The column of each parameter; 0 behind the last parameter.
    places: [usize; PARAMS_MAX],
}

/// What a line of a table is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Row {
    /// An input, as [`line::read`] gives it.
    Input(String),
    /// A header, or an empty row.
    Nothing,
}

/// Why a line of a table was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RowError {
    /// This row only.
    Bad(String),
    /// The whole table.
    Foreign(Foreign),
}

impl Table {
    pub(crate) fn new(params: &'static [Param], separator: u8) -> Table {
        Table { params, separator, header: None, mark: None }
    }

    /// What a row looks like.
    pub(crate) fn example(&self) -> String {
        let separator = char::from(self.separator).to_string();
        let cell = |param: &Param| {
            let number = Number(param.example).to_string();
            if self.mark == Some(',') { number.replace('.', ",") } else { number }
        };
        let mut params: Vec<(usize, &Param)> = self.params.iter().enumerate().collect();
        if let Some(header) = &self.header {
            params.sort_by_key(|(param, _)| header.places[*param]);
        }
        let row = params.iter().map(|(_, param)| cell(param)).collect::<Vec<_>>().join(&separator);
        if self.header.is_some_and(|header| header.width == self.params.len()) {
            return row;
        }
        let names = params.iter().map(|(_, param)| param.name).collect::<Vec<_>>();
        format!("{row} under {}", names.join(&separator))
    }

    /// Whether a record goes on in the next line: a quote is open.
    pub(crate) fn goes_on(line: &[u8]) -> bool {
        line.iter().filter(|byte| **byte == b'"').count() % 2 == 1
    }

    /// Reads a record, which is a line mostly.
    pub(crate) fn read(&mut self, record: &[u8]) -> Result<Row, RowError> {
        let text = String::from_utf8_lossy(record);
        let text = text.trim_end_matches(['\r', '\n']);
        let separator = char::from(self.separator);
        if text.chars().all(|c| c == separator || c.is_whitespace()) {
            return Ok(Row::Nothing);
        }
        if self.header.is_none() && separator_said(text).is_some() {
            return Ok(Row::Nothing);
        }
        let cells = split(text, self.separator).map_err(RowError::Bad)?;
        let Some(Header { width, places }) = self.header else {
            self.header = Some(header(self.params, &cells).map_err(RowError::Foreign)?);
            return Ok(Row::Nothing);
        };
        let is_spare = |cell: &String| cell.trim().is_empty();
        if cells.len() < width || !cells.iter().skip(width).all(is_spare) {
            let columns = if cells.len() == 1 {
                "1 column".to_owned()
            } else {
                format!("{} columns", cells.len())
            };
            let hint = if self.separator == b',' && cells.len() > width {
                "; numbers with a decimal comma need a point, or quotes and another separator"
            } else {
                ""
            };
            let said = format!("it has {columns}, and the header {width}{hint}");
            return Err(RowError::Bad(said));
        }
        let mut texts = [const { Cow::Borrowed("") }; PARAMS_MAX];
        for (param, (text, place)) in self.params.iter().zip(texts.iter_mut().zip(places)) {
            *text = self.value(param, cells[place].trim()).map_err(RowError::Bad)?;
        }
        Ok(Row::Input(op::write_texts(self.params, texts)))
    }

    /// The value that a cell has, as JSON.
    fn value<'a>(&mut self, param: &Param, text: &'a str) -> Result<Cow<'a, str>, String> {
        let Param { name, kind, .. } = param;
        let is_grouped = text.len() > 4 && matches!(text.as_bytes()[text.len() - 4], b',' | b'.');
        if is_grouped && self.separator != b',' && matches!(kind, Kind::Integer { .. }) {
            return Err(format!(
                "{name} is {}, which may mean a thousand times more: write it without a mark",
                quote(text)
            ));
        }
        let wrong = || {
            let is = if text.is_empty() { "empty".to_owned() } else { quote(text) };
            format!("{name} is {is}; it must be {kind}")
        };
        // Not `inf`, nor `nan`, which the standard library takes.
        if text.is_empty()
            || !text
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b',' | b'e' | b'E'))
        {
            return Err(wrong());
        }
        let marks = text.bytes().filter(|byte| matches!(byte, b'.' | b',')).count();
        if marks > 1 {
            return Err(format!("{name} is {}; write it without marks of thousands", quote(text)));
        }
        let mark = text.chars().find(|c| matches!(c, '.' | ','));
        let value = match mark {
            Some(',') if self.separator == b',' => {
                return Err(format!("{name} is {}; write it with a decimal point", quote(text)));
            }
            Some(mark) if self.separator != b',' && *self.mark.get_or_insert(mark) != mark => {
                let said = "the rows before have the other decimal mark";
                return Err(format!("{name} is {}, and {said}", quote(text)));
            }
            Some(',') => text.replace(',', ".").parse(),
            _ => text.parse(),
        };
        let value = value.ok().filter(|value| kind.takes(*value)).ok_or_else(wrong)?;
        Ok(line::number(text, *kind).unwrap_or_else(|| Cow::Owned(kind.text(value))))
    }
}

/// The separator that a first line names as Excel does: `sep=;`.
pub(crate) fn separator_said(line: &str) -> Option<u8> {
    let line = line.trim_end_matches(['\r', '\n']).trim_matches('"');
    let (key, separator) = line.split_once('=')?;
    let separator = separator.as_bytes();
    let is_known = matches!(separator, [b',' | b';' | b'\t']);
    (key.trim().eq_ignore_ascii_case("sep") && is_known).then(|| separator[0])
}

/// The place of the parameter that a cell of a header names.
pub(crate) fn parameter(params: &[Param], cell: &str) -> Option<usize> {
    let cell = cell.trim();
    // Two parameters may differ in their case alone.
    let exact = params.iter().position(|param| param.name == cell);
    exact.or_else(|| params.iter().position(|param| param.name.eq_ignore_ascii_case(cell)))
}

fn header(params: &[Param], cells: &[String]) -> Result<Header, Foreign> {
    let mut places = [None; PARAMS_MAX];
    for (place, cell) in cells.iter().enumerate() {
        if let Some(param) = parameter(params, cell)
            && places[param].replace(place).is_some()
        {
            return Err(doubled(params[param].name));
        }
    }
    let is_missing =
        |(param, place): (&Param, &Option<usize>)| place.is_none().then_some(param.name);
    let missing: Vec<&str> = params.iter().zip(&places).filter_map(is_missing).collect();
    if !missing.is_empty() {
        return Err(lacking(params, &missing, cells));
    }
    Ok(Header { width: cells.len(), places: places.map(Option::unwrap_or_default) })
}

/// The cells of a record; a quoted one without its quotes.
pub(crate) fn split(record: &str, separator: u8) -> Result<Vec<String>, String> {
    let separator = char::from(separator);
    if !record.contains('"') {
        return Ok(record.split(separator).map(str::to_owned).collect());
    }
    let mut cells = Vec::new();
    let mut rest = record;
    loop {
        let (cell, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_cell(quoted)?,
            None => {
                let (cell, behind) = rest.split_at(rest.find(separator).unwrap_or(rest.len()));
                (cell.to_owned(), behind)
            }
        };
        cells.push(cell);
        match behind.strip_prefix(separator) {
            Some(next) => rest = next,
            None if behind.trim().is_empty() => return Ok(cells),
            None => return Err(format!("{} stands behind a quoted cell", quote(behind))),
        }
    }
}

/// A cell, whose first quote was read, and what follows it.
fn quoted_cell(text: &str) -> Result<(String, &str), String> {
    let mut cell = String::new();
    let mut rest = text;
    loop {
        let (part, behind) = rest.split_once('"').ok_or("a quoted cell does not end")?;
        cell.push_str(part);
        match behind.strip_prefix('"') {
            Some(next) => {
                cell.push('"');
                rest = next;
            }
            None => return Ok((cell, behind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn params(op: &str) -> &'static [Param] {
        op::named(op).unwrap().params()
    }

    fn multiply(separator: u8) -> Table {
        Table::new(params("repeat_multiply"), separator)
    }

    fn rows(separator: u8, lines: &[&str]) -> Vec<Result<Row, RowError>> {
        let mut table = multiply(separator);
        lines.iter().map(|line| table.read(line.as_bytes())).collect()
    }

    /// The input whose numbers are written so.
    fn input(initial: &str, factor: &str, times: &str) -> Result<Row, RowError> {
        let texts = [initial, factor, times];
        Ok(Row::Input(op::write_texts(params("repeat_multiply"), texts)))
    }

    #[test]
    fn rows_are_read_in_any_order_of_their_columns() {
        let nothing = Ok(Row::Nothing);
        assert_eq!(
            rows(
                b',',
                &[
                    "times,id,Initial ,factor\r",
                    "10,\"a \"\"b\"\", c\",1,1.5\r",
                    ",,,",
                    "1e1,,\"1\",1.5,,"
                ]
            ),
            [
                nothing.clone(),
                input("1.0", "1.5", "10"),
                nothing.clone(),
                input("1.0", "1.5", "10")
            ]
        );
        assert_eq!(
            rows(b';', &["sep=;", "initial;factor;times", "1,25;1,00000043;10", "-1e3;+,5;0"]),
            [
                nothing.clone(),
                nothing.clone(),
                input("1.25", "1.00000043", "10"),
                input("-1e3", "0.5", "0")
            ]
        );
        assert_eq!(
            rows(b'\t', &["initial\tfactor\ttimes", "1.5\t2.\t3"])[1],
            input("1.5", "2.0", "3")
        );
    }

    #[test]
    fn a_bad_row_says_what_is_wrong() {
        for (separator, lines, said) in [
            (b',', &["initial,factor,times", "1,2"][..], "it has 2 columns, and the header 3"),
            (b',', &["initial,factor,times", "1,5,2,3"], "decimal comma need a point"),
            (b',', &["initial,factor,times", "\"1,5\",2,3"], "write it with a decimal point"),
            (b';', &["initial;factor;times", "1,5;2;3", "1.5;2;3"], "the other decimal mark"),
            (b';', &["initial;factor;times", "1;2;1.000"], "a thousand times more"),
            (b';', &["initial;factor;times", "1;2;10,000"], "a thousand times more"),
            (b';', &["initial;factor;times", "1.234,5;2;3"], "without marks of thousands"),
            (
                b',',
                &["initial,factor,times", "1,,3"],
                "factor is empty; it must be a finite number",
            ),
            (b',', &["initial,factor,times", "1,nan,3"], "factor is nan"),
            (b',', &["initial,factor,times", "1,1e400,3"], "factor is 1e400"),
            (b',', &["initial,factor,times", "1,2,-3"], "times is -3; it must be a whole number"),
            (b',', &["initial,factor,times", "1,2,2.5"], "times is 2.5"),
            (b',', &["initial,factor,times", "1,2,9007199254740992"], "times is 9007199254740992"),
            (b',', &["initial,factor,times", "\"1\"x,2,3"], "behind a quoted cell"),
            (b',', &["initial,factor,times", "\"1,2,3"], "does not end"),
        ] {
            let Some(Err(RowError::Bad(error))) = rows(separator, lines).pop() else {
                panic!("{lines:?} is taken")
            };
            assert!(error.contains(said), "{lines:?}: {error}");
        }
        for (header, said) in
            [("initial,factor", "lacks times"), ("times,initial,factor,Times", "two columns times")]
        {
            let Some(Err(RowError::Foreign(foreign))) = rows(b',', &[header]).pop() else {
                panic!("{header} is taken")
            };
            assert!(foreign.message("x").contains(said), "{foreign:?}");
        }
    }

    #[test]
    fn a_right_row_is_shown_as_the_header_has_it() {
        let mut table = multiply(b';');
        assert!(table.example().contains("under initial;factor;times"));
        table.read(b"times;initial;factor").unwrap();
        assert_eq!(table.example(), "10;1;1.5");
        table.read(b"3;1,5;2").unwrap();
        assert_eq!(table.example(), "10;1;1,5");
        let mut wide = multiply(b',');
        wide.read(b"times,id,initial,factor").unwrap();
        assert_eq!(wide.example(), "10,1,1.5 under times,initial,factor");
    }

    #[test]
    fn one_parameter_is_a_table_of_one_column() {
        let collatz = |lines: &[&str]| -> Vec<_> {
            let mut table = Table::new(params("collatz"), b',');
            lines.iter().map(|line| table.read(line.as_bytes())).collect()
        };
        let (nothing, n) = (Ok(Row::Nothing), Ok(Row::Input("{\"n\":27}".to_owned())));
        assert_eq!(
            collatz(&["N\r", "27\r", "", "\"27\"", "27.0", "2.7e1"]),
            [nothing.clone(), n.clone(), nothing.clone(), n.clone(), n.clone(), n.clone()]
        );
        assert_eq!(collatz(&["id,n", "a,27"])[1], n);
        for (row, said) in [
            ("0", "n is 0; it must be a whole number from 1 to 9007199254740991"),
            ("x", "n is x; it must be a whole number"),
            ("9007199254740992", "n is 9007199254740992; it must be"),
            ("1,5", "it has 2 columns, and the header 1; numbers with a decimal comma"),
        ] {
            let Some(Err(RowError::Bad(error))) = collatz(&["n", row]).pop() else {
                panic!("{row} is taken")
            };
            assert!(error.contains(said), "{row}: {error}");
        }
        assert_eq!(Table::new(params("collatz"), b',').example(), "27 under n");
    }

    proptest! {
        #[test]
        fn cells_come_back_from_a_record(cells in proptest::collection::vec("[a-z0-9 ,;\"]{0,6}", 1..6)) {
            let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
            let record = cells.iter().map(quoted).collect::<Vec<_>>().join(";");
            prop_assert_eq!(split(&record, b';'), Ok(cells));
        }

        #[test]
        fn no_line_is_too_odd(line in ".{0,40}", separator in prop_oneof![Just(b','), Just(b';'), Just(b'\t')]) {
            for op in op::ALL {
                let mut table = Table::new(op.params(), separator);
                let names = op.params().iter().map(|param| param.name).collect::<Vec<_>>();
                table.read(names.join(&char::from(separator).to_string()).as_bytes()).unwrap();
                table.read(line.as_bytes()).ok();
                prop_assert!(!table.example().is_empty());
            }
        }

        #[test]
        fn a_row_is_what_its_line_would_be(
            initial in -1e6..1e6f64, factor in any::<f64>(), times in 0u64..1 << 53,
        ) {
            prop_assume!(factor.is_finite());
            let line = serde_json::json!({"initial": initial, "factor": factor, "times": times});
            let line = line.to_string();
            let of_line = line::read(params("repeat_multiply"), line.as_bytes()).unwrap().unwrap();
            let row = format!("{times};{factor:?};{initial:?}").replace('.', ",");
            let of_row = rows(b';', &["times;factor;initial", &row]).pop().unwrap();
            prop_assert_eq!(of_row, Ok(Row::Input(of_line.into_owned())));
        }
    }
}
