//! A Chromium of a measure's own, told by the DevTools protocol which page to open and nothing else:
//! whoever watches a tab's sockets there is sent a copy of every frame.

use crate::process::Process;
use crate::setting::Setting;
use crate::tools;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::stream::MaybeTlsStream;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

/// Those of the tests in `www/tests`.
const SWITCHES: [&str; 8] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// How long it may take to end once it is told to, or to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A browser with a new profile, which ends with all of its processes when dropped.
#[derive(Debug)]
pub(crate) struct Browser {
    process: Process,
    devtools: WebSocket<MaybeTlsStream<TcpStream>>,
    asked: u64,
    // Below the process: removed once nothing writes there any more.
    _profile: TempDir,
}

/// A tab of it.
#[derive(Debug)]
pub(crate) struct Tab {
    session: String,
}

impl Browser {
    pub(crate) fn start(setting: &Setting) -> Result<Browser> {
        let profile = setting.folder()?;
        let mut command = Command::new(tools::chromium()?);
        command.args(SWITCHES).arg("--remote-debugging-port=0");
        command.arg(format!("--user-data-dir={}", profile.path().display())).arg("about:blank");
        let mut process = Process::start(command.stdout(Stdio::null()).stderr(Stdio::piped()))?;
        let console = process.child().stderr.take().context("its console is a pipe")?;
        let mut console = BufReader::new(console);
        let mut line = String::new();
        let address = loop {
            line.clear();
            ensure!(console.read_line(&mut line)? > 0, "Chromium ended before it could be asked");
            if let Some((_, address)) = line.split_once("DevTools listening on ") {
                break address.trim();
            }
        };
        let (devtools, _) = tungstenite::connect(address).context("asking Chromium")?;
        if let MaybeTlsStream::Plain(stream) = devtools.get_ref() {
            stream.set_read_timeout(Some(PATIENCE))?;
        }
        // The rest of what it says is kept from filling the pipe.
        std::thread::spawn(move || std::io::copy(&mut console, &mut std::io::sink()));
        Ok(Browser { process, devtools, asked: 0, _profile: profile })
    }

    /// Opens a page in a tab that believes the machine to have so many cores.
    pub(crate) fn open(&mut self, url: &str, cores: u32) -> Result<Tab> {
        let tab = self.ask(None, "Target.createTarget", &json!({ "url": "about:blank" }))?;
        let target = json!({ "targetId": tab["targetId"], "flatten": true });
        let tab = self.ask(None, "Target.attachToTarget", &target)?;
        let session = tab["sessionId"].as_str().context("a tab that is asked has a session")?;
        let cores = json!({ "hardwareConcurrency": cores });
        self.ask(Some(session), "Emulation.setHardwareConcurrencyOverride", &cores)?;
        self.ask(Some(session), "Page.navigate", &json!({ "url": url }))?;
        Ok(Tab { session: session.to_owned() })
    }

    /// What an expression comes to in a tab, once it does: within [`PATIENCE`].
    pub(crate) fn evaluate(&mut self, tab: &Tab, expression: &str) -> Result<Value> {
        let asked =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut answer = self.ask(Some(&tab.session), "Runtime.evaluate", &asked)?;
        if let Some(thrown) = answer.get("exceptionDetails") {
            bail!("{expression}: {thrown}");
        }
        Ok(answer["result"]["value"].take())
    }

    fn ask(&mut self, session: Option<&str>, method: &str, params: &Value) -> Result<Value> {
        let id = self.tell(session, method, params)?;
        loop {
            let Message::Text(text) = self.devtools.read().context(method.to_owned())? else {
                continue;
            };
            let mut answer: Value = serde_json::from_str(&text)?;
            if answer["id"] != id {
                continue;
            }
            if let Some(error) = answer.get("error") {
                bail!("{method}: Chromium says {error}");
            }
            return Ok(answer["result"].take());
        }
    }

    fn tell(&mut self, session: Option<&str>, method: &str, params: &Value) -> Result<u64> {
        self.asked += 1;
        let mut question = json!({ "id": self.asked, "method": method, "params": params });
        if let Some(session) = session {
            question["sessionId"] = json!(session);
        }
        self.devtools.send(Message::text(question.to_string())).context(method.to_owned())?;
        Ok(self.asked)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Killed, it would leave processes that go on computing, and writing into its profile. One
        // that does not end is killed all the same when the process is dropped.
        if self.tell(None, "Browser.close", &json!({})).is_err() {
            return;
        }
        let told = Instant::now();
        while matches!(self.process.child().try_wait(), Ok(None)) && told.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
