//! Requests over HTTP/1.1, on connections that are kept for the next.

use crate::connect::{Address, NoWay, Proxy, Stream, Use, open};
use anyhow::Context as _;
use axum::body::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, PROXY_AUTHORIZATION, USER_AGENT};
use hyper::http::{self, Method, StatusCode, Uri};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde::Serialize;
use std::error::Error;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tower::Service;
use url::form_urlencoded;

/// A way to one server.
#[derive(Clone, Debug)]
pub(super) struct Http {
    client: Client<Connector, Full<Bytes>>,
    address: Address,
    /// What each request says beside its own.
    headers: HeaderMap,
}

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Request {
    method: Method,
    path: String,
    query: String,
    content_type: Option<&'static str>,
    body: Bytes,
}

/// What is answered; its body is on its way.
#[derive(Debug)]
pub(super) struct Response {
    head: http::response::Parts,
    body: Incoming,
}

/// Why there is no answer, or not all of it.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nobody is reached.
    NoWay(NoWay),
    /// Somebody is, and it broke off, or is no HTTP.
    Broken(String),
}

impl Request {
    /// `path` is below the server's address, such as `api/jobs`.
    pub(super) fn new(method: Method, path: &str) -> Request {
        let (query, body) = (String::new(), Bytes::new());
        Request { method, path: path.to_owned(), query, content_type: None, body }
    }

    /// Adds parameters.
    pub(super) fn query(mut self, parameters: &[(&str, impl AsRef<str>)]) -> Request {
        let mut query = form_urlencoded::Serializer::new(self.query);
        query.extend_pairs(parameters);
        self.query = query.finish();
        self
    }

    /// Lines, as the body.
    pub(super) fn body(self, text: impl Into<Bytes>) -> Request {
        Request { body: text.into(), content_type: Some("application/x-ndjson"), ..self }
    }

    /// A value in JSON, as the body.
    pub(super) fn json(self, value: &impl Serialize) -> Request {
        let body = serde_json::to_vec(value).expect("what commands send can be JSON").into();
        Request { body, content_type: Some("application/json"), ..self }
    }
}

impl Response {
    pub(super) fn status(&self) -> StatusCode {
        self.head.status
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// Some of the body; `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        while let Some(frame) = self.body.frame().await {
            // Trailers say nothing here.
            if let Ok(bytes) = frame.map_err(|error| broken(&error))?.into_data() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// The rest of the body; what goes beyond `bytes_max` is not read.
    pub(super) async fn bytes(&mut self, bytes_max: usize) -> Result<Vec<u8>, Failure> {
        let mut all = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            all.extend_from_slice(&chunk);
            if all.len() > bytes_max {
                all.truncate(bytes_max);
                break;
            }
        }
        Ok(all)
    }
}

impl Http {
    /// Does not connect yet. `headers` are sent with each request.
    pub(super) fn new(address: Address, mut headers: HeaderMap) -> Http {
        let agent = HeaderValue::from_static(concat!("tequio/", env!("CARGO_PKG_VERSION")));
        headers.insert(USER_AGENT, agent);
        // A proxy is told who asks with each request that it passes on, and else when it is asked to.
        if !address.is_secure()
            && let Some(proxy) = Proxy::of(&address)
            && let Some(authorization) = proxy.authorization()
        {
            headers.insert(PROXY_AUTHORIZATION, authorization.clone());
        }
        let connector = Connector { address: address.clone() };
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Http { client, address, headers }
    }

    /// Sends a request; an answer of any status is one.
    pub(super) async fn send(&self, request: &Request) -> Result<Response, Failure> {
        let request = self.request(request).map_err(|error| Failure::Broken(error.to_string()))?;
        let (head, body) =
            self.client.request(request).await.map_err(|error| failure(&error))?.into_parts();
        Ok(Response { head, body })
    }

    fn request(&self, request: &Request) -> anyhow::Result<http::Request<Full<Bytes>>> {
        let base = self.address.url().as_str().trim_end_matches('/');
        let mark = if request.query.is_empty() { "" } else { "?" };
        let uri = format!("{base}/{}{mark}{}", request.path, request.query);
        let mut built = http::Request::new(Full::new(request.body.clone()));
        *built.method_mut() = request.method.clone();
        *built.uri_mut() = uri.parse::<Uri>().context("the server's address")?;
        *built.headers_mut() = self.headers.clone();
        if let Some(content_type) = request.content_type {
            built.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        Ok(built)
    }
}

fn failure(error: &legacy::Error) -> Failure {
    match error.source().and_then(|source| source.downcast_ref::<NoWay>()) {
        Some(no_way) => Failure::NoWay(no_way.clone()),
        None => broken(error),
    }
}

/// The innermost cause says it best: "connection reset", and not "error sending request".
fn broken(error: &(dyn Error + 'static)) -> Failure {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    Failure::Broken(cause.to_string())
}

/// Connects to the one server, whatever it is asked for.
#[derive(Clone, Debug)]
struct Connector {
    address: Address,
}

impl Service<Uri> for Connector {
    type Response = Link;
    type Error = NoWay;
    type Future = BoxFuture<'static, Result<Link, NoWay>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoWay>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let address = self.address.clone();
        Box::pin(async move {
            let stream = open(&address, Use::Requests).await?;
            // It is told whole addresses, where it passes on requests and not bytes.
            let is_proxied = !address.is_secure() && Proxy::of(&address).is_some();
            Ok(Link { stream: TokioIo::new(stream), is_proxied, has_failed: false })
        })
    }
}

/// A connection whose failure to write is no failure to read. A server that refuses in the middle of a
/// long body answers and goes; what it answered is worth more than that the rest could not be sent.
struct Link {
    stream: TokioIo<Stream>,
    is_proxied: bool,
    /// Nothing that is written arrives any more.
    has_failed: bool,
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.is_proxied)
    }
}

impl hyper::rt::Read for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Link {
    /// What was to be written counts as written once nothing can be.
    fn forgive(
        &mut self,
        written: Poll<io::Result<usize>>,
        length: usize,
    ) -> Poll<io::Result<usize>> {
        if ready!(&written).is_ok() {
            return written;
        }
        self.has_failed = true;
        Poll::Ready(Ok(length))
    }
}

impl hyper::rt::Write for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.has_failed {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.forgive(written, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = slices.iter().map(|slice| slice.len()).sum();
        if self.has_failed {
            return Poll::Ready(Ok(length));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.forgive(written, length)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.has_failed && ready!(Pin::new(&mut self.stream).poll_flush(context)).is_err() {
            self.has_failed = true;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
