//! `tequio results`, and the stream of results that `tequio map` reads too.

use super::client::{Client, Remote, RequestError};
use super::jobs::parse_id;
use super::print;
use super::still;
use super::stop::Stop;
use super::submit::whole;
use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use reqwest::{Method, Response};
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::CLIENT_RETRY;
use tokio::time::sleep;

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
        let client = self.remote.client()?;
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
        if !print::bytes(&text)? {
            break;
        }
    }
    Ok(())
}

/// Results as they come. Where a connection breaks while following, the next goes on from there.
pub(super) struct Lines {
    client: Client,
    job: JobId,
    format: Format,
    next: u64,
    end: u64,
    pub(super) is_following: bool,
    response: Option<Response>,
    partial: Vec<u8>,
    /// A CSV's head was given, and is not given again.
    has_head: bool,
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
            response: None,
            partial: Vec::new(),
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
            if self.response.is_none() {
                self.response = Some(self.ask().await?);
            }
            let Some(response) = &mut self.response else { continue };
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    if let Some(lines) = self.whole_lines(&chunk)? {
                        return Ok(Some(lines));
                    }
                }
                Ok(None) => return Ok(None),
                Err(error) => {
                    let error = self.client.no_answer(&error);
                    if !self.is_following {
                        return Err(error.into());
                    }
                    self.response = None;
                    self.partial.clear();
                    // Whatever breaks answers at once must not be asked at once again.
                    sleep(CLIENT_RETRY).await;
                }
            }
        }
    }

    async fn ask(&self) -> Result<Response, RequestError> {
        let count = self.end - self.next;
        let format = if self.format == Format::Csv { "csv" } else { "jsonl" };
        let query = [
            ("format", format.to_owned()),
            ("first", self.next.to_string()),
            ("count", count.to_string()),
            ("follow", self.is_following.to_string()),
        ];
        let path = format!("api/jobs/{}/results", self.job);
        let attempt =
            async || self.client.send(self.client.request(Method::GET, &path).query(&query)).await;
        if self.is_following { self.client.insist(attempt).await } else { attempt().await }
    }

    /// The lines that end within `chunk`; what follows the last is kept.
    fn whole_lines(&mut self, chunk: &[u8]) -> anyhow::Result<Option<Vec<u8>>> {
        let Some(at) = chunk.iter().rposition(|byte| *byte == b'\n') else {
            self.partial.extend_from_slice(chunk);
            return Ok(None);
        };
        let mut lines = std::mem::take(&mut self.partial);
        lines.extend_from_slice(&chunk[..=at]);
        self.partial.extend_from_slice(&chunk[at + 1..]);
        let is_head = self.format == Format::Csv && lines.starts_with(b"index");
        if is_head && std::mem::replace(&mut self.has_head, true) {
            let end = lines.iter().position(|byte| *byte == b'\n').map_or(lines.len(), |at| at + 1);
            lines.drain(..end);
        }
        let last = lines[..lines.len().saturating_sub(1)].rsplit(|byte| *byte == b'\n').next();
        if let Some(last) = last
            && !last.is_empty()
            && !last.starts_with(b"index")
        {
            self.next = index_of(last)? + 1;
        }
        Ok((!lines.is_empty()).then_some(lines))
    }
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
}
