//! Jobs: submitting, growing, controlling and looking at them.

use super::App;
use super::api::Params;
use super::appends::Appended;
use super::bodies;
use super::drafts::{Addition, Drafts, Then, unknown_draft};
use super::error::ApiError;
use super::lines::Lines;
use super::list;
use super::readers::Turn;
use crate::dispatcher::{ChangeError, Control, ControlError, Dispatcher};
use crate::kernels::{KernelError, Kernels, measure_block, op_of};
use crate::store::{NewJob, Store, StoreError};
use crate::wall_clock;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_LENGTH, LOCATION};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;
use tequio_protocol::api::{DraftView, JobRequest, JobView, RepairView};
use tequio_protocol::check::Check;
use tequio_protocol::ids::JobId;
use tequio_protocol::job_text::{self, Asked, JobError};
use tequio_protocol::limits::{
    APPEND_BYTES_MAX, BODY_BYTES_MAX, GRID_BYTES_MAX, JOB_NAME_CHARS_MAX, LIST_ROWS,
};
use tequio_protocol::line;
use tequio_protocol::op::kernel::{KernelId, KernelIdError, Sha256};
use tequio_protocol::op::{self, Inputs, Op, OpId};
use tequio_protocol::reader::{Invalid, LineRun, Skipped, Start};
use tequio_protocol::text::{printable, quote};
use tequio_protocol::values::Values;

/// The header that says how many lines were skipped.
const SKIPPED: HeaderName = HeaderName::from_static("tequio-skipped-lines");

/// The header with the numbers of the first of them: `3,7,12`.
const SKIPPED_FIRST: HeaderName = HeaderName::from_static("tequio-skipped-first");

/// Tasks in a block of an op that is built in: each stands for itself.
const BLOCK: u64 = 1;

/// Tasks in a block of a kernel at the most, where nothing is said and more inputs may follow: a block that is not full
/// is not lent, and whoever sends lines one by one waits for it.
const OPEN_BLOCK_MAX: u64 = 16;

/// What the query of a submission of lines says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Submission {
    /// What is to be computed: the body is lines where this is said.
    op: Option<String>,
    name: Option<String>,
    #[serde(default)]
    priority: i32,
    /// Skip lines that are no inputs.
    #[serde(default)]
    skip_invalid: bool,
    /// More inputs follow in further requests; what there is is computed meanwhile.
    #[serde(default)]
    more: bool,
    /// More inputs follow in further requests; until the last, there is no job.
    #[serde(default)]
    draft: bool,
    /// The number of the body's first line, where it is a part of something.
    line: Option<u64>,
    /// Tasks in a block of a kernel.
    block: Option<u64>,
    /// The hash of the data that a kernel is given.
    data: Option<String>,
    /// How results are checked.
    #[serde(default)]
    check: Check,
}

/// What the query of further inputs says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Growth {
    /// How many inputs the job has had before: a request that is repeated is recognised.
    first: u64,
    #[serde(default)]
    more: bool,
    /// It was submitted as a draft, and stays one.
    #[serde(default)]
    draft: bool,
    /// Skip lines that are no inputs.
    #[serde(default)]
    skip_invalid: bool,
    /// The number of the body's first line; the one behind the last input's if nothing is said.
    line: Option<u64>,
}

/// `GET /api/jobs`
pub(super) async fn list(State(app): State<App>) -> Result<Response, ApiError> {
    let dispatcher = app.dispatcher;
    list::list(
        |job: &JobView| job.id,
        move |last| {
            let dispatcher = dispatcher.clone();
            async move { dispatcher.list_jobs_behind(last, LIST_ROWS).await }
        },
    )
    .await
}

/// `GET /api/jobs/ID`
pub(super) async fn get(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<JobView>, ApiError> {
    let id = parse_id(&id)?;
    let mut view = view(&app.dispatcher, id).await?;
    view.axes = match app.readers.read(Turn::First, move |store: &dyn Store| store.grid(id)).await {
        Ok(grid) => grid.map(Box::new),
        // What cannot be read is named there.
        Err(_) if view.trouble.is_some() => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Json(view))
}

/// `POST /api/jobs`: JSON with axes, or lines of inputs with `?op=`.
pub(super) async fn submit(
    State(app): State<App>,
    Params(submission): Params<Submission>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    match &submission.op {
        Some(op) => {
            check_length(&headers, BODY_BYTES_MAX)?;
            let (kernels, op) = (app.kernels.clone(), op.clone());
            let (block, data) = (submission.block, submission.data.clone());
            let asked = Asked { op, axes: Vec::new(), block, data };
            let op = blocking(move || find_op(&kernels, asked)).await?.map_err(refused)?;
            submit_lines(&app, op, submission, body).await
        }
        None => {
            check_length(&headers, GRID_BYTES_MAX)?;
            submit_grid(&app, body).await
        }
    }
}

/// `POST /api/jobs/ID/inputs`: more lines for a job that is open for them; all or none.
pub(super) async fn append(
    State(app): State<App>,
    Path(id): Path<String>,
    Params(growth): Params<Growth>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let job = parse_id(&id)?;
    check_length(&headers, APPEND_BYTES_MAX)?;
    if let Some(op) = app.drafts.op(job) {
        return append_to_draft(&app, job, op, growth, body).await;
    }
    let before = match view(&app.dispatcher, job).await {
        Err(_) if growth.draft => return Err(unknown_draft(job)),
        before => before?,
    };
    let Read { inputs, lines, skipped, appended: _held } =
        read_lines(&app, job, &before.op, body, &growth).await?;
    if growth.draft {
        let message = format!("Job {job} is no draft: it was submitted without `draft=true`.");
        return Err(ApiError::new(StatusCode::CONFLICT, "not_growing", message));
    }
    let end = growth.first + inputs.len() as u64;
    // Kept, to be compared with what is there already.
    let inputs = Arc::new(inputs);
    let mut grown =
        app.dispatcher.grow(job, growth.first, inputs.clone(), lines, growth.more).await;
    if matches!(grown, Err(ChangeError::Store(StoreError::Taken { .. })))
        && (before.total == end && !growth.more)
        && has_inputs(&app, job, growth.first, inputs.clone()).await?
    {
        // The same request has added them before, and failed at closing the job.
        grown = app.dispatcher.grow(job, end, Values::new(), Vec::new(), false).await;
    }
    match grown {
        Ok(()) => {
            let view = view(&app.dispatcher, job).await?;
            Ok(with_skipped(Json(view).into_response(), growth.skip_invalid, &skipped))
        }
        Err(ChangeError::Store(error)) if error.is_refusal() => {
            let message = format!(
                "Job {job} takes no inputs from {} on: it is {}, has {} inputs, \
                 or takes no more.",
                growth.first,
                before.state.name(),
                before.total
            );
            Err(ApiError::new(StatusCode::CONFLICT, "not_growing", message))
        }
        Err(error) => Err(error.into()),
    }
}

/// The number of the line behind that of the last of a job's first `inputs`.
async fn next_line(app: &App, job: JobId, inputs: u64) -> Result<u64, ApiError> {
    let Some(last) = inputs.checked_sub(1) else { return Ok(1) };
    let store = app.store.clone();
    let runs = blocking(move || store.lines(job, last..inputs)).await??;
    let run = runs.unwrap_or_default().pop();
    Ok(run.map_or(inputs, |run| run.line + last - run.first) + 1)
}

/// More lines for a draft; what is wrong with one discards it.
async fn append_to_draft(
    app: &App,
    job: JobId,
    op: OpId,
    growth: Growth,
    body: Body,
) -> Result<Response, ApiError> {
    let read = read_lines(app, job, &op, body, &growth).await;
    let Read { inputs, lines, skipped, appended } = match read {
        Ok(read) => read,
        Err(error) => {
            // Whoever sent it sends it again.
            if !error.may_pass() {
                app.drafts.discard(job).await;
            }
            return Err(error);
        }
    };
    let then = match growth {
        Growth { draft: true, .. } => Then::Draft,
        Growth { more: true, .. } => Then::OpenJob,
        Growth { .. } => Then::Job,
    };
    let total = app
        .drafts
        .add(job, Addition { first: growth.first, inputs, lines, then, appended })
        .await?;
    let response = match then {
        Then::Draft => draft_view(job, total),
        Then::Job | Then::OpenJob => created(&view(&app.dispatcher, job).await?),
    };
    Ok(with_skipped(response, growth.skip_invalid, &skipped))
}

/// All that a body has.
struct Read {
    inputs: Values,
    lines: Vec<LineRun>,
    skipped: Skipped,
    /// The room that they take.
    appended: Appended,
}

/// Reads further inputs of a job of `op`.
async fn read_lines(
    app: &App,
    job: JobId,
    op: &OpId,
    body: Body,
    growth: &Growth,
) -> Result<Read, ApiError> {
    // A job of an op that this server does not know is set aside.
    let op = op.known().ok_or(ControlError::SetAside(job))?;
    let invalid = if growth.skip_invalid { Invalid::Skip } else { Invalid::Refuse };
    let line = match growth.line {
        Some(line) => line,
        None => next_line(app, job, growth.first).await?,
    };
    let start = Start { index: growth.first, line };
    let mut body = Lines::new(op, body, APPEND_BYTES_MAX, start, invalid);
    let (mut inputs, mut lines, mut appended) = (Values::new(), Vec::new(), app.appends.begin());
    loop {
        let mut block = body.next_block().await?;
        if block.inputs.is_empty() {
            return Ok(Read { inputs, lines, skipped: body.skipped().clone(), appended });
        }
        appended.hold(&block)?;
        inputs.append(&block.inputs);
        lines.append(&mut block.lines);
    }
}

async fn has_inputs(
    app: &App,
    job: JobId,
    first: u64,
    inputs: Arc<Values>,
) -> Result<bool, ApiError> {
    let store = app.store.clone();
    Ok(blocking(move || store.has_inputs(job, first, &inputs)).await??)
}

/// `DELETE /api/jobs/ID`: a job that is over, with its results; or a draft.
pub(super) async fn remove(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id = parse_id(&id)?;
    if !app.drafts.discard(id).await {
        app.dispatcher.remove(id).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/jobs/ID/pause`
pub(super) async fn pause(app: State<App>, id: Path<String>) -> Result<Json<JobView>, ApiError> {
    control(app, id, Control::Pause).await
}

/// `POST /api/jobs/ID/resume`
pub(super) async fn resume(app: State<App>, id: Path<String>) -> Result<Json<JobView>, ApiError> {
    control(app, id, Control::Resume).await
}

/// `POST /api/jobs/ID/cancel`
pub(super) async fn cancel(app: State<App>, id: Path<String>) -> Result<Json<JobView>, ApiError> {
    control(app, id, Control::Cancel).await
}

/// `POST /api/jobs/ID/close`: an open job takes no more inputs, and ends with those that it has.
pub(super) async fn close(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<JobView>, ApiError> {
    let id = parse_id(&id)?;
    app.dispatcher.close(id).await?;
    view(&app.dispatcher, id).await.map(Json)
}

/// `POST /api/jobs/ID/repair`: reads every row of a job, removes the outcomes that are damaged, and has them computed
/// again.
pub(super) async fn repair(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<RepairView>, ApiError> {
    let id = parse_id(&id)?;
    view(&app.dispatcher, id).await?;
    let store = app.store.clone();
    let damage = blocking(move || store.examine(id)).await??;
    let (repaired, job) = app.dispatcher.repair(id, damage).await?;
    let inputs = repaired.inputs.iter().map(|tasks| (tasks.start, tasks.end)).collect();
    let (rows, tasks) = (repaired.removed.len() as u64, repaired.tasks());
    Ok(Json(RepairView { rows, tasks, inputs, job }))
}

async fn control(
    State(app): State<App>,
    Path(id): Path<String>,
    control: Control,
) -> Result<Json<JobView>, ApiError> {
    let id = parse_id(&id)?;
    Ok(Json(app.dispatcher.control(id, control).await?))
}

async fn submit_grid(app: &App, body: Body) -> Result<Response, ApiError> {
    let bytes = bodies::whole(body, GRID_BYTES_MAX).await?;
    let (dispatcher, kernels) = (&app.dispatcher, app.kernels.clone());
    let read = blocking(move || read_grid_job(&kernels, &bytes)).await?;
    let JobRequest { op, grid, name, priority, check, .. } = read.map_err(refused)?;
    let job = NewJob { grid: Some(grid), check, ..new_job(op, name, priority)? };
    let id = dispatcher.submit(job).await?;
    Ok(created(&view(dispatcher, id).await?))
}

/// Reads a job of a grid. The block of a kernel is measured where it is not said.
fn read_grid_job(kernels: &Kernels, bytes: &[u8]) -> Result<JobRequest, JobError> {
    let mut job = job_text::read_with(bytes, |asked| find_op(kernels, asked))?;
    if job.block.is_none()
        && let Some(kernel) = job.op.known().and_then(|op| op.kernel())
    {
        let block = measure_block(kernel.id(), Inputs::Grid(&job.grid), job.grid.total());
        job.op = with_block(kernel.id(), block)?;
    }
    job.name = job.name.or_else(|| name_of(kernels, &job.op));
    Ok(job)
}

/// What is to be computed: an op that is built in, or a kernel by its name or hash.
fn find_op(kernels: &Kernels, asked: Asked) -> Result<&'static dyn Op, JobError> {
    if let Some(op) = op::ALL.iter().find(|op| op.name() == asked.op) {
        return Ok(*op);
    }
    let said = |said: String| JobError::Job { op: None, said };
    let kernel = kernels.find(&asked.op).map_err(|error| match error {
        KernelError::Unknown(_) => JobError::Op(asked.op.clone()),
        error => said(error.to_string()),
    })?;
    let data: Option<Sha256> = match &asked.data {
        Some(data) => {
            let hash: Sha256 = data
                .parse()
                .map_err(|error: KernelIdError| said(format!("\"data\" is no hash: {error}")))?;
            let found = kernels.blob(&hash).map_err(|error| said(error.to_string()))?;
            found.ok_or_else(|| said(format!("there is no data {hash}: POST it to /api/data")))?;
            Some(hash)
        }
        None => None,
    };
    // It is measured once there are inputs.
    let block = asked.block.unwrap_or(1);
    let id = op_of(&kernel, &asked.axes, block, data).map_err(said)?;
    OpId::new(&id.to_string()).adopt().ok_or_else(too_many_kernels)
}

/// What a job is called for its kernel, where nothing else is said.
fn name_of(kernels: &Kernels, op: &OpId) -> Option<String> {
    Some(kernels.find(op.kernel()?).ok()?.name)
}

/// The kernel in blocks of another size.
fn with_block(id: &KernelId, block: u64) -> Result<OpId, JobError> {
    let op = OpId::new(&KernelId { block, ..id.clone() }.to_string());
    op.adopt().ok_or_else(too_many_kernels)?;
    Ok(op)
}

/// What a job of lines computes, once the first of its inputs are there: a kernel in blocks that are measured on these,
/// unless their size is said. Of further ones nothing is known, so there are no larger blocks than would hold these.
async fn op_for(
    op: &'static dyn Op,
    submission: &Submission,
    first: &Values,
) -> Result<OpId, ApiError> {
    let Some(kernel) = op.kernel().filter(|_| submission.block.is_none()) else {
        return Ok(op.into());
    };
    if first.is_empty() {
        let block = if submission.more { OPEN_BLOCK_MAX } else { 1 };
        return with_block(kernel.id(), block).map_err(refused);
    }
    let (is_open, first) = (submission.more, first.clone());
    let measured = blocking(move || {
        let inputs = Inputs::List { first: 0, inputs: &first };
        let block = measure_block(kernel.id(), inputs, first.len() as u64);
        with_block(kernel.id(), if is_open { block.min(OPEN_BLOCK_MAX) } else { block })
    });
    measured.await?.map_err(refused)
}

fn too_many_kernels() -> JobError {
    let said = "the server knows as many kernels as it can: start it again".to_owned();
    JobError::Job { op: None, said }
}

/// Does what reads the disk, or computes, where nobody else waits for it.
pub(super) async fn blocking<T: Send + 'static>(
    what: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(what).await;
    done.map_err(|error| StoreError::Unavailable(error.to_string()))
}

fn refused(error: JobError) -> ApiError {
    let example = error.example();
    let (code, said) = match error {
        JobError::Json(said) => ("bad_json", format!("The body is no JSON, {said}")),
        JobError::Job { said, .. } => ("bad_job", said),
        JobError::Op(name) => return unknown_op(&name),
    };
    ApiError::bad(code, format!("{said}. A job is {example}, or lines of inputs with ?op=."))
}

async fn submit_lines(
    app: &App,
    op: &'static dyn Op,
    submission: Submission,
    body: Body,
) -> Result<Response, ApiError> {
    let Submission { priority, skip_invalid, more, draft: stays_draft, line, check, .. } =
        submission;
    let dispatcher = &app.dispatcher;
    if stays_draft {
        app.drafts.check_room()?;
    }
    let invalid = if skip_invalid { Invalid::Skip } else { Invalid::Refuse };
    let start = Start { index: 0, line: line.unwrap_or(1) };
    let mut lines = Lines::new(op, body, BODY_BYTES_MAX, start, invalid);
    let mut block = lines.next_block().await?;
    let id = op_for(op, &submission, &block.inputs).await?;
    let (of, kernels) = (id.clone(), app.kernels.clone());
    let name = match submission.name {
        Some(name) => Some(name),
        None => blocking(move || name_of(&kernels, &of)).await?,
    };
    let job = NewJob { check, ..new_job(id, name, priority)? };
    let draft = Draft::create(dispatcher, job).await?;
    let mut total = 0;
    while !block.inputs.is_empty() {
        let count = block.inputs.len() as u64;
        dispatcher.append_inputs(draft.id, total, block.inputs, block.lines).await?;
        total += count;
        block = lines.next_block().await?;
    }
    if stays_draft {
        let id = draft.keep_in(&app.drafts, total);
        return Ok(with_skipped(draft_view(id, total), skip_invalid, lines.skipped()));
    }
    if total == 0 && !more {
        let message = match lines.skipped().count {
            0 => {
                let example = line::example(op.params());
                format!("There are no inputs in the body: one JSON object a line, {example}.")
            }
            1 => "The one line is no input.".to_owned(),
            skipped => format!("None of the {skipped} lines is an input."),
        };
        return Err(ApiError::bad("empty_job", message));
    }
    let view = draft.publish(total, more).await?;
    Ok(with_skipped(created(&view), skip_invalid, lines.skipped()))
}

/// A job that is being submitted. Unless it is published it is discarded, also where its request
/// ends in the middle: what waits for a body that never comes is dropped.
struct Draft<'a> {
    dispatcher: &'a Dispatcher,
    id: JobId,
    job: Option<NewJob>,
}

impl Draft<'_> {
    async fn create(dispatcher: &Dispatcher, job: NewJob) -> Result<Draft<'_>, ApiError> {
        let id = dispatcher.create_job(job.clone()).await?;
        Ok(Draft { dispatcher, id, job: Some(job) })
    }

    /// Leaves it as it is, for further requests.
    fn keep_in(mut self, drafts: &Drafts, total: u64) -> JobId {
        if let Some(job) = self.job.take() {
            drafts.keep(self.id, job, total);
        }
        self.id
    }

    async fn publish(mut self, total: u64, is_open: bool) -> Result<JobView, ApiError> {
        if let Some(job) = self.job.clone() {
            self.dispatcher.publish(self.id, job, total, is_open).await?;
            self.job = None;
        }
        view(self.dispatcher, self.id).await
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if self.job.is_some() {
            self.dispatcher.discard(self.id);
        }
    }
}

pub(super) async fn view(dispatcher: &Dispatcher, id: JobId) -> Result<JobView, ApiError> {
    dispatcher.job(id).await?.ok_or_else(|| ApiError::unknown_job(&id.to_string()))
}

fn created(view: &JobView) -> Response {
    let location = format!("/api/jobs/{}", view.id);
    (StatusCode::CREATED, [(LOCATION, location)], Json(view)).into_response()
}

fn draft_view(id: JobId, total: u64) -> Response {
    (StatusCode::ACCEPTED, Json(DraftView { id, total })).into_response()
}

/// Says how many lines were skipped, to whoever has asked for that.
fn with_skipped(mut response: Response, skip_invalid: bool, skipped: &Skipped) -> Response {
    if skip_invalid {
        let headers = response.headers_mut();
        headers.insert(SKIPPED, skipped.count.into());
        if let Ok(first) = skipped.numbers().parse() {
            headers.insert(SKIPPED_FIRST, first);
        }
    }
    response
}

/// A job of inputs that are appended, which are checked as those are for which nothing is said.
fn new_job(op: OpId, name: Option<String>, priority: i32) -> Result<NewJob, ApiError> {
    let name = name.unwrap_or_default();
    if name.chars().count() > JOB_NAME_CHARS_MAX {
        let message = format!("A name has at most {JOB_NAME_CHARS_MAX} characters.");
        return Err(ApiError::bad("bad_name", message));
    }
    let block = op.known().and_then(|op| op.kernel()).map_or(BLOCK, |kernel| kernel.id().block);
    Ok(NewJob {
        name: printable(&name, JOB_NAME_CHARS_MAX),
        op,
        priority,
        grid: None,
        block,
        check: Check::default(),
        submitted_at_ms: wall_clock::unix_ms(),
    })
}

pub(super) fn parse_id(id: &str) -> Result<JobId, ApiError> {
    id.parse().map(JobId).map_err(|_| ApiError::unknown_job(id))
}

/// 400, for a job of an op that this server does not know.
pub(super) fn unknown_op(name: &str) -> ApiError {
    let (name, names) = (quote(name), op::names());
    let message = format!(
        "There is no op {name}; there is {names}, and the kernels that GET /api/kernels lists."
    );
    ApiError::bad("unknown_op", message)
}

/// Refuses a body that says itself that it is too long, before it is sent.
fn check_length(headers: &HeaderMap, bytes_max: usize) -> Result<(), ApiError> {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    match length.and_then(|length| length.parse::<u64>().ok()) {
        Some(length) if length > bytes_max as u64 => Err(ApiError::body_too_big(bytes_max)),
        _ => Ok(()),
    }
}
