//! What the page asks its server, beside jobs and workers.

use crate::support::{Answer, Server, Tequio, http};
use reqwest::Method;
use serde_json::json;
use tequio::web::Who;
use tequio_protocol::limits::AXIS_BYTES_MAX;

/// A request for `path` that calls the server `host`.
async fn get_as(server: &Server, path: &str, host: &str) -> Answer {
    Answer::of(server.request(Method::GET, path).header("Host", host)).await
}

#[tokio::test]
async fn no_answer_is_taken_for_what_it_is_not() {
    let server = Server::start().await;
    let policy = "default-src 'none'; frame-ancestors 'none'";
    for path in ["/api/jobs", "/api/events", "/api/join.svg", "/metrics", "/nowhere"] {
        let answer = server.request(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(answer.headers()["content-security-policy"], policy, "{path}");
    }
    // Also what is refused.
    let foreign = get_as(&server, "/api/jobs", "evil.example").await;
    assert_eq!(foreign.status, 403);
    assert_eq!(foreign.header("x-content-type-options"), Some("nosniff"));
}

// ---- Who may change things --------------------------------------------------------------------

#[tokio::test]
async fn a_token_can_be_tried_without_changing_anything() {
    let open = Server::start().await;
    let guarded =
        Server::start_for(Who { operator_token: Some("secret".to_owned()), ..Who::default() })
            .await;
    for (server, shown, status) in [
        (&open, None, 204),
        (&open, Some("Bearer anything"), 204),
        (&guarded, Some("Bearer secret"), 204),
        (&guarded, Some("Bearer wrong"), 401),
        (&guarded, Some("Bearer "), 401),
        (&guarded, None, 401),
    ] {
        let request = server.request(Method::POST, "/api/operator");
        let answer = Answer::of(match shown {
            Some(shown) => request.header("Authorization", shown),
            None => request,
        })
        .await;
        assert_eq!(answer.status, status, "{shown:?}: {}", answer.text);
        match status {
            204 => assert_eq!(answer.text, "", "{shown:?}"),
            _ => assert_eq!(answer.refusal(), (401, "unauthorized".to_owned()), "{shown:?}"),
        }
    }
    let looked = Answer::of(guarded.request(Method::GET, "/api/operator")).await;
    assert_eq!(looked.refusal(), (405, "method_not_allowed".to_owned()));
}

// ---- How others join --------------------------------------------------------------------------

#[tokio::test]
async fn a_server_tells_the_page_of_itself() {
    let on_loopback = Server::start().await;
    let token = || Some("secret".to_owned());
    let names = vec!["box.lan".parse().unwrap()];
    let on_a_network =
        Server::start_for(Who { names, operator_token: token(), ..Who::default() }).await;
    let outside = vec!["https://lab.example".parse().unwrap()];
    let behind_a_proxy = Server::start_for(Who {
        is_loopback: true,
        allowed_origins: outside,
        operator_token: token(),
        ..Who::default()
    })
    .await;
    for (server, host, needs_token, join) in [
        (&on_loopback, "localhost:8765", false, None),
        (&on_a_network, "localhost:8765", true, None),
        (&on_a_network, "192.168.1.5:8765", true, Some("http://192.168.1.5:8765")),
        (&on_a_network, "box.lan", true, Some("http://box.lan")),
        (&behind_a_proxy, "lab.example", true, Some("https://lab.example")),
        (&behind_a_proxy, "127.0.0.1:8765", true, Some("https://lab.example")),
    ] {
        let view = get_as(server, "/api/server", host).await;
        let version = env!("CARGO_PKG_VERSION");
        let expected = json!({"version": version, "needs_token": needs_token, "join": join});
        assert_eq!((view.status, view.json()), (200, expected), "{host}");

        let code = get_as(server, "/api/join.svg", host).await;
        if join.is_some() {
            check_code(&code);
        } else {
            assert_eq!(code.refusal(), (404, "no_join_link".to_owned()), "{host}");
        }
    }
    let one = get_as(&on_a_network, "/api/join.svg", "192.168.1.5:8765").await;
    let other = get_as(&on_a_network, "/api/join.svg", "192.168.1.6:8765").await;
    assert_ne!(one.text, other.text);

    // What a proxy has put into a folder is joined there.
    let in_folder = get_as(&on_a_network, "/api/join.svg?path=/tequio/", "192.168.1.5:8765").await;
    check_code(&in_folder);
    assert_ne!(in_folder.text, one.text);
    let bad =
        get_as(&on_a_network, "/api/join.svg?path=//evil.example/?x", "192.168.1.5:8765").await;
    assert_eq!(bad.refusal(), (400, "bad_path".to_owned()));
}

/// It is a square of dark modules on white, with a margin of four modules on each side.
fn check_code(answer: &Answer) {
    let headers = ["content-type", "cache-control"].map(|name| answer.header(name));
    assert_eq!((answer.status, headers), (200, [Some("image/svg+xml"), Some("no-cache")]));
    let (head, modules) = answer.text.split_once(r##"<path fill="#000" d=""##).unwrap();
    let between = |before: &str, after: &str| -> u32 {
        let rest = head.split_once(before).unwrap().1;
        rest.split(after).next().unwrap().parse().unwrap()
    };
    let side = between("viewBox=\"0 0 ", " ");
    let white = format!(r##"<rect x="0" y="0" width="{side}" height="{side}" fill="#fff"/>"##);
    assert!(head.starts_with("<?xml") && head.ends_with(&white), "{head}");
    let modules = modules.strip_suffix("\"/></svg>").unwrap();
    let places: Vec<(u32, u32, u32)> = modules.split('M').skip(1).map(place).collect();
    let module = places[0].2;
    let margin = 4 * module;
    let last = side - margin - module;
    let inner = |at: &u32| *at >= margin && *at <= last && (*at - margin).is_multiple_of(module);
    assert!(places.iter().all(|(x, y, _)| inner(x) && inner(y)), "{modules}");
    // The corners of three of its finder patterns.
    for corner in [(margin, margin), (last, margin), (margin, last)] {
        assert!(places.contains(&(corner.0, corner.1, module)), "{corner:?} in {modules}");
    }
}

/// Where a module lies, and its side: `X Yh8v8HXVY`.
fn place(path: &str) -> (u32, u32, u32) {
    let mut numbers = path.split([' ', 'h', 'v', 'H', 'V']).map(|number| number.parse().unwrap());
    let mut next = || numbers.next().unwrap();
    (next(), next(), next())
}

#[tokio::test]
async fn a_server_on_every_address_knows_the_one_that_others_reach() {
    let tequio = Tequio::start(&["--memory", "--listen", "0.0.0.0:0"]).await;
    let port = tequio.address().port();
    let url = format!("http://127.0.0.1:{port}/api/server");
    let view = Answer::of(http().get(url)).await.json();
    assert_eq!(view["needs_token"], true);
    // A machine without a network has none.
    if let Some(join) = view["join"].as_str() {
        let address = join.strip_prefix("http://").unwrap().strip_suffix(&format!(":{port}"));
        let address: std::net::Ipv4Addr = address.unwrap().parse().unwrap();
        assert!(!address.is_loopback() && !address.is_unspecified(), "{join}");
    }
}

// ---- What a person types ----------------------------------------------------------------------

#[tokio::test]
async fn axes_are_checked_as_they_are_typed() {
    let server = Server::start().await;
    let number = "is no number; an axis is 3, or 1,2,5, or 0..100, or 0..=1:0.25";
    let missing = json!({
        "code": "missing",
        "message": "nothing is given; an axis is 3, or 1,2,5, or 0..100, or 0..=1:0.25",
    });
    for (query, view) in [
        (
            "initial=1,2&factor=0..%3D1:0.25&times=0..100",
            json!({"total": 1000, "errors": {}, "axes": {
                "initial": {"count": 2, "first": 1.0, "last": 2.0},
                "factor": {"count": 5, "first": 0.0, "last": 1.0},
                "times": {"count": 100, "first": 0.0, "last": 99.0},
            }}),
        ),
        (
            "initial=%20x%1b&times=1.5",
            json!({"total": null, "errors": {
                "initial": {"code": "not_a_number", "message": format!("`x\u{fffd}` {number}")},
                "factor": missing,
                "times": {
                    "code": "not_an_integer",
                    "message": "1.5 is no integer from 0 to 9007199254740991",
                },
            }, "axes": {}}),
        ),
        (
            "initial=0..9007199254740991&factor=1,2&times=3",
            json!({"total": null, "errors": {"grid": {
                "code": "too_many_tasks",
                "message": "the grid has 9007199254740991 × 2 × 1 tasks; \
                    a job may have 9007199254740991 (2^53 - 1)",
            }}, "axes": {
                "initial": {
                    "count": 9_007_199_254_740_991_u64,
                    "first": 0.0,
                    "last": 9_007_199_254_740_990_f64,
                },
                "factor": {"count": 2, "first": 1.0, "last": 2.0},
                "times": {"count": 1, "first": 3.0, "last": 3.0},
            }}),
        ),
        // What is right is counted, whatever the others are.
        (
            "initial=0...5&factor=0..1:0,25&times=0..100",
            json!({"total": null, "errors": {
                "initial": {
                    "code": "three_dots",
                    "message": "`0...5` has three dots; a range has two, as in 0..5",
                },
                "factor": {
                    "code": "decimal_comma",
                    "message": "`0,25` has a comma, which parts the values of a list; \
                        a fraction is written with a point, as in 0.5",
                },
            }, "axes": {"times": {"count": 100, "first": 0.0, "last": 99.0}}}),
        ),
    ] {
        assert_eq!(server.get(&format!("/api/grid?{query}")).await, (200, view), "{query}");
    }
    let all_missing = json!({"total": null, "errors": {"initial": missing, "factor": missing, "times": missing}, "axes": {}});
    assert_eq!(server.get("/api/grid").await, (200, all_missing));
    let other = Answer::of(server.request(Method::GET, "/api/grid?color=2")).await;
    assert_eq!(other.refusal(), (400, "bad_query".to_owned()));
    let long = format!("/api/grid?initial={}&factor=1&times=1", "1".repeat(AXIS_BYTES_MAX + 1));
    let (status, view) = server.get(&long).await;
    assert_eq!((status, &view["errors"]["initial"]["code"]), (200, &json!("too_long")));
}
