//! Which requests ask for a WebSocket, and which offer something else.

use crate::support::{Client, Server, parts, raw, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// As `curl --http2` and Java's client send with every request.
const H2C: &str =
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";

#[tokio::test]
async fn an_offer_of_another_protocol_is_ignored() {
    let server = Server::start().await;
    let host = format!("Host: {}\r\n", server.address);
    let get = |path: &str, headers: &str| format!("GET {path} HTTP/1.1\r\n{host}{headers}\r\n");
    for path in [
        "/",
        "/style.css",
        "/healthz",
        "/metrics",
        "/api/server",
        "/api/jobs",
        "/api/workers",
        "/socket.io/?EIO=4&transport=polling",
    ] {
        for offer in [H2C, "Connection: upgrade\r\nUpgrade: TLS/1.2, foo\r\n"] {
            // The connection goes on as well.
            let twice = get(path, offer) + &get(path, "Connection: close\r\n");
            let answer = raw(server.address, &twice).await;
            assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{path}: {answer}");
        }
    }
    // Who looks is not judged as who works, and what is for sockets alone says so.
    let foreign = format!("Origin: http://evil.example\r\n{H2C}");
    let twice = get("/healthz", &foreign) + &get("/healthz", "Connection: close\r\n");
    let answer = raw(server.address, &twice).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{answer}");
    for path in ["/ws", "/echo", "/chat", "/chat/room"] {
        let twice = get(path, H2C) + &get(path, "Connection: close\r\n");
        let answer = raw(server.address, &twice).await;
        assert_eq!(answer.matches("HTTP/1.1 426").count(), 2, "{path}: {answer}");
    }
    let body = "{\"op\":\"repeat_multiply\",\"grid\":{\"initial\":1,\"factor\":2,\"times\":3}}";
    let length = body.len();
    let post = format!(
        "POST /api/jobs HTTP/1.1\r\n{host}{H2C}Content-Length: {length}\r\n\r\n{body}{}",
        get("/healthz", "Connection: close\r\n")
    );
    let answer = raw(server.address, &post).await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

#[tokio::test]
async fn a_websocket_may_be_one_offer_of_several() {
    let server = Server::start().await;
    let rest = format!(
        "Host: {}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        server.address
    );
    for offer in [
        "Connection: keep-alive, Upgrade\r\nUpgrade: websocket",
        "Connection: keep-alive\r\nConnection: upgrade\r\nUpgrade: h2c, WebSocket",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nUpgrade: websocket",
    ] {
        for path in ["/", "/ws", "/echo", "/chat"] {
            let mut stream = within(TcpStream::connect(server.address)).await.unwrap();
            let request = format!("GET {path} HTTP/1.1\r\n{offer}\r\n{rest}");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\n") {
                answer.push(within(stream.read_u8()).await.unwrap());
            }
            let answer = String::from_utf8(answer).unwrap();
            let (head, _) = parts(&answer);
            assert!(head.starts_with("http/1.1 101"), "{offer} at {path}: {head}");
            // The example of RFC 6455.
            assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
            assert!(!head.contains("sec-websocket-protocol"), "{head}");
        }
    }
    for (headers, missing) in [
        ("Upgrade: websocket", "Connection: Upgrade"),
        ("Connection: close\r\nUpgrade: websocket", "Connection: Upgrade"),
        ("Connection: Upgrade", "Upgrade: websocket"),
    ] {
        let request = format!(
            "GET /ws HTTP/1.1\r\n{headers}\r\n{rest}GET /healthz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            server.address
        );
        let answer = raw(server.address, &request).await;
        assert!(answer.starts_with("HTTP/1.1 426"), "{headers}: {answer}");
        assert!(answer.contains(missing) && answer.contains("proxy"), "{headers}: {answer}");
    }
}

#[tokio::test]
async fn the_first_subprotocol_that_is_offered_is_chosen() {
    let server = Server::start().await;
    for path in ["", "/ws", "/echo", "/chat", "/chat/room"] {
        for (offer, chosen) in [
            (Some("echo-protocol"), Some("echo-protocol")),
            (Some("soap, wamp"), Some("soap")),
            (None, None),
        ] {
            let url = format!("ws://{}{path}", server.address);
            let mut request = url.into_client_request().unwrap();
            if let Some(offer) = offer {
                request.headers_mut().insert("Sec-WebSocket-Protocol", offer.parse().unwrap());
            }
            let (socket, answer) = Box::pin(within(connect_async(request))).await.unwrap();
            let said = answer.headers().get("Sec-WebSocket-Protocol");
            assert_eq!(said.map(|said| said.to_str().unwrap()), chosen, "{offer:?} at {path}");
            if path == "/echo" {
                let mut client = Client(socket);
                client.send("hola").await;
                assert_eq!(client.next().await.to_text().unwrap(), "echo: hola");
            }
        }
    }
}
