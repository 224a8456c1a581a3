//! Kernels and data: adding, listing, removing, and handing them to whoever computes.

use super::App;
use super::api::Params;
use super::bodies::Kind;
use super::error::ApiError;
use super::gzip;
use super::jobs::blocking;
use crate::kernels::{KernelError, Kernels};
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tequio_kernel::{DATA_BYTES_MAX, MODULE_BYTES_MAX};
use tequio_protocol::api::KernelView;
use tequio_protocol::limits::BLOBS_KEPT;
use tequio_protocol::op::kernel::Sha256;
use tequio_protocol::text::quote;

/// What a hash names never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// What the query of an addition says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Addition {
    name: Option<String>,
}

/// `GET /api/kernels`
pub(super) async fn list(State(app): State<App>) -> Result<Json<Vec<KernelView>>, ApiError> {
    run(app.kernels, Kernels::list).await.map(Json)
}

/// `GET /api/kernels/ID`: by its name, its hash, or the beginning of that.
pub(super) async fn one(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<KernelView>, ApiError> {
    run(app.kernels, move |kernels| kernels.find(&id)).await.map(Json)
}

/// `POST /api/kernels`: the body is the module.
pub(super) async fn add(
    State(app): State<App>,
    Params(Addition { name }): Params<Addition>,
    body: Body,
) -> Result<(StatusCode, Json<KernelView>), ApiError> {
    let module = read(body, MODULE_BYTES_MAX).await?;
    let added = run(app.kernels, move |kernels| kernels.add(&module, name)).await?;
    Ok((StatusCode::CREATED, Json(added)))
}

/// `DELETE /api/kernels/ID`
pub(super) async fn remove(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    run(app.kernels, move |kernels| kernels.remove(&id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/data`: the body is what a job's kernels are given.
pub(super) async fn add_data(
    State(app): State<App>,
    body: Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let data = read(body, DATA_BYTES_MAX).await?;
    let bytes = data.len();
    let sha256 = run(app.kernels, move |kernels| kernels.add_data(&data)).await?;
    Ok((StatusCode::CREATED, Json(json!({"sha256": sha256.as_str(), "bytes": bytes}))))
}

/// `GET /kernels/SHA256.wasm`
pub(super) async fn module(
    State(app): State<App>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let sha256 = file.strip_suffix(".wasm").unwrap_or_default();
    blob(app, sha256, "application/wasm", &headers).await
}

/// `GET /data/SHA256`
pub(super) async fn data(
    State(app): State<App>,
    Path(sha256): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    blob(app, &sha256, "application/octet-stream", &headers).await
}

async fn blob(
    app: App,
    sha256: &str,
    kind: &'static str,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let unknown = || {
        let message = format!("There is no module and no data {}.", quote(sha256));
        ApiError::new(StatusCode::NOT_FOUND, "unknown_kernel", message)
    };
    let hash: Sha256 = sha256.parse().map_err(|_| unknown())?;
    let blobs = app.blobs.clone();
    let found = run(app.kernels, move |kernels| blobs.get(kernels, &hash)).await?;
    let blob = found.ok_or_else(unknown)?;
    let about = [(CONTENT_TYPE, kind), (CACHE_CONTROL, FOR_EVER), (VARY, "accept-encoding")];
    let shared = Extension(Kind::Shared);
    Ok(match &blob.gzip {
        Some(gzip) if gzip::is_accepted(headers) => {
            (about, [(CONTENT_ENCODING, "gzip")], shared, gzip.clone()).into_response()
        }
        _ => (about, shared, blob.bytes.clone()).into_response(),
    })
}

/// What is being handed out. However many ask for the same, and however slowly they read, it is there once.
#[derive(Clone, Default)]
pub(super) struct Blobs(Arc<Mutex<Handed>>);

#[derive(Default)]
struct Handed {
    /// What somebody may still read.
    known: BTreeMap<Sha256, Weak<Blob>>,
    /// What was asked for last, at the back.
    kept: VecDeque<Arc<Blob>>,
}

struct Blob {
    bytes: Bytes,
    /// In gzip, where that is smaller.
    gzip: Option<Bytes>,
}

impl Blobs {
    /// Those who ask meanwhile wait, so that nothing is read and compressed twice at once.
    fn get(&self, kernels: &Kernels, sha256: &Sha256) -> Result<Option<Arc<Blob>>, KernelError> {
        let mut handed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Handed { known, kept } = &mut *handed;
        let blob = match known.get(sha256).and_then(Weak::upgrade) {
            Some(blob) => blob,
            None => {
                let Some(bytes) = kernels.blob(sha256)? else { return Ok(None) };
                let gzip = gzip::compress(&bytes);
                Arc::new(Blob { bytes: bytes.into(), gzip })
            }
        };
        kept.retain(|one| !Arc::ptr_eq(one, &blob));
        kept.push_back(blob.clone());
        if kept.len() > BLOBS_KEPT {
            kept.pop_front();
        }
        known.retain(|_, blob| blob.strong_count() > 0);
        known.insert(sha256.clone(), Arc::downgrade(&blob));
        Ok(Some(blob))
    }
}

/// Does what takes the disk, or time, where nobody else waits for it.
async fn run<T: Send + 'static>(
    kernels: Kernels,
    what: impl FnOnce(&Kernels) -> Result<T, KernelError> + Send + 'static,
) -> Result<T, ApiError> {
    Ok(blocking(move || what(&kernels)).await??)
}

async fn read(body: Body, bytes_max: usize) -> Result<Bytes, ApiError> {
    let read = axum::body::to_bytes(body, bytes_max).await;
    read.map_err(|_| ApiError::body_too_big(bytes_max))
}

impl From<KernelError> for ApiError {
    fn from(error: KernelError) -> ApiError {
        let message = format!("{error}.");
        match error {
            KernelError::Store(error) => error.into(),
            KernelError::Refused(_) => ApiError::bad("bad_kernel", message),
            KernelError::Bad(_) => ApiError::bad("bad_name", message),
            KernelError::Unknown(_) => {
                ApiError::new(StatusCode::NOT_FOUND, "unknown_kernel", message)
            }
            KernelError::Ambiguous(_) => ApiError::bad("ambiguous", message),
            KernelError::Full => ApiError::new(StatusCode::CONFLICT, "too_many_kernels", message),
        }
    }
}
