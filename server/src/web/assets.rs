//! The page's files. A release binary carries them inside; a debug one reads them from disk.

use super::error::ApiError;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;
use tequio_protocol::text::quote;

#[derive(RustEmbed)]
#[folder = "../target/page"]
#[allow_missing = true]
struct Page;

/// Only what this server sent may run or be loaded. Sockets may go anywhere, for the sake of
/// `?server=`; `wasm-unsafe-eval` allows compiling WebAssembly and nothing else.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
    img-src 'self' data:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'; object-src 'none'";

/// The page itself.
pub(super) fn index(headers: &HeaderMap) -> Response {
    match serve("index.html", headers) {
        Some(response) => response,
        None => ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no_page",
            "This binary was built without its page; `cargo xtask dist` builds it with.",
        )
        .into_response(),
    }
}

/// Any file of the page.
pub(super) async fn file(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let found = match method {
        Method::GET | Method::HEAD => serve(uri.path().trim_start_matches('/'), &headers),
        _ => None,
    };
    found.unwrap_or_else(|| {
        let message = format!("There is no {} here.", quote(uri.path()));
        ApiError::new(StatusCode::NOT_FOUND, "not_found", message).into_response()
    })
}

fn serve(path: &str, headers: &HeaderMap) -> Option<Response> {
    let file = Page::get(path)?;
    let etag = entity_tag(&file.metadata.sha256_hash());
    let about = [
        (ETAG, etag.clone()),
        // File names carry no hash: a browser asks each time, and is told when nothing changed.
        (CACHE_CONTROL, "no-cache".to_owned()),
        (CONTENT_SECURITY_POLICY, POLICY.to_owned()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    if headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
        return Some((StatusCode::NOT_MODIFIED, about).into_response());
    }
    let content_type = mime_guess::from_path(path).first_or_octet_stream().to_string();
    Some((about, [(CONTENT_TYPE, content_type)], file.data).into_response())
}

/// The first 16 bytes of the file's SHA-256: more than enough to tell versions of a file apart.
fn entity_tag(hash: &[u8; 32]) -> String {
    let hex: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}
