//! Kernels and data: adding, listing, removing, and handing them to whoever computes.

use super::App;
use super::api::Params;
use super::bodies::{self, Kind};
use super::error::ApiError;
use super::gzip;
use super::jobs::blocking;
use crate::kernels::{KernelError, Kernels};
use crate::lock::lock;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, Weak};
use tequio_kernel::{DATA_BYTES_MAX, MODULE_BYTES_MAX};
use tequio_protocol::api::KernelView;
use tequio_protocol::limits::BLOBS_KEPT_BYTES;
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
    let module = bodies::whole(body, MODULE_BYTES_MAX).await?;
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
    let data = bodies::whole(body, DATA_BYTES_MAX).await?;
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
    Ok(if blob.gzip.is_some() && gzip::is_accepted(headers) {
        let gzip = Bytes::from_owner(Sent { blob, is_gzip: true });
        (about, [(CONTENT_ENCODING, "gzip")], shared, gzip).into_response()
    } else {
        (about, shared, Bytes::from_owner(Sent { blob, is_gzip: false })).into_response()
    })
}

/// What is being handed out. However many ask for the same, and however slowly they read, it is there once.
#[derive(Clone, Default)]
pub(super) struct Blobs(Arc<Mutex<Handed>>);

#[derive(Default)]
struct Handed {
    /// What somebody asks for, or still reads.
    known: BTreeMap<Sha256, Weak<Place>>,
    /// What was asked for last, at the back.
    kept: VecDeque<Arc<Blob>>,
}

/// Where a blob is while anybody has it. Whoever asks while it is being read and compressed waits for that.
type Place = Mutex<Weak<Blob>>;

struct Blob {
    bytes: Vec<u8>,
    /// In gzip, where that is smaller.
    gzip: Option<Bytes>,
    /// So that others find it.
    _place: Arc<Place>,
}

/// The body of an answer.
struct Sent {
    blob: Arc<Blob>,
    is_gzip: bool,
}

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        match &self.blob.gzip {
            Some(gzip) if self.is_gzip => gzip,
            _ => &self.blob.bytes,
        }
    }
}

impl Blob {
    fn memory(&self) -> usize {
        self.bytes.len() + self.gzip.as_ref().map_or(0, Bytes::len)
    }
}

impl Blobs {
    fn get(&self, kernels: &Kernels, sha256: &Sha256) -> Result<Option<Arc<Blob>>, KernelError> {
        let place = self.place(sha256);
        let mut there = lock(&place);
        let blob = match there.upgrade() {
            Some(blob) => blob,
            None => {
                let Some(bytes) = kernels.blob(sha256)? else { return Ok(None) };
                let gzip = gzip::compress(&bytes);
                let blob = Arc::new(Blob { bytes, gzip, _place: place.clone() });
                *there = Arc::downgrade(&blob);
                blob
            }
        };
        drop(there);
        self.keep(&blob);
        Ok(Some(blob))
    }

    fn place(&self, sha256: &Sha256) -> Arc<Place> {
        let mut handed = lock(&self.0);
        handed.known.retain(|_, place| place.strong_count() > 0);
        if let Some(place) = handed.known.get(sha256).and_then(Weak::upgrade) {
            return place;
        }
        let place = Arc::default();
        handed.known.insert(sha256.clone(), Arc::downgrade(&place));
        place
    }

    /// Keeps it for those who ask next, in the place of what was asked for longest ago.
    fn keep(&self, blob: &Arc<Blob>) {
        let mut handed = lock(&self.0);
        handed.kept.retain(|one| !Arc::ptr_eq(one, blob));
        handed.kept.push_back(blob.clone());
        while handed.kept.iter().map(|blob| blob.memory()).sum::<usize>() > BLOBS_KEPT_BYTES {
            handed.kept.pop_front();
        }
    }
}

/// Does what takes the disk, or time, where nobody else waits for it.
async fn run<T: Send + 'static>(
    kernels: Kernels,
    what: impl FnOnce(&Kernels) -> Result<T, KernelError> + Send + 'static,
) -> Result<T, ApiError> {
    Ok(blocking(move || what(&kernels)).await??)
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
