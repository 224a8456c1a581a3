//! A real server on a port of its own, stopped when dropped, and clients in a few lines.

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tequio::store::MemoryStore;
use tequio::web::{self, Config, Who};
use tequio_protocol::api::WorkerView;
use tequio_protocol::op::RepeatMultiply;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long a test waits for what must come; it is no measure of speed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

impl Server {
    /// Starts one whose welcome task is `3 × 2^10`.
    pub(crate) async fn start() -> Server {
        Server::start_with(RepeatMultiply::new(3.0, 2.0, 10).ok()).await
    }

    pub(crate) async fn start_with(welcome: Option<RepeatMultiply>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let who = Who { is_loopback: true, ..Who::default() };
        let config = Config { welcome, store: Arc::new(MemoryStore::new()), who, seed: 1 };
        let served = tokio::spawn(async {
            let stopped = async {
                stopped.await.ok();
            };
            web::serve(listener, config, stopped).await.unwrap();
        });
        Server { address, stop: Some(stop), served }
    }

    /// Stops it and waits until it has.
    pub(crate) async fn stop(mut self) {
        self.stop.take();
        within(&mut self.served).await.unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let answer = reqwest::get(format!("http://{}{path}", self.address)).await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub(crate) async fn workers(&self) -> Vec<WorkerView> {
        serde_json::from_value(self.get("/api/workers").await.1).unwrap()
    }
}

/// A client that never says hello.
pub(crate) struct Client(pub(crate) WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    pub(crate) async fn connect(server: &Server) -> Client {
        Client::connect_to(&format!("ws://{}/ws", server.address)).await
    }

    pub(crate) async fn connect_to(url: &str) -> Client {
        Client(Box::pin(within(connect_async(url))).await.unwrap().0)
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The next frame of any kind.
    pub(crate) async fn next(&mut self) -> Message {
        within(self.0.next()).await.expect("a frame, not the end").unwrap()
    }

    /// The next text frame, as JSON.
    pub(crate) async fn receive(&mut self) -> Value {
        loop {
            match self.next().await {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("expected text, got {other:?}"),
            }
        }
    }

    /// The closing frame, after whatever else still comes.
    pub(crate) async fn closing(&mut self) -> CloseFrame {
        loop {
            if let Message::Close(frame) = self.next().await {
                return frame.expect("a close code");
            }
        }
    }
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it came in time")
}
