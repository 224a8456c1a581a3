//! Who may work, look and change, as browsers and commands meet it.

use crate::support::{Answer, Client, Server, Tequio, http, run, within};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tequio::web::Who;
use tequio_protocol::limits::TOKEN_TRIES_MAX;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

const JOB: &str = r#"{"op":"repeat_multiply","grid":{"initial":1,"factor":2,"times":3}}"#;

/// Every request that changes something, given a job 1 that is running and open.
const CHANGES: &[(&str, &str)] = &[
    ("/api/jobs", JOB),
    ("/api/jobs?op=repeat_multiply&more=true", ""),
    ("/api/jobs/1/inputs?first=0&more=true", ""),
    ("/api/jobs/1/pause", ""),
    ("/api/jobs/1/resume", ""),
    ("/api/jobs/3/close", ""),
    ("/api/jobs/1/cancel", ""),
    // Changes nothing, and is judged as if it did.
    ("/api/operator", ""),
];

const LOOKS: &[&str] = &[
    "/api/jobs",
    "/api/jobs/1",
    "/api/jobs/1/results",
    "/api/jobs/1/sample",
    "/api/ops",
    "/api/grid",
    "/api/server",
    "/api/workers",
    "/healthz",
    "/metrics",
];

fn on_a_network() -> Who {
    Who { is_loopback: false, operator_token: Some("secret".to_owned()), ..Who::default() }
}

async fn post(server: &Server, path: &str, body: &'static str, headers: &[(&str, &str)]) -> Answer {
    let request = server.request(Method::POST, path).body(body);
    Answer::of(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)))
        .await
}

#[tokio::test]
async fn off_loopback_a_change_needs_the_token_and_a_look_does_not() {
    let server = Server::start_for(on_a_network()).await;
    let with_token = [("Authorization", "Bearer secret")];
    let open = post(&server, "/api/jobs?op=repeat_multiply&more=true", "", &with_token).await;
    assert_eq!((open.status, &open.json()["id"]), (201, &json!(1)));
    let before = server.get("/api/jobs").await;
    for (path, body) in CHANGES {
        for shown in
            [None, Some("Bearer wrong"), Some("Bearer "), Some("Basic secret"), Some("secret")]
        {
            let headers: Vec<_> = shown.map(|shown| ("Authorization", shown)).into_iter().collect();
            let answer = post(&server, path, body, &headers).await;
            assert_eq!(answer.refusal(), (401, "unauthorized".into()), "{path} with {shown:?}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{path}");
            assert!(answer.message().contains("operator token"), "{}", answer.message());
        }
        // What asks for a socket, and changes something, is no socket.
        let answer = post(&server, path, body, &[("Upgrade", "websocket")]).await;
        assert_eq!(answer.refusal(), (401, "unauthorized".into()), "{path} with an upgrade");
    }
    assert_eq!(server.get("/api/jobs").await, before, "nothing was changed");
    for path in LOOKS {
        server.get_text(path).await;
    }
    for (path, body) in CHANGES {
        let answer = post(&server, path, body, &with_token).await;
        assert!(answer.status < 300, "{path}: {}", answer.text);
    }
    // Whoever can reach the page may work.
    Client::connect(&server).await;
}

#[tokio::test]
async fn a_page_of_somebody_else_changes_nothing() {
    let local = Server::start().await;
    let open = Server::start_for(Who { is_loopback: false, ..Who::default() }).await;
    let network = Server::start_for(on_a_network()).await;
    for server in [&local, &open, &network] {
        for origin in ["http://evil.example", "http://localhost:1", "http://127.0.0.1", "null", "?"]
        {
            for (path, body) in CHANGES {
                let headers = [("Origin", origin), ("Authorization", "Bearer secret")];
                let answer = post(server, path, body, &headers).await;
                let about = format!("{path} from {origin}");
                assert_eq!(answer.refusal(), (403, "foreign_origin".into()), "{about}");
                assert!(answer.message().contains(origin), "{}", answer.message());
            }
        }
        assert_eq!(server.get("/api/jobs").await, (200, json!([])));
        let own = server.url();
        let headers = [("Origin", own.as_str()), ("Authorization", "Bearer secret")];
        assert_eq!(post(server, "/api/jobs", JOB, &headers).await.status, 201, "its own page does");
    }
}

#[tokio::test]
async fn a_server_on_loopback_is_asked_for_by_a_loopback_name() {
    let server = Server::start().await;
    let port = server.address.port();
    for (host, is_known) in [
        (format!("127.0.0.1:{port}"), true),
        (format!("localhost:{port}"), true),
        (format!("[::1]:{port}"), true),
        (format!("evil.example:{port}"), false),
        ("evil.example".to_owned(), false),
        ("127.0.0.1.evil.example".to_owned(), false),
        (format!("192.168.1.5:{port}"), false),
    ] {
        for path in LOOKS.iter().filter(|path| !path.starts_with("/api/jobs/1")) {
            let answer = Answer::of(server.request(Method::GET, path).header("Host", &host)).await;
            if is_known {
                assert_eq!(answer.status, 200, "{path} of {host}");
            } else {
                assert_eq!(answer.refusal(), (403, "foreign_host".into()), "{path} of {host}");
                assert!(answer.message().contains(&host), "{}", answer.message());
            }
        }
        let answer = post(&server, "/api/jobs", JOB, &[("Host", &host)]).await;
        assert_eq!(answer.status, if is_known { 201 } else { 403 }, "submitting to {host}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_for_a_network_is_asked_for_by_its_names() {
    let own = nix::unistd::gethostname().unwrap().into_string().unwrap();
    let label = own.split('.').next().unwrap();
    let arguments = ["--memory", "--listen", "0.0.0.0:0", "--host", "tunnel.example"];
    let tequio = Tequio::start(&arguments).await;
    let port = tequio.address().port();
    for (host, status) in [
        (format!("127.0.0.1:{port}"), 200),
        ("192.168.1.5".to_owned(), 200),
        (format!("localhost:{port}"), 200),
        (format!("{own}:{port}"), 200),
        (format!("{label}.local:{port}"), 200),
        ("tunnel.example".to_owned(), 200),
        (format!("evil.example:{port}"), 403),
        (format!("{label}.evil.example"), 403),
    ] {
        let asked = http().get(format!("http://127.0.0.1:{port}/api/jobs")).header("Host", &host);
        let answer = Answer::of(asked).await;
        assert_eq!(answer.status, status, "{host}: {}", answer.text);
        if status == 403 {
            let message = answer.message();
            assert!(message.contains(&format!("--host {host}")), "{message}");
        }
    }
}

/// Whoever tries one token after the other is answered ever more slowly; who has the right one, from the same
/// address at the same time, is not.
#[tokio::test]
async fn wrong_tokens_are_slowed_down_and_a_right_one_never() {
    let server = Server::start_for(on_a_network()).await;
    let wrong = async |path: &str| post(&server, path, "", &[("Tequio-Token", "wrong")]).await;
    // As fast as people mistype.
    for _ in 0..TOKEN_TRIES_MAX {
        let answer = wrong("/api/operator").await;
        assert_eq!(answer.refusal(), (401, "unauthorized".to_owned()));
    }
    // All at once, so that each pace has no time to let more go.
    let paths = ["/api/operator", "/api/jobs", "/api/jobs/1/cancel", "/nowhere"];
    let tried = join_all((0..40).map(|number| wrong(paths[number % paths.len()])));
    let mut tried = std::pin::pin!(tried);
    let mut right = 0;
    let answers = loop {
        let asked = post(&server, "/api/operator", "", &[("Tequio-Token", "secret")]);
        tokio::select! {
            answers = &mut tried => break answers,
            answer = asked => {
                assert_eq!(answer.status, 204, "{}", answer.text);
                right += 1;
            }
        }
    };
    assert!(right > 0, "they are kept back for longer than a right one takes");
    let kept_back: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(kept_back.len() > 30, "{} of {}", kept_back.len(), answers.len());
    for answer in kept_back {
        assert_eq!(answer.refusal(), (429, "too_many_tries".to_owned()));
        assert_eq!(answer.header("connection"), Some("close"));
        let retry_after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&retry_after), "{retry_after}");
    }
    // Looking and working need none, and no token at all is no try.
    server.get("/api/jobs").await;
    let without = post(&server, "/api/operator", "", &[]).await;
    assert_eq!(without.refusal(), (401, "unauthorized".to_owned()));
}

#[tokio::test]
async fn whose_pages_may_open_a_socket() {
    let local = Server::start().await;
    let network = Server::start_for(on_a_network()).await;
    let lab =
        Who { allowed_origins: vec!["https://lab.example".parse().unwrap()], ..on_a_network() };
    let lab = Server::start_for(lab).await;
    for (server, origin, may) in [
        (&local, None, true),
        (&local, Some("null".to_owned()), true),
        (&local, Some(local.url()), true),
        (&local, Some("http://localhost:5500".to_owned()), true),
        (&local, Some("http://127.0.0.1:5500".to_owned()), true),
        (&local, Some("http://[::1]:5500".to_owned()), true),
        (&local, Some("https://evil.example".to_owned()), false),
        (&local, Some("http://localhost.evil.example".to_owned()), false),
        (&local, Some("http://127.0.0.1:1.evil.example".to_owned()), false),
        (&network, None, true),
        (&network, Some(network.url()), true),
        (&network, Some("null".to_owned()), false),
        (&network, Some("http://localhost:5500".to_owned()), false),
        (&network, Some("https://lab.example".to_owned()), false),
        (&lab, Some("https://lab.example".to_owned()), true),
        (&lab, Some("http://lab.example".to_owned()), false),
        (&lab, Some("https://evil.example".to_owned()), false),
    ] {
        for path in ["/", "/ws"] {
            let about = format!("{path} of {} from {origin:?}", server.address);
            let url = format!("ws://{}{path}", server.address);
            let mut request = url.into_client_request().unwrap();
            if let Some(origin) = &origin {
                request.headers_mut().insert("Origin", HeaderValue::from_str(origin).unwrap());
            }
            match Box::pin(within(connect_async(request))).await {
                Ok(_) => assert!(may, "{about} is accepted"),
                Err(Error::Http(answer)) => {
                    assert!(!may, "{about} is refused");
                    let body = answer.body().as_deref().unwrap_or_default();
                    let body: Value = serde_json::from_slice(body).unwrap();
                    assert_eq!(answer.status(), 403, "{about}");
                    assert_eq!(body["error"]["code"], "foreign_origin", "{about}");
                }
                Err(other) => panic!("{about}: {other}"),
            }
        }
    }
}

#[tokio::test]
async fn a_page_of_nobodys_hears_what_is_said_and_not_what_was() {
    let server = Server::start().await;
    let url = format!("ws://{}/chat?format=json", server.address);
    let mut first = Client::connect_to(&url).await;
    first.send("before").await;
    assert_eq!(first.receive().await["text"], "before");
    for (origin, hears_before) in [("null", false), ("http://localhost:5500", true)] {
        let mut request = url.as_str().into_client_request().unwrap();
        request.headers_mut().insert("Origin", HeaderValue::from_static(origin));
        let mut page = Client(Box::pin(within(connect_async(request))).await.unwrap().0);
        page.send(origin).await;
        let heard = page.receive().await;
        assert_eq!(heard["text"] == "before", hears_before, "{origin}: {heard}");
        assert_eq!(heard["text"] == origin, !hears_before, "{origin}: {heard}");
    }
}

#[tokio::test]
async fn a_server_for_a_network_prints_the_token_that_it_asks_for() {
    let tequio = Tequio::start(&["--memory", "--listen", "0.0.0.0:0"]).await;
    let told = "Operator token, to submit and control jobs: ";
    let mut tokens = tequio.preface.iter().filter_map(|line| line.split_once(told));
    let token = tokens.next().expect("a token").1.to_owned();
    assert_eq!((tokens.next(), token.len()), (None, 32));
    let url = format!("http://127.0.0.1:{}", tequio.address().port());
    let submit = ["submit", "repeat_multiply", "--initial=1", "--factor=2", "--times=3", "--json"];

    let refused = run(&url, &submit).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.err.contains("operator token") && refused.err.contains("--token"),
        "{refused:?}"
    );
    let wrong = run(&url, &[&submit[..], &["--token", "wrong"]].concat()).await;
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    assert!(wrong.err.contains("not the operator token"), "{wrong:?}");
    let taken = run(&url, &[&submit[..], &["--token", &token]].concat()).await;
    assert_eq!(taken.code, Some(0), "{taken:?}");
    let looked = run(&url, &["job", "1"]).await;
    assert_eq!(looked.code, Some(0), "{looked:?}");
}

#[tokio::test]
async fn a_token_that_is_given_is_asked_for_and_not_printed() {
    let tequio = Tequio::serve(&["--operator-token", "abracadabra"]).await;
    let url = tequio.url.clone();
    assert!(!tequio.preface.iter().any(|line| line.contains("oken")), "{:?}", tequio.preface);
    assert_eq!(run(&url, &["cancel", "1"]).await.code, Some(1));
    let unknown = run(&url, &["cancel", "1", "--token", "abracadabra"]).await;
    assert!(unknown.err.contains("There is no job 1."), "{unknown:?}");
}

/// A browser does not tell a page why a socket of its was refused; a plain request for the same address
/// does, and says whose page asks.
#[tokio::test]
async fn a_page_is_told_why_it_gets_no_socket() {
    let local = Server::start_for(Who { is_loopback: true, ..Who::default() }).await;
    let network = Server::start_for(on_a_network()).await;
    for path in ["/ws", "/echo", "/chat", "/chat/room"] {
        for (server, origin, status, code) in [
            (&local, "http://evil.example", 403, "foreign_origin"),
            (&local, "http://localhost:8080", 426, "not_a_websocket"),
            (&network, "http://localhost:8080", 403, "foreign_origin"),
            (&network, server_origin(&network).as_str(), 426, "not_a_websocket"),
        ] {
            let asked = format!("{path}?origin={}", origin.replace("://", "%3A%2F%2F"));
            let answer = Answer::of(server.request(Method::GET, &asked)).await;
            assert_eq!(answer.refusal(), (status, code.to_owned()), "{asked}");
        }
        let unnamed = Answer::of(local.request(Method::GET, path)).await;
        assert_eq!(unnamed.refusal(), (426, "not_a_websocket".to_owned()), "{path}");
    }
    local.stop().await;
    network.stop().await;
}

fn server_origin(server: &Server) -> String {
    format!("http://{}", server.address)
}
