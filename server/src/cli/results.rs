//! `tequio results`, and the stream of results that `tequio map` reads too.

use super::client::{Client, Remote, RequestError};
use super::http::Response;
use super::jobs::parse_id;
use super::print;
use super::still;
use super::stop::Stop;
use super::submit::whole;
use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use hyper::http::Method;
use hyper::http::header::CONTENT_TYPE;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::{CLIENT_PAUSED, CLIENT_RETRY};
use tokio::time::{Instant, sleep};

#[derive(Debug, Args)]
pub(super) struct Results {
    /// The job's number
    #[arg(value_name = "ID", value_parser = parse_id)]
    id: JobId,

    /// How a result is written
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Format,

    /// The first task
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = parse_count)]
    first: u64,

    /// How many tasks; all that follow where nothing is said
    #[arg(long, value_name = "N", value_parser = parse_count)]
    count: Option<u64>,

    /// Wait for results that are not there yet, until the job is over
    #[arg(long)]
    follow: bool,

    #[command(flatten)]
    remote: Remote,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// {"index":0,"result":1.5} or {"index":3,"error":"..."}; with "line" for inputs of lines
    Jsonl,
    /// index,result,error; with line for inputs of lines
    Csv,
}

fn parse_count(text: &str) -> Result<u64, String> {
    whole(text, 0, u64::MAX)
}

impl Results {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let end = self.count.map_or(u64::MAX, |count| self.first.saturating_add(count));
        let client = self.remote.client();
        let mut lines = Lines::new(client.clone(), self.id, self.format, self.first, end);
        if !self.follow {
            return write_all(&mut lines).await;
        }
        lines.is_following = true;
        let mut stop = Stop::listen().context("signals cannot be listened for")?;
        tokio::select! {
            done = write_all(&mut lines) => return done,
            never = still::tell(&client, self.id) => match never {},
            () = stop.asked() => {}
        }
        let (id, next) = (self.id, lines.next_index());
        bail!("stopped; `tequio results {id} --first {next} --follow` goes on from there")
    }
}

async fn write_all(lines: &mut Lines) -> anyhow::Result<()> {
    while let Some(text) = lines.next().await? {
        let began = Instant::now();
        if !print::bytes(&text)? {
            break;
        }
        // A pager that nobody scrolls, for one. The server waits a while for those who take nothing.
        lines.was_paused |= began.elapsed() >= CLIENT_PAUSED;
    }
    Ok(())
}

/// Results as they come. Where a connection breaks while following, the next goes on from there.
///
/// The end of a body is no sign that it is whole: a proxy that speaks HTTP/1.0 to the server takes the
/// end of a connection for the end of the body. So the server is asked for a last line that says how
/// many results it has sent, and an answer without it counts as broken off.
pub(super) struct Lines {
    client: Client,
    job: JobId,
    format: Format,
    next: u64,
    end: u64,
    pub(super) is_following: bool,
    /// Whoever reads them has stood still.
    was_paused: bool,
    answer: Option<Answer>,
    /// A CSV's head was given, and is not given again.
    has_head: bool,
}

/// One answer, as far as it was read.
struct Answer {
    response: Response,
    /// The line that has not ended.
    partial: Vec<u8>,
    /// Results in it so far.
    count: u64,
    is_whole: bool,
}

/// What some bytes of an answer bring.
enum Read {
    /// Whole lines.
    Lines(Vec<u8>),
    /// Not yet a whole line.
    Nothing,
    /// All results have been given.
    End,
    /// It breaks off.
    Broken(RequestError),
}

impl Lines {
    pub(super) fn new(client: Client, job: JobId, format: Format, first: u64, end: u64) -> Lines {
        Lines {
            client,
            job,
            format,
            next: first,
            end,
            is_following: false,
            was_paused: false,
            answer: None,
            has_head: false,
        }
    }

    /// The index behind the last that was given.
    pub(super) fn next_index(&self) -> u64 {
        self.next
    }

    /// Some whole lines; none at the end.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        loop {
            let mut answer = match self.answer.take() {
                Some(answer) => answer,
                None => self.ask().await?,
            };
            match self.read(&mut answer).await? {
                Read::Lines(lines) => {
                    self.answer = Some(answer);
                    return Ok(Some(lines));
                }
                Read::Nothing => self.answer = Some(answer),
                Read::End => return Ok(None),
                // Whatever breaks answers at once must not be asked at once again.
                Read::Broken(_) if self.is_following || std::mem::take(&mut self.was_paused) => {
                    sleep(CLIENT_RETRY).await;
                }
                Read::Broken(error) => bail!(
                    "the results break off before task {next}: {error}; \
                     `tequio results {job} --first {next}` gives the rest",
                    next = self.next,
                    job = self.job
                ),
            }
        }
    }

    async fn ask(&self) -> Result<Answer, RequestError> {
        let count = self.end - self.next;
        let format = if self.format == Format::Csv { "csv" } else { "jsonl" };
        let query = [
            ("format", format.to_owned()),
            ("first", self.next.to_string()),
            ("count", count.to_string()),
            ("follow", self.is_following.to_string()),
            ("end", "true".to_owned()),
        ];
        let path = format!("api/jobs/{}/results", self.job);
        let attempt =
            async || self.client.send(self.client.request(Method::GET, &path).query(&query)).await;
        let response =
            if self.is_following { self.client.insist(attempt).await? } else { attempt().await? };
        if !is_results(&response) {
            return Err(self.client.stranger(&response));
        }
        Ok(Answer { response, partial: Vec::new(), count: 0, is_whole: false })
    }

    async fn read(&mut self, answer: &mut Answer) -> anyhow::Result<Read> {
        Ok(match answer.response.chunk().await {
            Ok(Some(_)) if answer.is_whole => bail!("the server sends more than it said"),
            Ok(Some(chunk)) => match self.whole_lines(answer, &chunk)? {
                Some(lines) => Read::Lines(lines),
                None => Read::Nothing,
            },
            Ok(None) if answer.is_whole => Read::End,
            Ok(None) => Read::Broken(self.client.broken_off()),
            Err(failure) => Read::Broken(self.client.failed(failure)),
        })
    }

    /// The lines that end within `chunk`, without those that are no results; what follows the last is
    /// kept.
    fn whole_lines(
        &mut self,
        answer: &mut Answer,
        chunk: &[u8],
    ) -> anyhow::Result<Option<Vec<u8>>> {
        let Some(at) = chunk.iter().rposition(|byte| *byte == b'\n') else {
            answer.partial.extend_from_slice(chunk);
            return Ok(None);
        };
        let mut lines = std::mem::take(&mut answer.partial);
        lines.extend_from_slice(&chunk[..=at]);
        answer.partial.extend_from_slice(&chunk[at + 1..]);
        if lines.starts_with(HEAD) && std::mem::replace(&mut self.has_head, true) {
            let head = lines.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            lines.drain(..head);
        }
        let end = split_end(&mut lines)?;
        let results = results_in(&lines);
        answer.count += results;
        if results > 0 {
            self.next = index_of(last_line(&lines))? + 1;
        }
        if let Some(sent) = end {
            if sent != answer.count || !answer.partial.is_empty() {
                bail!("the server says that it sent {sent} results, and {} came", answer.count);
            }
            answer.is_whole = true;
        }
        Ok((!lines.is_empty()).then_some(lines))
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

/// How many of some whole lines are results.
fn results_in(lines: &[u8]) -> u64 {
    let all = lines.iter().filter(|byte| **byte == b'\n').count();
    (all - usize::from(lines.starts_with(HEAD))) as u64
}

/// The last of some whole lines.
fn last_line(lines: &[u8]) -> &[u8] {
    let lines = lines.strip_suffix(b"\n").unwrap_or(lines);
    lines.rsplit(|byte| *byte == b'\n').next().unwrap_or_default()
}

/// Takes the line away that says how many results were sent, if it is there, and gives what it says.
fn split_end(lines: &mut Vec<u8>) -> anyhow::Result<Option<u64>> {
    let last = last_line(lines);
    let Some(said) = last.strip_prefix(b"{\"end\":").or_else(|| last.strip_prefix(b"end,")) else {
        return Ok(None);
    };
    let digits = said.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let count = std::str::from_utf8(&said[..digits])?.parse()?;
    lines.truncate(lines.len() - last.len() - 1);
    Ok(Some(count))
}

/// The index that a line begins with.
fn index_of(line: &[u8]) -> anyhow::Result<u64> {
    let text = String::from_utf8_lossy(line);
    let digits = text.strip_prefix("{\"index\":").unwrap_or(&text);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().map_err(|_| anyhow::anyhow!("the server sent what is no result: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_begin_with_their_index() {
        assert_eq!(index_of(b"{\"index\":17,\"result\":1.5}").unwrap(), 17);
        assert_eq!(index_of(b"17,1.5,").unwrap(), 17);
        assert!(index_of(b"hello").is_err());
    }

    #[test]
    fn the_last_line_says_how_many_were_sent_and_is_no_result() {
        for (given, left, said, results) in [
            (
                "{\"index\":0,\"result\":1}\n{\"end\":1}\n",
                "{\"index\":0,\"result\":1}\n",
                Some(1),
                1,
            ),
            ("{\"end\":0}\n", "", Some(0), 0),
            ("index,result,error\n0,1,\nend,1,\n", "index,result,error\n0,1,\n", Some(1), 1),
            ("0,1,\n1,2,\n", "0,1,\n1,2,\n", None, 2),
            ("index,result,error\n", "index,result,error\n", None, 0),
        ] {
            let mut lines = given.as_bytes().to_vec();
            assert_eq!(split_end(&mut lines).unwrap(), said, "{given}");
            assert_eq!(String::from_utf8_lossy(&lines), left);
            assert_eq!(results_in(&lines), results, "{given}");
        }
        assert!(split_end(&mut b"{\"end\":x}\n".to_vec()).is_err());
    }
}
