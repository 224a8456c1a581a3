//! The page's files, as they are sent.

use super::App;
use super::bodies::Kind;
use super::error::ApiError;
use super::gzip;
use super::page::{Hash, Page};
use axum::extract::{Extension, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap,
    IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use std::borrow::Cow;
use tequio_protocol::text::quote;

/// Only what this server sent may run or be loaded. Sockets may go anywhere, for the sake of
/// `?server=`; `wasm-unsafe-eval` allows compiling WebAssembly and nothing else. The hash is that of the
/// one script in `index.html`: it runs before any address is resolved, which no file's could.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' \
    'sha256-mPubeS0AbGojcWSJxgAT5qHqy7p63/DWAXMcNVCAaDM='; \
    img-src 'self' data:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'; object-src 'none'";

/// The page itself.
pub(super) fn index(page: &Page, headers: &HeaderMap) -> Response {
    serve(page, "index.html", headers).unwrap_or_else(no_page)
}

/// A file of others that the page does not load itself.
pub(super) fn vendored(page: &Page, path: &str, headers: &HeaderMap) -> Response {
    serve(page, &format!("vendor/{path}"), headers).unwrap_or_else(no_page)
}

fn no_page() -> Response {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "no_page",
        "This binary was built without its page; `cargo xtask dist` builds it with.",
    )
    .into_response()
}

/// Any file of the page.
pub(super) async fn file(
    State(app): State<App>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let found = match method {
        Method::GET | Method::HEAD => {
            serve(&app.page, uri.path().trim_start_matches('/'), &headers)
        }
        _ => None,
    };
    found.unwrap_or_else(|| {
        let message = format!("There is no {} here.", quote(uri.path()));
        ApiError::new(StatusCode::NOT_FOUND, "not_found", message).into_response()
    })
}

fn serve(page: &Page, path: &str, headers: &HeaderMap) -> Option<Response> {
    let file = page.get(path)?;
    Some(answer(path, file.hash, file.content, headers))
}

fn answer(path: &str, hash: Hash, content: Cow<'static, [u8]>, headers: &HeaderMap) -> Response {
    let content_type = mime_guess::from_path(path).first_or_octet_stream();
    let is_compressible = gzip::is_compressible(&content_type);
    let compressed = (is_compressible && gzip::is_accepted(headers))
        .then(|| gzip::compressed(hash, &content))
        .flatten();
    let etag = entity_tag(&hash, compressed.is_some());
    let is_known = is_known(&etag, headers);
    let vary = is_compressible.then_some([(VARY, "accept-encoding")]);
    let about = [
        (ETAG, etag),
        // File names carry no hash: a browser asks each time, and is told when nothing changed.
        (CACHE_CONTROL, "no-cache".to_owned()),
        (CONTENT_SECURITY_POLICY, POLICY.to_owned()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    if is_known {
        return (StatusCode::NOT_MODIFIED, about, vary, ()).into_response();
    }
    let content_type = [(CONTENT_TYPE, content_type.to_string())];
    match compressed {
        Some(gzip) => {
            let coding = [(CONTENT_ENCODING, "gzip")];
            (about, vary, content_type, coding, Extension(Kind::Shared), gzip).into_response()
        }
        None => (about, vary, content_type, Extension(Kind::Shared), content).into_response(),
    }
}

/// The file's SHA-1, which tells versions of a file apart that nobody forges. The
/// same file in gzip has a tag of its own, since its bytes are others.
fn entity_tag(hash: &Hash, is_compressed: bool) -> String {
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let coding = if is_compressed { "-gzip" } else { "" };
    format!("\"{hex}{coding}\"")
}

/// Whether a browser has what bears this tag. A proxy may have weakened it, or made a list.
fn is_known(etag: &str, headers: &HeaderMap) -> bool {
    let lines = headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;
    use axum::http::HeaderName;
    use axum::http::header::ACCEPT_ENCODING;
    use flate2::read::GzDecoder;
    use std::io::Read;

    const HASH: Hash = [0xab; 20];

    fn script() -> String {
        "console.log('again and again');\n".repeat(100)
    }

    fn asked(lines: &[(HeaderName, &str)]) -> Response {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, value.parse().unwrap());
        }
        answer("js/main.js", HASH, script().into_bytes().into(), &headers)
    }

    fn header(answer: &Response, name: HeaderName) -> Option<&str> {
        answer.headers().get(name).map(|value| value.to_str().unwrap())
    }

    async fn body(answer: Response) -> Vec<u8> {
        to_bytes(answer.into_body(), usize::MAX).await.unwrap().into()
    }

    #[tokio::test]
    async fn whoever_takes_gzip_gets_the_same_file_smaller() {
        let answer = asked(&[(ACCEPT_ENCODING, "gzip, br")]);
        assert_eq!(header(&answer, CONTENT_ENCODING), Some("gzip"));
        assert_eq!(header(&answer, CONTENT_TYPE), Some("text/javascript"));
        assert_eq!(header(&answer, VARY), Some("accept-encoding"));
        let gzip = body(answer).await;
        assert!(gzip.len() < script().len() / 10);
        let mut file = String::new();
        GzDecoder::new(&gzip[..]).read_to_string(&mut file).unwrap();
        assert_eq!(file, script());
    }

    #[tokio::test]
    async fn whoever_does_not_gets_the_file_as_it_is() {
        for accepted in ["identity", "gzip;q=0"] {
            let answer = asked(&[(ACCEPT_ENCODING, accepted)]);
            assert_eq!(header(&answer, CONTENT_ENCODING), None);
            assert_eq!(header(&answer, VARY), Some("accept-encoding"));
            assert_eq!(body(answer).await, script().as_bytes());
        }
    }

    #[tokio::test]
    async fn a_file_that_gzip_makes_no_smaller_is_sent_as_it_is() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, "gzip".parse().unwrap());
        for (name, hash, vary) in
            [("a.js", [1; 20], Some("accept-encoding")), ("a.png", [2; 20], None)]
        {
            let answer = answer(name, hash, b"f();".as_slice().into(), &headers);
            assert_eq!(header(&answer, CONTENT_ENCODING), None, "{name}");
            assert_eq!(header(&answer, VARY), vary, "{name}");
            assert_eq!(body(answer).await, b"f();");
        }
    }

    #[tokio::test]
    async fn a_tag_stands_for_one_coding_and_what_is_known_is_not_sent() {
        let gzip = (ACCEPT_ENCODING, "gzip");
        let (as_it_is, smaller) = (asked(&[]), asked(std::slice::from_ref(&gzip)));
        let as_it_is = header(&as_it_is, ETAG).unwrap();
        let smaller = header(&smaller, ETAG).unwrap();
        assert_ne!(as_it_is, smaller);

        let weak = format!("\"other\", W/{smaller}");
        for (lines, status) in [
            (vec![(IF_NONE_MATCH, as_it_is)], StatusCode::NOT_MODIFIED),
            (vec![(IF_NONE_MATCH, smaller)], StatusCode::OK),
            (vec![(IF_NONE_MATCH, as_it_is), gzip.clone()], StatusCode::OK),
            (vec![(IF_NONE_MATCH, smaller), gzip.clone()], StatusCode::NOT_MODIFIED),
            (vec![(IF_NONE_MATCH, &weak), gzip.clone()], StatusCode::NOT_MODIFIED),
            (vec![(IF_NONE_MATCH, "*")], StatusCode::NOT_MODIFIED),
            (vec![(IF_NONE_MATCH, "\"other\"")], StatusCode::OK),
        ] {
            let answer = asked(&lines);
            assert_eq!(answer.status(), status, "{lines:?}");
            assert_eq!(header(&answer, VARY), Some("accept-encoding"));
            assert!(header(&answer, ETAG).is_some());
            assert_eq!(body(answer).await.is_empty(), status == StatusCode::NOT_MODIFIED);
        }
    }
}
