//! What the page weighs on its way to a tab: in gzip, as the server sends it.

use crate::page::{Files, WORKER_WASM};
use crate::vendor::is_visited;
use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::path::Path;

/// The most that the worker's wasm may weigh, in bytes: a phone on a slow line waits for it before
/// it computes anything.
const WORKER_BYTES_MAX: usize = 160_000;

/// The most that all files of a visit may weigh together, in bytes.
const PAGE_BYTES_MAX: usize = 260_000;

/// Says what the page weighs, which must be within its budget.
pub(crate) fn check(files: &Files) -> Result<()> {
    let worker = files.get(Path::new(WORKER_WASM)).context("the page has no worker")?;
    let visited = files.iter().filter(|(name, _)| is_visited(name));
    let page = visited.map(|(_, file)| sent(file)).sum::<Result<usize>>()?;
    for (what, bytes, bytes_max) in [
        ("the worker's wasm", sent(worker)?, WORKER_BYTES_MAX),
        ("the whole page", page, PAGE_BYTES_MAX),
    ] {
        eprintln!("  {what}: {bytes} of {bytes_max} bytes");
        ensure!(bytes <= bytes_max, "{what} is {} bytes over its budget", bytes - bytes_max);
    }
    Ok(())
}

/// The bytes of a file as the server sends it (`server/src/web/gzip.rs`): at the best level, and as
/// it is where that makes it no smaller.
fn sent(file: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(file)?;
    Ok(encoder.finish()?.len().min(file.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that no compression makes smaller: of a generator (xorshift) with a fixed seed.
    fn noise(count: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        };
        (0..count).map(|_| next()).collect()
    }

    fn page(worker_bytes: usize, other_bytes: usize) -> Files {
        [(WORKER_WASM.into(), noise(worker_bytes)), ("index.html".into(), noise(other_bytes))]
            .into()
    }

    #[test]
    fn a_page_within_its_budget_passes_and_one_over_it_does_not() {
        assert!(check(&page(WORKER_BYTES_MAX, PAGE_BYTES_MAX - WORKER_BYTES_MAX)).is_ok());
        for (page, is_over) in [
            (page(WORKER_BYTES_MAX + 1, 0), "the worker's wasm is 1 bytes over"),
            (page(1, PAGE_BYTES_MAX), "the whole page is 1 bytes over"),
        ] {
            let error = check(&page).expect_err("it weighs too much").to_string();
            assert!(error.contains(is_over), "{error}");
        }
    }

    #[test]
    fn what_compresses_weighs_less_than_it_has_bytes() {
        let empty = [(WORKER_WASM.into(), vec![0; 10 * PAGE_BYTES_MAX])].into();
        assert!(check(&empty).is_ok());
    }

    #[test]
    fn what_the_page_has_for_others_weighs_nothing() {
        let mut page = page(1, 1);
        page.insert("vendor/socket.io/socket.io.js".into(), noise(PAGE_BYTES_MAX));
        page.insert("examples/ep.wasm".into(), noise(PAGE_BYTES_MAX));
        page.insert("js/new-job.js".into(), noise(PAGE_BYTES_MAX));
        assert!(check(&page).is_ok());
    }

    #[test]
    fn a_page_without_a_worker_is_none() {
        assert!(check(&Files::new()).is_err());
    }
}
