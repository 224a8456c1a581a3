//! Every limit on what travels or waits, each with its unit in its name and its reason beside it.
//!
//! One file for all parts, so that limits which depend on each other are read together.

use std::time::Duration;

// ---- Frames ---------------------------------------------------------------------------------

/// The longest text frame that either side accepts. A lease of 65,536 results of 16 digits fits;
/// a peer cannot make the other hold more than this for one message.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;

/// The longest `agent` that is kept. Real ones are under 300 characters; the rest is cut.
pub const AGENT_CHARS_MAX: usize = 512;

/// The longest `agent` that is kept, in bytes: real ones are ASCII. Four bytes for each of
/// [`AGENT_CHARS_MAX`] characters would make the list of workers four times as long.
pub const AGENT_BYTES_MAX: usize = 512;

/// The longest name that a worker says of itself, its session or an op: four times what ours have.
/// What is said once is kept for as long as a connection lasts.
pub const NAME_CHARS_MAX: usize = 64;

/// Ops that a worker may say that it knows: many times what there are.
pub const HELLO_OPS_MAX: usize = 64;

/// The longest piece of a peer's text that a log line or an error quotes.
pub const QUOTE_CHARS_MAX: usize = 120;

/// The largest integer that every JSON reader keeps exactly: 2^53 - 1.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

// ---- Jobs and leases ------------------------------------------------------------------------

/// Tasks of one job: every index, and their number, is an integer that JSON keeps.
pub const JOB_TASKS_MAX: u64 = INTEGER_MAX;

/// Values that an axis may list. A grid travels with every lease; longer lists are inputs.
pub const AXIS_VALUES_MAX: usize = 1024;

/// The longest name of a job.
pub const JOB_NAME_CHARS_MAX: usize = 200;

/// Tasks of one lease whose inputs the worker derives from a grid.
pub const LEASE_TASKS_MAX: u64 = 65_536;

/// Tasks of one lease whose inputs travel with it: an input of an op has at most 250 bytes of JSON, so that
/// a lease of them fits a frame. The server keeps them until it is answered.
pub const LEASE_INPUTS_MAX: u64 = 4096;

/// Bytes of such inputs that the server keeps for leases that are out: 600,000 tasks of 60 bytes, which is five
/// leases of [`LEASE_INPUTS_MAX`] for each of thirty machines. Beyond it no more is lent until some come back.
pub const LEASES_INPUTS_BYTES_MAX: usize = 40 * 1024 * 1024;

/// Results in one frame: a number is at most 25 bytes of JSON, its comma included.
pub const FRAME_RESULTS_MAX: usize = 32_768;

/// Slots that one worker may have: more cores than any machine that opens a page.
pub const SLOTS_MAX: u32 = 1024;

/// Leases that a worker is lent at once, for each of its slots: one being computed and one behind
/// it, so that no slot waits for the network.
pub const LEASES_PER_SLOT: u32 = 2;

/// The computing that a lease aims at, on one slot: long beside a round trip, short beside what a
/// closed tab may lose.
pub const LEASE_TARGET: Duration = Duration::from_secs(1);

/// How many times larger a worker's next lease may be than what it has shown to manage. The first
/// is a single task: nobody knows yet how long one takes.
pub const LEASE_GROWTH: u64 = 16;

/// The least time that a worker has for an answer.
pub const DEADLINE_MIN: Duration = Duration::from_secs(10);

/// The time that a worker has for an answer, in expected times of computing; and [`HOLD_MAX`] at the
/// most, since a worker's own times say what is expected of it.
pub const DEADLINE_FACTOR: u32 = 4;

/// Copies of one lease beside the first, for idle workers when a job has nothing else left.
pub const LEASE_COPIES_MAX: usize = 2;

/// Attempts at a task before its error is its outcome. That a plain client leaves without an answer
/// is one as well, where nobody else has the task: a program may end at each that it is sent.
pub const TASK_ATTEMPTS_MAX: usize = 3;

/// How many times longer than the last attempt at a task the next one may take. A worker ends a task
/// that takes longer than the `deadline_ms` of its lease and says that it failed: one that is merely
/// slow gets its time so (10 s, 40 s, 160 s), one that never ends costs as many attempts.
pub const RETRY_PATIENCE_FACTOR: u32 = 4;

/// Leases of one worker that are remembered after they ended, so that what is late or sent twice
/// is told from what is invented.
pub const PAST_LEASES_MAX: usize = 64;

/// How long a worker that lost its connection is remembered: two of the longest pauses between its
/// attempts to connect again, [`BACKOFF_MAX`]. After it, others have computed what it had.
pub const SESSION_KEPT: Duration = Duration::from_secs(60);

/// Workers that are remembered after they lost their connections: more tabs than hang on one access
/// point. Beyond it some are forgotten, and come back as newcomers: of the address that has the most
/// of them, the one that was lost first.
pub const SESSIONS_KEPT_MAX: usize = 1024;

/// What these cost, in bytes. Workers that come and go must not fill the memory.
pub const SESSIONS_KEPT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The inputs that one of these keeps, in bytes: 43,690 tasks of lists, ten leases of
/// [`LEASE_INPUTS_MAX`]. Results of older leases no longer count, and their tasks are computed anew.
/// The leases of a worker that expired keep no more either, while it is connected.
pub const SESSION_INPUTS_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of the inputs that are kept for late results, of all workers. One worker keeps no more than half
/// of what others leave free: what comes late of its oldest leases is dropped, and computed by others.
pub const LATE_INPUTS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Candidates looked at for one grant (jobs, workers, tasks to retry, leases to copy) where the
/// first ones do not fit: a bound on the cost of one grant, whatever has piled up.
pub const GRANT_SCAN_MAX: usize = 64;

/// The longest reason of a failed task that is kept.
pub const TASK_ERROR_CHARS_MAX: usize = 500;

// ---- The worker -----------------------------------------------------------------------------

/// Tasks that a worker in plain mode keeps waiting while it computes. Tequio's server sends one
/// at a time; other servers may not wait for the answer.
pub const PLAIN_TASKS_WAITING_MAX: usize = 256;

/// How much computing a worker does between two looks at its orders: results of a lease go to the
/// server in pieces of about this, so that a closed tab loses little.
pub const PIECE: Duration = Duration::from_millis(250);

/// How often a worker says that it goes on with a lease of which it has nothing to send yet: well
/// below [`DEADLINE_MIN`], so that a long task is not given to others while it is computed.
pub const PROGRESS_INTERVAL: Duration = Duration::from_secs(4);

/// How long `progress` alone keeps a task: a worker whose op hangs says it for ever. What lies behind
/// that task in its lease goes back at the usual deadline, and from then on whoever has nothing else
/// to do is lent the task as well.
pub const HOLD_MAX: Duration = Duration::from_secs(600);

/// Jobs whose speed a worker remembers.
pub const SPEEDS_MAX: usize = 32;

/// How long a piece may go on after a person has said pause, or after its lease was revoked, before
/// its slot is ended in the middle: a piece of the usual length comes to its end in it.
pub const STOP_GRACE: Duration = Duration::from_secs(1);

/// Bytes that a worker lets wait in its socket. Beyond it nothing more is computed, so that a slow
/// network does not fill the tab's memory; it is four frames of the longest.
pub const UNSENT_BYTES_MAX: usize = 4 * FRAME_BYTES_MAX;

/// How often a worker looks whether its socket has drained.
pub const UNSENT_POLL: Duration = Duration::from_millis(100);

/// Bytes of results that a worker keeps after sending them, for a connection that is lost before
/// they arrived: more than most networks hold on their way.
pub const SENT_BYTES_MAX: usize = FRAME_BYTES_MAX;

/// A worker whose clock has moved on by this much more than it waited for was asleep: its tab was
/// frozen, or its machine. No scheduler keeps a thread waiting for so long.
pub const ASLEEP_AFTER: Duration = Duration::from_secs(10);

/// How often a tab says to the browser's other tabs that it is there.
pub const TAB_BEAT: Duration = Duration::from_secs(2);

/// Silence after which a tab is taken for gone: three beats and a margin.
pub const TAB_SILENCE_MAX: Duration = Duration::from_secs(7);

/// Tabs of one browser that share its cores. More have one slot each in any case.
pub const TABS_MAX: usize = 256;

/// The longest id of a tab. Ours have 16 characters.
pub const TAB_ID_CHARS_MAX: usize = 64;

/// How often the page is told what the slots do: as often as a person can follow.
pub const TELL_INTERVAL: Duration = Duration::from_millis(200);

/// How long a slot's program may take to start, while a piece waits for it: its script may come over
/// a poor network, or its server be away.
pub const SLOT_START_MAX: Duration = Duration::from_secs(60);

/// The pause before a compute worker that did not start is started again, where others have: the
/// server that its script comes from may be away.
pub const SLOT_RETRY: Duration = Duration::from_secs(1);

/// How often a worker in lease mode says that it is there, and expects an answer. A browser cannot
/// ping, and without this would notice a server that vanished only when TCP does.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// Silence after which a worker in lease mode gives its server up: two heartbeats unanswered and a
/// margin.
pub const HEARTBEAT_SILENCE_MAX: Duration = Duration::from_secs(35);

/// The ceiling of the first reconnection delay.
pub const BACKOFF_BASE: Duration = Duration::from_millis(500);

/// The ceiling of every later delay: long enough to be no load on a server with a thousand tabs,
/// short enough that a classroom is back before somebody reloads by hand.
pub const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// A connection that has lasted this long was a real one: the next loss starts from the base.
pub const BACKOFF_RESET_AFTER: Duration = Duration::from_secs(10);

/// How long a socket may take to open. Browsers wait minutes for a host that answers nothing.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// The shortest time between two connection attempts, whoever asks for them: `online` events and
/// a person's clicks on "now" come in bursts.
pub const CONNECT_INTERVAL_MIN: Duration = Duration::from_millis(250);

// ---- The server's store ---------------------------------------------------------------------

/// Outcomes that were taken and are not yet on disk, in tasks. Beyond it nothing more is lent, so
/// that a slow disk slows the workers and does not fill the memory.
pub const UNCOMMITTED_TASKS_MAX: u64 = 1 << 18;

/// Tasks that are lent or not yet on disk, of all workers and jobs. All that is lent may come back
/// while the disk stands still, at 24 bytes each; and what a fast disk writes in half a second is
/// enough to keep any number of workers busy.
pub const IN_FLIGHT_TASKS_MAX: u64 = 1 << 21;

/// Tasks that one worker holds at the most, shared among its leases: a quarter of
/// [`IN_FLIGHT_TASKS_MAX`], so that one that never answers does not keep the others from working.
/// It is also no more than half of what others leave free, so that there is always room, and no more
/// than [`LEASE_GROWTH`] times what it has answered: what a worker may hold is what it has shown.
pub const WORKER_TASKS_MAX: u64 = IN_FLIGHT_TASKS_MAX / 4;

/// Revoked tasks of a plain client that are remembered: it knows no revoking, and answers them.
pub const PLAIN_REVOKED_MAX: usize = 64;

/// Tasks in one transaction, about: what waits beyond it is the next one's.
pub const COMMIT_TASKS_MAX: u64 = 1 << 17;

/// Jobs that are entered in one transaction where many are submitted at once: one sync of the disk for
/// all of them, and little enough that outcomes do not wait for long before they are recorded.
pub const COMMIT_SUBMISSIONS_MAX: usize = 64;

/// Jobs that a server keeps, those that are over included: the list of all of them is some 15 MB, and each
/// start reads them all. Beyond it no job is submitted until some are removed.
pub const JOBS_MAX: usize = 50_000;

/// What the grids of jobs that are not over hold in memory, in bytes: a grid of three full lists
/// ([`AXIS_VALUES_MAX`]) has 24 kB, one of ranges 0.1 kB. Beyond it no grid is submitted until a job is over.
pub const GRIDS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Changes to jobs that wait for the store's thread, in KiB of what they carry and one more each: several
/// blocks of inputs, and far more submissions than one machine sends at once. Whoever comes later waits
/// until there is room.
pub const WRITES_WAITING_KIB_MAX: usize = 8 * 1024;

/// How long a change to a job may wait for that room before it is refused (503).
pub const WRITE_ROOM_WAIT: Duration = Duration::from_secs(10);

/// Connections to the store's file that read for whoever asks for results, beside the one that reads what
/// workers need: as many threads as parse results at once, whoever else waits for his turn.
pub const STORE_READERS: usize = 2;

/// When a request that was refused for want of room may be sent again (`Retry-After`): what waits then
/// is mostly done in less.
pub const BUSY_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Rows that are removed at once when a job is: each may hold a frame's results, and the thread that
/// records waits meanwhile.
pub const REMOVED_ROWS_MAX: u64 = 32;

/// Rows of a job that are looked at in one go when it is examined for damage: others read and write in between.
pub const REPAIR_ROWS: usize = 64;

/// Damaged rows of outcomes that are kept in mind until they are removed. What has no room is found again
/// when it is read again.
pub const DAMAGE_SEEN_MAX: usize = 64;

/// Messages with outcomes in one transaction that show that there is no end of them.
pub const COMMIT_BUSY: usize = 8;

/// From the beginning of a transaction of so many to that of the next one: 200 syncs a second are few
/// for any disk, and nobody sees five milliseconds.
pub const COMMIT_GATHER: Duration = Duration::from_millis(5);

/// How long the state of a job that is done waits for something else to be written with it.
pub const STATES_WAIT: Duration = Duration::from_millis(100);

/// How often a store to which nothing is written looks whether its files are still the ones that it
/// opened: somebody may have moved or deleted the folder.
pub const STORE_CHECK: Duration = Duration::from_secs(1);

/// The pause before a write that failed is tried again.
pub const STORE_RETRY: Duration = Duration::from_millis(500);

/// The longest body of a request that submits a job. Inputs are kept in blocks as they arrive, not
/// in memory.
pub const BODY_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// The longest body that adds inputs to a job. Its lines are read before the first is kept, so that
/// all are or none.
pub const APPEND_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Inputs that one such body adds: three times what a command sends at once ([`UPLOAD_BYTES_MAX`]), and
/// 6 MB in memory. A line of CSV may have six bytes.
pub const APPEND_INPUTS_MAX: usize = 1 << 18;

/// What all such bodies hold together, in KiB, from when their lines are read until they are written. Beyond
/// it a request gets 503 and may be sent again.
pub const APPENDS_KIB_MAX: usize = 12 * 1024;

/// How long a job waits for more inputs. One that nobody has appended to for so long was left behind,
/// by a command that was killed or a machine that went down; it is closed with what it has.
pub const OPEN_IDLE_MAX: Duration = Duration::from_secs(24 * 3600);

/// How often it is written down that a job was appended to, so that a server that starts again knows
/// how long it has waited. A job that is closed sooner is never noted.
pub const OPEN_NOTE_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// How long an open job waits at least after the server has started, so that whoever appends to it has
/// time to come back; and the pause before a job that could not be closed is closed again.
pub const OPEN_RETURN_MIN: Duration = Duration::from_secs(10 * 60);

/// How often `tequio map` says that it is there while its stdin says nothing: well below
/// [`OPEN_IDLE_MAX`], so that its job stays open for as long as it runs.
pub const MAP_ALIVE_INTERVAL: Duration = Duration::from_secs(3600);

/// The longest body of inputs that a command sends: half of what proxies take by default. It has room
/// for any line ([`LINE_BYTES_MAX`]).
pub const UPLOAD_BYTES_MAX: usize = 512 * 1024;

/// How long `tequio submit` waits for a block to fill before it sends what there is: well below
/// [`DRAFT_IDLE_MAX`].
pub const UPLOAD_BLOCK_WAIT: Duration = Duration::from_secs(60);

/// How long a draft is kept that nobody appends to. A command that has lost its server asks each
/// second; this is longer than a server takes to start again.
pub const DRAFT_IDLE_MAX: Duration = Duration::from_secs(10 * 60);

/// Drafts that are kept at once.
pub const DRAFTS_MAX: usize = 256;

/// The longest body that submits a grid: three axes of [`AXIS_VALUES_MAX`] numbers are a tenth.
pub const GRID_BYTES_MAX: usize = 1024 * 1024;

/// The longest text of an axis that is checked as a person types it: a full list of
/// [`AXIS_VALUES_MAX`] numbers of 15 characters. It is part of an address, and HTTP libraries take
/// those of up to 64 KiB, three such texts and what escaping adds.
pub const AXIS_BYTES_MAX: usize = 16 * 1024;

/// The longest line of inputs.
pub const LINE_BYTES_MAX: usize = 4096;

/// Bytes of a text of inputs in which its format shows: more is not looked through for its first line.
pub const RECOGNISED_BYTES_MAX: usize = 64 * 1024;

/// Characters of a line that an error shows: what fits beside the reason in a terminal.
pub const EXCERPT_CHARS_MAX: usize = 60;

/// Skipped lines that are told by their numbers: enough to see what they have in common.
pub const SKIPPED_NAMED_MAX: usize = 10;

/// Inputs that are handed to the store at once while a job is being submitted.
pub const INPUTS_BLOCK: usize = 16_384;

/// Results that are read from the store for an answer that has just begun: what a person looks at, and
/// little to wait for behind others. Each further block has four times as many, up to
/// [`RESULTS_BLOCK_MAX`], as long as the blocks before were read to their ends.
pub const RESULTS_BLOCK_MIN: u64 = 512;

/// Results that are read from the store at once for one answer: a row of the most, as 1 MiB of text.
pub const RESULTS_BLOCK_MAX: u64 = FRAME_RESULTS_MAX as u64;

/// Rows that are read from the store at once for one answer: each may be an error of 2 kB.
pub const RESULTS_ROWS_MAX: u64 = 2048;

/// Reads of the store for answers that have just begun, at once; and as many for those that go on. A few
/// are as fast as many, since they share one connection; beyond them readers wait for their turn, in the
/// order of their questions, and no thread waits with them.
pub const READERS_MAX: usize = 2;

/// Reads for answers that go on which are under way, or whose blocks ([`RESULTS_BLOCK_MAX`]) were read and not
/// taken yet: enough that no thread that reads has to wait for one that writes.
pub const READS_UNTAKEN_MAX: usize = 8;

/// What was read of results and is not sent yet, of all answers together. Beyond it the answer that was
/// asked for least recently reads its block once more: a download that nobody reads keeps none.
pub const TAILS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Rows of a list (of workers, of jobs) that an answer is made of at once: a piece of some 16 KiB, so
/// that a list of any length costs no more for each of its readers.
pub const LIST_ROWS: usize = 32;

/// Places of a job whose results its chart shows: more than a chart of some 600 pixels has columns.
pub const SAMPLE_POINTS: u64 = 1000;

/// Outcomes that are read for one answer of a job's sample, in tasks. The sample may touch as many
/// rows as it has places, each with up to [`LEASE_TASKS_MAX`] outcomes; what exceeds this is read for
/// the next answer.
pub const SAMPLE_TASKS_MAX: u64 = 1 << 20;

/// Jobs whose samples are kept, 24 bytes a place: more than people look at by turns. Beyond it the one
/// that nobody has asked for the longest is read anew.
pub const SAMPLES_KEPT_MAX: usize = 16;

/// Results that `tequio map` may be ahead of what it has written: the tasks that it lets wait on
/// the server.
pub const MAP_AHEAD_TASKS_MAX: u64 = 1_000_000;

/// Blocks of [`INPUTS_BLOCK`] lines that `tequio map` reads ahead of what it has sent.
pub const MAP_BLOCKS_WAITING_MAX: usize = 2;

/// How long `tequio map` waits for a block to fill before it sends what there is.
pub const MAP_BLOCK_WAIT: Duration = Duration::from_millis(100);

/// What a command reads of a file at once.
pub const READ_BYTES: usize = 64 * 1024;

/// How long whoever reads a command's output has to stand still so that the command goes on by itself
/// where its answer was broken off meanwhile: a quarter of [`ANSWER_PATIENCE`].
pub const CLIENT_PAUSED: Duration = Duration::from_secs(30);

/// How long a command waits for a server to take its connection.
pub const CLIENT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause before a command that waits for a server asks again.
pub const CLIENT_RETRY: Duration = Duration::from_secs(1);

/// The longest pause that a server or a proxy may ask a waiting command for (`Retry-After`). Whoever
/// waits wants to see now and then that it is tried.
pub const CLIENT_RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// Of an answer that is no success a command reads as much: an error's sentence, or a proxy's page.
pub const REFUSAL_BYTES_MAX: usize = 64 * 1024;

/// What a command prints of a refusal at the most: another program may say anything.
pub const REFUSAL_CHARS_MAX: usize = 2000;

/// The longest answer that a command holds in memory: the list of all jobs.
pub const CLIENT_ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;
/// How long a job may stand still before a command that waits for it looks whether anybody computes.
pub const CLIENT_STILL: Duration = Duration::from_secs(3);

/// How often a command that shows a job's progress asks for it.
pub const CLIENT_POLL: Duration = Duration::from_millis(300);

/// The time over which a job's rate is measured, in whole seconds.
pub const RATE_WINDOW_S: u64 = 10;

/// The time that a job must have run for before its end is foretold, in whole seconds.
pub const RATE_STEADY_S: u64 = 2;

// ---- Trust ----------------------------------------------------------------------------------

/// Kernels that a server keeps: 4 MiB each at the most, of whoever may submit jobs.
pub const KERNELS_MAX: usize = 1000;

/// How long this program computes one block of a kernel before it gives up: an audit of it is unknown then.
pub const KERNEL_BLOCK_MAX: Duration = Duration::from_secs(60);

/// How long the tasks of a kernel are measured, to choose its block: whoever submits waits for that.
pub const KERNEL_MEASURE_MAX: Duration = Duration::from_millis(200);

/// How long a block of a kernel is to take in a browser: long beside its instance and its results, short beside a
/// lease.
pub const KERNEL_BLOCK_AIM: Duration = Duration::from_millis(10);

/// Bytes of modules and data that a server keeps ready to be handed out, in gzip as well, beside those that somebody is
/// reading just now: the largest data twice, and modules beside it.
pub const BLOBS_KEPT_BYTES: usize = 64 * 1024 * 1024;

/// Bytes from which on they are compressed quickly rather than well: the largest data takes a tenth of a second, not one.
pub const GZIP_FAST_BYTES_MIN: usize = 1024 * 1024;

/// Kernels that a tab and each of its slots keep: a job's, and those of some that take turns with it.
pub const KERNELS_KEPT: usize = 8;

/// How many times as long as it should a block of a kernel takes where that is said in its job's view.
pub const SLOW_BLOCK_FACTOR: f64 = 30.0;

/// Kernels that one worker may say it cannot load and is lent others all the same; then it is lent none.
pub const WORKER_KERNELS_CANNOT_MAX: usize = 16;

/// Kernels with their data, blocks and names of parameters that a process may know: each takes some 500 bytes until
/// the process ends.
pub const KERNELS_KNOWN_MAX: usize = 100_000;

/// A newcomer's first results that are new, which the server audits all: it computes them itself and
/// compares. After them it audits one in 2 until so many more were found right, then one in 3, and so
/// on. Whoever lies while one in `k` is audited gets `k - 1` lies recorded on average, and had
/// `1024 × k × (k - 1) / 2` results recorded before. So whatever it does, fewer than one in 1024 of its
/// results are wrong. Who is turned away and comes back is a newcomer again.
pub const AUDITED_FIRST: u64 = 1024;

/// Of the results of a worker that has shown the most, one in so many is audited. A thinner audit
/// would save nothing: this one costs 5 ns a task, beside 40 for reading it.
pub const AUDIT_EVERY_MAX: u64 = 32;

/// Results of a message that are audited at the least. Smaller messages cost more to read than that.
pub const AUDITED_MIN: u64 = 4;

/// Cores that a server spends on audits that take long, at the most and on average: what is computed again is
/// work that nobody sees, beside a server's own. Of eight workers whose tasks are as long as its own it audits one
/// result in sixteen. Audits of a few nanoseconds are not counted.
pub const AUDIT_CORES: f64 = 0.5;

/// Engines of browsers, with their versions, that wrong results are counted of by themselves: a measure each, and
/// workers say what they are.
pub const MISMATCH_ENGINES_MAX: usize = 64;

/// What of that is saved at the most while nothing is audited. Half of it is for the claims of newcomers.
pub const AUDIT_SAVED_MAX: Duration = Duration::from_secs(10);

/// What such an audit costs at the least, in seconds a task: the way to another thread and back.
pub const AUDIT_TASK_S_MIN: f64 = 0.0001;

/// Threads that such audits are computed on, where a machine has twice as many cores: they wait for each other
/// less than whoever waits for them.
pub const AUDIT_THREADS_MAX: usize = 4;

/// Bytes of outcomes and inputs that wait for such audits. Beyond it results are believed as those are that
/// the budget has nothing left for.
pub const CLAIMS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long it takes to judge what waits for audits that no budget counts, about: those of jobs of which everything
/// is audited. Beyond it nothing more of these is begun, until half of that is left: a crash loses what waits.
pub const CLAIMS_AHEAD_MAX: Duration = Duration::from_secs(30);

/// Disputes of a job (blocks on which two workers differ) that the server decides at a time. Of more than these somebody
/// else's vote decides.
pub const DISPUTES_WAITING_MAX: usize = 4;

/// How long somebody else's vote decides all disputes of a job after one that the server could not compute: it takes as long
/// as the longest audit, and finds out nothing.
pub const DISPUTES_PAUSE: Duration = Duration::from_secs(600);

/// Bytes of outcomes that wait for an audit where they may not be believed without, and as many that wait for a second
/// worker. From [`CLAIMS_BYTES_MAX`] on nothing more of such jobs is begun; what is out by then has this much room, and what
/// finds none is computed again. Of jobs that wait for second workers each has a share of its own, so many of them as there are.
pub const CLAIMS_HELD_BYTES_MAX: usize = 2 * CLAIMS_BYTES_MAX;

/// How long what one worker has sent waits for a second one at another address, where there is any that can. From then on,
/// or once nothing more of the job is begun before, one at the same address may confirm it too.
pub const SECOND_WAIT: Duration = Duration::from_secs(10);

/// Strikes (answers out of shape, or about what it does not hold) before a worker is turned away; of
/// a plain client, wrong results as well, since programs of beginners have faults and the server
/// computes each of their results in any case. A wrong result in lease mode needs no second one.
pub const STRIKES_MAX: u32 = 3;

/// Failures that a worker may report of tasks that the server then computes: each slot of a machine
/// that runs out of memory loses a task at once. One is forgotten for each [`AUDITED_FIRST`] results.
/// Such a failure costs nobody a second attempt, since the server's result is recorded.
pub const REFUTED_MAX: u64 = 16;

/// How long a newcomer waits for its first lease where somebody was turned away for wrong results within
/// [`SUSPICION`]. Without it six of twenty workers that only lie, and come back at once, waste a third
/// of what all compute. Honest people at the same address wait for a second, once.
pub const NEWCOMER_PAUSE: Duration = Duration::from_secs(1);

/// See [`NEWCOMER_PAUSE`].
pub const SUSPICION: Duration = Duration::from_secs(60);

/// Addresses that are remembered for [`SUSPICION`], at 100 bytes each. Beyond it no more are added.
pub const SUSPECTS_MAX: usize = 4096;

/// Leases that a newcomer is lent at once, whatever number of slots it claims; each result that is
/// taken makes it one more, up to [`LEASES_PER_SLOT`]. So a machine of 64 cores is busy after some
/// round trips, and a thousand guests that answer nothing hold little.
pub const NEWCOMER_LEASES: u32 = 4;

/// Leases that are out at once, about 350 bytes each in memory: one for each slot of 8,000 laptops. Beyond
/// a few a worker holds no more than half of what others leave free, so that there is always room.
pub const LEASES_OUT_MAX: usize = 1 << 16;

/// Lines of the console about failures, wrong results and who is turned away for them, of all workers
/// together, that are written at once; beyond it one each [`COMPLAINT_LINE_PACE`]. The others are counted.
pub const COMPLAINT_LINES_BURST: u32 = 100;

/// See [`COMPLAINT_LINES_BURST`]: a day of it is 20 MB.
pub const COMPLAINT_LINE_PACE: Duration = Duration::from_secs(1);

// ---- What the page is shown -----------------------------------------------------------------

/// How often pages are told what is new: as often as numbers can be read.
pub const LIVE_INTERVAL: Duration = Duration::from_millis(500);

/// Workers that do nothing but compute of which a page is told at once, in turn: a thousand of them
/// are told of every four seconds, for 30 kB a second.
pub const LIVE_PULSES_MAX: usize = 128;

/// The longest silence on a page's stream of events. A connection that has died without a word is
/// noticed by it: the page waits three times as long, and connects again.
pub const LIVE_SILENCE: Duration = Duration::from_secs(10);

/// Events that wait for one page. One that reads slower begins with a new snapshot.
pub const LIVE_WAITING_MAX: usize = 16;

/// Jobs that a page is told of: more than a person looks through. The API lists all.
pub const JOBS_SHOWN_MAX: usize = 200;

/// Seconds of throughput that are kept, at 8 bytes for each kind of worker.
pub const HISTORY_S: u64 = 3600;

/// Rows of the task stream: as many slots as a screen shows apart. Workers beyond are not drawn.
pub const STREAM_ROWS_MAX: u32 = 128;

/// The time that the task stream shows, at most.
pub const STREAM_SPAN: Duration = Duration::from_secs(120);

/// Bars of the task stream that are kept, about 100 bytes each on the wire: the busiest screen,
/// where each row has one a second, shows the last 16 s of it.
pub const STREAM_BARS_MAX: usize = 2048;

// ---- The server's connections ---------------------------------------------------------------

/// Messages that wait for one connection to take them: every lease that a worker of
/// [`SLOTS_MAX`] slots is lent at once, and as many again. A peer that reads nothing is closed
/// when they are exceeded, so that it costs others nothing.
pub const OUTBOX_MESSAGES_MAX: usize = 4096;

/// Messages of one worker that carry no results (heartbeats, progress, slots, pings, what is refused) and
/// are read at once: all leases of a worker with many slots, given back together.
pub const ASIDE_BURST_MAX: u32 = 1024;

/// The pace at which a worker is read on that has sent [`ASIDE_BURST_MAX`] of these: what eight hundred
/// slots say that compute for long ([`PROGRESS_INTERVAL`]). The dispatcher is one, and has time for a
/// thousand workers that do this.
pub const ASIDE_PACE: Duration = Duration::from_millis(5);

/// Bytes of all messages that wait for workers to take them: more than [`LEASES_INPUTS_BYTES_MAX`], so workers
/// with slow links may wait for all inputs that are lent. Beyond it the connections are given up that are
/// the furthest behind.
pub const OUTBOXES_BYTES_MAX: usize = 48 * 1024 * 1024;

/// Events of all sessions that wait for the dispatcher. A full queue makes sessions wait, which
/// stops them reading: the pressure reaches the peer's socket.
pub const DISPATCHER_EVENTS_MAX: usize = 4096;

/// Of these, messages of one worker: half of what is taken at once. Whoever sends more waits, and whoever
/// comes does not queue behind all that eight others have to say.
pub const DISPATCHER_EVENTS_EACH_MAX: usize = 32;

/// Bytes of all results among these, in messages beyond [`SOCKET_READ_BUFFER_BYTES`]: sixteen of the
/// longest, which the dispatcher handles in a few milliseconds. Whoever has more to tell waits.
pub const DISPATCHER_EVENTS_BYTES_MAX: usize = 16 * FRAME_BYTES_MAX;

/// Events that the dispatcher takes at once. What they lead to is decided together: more makes fewer
/// turns, and whoever asks for something small waits for longer.
pub const DISPATCHER_BATCH: usize = 64;

/// Leases that the dispatcher lends between two such batches: a few milliseconds of work. A worker of
/// [`SLOTS_MAX`] slots is lent thousands, and whoever asks for something small must not wait for all.
pub const DISPATCHER_LEASES: usize = 256;

/// Questions (what a job is, who is connected, what pages are told) that are answered between two such
/// batches: however many ask, what workers send is not crowded out.
pub const DISPATCHER_QUESTIONS: usize = 16;

/// The read buffer of a client's socket, and what a server reads of a message for nothing.
pub const SOCKET_READ_BUFFER_BYTES: usize = 4 * 1024;

/// The read buffer of a server's socket: nearly all that is said is shorter. tungstenite's default of 128 KiB
/// is paid for by every idle tab.
pub const SOCKET_IDLE_BUFFER_BYTES: usize = 1024;

/// What a server reads at once of a frame that is longer than that, and keeps until it is handed on.
pub const SOCKET_AHEAD_BYTES: usize = 32 * 1024;

/// Bytes that wait in a socket's write buffer before a write fails. Twice a frame: one being
/// written, one behind it.
pub const SOCKET_WRITE_BUFFER_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;

/// The largest message after which a socket's buffers are kept for the next one. What a connection has
/// once read or written must not cost for as long as it lives: ten thousand keep 40 MiB of it at the most.
pub const SOCKET_KEPT_BYTES_MAX: usize = 4 * 1024;

/// Bytes of all messages of WebSockets that are begun and not ended, or still being handled, beyond the
/// first [`SOCKET_READ_BUFFER_BYTES`] of each: 24 of the longest at once. One in several frames counts
/// twice: the library keeps a frame, and what it has put together. Where there is no more room, the one
/// that holds much and has stood still for long is closed (1013); one that arrives at a line's speed never
/// stands still.
pub const BEGUN_BYTES_MAX: usize = 24 * FRAME_BYTES_MAX;

/// How long a message may take from its first byte to its last: the longest one at 8 kB a second, which
/// a line has that is good for little else.
pub const BEGUN_TIME_MAX: Duration = Duration::from_secs(128);

/// What a peer has to send of a message each second so that it does not count as standing still, in
/// bytes: what a poor line of a phone has.
pub const BEGUN_PACE_BYTES_S: u32 = 32 * 1024;

/// How long what is begun may stand still before it is given up for others: a few round trips of a home's
/// line.
pub const BEGUN_GRACE: Duration = Duration::from_millis(100);

/// The same for a message whose peer has ended such messages before, or resumes a session: a tab's network
/// stands still for a second now and then, and it goes on.
pub const BEGUN_GRACE_KNOWN: Duration = Duration::from_secs(2);

/// Bytes of all frames that wait for their peers to take them. Where there are more, the ones that have
/// waited the longest are closed: a peer that reads takes a frame in less time than others need to fill
/// this.
pub const UNREAD_BYTES_MAX: usize = 8 * FRAME_BYTES_MAX;

/// How often the server pings. A frozen tab still answers (the browser does), a pulled cable not.
pub const PING_INTERVAL: Duration = Duration::from_secs(20);

/// Silence after which a worker that has said hello is given up: two pings unanswered and a margin.
pub const SILENCE_MAX: Duration = Duration::from_secs(50);

/// Silence after which any other peer is given up, and the time that a plain client has for a task of
/// a job. A program of a dozen lines answers no ping while it computes or sleeps; that it is there is
/// said by TCP. Only one that vanished without a word stays on the lists for so long: what it was lent
/// is lent to others after [`DEADLINE_MIN`] all the same.
pub const PLAIN_SILENCE_MAX: Duration = HOLD_MAX;

/// How long one write to a peer may take before it is given up.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a peer may take to answer a close, and all of them together when the server stops.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a connection may say nothing at first; how long it may take from its first byte on for the
/// headers of a request; and how long it may take between two requests for the next one's headers, its
/// silence included. Whatever it sends meanwhile, it holds an open file.
pub const HEADERS_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest headers of a request. Addresses have up to 64 KiB (see [`AXIS_BYTES_MAX`]), and what is
/// not whole yet is held in memory.
pub const HEADERS_BYTES_MAX: usize = 96 * 1024;

/// What a connection may hold of headers that are not whole before it has to ask for room: as much as
/// browsers send, cookies included. What is longer counts among [`BODIES_BYTES_MAX`].
pub const HEADERS_BYTES_FREE: usize = 16 * 1024;

/// Connections that have not said anything yet, 2 kB each. Beyond it the one that is silent the longest
/// is closed. Ten thousand clients that come at once say something within a moment.
pub const CONNECTIONS_SILENT_MAX: usize = 8192;

/// Connections on which no request is under way, up to 30 kB each: whose headers are not whole, or that are
/// kept for another request. Beyond it the one that waits the longest is closed; browsers keep six, and
/// open another where one was closed.
pub const CONNECTIONS_IDLE_MAX: usize = 512;

/// Connections with a request under way, WebSockets not counted, beside those that are idle: those who
/// follow jobs and events, and all who ask just now, 25 kB each. Beyond it the one that stands still the
/// longest ends.
pub const CONNECTIONS_ASKED_MAX: usize = 2048;

/// How long a client may take nothing of an answer. A person who pauses a download, or looks at a page
/// of a pager, is back by then or can ask again (`first=`); and nobody else waits, for what such an answer
/// holds is little ([`ANSWER_PIECE_BYTES`]), and goes first when room runs short.
pub const ANSWER_PATIENCE: Duration = Duration::from_secs(120);

/// What of an answer is handed to its connection at once. The next piece is made when the system has
/// taken the last: so an answer that nobody reads holds one piece, however long it is.
pub const ANSWER_PIECE_BYTES: usize = 32 * 1024;

/// What an answer holds while none of it is under way: its task and its buffers. Answers of no more
/// than this are given without asking for room.
pub const ANSWER_BYTES_MIN: usize = 4 * 1024;

/// What all answers together hold that are being written: some 450 pieces. Beyond it the answer of which
/// nothing was taken for the longest time is broken off; where all are read, others wait or get 503.
pub const ANSWERS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What stands still for so long may be broken off when its room is wanted; the longest first.
pub const STALLED_MIN: Duration = Duration::from_millis(100);

/// How long somebody waits for room before it is refused: enough for what stands still to go.
pub const ROOM_WAIT: Duration = Duration::from_secs(2);

/// How often whoever waits for room looks for it.
pub const ROOM_LOOK: Duration = Duration::from_millis(10);

/// How long a body may stand still: so long it may take for each [`BODY_BYTES_MIN`] of it, or for its
/// end. Our commands send whole blocks; whoever pipes something slow into a request is as slow as a line
/// each second at the least.
pub const BODY_PATIENCE: Duration = Duration::from_secs(60);

/// See [`BODY_PATIENCE`].
pub const BODY_BYTES_MIN: usize = 1024;

/// What all requests together hold whose headers or bodies are being read. Beyond it the one that stands
/// still the longest is broken off; where none does, others wait or get 503.
pub const BODIES_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a body holds that becomes a job while it is read: a block ([`INPUTS_BLOCK`]), and what was read
/// of the next.
pub const BODY_BLOCK_BYTES: usize = 640 * 1024;

/// Streams of events, beside what their connections have. A browser keeps one for all of its tabs. Beyond it the one of which
/// nothing was taken for the longest time is ended; where all are read, others get 503 and ask again.
pub const EVENT_STREAMS_MAX: usize = 512;

/// What streams of events hold together of what they are told; all share one copy of each telling.
/// Beyond it the streams that are behind the most are ended, and begin with a new snapshot when they
/// come back. A snapshot of 10,000 workers has 4 MB.
pub const EVENTS_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long an answer may take nothing when the server stops.
pub const STOP_PATIENCE: Duration = Duration::from_millis(300);

/// Ignored or refused messages of one connection that are logged one by one; after them, each
/// time that their number has doubled. A flood must not fill a disk with log.
pub const NOISE_LOGGED_MAX: u64 = 10;

/// Errors that one connection is sent. A worker that goes on regardless does not read them, and is
/// closed. Messages that are only ignored do not count.
pub const REFUSALS_MAX: u64 = 1000;

/// Connections that the console's list names; the rest are counted. The list is written each time that
/// somebody comes or goes: this many names are some 300 bytes.
pub const CONNECTIONS_LISTED_MAX: usize = 12;

/// Lines that each place in the program may write to the console at once. What exceeds them, and
/// [`CONSOLE_LINE_PACE`] after them, is counted, and the newest of it is written at that pace: whatever
/// peers do, and whichever line it leads to, it does not fill a disk.
pub const CONSOLE_LINES_BURST: u32 = 200;

/// See [`CONSOLE_LINES_BURST`].
pub const CONSOLE_LINE_PACE: Duration = Duration::from_secs(1);

/// What all lines of the console together may have at once, in bytes, and how many a second after that:
/// 350 MB a day. Each place may write one line in [`CONSOLE_SURE_PACE`] beside it, so that a flood of one
/// line does not hide the others.
pub const CONSOLE_BYTES_BURST: u32 = 512 * 1024;

/// See [`CONSOLE_BYTES_BURST`].
pub const CONSOLE_BYTES_PER_S: u32 = 4 * 1024;

/// See [`CONSOLE_BYTES_BURST`].
pub const CONSOLE_SURE_PACE: Duration = Duration::from_secs(10);

/// The longest line of the console: what is longer was somebody's text.
pub const CONSOLE_LINE_BYTES_MAX: usize = 8 * 1024;

/// Bytes of lines that wait for whatever reads the console, a terminal that stands still or a pipe. Beyond
/// it they are dropped and counted: the server does not wait for who reads its lines.
pub const CONSOLE_WAITING_BYTES_MAX: usize = 256 * 1024;

/// How long a program that ends waits for its last lines to be taken.
pub const CONSOLE_END_PATIENCE: Duration = Duration::from_secs(1);

/// The longest host and port that a request may name: a name in the DNS has 253 characters.
pub const HOST_BYTES_MAX: usize = 260;

/// The longest path that a join link takes over from a page, which may be in a proxy's folder: far
/// more than proxies use, and little enough for a QR code that a phone reads.
pub const JOIN_PATH_BYTES_MAX: usize = 200;

/// The pause after the system refuses a new connection (no file descriptors left, mostly).
pub const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(200);

/// How long a connection stays that is closed before all of a request is read. What was answered is lost
/// where a client goes on sending to a socket that is gone: a refusal in the middle of an upload must
/// arrive, also at a client that reads nothing until it has sent all.
pub const LINGER_MAX: Duration = Duration::from_secs(30);

/// Silence after which such a connection is closed: longer than a poor network stands still.
pub const LINGER_SILENCE: Duration = Duration::from_secs(5);

/// What such a connection may send: the longest body.
pub const LINGER_BYTES_MAX: usize = BODY_BYTES_MAX;

/// What is read of it at once.
pub const LINGER_READ_BYTES: usize = 16 * 1024;

/// What one such connection may send before it is another one's turn.
pub const LINGER_TURN_BYTES: usize = 256 * 1024;

/// How long a turn takes at the least: all of them together send no more than 256 MB/s, so that what nobody
/// wants does not take the time of those who are served; the longest body still ends before its time.
pub const LINGER_TURN: Duration = Duration::from_millis(1);

/// Open files that connections must leave to all else (the store, the listener, what a command opens),
/// and as many connections that only short requests may be.
pub const FILES_RESERVED: usize = 64;

/// How often it is looked whether a connection has ended, so that what it held is given back to the
/// system: eight may have held 50 MiB. That costs some milliseconds, which nobody is to wait for often.
pub const GIVE_BACK_INTERVAL: Duration = Duration::from_secs(5);

/// Memory, in bytes, that the server may have gained since it last gave back before it does so again at the next
/// look, whether a connection has ended or not: after floods, ordinary work takes free pages that lie between
/// used ones, and lets go of them again.
pub const GIVE_BACK_GAINED: u64 = 16 * 1024 * 1024;

/// How often it is looked whether the server has more memory than [`GIVE_BACK_BYTES`].
pub const GIVE_BACK_LOOK: Duration = Duration::from_millis(500);

/// Memory of the server, in bytes, from which on what is free is given back at once: floods have the
/// allocator keep some 60 MiB, which others may need.
pub const GIVE_BACK_BYTES: u64 = 192 * 1024 * 1024;

/// The pause after which that is tried again where it did not help, since so much is in use.
pub const GIVE_BACK_RETRY: Duration = Duration::from_secs(2);

/// What goes on and on is logged once, and then each time that it has happened twice as often; after so
/// long without it, it is said again.
pub const LOG_CALM: Duration = Duration::from_secs(60);

/// The longest operator token: it has to fit into a header.
pub const TOKEN_BYTES_MAX: usize = 1024;

/// Wrong operator tokens that an address may show at once and be answered at once: more than people
/// mistype.
pub const TOKEN_TRIES_MAX: u32 = 20;

/// After how long an address may show one more wrong token and be answered at once.
pub const TOKEN_TRY_EVERY: Duration = Duration::from_secs(1);

/// Wrong operator tokens that all addresses together may show at once and be answered at once: as many as
/// ten that each show all theirs.
pub const TOKEN_TRIES_ALL_MAX: u32 = 200;

/// After how long all addresses together may show one more wrong token and be answered at once.
pub const TOKEN_TRY_EVERY_ALL: Duration = Duration::from_millis(100);

/// How long the answer to a wrong token is kept back where too many were shown before: with each try a
/// connection waits so long, or is lost.
pub const TOKEN_TRY_DELAY: Duration = Duration::from_secs(1);

/// Answers to wrong tokens that are kept back at once: each is a connection and a few kB. Further ones are
/// given at once, and their connections closed.
pub const TOKEN_TRIES_WAITING_MAX: usize = 256;

/// Paces of wrong tokens that are kept, about 50 bytes each, for all addresses that there may be. Two that
/// share one are kept back a little earlier.
pub const TOKEN_PACES: usize = 1024;

// ---- Echo and chat --------------------------------------------------------------------------

/// The longest prefix that whoever connects to the echo may ask for.
pub const ECHO_PREFIX_CHARS_MAX: usize = 100;

/// The longest message that a command takes: the longest one's echo.
pub const ANSWER_BYTES_MAX: usize = FRAME_BYTES_MAX + 4 * ECHO_PREFIX_CHARS_MAX;

/// The longest message in a chat: a page of text.
pub const CHAT_MESSAGE_BYTES_MAX: usize = 4096;

/// The longest name of a chat's member.
pub const CHAT_NAME_CHARS_MAX: usize = 40;

/// The longest name of a room.
pub const CHAT_ROOM_CHARS_MAX: usize = 64;

/// Rooms that are kept at once, beside the one without a name. Of those that nobody is in, the one that
/// was left first makes place.
pub const CHAT_ROOMS_MAX: usize = 256;

/// The last messages of a room, which whoever joins and asked for JSON is sent.
pub const CHAT_HISTORY_MAX: usize = 50;

/// Bytes of [`CHAT_HISTORY_MAX`] messages that a room keeps, as JSON.
pub const CHAT_HISTORY_BYTES_MAX: usize = 128 * 1024;

/// Bytes of the histories of all rooms, as JSON: [`CHAT_HISTORY_MAX`] messages of a hundred characters in
/// each of [`CHAT_ROOMS_MAX`]. Beyond it the room is forgotten first where nothing was said for the longest.
pub const CHAT_HISTORIES_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Bytes that wait for the members of all rooms, where what waits for several counts once: what fifty
/// members say at once ([`CHAT_BURST_MAX`] each) to fifty. Beyond it those are dropped first that are the
/// furthest behind.
pub const CHAT_OUTBOXES_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Bytes that wait for one member: what a full classroom says in a burst, many times over. One that
/// reads slower than that is dropped, so that nobody waits for it. Members share the text that waits.
pub const CHAT_WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Messages that a member may send at once, if it was quiet before.
pub const CHAT_BURST_MAX: u32 = 200;

/// The pace at which a member that has sent [`CHAT_BURST_MAX`] is read on: nothing of it is lost, but
/// it does not keep the others from talking.
pub const CHAT_PACE: Duration = Duration::from_millis(50);

/// Messages of one connection, or tasks of plain mode with their results, that the console shows at
/// once; beyond it, one each [`SERVICE_LINE_PACE`]. The others are counted.
pub const SERVICE_LINES_BURST: u32 = 100;

/// See [`SERVICE_LINES_BURST`].
pub const SERVICE_LINE_PACE: Duration = Duration::from_millis(100);

/// How long `tequio echo` waits for an answer: far beyond what any network takes.
pub const ECHO_ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Round trips that `tequio echo` measures at once: all of them are kept, at 16 bytes each.
pub const ECHO_COUNT_MAX: u32 = 1_000_000;

/// How long `tequio chat` waits for what it sent to come back from the room, since it was sent or the
/// last one came back. After it, the server is taken for one that does not tell a member of itself.
pub const CHAT_RETURN_TIMEOUT: Duration = Duration::from_secs(5);

/// Messages that `tequio chat` has sent and that have not come back. Beyond it no more lines are read:
/// what a whole file says waits in the file.
pub const CHAT_SENT_WAITING_MAX: usize = 4096;

/// Pings of `tequio chat` that may stay unanswered in a row, one each [`PING_INTERVAL`]. Counted, not
/// timed, so that a chat that was suspended with Ctrl-Z takes nobody for lost.
pub const CHAT_PINGS_UNANSWERED_MAX: u32 = 2;

/// Lines typed or pasted in a terminal that wait to be sent: more than a person pastes.
pub const TYPED_LINES_MAX: usize = 1024;

/// Lines that wait for a terminal to show them: what a room says in a burst. Beyond it no more is read
/// from the server.
pub const SHOWN_LINES_MAX: usize = 1024;

/// How long lines wait for a line editor to show them between two lines typed, or at the end. It does
/// so at once, unless the terminal stands still.
pub const SCREEN_PATIENCE: Duration = Duration::from_millis(300);

// ---- Socket.IO ------------------------------------------------------------------------------

/// Sessions of Socket.IO that have not connected to the namespace, 10 kB each: some tenths of a second
/// of a flood of handshakes, so that a client beside one finds its session when it goes on. Beyond it the
/// oldest is let go of.
pub const SOCKETIO_OPENING_MAX: usize = 512;

/// Sessions that poll: they have no connection of their own. Beyond it the one goes that asks for nothing
/// and was silent for the longest.
pub const SOCKETIO_POLLING_MAX: usize = 512;

/// WebSockets of Socket.IO, 25 kB each: several classrooms, each of whose machines has a few pages open.
pub const SOCKETIO_SOCKETS_MAX: usize = 512;

/// Sessions that change over to a WebSocket within [`SOCKETIO_PATIENCE`]. What the library keeps of one
/// that leaves meanwhile it keeps for so long; a client that is refused goes on polling.
pub const SOCKETIO_CHANGING_MAX: usize = 256;

/// Bytes that a client of Socket.IO may send over its WebSocket before it has connected to the
/// namespace: the longest token that servers give.
pub const SOCKETIO_CONNECT_BYTES_MAX: usize = 16 * 1024;

/// What counts for a WebSocket of Socket.IO that takes nothing, among [`UNREAD_BYTES_MAX`]: what the
/// library puts together before it writes, and twice as much that waits behind it.
pub const SOCKETIO_UNREAD_BYTES: usize = 256 * 1024;

/// Bytes of all bodies of Socket.IO's requests that are being read: a dozen of the longest. Where there
/// is no more room, the slowest one is refused.
pub const SOCKETIO_BODIES_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Packets that wait for one client of Socket.IO: four times what a dashboard is told at once. What exceeds
/// them is kept back or dropped; a client that takes nothing of them does not answer pings either, and
/// is given up for that.
pub const SOCKETIO_WAITING_MAX: usize = 1024;

/// Attachments of one event. They wait for each other, and count against [`SOCKETIO_BODY_BYTES_MAX`]
/// together.
pub const SOCKETIO_ATTACHMENTS_MAX: usize = 64;

/// The longest body of a request of Socket.IO: it carries an attachment of [`FRAME_BYTES_MAX`] over
/// polling, where they are base64, with their event before them.
pub const SOCKETIO_BODY_BYTES_MAX: usize = FRAME_BYTES_MAX.div_ceil(3) * 4 + 16 * 1024;

/// How long a client may take to send the attachments of an event, to connect to the namespace after
/// its handshake, or to change over to a WebSocket: some round trips of a poor network.
pub const SOCKETIO_PATIENCE: Duration = Duration::from_secs(20);

/// How long a client may take to answer a ping: with [`PING_INTERVAL`] before it, the silence after
/// which a worker is given up ([`SILENCE_MAX`]).
pub const SOCKETIO_PONG_TIMEOUT: Duration =
    Duration::from_secs(SILENCE_MAX.as_secs() - PING_INTERVAL.as_secs());

/// Events that a dashboard with a WebSocket is sent each [`LIVE_INTERVAL`]: every job that is shown,
/// and some workers. What is left waits, as its newest state, for the next time; so a
/// client fills [`SOCKETIO_WAITING_MAX`] only by not reading for two seconds of it.
pub const SOCKETIO_TOLD_MAX: usize = 256;

/// Things that all dashboards of Socket.IO are still to be told of, 30 bytes each: six that were told
/// nothing yet, beside ten thousand workers. Beyond it the one is told no more that is owed the most.
pub const SOCKETIO_OWED_MAX: usize = 65_536;

/// Events that a dashboard that polls is sent for each of its polls. Python's clients take 16 packets in
/// an answer and break the connection at the next: twice this, for one poll may find what belongs to
/// the one before it, leaves room for a ping and an acknowledgement.
pub const SOCKETIO_POLLED_MAX: usize = 7;
