//! A job's results as they come, which `tequio results`, `run` and `map` read.

use super::client::{Client, RequestError};
use super::http::Response;
use anyhow::bail;
use clap::ValueEnum;
use hyper::http::Method;
use hyper::http::header::CONTENT_TYPE;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::CLIENT_RETRY;
use tokio::time::sleep;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// {"index":0,"result":1.5} or {"index":3,"error":"..."}; with "line" for inputs of lines
    Jsonl,
    /// index,result,error; with line for inputs of lines
    Csv,
}

/// Results as they come. Where a connection breaks while following, the next goes on from there.
///
/// The end of a body is no sign that it is whole: a proxy that speaks HTTP/1.0 to the server takes the
/// end of a connection for the end of the body. So the server is asked for a last line that says how
/// many results it has sent, and an answer without it counts as broken off.
pub(super) struct Stream {
    client: Client,
    job: JobId,
    format: Format,
    next: u64,
    end: u64,
    pub(super) is_following: bool,
    /// Each task's input is beside its result.
    pub(super) has_inputs: bool,
    /// Whoever reads them has stood still.
    pub(super) was_paused: bool,
    answer: Option<Answer>,
    /// A CSV's head was given, and is not given again.
    has_head: bool,
}

/// One answer, as far as it was read.
struct Answer {
    response: Response,
    cutter: Cutter,
    /// Results in it so far.
    count: u64,
    is_whole: bool,
}

/// Cuts an answer into whole rows.
struct Cutter {
    format: Format,
    /// The row that has not ended.
    partial: Vec<u8>,
    /// Whether it breaks off within quotes of CSV, where a line break ends no row.
    is_quoted: bool,
}

/// Some whole rows, at least one.
struct Rows {
    text: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

/// What some bytes of an answer bring.
enum Read {
    /// Whole rows.
    Rows(Vec<u8>),
    /// Not yet a whole row.
    Nothing,
    /// All results have been given.
    End,
    /// It breaks off.
    Broken(RequestError),
}

impl Stream {
    pub(super) fn new(client: Client, job: JobId, format: Format, first: u64, end: u64) -> Stream {
        Stream {
            client,
            job,
            format,
            next: first,
            end,
            is_following: false,
            has_inputs: false,
            was_paused: false,
            answer: None,
            has_head: false,
        }
    }

    /// The index behind the last that was given.
    pub(super) fn next_index(&self) -> u64 {
        self.next
    }

    /// What a command is to be given that goes on, beside the index.
    pub(super) fn options(&self) -> &'static str {
        if self.has_inputs { " --inputs" } else { "" }
    }

    /// Some whole rows; `None` at the end.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        loop {
            let mut answer = match self.answer.take() {
                Some(answer) => answer,
                None => self.ask().await?,
            };
            match self.read(&mut answer).await? {
                Read::Rows(rows) => {
                    self.answer = Some(answer);
                    return Ok(Some(rows));
                }
                Read::Nothing => self.answer = Some(answer),
                Read::End => return Ok(None),
                // Whatever breaks answers at once must not be asked at once again.
                Read::Broken(_) if self.is_following || std::mem::take(&mut self.was_paused) => {
                    sleep(CLIENT_RETRY).await;
                }
                Read::Broken(error) => bail!(
                    "the results break off before task {next}: {error}; \
                     `tequio results {job} --first {next}{more}` gives the rest",
                    next = self.next,
                    job = self.job,
                    more = self.options()
                ),
            }
        }
    }

    async fn ask(&self) -> Result<Answer, RequestError> {
        let count = self.end - self.next;
        let format = if self.format == Format::Csv { "csv" } else { "jsonl" };
        let mut query = vec![
            ("format", format.to_owned()),
            ("first", self.next.to_string()),
            ("count", count.to_string()),
            ("follow", self.is_following.to_string()),
            ("end", "true".to_owned()),
        ];
        if self.has_inputs {
            query.push(("inputs", "true".to_owned()));
        }
        let path = format!("api/jobs/{}/results", self.job);
        let attempt =
            async || self.client.send(self.client.request(Method::GET, &path).query(&query)).await;
        let response =
            if self.is_following { self.client.insist(attempt).await? } else { attempt().await? };
        if !is_results(&response) {
            return Err(self.client.stranger(&response));
        }
        Ok(Answer { response, cutter: Cutter::new(self.format), count: 0, is_whole: false })
    }

    async fn read(&mut self, answer: &mut Answer) -> anyhow::Result<Read> {
        Ok(match answer.response.chunk().await {
            Ok(Some(_)) if answer.is_whole => bail!("the server sends more than it said"),
            Ok(Some(chunk)) => match self.whole_rows(answer, &chunk)? {
                Some(rows) => Read::Rows(rows),
                None => Read::Nothing,
            },
            Ok(None) if answer.is_whole => Read::End,
            Ok(None) => Read::Broken(self.client.broken_off()),
            Err(failure) => Read::Broken(self.client.failed(failure)),
        })
    }

    /// The rows that end within `chunk`, without those that are no results.
    fn whole_rows(&mut self, answer: &mut Answer, chunk: &[u8]) -> anyhow::Result<Option<Vec<u8>>> {
        let Some(mut rows) = answer.cutter.push(chunk) else { return Ok(None) };
        let mut results = rows.ends.len() as u64;
        if rows.text.starts_with(HEAD) {
            results -= 1;
            if std::mem::replace(&mut self.has_head, true) {
                rows.drop_first();
            }
        }
        let said = said_end(rows.last())?;
        if said.is_some() {
            results -= 1;
            rows.drop_last();
        }
        answer.count += results;
        if results > 0 {
            self.next = index_of(rows.last())? + 1;
        }
        if let Some(sent) = said {
            if sent != answer.count || !answer.cutter.partial.is_empty() {
                bail!("the server says that it sent {sent} results, and {} came", answer.count);
            }
            answer.is_whole = true;
        }
        Ok((!rows.text.is_empty()).then_some(rows.text))
    }
}

impl Cutter {
    fn new(format: Format) -> Cutter {
        Cutter { format, partial: Vec::new(), is_quoted: false }
    }

    /// The rows that end within `chunk`; what follows the last is kept.
    fn push(&mut self, chunk: &[u8]) -> Option<Rows> {
        let mut ends = Vec::new();
        for (end, byte) in (self.partial.len() + 1..).zip(chunk) {
            match byte {
                b'"' if self.format == Format::Csv => self.is_quoted = !self.is_quoted,
                b'\n' if !self.is_quoted => ends.push(end),
                _ => {}
            }
        }
        self.partial.extend_from_slice(chunk);
        let rest = self.partial.split_off(*ends.last()?);
        Some(Rows { text: std::mem::replace(&mut self.partial, rest), ends })
    }
}

impl Rows {
    /// The last one; empty if there is none any more.
    fn last(&self) -> &[u8] {
        let before = self.ends.len().checked_sub(2).map_or(0, |place| self.ends[place]);
        &self.text[before..]
    }

    fn drop_last(&mut self) {
        self.ends.pop();
        self.text.truncate(self.ends.last().copied().unwrap_or_default());
    }

    fn drop_first(&mut self) {
        let first = self.ends.remove(0);
        self.ends.iter_mut().for_each(|end| *end -= first);
        self.text.drain(..first);
    }
}

/// What a CSV begins with.
const HEAD: &[u8] = b"index";

fn is_results(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| {
        kind.starts_with("application/x-ndjson") || kind.starts_with("text/csv")
    })
}

/// How many results were sent, if this is the row that says it.
fn said_end(row: &[u8]) -> anyhow::Result<Option<u64>> {
    let Some(said) = row.strip_prefix(b"{\"end\":").or_else(|| row.strip_prefix(b"end,")) else {
        return Ok(None);
    };
    let digits = said.iter().take_while(|byte| byte.is_ascii_digit()).count();
    Ok(Some(std::str::from_utf8(&said[..digits])?.parse()?))
}

/// The index that a row begins with.
fn index_of(row: &[u8]) -> anyhow::Result<u64> {
    let text = String::from_utf8_lossy(row);
    let digits = text.strip_prefix("{\"index\":").unwrap_or(&text);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().map_err(|_| anyhow::anyhow!("the server sent what is no result: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_begin_with_their_index() {
        assert_eq!(index_of(b"{\"index\":17,\"result\":1.5}").unwrap(), 17);
        assert_eq!(index_of(b"17,1.5,").unwrap(), 17);
        assert!(index_of(b"hello").is_err());
    }

    #[test]
    fn the_last_row_says_how_many_were_sent() {
        for (row, said) in [
            ("{\"end\":12}\n", Some(12)),
            ("end,0,,,\n", Some(0)),
            ("{\"index\":0,\"result\":1}\n", None),
            ("0,\"end,5\",\n", None),
            ("", None),
        ] {
            assert_eq!(said_end(row.as_bytes()).unwrap(), said, "{row}");
        }
        assert!(said_end(b"{\"end\":x}\n").is_err());
    }

    /// The rows of a text that comes in chunks of `size` bytes.
    fn cut(format: Format, text: &str, size: usize) -> Vec<String> {
        let mut cutter = Cutter::new(format);
        let mut cut = Vec::new();
        for mut rows in text.as_bytes().chunks(size).filter_map(|chunk| cutter.push(chunk)) {
            let mut of_chunk = Vec::new();
            while !rows.ends.is_empty() {
                of_chunk.insert(0, String::from_utf8_lossy(rows.last()).into_owned());
                rows.drop_last();
            }
            assert!(rows.text.is_empty());
            cut.append(&mut of_chunk);
        }
        assert!(cutter.partial.is_empty());
        cut
    }

    #[test]
    fn a_line_break_within_quotes_ends_no_row_of_a_csv() {
        let csv =
            ["index,result,error\n", "0,1.5,\n", "1,,\"no\nend,2,\n \"\"x\"\"\"\n", "end,2,\n"];
        let json = ["{\"index\":0,\"result\":\"\\\"\"}\n", "{\"end\":1}\n"];
        for size in 1..80 {
            assert_eq!(cut(Format::Csv, &csv.concat(), size), csv, "{size}");
            assert_eq!(cut(Format::Jsonl, &json.concat(), size), json, "{size}");
        }
    }

    #[test]
    fn the_first_row_is_dropped_as_the_last_is() {
        let mut rows = Cutter::new(Format::Csv).push(b"index,a\n0,1\n1,2\n").unwrap();
        rows.drop_first();
        assert_eq!((&*rows.text, rows.last()), (&b"0,1\n1,2\n"[..], &b"1,2\n"[..]));
        rows.drop_last();
        assert_eq!((&*rows.text, rows.last()), (&b"0,1\n"[..], &b"0,1\n"[..]));
    }
}
