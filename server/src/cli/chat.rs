//! `tequio chat`: lines to a room, and what the others say.

mod heard;

use super::client::SecretParser;
use super::serve::random;
use super::service::{self, connect, ended, parameter, set_parameter};
use super::terminal::{self, Interrupt, Lines, Screen};
use crate::connect::{Address, Received, Socket, closing, read};
use crate::connection::Close;
use anyhow::{bail, ensure};
use clap::Args;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use heard::Heard;
use std::future::pending;
use tequio_protocol::limits::{
    BACKOFF_RESET_AFTER, CHAT_MESSAGE_BYTES_MAX, CHAT_PINGS_UNANSWERED_MAX, CLOSE_TIMEOUT,
    PING_INTERVAL,
};
use tequio_protocol::message::close_code;
use tequio_protocol::text::quote;
use tequio_worker::backoff::Backoff;
use tokio::sync::mpsc::{self, Permit};
use tokio::time::{
    Instant, Interval, MissedTickBehavior, interval_at, sleep, sleep_until, timeout,
};
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// A line that ends the chat, as Ctrl-D does.
const FAREWELL: &str = "exit";

#[derive(Debug, Args)]
#[command(after_help = "\
Each line is a message; `exit` or Ctrl-D leaves. When stdin is no terminal its lines are sent, and the \
chat is left once they have come back from the room. A server that is lost is connected to again.")]
pub(super) struct Chat {
    /// A room's socket, ws(s)://, which is used as it is; or a server, http(s)://, whose /chat is used
    #[arg(value_name = "URL", env = "TEQUIO_URL", default_value = "http://127.0.0.1:8765")]
    #[arg(value_parser = SecretParser(parse_url), hide_env_values = true)]
    url: Address,

    /// How the others see you
    #[arg(long)]
    name: Option<String>,
}

fn parse_url(text: &str) -> anyhow::Result<Address> {
    service::parse_socket(text, "chat")
}

impl Chat {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let url = self.socket();
        let backoff = Backoff::new(random()?);
        let mut socket = connect(&url).await?;
        let (screen, lines, interrupt) = terminal::open(Some(FAREWELL))?;
        if screen.is_typed_at() {
            let there = url.to_string();
            screen.notice(&format!("* in {there}; `{FAREWELL}` or Ctrl-D leaves")).await?;
        }
        // As the server takes it.
        let name = parameter(url.url(), "name").map(|name| name.trim().to_owned());
        let heard = Heard::new(name.filter(|name| !name.is_empty()));
        let mut member = Member {
            url,
            screen,
            lines,
            interrupt,
            heard,
            backoff,
            origin: Instant::now(),
            has_read_all: false,
            lost: 0,
        };
        while let Ended::Lost(closed) = member.talk(socket).await? {
            match member.reconnect(closed).await? {
                Some(again) => socket = again,
                None => break,
            }
        }
        ensure!(member.lost == 0, "{}", may_be_lost(member.lost));
        Ok(())
    }

    /// The room, asked for JSON: who does not know it sends text.
    fn socket(&self) -> Address {
        let mut url = self.url.clone();
        if let Some(name) = &self.name {
            url.change(|url| set_parameter(url, "name", name));
        }
        if parameter(url.url(), "format").is_none() {
            url.change(|url| set_parameter(url, "format", "json"));
        }
        url
    }
}

/// How a conversation ended.
enum Ended {
    /// As it was meant to.
    Left,
    /// The server is gone.
    Lost(Close),
}

struct Member {
    url: Address,
    screen: Screen,
    lines: Lines,
    interrupt: Interrupt,
    heard: Heard,
    backoff: Backoff,
    origin: Instant,
    /// Whether there are no more lines to send.
    has_read_all: bool,
    /// Messages that may not have arrived, and that nobody at a terminal was told of.
    lost: usize,
}

/// What happens in a conversation.
enum Event<'a> {
    /// There is a line, and room to send it; or there is none any more.
    Line(Permit<'a, Message>, Option<anyhow::Result<String>>),
    /// A frame came, or the end.
    Received(Received),
    /// It is time to ask whether the server is there.
    Ping,
    /// What was sent may be waited for no longer.
    Timeout,
    /// The person has enough.
    Interrupted,
}

impl Member {
    /// Sends lines and prints what is said, until either side has enough.
    async fn talk(&mut self, socket: Socket) -> anyhow::Result<Ended> {
        let since = Instant::now();
        let (sink, mut frames) = socket.split();
        // One message on its way and one behind it; the next line is not read before.
        let (to_send, queue) = mpsc::channel(1);
        // On its own: a server that waits for its frames to be read may read nothing meanwhile.
        let sending = tokio::spawn(send_all(sink, queue));
        let ended = self.converse(&to_send, &mut frames).await?;
        match ended {
            Ended::Left => {
                let closed = timeout(CLOSE_TIMEOUT, self.say_goodbye(&to_send, &mut frames)).await;
                // A server that does not answer is left without; but it may have read nothing.
                let is_answered = closed.is_ok_and(|closed| closed.code != close_code::ABNORMAL);
                if !is_answered {
                    self.lost += self.heard.unseen();
                }
            }
            Ended::Lost(_) if since.elapsed() >= BACKOFF_RESET_AFTER => self.backoff.reset(),
            Ended::Lost(_) => {}
        }
        sending.abort();
        Ok(ended)
    }

    async fn converse(
        &mut self,
        to_send: &mpsc::Sender<Message>,
        frames: &mut SplitStream<Socket>,
    ) -> anyhow::Result<Ended> {
        let mut pings = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut unanswered = 0;
        loop {
            self.heard.handle_timeout(self.origin.elapsed());
            if self.has_read_all && self.heard.waiting() == 0 {
                return Ok(Ended::Left);
            }
            match self.next(to_send, frames, &mut pings).await {
                Event::Line(room, Some(line)) => self.send(line?, room).await?,
                // Who types sees what came back, and is not kept waiting for the rest.
                Event::Line(_, None) if self.screen.is_typed_at() => return Ok(Ended::Left),
                Event::Line(_, None) => self.has_read_all = true,
                Event::Received(received) => {
                    unanswered = 0;
                    if let Some(ended) = self.receive(received).await? {
                        return Ok(ended);
                    }
                }
                Event::Ping if unanswered == CHAT_PINGS_UNANSWERED_MAX => {
                    return self.lose(Close {
                        code: close_code::ABNORMAL,
                        reason: "it does not answer".to_owned(),
                    });
                }
                Event::Ping => {
                    unanswered += 1;
                    // Where there is no room, what is on its way asks as well.
                    to_send.try_send(Message::Ping(Bytes::new())).ok();
                }
                Event::Timeout => {}
                Event::Interrupted => return Ok(Ended::Left),
            }
        }
    }

    async fn next<'a>(
        &mut self,
        to_send: &'a mpsc::Sender<Message>,
        frames: &mut SplitStream<Socket>,
        pings: &mut Interval,
    ) -> Event<'a> {
        let may_send = !self.has_read_all && self.heard.has_room();
        let timeout = self.heard.next_timeout().map(|at| self.origin + at);
        let line = async {
            match to_send.reserve().await {
                Ok(room) => Event::Line(room, self.lines.next().await),
                // What is received next says why nothing can be sent.
                Err(_) => pending().await,
            }
        };
        tokio::select! {
            line = line, if may_send => line,
            received = frames.next() => Event::Received(received),
            _ = pings.tick() => Event::Ping,
            () = sleep_until(timeout.unwrap_or(self.origin)), if timeout.is_some() => Event::Timeout,
            () = &mut self.interrupt => Event::Interrupted,
        }
    }

    async fn send(&mut self, line: String, room: Permit<'_, Message>) -> anyhow::Result<()> {
        if line.trim().is_empty() {
            return Ok(());
        }
        if line.len() > CHAT_MESSAGE_BYTES_MAX {
            let bytes = line.len();
            let reason =
                format!("{bytes} bytes, and a message has at most {CHAT_MESSAGE_BYTES_MAX}");
            self.lose_unless_told(1);
            return self.screen.notice(&format!("* not sent ({reason}): {}", quote(&line))).await;
        }
        self.heard.send(line.clone(), self.origin.elapsed());
        room.send(Message::text(line));
        Ok(())
    }

    /// Sends what was typed before Ctrl-C, and a goodbye: once that is answered all of it has arrived.
    async fn say_goodbye(
        &mut self,
        to_send: &mpsc::Sender<Message>,
        frames: &mut SplitStream<Socket>,
    ) -> Close {
        while self.screen.is_typed_at()
            && let Some(Ok(line)) = self.lines.waiting()
            && let Ok(room) = to_send.reserve().await
        {
            if self.send(line, room).await.is_err() {
                break;
            }
        }
        to_send.send(Message::Close(None)).await.ok();
        closing(frames).await
    }

    /// Prints what a frame says; gives how the conversation ended, if it has.
    async fn receive(&mut self, received: Received) -> anyhow::Result<Option<Ended>> {
        let line = match read(received) {
            Ok(Message::Text(text)) => self.heard.hear(&text, self.origin.elapsed()),
            Ok(Message::Binary(bytes)) => Some(format!("({} bytes)", bytes.len())),
            Ok(_) => None,
            Err(closed) => return self.lose(closed).map(Some),
        };
        let is_read = match line {
            Some(line) => self.screen.show(&line).await?,
            None => true,
        };
        Ok((!is_read).then_some(Ended::Left))
    }

    /// Who types has read that messages are lost, and may say them again; a program has not.
    fn lose_unless_told(&mut self, messages: usize) {
        if !self.screen.is_typed_at() {
            self.lost += messages;
        }
    }

    /// The server has gone, or wants no more of this member: then that is an error.
    fn lose(&self, closed: Close) -> anyhow::Result<Ended> {
        if is_final(closed.code) {
            return Err(ended(&closed));
        }
        if self.has_read_all {
            let unseen = self.heard.waiting();
            bail!("connection lost ({closed}): {}", may_be_lost(unseen));
        }
        Ok(Ended::Lost(closed))
    }

    /// Connects again, however long it takes; `None` if the person has enough.
    async fn reconnect(&mut self, closed: Close) -> anyhow::Result<Option<Socket>> {
        let unseen = self.heard.reconnect();
        if unseen > 0 {
            self.lose_unless_told(unseen);
            self.screen.notice(&format!("* {}", may_be_lost(unseen))).await?;
        }
        let url = self.url.clone();
        let mut what = format!("connection lost ({closed})");
        loop {
            let pause = self.backoff.draw();
            let seconds = pause.as_secs_f64();
            self.screen.notice(&format!("* {what}; next attempt in {seconds:.1} s")).await?;
            if self.meanwhile(sleep(pause)).await?.is_none() {
                return Ok(None);
            }
            match self.meanwhile(connect(&url)).await? {
                None => return Ok(None),
                Some(Ok(socket)) => {
                    self.screen.notice("* connected again").await?;
                    return Ok(Some(socket));
                }
                Some(Err(error)) if error.may_pass() => {
                    what = format!("no connection ({})", error.reason());
                }
                Some(Err(error)) => return Err(error.into()),
            }
        }
    }

    /// Waits without a connection; `None` if the person has enough. What is typed meanwhile is not
    /// sent, and that is said; what a file says waits in the file.
    async fn meanwhile<T>(&mut self, what: impl Future<Output = T>) -> anyhow::Result<Option<T>> {
        tokio::pin!(what);
        loop {
            let line = tokio::select! {
                done = &mut what => return Ok(Some(done)),
                line = self.lines.next(), if self.screen.is_typed_at() => line,
                () = &mut self.interrupt => return Ok(None),
            };
            let Some(line) = line else { return Ok(None) };
            let said = quote(&line?);
            self.screen.notice(&format!("* not sent (no connection): {said}")).await?;
        }
    }
}

/// Whether a close says that this member does what it should not, and would do so again (RFC 6455,
/// section 7.4; from 4000 on, what Tequio says of its peers).
fn is_final(code: u16) -> bool {
    matches!(code, 1002 | 1003 | 1007..=1010 | 4000..=4999)
}

fn may_be_lost(messages: usize) -> String {
    match messages {
        1 => "1 message may not have arrived".to_owned(),
        _ => format!("{messages} messages may not have arrived"),
    }
}

/// Sends what there is to send, until there is nobody who sends or nobody who takes it.
async fn send_all(mut sink: SplitSink<Socket, Message>, mut queue: mpsc::Receiver<Message>) {
    while let Some(message) = queue.recv().await {
        if sink.send(message).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(url: &str, name: Option<&str>) -> String {
        let chat = Chat { url: parse_url(url).unwrap(), name: name.map(str::to_owned) };
        chat.socket().url().to_string()
    }

    #[test]
    fn a_room_is_asked_for_json_and_told_the_name() {
        for (url, name, asked) in [
            ("http://lab:8765", None, "ws://lab:8765/chat?format=json"),
            ("http://lab:8765/chat/physics", None, "ws://lab:8765/chat/physics?format=json"),
            ("ws://lab", Some("Ana M"), "ws://lab/?name=Ana%20M&format=json"),
            ("ws://lab/r?name=Eva&x", Some("Ana"), "ws://lab/r?x&name=Ana&format=json"),
            ("ws://lab/r?format=text", None, "ws://lab/r?format=text"),
        ] {
            assert_eq!(socket(url, name), asked);
        }
    }

    #[test]
    fn a_server_that_stops_is_come_back_to_and_one_that_objects_is_not() {
        for code in [1000, 1001, 1005, 1006, 1011, 1012, 1013] {
            assert!(!is_final(code), "{code}");
        }
        for code in [1002, 1003, 1007, 1008, 1009, 4008, 4012] {
            assert!(is_final(code), "{code}");
        }
    }
}
