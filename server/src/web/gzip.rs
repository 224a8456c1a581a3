//! Files of the page in gzip: for whoever takes it, and compressed once.

use super::page::Hash;
use axum::body::Bytes;
use axum::http::header::{ACCEPT_ENCODING, HeaderMap};
use flate2::Compression;
use flate2::write::GzEncoder;
use mime_guess::{Mime, mime};
use std::collections::HashMap;
use std::io::Write;
use std::sync::{LazyLock, Mutex, PoisonError};
use tequio_protocol::limits::GZIP_FAST_BYTES_MIN;

/// What was compressed so far. A page has a dozen files; a debug binary, which reads them from disk,
/// adds one for each change that it is asked for.
static COMPRESSED: LazyLock<Mutex<HashMap<Hash, Option<Bytes>>>> = LazyLock::new(Mutex::default);

/// Whether files of this type are worth it; pictures, for one, are compressed already.
pub(super) fn is_compressible(content_type: &Mime) -> bool {
    content_type.type_() == mime::TEXT
        || matches!(content_type.suffix(), Some(mime::XML | mime::JSON))
        || ["javascript", "json", "wasm"].contains(&content_type.subtype().as_str())
}

/// Whether a request accepts gzip, by name or as `*`, with any weight but 0.
pub(super) fn is_accepted(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    let mut others = false;
    for coding in lines.flat_map(|line| line.split(',')) {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        match name.trim().to_ascii_lowercase().as_str() {
            // What is said of gzip itself counts, wherever `*` stands.
            "gzip" | "x-gzip" => return is_positive(weight),
            "*" => others = is_positive(weight),
            _ => {}
        }
    }
    others
}

/// Whether `q=WEIGHT` is above 0. What is no weight is none.
fn is_positive(weight: &str) -> bool {
    let weight = weight.trim().to_ascii_lowercase();
    let value = weight.strip_prefix("q=").and_then(|value| value.parse().ok());
    value.is_some_and(|value: f32| value > 0.0)
}

/// `content`, whose hash is `hash`, in gzip; nothing where that would be no smaller.
pub(super) fn compressed(hash: Hash, content: &[u8]) -> Option<Bytes> {
    // Whoever asks meanwhile waits the few milliseconds, so that nothing is compressed twice. A map
    // of finished files is whole even after a panic.
    let mut files = COMPRESSED.lock().unwrap_or_else(PoisonError::into_inner);
    files.entry(hash).or_insert_with(|| compress(content)).clone()
}

/// As `cargo xtask check` does when it weighs the page. What is large is compressed quickly.
pub(super) fn compress(content: &[u8]) -> Option<Bytes> {
    let is_large = content.len() >= GZIP_FAST_BYTES_MIN;
    let level = if is_large { Compression::fast() } else { Compression::best() };
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(content).ok()?;
    let gzip = encoder.finish().ok()?;
    (gzip.len() < content.len()).then(|| gzip.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_accepted_by_name_or_as_any_unless_its_weight_is_0() {
        for (lines, accepted) in [
            (&[][..], false),
            (&[""], false),
            (&["gzip"], true),
            (&["GZIP"], true),
            (&["x-gzip"], true),
            (&["gzip, deflate, br, zstd"], true),
            (&["br;q=1.0, gzip;q=0.2"], true),
            (&["deflate", "gzip"], true),
            (&["*"], true),
            (&["br;q=1, * ; q=0.1"], true),
            (&["gzip;q=0"], false),
            (&["gzip; Q=0.000, *;q=1"], false),
            (&["*;q=0"], false),
            (&["*;q=0, gzip"], true),
            (&["identity"], false),
            (&["deflate, br"], false),
            (&["gzipped"], false),
            (&["gzip;q=much"], false),
            (&["gzip;"], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(ACCEPT_ENCODING, line.parse().unwrap());
            }
            assert_eq!(is_accepted(&headers), accepted, "{lines:?}");
        }
    }

    #[test]
    fn types_that_are_text_or_wasm_are_compressible() {
        for (name, compressible) in [
            ("index.html", true),
            ("style.css", true),
            ("main.js", true),
            ("worker_bg.wasm", true),
            ("mark.svg", true),
            ("strings.json", true),
            ("app.webmanifest", true),
            ("page.png", false),
            ("font.woff2", false),
            ("unknown", false),
        ] {
            let content_type = mime_guess::from_path(name).first_or_octet_stream();
            assert_eq!(is_compressible(&content_type), compressible, "{name}: {content_type}");
        }
    }
}
