//! The way from a command to a server: its address, its token, and what its refusals say.

use super::http::{Failure, Http, Request, Response};
use super::print;
use crate::connect::{Address, Cause, Refusal};
use anyhow::{Context, anyhow, bail};
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Args, Command};
use hyper::http::header::AUTHORIZATION;
use hyper::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::de::DeserializeOwned;
use std::ffi::OsStr;
use std::time::{Duration, SystemTime};
use tequio_protocol::api::JobView;
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::{CLIENT_ANSWER_BYTES_MAX, CLIENT_RETRY, REFUSAL_BYTES_MAX};

/// The header of the operator token. A proxy may want `Authorization` for itself.
const TOKEN: HeaderName = HeaderName::from_static("tequio-token");

/// Which server, and how its answers are printed.
#[derive(Clone, Debug, Args)]
pub(super) struct Remote {
    /// The server: http(s):// or ws(s)://, with USER:PASSWORD@ where a proxy before it wants them
    #[arg(long, value_name = "URL", env = "TEQUIO_URL", default_value = "http://127.0.0.1:8765")]
    #[arg(value_parser = SecretParser(parse_url), hide_env_values = true)]
    url: Address,

    /// The operator token, which the server printed when it started, unless it is on loopback
    #[arg(long, value_name = "TOKEN", env = "TEQUIO_TOKEN", hide_env_values = true)]
    #[arg(value_parser = SecretParser(parse_token))]
    token: Option<Token>,

    /// Print JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
}

/// A server that answers.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: Http,
    address: Address,
}

/// Why a request has no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// There was no connection, or it broke: it may be better in a while.
    #[error("{message}")]
    NoAnswer {
        /// The sentence.
        message: String,
        /// Whether it may.
        may_pass: bool,
    },
    /// The server, or something before it, said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl RequestError {
    /// Whether the server has said that things are not as the request takes them to be.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, RequestError::Refused(refusal) if refusal.status() == StatusCode::CONFLICT)
    }

    /// Whether the server has nothing of that name.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self, RequestError::Refused(refusal) if refusal.status() == StatusCode::NOT_FOUND)
    }

    /// Whether the same request may be answered later: nobody answers, or the server is stopping, or
    /// its disk is full, or a proxy does not reach it.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            RequestError::NoAnswer { may_pass, .. } => *may_pass,
            RequestError::Refused(refusal) => refusal.may_pass(),
        }
    }

    /// The pause before the same request is sent again.
    fn pause(&self) -> Duration {
        match self {
            RequestError::NoAnswer { .. } => CLIENT_RETRY,
            RequestError::Refused(refusal) => {
                refusal.retry_after().unwrap_or_default().max(CLIENT_RETRY)
            }
        }
    }
}

impl Remote {
    /// Does not connect yet.
    pub(super) fn client(&self) -> Client {
        let mut headers = HeaderMap::new();
        // An empty variable names none.
        if let Some(Token(token)) = &self.token
            && !token.is_empty()
        {
            headers.insert(TOKEN, token.clone());
        }
        if let Some(authorization) = self.url.authorization() {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        Client { http: Http::new(self.url.clone(), headers), address: self.url.clone() }
    }
}

impl Client {
    /// A request for `path`, such as `api/jobs`.
    pub(super) fn request(&self, method: Method, path: &str) -> Request {
        Request::new(method, path)
    }

    /// Sends a request; an answer that is no success is an error.
    pub(super) async fn send(&self, request: Request) -> Result<Response, RequestError> {
        let mut response = self.http.send(&request).await.map_err(|error| self.failed(error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        // The status alone says something where the rest is lost.
        let body = response.bytes(REFUSAL_BYTES_MAX).await.unwrap_or_default();
        let headers = response.headers();
        Err(Refusal::read(&self.address, status, headers, &body, SystemTime::now()).into())
    }

    /// Sends a request whose answer is JSON.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        request: Request,
    ) -> Result<T, RequestError> {
        self.read(self.send(request).await?).await
    }

    /// An answer that is JSON.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        mut response: Response,
    ) -> Result<T, RequestError> {
        let read = response.bytes(CLIENT_ANSWER_BYTES_MAX).await;
        let body = read.map_err(|error| self.failed(error))?;
        serde_json::from_slice(&body).map_err(|_| self.stranger(&response))
    }

    /// The error of a success that is no Tequio's.
    pub(super) fn stranger(&self, response: &Response) -> RequestError {
        Refusal::stranger(&self.address, response.status(), response.headers()).into()
    }

    /// The error of an answer that ends before its time.
    pub(super) fn broken_off(&self) -> RequestError {
        let message = format!("the answer of {} ended too early", self.address);
        RequestError::NoAnswer { message, may_pass: true }
    }

    /// Where a job is.
    pub(super) async fn job(&self, id: JobId) -> Result<JobView, RequestError> {
        self.json(self.request(Method::GET, &format!("api/jobs/{id}"))).await
    }

    /// Makes a request until it is answered: a server that is started again is waited for.
    pub(super) async fn insist<T>(
        &self,
        mut attempt: impl AsyncFnMut() -> Result<T, RequestError>,
    ) -> Result<T, RequestError> {
        let mut has_told = false;
        loop {
            match attempt().await {
                Err(error) if error.may_pass() => {
                    if !has_told {
                        print::note(&format!("{error}; trying again"));
                        has_told = true;
                    }
                    tokio::time::sleep(error.pause()).await;
                }
                done => return done,
            }
        }
    }

    /// The error of a request, or of an answer that broke off.
    pub(super) fn failed(&self, failure: Failure) -> RequestError {
        unreachable_at(&self.address, &failure)
    }
}

/// What to do where a server is not reached.
fn unreachable_at(address: &Address, failure: &Failure) -> RequestError {
    let silent = |reason: &str| {
        format!(
            "no answer from {address} ({reason}); is the server there? `tequio serve` starts one, \
             and --url names another"
        )
    };
    match failure {
        Failure::Broken(reason) => {
            RequestError::NoAnswer { message: silent(reason), may_pass: true }
        }
        Failure::NoWay(no_way) => {
            let message = match no_way.cause() {
                Cause::Silent => silent(&no_way.to_string()),
                Cause::Name => format!("no way to {address}: {no_way}; --url names another server"),
                Cause::Tls | Cause::Proxy => format!("no way to {address}: {no_way}"),
            };
            RequestError::NoAnswer { message, may_pass: no_way.may_pass() }
        }
    }
}

/// A value of the command line that may hold a secret: unlike clap's own parsers, an error does not
/// repeat it.
#[derive(Clone)]
pub(super) struct SecretParser<T>(pub(super) fn(&str) -> anyhow::Result<T>);

impl<T: Clone + Send + Sync + 'static> TypedValueParser for SecretParser<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        let read = value.to_str().context("it is no UTF-8").and_then(self.0);
        read.map_err(|error| {
            let name = argument.map(Arg::to_string).unwrap_or_default();
            command.clone().error(ErrorKind::ValueValidation, format!("{name}: {error:#}"))
        })
    }
}

/// An operator token, as a header has it.
#[derive(Clone, Debug)]
struct Token(HeaderValue);

/// The ends are of the file or the shell that a token came from: no server has a token with spaces
/// there.
fn parse_token(text: &str) -> anyhow::Result<Token> {
    let text = text.trim();
    if let Some(at) = text.find(|c: char| !c.is_ascii_graphic()) {
        let what = match text[at..].chars().next() {
            Some('\r' | '\n') => "a line end",
            Some(c) if c.is_whitespace() => "a space",
            Some(c) if c.is_control() => "a control character",
            _ => "a character that is not ASCII",
        };
        let at = text[..at].chars().count() + 1;
        bail!("character {at} of the operator token is {what}, and no server has such a token");
    }
    let mut value: HeaderValue = text.parse()?;
    value.set_sensitive(true);
    Ok(Token(value))
}

/// The address of a server's page.
pub(super) fn parse_url(text: &str) -> anyhow::Result<Address> {
    let expected = "expected a server such as http://192.168.1.20:8765";
    let mut address: Address = text.parse().map_err(|error| anyhow!("{error}; {expected}"))?;
    address.set_http();
    address.change(|url| {
        // The page's address, also where its socket's was copied.
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix("/ws").unwrap_or(path).to_owned();
        url.set_path(&path);
        url.set_query(None);
    });
    Ok(address)
}

/// How long something takes, for people.
pub(super) fn duration(seconds: f64) -> String {
    let whole = Duration::from_secs(seconds.min(1e15) as u64);
    indicatif::HumanDuration(whole).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_named_in_any_of_four_schemes() {
        for (given, meant) in [
            ("http://127.0.0.1:8765", "http://127.0.0.1:8765/"),
            ("ws://lab:8765", "http://lab:8765/"),
            ("ws://lab:8765/ws", "http://lab:8765/"),
            ("wss://lab.example", "https://lab.example/"),
            ("https://lab.example/tequio/", "https://lab.example/tequio"),
            ("https://lab.example/tequio/ws?x=1", "https://lab.example/tequio"),
        ] {
            assert_eq!(parse_url(given).unwrap().url().as_str(), meant, "{given}");
        }
        for bad in ["lab:8765", "127.0.0.1", "ftp://lab", "http://", ""] {
            assert!(parse_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_is_trimmed_and_what_no_header_has_is_named() {
        for good in ["secret", " secret\r\n", "\tsecret"] {
            assert_eq!(parse_token(good).unwrap().0, "secret");
        }
        for (bad, said) in [
            ("se\ncret", "character 3 of the operator token is a line end"),
            ("se cret", "a space"),
            ("ñandú", "character 1 of the operator token is a character that is not ASCII"),
            ("a\u{7}", "a control character"),
        ] {
            let error = parse_token(bad).unwrap_err().to_string();
            assert!(error.contains(said), "{bad:?}: {error}");
        }
    }
}
