//! Results, in the order of their indices, as lines of JSON or CSV.

use super::App;
use super::api::Params;
use super::error::ApiError;
use super::events::UNBUFFERED;
use super::jobs::parse_id;
use super::readers::{Block, Piece, Readers, Turn};
use crate::connection::{Stopping, stopped};
use crate::dispatcher::{ControlError, Progress, Stopped};
use crate::ranges::push_joined;
use crate::store::{Run, Store, StoreError};
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream::try_unfold;
use serde::Deserialize;
use std::collections::VecDeque;
use std::io::Write;
use std::ops::Range;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::{
    ANSWER_PIECE_BYTES, RESULTS_BLOCK_MAX, RESULTS_BLOCK_MIN, RESULTS_ROWS_MAX,
};
use tequio_protocol::outcome::Outcome;
use tequio_protocol::reader::LineRun;
use tokio::sync::watch;
use tracing::{debug, warn};

/// What the query says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    format: Format,
    /// The first index.
    #[serde(default)]
    first: u64,
    /// How many indices; all to the end where nothing is said.
    count: Option<u64>,
    /// Wait for what is not there yet, until the job is over.
    #[serde(default)]
    follow: bool,
    /// Say behind the results how many lines there were: an answer without this line is not whole,
    /// whatever lies between this server and who reads it.
    #[serde(default)]
    end: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Jsonl,
    Csv,
}

/// `GET /api/jobs/ID/results`
pub(super) async fn get(
    State(app): State<App>,
    version: Version,
    Path(id): Path<String>,
    Params(wanted): Params<Wanted>,
) -> Result<Response, ApiError> {
    let job = parse_id(&id)?;
    // Subscribed to before anything is read, so that nothing is missed in between.
    let progress = app.dispatcher.follow(job).await?.ok_or_else(|| ApiError::unknown_job(&id))?;
    let is_bare = version < Version::HTTP_11 && !wanted.end;
    if wanted.follow {
        app.crowd.admit()?;
        if is_bare {
            return Err(nobody_sees_its_end());
        }
    }
    if wanted.follow && progress.borrow().is_set_aside {
        return Err(ControlError::SetAside(job).into());
    }
    let mut results = Results::new(&app, job, progress, &wanted).await?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(wanted.format.content_type()));
    if wanted.follow {
        let [(name, value)] = UNBUFFERED;
        headers.insert(name, HeaderValue::from_static(value));
    }
    if is_bare {
        let bytes = results.measure().await?;
        headers.insert(CONTENT_LENGTH, bytes.into());
    } else {
        results.begin().await?;
    }
    Ok((headers, Body::from_stream(results.stream())).into_response())
}

/// HTTP/1.0 has no chunks: an answer whose length is not known ends where the connection does, and one
/// that breaks off looks whole.
fn nobody_sees_its_end() -> ApiError {
    let message = "HTTP/1.0 has no way to show that such an answer is whole. Ask with end=true and \
                   look for the last line, or speak HTTP/1.1 (nginx: proxy_http_version 1.1).";
    ApiError::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "http_1_0", message)
}

/// Results that are being sent.
struct Results {
    readers: Readers,
    /// Under which number its tail is kept.
    number: u64,
    /// How many results are read at once: more, the longer it goes on.
    block: u64,
    /// Whether a tail was kept, which may have had to make room since.
    has_tail: bool,
    job: JobId,
    /// Whether its inputs come from lines.
    has_lines: bool,
    /// `None` where what is there is enough.
    progress: Option<watch::Receiver<Progress>>,
    stopping: Stopping,
    next: u64,
    end: u64,
    /// Where an answer was measured: the intervals behind `end` that it consists of, and the bytes
    /// that are left of it.
    measured: Option<(VecDeque<Range<u64>>, u64)>,
    format: Format,
    header: Option<&'static str>,
    /// The first lines, if they were read before the answer began.
    begun: Option<Bytes>,
    /// Results sent so far.
    sent: u64,
    /// Whether a line that counts them is still to come.
    counts: bool,
}

#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the server stops")]
    Stopping,
    #[error("job {0} was set aside, since a part of it cannot be read")]
    SetAside(JobId),
    #[error("{0} of the bytes that were measured before are not there")]
    Short(u64),
}

impl From<Broken> for ApiError {
    fn from(broken: Broken) -> ApiError {
        match broken {
            Broken::Store(error) => error.into(),
            Broken::Stopping => Stopped.into(),
            Broken::SetAside(job) => ControlError::SetAside(job).into(),
            broken => StoreError::Unavailable(broken.to_string()).into(),
        }
    }
}

impl Results {
    async fn new(
        app: &App,
        job: JobId,
        progress: watch::Receiver<Progress>,
        wanted: &Wanted,
    ) -> Result<Results, StoreError> {
        let read = move |store: &dyn Store| store.lines(job, 0..0);
        let has_grid = progress.borrow().has_grid;
        let has_lines = !has_grid && app.readers.read(Turn::First, read).await?.is_some();
        Ok(Results {
            has_lines,
            readers: app.readers.clone(),
            number: app.readers.enter(),
            block: RESULTS_BLOCK_MIN,
            has_tail: false,
            job,
            progress: wanted.follow.then_some(progress),
            stopping: app.sockets.stopping(),
            next: wanted.first,
            end: wanted.count.map_or(u64::MAX, |count| wanted.first.saturating_add(count)),
            measured: None,
            format: wanted.format,
            header: wanted.format.header(has_lines),
            begun: None,
            sent: 0,
            counts: wanted.end,
        })
    }

    fn stream(self) -> impl Stream<Item = Result<Bytes, Broken>> {
        try_unfold(self, |mut results| async {
            // An answer that breaks off shows that it is not whole.
            match results.next_chunk().await {
                Ok(chunk) => Ok(chunk.map(|chunk| (chunk, results))),
                Err(broken) => {
                    match broken {
                        // Everybody who follows is told so.
                        Broken::Stopping => debug!(job = %results.job, "results break off"),
                        _ => warn!(job = %results.job, "results break off: {broken}"),
                    }
                    Err(broken)
                }
            }
        })
    }

    /// Reads everything once, so that its length is known before it is sent. What is recorded meanwhile
    /// is no part of the answer: of what is kept here, the intervals that are.
    async fn measure(&mut self) -> Result<u64, Broken> {
        let mut bytes = self.header.map_or(0, str::len) as u64;
        let (mut intervals, mut next) = (Vec::new(), self.next);
        while next < self.end {
            if *self.stopping.borrow() {
                return Err(Broken::Stopping);
            }
            let (job, range) = (self.job, next..self.end);
            let (has_lines, format) = (self.has_lines, self.format);
            let reading = self.readers.read(Turn::Next, move |store| {
                let (runs, numbers) = read_runs(store, job, range, has_lines, RESULTS_BLOCK_MAX)?;
                let of_run = |run: &Run| run.first..run.first + run.outcomes.len() as u64;
                let intervals: Vec<Range<u64>> = runs.iter().map(of_run).collect();
                Ok((intervals, lines(format, &runs, numbers).len() as u64))
            });
            let (read, length) = reading.await?;
            let Some(last) = read.last() else { break };
            next = last.end;
            bytes += length;
            read.into_iter().for_each(|interval| push_joined(&mut intervals, interval));
        }
        self.end = self.next;
        self.measured = Some((intervals.into(), bytes));
        Ok(bytes)
    }

    /// The next lines; `None` at the end.
    async fn next_chunk(&mut self) -> Result<Option<Bytes>, Broken> {
        let chunk = match self.header.take() {
            Some(header) => Some(Bytes::from_static(header.as_bytes())),
            None => self.next_lines().await?,
        };
        let length = chunk.as_ref().map_or(0, Bytes::len) as u64;
        match (&mut self.measured, &chunk) {
            (Some((_, left)), None) if *left > 0 => return Err(Broken::Short(*left)),
            (Some((_, left)), _) => *left = left.saturating_sub(length),
            (None, _) => {}
        }
        if chunk.is_none() && std::mem::take(&mut self.counts) {
            return Ok(Some(self.format.end(self.sent, self.has_lines).into()));
        }
        Ok(chunk)
    }

    /// Reads the first lines that are there, so that what cannot be read is an error of the answer while
    /// it has not begun, and not one that breaks it off.
    async fn begin(&mut self) -> Result<(), Broken> {
        if self.next < self.end_of_readable()? {
            self.begun = self.next_lines().await?;
        }
        Ok(())
    }

    async fn next_lines(&mut self) -> Result<Option<Bytes>, Broken> {
        if let Some(begun) = self.begun.take() {
            return Ok(Some(begun));
        }
        if let Some(block) = self.take_tail()
            && let Some(text) = self.next_piece(block)
        {
            return Ok(Some(text));
        }
        loop {
            let end = self.end_of_readable()?;
            let block = if self.next < end { self.read(end).await? } else { Block::default() };
            if let Some(text) = self.next_piece(block) {
                return Ok(Some(text));
            }
            if let Some(Range { start, end }) = self.next_interval() {
                (self.next, self.end) = (start, end);
            } else if self.next >= self.end || !self.wait().await? {
                return Ok(None);
            }
        }
    }

    /// What was read before and is not sent; `None` where there is nothing, or it had to make room.
    fn take_tail(&mut self) -> Option<Block> {
        if !std::mem::take(&mut self.has_tail) {
            return None;
        }
        let tail = self.readers.take(self.number);
        if tail.is_none() {
            // It is read once more, and little of it: that may have room.
            self.block = RESULTS_BLOCK_MIN;
        }
        tail
    }

    /// The next piece of what was read; `None` if nothing was. What is behind it is kept for all answers
    /// together, so that one which nobody reads on keeps nothing for long.
    fn next_piece(&mut self, mut block: Block) -> Option<Bytes> {
        let (text, Piece { next, count, .. }) = block.next_piece()?;
        self.next = next;
        self.sent += count;
        if block.is_empty() {
            self.block = (self.block * 4).min(RESULTS_BLOCK_MAX);
        } else {
            self.has_tail = true;
            self.readers.keep(self.number, block);
        }
        Some(text)
    }

    fn next_interval(&mut self) -> Option<Range<u64>> {
        self.measured.as_mut()?.0.pop_front()
    }

    /// The index behind the last that may be read now.
    fn end_of_readable(&mut self) -> Result<u64, Broken> {
        let Some(progress) = &mut self.progress else { return Ok(self.end) };
        let seen = *progress.borrow_and_update();
        if seen.state.is_over() {
            // Nothing more follows: what is there is all, with its gaps.
            self.progress = None;
            return Ok(self.end);
        }
        if seen.is_set_aside && self.next >= seen.prefix {
            return Err(Broken::SetAside(self.job));
        }
        Ok(self.end.min(seen.prefix))
    }

    /// Some lines; none where there are no more.
    async fn read(&self, end: u64) -> Result<Block, Broken> {
        let (job, has_lines, format) = (self.job, self.has_lines, self.format);
        let (range, block) = (self.next..end, self.block);
        let turn = if self.sent == 0 { Turn::First } else { Turn::Next };
        let reading = self.readers.read(turn, move |store| {
            let (runs, numbers) = read_runs(store, job, range, has_lines, block)?;
            Ok(cut_lines(format, &runs, numbers))
        });
        Ok(reading.await?)
    }

    /// Waits for more to be there; `false` where there will be none.
    async fn wait(&mut self) -> Result<bool, Broken> {
        let Some(progress) = &mut self.progress else { return Ok(false) };
        tokio::select! {
            changed = progress.changed() => changed.map_err(|_| Broken::Stopping)?,
            () = stopped(&mut self.stopping) => return Err(Broken::Stopping),
        }
        Ok(true)
    }
}

impl Drop for Results {
    fn drop(&mut self) {
        self.readers.take(self.number);
    }
}

impl Format {
    fn content_type(self) -> &'static str {
        match self {
            Format::Jsonl => "application/x-ndjson",
            Format::Csv => "text/csv; charset=utf-8",
        }
    }

    /// The first line, which names the columns.
    fn header(self, has_lines: bool) -> Option<&'static str> {
        match self {
            Format::Jsonl => None,
            Format::Csv if has_lines => Some("index,result,error,line\n"),
            Format::Csv => Some("index,result,error\n"),
        }
    }

    /// The line that says how many there were.
    fn end(self, lines: u64, has_lines: bool) -> String {
        match self {
            Format::Jsonl => format!("{{\"end\":{lines}}}\n"),
            Format::Csv if has_lines => format!("end,{lines},,\n"),
            Format::Csv => format!("end,{lines},\n"),
        }
    }
}

/// The first outcomes of a range, about `count` of them, and from which lines their inputs come.
fn read_runs(
    store: &dyn Store,
    job: JobId,
    range: Range<u64>,
    has_lines: bool,
    count: u64,
) -> Result<(Vec<Run>, Option<LineNumbers>), StoreError> {
    let near = range.start..range.end.min(range.start.saturating_add(count));
    let rows_max = count.min(RESULTS_ROWS_MAX);
    let is_all = near == range;
    let mut runs = store.outcomes(job, near, rows_max)?;
    if runs.is_empty() && !is_all {
        // There is a gap: what follows it, however far away.
        runs = store.outcomes(job, range, 1)?;
    }
    let (Some(first), Some(last), true) = (runs.first(), runs.last(), has_lines) else {
        return Ok((runs, None));
    };
    let range = first.first..last.first + last.outcomes.len() as u64;
    let numbers = store.lines(job, range)?.map(LineNumbers::new);
    Ok((runs, numbers))
}

/// The lines of ascending indices.
struct LineNumbers {
    runs: std::vec::IntoIter<LineRun>,
    now: Option<LineRun>,
    next: Option<LineRun>,
}

impl LineNumbers {
    fn new(runs: Vec<LineRun>) -> LineNumbers {
        let mut runs = runs.into_iter();
        let next = runs.next();
        LineNumbers { runs, now: None, next }
    }

    /// The line of one index; `None` where it is unknown.
    fn of(&mut self, index: u64) -> Option<u64> {
        while let Some(run) = self.next.filter(|run| run.first <= index) {
            self.now = Some(run);
            self.next = self.runs.next();
        }
        self.now.map(|run| run.line + index - run.first)
    }
}

/// `numbers` is `None` where inputs come from no lines.
fn lines(format: Format, runs: &[Run], numbers: Option<LineNumbers>) -> Bytes {
    let mut text = Vec::new();
    write_lines(format, runs, numbers, &mut text, |_, _| {});
    text.into()
}

/// The same as a block, in pieces that an answer is written in.
fn cut_lines(format: Format, runs: &[Run], numbers: Option<LineNumbers>) -> Block {
    let (mut text, mut pieces) = (Vec::new(), VecDeque::<Piece>::new());
    let mut start = 0;
    write_lines(format, runs, numbers, &mut text, |end, index| {
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

/// Says of each line where it ends, and its index.
fn write_lines(
    format: Format,
    runs: &[Run],
    mut numbers: Option<LineNumbers>,
    text: &mut Vec<u8>,
    mut wrote: impl FnMut(usize, u64),
) {
    for run in runs {
        for (index, outcome) in (run.first..).zip(&run.outcomes) {
            let line = numbers.as_mut().map(|numbers| numbers.of(index));
            match format {
                Format::Jsonl => write_json(text, index, line.flatten(), outcome),
                Format::Csv => write_csv(text, index, line, outcome),
            }
            wrote(text.len(), index);
        }
    }
}

/// `{"index":0,"result":1.5}` or `{"index":3,"error":"..."}`; with `"line":1` behind the index where
/// the input comes from one.
fn write_json(text: &mut Vec<u8>, index: u64, line: Option<u64>, outcome: &Outcome) {
    write!(text, "{{\"index\":{index},").expect(VECTORS_GROW);
    if let Some(line) = line {
        write!(text, "\"line\":{line},").expect(VECTORS_GROW);
    }
    match outcome {
        Outcome::Result(number) => {
            text.extend_from_slice(b"\"result\":");
            serde_json::to_writer(&mut *text, number).expect(VECTORS_GROW);
        }
        Outcome::Error { error } => {
            text.extend_from_slice(b"\"error\":");
            serde_json::to_writer(&mut *text, error).expect(VECTORS_GROW);
        }
    }
    text.extend_from_slice(b"}\n");
}

/// `0,1.5,` or `3,,"..."` (RFC 4180, with line feeds); with one more column for the line where inputs
/// come from lines.
fn write_csv(text: &mut Vec<u8>, index: u64, line: Option<Option<u64>>, outcome: &Outcome) {
    match outcome {
        Outcome::Result(number) if number.0.is_finite() => {
            write!(text, "{index},").expect(VECTORS_GROW);
            serde_json::to_writer(&mut *text, number).expect(VECTORS_GROW);
            text.push(b',');
        }
        Outcome::Result(number) => write!(text, "{index},{number},").expect(VECTORS_GROW),
        Outcome::Error { error } => {
            write!(text, "{index},,{}", csv_text(error)).expect(VECTORS_GROW);
        }
    }
    match line {
        Some(Some(line)) => writeln!(text, ",{line}").expect(VECTORS_GROW),
        Some(None) => text.extend_from_slice(b",\n"),
        None => text.push(b'\n'),
    }
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
    use super::*;
    use crate::store::{MemoryStore, NewJob, Recording};
    use futures_util::TryStreamExt;
    use std::sync::Arc;
    use tequio_protocol::api::JobState;
    use tequio_protocol::ids::WorkerId;
    use tequio_protocol::number::Number;
    use tequio_protocol::op::Op;

    #[test]
    fn lines_are_what_the_readme_shows() {
        let runs = [
            Run { first: 0, outcomes: vec![number(1.5), number(-0.0), number(f64::INFINITY)] },
            Run { first: 7, outcomes: vec![Outcome::Error { error: "no \"op\"".to_owned() }] },
        ];
        let json = "{\"index\":0,\"result\":1.5}\n{\"index\":1,\"result\":-0.0}\n\
            {\"index\":2,\"result\":\"Infinity\"}\n{\"index\":7,\"error\":\"no \\\"op\\\"\"}\n";
        assert_eq!(lines(Format::Jsonl, &runs, None), json);
        let csv = "0,1.5,\n1,-0.0,\n2,Infinity,\n7,,\"no \"\"op\"\"\"\n";
        assert_eq!(lines(Format::Csv, &runs, None), csv);
    }

    #[test]
    fn inputs_that_come_from_lines_say_which() {
        let runs = [
            Run { first: 0, outcomes: vec![number(1.5), number(2.5), number(3.5)] },
            Run { first: 7, outcomes: vec![Outcome::Error { error: "no".to_owned() }] },
        ];
        let run = |(first, line)| LineRun { first, line };
        let numbers = || Some(LineNumbers::new([(1, 3), (2, 9), (5, 20)].map(run).to_vec()));
        let json = "{\"index\":0,\"result\":1.5}\n{\"index\":1,\"line\":3,\"result\":2.5}\n\
            {\"index\":2,\"line\":9,\"result\":3.5}\n{\"index\":7,\"line\":22,\"error\":\"no\"}\n";
        assert_eq!(lines(Format::Jsonl, &runs, numbers()), json);
        let csv = "0,1.5,,\n1,2.5,,3\n2,3.5,,9\n7,,\"no\",22\n";
        assert_eq!(lines(Format::Csv, &runs, numbers()), csv);
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
            let runs =
                [Run { first: 7, outcomes: vec![Outcome::Error { error: error.to_owned() }] }];
            assert_eq!(lines(Format::Csv, &runs, None), format!("7,,{cell}\n"), "{error:?}");
        }
        let runs = [Run { first: 0, outcomes: vec![number(-1.5), number(f64::NEG_INFINITY)] }];
        assert_eq!(
            lines(Format::Csv, &runs, None),
            "0,-1.5,\n1,-Infinity,\n",
            "numbers stay numbers"
        );
    }

    fn number(value: f64) -> Outcome {
        Outcome::Result(Number(value))
    }

    /// A store with a job of which `recorded` is.
    fn store_with(recorded: &[Range<u64>]) -> (Arc<MemoryStore>, JobId) {
        let store = MemoryStore::new();
        let grid = serde_json::from_str(r#"{"initial":"0..100","factor":2,"times":3}"#).unwrap();
        let job = NewJob {
            name: String::new(),
            op: Op::RepeatMultiply,
            priority: 0,
            grid: Some(grid),
            submitted_at_ms: 0,
        };
        let id = store.submit(&job).unwrap();
        let store = Arc::new(store);
        recorded.iter().for_each(|range| record(&store, id, range.clone()));
        (store, id)
    }

    fn record(store: &MemoryStore, job: JobId, range: Range<u64>) {
        let outcomes = range.clone().map(|index| number(index as f64)).collect();
        let recording = Recording {
            job,
            first: range.start,
            outcomes,
            worker: WorkerId(1),
            agent: String::new(),
            duration_ms: None,
            recorded_at_ms: 0,
        };
        store.record(&[recording]).unwrap();
    }

    fn all_of(store: Arc<MemoryStore>, job: JobId) -> (Results, watch::Sender<bool>) {
        let (stop, stopping) = watch::channel(false);
        let results = Results {
            has_lines: false,
            readers: Readers::new(store),
            number: 0,
            block: RESULTS_BLOCK_MIN,
            has_tail: false,
            job,
            progress: None,
            stopping,
            next: 0,
            end: u64::MAX,
            measured: None,
            format: Format::Csv,
            begun: None,
            header: Some("index,result,error\n"),
            sent: 0,
            counts: false,
        };
        (results, stop)
    }

    async fn sent(results: Results) -> Result<String, Broken> {
        let chunks: Vec<Bytes> = results.stream().try_collect().await?;
        Ok(String::from_utf8(chunks.concat()).unwrap())
    }

    #[tokio::test]
    async fn what_is_recorded_behind_the_measuring_is_no_part_of_the_answer() {
        let (store, job) = store_with(&[0..10, 10..15, 30..40]);
        let (mut results, _stop) = all_of(store.clone(), job);
        let bytes = results.measure().await.unwrap();
        record(&store, job, 15..30);
        record(&store, job, 40..100);
        let text = sent(results).await.unwrap();
        assert_eq!(text.len() as u64, bytes);
        let lines = (0..15).chain(30..40).map(|index| format!("{index},{index}.0,"));
        let expected: Vec<String> =
            std::iter::once("index,result,error".to_owned()).chain(lines).collect();
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[tokio::test]
    async fn a_job_that_is_removed_meanwhile_has_no_end() {
        let (store, job) = store_with(&[0..50, 50..100]);
        let (mut measured, _stop) = all_of(store.clone(), job);
        measured.measure().await.unwrap();
        let (mut counted, _stop_too) = all_of(store.clone(), job);
        counted.counts = true;
        store.set_state(job, JobState::Done).unwrap();
        store.remove(job).unwrap();
        for results in [measured, counted] {
            assert!(matches!(sent(results).await, Err(Broken::Store(StoreError::NoSuchJob(_)))));
        }
    }
}
