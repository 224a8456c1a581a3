//! Results, in the order of their indices, as lines of JSON or CSV.

mod rows;
mod text;

use super::App;
use super::api::Params;
use super::error::ApiError;
use super::events::UNBUFFERED;
use super::jobs::{parse_id, view};
use super::readers::{Block, Piece, Readers, Turn};
use crate::connection::{Stopping, stopped};
use crate::dispatcher::{ControlError, Progress, Stopped};
use crate::store::{Store, StoreError};
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream::try_unfold;
use rows::{Source, end_of};
use serde::Deserialize;
use std::collections::VecDeque;
use std::ops::Range;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::{RESULTS_BLOCK_MAX, RESULTS_BLOCK_MIN};
use tequio_protocol::op::OpId;
use tequio_protocol::ranges::push_joined;
use text::Format;
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
    /// Put each task's input beside its result.
    #[serde(default)]
    inputs: bool,
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
    let op = if wanted.inputs { Some(view(&app.dispatcher, job).await?.op) } else { None };
    let mut results = Results::new(&app, job, op, progress, &wanted).await?;
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
    source: Source,
    /// `None` where what is there is enough.
    progress: Option<watch::Receiver<Progress>>,
    stopping: Stopping,
    next: u64,
    end: u64,
    /// Where an answer was measured: the intervals behind `end` that it consists of, and the bytes
    /// that are left of it.
    measured: Option<(VecDeque<Range<u64>>, u64)>,
    format: Format,
    header: Option<String>,
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
        inputs_of: Option<OpId>,
        progress: watch::Receiver<Progress>,
        wanted: &Wanted,
    ) -> Result<Results, StoreError> {
        let has_grid = progress.borrow().has_grid;
        let source = match (has_grid, inputs_of) {
            (true, None) => Source::of_grid(job),
            (has_grid, of) => {
                let open = move |store: &dyn Store| Source::open(store, job, has_grid, of.as_ref());
                app.readers.read(Turn::First, open).await?
            }
        };
        Ok(Results {
            readers: app.readers.clone(),
            number: app.readers.enter(),
            block: RESULTS_BLOCK_MIN,
            has_tail: false,
            progress: wanted.follow.then_some(progress),
            stopping: app.sockets.stopping(),
            next: wanted.first,
            end: wanted.count.map_or(u64::MAX, |count| wanted.first.saturating_add(count)),
            measured: None,
            format: wanted.format,
            header: wanted.format.header(&source),
            source,
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
                        Broken::Stopping => debug!(job = %results.source.job, "results break off"),
                        _ => warn!(job = %results.source.job, "results break off: {broken}"),
                    }
                    Err(broken)
                }
            }
        })
    }

    /// Reads everything once, so that its length is known before it is sent. What is recorded meanwhile
    /// is no part of the answer: of what is kept here, the intervals that are.
    async fn measure(&mut self) -> Result<u64, Broken> {
        let mut bytes = self.header.as_ref().map_or(0, String::len) as u64;
        let (mut intervals, mut next) = (Vec::new(), self.next);
        while next < self.end {
            if *self.stopping.borrow() {
                return Err(Broken::Stopping);
            }
            let (source, range, format) = (self.source.clone(), next..self.end, self.format);
            let reading = self.readers.read(Turn::Next, move |store| {
                let mut rows = source.read(store, range, RESULTS_BLOCK_MAX)?;
                let intervals = rows.runs.iter().map(|run| run.first..end_of(run));
                let intervals: Vec<Range<u64>> = intervals.collect();
                Ok((intervals, format.text(&source, &mut rows).len() as u64))
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
            Some(header) => Some(Bytes::from(header)),
            None => self.next_lines().await?,
        };
        let length = chunk.as_ref().map_or(0, Bytes::len) as u64;
        match (&mut self.measured, &chunk) {
            (Some((_, left)), None) if *left > 0 => return Err(Broken::Short(*left)),
            (Some((_, left)), _) => *left = left.saturating_sub(length),
            (None, _) => {}
        }
        if chunk.is_none() && std::mem::take(&mut self.counts) {
            return Ok(Some(self.format.end(self.sent, &self.source).into()));
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
            if seen.recorded == seen.total {
                // Without a look at the store whether more is there.
                self.end = self.end.min(seen.total);
            }
            return Ok(self.end);
        }
        if seen.is_set_aside && self.next >= seen.prefix {
            return Err(Broken::SetAside(self.source.job));
        }
        Ok(self.end.min(seen.prefix))
    }

    /// Some lines; none where there are no more.
    async fn read(&self, end: u64) -> Result<Block, Broken> {
        let (source, format) = (self.source.clone(), self.format);
        let (range, block) = (self.next..end, self.block);
        let turn = if self.sent == 0 { Turn::First } else { Turn::Next };
        let reading = self.readers.read(turn, move |store| {
            let mut rows = source.read(store, range, block)?;
            Ok(format.block(&source, &mut rows))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{MemoryStore, NewJob, Recording};
    use futures_util::TryStreamExt;
    use std::sync::Arc;
    use tequio_protocol::api::JobState;
    use tequio_protocol::ids::WorkerId;
    use tequio_protocol::values::Values;

    /// A store with a job of which `recorded` is.
    fn store_with(recorded: &[Range<u64>]) -> (Arc<MemoryStore>, JobId) {
        let store = MemoryStore::new();
        let grid = serde_json::from_str(r#"{"initial":"0..100","factor":2,"times":3}"#).unwrap();
        let job = NewJob::of(OpId::new("repeat_multiply"), Some(grid));
        let id = store.submit(&job).unwrap();
        let store = Arc::new(store);
        recorded.iter().for_each(|range| record(&store, id, range.clone()));
        (store, id)
    }

    fn record(store: &MemoryStore, job: JobId, range: Range<u64>) {
        let results: Values = range.clone().map(|index| format!("{index}.0")).collect();
        let recording = Recording {
            job,
            first: range.start,
            outcomes: results.into(),
            worker: WorkerId(1),
            agent: String::new(),
            duration_ms: None,
            audited: 0,
            recorded_at_ms: 0,
        };
        store.record(&[recording]).unwrap();
    }

    fn all_of(store: Arc<MemoryStore>, job: JobId) -> (Results, watch::Sender<bool>) {
        let (stop, stopping) = watch::channel(false);
        let results = Results {
            source: Source::of_grid(job),
            readers: Readers::new(store),
            number: 0,
            block: RESULTS_BLOCK_MIN,
            has_tail: false,
            progress: None,
            stopping,
            next: 0,
            end: u64::MAX,
            measured: None,
            format: Format::Csv,
            begun: None,
            header: Some("index,result,error\n".to_owned()),
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
