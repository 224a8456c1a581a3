// Generated from the `protocol` crate by `cargo xtask types`; not to be edited.

export type TaskId = number;

export type WorkerId = number;

export type FromPage = { "type": "start", 
/**
 * The server's socket, `ws://` or `wss://`.
 */
url: string, } | { "type": "retry_now" };

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
retry_in_ms: number, } | { "type": "task", 
/**
 * Its id.
 */
task_id: TaskId, 
/**
 * What is computed, for people.
 */
text: string, } | { "type": "result", 
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
duration_ms: number, } | { "type": "idle" } | { "type": "notice", 
/**
 * What happened.
 */
text: string, } | { "type": "failed", 
/**
 * What happened.
 */
text: string, };

export type WorkerView = { 
/**
 * The connection's number.
 */
id: WorkerId, 
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
 * Seconds since it connected.
 */
connected_s: number, 
/**
 * Seconds since its last message.
 */
idle_s: number, 
/**
 * Tasks that it was sent.
 */
tasks: number, 
/**
 * Results of it that were accepted.
 */
results: number, 
/**
 * Messages of it that were refused or ignored.
 */
refused: number, };

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

