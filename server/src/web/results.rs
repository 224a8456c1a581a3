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
use std::sync::Arc;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::RESULTS_BLOCK;
use tequio_protocol::outcome::Outcome;
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
    let results = Results {
        store: app.store,
        job,
        progress: wanted.follow.then_some(progress),
        stopping: app.sockets.stopping(),
        next: wanted.first,
        end: wanted.count.map_or(u64::MAX, |count| wanted.first.saturating_add(count)),
        format: wanted.format,
        header: (wanted.format == Format::Csv).then_some("index,result,error\n"),
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
            let runs = if self.next < end { self.read(end).await? } else { Vec::new() };
            if let Some(last) = runs.last() {
                self.next = last.first + last.outcomes.len() as u64;
                return Ok(Some(lines(self.format, &runs)));
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

    async fn read(&self, end: u64) -> Result<Vec<Run>, Broken> {
        let (store, job, range) = (self.store.clone(), self.job, self.next..end);
        let reading =
            tokio::task::spawn_blocking(move || store.outcomes(job, range, RESULTS_BLOCK));
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

fn lines(format: Format, runs: &[Run]) -> Bytes {
    let mut text = Vec::new();
    for run in runs {
        for (index, outcome) in (run.first..).zip(&run.outcomes) {
            match format {
                Format::Jsonl => write_json(&mut text, index, outcome),
                Format::Csv => write_csv(&mut text, index, outcome),
            }
        }
    }
    text.into()
}

/// `{"index":0,"result":1.5}` or `{"index":3,"error":"..."}`
fn write_json(text: &mut Vec<u8>, index: u64, outcome: &Outcome) {
    write!(text, "{{\"index\":{index},").expect(VECTORS_GROW);
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

/// `0,1.5,` or `3,,"..."` (RFC 4180, with line feeds).
fn write_csv(text: &mut Vec<u8>, index: u64, outcome: &Outcome) {
    match outcome {
        Outcome::Result(number) if number.0.is_finite() => {
            write!(text, "{index},").expect(VECTORS_GROW);
            serde_json::to_writer(&mut *text, number).expect(VECTORS_GROW);
            text.extend_from_slice(b",\n");
        }
        Outcome::Result(number) => writeln!(text, "{index},{number},").expect(VECTORS_GROW),
        Outcome::Error { error } => {
            writeln!(text, "{index},,{}", csv_text(error)).expect(VECTORS_GROW);
        }
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
        assert_eq!(lines(Format::Jsonl, &runs), json);
        let csv = "0,1.5,\n1,-0.0,\n2,Infinity,\n7,,\"no \"\"op\"\"\"\n";
        assert_eq!(lines(Format::Csv, &runs), csv);
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
            assert_eq!(lines(Format::Csv, &runs), format!("7,,{cell}\n"), "{error:?}");
        }
        let runs = [Run { first: 0, outcomes: vec![number(-1.5), number(f64::NEG_INFINITY)] }];
        assert_eq!(lines(Format::Csv, &runs), "0,-1.5,\n1,-Infinity,\n", "numbers stay numbers");
    }

    fn number(value: f64) -> Outcome {
        Outcome::Result(Number(value))
    }
}
