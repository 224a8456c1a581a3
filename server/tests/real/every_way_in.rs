//! Every route, and what it answers to whoever asks in a way that is not theirs to ask in. The routes are
//! read in the server's own source: one that is new has to be given its rule here.

use crate::support::{Server, parts, raw};
use serde_json::Value;
use std::collections::BTreeSet;
use tequio::web::Who;
use tequio_protocol::limits::TOKEN_TRIES_MAX;

/// What may be had of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// By whoever asks for this server by a name of its.
    Look,
    /// The same, but for pages of foreign origins.
    Work,
    /// The same, with the operator's token.
    Change,
}

/// The routes, with the methods that each takes. What is `any` takes all; `GET` stands for a look there and
/// `POST` for a change, but for Socket.IO, to which both are messages.
const ROUTES: &[(&str, &str, Rule)] = &[
    ("GET", "/", Rule::Look),
    ("GET", "/ws", Rule::Look),
    ("GET", "/echo", Rule::Look),
    ("GET", "/echo/", Rule::Look),
    ("GET", "/chat", Rule::Look),
    ("GET", "/chat/", Rule::Look),
    ("GET", "/chat/{room}", Rule::Look),
    ("GET", "/socket.io/", Rule::Work),
    ("POST", "/socket.io/", Rule::Work),
    ("GET", "/socket.io", Rule::Work),
    ("POST", "/socket.io", Rule::Work),
    ("GET", "/socket.io/{script}", Rule::Look),
    ("GET", "/healthz", Rule::Look),
    ("GET", "/metrics", Rule::Look),
    ("GET", "/api/server", Rule::Look),
    ("GET", "/api/join.svg", Rule::Look),
    ("POST", "/api/operator", Rule::Change),
    ("GET", "/api/ops", Rule::Look),
    ("GET", "/api/grid", Rule::Look),
    ("GET", "/api/workers", Rule::Look),
    ("GET", "/api/events?once=true", Rule::Look),
    ("GET", "/api/jobs", Rule::Look),
    ("POST", "/api/jobs", Rule::Change),
    ("GET", "/api/jobs/{id}", Rule::Look),
    ("DELETE", "/api/jobs/{id}", Rule::Change),
    ("POST", "/api/jobs/{id}/inputs", Rule::Change),
    ("POST", "/api/jobs/{id}/pause", Rule::Change),
    ("POST", "/api/jobs/{id}/resume", Rule::Change),
    ("POST", "/api/jobs/{id}/cancel", Rule::Change),
    ("POST", "/api/jobs/{id}/close", Rule::Change),
    ("POST", "/api/jobs/{id}/repair", Rule::Change),
    ("GET", "/api/jobs/{id}/results", Rule::Look),
    ("GET", "/api/jobs/{id}/sample", Rule::Look),
    ("GET", "/api/kernels", Rule::Look),
    ("POST", "/api/kernels", Rule::Change),
    ("GET", "/api/kernels/{id}", Rule::Look),
    ("DELETE", "/api/kernels/{id}", Rule::Change),
    ("POST", "/api/data", Rule::Change),
    ("GET", "/kernels/{file}", Rule::Look),
    ("GET", "/data/{sha256}", Rule::Look),
    ("GET", "/api/{*rest}", Rule::Look),
    ("POST", "/api/{*rest}", Rule::Change),
    // What is no route: the page's files.
    ("GET", "/nowhere.js", Rule::Look),
    ("POST", "/nowhere.js", Rule::Change),
    // A method that a route does not take is refused before that is looked at, or after.
    ("PUT", "/api/jobs", Rule::Change),
    ("PATCH", "/healthz", Rule::Change),
    ("DELETE", "/", Rule::Change),
    ("HEAD", "/api/jobs", Rule::Look),
    ("OPTIONS", "/api/jobs", Rule::Look),
];

/// The routes as the server's source has them: the method and the path of each.
fn routes_of_the_source() -> BTreeSet<(String, String)> {
    let source = include_str!("../../src/web/mod.rs");
    let mut found = BTreeSet::new();
    for line in source.lines().filter_map(|line| line.trim().strip_prefix(".route(")) {
        let (path, methods) = line.split_once(", ").unwrap_or_else(|| panic!("a route: {line}"));
        let path = match path {
            "socketio" => "/socket.io/",
            "socketio_bare" => "/socket.io",
            path => path.trim_matches('"'),
        };
        let takes = |name: &str| {
            methods.starts_with(&format!("{name}(")) || methods.contains(&format!(".{name}("))
        };
        let known = ["get", "post", "put", "patch", "delete", "any"];
        assert!(known.into_iter().any(takes), "a method of {line}");
        let methods = known.into_iter().filter(|name| takes(name)).flat_map(|name| match name {
            "any" => vec!["GET".to_owned(), "POST".to_owned()],
            name => vec![name.to_uppercase()],
        });
        found.extend(methods.map(|method| (method, path.to_owned())));
    }
    assert!(found.len() > 20, "{found:?}");
    found
}

#[test]
fn every_route_has_a_rule() {
    let path_of = |target: &str| target.split('?').next().unwrap_or_default().to_owned();
    let ruled: BTreeSet<(String, String)> =
        ROUTES.iter().map(|(method, path, _)| ((*method).to_owned(), path_of(path))).collect();
    let without: Vec<_> = routes_of_the_source().difference(&ruled).cloned().collect();
    assert!(without.is_empty(), "{without:?} have no rule in ROUTES");
}

/// The status of an answer, and its code if it is a refusal of ours.
async fn asked(server: &Server, request: &str) -> (u16, String) {
    let answer = raw(server.address, request).await;
    let (head, body) = parts(&answer);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let error: Value = serde_json::from_str(body).unwrap_or_default();
    let code = error["error"]["code"].as_str().unwrap_or_default();
    (status.unwrap_or_else(|| panic!("{request}: {answer}")), code.to_owned())
}

/// Codes of refusals for who asks.
const CODES: [&str; 5] =
    ["foreign_host", "bad_host", "foreign_origin", "unauthorized", "too_many_tries"];

/// One route of one server.
struct Way<'a> {
    server: &'a Server,
    method: &'a str,
    /// The path, filled in.
    target: String,
    rule: Rule,
}

impl Way<'_> {
    fn port(&self) -> u16 {
        self.server.address.port()
    }

    /// A header that names the server right.
    fn own_host(&self) -> String {
        format!("Host: 127.0.0.1:{}\r\n", self.port())
    }

    async fn ask(&self, version: &str, target: &str, headers: &str) -> (u16, String) {
        let Way { server, method, .. } = self;
        let request = format!(
            "{method} {target} {version}\r\n{headers}Connection: close\r\nContent-Length: 0\r\n\r\n"
        );
        asked(server, &request).await
    }

    async fn is_refused(&self, version: &str, target: &str, headers: &str, refusal: (u16, &str)) {
        let (status, code) = self.ask(version, target, headers).await;
        // An answer to HEAD has no body that could say more.
        let expected = if self.method == "HEAD" { "" } else { refusal.1 };
        let about = format!("{} {target} {version} {headers}", self.method);
        assert_eq!((status, code.as_str()), (refusal.0, expected), "{about}");
    }

    /// Whoever asks so is let in; what is there, or not, is another matter.
    async fn is_taken(&self, headers: &str) {
        let (status, code) = self.ask("HTTP/1.1", &self.target, headers).await;
        let is_taken = !CODES.contains(&code.as_str());
        assert!(is_taken, "{} {} {headers}: {status} {code}", self.method, self.target);
    }

    /// Whoever asks for another server, or does not say for which, whatever else is right.
    async fn hosts(&self) {
        let (port, own, target) = (self.port(), self.own_host(), &self.target);
        for host in ["evil.example", &format!("evil.example:{port}"), "127.0.0.1.evil.example"] {
            let headers = format!("Host: {host}\r\n{TOKEN}");
            for version in ["HTTP/1.1", "HTTP/1.0"] {
                self.is_refused(version, target, &headers, (403, "foreign_host")).await;
            }
            let whole = format!("http://{host}{target}");
            self.is_refused("HTTP/1.1", &whole, &headers, (403, "foreign_host")).await;
            let other = format!("{own}{TOKEN}");
            self.is_refused("HTTP/1.1", &whole, &other, (400, "bad_host")).await;
        }
        for hosts in [
            String::new(),
            format!("{own}{own}"),
            format!("{own}Host: evil.example\r\n"),
            "Host:\r\n".to_owned(),
            format!("Host: a@127.0.0.1:{port}\r\n"),
            format!("Host: 127.0.0.1:{port}, evil.example\r\n"),
            "Host: 127.0.0.1:1.evil.example\r\n".to_owned(),
        ] {
            for version in ["HTTP/1.1", "HTTP/1.0"] {
                let headers = format!("{hosts}{TOKEN}");
                self.is_refused(version, target, &headers, (400, "bad_host")).await;
            }
        }
        self.is_taken(&format!("Host: LOCALHOST.:{port}\r\n{TOKEN}")).await;
    }

    async fn origins(&self) {
        let own = self.own_host();
        for origin in ["https://evil.example", "null", "http://127.0.0.1:1.evil.example", "file://"]
        {
            let headers = format!("{own}Origin: {origin}\r\n{TOKEN}");
            if self.rule == Rule::Look {
                self.is_taken(&headers).await;
            } else {
                let refusal = (403, "foreign_origin");
                self.is_refused("HTTP/1.1", &self.target, &headers, refusal).await;
            }
        }
        let origin = format!("Origin: http://127.0.0.1:{}\r\n", self.port());
        self.is_taken(&format!("{own}{origin}{TOKEN}")).await;
    }

    async fn tokens(&self) {
        let own = self.own_host();
        for shown in ["", "Tequio-Token: wrong\r\n"] {
            let headers = format!("{own}{shown}");
            if self.rule == Rule::Change {
                let refusal = (401, "unauthorized");
                self.is_refused("HTTP/1.1", &self.target, &headers, refusal).await;
            } else {
                self.is_taken(&headers).await;
            }
        }
        self.is_taken(&format!("{own}{TOKEN}")).await;
    }
}

const TOKEN: &str = "Tequio-Token: secret\r\n";

#[tokio::test]
async fn every_route_keeps_its_rule() {
    let changes = ROUTES.iter().filter(|(_, _, rule)| *rule == Rule::Change).count();
    assert!(changes < TOKEN_TRIES_MAX as usize, "more wrong tokens are answered otherwise");
    let server = Server::start_for(Who {
        is_loopback: false,
        operator_token: Some("secret".to_owned()),
        ..Who::default()
    })
    .await;
    for (method, path, rule) in ROUTES {
        let target = path.replace("{id}", "1").replace("{*rest}", "x").replace("{room}", "x");
        let target = target.replace("{script}", "x.js");
        let way = Way { server: &server, method, target, rule: *rule };
        way.hosts().await;
        way.origins().await;
        way.tokens().await;
    }
    server.stop().await;
}

/// The handshakes of sockets are requests as well.
#[tokio::test]
async fn every_socket_keeps_the_rule_of_hosts_and_origins() {
    let network = Server::start_for(Who { is_loopback: false, ..Who::default() }).await;
    let port = network.address.port();
    let own = format!("Host: 127.0.0.1:{port}\r\n");
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for path in ["/", "/ws", "/echo", "/chat", "/chat/x", "/socket.io/?EIO=4&transport=websocket"] {
        for (headers, refusal) in [
            ("Host: evil.example\r\n".to_owned(), (403, "foreign_host")),
            (String::new(), (400, "bad_host")),
            (format!("{own}{own}"), (400, "bad_host")),
            (format!("{own}Origin: https://evil.example\r\n"), (403, "foreign_origin")),
            (format!("{own}Origin: null\r\n"), (403, "foreign_origin")),
            (format!("{own}Origin: http://localhost:{port}\r\n"), (403, "foreign_origin")),
            (
                format!("{own}Origin: http://127.0.0.1:{port}\r\nOrigin: null\r\n"),
                (403, "foreign_origin"),
            ),
            // The rebound name is its page's own.
            (
                format!("Host: evil.example:{port}\r\nOrigin: http://evil.example:{port}\r\n"),
                (403, "foreign_host"),
            ),
        ] {
            let request = format!("GET {path} HTTP/1.1\r\n{headers}{upgrade}\r\n");
            let refusal = (refusal.0, refusal.1.to_owned());
            assert_eq!(asked(&network, &request).await, refusal, "{path} {headers}");
        }
    }
    network.stop().await;
}
