//! Who is shown behind a proxy.

use crate::support::{Answer, Client, Server, Tequio, binary, ended, http, within};
use std::process::Stdio;
use tequio::web::Who;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};

async fn connect(url: &str, header: (&'static str, &'static str)) -> Client {
    let mut request = url.into_client_request().unwrap();
    let (name, value) = header;
    let name = HeaderName::from_static(name);
    request.headers_mut().insert(name, HeaderValue::from_static(value));
    Client(Box::pin(within(connect_async(request))).await.unwrap().0)
}

async fn only_worker(server: &Server) -> String {
    server.workers().await.pop().unwrap().address
}

#[tokio::test]
async fn a_worker_behind_a_trusted_proxy_is_shown_as_itself() {
    let trusting = || Who {
        is_loopback: true,
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..Who::default()
    };
    let outside = || Who {
        is_loopback: true,
        allowed_origins: vec!["https://lab.example".parse().unwrap()],
        operator_token: Some("secret".to_owned()),
        ..Who::default()
    };
    let nobody = || Who { is_loopback: true, ..Who::default() };
    for (who, header, shown) in [
        (trusting(), ("x-forwarded-for", "203.0.113.7"), "203.0.113.7"),
        (trusting(), ("x-forwarded-for", "9.9.9.9, 203.0.113.7, 127.0.0.9"), "203.0.113.7"),
        (trusting(), ("forwarded", "for=\"[2001:db8::1]:4711\";proto=http"), "[2001:db8::1]:4711"),
        (outside(), ("x-forwarded-for", "2001:db8::7"), "2001:db8::7"),
        (nobody(), ("x-forwarded-for", "203.0.113.7"), "127.0.0.1:"),
        (nobody(), ("forwarded", "for=203.0.113.7"), "127.0.0.1:"),
    ] {
        let server = Server::start_for(who).await;
        let mut client = connect(&format!("ws://{}/ws", server.address), header).await;
        client.hello().await;
        let address = only_worker(&server).await;
        let is_as_shown =
            if shown.ends_with(':') { address.starts_with(shown) } else { address == shown };
        assert!(is_as_shown, "{header:?}: {address}");
    }
}

#[tokio::test]
async fn the_console_shows_who_is_behind_a_proxy() {
    let mut tequio = Tequio::serve(&["--trust-proxy", "::1", "--trust-proxy", "127.0.0.1"]).await;
    let url = tequio.url.clone();
    for (path, name) in [("/ws", "#1"), ("/echo", "echo #1"), ("/chat", "chat #1")] {
        let header = ("x-forwarded-for", "203.0.113.7");
        let _client = connect(&format!("{url}{path}"), header).await;
        let line = tequio.line_with(&format!("{name} connected from")).await;
        assert!(line.contains("connected from 203.0.113.7 path="), "{line}");
    }
    let poll = url.replace("ws://", "http://") + "/socket.io/?EIO=4&transport=polling";
    let open = Answer::of(http().get(&poll).header("Forwarded", "for=203.0.113.8:99")).await;
    let sid = open.text.split('"').nth(3).unwrap().to_owned();
    Answer::of(http().post(format!("{poll}&sid={sid}")).body("40")).await;
    let line = tequio.line_with("socket.io ").await;
    assert!(line.contains("connected from 203.0.113.8:99 transport"), "{line}");
}

#[tokio::test]
async fn a_proxy_is_an_address_or_a_network() {
    for wrong in ["nginx", "10.0.0.0/33", "127.0.0.1:80"] {
        let mut serve = binary();
        serve.args(["serve", "--memory", "--listen", "127.0.0.1:0", "--trust-proxy", wrong]);
        serve.stdout(Stdio::piped()).stderr(Stdio::piped());
        let ran = ended(serve.spawn().unwrap()).await;
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains(wrong), "{ran:?}");
    }
}
