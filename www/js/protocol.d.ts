// Generated from the `protocol` crate by `cargo xtask types`; not to be edited.

export type TaskId = number;

export type JobId = number;

export type WorkerId = number;

export type FromPage = { "type": "start", 
/**
 * The server's socket, `ws://` or `wss://`.
 */
url: string, 
/**
 * The id that this browser keeps, to be said in `hello`; none for a server that is not
 * known to be Tequio's, and is sent nothing that it may not expect.
 */
worker: string | null, 
/**
 * A random id of this tab's own: the tabs of a browser share its cores out by it.
 */
tab: string, 
/**
 * Whether the server's kernels can be had: a page may fetch code from its own server only.
 */
kernels: boolean, 
/**
 * What may be used of this machine.
 */
allowance: Allowance, } | { "type": "allow", 
/**
 * From now on.
 */
allowance: Allowance, } | { "type": "pause" } | { "type": "finish" } | { "type": "suspend" } | { "type": "resume" } | { "type": "retry_now" };

export type Allowance = { 
/**
 * How many cores, at least 1, for all tabs of this browser together; each tab has at least
 * one slot all the same.
 */
cores: number, 
/**
 * How much of each core's time, in percent: 1 to 100. Kept by pausing between small pieces.
 */
share_percent: number, };

export type ToPage = { "type": "ready" } | { "type": "connecting", 
/**
 * How many attempts since the last connection that lasted, this one included.
 */
attempt: number, } | { "type": "connected" } | { "type": "disconnected", 
/**
 * Why, for people: the close code and its reason.
 */
reason: string, 
/**
 * Milliseconds until the next attempt.
 */
retry_in_ms: number, } | { "type": "lent", 
/**
 * Slots that this tab has.
 */
slots: number, 
/**
 * Tabs of this browser that share its cores out, this one included.
 */
tabs: number, } | { "type": "paused" } | { "type": "task", 
/**
 * On which slot, from 0.
 */
slot: number, 
/**
 * Its id.
 */
task_id: TaskId, 
/**
 * What is computed, for people.
 */
text: string, } | { "type": "result", 
/**
 * The slot that computed it.
 */
slot: number, 
/**
 * Its task.
 */
task_id: TaskId, 
/**
 * What was computed, for people.
 */
text: string, 
/**
 * The number, for people: every digit that it has.
 */
result: string, 
/**
 * How long it took to compute, in milliseconds.
 */
duration_ms: number, } | { "type": "lease", 
/**
 * On which slot, from 0.
 */
slot: number, 
/**
 * What is computed.
 */
op: OpId, 
/**
 * The job.
 */
job: JobId, 
/**
 * The first task.
 */
first: number, 
/**
 * How many tasks.
 */
count: number, } | { "type": "results", 
/**
 * The slot that computed them.
 */
slot: number, 
/**
 * The job.
 */
job: JobId, 
/**
 * The last one's task.
 */
last: number, 
/**
 * How many.
 */
count: number, 
/**
 * What the last one was computed of, for people.
 */
text: string, 
/**
 * The last one, for people.
 */
result: string, 
/**
 * How long they took to compute, all together, in milliseconds.
 */
duration_ms: number, } | { "type": "idle", 
/**
 * Which, from 0.
 */
slot: number, } | { "type": "notice", 
/**
 * What happened.
 */
text: string, } | { "type": "failed", 
/**
 * What happened.
 */
text: string, 
/**
 * Whether [`FromPage::RetryNow`] may mend it. If not, only loading the page again may.
 */
can_retry: boolean, };

export type OpId = string;

export type ServerView = { 
/**
 * Its version.
 */
version: string, 
/**
 * Whether submitting and controlling jobs needs the operator token.
 */
needs_token: boolean, 
/**
 * The address at which other machines reach it; none where only its own does.
 */
join: string | null, };

export type OpView = { 
/**
 * Its name.
 */
name: string, 
/**
 * What it takes, in order.
 */
params: Array<ParamView>, };

export type ParamView = { 
/**
 * Its name.
 */
name: string, 
/**
 * `float`, or `integer`.
 */
kind: ParamKind, 
/**
 * The least value of an integer.
 */
min?: number, 
/**
 * The greatest one.
 */
max?: number, 
/**
 * A value that it may have.
 */
example: number, };

export type ParamKind = "float" | "integer";

export type GridView = { 
/**
 * Tasks that it would have; none where anything is wrong.
 */
total: number | null, 
/**
 * What is wrong: with each axis by its name, and with `grid`, which right ones make together.
 */
errors: Partial<Record<string, ErrorDetail>>, 
/**
 * What each axis has, of those that are right, whatever the others are.
 */
axes: Partial<Record<string, AxisView>>, 
/**
 * The op's id that a kernel with axes of these names has, in blocks of one task: what a page computes one
 * as. None of an op that is built in, and where the names are wrong.
 */
op?: string, };

export type AxisView = { 
/**
 * How many there are.
 */
count: number, 
/**
 * The first one.
 */
first: number, 
/**
 * The last one.
 */
last: number, };

export type WorkerView = { 
/**
 * The peer's address and port.
 */
address: string, 
/**
 * The path that it connected to.
 */
path: string, 
/**
 * The user agent: that of its newest result, before the first that of its HTTP request.
 */
agent: string | null, 
/**
 * What it is, as its agent says.
 */
kind: WorkerKind, 
/**
 * Its browser or program with its version, as its agent says (`Firefox 153`); empty where it
 * says nothing that is known.
 */
program: string, 
/**
 * Its operating system, likewise (`Windows`).
 */
system: string, 
/**
 * Seconds since it connected.
 */
connected_s: number, 
/**
 * Tasks that it computes at once; a client that has not said hello has one.
 */
slots: number, 
/**
 * The connection's number.
 */
id: WorkerId, 
/**
 * Seconds since its last message.
 */
idle_s: number, 
/**
 * Milliseconds that a ping took to it and back, the newest one's; none before the first.
 */
lag_ms: number | null, 
/**
 * Leases out to it.
 */
leases: number, 
/**
 * Tasks that it was sent.
 */
tasks: number, 
/**
 * Results of it that were accepted.
 */
results: number, 
/**
 * Results a second that were accepted, over the last seconds.
 */
rate: number, 
/**
 * Tasks that failed with it, or whose results were wrong.
 */
errors: number, 
/**
 * Messages of it that were refused or ignored.
 */
refused: number, };

export type Pulse = { 
/**
 * The connection's number.
 */
id: WorkerId, 
/**
 * Seconds since its last message.
 */
idle_s: number, 
/**
 * Milliseconds that a ping took to it and back, the newest one's; none before the first.
 */
lag_ms: number | null, 
/**
 * Leases out to it.
 */
leases: number, 
/**
 * Tasks that it was sent.
 */
tasks: number, 
/**
 * Results of it that were accepted.
 */
results: number, 
/**
 * Results a second that were accepted, over the last seconds.
 */
rate: number, 
/**
 * Tasks that failed with it, or whose results were wrong.
 */
errors: number, 
/**
 * Messages of it that were refused or ignored.
 */
refused: number, };

export type WorkerKind = "chrome" | "edge" | "firefox" | "safari" | "native" | "other";

export type Check = "auto" | "all" | "none" | "twice";

export type JobView = { 
/**
 * Its number.
 */
id: JobId, 
/**
 * Its name, empty where it has none.
 */
name: string, 
/**
 * What is computed.
 */
op: OpId, 
/**
 * The SHA-256 of its kernel, if it is computed by one.
 */
kernel?: string, 
/**
 * Its axes, in their order, where one job is asked for: lists of jobs would be long. None of a job of
 * inputs.
 */
axes?: Record<string, unknown>, 
/**
 * Tasks in a block.
 */
block: number, 
/**
 * How its results are checked.
 */
check: Check, 
/**
 * Tasks with an outcome on disk that the server has computed itself as well: an audit of a worker's, or the
 * result of one that nobody else could compute. The others are believed or, of a job that is checked
 * `twice`, what two workers came to.
 */
audited: number, 
/**
 * Tasks that one worker has computed, and that wait for a second one: of a job that is checked `twice` only.
 */
unconfirmed: number, 
/**
 * The block of a kernel that took longest, if that was far longer than it should have been. As far as is known
 * since the server started.
 */
slowest?: SlowBlock, 
/**
 * Where it is.
 */
state: JobState, 
/**
 * Whether it waits for more inputs. Such a job is not done before it is closed.
 */
open: boolean, 
/**
 * Tasks that it has; of a job whose inputs are still being sent, so far.
 */
total: number, 
/**
 * Tasks with a result on disk.
 */
done: number, 
/**
 * Tasks with an error on disk, after their last attempt.
 */
failed: number, 
/**
 * Tasks that workers hold now.
 */
leased: number, 
/**
 * Workers that hold them.
 */
workers: number, 
/**
 * Tasks a second, over the last seconds.
 */
rate: number, 
/**
 * Seconds to its end at this rate; none where nothing moves, or only just.
 */
eta_s: number | null, 
/**
 * When it was submitted: RFC 3339, UTC.
 */
submitted_at: string, 
/**
 * What of it the server cannot read: which part, and what is wrong with it. Unless it is over, such
 * a job is set aside: it says that it is paused, nothing of it is computed, and it may be removed.
 */
trouble?: string, };

export type SlowBlock = { 
/**
 * Its first task.
 */
first: number, 
/**
 * How many tasks it has; of several blocks that were answered together, all of theirs: one of them is it.
 */
tasks: number, 
/**
 * How long it took, in seconds.
 */
seconds: number, 
/**
 * How many times as long as it should have: as most blocks of the job took, or as blocks are to take, if that is
 * longer.
 */
times: number, };

export type JobState = "running" | "paused" | "done" | "cancelled";

export type KernelParamView = { 
/**
 * Its name: `p1`, `p2` and so on where the kernel gives none, and axes may have any names.
 */
name: string, 
/**
 * The type of its values; none where any number does.
 */
kind?: string, 
/**
 * An axis to begin with.
 */
default?: string, 
/**
 * What it is, for people.
 */
help?: string, };

export type KernelView = { 
/**
 * Its hash: what `GET /kernels/SHA256.wasm` is asked for.
 */
id: string, 
/**
 * What people call it.
 */
name: string, 
/**
 * How it is called: `numbers`, `json` or `command`.
 */
form: string, 
/**
 * The type of a number that it gives: `i32`, `i64`, `f32` or `f64`. None of the other forms.
 */
result?: string, 
/**
 * Its parameters, in order. None where it takes any JSON.
 */
params: Array<KernelParamView>, 
/**
 * Whether it takes a job's data.
 */
takes_data: boolean, 
/**
 * Bytes of the module.
 */
bytes: number, 
/**
 * The SHA-256 of the module.
 */
sha256: string, 
/**
 * What the server did to it, or gives it nothing of, in sentences.
 */
notes: Array<string>, 
/**
 * Whether the server has brought it.
 */
example: boolean, };

export type SampleView = { 
/**
 * The job's number.
 */
job: JobId, 
/**
 * Tasks that it has.
 */
total: number, 
/**
 * How many places there are: every task of a job that has few.
 */
wanted: number, 
/**
 * Index and result of those that have one, in the order of the indices.
 */
points: Array<[number, unknown]>, 
/**
 * How many of the places ended with an error.
 */
errors: number, 
/**
 * Whether that is all that is recorded of them; where not, asking again gives more.
 */
complete: boolean, };

export type ErrorBody = { 
/**
 * What went wrong.
 */
error: ErrorDetail, };

export type ErrorDetail = { 
/**
 * A short word in `snake_case`.
 */
code: string, 
/**
 * A sentence.
 */
message: string, };

export type ChatEvent = { 
/**
 * Its name, or `#` and its number where it has none.
 */
from: string, 
/**
 * What it said.
 */
text: string, 
/**
 * When: RFC 3339, UTC.
 */
at: string, } | { 
/**
 * Its name.
 */
joined: string, 
/**
 * Who is in the room now, with and without a name.
 */
members: number, 
/**
 * When: RFC 3339, UTC.
 */
at: string, } | { 
/**
 * Its name.
 */
left: string, 
/**
 * Who is in the room now, with and without a name.
 */
members: number, 
/**
 * When: RFC 3339, UTC.
 */
at: string, };

export type LiveEvent = { "type": "snapshot" } & Snapshot | { "type": "changes" } & Changes;

export type Snapshot = { 
/**
 * When this is so.
 */
at_ms: number, 
/**
 * When the server started, in milliseconds since 1970 on its own clock: it tells one start from
 * another, after which ids may mean other things.
 */
started_at_ms: number, 
/**
 * Jobs, oldest first: all that are not over, and the newest of the others, up to
 * [`JOBS_SHOWN_MAX`](crate::limits::JOBS_SHOWN_MAX) in all.
 */
jobs: Array<JobView>, 
/**
 * Jobs that are not among them.
 */
jobs_omitted: number, 
/**
 * Who is connected, in the order of arrival.
 */
workers: Array<WorkerView>, 
/**
 * What was recorded in the last [`HISTORY_S`](crate::limits::HISTORY_S) seconds.
 */
throughput: Throughput, 
/**
 * Who has rows in the task stream, in their order.
 */
rows: Array<StreamRows>, 
/**
 * The task stream's last [`STREAM_SPAN`](crate::limits::STREAM_SPAN).
 */
bars: Array<Bar>, };

export type Changes = { 
/**
 * When this is so.
 */
at_ms: number, 
/**
 * Jobs that are new or have changed.
 */
jobs: Array<JobView>, 
/**
 * Jobs that are not shown any more.
 */
jobs_gone: Array<JobId>, 
/**
 * See [`Snapshot::jobs_omitted`].
 */
jobs_omitted: number, 
/**
 * Workers that are new, or are other than they were.
 */
workers: Array<WorkerView>, 
/**
 * What changes of those that compute.
 */
pulses: Array<Pulse>, 
/**
 * Workers that have left.
 */
workers_gone: Array<WorkerId>, 
/**
 * The seconds that have ended since.
 */
throughput: Throughput, 
/**
 * All of [`Snapshot::rows`], if they have changed.
 */
rows: Array<StreamRows> | null, 
/**
 * Bars that are new or have changed.
 */
bars: Array<Bar>, };

export type Throughput = { 
/**
 * The first of the seconds, since the server started.
 */
first_s: number, 
/**
 * How many seconds there are.
 */
count: number, 
/**
 * Of each kind of worker that recorded anything, the tasks of each second.
 */
tasks: Partial<Record<WorkerKind, number[]>>, };

export type StreamRows = { 
/**
 * The worker; it may have left.
 */
worker: WorkerId, 
/**
 * How many.
 */
slots: number, };

export type Bar = { 
/**
 * Its number; a bar that is told of again replaces the former.
 */
id: number, 
/**
 * The worker.
 */
worker: WorkerId, 
/**
 * The worker's row, from 0.
 */
slot: number, 
/**
 * The lease's job.
 */
job: JobId, 
/**
 * Tasks that were lent.
 */
tasks: number, 
/**
 * When it began.
 */
from_ms: number, 
/**
 * When it ended, and how; none while it is out.
 */
end: BarEnd | null, };

export type BarEnd = { 
/**
 * When.
 */
at_ms: number, 
/**
 * How.
 */
how: HowEnded, };

export type HowEnded = "answered" | "returned" | "lost";

