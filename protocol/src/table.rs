//! Inputs as a table (CSV, RFC 4180): a header with the names of the parameters in any order, and a row
//! for each input, separated by commas, semicolons or tabs.

use crate::foreign::{Foreign, doubled, lacking};
use crate::line::{NAMES, wanted};
use crate::op::RepeatMultiply;
use crate::text::quote;

/// A table that is being read.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    separator: u8,
    /// The header: the number of columns, and where the parameters are.
    columns: Option<(usize, [usize; 3])>,
    /// The decimal mark of the numbers so far, where the separator leaves a choice.
    mark: Option<char>,
}

/// What a line of a table is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Row {
    /// An input.
    Input(RepeatMultiply),
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
    pub(crate) fn new(separator: u8) -> Table {
        Table { separator, columns: None, mark: None }
    }

    /// What a row looks like.
    pub(crate) fn example(&self) -> String {
        let separator = char::from(self.separator);
        let named = self.columns.is_none_or(|(width, _)| width == 3);
        match self.columns {
            Some((_, places)) if named => {
                let mut order = [0, 1, 2];
                order.sort_by_key(|parameter| places[*parameter]);
                let cells = order.map(|parameter| {
                    let decimal = if self.mark == Some(',') { "1,5" } else { "1.5" };
                    ["1", decimal, "10"][parameter]
                });
                cells.join(&separator.to_string())
            }
            _ => format!(
                "1{separator}1.5{separator}10 under initial{separator}factor{separator}times"
            ),
        }
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
        if self.columns.is_none() && separator_said(text).is_some() {
            return Ok(Row::Nothing);
        }
        let cells = split(text, self.separator).map_err(RowError::Bad)?;
        let Some((width, places)) = self.columns else {
            self.columns = Some((cells.len(), header(&cells).map_err(RowError::Foreign)?));
            return Ok(Row::Nothing);
        };
        let is_spare = |cell: &String| cell.trim().is_empty();
        if cells.len() < width || !cells.iter().skip(width).all(is_spare) {
            let columns = cells.len();
            let hint = if self.separator == b',' && columns > width {
                "; numbers with a decimal comma need a point, or quotes and another separator"
            } else {
                ""
            };
            let said = format!("it has {columns} columns, and the header {width}{hint}");
            return Err(RowError::Bad(said));
        }
        self.input(places.map(|place| cells[place].trim())).map(Row::Input).map_err(RowError::Bad)
    }

    fn input(&mut self, [initial, factor, times]: [&str; 3]) -> Result<RepeatMultiply, String> {
        let initial = self.number(NAMES[0], initial)?;
        let factor = self.number(NAMES[1], factor)?;
        let is_grouped =
            times.len() > 4 && matches!(times.as_bytes()[times.len() - 4], b',' | b'.');
        if is_grouped && self.separator != b',' {
            let said = format!(
                "times is {}, which may mean a thousand times more: write it without a mark",
                quote(times)
            );
            return Err(said);
        }
        let count = match times.parse::<u64>() {
            Ok(count) => count,
            Err(_) => {
                let value = self.number(NAMES[2], times)?;
                // What is beyond the integers of a float is refused below.
                if value.fract() == 0.0 && value >= 0.0 { value as u64 } else { u64::MAX }
            }
        };
        RepeatMultiply::new(initial, factor, count)
            .map_err(|_| format!("times is {}; it must be {}", quote(times), wanted(NAMES[2])))
    }

    fn number(&mut self, name: &str, text: &str) -> Result<f64, String> {
        let wrong = || {
            let is = if text.is_empty() { "empty".to_owned() } else { quote(text) };
            format!("{name} is {is}; it must be {}", wanted(name))
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
        value.ok().filter(|value: &f64| value.is_finite()).ok_or_else(wrong)
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

/// The parameter that a cell of a header names.
pub(crate) fn parameter(cell: &str) -> Option<usize> {
    NAMES.iter().position(|name| cell.trim().eq_ignore_ascii_case(name))
}

fn header(cells: &[String]) -> Result<[usize; 3], Foreign> {
    let mut places = [None; 3];
    for (place, cell) in cells.iter().enumerate() {
        if let Some(parameter) = parameter(cell)
            && places[parameter].replace(place).is_some()
        {
            return Err(doubled(NAMES[parameter]));
        }
    }
    if let [Some(initial), Some(factor), Some(times)] = places {
        return Ok([initial, factor, times]);
    }
    let missing: Vec<&str> = NAMES
        .into_iter()
        .zip(places)
        .filter(|(_, at)| at.is_none())
        .map(|(name, _)| name)
        .collect();
    Err(lacking(&missing, cells))
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

    fn rows(separator: u8, lines: &[&str]) -> Vec<Result<Row, RowError>> {
        let mut table = Table::new(separator);
        lines.iter().map(|line| table.read(line.as_bytes())).collect()
    }

    fn input(initial: f64, factor: f64, times: u64) -> Result<Row, RowError> {
        Ok(Row::Input(RepeatMultiply::new(initial, factor, times).unwrap()))
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
            [nothing.clone(), input(1.0, 1.5, 10), nothing.clone(), input(1.0, 1.5, 10)]
        );
        assert_eq!(
            rows(b';', &["sep=;", "initial;factor;times", "1,25;1,00000043;10", "-1e3;+,5;0"]),
            [nothing.clone(), nothing.clone(), input(1.25, 1.00000043, 10), input(-1000.0, 0.5, 0)]
        );
        assert_eq!(rows(b'\t', &["initial\tfactor\ttimes", "1.5\t2.\t3"])[1], input(1.5, 2.0, 3));
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
        let mut table = Table::new(b';');
        assert!(table.example().contains("under initial;factor;times"));
        table.read(b"times;initial;factor").unwrap();
        assert_eq!(table.example(), "10;1;1.5");
        table.read(b"3;1,5;2").unwrap();
        assert_eq!(table.example(), "10;1;1,5");
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
            let mut table = Table::new(separator);
            table.read(b"initial,factor,times").ok();
            table.read(line.as_bytes()).ok();
        }
    }
}
