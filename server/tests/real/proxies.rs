//! What stands between commands and a server: proxies that cut answers off, answer themselves, ask for a
//! password, or pass everything on.

use crate::support::{
    Server, Tequio, Worker, binary, eights, eights_of_lines, ended, run, run_with, until,
};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use tequio::web::Who;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;

/// What a proxy does with a request.
#[derive(Clone, Debug)]
enum Reply {
    /// Passes it on, and all that follows on its connection.
    Pass,
    /// Answers itself.
    Answer(String),
    /// Asks the server in HTTP/1.0, as nginx does by default: the end of the connection is the end of the
    /// answer, and the client is told that this is all. The server "stops" after so many bytes.
    Old(usize),
    /// Passes on what the server says after the proxy has said that there is a way to it.
    Tunnel,
}

/// A proxy that decides by the head of each request.
struct Proxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    async fn start(
        server: SocketAddr,
        decide: impl FnMut(&str) -> Reply + Send + 'static,
    ) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (decide, seen) = (Arc::new(Mutex::new(decide)), heads.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (decide, seen) = (decide.clone(), seen.clone());
                tokio::spawn(async move {
                    let decide = move |head: &str| {
                        seen.lock().unwrap().push(head.to_owned());
                        decide.lock().unwrap()(head)
                    };
                    // Whoever leaves in the middle has what it wanted.
                    serve(client, server, decide).await.ok();
                });
            }
        });
        Proxy { address, heads }
    }

    /// One that gives these replies in turn, and then passes everything on.
    async fn with_replies(server: SocketAddr, replies: &[Reply]) -> Proxy {
        let mut replies: VecDeque<Reply> = replies.iter().cloned().collect();
        Proxy::start(server, move |_| replies.pop_front().unwrap_or(Reply::Pass)).await
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads of all requests so far.
    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn serve(
    mut client: TcpStream,
    server: SocketAddr,
    decide: impl Fn(&str) -> Reply,
) -> std::io::Result<()> {
    let mut read = Vec::new();
    let head_end = loop {
        if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if client.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
    };
    let head = String::from_utf8_lossy(&read[..head_end]).into_owned();
    match decide(&head) {
        Reply::Pass => {
            let mut server = TcpStream::connect(server).await?;
            // The next request comes on a connection of its own, or it would be passed on unseen.
            let is_socket = head.to_ascii_lowercase().contains("\r\nupgrade:");
            let once = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
            server.write_all(if is_socket { &head } else { &once }.as_bytes()).await?;
            server.write_all(&read[head_end..]).await?;
            copy_bidirectional(&mut client, &mut server).await?;
        }
        Reply::Answer(answer) => {
            client.write_all(answer.as_bytes()).await?;
            client.shutdown().await?;
            // Read on, so that the answer is not lost with what the client still sends.
            tokio::io::copy(&mut client, &mut tokio::io::sink()).await?;
        }
        Reply::Tunnel => {
            let mut server = TcpStream::connect(server).await?;
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
            copy_bidirectional(&mut client, &mut server).await?;
        }
        Reply::Old(bytes_max) => {
            let mut server = TcpStream::connect(server).await?;
            let old = head.replacen("HTTP/1.1", "HTTP/1.0\r\nConnection: close", 1);
            server.write_all(old.as_bytes()).await?;
            while read.len() < head_end + length_of(&head) {
                if client.read_buf(&mut read).await? == 0 {
                    return Ok(());
                }
            }
            server.write_all(&read[head_end..]).await?;
            relay_old(&mut client, &mut server, bytes_max).await?;
        }
    }
    Ok(())
}

/// How long a request's body is.
fn length_of(head: &str) -> usize {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.map_or(0, |(_, value)| value.trim().parse().unwrap())
}

/// Passes an answer in HTTP/1.0 on in chunks, up to so many bytes of it, and says that it is whole.
async fn relay_old(
    client: &mut TcpStream,
    server: &mut TcpStream,
    bytes_max: usize,
) -> std::io::Result<()> {
    let mut answer = Vec::new();
    server.take(bytes_max as u64).read_to_end(&mut answer).await?;
    let at = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_default();
    let head = String::from_utf8_lossy(&answer[..at]).into_owned();
    let kept = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("content-length"));
    let head = kept.collect::<Vec<_>>().join("\r\n").replacen("HTTP/1.0", "HTTP/1.1", 1);
    client.write_all(format!("{head}\r\ntransfer-encoding: chunked\r\n\r\n").as_bytes()).await?;
    let body = &answer[at + 4..];
    client.write_all(format!("{:x}\r\n", body.len()).as_bytes()).await?;
    client.write_all(body).await?;
    client.write_all(b"\r\n0\r\n\r\n").await
}

fn answer(status: &str, headers: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Answer(format!(
        "HTTP/1.1 {status}\r\nserver: nginx/1.22.1\r\ncontent-type: text/html\r\n{headers}\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    ))
}

/// What nginx says of a server that is not there.
fn bad_gateway() -> Reply {
    answer("502 Bad Gateway", "", "<html><h1>502 Bad Gateway</h1></html>")
}

/// A server with a job that is done.
async fn server_with_results(count: u64) -> Server {
    let server = Server::start_with(None).await;
    let id = server.submit("/api/jobs?op=repeat_multiply", eights(0..count)).await;
    let worker = Worker::start(&server);
    server.job_over(id).await;
    worker.stop().await;
    server
}

// ---- Whole or broken off ----------------------------------------------------------------------

/// More than any buffer on the way holds.
const MANY: u64 = 50_000;

/// Somewhere in the middle of them.
const SOME_BYTES: usize = 700_000;

#[tokio::test]
async fn results_that_an_old_proxy_calls_whole_are_not_taken_for_whole() {
    let server = server_with_results(MANY).await;
    let all = eights_of_lines(0..MANY);
    for format in ["jsonl", "csv"] {
        let proxy = Proxy::with_replies(server.address, &[Reply::Old(SOME_BYTES)]).await;
        let ran = run(&proxy.url(), &["results", "1", "--format", format]).await;
        assert_eq!(ran.code, Some(1), "{}", ran.err);
        assert!(ran.err.contains("break off"), "{}", ran.err);
        let whole = run(&server.url(), &["results", "1", "--format", format]).await.out;
        assert!(whole.starts_with(&ran.out) && ran.out.len() < whole.len(), "{format}");
        // What it proposes gives the rest.
        let first = ran.err.split("--first ").nth(1).unwrap().split('`').next().unwrap();
        let rest =
            run(&server.url(), &["results", "1", "--format", format, "--first", first]).await;
        let rest =
            rest.out.strip_prefix("index,result,error,line\n").unwrap_or(&rest.out).to_owned();
        assert_eq!(ran.out + &rest, whole, "{format}");
        assert!(format == "csv" || whole == all);
    }
}

#[tokio::test]
async fn whoever_follows_goes_on_behind_an_old_proxy() {
    let server = server_with_results(MANY).await;
    // The last cut is in the line that says that this is all.
    let whole = eights_of_lines(0..MANY).len();
    let cuts = [300, 500_000, 499_999, 1_000_000, whole / 2];
    let replies: Vec<Reply> = cuts.into_iter().map(Reply::Old).collect();
    for format in ["jsonl", "csv"] {
        let proxy = Proxy::with_replies(server.address, &replies).await;
        let followed = run(&proxy.url(), &["results", "1", "--follow", "--format", format]).await;
        let direct = run(&server.url(), &["results", "1", "--format", format]).await;
        assert_eq!((followed.code, direct.code), (Some(0), Some(0)), "{}", followed.err);
        assert!(followed.out == direct.out, "{format}: nothing is missing and nothing is twice");
    }
}

#[tokio::test]
async fn map_goes_on_behind_an_old_proxy() {
    let server = Server::start_with(None).await;
    let worker = Worker::start(&server);
    let mut cuts = VecDeque::from([400, 9_000, 70_000]);
    let proxy = Proxy::start(server.address, move |head| match cuts.front() {
        Some(cut) if head.contains("/results?") => {
            let reply = Reply::Old(*cut);
            cuts.pop_front();
            reply
        }
        _ => Reply::Pass,
    })
    .await;
    let mapped = run_with(&proxy.url(), &["map", "repeat_multiply"], &eights(0..20_000)).await;
    assert_eq!(mapped.code, Some(0), "{}", mapped.err);
    assert!(mapped.out == eights_of_lines(0..20_000));
    worker.stop().await;
}

// ---- A server that is started again behind a proxy --------------------------------------------

#[tokio::test]
async fn commands_wait_while_a_proxy_does_not_reach_its_server() {
    let server = server_with_results(10).await;
    for status in [
        "502 Bad Gateway",
        "504 Gateway Time-out",
        "503 Service Unavailable",
        "408 Request Timeout",
        "429 Too Many Requests",
        "522 Origin Time-out",
    ] {
        let mut troubled = Some(answer(status, "retry-after: 1\r\n", "<html>"));
        let proxy = Proxy::start(server.address, move |head| match head.contains("/results?") {
            true => troubled.take().unwrap_or(Reply::Pass),
            false => Reply::Pass,
        })
        .await;
        let followed = run(&proxy.url(), &["results", "1", "--follow"]).await;
        assert_eq!(followed.code, Some(0), "{status}: {}", followed.err);
        assert_eq!(followed.out, eights_of_lines(0..10));
        assert!(followed.err.contains(&status[..3]), "it says why it waits: {}", followed.err);
        assert_eq!(followed.err.matches("trying again").count(), 1, "{}", followed.err);
    }
}

#[tokio::test]
async fn map_and_submit_wait_while_a_proxy_does_not_reach_its_server() {
    let server = Server::start_with(None).await;
    let worker = Worker::start(&server);
    // Every third request finds the server away, but for those that a command begins with: these fail at
    // once, as they do without a proxy.
    let mut requests = 0;
    let proxy = Proxy::start(server.address, move |head| {
        requests += 1;
        match head.starts_with("GET ") || head.contains("/inputs?") {
            true if requests % 3 == 0 => bad_gateway(),
            true if !head.contains("/results?") => Reply::Old(usize::MAX),
            _ => Reply::Pass,
        }
    })
    .await;
    let mapped = run_with(&proxy.url(), &["map", "repeat_multiply"], &eights(0..5_000)).await;
    assert_eq!(mapped.code, Some(0), "{}", mapped.err);
    assert!(mapped.out == eights_of_lines(0..5_000));
    let grid =
        ["submit", "repeat_multiply", "--initial", "0..500", "--factor", "2", "--times", "3"];
    let waited = run(&proxy.url(), &[&grid[..], &["--wait"]].concat()).await;
    assert_eq!(waited.code, Some(0), "{}", waited.err);
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_comes_back_when_a_proxy_reaches_its_server_again() {
    let server = Server::start_with(None).await;
    let id = server.submit("/api/jobs?op=repeat_multiply", eights(0..100)).await;
    let proxy = Proxy::with_replies(server.address, &[bad_gateway()]).await;
    let work = command(&["work", &proxy.url(), "--slots", "1"]).spawn().unwrap();
    server.job_over(id).await;
    drop(work);
}

// ---- Foreign answers --------------------------------------------------------------------------

#[tokio::test]
async fn what_a_proxy_answers_is_said_as_what_it_is() {
    let server = Server::start_with(None).await;
    for (reply, said) in [
        (answer("413 Request Entity Too Large", "", "<html>"), "client_max_body_size"),
        (answer("401 Unauthorized", "www-authenticate: Basic\r\n", ""), "user and a password"),
        (answer("403 Forbidden", "", "<html>blocked</html>"), "filter"),
        (
            answer("302 Found", "location: https://lab.example/login\r\n", ""),
            "https://lab.example/login",
        ),
        (answer("404 Not Found", "", "<html>"), "below a path"),
        (answer("200 OK", "", "<html>Log in</html>"), "text/html"),
        (answer("500 Oops", "", "{\"error\":\"no\"}"), "no tequio"),
    ] {
        let proxy = Proxy::start(server.address, move |_| reply.clone()).await;
        for arguments in [
            &["jobs"][..],
            &["results", "1"],
            &["results", "1", "--follow"],
            &["submit", "repeat_multiply", "--initial", "1", "--factor", "1", "--times", "1"],
        ] {
            let ran = run(&proxy.url(), arguments).await;
            assert_eq!(ran.code, Some(1), "{arguments:?}: {}", ran.err);
            assert!(ran.err.contains(said), "{arguments:?}: {}", ran.err);
            assert!(ran.err.contains("nginx/1.22.1"), "who says so: {}", ran.err);
            assert_eq!(ran.err.trim_end().lines().count(), 1, "{}", ran.err);
        }
    }
}

#[tokio::test]
async fn a_socket_that_a_proxy_refuses_says_what_it_means() {
    let server = Server::start_with(None).await;
    for (reply, said) in [
        (
            answer("401 Unauthorized", "www-authenticate: Basic\r\n", "<html>"),
            "user and a password",
        ),
        (answer("426 Upgrade Required", "", "<html>"), "does not pass WebSockets on"),
        (answer("302 Found", "location: /login\r\n", ""), "it sends on to"),
    ] {
        let proxy = Proxy::start(server.address, move |_| reply.clone()).await;
        for command in ["echo", "chat"] {
            let ran = run(&proxy.url(), &[command]).await;
            assert_eq!(ran.code, Some(1), "{command}: {}", ran.err);
            assert!(ran.err.contains(said), "{command}: {}", ran.err);
        }
    }
}

// ---- Passwords and tokens ---------------------------------------------------------------------

/// `ana:s e-cret`
const ANA: &str = "Basic YW5hOnMgZS1jcmV0";

#[tokio::test]
async fn a_user_in_the_address_is_shown_to_a_proxy_and_to_nobody_else() {
    let who = Who { operator_token: Some("token-17".to_owned()), ..Who::default() };
    let server = Server::start_for(who).await;
    let proxy = Proxy::start(server.address, |head| {
        let is_ana = head.lines().any(|line| {
            line.to_ascii_lowercase().starts_with("authorization:") && line.ends_with(ANA)
        });
        if is_ana { Reply::Pass } else { answer("401 Unauthorized", "", "") }
    })
    .await;
    let url = proxy.url().replace("://", "://ana:s%20e-cret@");
    let grid = ["submit", "repeat_multiply", "--initial", "1", "--factor", "1", "--times", "1"];
    let mut said = String::new();
    for arguments in [&["jobs"][..], &["workers"], &["echo", &url, "hola"]] {
        let ran = run(&url, arguments).await;
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.err);
        said += &(ran.out + &ran.err);
    }
    let submitted = run(&url, &[&grid[..], &["--token", "token-17"]].concat()).await;
    assert_eq!(submitted.code, Some(0), "both are taken: {}", submitted.err);
    let refused = run(&url, &grid).await;
    assert!(refused.err.contains("operator token"), "{}", refused.err);

    let mut work = command(&["work", &url]).stderr(Stdio::piped()).spawn().unwrap();
    until(async || (server.workers().await.len() == 1).then_some(())).await;
    crate::support::interrupt(&mut work).await;
    said += &ended(work).await.err;
    server.stop().await;
    for arguments in [
        &["jobs"][..],
        &["echo", &url, "hola"],
        &["chat"],
        &["--help"],
        &["work", "--help"],
        &["results", "--help"],
    ] {
        let ran = run(&url, arguments).await;
        said += &(ran.out + &ran.err);
    }
    // What is no address is not repeated.
    for bad in ["http://ana:s%20e-cret@lab:99999", "ana:s%20e-cret@lab", "ftp://ana:s%20e-cret@lab"]
    {
        for arguments in [&["jobs"][..], &["work"], &["echo"], &["chat"]] {
            let ran = run(bad, arguments).await;
            assert_eq!(ran.code, Some(2), "{bad}: {}", ran.err);
            said += &(ran.out + &ran.err);
        }
    }
    assert!(!said.contains("e-cret") && !said.contains(ANA), "{said}");
}

#[tokio::test]
async fn a_token_with_a_line_end_is_a_sentence_of_its_own() {
    let server =
        Server::start_for(Who { operator_token: Some("secret".to_owned()), ..Who::default() })
            .await;
    let url = server.url();
    for (token, code, said) in [
        (" secret\n", Some(0), ""),
        ("sec\nret", Some(2), "a line end"),
        ("señal", Some(2), "not ASCII"),
    ] {
        let grid = ["submit", "repeat_multiply", "--initial", "1", "--factor", "1", "--times", "1"];
        let ran = run(&url, &[&grid[..], &["--token", token]].concat()).await;
        assert_eq!(ran.code, code, "{token:?}: {}", ran.err);
        assert!(ran.err.contains(said) && !ran.err.contains("sec\nret"), "{}", ran.err);
    }
}

// ---- Proxies that the environment names -------------------------------------------------------

fn command(arguments: &[&str]) -> tokio::process::Command {
    let mut command = binary();
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A command that is told of a proxy.
fn proxied(arguments: &[&str], url: &str, proxy: &str) -> Child {
    let mut command = command(arguments);
    for variable in ["http_proxy", "all_proxy"] {
        command.env(variable, proxy);
    }
    command.env("TEQUIO_URL", url).env_remove("no_proxy").env_remove("NO_PROXY").spawn().unwrap()
}

#[tokio::test]
async fn a_server_of_this_machine_is_never_asked_for_through_a_proxy() {
    let server = Server::start_with(None).await;
    let proxy = Proxy::start(server.address, |_| bad_gateway()).await;
    let port = server.address.port();
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{port}");
        for arguments in [&["jobs"][..], &["echo", "--count", "1"]] {
            let ran = ended(proxied(arguments, &url, &proxy.url())).await;
            assert_eq!(ran.code, Some(0), "{url} {arguments:?}: {}", ran.err);
        }
    }
    assert_eq!(proxy.heads(), [""; 0]);
}

#[tokio::test]
async fn every_command_takes_the_proxy_that_the_environment_names() {
    let mut server =
        Tequio::serve(&["--allow-origin", "http://lab.example:8765", "--no-welcome"]).await;
    let proxy = Proxy::start(server.address(), |head| match head {
        _ if !head.contains("Basic YW5hOng=") => {
            answer("407 Proxy Authentication Required", "", "")
        }
        _ if head.starts_with("CONNECT lab.example:8765 ") => Reply::Tunnel,
        _ if head.contains(" http://lab.example:8765/") => Reply::Pass,
        _ => answer("400 Bad Request", "", ""),
    })
    .await;
    let through = proxy.url().replace("://", "://ana:x@");
    let url = "http://lab.example:8765";
    for arguments in [&["jobs"][..], &["echo", url, "hola"], &["workers"]] {
        let ran = ended(proxied(arguments, url, &through)).await;
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.err);
    }
    let mut work = proxied(&["work", "--slots", "1"], url, &through);
    server.line_with("tequio/").await;
    crate::support::interrupt(&mut work).await;
    assert_eq!(ended(work).await.code, Some(0));
    assert!(proxy.heads().iter().any(|head| head.starts_with("CONNECT")), "for sockets");
    assert!(proxy.heads().iter().any(|head| head.starts_with("GET http://lab")), "for requests");
    let asked = proxy.heads().len();
    assert!(asked > 0);

    // Errors name the proxy, and its password never.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let away = format!("http://ana:x-secret@{}", closed.local_addr().unwrap());
    drop(closed);
    for arguments in [&["jobs"][..], &["echo", url, "hola"], &["chat", url]] {
        let ran = ended(proxied(arguments, url, &away)).await;
        assert_eq!(ran.code, Some(1), "{arguments:?}");
        let name = away.replace("ana:x-secret@", "");
        assert!(ran.err.contains(&name) && ran.err.contains("http_proxy"), "{}", ran.err);
        assert!(!ran.err.contains("x-secret"), "{}", ran.err);
        let ran = ended(proxied(arguments, url, &proxy.url())).await;
        assert!(ran.err.contains("user and a password"), "{arguments:?}: {}", ran.err);
    }
    server.interrupt().await;
}

// ---- Where nobody is --------------------------------------------------------------------------

#[tokio::test]
async fn each_way_to_be_nowhere_has_a_sentence_of_its_own() {
    let server = Server::start_with(None).await;
    let port = server.address.port();
    for (url, code, said) in [
        (format!("https://127.0.0.1:{port}"), 1, "does not speak TLS"),
        (
            "http://no-such-host.invalid:8765".to_owned(),
            1,
            "the name no-such-host.invalid is not known",
        ),
        ("ftp://lab".to_owned(), 2, "ftp:// is no scheme of a server"),
        ("lab:8765".to_owned(), 2, "expected a server such as http://"),
        ("http://127.0.0.1:1".to_owned(), 1, "is the server there?"),
    ] {
        for arguments in [&["jobs"][..], &["echo"], &["chat"]] {
            let ran = run(&url, arguments).await;
            assert_eq!(ran.code, Some(code), "{url} {arguments:?}: {}", ran.err);
            assert!(ran.err.contains(said), "{url} {arguments:?}: {}", ran.err);
        }
    }
}
