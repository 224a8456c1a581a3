//! `tequio serve`.

use super::listen::Listen;
use super::own_names::own_names;
use super::print;
pub(super) use super::stop::stop_signal;
use crate::console::Console;
use crate::dispatcher::WelcomeTask;
use crate::files;
use crate::store::{MemoryStore, SqliteStore, Store};
use crate::wall_clock::{self, LogTime};
use crate::web::{
    self, Config, HostPort, Limits, Page, PageOrigin, Prefix, Root, Who, join_link, opening_address,
};
use anyhow::Context;
use clap::Args;
use rand::TryRng;
use rand::rngs::SysRng;
use std::env;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tequio_protocol::limits::AUDIT_CORES;
use tequio_protocol::op::{self, Args as InputArgs, Kind, write_input};
use tequio_scheduler::{Failures, Trust};
use tracing::info;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The address and port to listen on, or one of the two; 0.0.0.0 is every address, and port 0 takes
    /// a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8765")]
    listen: Listen,

    /// The task that everyone is sent on connecting
    #[arg(long, value_name = "INITIAL,FACTOR,TIMES", value_parser = parse_welcome)]
    #[arg(default_value = "1.0000054,1.00000043,1000000", allow_hyphen_values = true)]
    welcome: WelcomeTask,

    /// Send no task on connecting
    #[arg(long, conflicts_with = "welcome")]
    no_welcome: bool,

    /// The folder that jobs and results are kept in [default: the user's data folder]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Keep jobs and results in memory only
    #[arg(long, conflicts_with = "data")]
    memory: bool,

    /// What a WebSocket at the bare address gets; clients of classroom exercises have that address
    /// written into them. Tabs always ask for tasks
    #[arg(long, value_name = "SERVICE", default_value = "tasks")]
    root: Root,

    /// Submit sweeps to look at, one after the other; kept in memory unless there is --data
    #[arg(long)]
    demo: bool,

    /// Cores that checking results of long tasks takes at the most, on average; jobs that are checked `all` take
    /// whole cores, as many as this rounded up, or half of those that there are
    #[arg(long, value_name = "CORES", default_value_t = AUDIT_CORES, value_parser = parse_cores)]
    check_cores: f64,

    /// What whoever submits or controls jobs must show. Off loopback one is made and printed where
    /// none is given; on loopback none is needed
    #[arg(long, value_name = "TOKEN", env = "TEQUIO_TOKEN", hide_env_values = true)]
    operator_token: Option<String>,

    /// Show whom a proxy at this address or network speaks for (X-Forwarded-For, Forwarded), not the
    /// proxy; may be given several times. Beside --allow-origin a proxy on this machine is trusted anyway
    #[arg(long, value_name = "ADDRESS")]
    trust_proxy: Vec<Prefix>,

    /// Accept browsers' requests from this origin too; may be given several times
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<PageOrigin>,

    /// Answer requests for this name too, NAME or NAME:PORT; may be given several times. Addresses, this
    /// machine's own name and those of --allow-origin are known without
    #[arg(long, value_name = "NAME")]
    host: Vec<HostPort>,
}

impl Serve {
    pub(super) async fn run(self, page: Page) -> anyhow::Result<()> {
        let _console = write_log_lines()?;
        wall_clock::check().map_err(anyhow::Error::msg)?;
        files::raise_limit();
        tequio_allocator::give_back();
        let given_token = self.given_token()?;
        let listener = self.listen.bind().await?;
        let address = listener.local_addr().context("the listening address is unknown")?;
        let store = self.open_store()?;
        let who = self.who(address, given_token)?;
        info!("{}", listening(&who, address));
        let stop = stop_signal().context("signals cannot be listened for")?;
        let welcome = (!self.no_welcome).then_some(self.welcome);
        let (demo, root) = (self.demo, self.root);
        let trust =
            Trust { seed: random_bytes()?, failures: Failures::Judged, cores: self.check_cores };
        let limits = Limits::default();
        let config = Config { address, welcome, demo, root, page, store, who, trust, limits };
        web::serve(listener, config, stop).await?;
        info!("Stopped");
        Ok(())
    }

    fn open_store(&self) -> anyhow::Result<Arc<dyn Store>> {
        if self.memory || (self.demo && self.data.is_none()) {
            info!("Jobs are kept in memory, and gone when the server stops");
            return Ok(Arc::new(MemoryStore::new()));
        }
        let folder = match &self.data {
            Some(folder) => folder.clone(),
            None => default_data().context("no folder for data is known; name one with --data")?,
        };
        let store = SqliteStore::open(&folder)?;
        info!("Jobs are kept in {}", folder.display());
        Ok(Arc::new(store))
    }

    /// The operator token of the command line; one that nobody could show is refused, not taken for none.
    fn given_token(&self) -> anyhow::Result<Option<String>> {
        let given = self.operator_token.as_deref().map(web::parse_token).transpose();
        given.map_err(|reason| {
            anyhow::anyhow!(
                "the operator token (--operator-token or TEQUIO_TOKEN) is no good: {reason}"
            )
        })
    }

    /// Where others reach this server a token is needed, so one is made where none was given.
    fn who(&self, address: SocketAddr, given_token: Option<String>) -> anyhow::Result<Who> {
        let is_loopback = address.ip().is_loopback();
        let mut operator_token = given_token;
        // A foreign origin, or a name that others have for it, means that others reach this server, be it
        // through a proxy.
        let is_reached = !is_loopback
            || self.allow_origin.iter().any(|origin| !origin.is_local())
            || self.host.iter().any(|host| !host.is_loopback());
        if operator_token.is_none() && is_reached {
            let token = format!("{:016x}{:016x}", random()?, random()?);
            // No log line: nobody could do without it, whatever is logged.
            print::line(&format!("Operator token, to submit and control jobs: {token}"));
            operator_token = Some(token);
        }
        let mut names = self.host.clone();
        // On loopback nobody else asks for it, and a name of this machine is for others.
        if !is_loopback {
            names.extend(own_names());
        }
        names.extend(self.listen.name().and_then(|name| name.parse().ok()));
        let allowed_origins = self.allow_origin.clone();
        let trusted_proxies = self.trust_proxy.clone();
        Ok(Who { is_loopback, names, allowed_origins, operator_token, trusted_proxies })
    }
}

/// Where clients connect, where this machine's browser opens the page, and where those of others do.
fn listening(who: &Who, address: SocketAddr) -> String {
    let page = format!("http://{}", opening_address(address));
    let join = join_link(who, address).filter(|link| *link != page);
    let join = join.map(|link| format!(" · others join at {link}")).unwrap_or_default();
    format!("Listening on ws://{address} · open {page}{join}")
}

pub(super) fn random() -> anyhow::Result<u64> {
    random_bytes().map(u64::from_ne_bytes)
}

fn random_bytes<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes).context("the system has no random numbers")?;
    Ok(bytes)
}

/// The user's own folder for the data of programs.
fn default_data() -> Option<PathBuf> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || variable("HOME");
    let data = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library/Application Support"))
    } else {
        // XDG Base Directory Specification.
        variable("XDG_DATA_HOME").or_else(|| home().map(|home| home.join(".local/share")))
    };
    data.map(|data| data.join("tequio"))
}

/// Log lines on stderr, `RUST_LOG` choosing which: `warn`, or `info,tequio::web=debug`. What is given is to
/// be kept until no more lines are written.
pub(super) fn write_log_lines() -> anyhow::Result<Console> {
    let chosen = env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned());
    let levels: Targets = chosen.parse().with_context(|| format!("RUST_LOG={chosen}"))?;
    let console = Console::start(io::stderr()).context("no thread for the console")?;
    let lines_to = console.lines();
    let lines = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_timer(LogTime)
        .with_ansi(io::stderr().is_terminal())
        // Said to stderr, which may be what is full.
        .log_internal_errors(false)
        .with_writer(lines_to.clone());
    tracing_subscriber::registry().with(lines.with_filter(levels)).init();
    Ok(console)
}

/// A share of this machine. None of it would believe everybody, in all jobs, without a word in any.
fn parse_cores(text: &str) -> Result<f64, String> {
    let most = std::thread::available_parallelism().map_or(1, usize::from);
    match text.trim().parse::<f64>() {
        Ok(cores) if cores > 0.0 && cores <= most as f64 => Ok(cores),
        Ok(0.0) => {
            Err("0 cores would check nothing and not say so; a job that is not to be checked is \
             submitted with `--check none`"
                .to_owned())
        }
        _ => Err(format!(
            "it must be a number above 0, such as 0.5, and at most {most}: this machine has \
             so many cores"
        )),
    }
}

/// A task of `repeat_multiply`, which clients of classroom exercises know.
fn parse_welcome(text: &str) -> Result<WelcomeTask, String> {
    let op = op::named("repeat_multiply").ok_or("this op is not known")?;
    let params = op.params();
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    if parts.len() != params.len() {
        return Err(format!("expected INITIAL,FACTOR,TIMES, got {} values", parts.len()));
    }
    let mut args = InputArgs::default();
    for ((value, param), text) in args.iter_mut().zip(params).zip(parts) {
        let name = param.name;
        *value = match param.kind {
            Kind::Float => {
                text.parse().map_err(|_| format!("{name} must be a number, not `{text}`"))?
            }
            Kind::Integer { min, max } => {
                let integer = text.parse::<i64>().ok().filter(|value| (min..=max).contains(value));
                let said =
                    || format!("{name} must be an integer from {min} to {max}, not `{text}`");
                integer.ok_or_else(said)? as f64
            }
        };
        if !param.kind.takes(*value) {
            return Err(format!("{name} must be {}, not `{text}`", param.kind));
        }
    }
    Ok(WelcomeTask { op, input: write_input(params, &args) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_to_open_is_an_address_that_opens() {
        let line = |who: &Who, address: &str| listening(who, address.parse().unwrap());
        let nobody = Who::default();
        assert_eq!(
            line(&nobody, "127.0.0.1:8765"),
            "Listening on ws://127.0.0.1:8765 · open http://127.0.0.1:8765"
        );
        assert_eq!(
            line(&nobody, "192.168.1.5:8765"),
            "Listening on ws://192.168.1.5:8765 · open http://192.168.1.5:8765"
        );
        let every = line(&nobody, "0.0.0.0:8765");
        assert!(every.contains(" · open http://127.0.0.1:8765"), "{every}");
        let every = line(&nobody, "[::]:8765");
        assert!(every.contains(" · open http://[::1]:8765"), "{every}");
        let allowed_origins = vec!["https://lab.example".parse().unwrap()];
        let outside = Who { allowed_origins, ..nobody };
        assert_eq!(
            line(&outside, "127.0.0.1:1"),
            "Listening on ws://127.0.0.1:1 · open http://127.0.0.1:1 · others join at \
             https://lab.example"
        );
    }

    #[test]
    fn the_cores_for_checks_are_some_of_this_machine() {
        assert_eq!(parse_cores("0.5"), Ok(0.5));
        assert_eq!(parse_cores(" 1 "), Ok(1.0));
        assert!(parse_cores("0").unwrap_err().contains("`--check none`"));
        for text in ["-1", "NaN", "inf", "1e9", "half", ""] {
            assert!(parse_cores(text).unwrap_err().contains("above 0"), "{text}");
        }
    }

    #[test]
    fn a_welcome_is_three_values_in_range() {
        let input = parse_welcome("3, -2,10").unwrap().input;
        assert_eq!(input, r#"{"initial":3.0,"factor":-2.0,"times":10}"#);
        for (text, said) in [
            ("1,2", "got 2 values"),
            ("a,2,3", "initial must be a number, not `a`"),
            ("1,NaN,3", "factor must be a finite number"),
            ("1,2,-3", "times must be an integer"),
            ("1,2,1.5", "times must be an integer"),
            ("1,2,9007199254740992", "9007199254740991"),
        ] {
            let error = parse_welcome(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
