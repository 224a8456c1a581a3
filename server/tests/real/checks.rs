//! How the results of a job are checked: all of them, none, or by two workers that agree.

use crate::support::{Client, Server, ended, interrupt, run, spawn, until, within};
use serde_json::{Value, json};
use tequio_protocol::api::JobState;
use tequio_protocol::check::Check;
use tokio::net::TcpSocket;
use tokio_tungstenite::{MaybeTlsStream, client_async};

/// The square of a number.
const SQUARES: &str = r#"(module (func (export "run") (param i64) (result i64)
    (i64.mul (local.get 0) (local.get 0))))"#;

/// Never ends.
const ENDLESS: &str =
    r#"(module (func (export "run") (param i32) (result i32) (loop (br 0)) (i32.const 1)))"#;

const CHROME: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36";

async fn add(server: &Server, name: &str, text: &str) {
    let module = wat::parse_str(text).unwrap();
    let added = server.post(&format!("/api/kernels?name={name}"), module).await;
    assert_eq!(added.status, 201, "{}", added.text);
}

/// Connects from one of this machine's own addresses.
async fn connect_from(server: &Server, address: [u8; 4]) -> Client {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((address, 0).into()).unwrap();
    let stream = within(socket.connect(server.address)).await.unwrap();
    let url = format!("ws://{}/ws", server.address);
    let (socket, _) = within(client_async(url, MaybeTlsStream::Plain(stream))).await.unwrap();
    let mut client = Client(socket);
    let hello = json!({"type": "hello", "protocol": 1, "agent": CHROME, "slots": 1, "worker": "w",
        "ops": ["repeat_multiply", "collatz", "kernel"]});
    client.send(&hello.to_string()).await;
    until_message(&mut client, "welcome").await;
    client
}

async fn connect(server: &Server) -> Client {
    connect_from(server, [127, 0, 0, 1]).await
}

async fn until_message(client: &mut Client, kind: &str) -> Value {
    loop {
        let message = client.receive().await;
        if message["type"] == kind {
            return message;
        }
    }
}

/// Answers a lease of the squares of its indices, of which `lie` is another.
async fn answer(client: &mut Client, lease: &Value, lie: Option<u64>) {
    let (first, count) = (lease["first"].as_u64().unwrap(), lease["count"].as_u64().unwrap());
    let result = |n: u64| if lie == Some(n) { 7 } else { n * n };
    let results: Vec<u64> = (first..first + count).map(result).collect();
    let answer = json!({"type": "results", "lease": lease["lease"], "first": first,
        "results": results, "agent": CHROME});
    client.try_send(&answer).await;
}

/// Answers leases, lying about one task; until its connection is over.
async fn work_and_lie(client: &mut Client, about: u64) {
    while let Some(message) = client.heard().await {
        if message["type"] == "lease" {
            answer(client, &message, Some(about)).await;
        }
    }
}

fn squares(tasks: u64, check: Check) -> String {
    json!({"kernel": "squares", "axes": {"n": format!("0..{tasks}")}, "block": 1, "check": check})
        .to_string()
}

async fn wrong_results(server: &Server, id: u64, tasks: u64) -> Vec<u64> {
    let text = server.get_text(&format!("/api/jobs/{id}/results")).await;
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let results: Vec<Value> = lines.map(|line| line["result"].clone()).collect();
    assert_eq!(results.len() as u64, tasks);
    (0..).zip(&results).filter(|(n, result)| **result != json!(n * n)).map(|(n, _)| n).collect()
}

#[tokio::test]
async fn a_liar_in_a_job_that_is_audited_whole_is_caught() {
    const TASKS: u64 = 3000;
    let server = Server::start_with(None).await;
    add(&server, "squares", SQUARES).await;
    let id = server.submit("/api/jobs", squares(TASKS, Check::All)).await;
    let mut liar = connect(&server).await;
    // Beyond what a newcomer's first results are, of which all are audited in any case.
    within(work_and_lie(&mut liar, 2500)).await;
    let name = r#"tequio_mismatches_total{browser="Chrome 131"}"#;
    assert_eq!(server.metric(name).await, 1);
    let mut honest = connect(&server).await;
    let done = async {
        let job = server.job_over(id).await;
        (job.state, job.done, job.audited, job.check)
    };
    let done = tokio::select! {
        done = done => done,
        () = work_and_lie(&mut honest, TASKS) => panic!("an honest worker was turned away"),
    };
    assert_eq!(done, (JobState::Done, TASKS, TASKS, Check::All));
    assert_eq!(wrong_results(&server, id, TASKS).await, [0; 0]);
    let shown = run(&server.url(), &["job", &id.to_string()]).await.succeeded();
    assert!(shown.contains("100 % audited"), "{shown}");
}

#[tokio::test]
async fn of_a_job_that_is_not_audited_what_comes_is_believed() {
    let server = Server::start_with(None).await;
    add(&server, "squares", SQUARES).await;
    let id = server.submit("/api/jobs", squares(100, Check::None)).await;
    let mut liar = connect(&server).await;
    let job = tokio::select! {
        job = server.job_over(id) => job,
        () = work_and_lie(&mut liar, 7) => panic!("nobody looks"),
    };
    assert_eq!((job.done, job.audited, job.check), (100, 0, Check::None));
    assert_eq!(wrong_results(&server, id, 100).await, [7]);
}

#[tokio::test]
async fn two_workers_at_different_addresses_compute_what_is_checked_twice() {
    let server = Server::start_with(None).await;
    add(&server, "squares", SQUARES).await;
    let (mut near, mut beside) = (connect(&server).await, connect(&server).await);
    let mut far = connect_from(&server, [127, 0, 0, 2]).await;
    let id = server.submit("/api/jobs", squares(1, Check::Twice)).await;
    // Who is idle gets a copy, and here all are.
    let lease = until_message(&mut far, "lease").await;
    for client in [&mut near, &mut beside] {
        let lease = until_message(client, "lease").await;
        answer(client, &lease, None).await;
    }
    let answered = async || Some(server.job(id).await).filter(|job| job.workers == 1);
    let job = until(answered).await;
    assert_eq!(
        (job.done, job.leased),
        (0, 1),
        "two at one address are not enough: there is another"
    );
    answer(&mut far, &lease, None).await;
    let job = server.job_over(id).await;
    assert_eq!((job.done, job.audited), (1, 0));
    assert_eq!(wrong_results(&server, id, 1).await, [0; 0]);
}

#[tokio::test]
async fn who_disagrees_and_is_wrong_is_turned_away_whoever_answered_first() {
    for liar_is_first in [true, false] {
        let server = Server::start_with(None).await;
        add(&server, "squares", SQUARES).await;
        let id = server.submit("/api/jobs", squares(1, Check::Twice)).await;
        let mut first = connect(&server).await;
        let lease = until_message(&mut first, "lease").await;
        answer(&mut first, &lease, liar_is_first.then_some(0)).await;
        let voted = async || Some(server.job(id).await).filter(|job| job.unconfirmed == 1);
        until(voted).await;
        let mut second = connect(&server).await;
        let lease = until_message(&mut second, "lease").await;
        answer(&mut second, &lease, (!liar_is_first).then_some(0)).await;
        let liar = if liar_is_first { &mut first } else { &mut second };
        assert_eq!(u16::from(liar.closing().await.code), 4012);
        let job = server.job_over(id).await;
        assert_eq!((job.done, job.audited), (1, 1), "the server has decided");
        assert_eq!(wrong_results(&server, id, 1).await, [0; 0]);
    }
}

#[tokio::test]
async fn that_a_second_worker_is_missing_is_said() {
    let server = Server::start_with(None).await;
    let url = server.url();
    let mut work = spawn(&url, &["work", "--slots", "1"]);
    let running = run(&url, &["run", "collatz", "n=1..=50", "--check", "twice"]);
    let second = async {
        let alone = async || {
            let (_, job) = server.get("/api/jobs/1").await;
            (job["unconfirmed"] == 50).then_some(())
        };
        until(alone).await;
        let shown = run(&url, &["job", "1"]).await.succeeded();
        assert!(shown.contains("each task is computed by two workers"), "{shown}");
        assert!(shown.contains("50 tasks wait for a second worker"), "{shown}");
        spawn(&url, &["work", "--slots", "1"])
    };
    let (ran, mut second) = tokio::join!(running, second);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.out.lines().count(), 50);
    for work in [&mut work, &mut second] {
        interrupt(work).await;
    }
    ended(work).await;
    ended(second).await;
}

#[tokio::test]
async fn an_honest_worker_whose_kernel_hangs_is_not_turned_away() {
    let server = Server::start_with(None).await;
    add(&server, "endless", ENDLESS).await;
    let job = json!({"kernel": "endless", "axes": {"n": "0..20"}, "block": 1, "check": "none"});
    let id = server.submit("/api/jobs", job.to_string()).await;
    let mut worker = connect(&server).await;
    let failed = tokio::select! {
        job = server.job_over(id) => job.failed,
        never = worker.fail_everything("it took too long") => match never {},
    };
    assert_eq!(failed, 20, "after three attempts each");
    add(&server, "squares", SQUARES).await;
    let id = server.submit("/api/jobs", squares(10, Check::Auto)).await;
    let job = tokio::select! {
        job = server.job_over(id) => job,
        () = work_and_lie(&mut worker, 10) => panic!("it was turned away"),
    };
    assert_eq!((job.done, job.audited), (10, 10));
}

#[tokio::test]
async fn who_cannot_load_one_kernel_is_lent_others() {
    let server = Server::start_with(None).await;
    add(&server, "endless", ENDLESS).await;
    add(&server, "squares", SQUARES).await;
    let endless = json!({"kernel": "endless", "axes": {"n": "0..20"}, "block": 1, "priority": 9});
    server.submit("/api/jobs", endless.to_string()).await;
    let id = server.submit("/api/jobs", squares(10, Check::Auto)).await;
    let mut worker = connect(&server).await;
    let job = async {
        loop {
            let lease = until_message(&mut worker, "lease").await;
            if lease["job"] == id {
                answer(&mut worker, &lease, None).await;
                continue;
            }
            let error = json!({"type": "error", "code": "cannot_load", "message": "no memory for it",
                "lease": lease["lease"]});
            worker.try_send(&error).await;
        }
    };
    let job = tokio::select! {
        job = server.job_over(id) => job,
        () = job => unreachable!(),
    };
    assert_eq!(job.done, 10);
    assert_eq!(server.job(1).await.leased, 0);
}

#[tokio::test]
async fn inputs_of_lines_are_measured_as_axes_are() {
    let server = Server::start_with(None).await;
    add(&server, "squares", SQUARES).await;
    let lines: String = (0..5000).map(|n| format!("{{\"p1\":{n}}}\n")).collect();
    let whole = server.submit("/api/jobs?op=squares", lines.clone()).await;
    let block = server.job(whole).await.block;
    assert!(block > 16 && block.is_power_of_two(), "{block}");
    // More may follow: a block that is not full would wait for it.
    let open = server.submit("/api/jobs?op=squares&more=true", lines.clone()).await;
    assert_eq!(server.job(open).await.block, 16);
    let empty = server.submit("/api/jobs?op=squares&more=true", "").await;
    assert_eq!(server.job(empty).await.block, 16);
    let few = server.submit("/api/jobs?op=squares&check=twice", "{\"p1\":3}\n").await;
    let view = server.job(few).await;
    assert_eq!((view.block, view.check), (1, Check::Twice));
}

#[tokio::test]
async fn a_check_that_there_is_not_is_refused_in_words() {
    let server = Server::start_with(None).await;
    for (job, said) in [
        (json!({"op": "collatz", "axes": {"n": 1}, "check": "some"}), "auto, all, none, twice"),
        (json!({"op": "collatz", "axes": {"n": 1}, "check": 2}), "\"check\" is 2"),
    ] {
        let refused = server.post("/api/jobs", job.to_string()).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        assert!(refused.message().contains(said), "{}", refused.text);
    }
    let ran = run(&server.url(), &["submit", "collatz", "n=1", "--check", "some"]).await;
    assert!(ran.failed(2).contains("auto, all, none, twice"));
}
