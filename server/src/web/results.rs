//! Results, in the order of their indices, as lines of JSON or CSV.

use super::App;
use super::api::Params;
use super::error::ApiError;
use super::jobs::parse_id;
use crate::connection::{Stopping, stopped};
use crate::dispatcher::Progress;
use crate::store::{Run, Store, StoreError};
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream::try_unfold;
use serde::Deserialize;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::RESULTS_BLOCK;
use tequio_protocol::outcome::Outcome;
use tequio_protocol::reader::LineRun;
use tokio::sync::watch;
use tracing::warn;

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
    Path(id): Path<String>,
    Params(wanted): Params<Wanted>,
) -> Result<Response, ApiError> {
    let job = parse_id(&id)?;
    // Subscribed to before anything is read, so that nothing is missed in between.
    let progress = app.dispatcher.follow(job).await?.ok_or_else(|| ApiError::unknown_job(&id))?;
    let lines = read_lines(&app.store, job, 0..0).await?;
    let results = Results {
        has_lines: lines.is_some(),
        store: app.store,
        job,
        progress: wanted.follow.then_some(progress),
        stopping: app.sockets.stopping(),
        next: wanted.first,
        end: wanted.count.map_or(u64::MAX, |count| wanted.first.saturating_add(count)),
        format: wanted.format,
        header: (wanted.format == Format::Csv).then_some(match lines {
            Some(_) => "index,result,error,line\n",
            None => "index,result,error\n",
        }),
    };
    let content_type = match wanted.format {
        Format::Jsonl => "application/x-ndjson",
        Format::Csv => "text/csv; charset=utf-8",
    };
    let chunks = try_unfold(results, |mut results| async {
        // An answer that breaks off shows that it is not whole.
        match results.next_chunk().await {
            Ok(chunk) => Ok(chunk.map(|chunk| (chunk, results))),
            Err(broken) => {
                warn!(job = %results.job, "results break off: {broken}");
                Err(broken)
            }
        }
    });
    Ok(([(CONTENT_TYPE, content_type)], Body::from_stream(chunks)).into_response())
}

/// Results that are being sent.
struct Results {
    store: Arc<dyn Store>,
    job: JobId,
    /// Whether its inputs come from lines.
    has_lines: bool,
    /// `None` where what is there is enough.
    progress: Option<watch::Receiver<Progress>>,
    stopping: Stopping,
    next: u64,
    end: u64,
    format: Format,
    header: Option<&'static str>,
}

#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the server stops")]
    Stopping,
    #[error("reading failed: {0}")]
    Panicked(#[from] tokio::task::JoinError),
}

impl Results {
    /// The next lines; `None` at the end.
    async fn next_chunk(&mut self) -> Result<Option<Bytes>, Broken> {
        if let Some(header) = self.header.take() {
            return Ok(Some(Bytes::from_static(header.as_bytes())));
        }
        loop {
            let end = self.end_of_readable();
            let (runs, numbers) =
                if self.next < end { self.read(end).await? } else { (Vec::new(), None) };
            if let Some(last) = runs.last() {
                self.next = last.first + last.outcomes.len() as u64;
                return Ok(Some(lines(self.format, &runs, numbers)));
            }
            if self.next >= self.end || !self.wait().await? {
                return Ok(None);
            }
        }
    }

    /// The index behind the last that may be read now.
    fn end_of_readable(&mut self) -> u64 {
        let Some(progress) = &mut self.progress else { return self.end };
        let seen = *progress.borrow_and_update();
        if seen.state.is_over() {
            // Nothing more follows: what is there is all, with its gaps.
            self.progress = None;
            return self.end;
        }
        self.end.min(seen.prefix)
    }

    /// Some outcomes, and from which lines their inputs come.
    async fn read(&self, end: u64) -> Result<(Vec<Run>, Option<LineNumbers>), Broken> {
        let (store, job, range) = (self.store.clone(), self.job, self.next..end);
        let has_lines = self.has_lines;
        let reading = tokio::task::spawn_blocking(move || {
            let runs = store.outcomes(job, range, RESULTS_BLOCK)?;
            let (Some(first), Some(last), true) = (runs.first(), runs.last(), has_lines) else {
                return Ok((runs, None));
            };
            let range = first.first..last.first + last.outcomes.len() as u64;
            let numbers = store.lines(job, range)?.map(LineNumbers::new);
            Ok::<_, StoreError>((runs, numbers))
        });
        Ok(reading.await??)
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

/// From which lines the inputs of a range come; `None` where they come from none.
async fn read_lines(
    store: &Arc<dyn Store>,
    job: JobId,
    range: Range<u64>,
) -> Result<Option<Vec<LineRun>>, StoreError> {
    let store = store.clone();
    let reading = tokio::task::spawn_blocking(move || store.lines(job, range));
    reading.await.map_err(|error| StoreError::Io(error.to_string()))?
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
fn lines(format: Format, runs: &[Run], mut numbers: Option<LineNumbers>) -> Bytes {
    let mut text = Vec::new();
    for run in runs {
        for (index, outcome) in (run.first..).zip(&run.outcomes) {
            let line = numbers.as_mut().map(|numbers| numbers.of(index));
            match format {
                Format::Jsonl => write_json(&mut text, index, line.flatten(), outcome),
                Format::Csv => write_csv(&mut text, index, line, outcome),
            }
        }
    }
    text.into()
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
    use tequio_protocol::number::Number;

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
}
