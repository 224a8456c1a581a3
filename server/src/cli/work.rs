//! `tequio work`.

use super::asked::whole;
use super::client::{SecretParser, parse_url};
use super::http::{Failure, Http, Request};
use super::serve::{random, stop_signal, write_log_lines};
use crate::connect::Address;
use crate::engine::{self, Source};
use crate::native::{self, Config, End};
use anyhow::{Context, bail};
use clap::Args;
use hyper::http::{HeaderMap, Method, StatusCode};
use std::sync::Arc;
use tequio_kernel::DATA_BYTES_MAX;
use tequio_protocol::limits::SLOTS_MAX;
use tequio_protocol::op::kernel::Sha256;
use tequio_protocol::page::ToPage;
use tokio::runtime::Handle;
use tracing::{debug, info, warn};

#[derive(Debug, Args)]
pub(super) struct Work {
    /// The server: http(s):// or ws(s)://
    #[arg(value_name = "URL", env = "TEQUIO_URL", default_value = "http://127.0.0.1:8765")]
    #[arg(value_parser = SecretParser(parse_url), hide_env_values = true)]
    url: Address,

    /// Tasks to compute at once [default: one for each core]
    #[arg(long, value_name = "N", value_parser = |text: &str| whole(text, 1, SLOTS_MAX))]
    slots: Option<u32>,
}

impl Work {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let _console = write_log_lines()?;
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        let slots = self.slots.unwrap_or(cores.min(SLOTS_MAX));
        let server = socket_of(&self.url);
        info!("Working for {} with {slots} slots; Ctrl-C ends it", self.url);
        let kernels: Arc<dyn Source> = Arc::new(FromServer {
            http: Http::new(self.url.clone(), HeaderMap::new()),
            runtime: Handle::current(),
        });
        engine::add_source(&kernels);
        let config = Config { server, slots, seed: random()? };
        let stop = stop_signal().context("signals cannot be listened for")?;
        let mut sent = 0;
        let tell = |message: &ToPage| log(message, &mut sent);
        match native::run(config, tell, stop).await {
            End::Stopped => info!("Stopped; {sent} results sent"),
            End::Failed(reason) => bail!(reason),
        }
        Ok(())
    }
}

/// The kernels of the server, asked for by the threads that compute.
struct FromServer {
    http: Http,
    runtime: Handle,
}

impl Source for FromServer {
    fn blob(&self, sha256: &Sha256) -> Result<Option<Vec<u8>>, String> {
        let get = async {
            let request = Request::new(Method::GET, &format!("data/{sha256}"));
            let mut response = self.http.send(&request).await?;
            match response.status() {
                StatusCode::OK => response.bytes(DATA_BYTES_MAX).await.map(Some),
                _ => Ok(None),
            }
        };
        self.runtime.block_on(get).map_err(|_: Failure| "the server does not answer".to_owned())
    }
}

/// Where a page's server listens for workers.
fn socket_of(page: &Address) -> Address {
    let mut socket = page.clone();
    socket.set_ws();
    socket.change(|url| {
        let path = format!("{}/ws", url.path().trim_end_matches('/'));
        url.set_path(&path);
    });
    socket
}

fn log(message: &ToPage, sent: &mut u64) {
    match message {
        ToPage::Connecting { attempt: 1 }
        | ToPage::Ready
        | ToPage::Lent { .. }
        | ToPage::Paused
        | ToPage::Idle { .. } => {}
        ToPage::Connecting { attempt } => info!("Reconnecting (attempt {attempt})"),
        ToPage::Connected => info!("Connected"),
        ToPage::Disconnected { reason, retry_in_ms } => {
            warn!("Closed: {reason}; next attempt in {:.1} s", retry_in_ms / 1000.0);
        }
        ToPage::Task { task_id, text, .. } => debug!("task {task_id}: {text}"),
        ToPage::Result { task_id, result, .. } => {
            *sent += 1;
            debug!("task {task_id}: {result}");
        }
        ToPage::Lease { job, first, count, .. } => {
            debug!("{count} tasks of job {job} from {first}");
        }
        ToPage::Results { job, last, count, .. } => {
            *sent += count;
            debug!("{count} results of job {job} up to {last}");
        }
        ToPage::Notice { text } | ToPage::Failed { text, .. } => warn!("{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_connect_where_the_page_is_served() {
        for (given, socket) in [
            ("http://127.0.0.1:8765", "ws://127.0.0.1:8765/ws"),
            ("ws://127.0.0.1:8765/ws", "ws://127.0.0.1:8765/ws"),
            ("https://http.example/x/", "wss://http.example/x/ws"),
        ] {
            assert_eq!(socket_of(&parse_url(given).unwrap()).url().as_str(), socket);
        }
    }
}
