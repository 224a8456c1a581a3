//! What a text of inputs is, told by its beginning: lines of JSON, a JSON array, a table; or something
//! foreign, which is named with what to do about it.

use crate::limits::{LINE_BYTES_MAX, RECOGNISED_BYTES_MAX};
use crate::line::example;
use crate::op::Param;
use crate::table;
use crate::text::{printable, quote};
use std::fmt::Write;

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// JSON objects, one a line.
    Lines,
    /// One JSON array of objects.
    Array,
    /// A header and rows, separated by this.
    Table(u8),
}

/// A text that is not read, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// What it is: a sentence without its full stop.
    is: String,
    /// What to do.
    advice: String,
    /// The command whose output would be read.
    filter: Option<String>,
}

impl Foreign {
    fn new(is: impl Into<String>, advice: &str, filter: Option<&str>) -> Foreign {
        Foreign { is: is.into(), advice: advice.to_owned(), filter: filter.map(str::to_owned) }
    }

    /// What it is, and what to do, for a person who runs `command` on what is to be read.
    pub fn message(&self, command: &str) -> String {
        let mut said = format!("{}. {}", self.is, self.advice);
        if let Some(filter) = &self.filter {
            write!(said, ": {filter} | {command}").expect("a string takes text");
        }
        said
    }
}

/// The byte order mark of UTF-8.
pub(crate) const MARK: &[u8] = b"\xef\xbb\xbf";

/// Says what a text is that begins with `head`; `None` where more of it is to be seen first.
/// `is_whole` says that no more follows. Advice is about inputs with these parameters.
pub(crate) fn recognise(
    params: &[Param],
    head: &[u8],
    is_whole: bool,
) -> Option<Result<Format, Foreign>> {
    if let Some(foreign) = by_magic(head) {
        return Some(Err(foreign));
    }
    let text = head.strip_prefix(MARK).unwrap_or(head);
    let start = text.iter().position(|byte| !byte.is_ascii_whitespace());
    let is_enough = is_whole || head.len() >= RECOGNISED_BYTES_MAX;
    let Some(start) = start else { return is_enough.then_some(Ok(Format::Lines)) };
    let text = &text[start..];
    if text[0] == b'[' {
        let inside = text[1..].iter().find(|byte| !byte.is_ascii_whitespace());
        return match inside {
            None => is_enough.then_some(Ok(Format::Array)),
            Some(b'{' | b']') => Some(Ok(Format::Array)),
            Some(_) => Some(Err(lists(params, text))),
        };
    }
    let end = text.iter().position(|byte| *byte == b'\n');
    let is_line = end.is_some() || is_whole || text.len() > LINE_BYTES_MAX;
    if !is_line {
        return None;
    }
    let line = &text[..end.unwrap_or(text.len())];
    if let Some(foreign) = binary(line) {
        return Some(Err(foreign));
    }
    let line = line.trim_ascii_end();
    let rest = end.map_or(&[][..], |end| &text[end + 1..]);
    match text[0] {
        b'{' if is_pretty(line) => Some(Err(Foreign::new(
            "This is JSON over several lines, and an input is an object on one line",
            "Bring each onto a line first",
            Some("jq -c . FILE"),
        ))),
        b'{' => Some(Ok(Format::Lines)),
        b'<' => Some(Err(Foreign::new(
            "This is a web page or XML, and not inputs",
            "Inputs are lines of JSON, a JSON array, or CSV",
            None,
        ))),
        _ => by_columns(params, line, rest, is_enough),
    }
}

/// By the first bytes, as `file` does.
fn by_magic(head: &[u8]) -> Option<Foreign> {
    let packed: [(&[u8], &str, &str); 7] = [
        (b"\x1f\x8b", "gzip", "gzip -dc FILE"),
        (b"BZh", "bzip2", "bzip2 -dc FILE"),
        (b"\xfd7zXZ", "xz", "xz -dc FILE"),
        (b"\x28\xb5\x2f\xfd", "Zstandard", "zstd -dc FILE"),
        (b"\x04\x22\x4d\x18", "LZ4", "lz4 -dc FILE"),
        (b"7z\xbc\xaf", "7-Zip", "7z e -so FILE"),
        (b"\x1f\x9d", "compress", "uncompress -c FILE"),
    ];
    if let Some((_, name, filter)) = packed.iter().find(|(magic, ..)| head.starts_with(magic)) {
        let is = format!("This is compressed with {name}, and inputs are plain text");
        return Some(Foreign::new(is, "Unpack it first", Some(filter)));
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return Some(Foreign::new(
            "This is a zip archive, or a spreadsheet (.xlsx, .ods), and inputs are plain text",
            "Save a spreadsheet as CSV (UTF-8), and unpack an archive first",
            Some("unzip -p FILE"),
        ));
    }
    let others: [(&[u8], &str); 6] = [
        (b"PAR1", "a Parquet file"),
        (b"\x93NUMPY", "a file of NumPy's"),
        (b"\xd0\xcf\x11\xe0", "a spreadsheet of the old kind (.xls)"),
        (b"%PDF", "a PDF"),
        (b"SQLite format 3", "an SQLite file"),
        (b"\x89HDF", "an HDF5 file"),
    ];
    if let Some((_, name)) = others.iter().find(|(magic, _)| head.starts_with(magic)) {
        let is = format!("This is {name}, and inputs are plain text");
        return Some(Foreign::new(is, "Save it as CSV first, or as lines of JSON", None));
    }
    wide_text(head)
}

/// Text whose characters have two or four bytes each.
fn wide_text(head: &[u8]) -> Option<Foreign> {
    let encoding = match head {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => "utf-32",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "utf-16",
        [0, 0, 0, first, ..] if *first != 0 => "utf-32be",
        [first, 0, 0, 0, ..] if *first != 0 => "utf-32le",
        [0, first, ..] if *first != 0 => "utf-16be",
        [first, 0, second, ..] if *first != 0 && *second != 0 => "utf-16le",
        _ => return None,
    };
    let is = format!("This is text in {}, and inputs are read in UTF-8", encoding.to_uppercase());
    let filter = format!("iconv -f {encoding} -t utf-8 FILE");
    Some(Foreign::new(is, "Save it as UTF-8, or convert it first", Some(&filter)))
}

/// An array, or lines, of something else than objects.
fn lists(params: &[Param], text: &[u8]) -> Foreign {
    let inside = text[1..].iter().find(|byte| !byte.is_ascii_whitespace());
    let is_nested = inside == Some(&b'[');
    let named = |(place, param): (usize, &Param)| format!("{}:.[{place}]", param.name);
    let object = match params {
        // A list of numbers is a list of inputs then.
        [param] if !is_nested => format!("{}:.", param.name),
        _ => params.iter().enumerate().map(named).collect::<Vec<_>>().join(","),
    };
    let elements = if is_nested || params.len() == 1 { ".[] | " } else { "" };
    let is = format!("This has lists where an input is an object, {}", example(params));
    let filter = format!("jq -c '{elements}{{{object}}}' FILE");
    Foreign::new(is, "Name their values first", Some(&filter))
}

/// What is no text, or is text whose lines end otherwise.
fn binary(line: &[u8]) -> Option<Foreign> {
    let odd = |byte: &&u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
    if line.contains(&0) || line.iter().filter(odd).count() > 2 + line.len() / 10 {
        return Some(Foreign::new(
            "This is no text",
            "Inputs are lines of JSON, a JSON array, or CSV, in UTF-8",
            None,
        ));
    }
    let inner = line.trim_ascii_end().iter().position(|byte| *byte == b'\r');
    inner.map(|_| {
        let filter = Some("tr '\\r' '\\n' < FILE");
        Foreign::new(
            "The lines of this end with a carriage return alone",
            "Change that first",
            filter,
        )
    })
}

/// Whether an object that begins here goes on in the next line.
fn is_pretty(line: &[u8]) -> bool {
    matches!(line.last(), Some(b'{' | b'[' | b',' | b':'))
}

/// Columns of a table that is not read, from which on any names are taken for a header: a line with a comma is
/// more often something else.
const COLUMNS_MIN: usize = 3;

/// A table, with a header or without; lines of JSON if nothing speaks for one.
fn by_columns(
    params: &[Param],
    line: &[u8],
    rest: &[u8],
    is_enough: bool,
) -> Option<Result<Format, Foreign>> {
    let line = String::from_utf8_lossy(line);
    if let Some(separator) = table::separator_said(&line) {
        return Some(Ok(Format::Table(separator)));
    }
    // Those that are read, and then those that are only named.
    let split = |separator: u8| table::split(&line, separator).unwrap_or_default();
    let has_parameter =
        |cells: &[String]| cells.iter().any(|cell| table::parameter(params, cell).is_some());
    for separator in [b',', b';', b'\t'] {
        if has_parameter(&split(separator)) {
            return Some(Ok(Format::Table(separator)));
        }
    }
    let is_number = |cell: &String| cell.trim().replace(',', ".").parse::<f64>().is_ok();
    let is_name = |cell: &String| {
        let cell = cell.trim();
        cell.starts_with(|c: char| c.is_alphabetic() || c == '_') && !cell.contains(['{', '}', ':'])
    };
    let single = [line.trim().to_owned()];
    if params.len() == 1 && single[0].parse::<f64>().is_ok() {
        return Some(Err(headless(params, &single, b',')));
    }
    let widest = [b',', b';', b'\t', b'|', b' '].map(|separator| (split(separator), separator));
    let widest = widest.into_iter().filter(|(cells, _)| cells.len() > 1);
    for (cells, separator) in widest {
        if cells.iter().all(is_number) {
            return Some(Err(headless(params, &cells, separator)));
        }
        if has_parameter(&cells) && matches!(separator, b'|' | b' ') {
            return Some(Err(oddly_separated(params, separator)));
        }
        let is_wide = cells.len() >= COLUMNS_MIN;
        if (is_wide || cells.len() == params.len())
            && cells.iter().all(is_name)
            && separator != b' '
        {
            let next = match rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => &rest[..end],
                None if is_enough => rest,
                None => return None,
            };
            let next = String::from_utf8_lossy(next);
            let row = table::split(&next, separator).unwrap_or_default();
            let is_row = row.len() == cells.len() && (is_wide || row.iter().all(is_number));
            if is_row && !next.trim_start().starts_with('{') {
                return Some(Err(other_columns(params, &cells, separator)));
            }
        }
    }
    Some(Ok(Format::Lines))
}

/// The names of parameters, as a sentence lists them: `initial, factor and times`.
fn listed(names: &[&str]) -> String {
    match names {
        [most @ .., last] if !most.is_empty() => format!("{} and {last}", most.join(", ")),
        _ => names.concat(),
    }
}

fn names(params: &[Param]) -> Vec<&'static str> {
    params.iter().map(|param| param.name).collect()
}

/// A command that puts a header before what `rest` prints, for a table that has a column for each
/// parameter and no other.
fn with_header(params: &[Param], columns: usize, separator: u8, rest: &str) -> Option<String> {
    let between =
        if separator == b'\t' { "\\t".to_owned() } else { char::from(separator).to_string() };
    let header = names(params).join(&between);
    (columns == params.len()).then(|| format!("(printf '%b\\n' '{header}'; {rest})"))
}

fn headless(params: &[Param], cells: &[String], separator: u8) -> Foreign {
    if matches!(separator, b'|' | b' ') {
        return oddly_separated(params, separator);
    }
    let names = listed(&names(params));
    let advice = match params.len() {
        1 => format!("Give it a first line with {names} above the numbers that are meant"),
        _ => format!("Give it a first line with {names} in the order of its columns"),
    };
    let is = "This is a table without a header, which says which column is what";
    let filter = with_header(params, cells.len(), separator, "cat FILE");
    Foreign::new(is, &advice, filter.as_deref())
}

fn oddly_separated(params: &[Param], separator: u8) -> Foreign {
    let name = if separator == b' ' { "spaces" } else { "bars" };
    let is = format!("This is a table whose columns are separated by {name}");
    let names = listed(&names(params));
    let advice = format!("Tables have commas, semicolons or tabs, and a header with {names}");
    let filter = format!("tr -s '{}' ',' < FILE", char::from(separator));
    Foreign::new(is, &advice, Some(&filter))
}

fn other_columns(params: &[Param], cells: &[String], separator: u8) -> Foreign {
    if separator == b'|' {
        return oddly_separated(params, separator);
    }
    let is = format!("This is a table with the columns {}", quoted(cells));
    let names = listed(&names(params));
    let advice = match params.len() {
        1 => format!("Give the column that is meant the name {names}"),
        _ => format!("Name its columns {names}, in the order that they have"),
    };
    let filter = with_header(params, cells.len(), separator, "tail -n +2 FILE");
    Foreign::new(is, &advice, filter.as_deref())
}

/// A table whose header lacks columns.
pub(crate) fn lacking(params: &[Param], lacking: &[&str], cells: &[String]) -> Foreign {
    let columns = if cells.len() == 1 { "column" } else { "columns" };
    let is = format!(
        "This is a table with the {columns} {}, and lacks {}",
        quoted(cells),
        lacking.join(" and ")
    );
    let names = listed(&names(params));
    let order = if params.len() == 1 { "" } else { ", in any order" };
    Foreign::new(is, &format!("Its header needs {names}{order}"), None)
}

fn quoted(cells: &[String]) -> String {
    let names: Vec<String> = cells.iter().map(|cell| quote(cell.trim())).collect();
    printable(&names.join(", "), 100)
}

/// A table whose header says a name twice.
pub(crate) fn doubled(name: &str) -> Foreign {
    let is = format!("This is a table with two columns {name}");
    Foreign::new(is, "Rename the one that is not meant", None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op;

    fn format(op: &str, text: &[u8]) -> Result<Format, String> {
        let params = op::named(op).unwrap().params();
        let recognised = recognise(params, text, true).unwrap();
        // However it is cut, it is recognised as the same or not yet.
        for length in 0..text.len() {
            if let Some(early) = recognise(params, &text[..length], false) {
                assert_eq!(early, recognised, "{length} of {:?}", String::from_utf8_lossy(text));
            }
        }
        recognised.map_err(|foreign| foreign.message(&format!("tequio map {op}")))
    }

    #[test]
    fn what_is_read_is_recognised() {
        let mut marked = MARK.to_vec();
        marked.extend(b" \n[{}]");
        assert_eq!(format("repeat_multiply", &marked), Ok(Format::Array));
        for (text, expected) in [
            ("", Format::Lines),
            ("\n \n", Format::Lines),
            ("{\"initial\":1}\n{", Format::Lines),
            ("{\"initial\":1\n{", Format::Lines),
            ("rubbish", Format::Lines),
            ("rubbish, and more\n{}", Format::Lines),
            ("a, b, c\n{}", Format::Lines),
            ("[\n\n {", Format::Array),
            ("[]", Format::Array),
            ("initial,factor,times\n", Format::Table(b',')),
            ("\n\"times\";\"Factor\";id", Format::Table(b';')),
            ("times\tfactor\tinitial", Format::Table(b'\t')),
            ("initial\n", Format::Table(b',')),
            ("sep=;\r\ninitial;", Format::Table(b';')),
        ] {
            assert_eq!(format("repeat_multiply", text.as_bytes()), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn what_is_foreign_is_named_with_what_to_do() {
        let wide = |text: &str, little: bool| -> Vec<u8> {
            let bytes = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
            text.encode_utf16().flat_map(bytes).collect()
        };
        let line = "{\"initial\":1}\n";
        for (text, said) in [
            (b"\x1f\x8b\x08\0\0".to_vec(), "gzip -dc FILE | tequio map repeat_multiply"),
            (b"PK\x03\x04...".to_vec(), "spreadsheet"),
            (b"\xfd7zXZ\0".to_vec(), "xz -dc FILE"),
            (b"\x28\xb5\x2f\xfd".to_vec(), "zstd -dc FILE"),
            (b"BZh9".to_vec(), "bzip2 -dc FILE"),
            (wide(line, true), "iconv -f utf-16le -t utf-8 FILE"),
            (wide(line, false), "iconv -f utf-16be -t utf-8 FILE"),
            (wide(&format!("\u{feff}{line}"), true), "iconv -f utf-16 -t utf-8 FILE"),
            (wide(&format!("\u{feff}{line}"), false), "iconv -f utf-16 -t utf-8 FILE"),
            (b"{\n  \"initial\": 1\n}".to_vec(), "jq -c . FILE"),
            (b"{ \"initial\": 1,\n".to_vec(), "jq -c . FILE"),
            (b"[1,1.5,10]\n[2,1.5,10]\n".to_vec(), "jq -c '{initial:.[0]"),
            (b"[[1,1.5,10]]".to_vec(), "jq -c '.[] | {initial:.[0]"),
            (b"1,1.5,10\n2,1.5,10\n".to_vec(), "(printf '%b\\n' 'initial,factor,times'; cat FILE)"),
            (b"1,0;1,5;10\n".to_vec(), "'initial;factor;times'"),
            (b"1\t1.5\t10\n".to_vec(), "'initial\\tfactor\\ttimes'"),
            (b"1 1.5 10\n".to_vec(), "tr -s ' ' ','"),
            (b"a0,f,n\n1,1.5,10\n".to_vec(), "columns a0, f, n"),
            (b"a0;f;n\n1;1,5;10\n".to_vec(), "'initial;factor;times'; tail -n +2 FILE)"),
            (b"a0|f|n\n1|1.5|10\n".to_vec(), "tr -s '|' ','"),
            (b"{\"initial\":1}\r{\"initial\":1}\r".to_vec(), "tr '\\r' '\\n'"),
            (b"<!doctype html>\n".to_vec(), "a web page"),
            (b"\x01\x02\x03\x04\x05\x06\n".to_vec(), "no text"),
        ] {
            let foreign = format("repeat_multiply", &text).unwrap_err();
            assert!(foreign.contains(said), "{:?}: {foreign}", String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn one_parameter_has_advice_of_its_own() {
        for (text, expected) in [
            ("n\n27\n", Format::Table(b',')),
            ("id;N\na;27\n", Format::Table(b';')),
            ("{\"n\":27}\n", Format::Lines),
            ("value\n27\n", Format::Lines),
            ("hello, world\nand so on, and on\n", Format::Lines),
        ] {
            assert_eq!(format("collatz", text.as_bytes()), Ok(expected), "{text:?}");
        }
        for (text, said) in [
            (
                "27\n28\n",
                "This is a table without a header, which says which column is what. Give it a first line \
                 with n above the numbers that are meant: (printf '%b\\n' 'n'; cat FILE) | tequio map collatz",
            ),
            ("1,27\n", "Give it a first line with n above the numbers that are meant"),
            ("1 27\n", "tr -s ' ' ','"),
            ("[27,28]", "{\"n\":27}. Name their values first: jq -c '.[] | {n:.}' FILE"),
            ("[[27],[28]]", "jq -c '.[] | {n:.[0]}' FILE"),
            ("a,b,c\n1,2,3\n", "columns a, b, c. Give the column that is meant the name n"),
            ("|n|\n|27|\n", "tr -s '|' ','"),
        ] {
            let foreign = format("collatz", text.as_bytes()).unwrap_err();
            assert!(foreign.contains(said), "{text:?}: {foreign}");
        }
        let foreign = format("repeat_multiply", b"1,2\n").unwrap_err();
        assert!(foreign.ends_with("in the order of its columns"), "no command for two: {foreign}");
    }
}
