//! A real server on a port of its own, stopped when dropped, the real binary, and clients in a
//! few lines.

use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tempfile::TempDir;
use tequio::dispatcher::WelcomeTask;
use tequio::native::{self, End};
use tequio::store::{MemoryStore, NewJob, Recording, Store};
use tequio::web::{self, Config, Limits, Page, Root, Who};
use tequio_protocol::api::{JobView, WorkerView};
use tequio_protocol::check::Check;
use tequio_protocol::ids::{JobId, WorkerId};
use tequio_protocol::number::Number;
use tequio_protocol::op::{self, OpId};
use tequio_protocol::outcome::Outcome;
use tequio_protocol::piece::Piece;
use tequio_protocol::values::Values;
use tequio_scheduler::{Failures, Trust};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long a test waits for what must come; it is no measure of speed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at what must come: those who work need the cores too.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A page as short as one can be: the real one is built by `cargo xtask`, and not needed here.
static PAGE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let files = [("index.html", "<!doctype html>"), ("style.css", "html {}")];
    let packed = files.map(|(path, content)| {
        let length = |text: &str| (text.len() as u32).to_le_bytes();
        [&length(path)[..], &length(content), path.as_bytes(), content.as_bytes()].concat()
    });
    packed.concat()
});

// ---- A server in this process -----------------------------------------------------------------

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

impl Server {
    /// Starts one whose welcome task is `3 × 2^10`.
    pub(crate) async fn start() -> Server {
        Server::start_with(Some(welcome(3.0, 2.0, 10))).await
    }

    pub(crate) async fn start_with(welcome: Option<WelcomeTask>) -> Server {
        Server::launch(welcome, Arc::new(MemoryStore::new()), on_loopback()).await
    }

    /// Starts one that keeps its jobs in `store`.
    pub(crate) async fn start_on(store: Arc<dyn Store>) -> Server {
        Server::launch(Some(welcome(3.0, 2.0, 10)), store, on_loopback()).await
    }

    /// Starts one whose peers may hold what `limits` say.
    pub(crate) async fn start_limited(limits: Limits) -> Server {
        Server::start_within(limits, Arc::new(MemoryStore::new())).await
    }

    /// Starts one whose peers may hold what `limits` say, and whose system holds next to nothing of what
    /// it is given to send: what nobody reads waits in the server.
    pub(crate) async fn start_within(limits: Limits, store: Arc<dyn Store>) -> Server {
        let socket = TcpSocket::new_v4().unwrap();
        // What is accepted has it too.
        socket.set_send_buffer_size(4096).unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let listener = socket.listen(1024).unwrap();
        let welcome = Some(welcome(3.0, 2.0, 10));
        let failures = Failures::Judged;
        Server::launch_on(listener, welcome, store, on_loopback(), failures, limits)
    }

    /// Starts one that accepts `who`.
    pub(crate) async fn start_for(who: Who) -> Server {
        Server::launch(None, Arc::new(MemoryStore::new()), who).await
    }

    /// Starts one that believes what is said to have failed, and has no welcome task.
    pub(crate) async fn that_believes_failures() -> Server {
        Server::launch_with(None, Arc::new(MemoryStore::new()), on_loopback(), Failures::Believed)
            .await
    }

    async fn launch(welcome: Option<WelcomeTask>, store: Arc<dyn Store>, who: Who) -> Server {
        Server::launch_with(welcome, store, who, Failures::Judged).await
    }

    async fn launch_with(
        welcome: Option<WelcomeTask>,
        store: Arc<dyn Store>,
        who: Who,
        failures: Failures,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Server::launch_on(listener, welcome, store, who, failures, Limits::default())
    }

    fn launch_on(
        listener: TcpListener,
        welcome: Option<WelcomeTask>,
        store: Arc<dyn Store>,
        who: Who,
        failures: Failures,
        limits: Limits,
    ) -> Server {
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let root = Root::Tasks;
        let page = Page::packed(&PAGE).unwrap();
        let trust = Trust { failures, ..Trust::from(1) };
        let demo = false;
        let config = Config { address, welcome, demo, root, page, store, who, trust, limits };
        let served = tokio::spawn(async {
            let stopped = async {
                stopped.await.ok();
            };
            web::serve(listener, config, stopped).await.unwrap();
        });
        Server { address, stop: Some(stop), served }
    }

    /// Stops it and waits until it has.
    pub(crate) async fn stop(mut self) {
        self.stop.take();
        within(&mut self.served).await.unwrap();
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A request with whatever the test adds to it.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        http().request(method, format!("{}{path}", self.url()))
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let answer = Answer::of(self.request(Method::GET, path)).await;
        (answer.status, answer.json())
    }

    pub(crate) async fn get_text(&self, path: &str) -> String {
        let answer = Answer::of(self.request(Method::GET, path)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.text
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        Answer::of(self.request(Method::POST, path).body(body)).await
    }

    /// Submits a job, whose number this gives.
    pub(crate) async fn submit(&self, path: &str, body: impl Into<reqwest::Body>) -> u64 {
        let answer = self.post(path, body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["id"].as_u64().unwrap()
    }

    pub(crate) async fn workers(&self) -> Vec<WorkerView> {
        serde_json::from_value(self.get("/api/workers").await.1).unwrap()
    }

    pub(crate) async fn job(&self, id: u64) -> JobView {
        serde_json::from_value(self.get(&format!("/api/jobs/{id}")).await.1).unwrap()
    }

    /// A job, once it is over.
    pub(crate) async fn job_over(&self, id: u64) -> JobView {
        until(async || Some(self.job(id).await).filter(|job| job.state.is_over())).await
    }

    /// The value of one line of `/metrics`.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let text = self.get_text("/metrics").await;
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }
}

pub(crate) fn http() -> reqwest::Client {
    // Whoever came first has set it up for all.
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::new()
}

fn on_loopback() -> Who {
    Who { is_loopback: true, ..Who::default() }
}

/// What a request was answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Answer {
        let answer = within(request.send()).await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answer { status, headers, text: within(answer.text()).await.unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The status and the code of an error.
    pub(crate) fn refusal(&self) -> (u16, String) {
        let code = self.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
        (self.status, code)
    }

    /// The sentence of an error.
    pub(crate) fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap_or_default().to_owned()
    }
}

/// A line of inputs.
pub(crate) fn line(initial: f64, factor: f64, times: u64) -> String {
    format!("{{\"initial\":{initial},\"factor\":{factor},\"times\":{times}}}\n")
}

/// Inputs `i × 2^3`, and the lines of their results from index `first` on.
pub(crate) fn eights(values: std::ops::Range<u64>) -> String {
    values.map(|value| line(value as f64, 2.0, 3)).collect()
}

/// The results of [`eights`] as they are written.
pub(crate) fn eights_results(values: std::ops::Range<u64>) -> String {
    values.map(|index| format!("{{\"index\":{index},\"result\":{}.0}}\n", index * 8)).collect()
}

/// The results of [`eights`] that came from lines, the first task's from the first.
pub(crate) fn eights_of_lines(values: std::ops::Range<u64>) -> String {
    let result = |index| {
        format!("{{\"index\":{index},\"line\":{},\"result\":{}.0}}\n", index + 1, index * 8)
    };
    values.map(result).collect()
}

/// Results that the first worker computed, to be recorded.
pub(crate) fn recording(job: JobId, first: u64, results: Values) -> Recording {
    Recording {
        job,
        first,
        outcomes: results.into(),
        worker: WorkerId(1),
        agent: String::new(),
        duration_ms: None,
        audited: 0,
        recorded_at_ms: 1,
    }
}

/// A task of `initial × factor^times`.
pub(crate) fn welcome(initial: f64, factor: f64, times: u64) -> WelcomeTask {
    let input = format!(r#"{{"initial":{initial:?},"factor":{factor:?},"times":{times}}}"#);
    WelcomeTask { op: op::named("repeat_multiply").unwrap(), input }
}

/// What `initial × factor^times` is.
pub(crate) fn product(initial: f64, factor: f64, times: u64) -> f64 {
    let WelcomeTask { op, input } = welcome(initial, factor, times);
    let outcomes = Piece::of_one(op, &input).compute();
    let Outcome::Result(result) = outcomes.get(0) else { panic!("{outcomes:?}") };
    Number::read(result).unwrap().0
}

/// A job of `op`, whose grid is JSON.
pub(crate) fn new_job(name: &str, op: &str, grid: Option<&str>) -> NewJob {
    NewJob {
        name: name.to_owned(),
        op: OpId::new(op),
        priority: 0,
        grid: grid.map(|grid| serde_json::from_str(grid).unwrap()),
        block: 1,
        check: Check::Auto,
        submitted_at_ms: 1,
    }
}

// ---- Workers and clients ----------------------------------------------------------------------

/// A worker of this process, stopped when dropped.
pub(crate) struct Worker {
    stop: Option<oneshot::Sender<()>>,
    ended: JoinHandle<End>,
}

impl Worker {
    pub(crate) fn start(server: &Server) -> Worker {
        Worker::start_at(server.address)
    }

    pub(crate) fn start_at(address: SocketAddr) -> Worker {
        let (stop, stopped) = oneshot::channel::<()>();
        let config = native::Config {
            server: format!("ws://{address}/ws").parse().unwrap(),
            slots: 2,
            seed: 7,
        };
        let ended = tokio::spawn(async {
            let stopped = async {
                stopped.await.ok();
            };
            native::run(config, |_| {}, stopped).await
        });
        Worker { stop: Some(stop), ended }
    }

    pub(crate) async fn stop(mut self) -> End {
        self.stop.take();
        within(&mut self.ended).await.unwrap()
    }
}

/// A client that never says hello.
pub(crate) struct Client(pub(crate) WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    pub(crate) async fn connect(server: &Server) -> Client {
        Client::connect_to(&format!("ws://{}/ws", server.address)).await
    }

    pub(crate) async fn connect_to(url: &str) -> Client {
        Client(Box::pin(within(connect_async(url))).await.unwrap().0)
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The next frame of any kind.
    pub(crate) async fn next(&mut self) -> Message {
        within(self.0.next()).await.expect("a frame, not the end").unwrap()
    }

    /// The next text frame, as JSON.
    pub(crate) async fn receive(&mut self) -> Value {
        loop {
            match self.next().await {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("expected text, got {other:?}"),
            }
        }
    }

    /// The next text frame, as JSON; `None` once the connection is over.
    pub(crate) async fn heard(&mut self) -> Option<Value> {
        loop {
            match self.0.next().await? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Sends what nobody may read any more.
    pub(crate) async fn try_send(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.ok();
    }

    /// Goes over to leases, and waits until it has.
    pub(crate) async fn hello(&mut self) {
        self.send(
            r#"{"type":"hello","protocol":1,"agent":"Test/1.0","slots":1,"worker":"w","ops":["repeat_multiply"]}"#,
        )
        .await;
        assert_eq!(self.receive().await["type"], "welcome");
    }

    /// Goes over to leases at a server with a welcome task, and waits until it has.
    pub(crate) async fn hello_after_its_task(&mut self) {
        assert_eq!(self.receive().await["type"], "task");
        self.hello().await;
    }

    /// Says of every task of every lease that it fails, for `error`.
    pub(crate) async fn fail_everything(&mut self, error: &str) -> Infallible {
        loop {
            let message = self.receive().await;
            if message["type"] != "lease" {
                continue;
            }
            let first = message["first"].as_u64().unwrap();
            for index in first..first + message["count"].as_u64().unwrap() {
                let lease = &message["lease"];
                let failed =
                    json!({"type": "failed", "lease": lease, "index": index, "error": error});
                self.send(&failed.to_string()).await;
            }
        }
    }

    /// The closing frame, after whatever else still comes.
    pub(crate) async fn closing(&mut self) -> CloseFrame {
        loop {
            if let Message::Close(frame) = self.next().await {
                return frame.expect("a close code");
            }
        }
    }
}

// ---- The binary -------------------------------------------------------------------------------

/// The binary, serving, killed when dropped.
pub(crate) struct Tequio {
    pub(crate) child: Child,
    console: Lines<BufReader<ChildStderr>>,
    /// What the console said before it listened.
    pub(crate) preface: Vec<String>,
    /// Where sockets connect.
    pub(crate) url: String,
    /// Where a browser here opens the page, as it is printed.
    pub(crate) page: String,
    /// Where those of others do.
    pub(crate) join: Option<String>,
}

impl Tequio {
    /// One that keeps its jobs in memory.
    pub(crate) async fn serve(arguments: &[&str]) -> Tequio {
        let arguments = [&["--memory", "--listen", "127.0.0.1:0"], arguments].concat();
        Tequio::start(&arguments).await
    }

    /// One that keeps its jobs in a folder.
    pub(crate) async fn serve_from(folder: &TempDir, listen: &str) -> Tequio {
        let folder = folder.path().to_str().unwrap();
        Tequio::start(&["--data", folder, "--listen", listen]).await
    }

    pub(crate) async fn start(arguments: &[&str]) -> Tequio {
        let mut command = binary();
        command.arg("serve").args(arguments);
        Tequio::start_as(command).await
    }

    /// Starts a command that ends up as a server.
    pub(crate) async fn start_as(mut command: Command) -> Tequio {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let console = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut tequio = Tequio {
            child,
            console,
            preface: Vec::new(),
            url: String::new(),
            page: String::new(),
            join: None,
        };
        let line = loop {
            let line = tequio.line_with("").await;
            if line.contains("Listening on") {
                break line;
            }
            tequio.preface.push(line);
        };
        let mut parts = line.split(" · ");
        tequio.url = parts.next().unwrap().split_once("Listening on ").unwrap().1.to_owned();
        tequio.page = parts.next().unwrap().strip_prefix("open ").unwrap().to_owned();
        let join =
            parts.next().map(|join| join.strip_prefix("others join at ").unwrap().to_owned());
        tequio.join = join;
        tequio
    }

    /// The next line that holds `text`, from where its message begins.
    pub(crate) async fn line_with(&mut self, text: &str) -> String {
        loop {
            let line = within(self.console.next_line()).await.unwrap();
            let line = line.unwrap_or_else(|| panic!("the console ended before {text:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// The next line; `None` at the end of the console.
    pub(crate) async fn next_line(&mut self) -> Option<String> {
        within(self.console.next_line()).await.unwrap()
    }

    /// `ADDRESS:PORT`
    pub(crate) fn address(&self) -> SocketAddr {
        self.url.trim_start_matches("ws://").parse().unwrap()
    }

    pub(crate) async fn interrupt(&mut self) -> ExitStatus {
        interrupt(&mut self.child).await;
        within(self.child.wait()).await.unwrap()
    }

    /// As a power cut would.
    pub(crate) async fn kill(mut self) {
        within(self.child.kill()).await.unwrap();
    }
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The binary without anything that the environment says to it.
pub(crate) fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tequio"));
    command.env_remove("TEQUIO_URL").env_remove("TEQUIO_TOKEN").env_remove("RUST_LOG");
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// A command, under way, with all of its ends in the test's hands. `url` is the server's.
pub(crate) fn spawn(url: &str, arguments: &[&str]) -> Child {
    binary()
        .args(arguments)
        .env("TEQUIO_URL", url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for a command's end.
pub(crate) async fn ended(child: Child) -> Ran {
    let output = within(child.wait_with_output()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Runs a command to its end.
pub(crate) async fn run(url: &str, arguments: &[&str]) -> Ran {
    run_with(url, arguments, "").await
}

/// Runs a command to its end with `stdin`.
pub(crate) async fn run_with(url: &str, arguments: &[&str], stdin: &str) -> Ran {
    let mut child = spawn(url, arguments);
    let (mut end, text) = (child.stdin.take().unwrap(), stdin.to_owned());
    tokio::spawn(async move {
        // A command that has heard enough reads no more.
        end.write_all(text.as_bytes()).await.ok();
    });
    ended(child).await
}

/// As Ctrl-C does, once the process listens for it: before, it would just die of it.
pub(crate) async fn interrupt(child: &mut Child) {
    signal(child, "INT").await;
}

/// Sends a signal, once the process listens for being interrupted.
pub(crate) async fn signal(child: &mut Child, name: &str) {
    let pid = child.id().unwrap().to_string();
    until(async || listens_for_interrupt(&pid).then_some(())).await;
    let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status().await.unwrap();
    assert!(sent.success());
}

/// Whether a process catches SIGINT; where a system does not tell, that is taken for granted.
fn listens_for_interrupt(pid: &str) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { return true };
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    // Signals are numbered from 1, and SIGINT is 2.
    u64::from_str_radix(caught.trim(), 16).unwrap() & 0b10 != 0
}

// ---- Bytes ------------------------------------------------------------------------------------

/// What a server answers to these bytes, until it closes the connection: ask it to.
pub(crate) async fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = within(TcpStream::connect(address)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// The head of an answer, its lines in small letters, and the body.
pub(crate) fn parts(answer: &str) -> (String, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
    (head.to_ascii_lowercase(), body)
}

// ---- Waiting ----------------------------------------------------------------------------------

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it came in time")
}

/// Looks until there is something to see.
pub(crate) async fn until<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let seen = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    within(seen).await
}
