//! The way from a command to a server: its address, its token, and what its refusals say.

use super::print;
use anyhow::{Context, anyhow, bail};
use clap::Args;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use std::time::Duration;
use tequio_protocol::api::{ErrorBody, JobView};
use tequio_protocol::ids::JobId;
use tequio_protocol::limits::{CLIENT_CONNECT_TIMEOUT, CLIENT_RETRY};

/// Which server, and how its answers are printed.
#[derive(Clone, Debug, Args)]
pub(super) struct Remote {
    /// The server: http(s):// or ws(s)://
    #[arg(long, value_name = "URL", env = "TEQUIO_URL", default_value = "http://127.0.0.1:8765")]
    #[arg(value_parser = parse_url)]
    url: Url,

    /// The operator token, which the server printed when it started, unless it is on loopback
    #[arg(long, value_name = "TOKEN", env = "TEQUIO_TOKEN", hide_env_values = true)]
    token: Option<String>,

    /// Print JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
}

/// A server that answers.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    remote: Remote,
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// There was no connection, or it broke: it may be better in a while.
    #[error(
        "no answer from {url} ({reason}); is the server there? `tequio serve` starts one, \
         and --url names another"
    )]
    NoAnswer {
        /// The server.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The server said no.
    #[error("{message}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// The server's sentence.
        message: String,
    },
}

impl RequestError {
    /// Whether the server has said that things are not as the request takes them to be.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, RequestError::Refused { status: StatusCode::CONFLICT, .. })
    }

    /// Whether the server has nothing of that name.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self, RequestError::Refused { status: StatusCode::NOT_FOUND, .. })
    }

    /// Whether the same request may be answered later: nobody answers, or the server is stopping,
    /// or its disk is full.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            RequestError::NoAnswer { .. } => true,
            RequestError::Refused { status, .. } => *status == StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl Remote {
    /// Does not connect yet.
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        let http = reqwest::Client::builder()
            .connect_timeout(CLIENT_CONNECT_TIMEOUT)
            .user_agent(concat!("tequio/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("HTTP cannot be set up")?;
        Ok(Client { http, remote: self.clone() })
    }
}

impl Client {
    /// A request for `path`, such as `api/jobs`.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/{path}", self.remote.url.as_str().trim_end_matches('/'));
        let request = self.http.request(method, url);
        match &self.remote.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request; an answer with a status of 400 or above is an error.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, RequestError> {
        let response = request.send().await.map_err(|error| self.no_answer(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.text().await.map_err(|error| self.no_answer(&error))?;
        let message = match serde_json::from_str::<ErrorBody>(&text) {
            Ok(body) => body.error.message,
            Err(_) => format!("{} answers {status}: it is no tequio", self.remote.url),
        };
        Err(RequestError::Refused { status, message })
    }

    /// Sends a request whose answer is JSON.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<T, RequestError> {
        self.read(self.send(request).await?).await
    }

    /// An answer that is JSON.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        response: Response,
    ) -> Result<T, RequestError> {
        let status = response.status();
        let text = response.text().await.map_err(|error| self.no_answer(&error))?;
        serde_json::from_str(&text).map_err(|error| RequestError::Refused {
            status,
            message: format!("{} answers what no tequio does: {error}", self.remote.url),
        })
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
                    tokio::time::sleep(CLIENT_RETRY).await;
                }
                done => return done,
            }
        }
    }

    pub(super) fn no_answer(&self, error: &reqwest::Error) -> RequestError {
        // The innermost cause says it best: "connection refused", and not "error sending request".
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        RequestError::NoAnswer { url: self.remote.url.to_string(), reason: cause.to_string() }
    }
}

/// The address of a server's page.
pub(super) fn parse_url(text: &str) -> anyhow::Result<Url> {
    let expected = "expected a server such as http://192.168.1.20:8765";
    let mut url: Url = text.parse().map_err(|error| anyhow!("{error}; {expected}"))?;
    let scheme = match url.scheme() {
        "ws" | "http" => "http",
        "wss" | "https" => "https",
        other => bail!("{other}:// is no scheme of a server; {expected}"),
    };
    if url.host_str().is_none_or(str::is_empty) || url.set_scheme(scheme).is_err() {
        bail!(expected);
    }
    // The page's address, also where its socket's was copied.
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/ws").unwrap_or(path).to_owned();
    url.set_path(&path);
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
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
            assert_eq!(parse_url(given).unwrap().as_str(), meant, "{given}");
        }
        for bad in ["lab:8765", "127.0.0.1", "ftp://lab", "http://", ""] {
            assert!(parse_url(bad).is_err(), "{bad}");
        }
    }
}
