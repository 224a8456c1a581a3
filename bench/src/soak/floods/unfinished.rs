//! What is begun and never ended.

use super::client::{self, End, Window};
use super::{AGAIN, Target};
use anyhow::{Context, Result};
use std::time::Duration;
use tequio_protocol::limits::{FRAME_BYTES_MAX, SOCKETIO_BODY_BYTES_MAX};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// What is left of each when it stops.
const LEFT_BYTES: usize = 1024;

/// What is written at once.
static BLOCK: [u8; 64 * 1024] = [b' '; 64 * 1024];

/// How often those that do not stand still send one more byte.
const TRICKLE: Duration = Duration::from_secs(1);

pub(super) async fn silent(target: Target) -> Result<()> {
    target.beset(5000, AGAIN, say_nothing).await
}

async fn say_nothing(target: Target, nth: u64) -> Result<End> {
    let mut stream = client::connect(&target, Window::Usual).await?;
    if nth % 4 == 3 {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: ").await?;
    }
    Ok(wait(stream).await)
}

pub(super) async fn posts(target: Target) -> Result<()> {
    target.beset(400, AGAIN, post).await
}

async fn post(target: Target, nth: u64) -> Result<End> {
    let path = "/socket.io/?EIO=4&transport=polling";
    let handshake = reqwest::get(format!("http://{}{path}", target.address)).await?;
    if !handshake.status().is_success() {
        return Ok(End::Refused);
    }
    let open = handshake.text().await?;
    let (_, sid) = open.split_once("\"sid\":\"").context("a handshake has a sid")?;
    let (sid, _) = sid.split_once('"').context("a sid ends")?;
    let path = format!("{path}&sid={sid}");
    body(target, nth, &path, SOCKETIO_BODY_BYTES_MAX).await
}

pub(super) async fn bodies(target: Target) -> Result<()> {
    let begin = |target: Target, nth: u64| async move {
        match nth % 3 {
            0 => body(target, nth, "/api/jobs?op=repeat_multiply", 8 * FRAME_BYTES_MAX).await,
            1 => {
                let path = format!("/api/jobs/{}/inputs", target.job);
                body(target, nth, &path, 8 * FRAME_BYTES_MAX).await
            }
            _ => body(target, nth, "/api/jobs", FRAME_BYTES_MAX).await,
        }
    };
    target.beset(400, AGAIN, begin).await
}

/// Begins a request whose body never ends.
async fn body(target: Target, nth: u64, path: &str, bytes: usize) -> Result<End> {
    let mut stream = client::connect(&target, Window::Usual).await?;
    // A grid is JSON and waits for its end; lines are read one by one, and this is a long one.
    let fields = format!("Content-Length: {bytes}\r\nContent-Type: application/json\r\n");
    stream.write_all(client::head(&target, "POST", path, &fields).as_bytes()).await?;
    stand_still(stream, nth, bytes - LEFT_BYTES).await
}

pub(super) async fn messages(target: Target) -> Result<()> {
    target.beset(500, AGAIN, message).await
}

/// Sends a message's beginning: one in two as a frame that lacks its end, the others as a frame that is
/// not the message's last.
async fn message(target: Target, nth: u64) -> Result<End> {
    let path = ["/ws", "/echo", "/socket.io/?EIO=4&transport=websocket"][(nth / 4 % 3) as usize];
    let socket = match client::open(&target, path, Window::Usual).await? {
        Ok(socket) => socket,
        Err(end) => return Ok(end),
    };
    let mut stream = socket.into_inner();
    const LAST: u8 = 0x80;
    const TEXT: u8 = 0x01;
    const MASKED_LENGTH_OF_64_BITS: u8 = 0xff;
    let is_last = nth.is_multiple_of(2);
    let bytes = FRAME_BYTES_MAX - LEFT_BYTES;
    let said = if is_last { FRAME_BYTES_MAX } else { bytes };
    let mut head = vec![if is_last { LAST | TEXT } else { TEXT }, MASKED_LENGTH_OF_64_BITS];
    head.extend_from_slice(&(said as u64).to_be_bytes());
    // The mask: none of the bytes changes.
    head.extend_from_slice(&[0; 4]);
    stream.write_all(&head).await?;
    if is_last {
        stand_still(stream, nth / 2, bytes).await
    } else {
        // What is behind a whole frame would be the next one's head.
        write(&mut stream, bytes).await?;
        Ok(wait(stream).await)
    }
}

/// Sends so much and then no more; one in two goes on with a byte now and then.
async fn stand_still(mut stream: TcpStream, nth: u64, bytes: usize) -> Result<End> {
    if write(&mut stream, bytes).await.is_err() {
        return Ok(End::Ended);
    }
    if nth.is_multiple_of(2) {
        return Ok(wait(stream).await);
    }
    let (mut reader, mut writer) = stream.into_split();
    let trickle = async {
        for _ in 1..LEFT_BYTES {
            sleep(TRICKLE).await;
            if writer.write_all(b" ").await.is_err() {
                return;
            }
        }
    };
    let mut byte = [0];
    tokio::select! {
        () = trickle => Ok(End::Ended),
        read = reader.read(&mut byte) => Ok(if read.is_ok_and(|read| read > 0) {
            End::Refused
        } else {
            End::Ended
        }),
    }
}

async fn write(stream: &mut TcpStream, mut bytes: usize) -> std::io::Result<()> {
    while bytes > 0 {
        bytes -= stream.write(&BLOCK[..bytes.min(BLOCK.len())]).await?;
    }
    Ok(())
}

/// Says nothing more, and waits for the server's end.
async fn wait(mut stream: TcpStream) -> End {
    let mut answer = [0; 512];
    let mut end = End::Ended;
    while let Ok(read) = stream.read(&mut answer).await {
        if read == 0 {
            break;
        }
        // An answer to what was never asked, or a close.
        if answer.starts_with(b"HTTP/1.1 ") {
            end = End::Refused;
        }
    }
    end
}
