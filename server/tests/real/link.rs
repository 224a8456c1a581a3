//! A link of the test's own, on virtual time: what a real socket shows only after a minute, or when a
//! peer stops reading.

use std::future::pending;
use tequio::connection::{Close, Frame, Link, LinkError, Peer};
use tokio::sync::mpsc;

/// Frames from the test to the server, and back.
pub(crate) struct ChannelLink {
    from_peer: mpsc::UnboundedReceiver<Frame>,
    to_peer: mpsc::UnboundedSender<Frame>,
    takes_frames: bool,
}

/// A link and its peer's ends. One that takes no frames has a peer that does not read.
pub(crate) fn link(
    takes_frames: bool,
) -> (ChannelLink, mpsc::UnboundedSender<Frame>, mpsc::UnboundedReceiver<Frame>) {
    let (from_peer, receiver) = mpsc::unbounded_channel();
    let (sender, to_peer) = mpsc::unbounded_channel();
    (ChannelLink { from_peer: receiver, to_peer: sender, takes_frames }, from_peer, to_peer)
}

pub(crate) fn peer(path: &str) -> Peer {
    let address = "127.0.0.1:9".parse::<std::net::SocketAddr>().unwrap().into();
    Peer { address, path: path.to_owned(), agent: None }
}

/// The closing frame, after whatever else still comes.
pub(crate) async fn closing(frames: &mut mpsc::UnboundedReceiver<Frame>) -> Close {
    loop {
        if let Frame::Close(close) = frames.recv().await.expect("a closing frame") {
            return close;
        }
    }
}

impl Link for ChannelLink {
    async fn receive(&mut self) -> Option<Result<Frame, LinkError>> {
        self.from_peer.recv().await.map(Ok)
    }

    async fn send(&mut self, frame: Frame) -> Result<(), LinkError> {
        if !self.takes_frames {
            pending::<()>().await;
        }
        self.to_peer.send(frame).map_err(|_| LinkError::Lost("the test is over".to_owned()))
    }
}
