//! A way to the node that can be cut, and that counts what goes by.

use std::{
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use url::Url;

/// What begins a request for what the view is made of.
const FETCH: &[u8] = b"GET /v1/status ";

/// It passes everything on, both ways, while it is joined.
pub(crate) struct Connection {
    address: SocketAddr,
    joined: watch::Sender<bool>,
    node: Arc<OnceLock<SocketAddr>>,
    fetches: Arc<AtomicUsize>,
}

impl Connection {
    pub(crate) async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (node, fetches) = (Arc::default(), Arc::default());
        let (joined, changes) = watch::channel(true);
        tokio::spawn(accept(listener, Arc::clone(&node), Arc::clone(&fetches), changes));
        Self { address, joined, node, fetches }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn lead_to(&self, node: &Url) {
        let address = node.socket_addrs(|| None).unwrap()[0];
        self.node.set(address).unwrap();
    }

    /// Ends every connection, and each new one at once.
    pub(crate) fn cut(&self) {
        self.joined.send_replace(false);
    }

    /// Lets new ones through.
    pub(crate) fn join(&self) {
        self.joined.send_replace(true);
    }

    /// How often the node was asked what it does.
    pub(crate) fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

async fn accept(
    listener: TcpListener,
    node: Arc<OnceLock<SocketAddr>>,
    fetches: Arc<AtomicUsize>,
    mut joined: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (Ok((stream, _)), Some(node)) = (accepted, node.get()) else { return };
                if *joined.borrow() {
                    tokio::spawn(pass_on(stream, *node, Arc::clone(&fetches), joined.clone()));
                }
            }
            changed = joined.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

async fn pass_on(app: TcpStream, node: SocketAddr, fetches: Arc<AtomicUsize>, mut joined: watch::Receiver<bool>) {
    let Ok(node) = TcpStream::connect(node).await else { return };
    let ((mut from_app, mut to_app), (mut from_node, mut to_node)) = (app.into_split(), node.into_split());
    let there = async move {
        let mut piece = vec![0; 16 << 10];
        while let Ok(length @ 1..) = from_app.read(&mut piece).await {
            // Requests are short and each is written at once.
            let found = piece[..length].windows(FETCH.len()).filter(|window| *window == FETCH).count();
            fetches.fetch_add(found, Ordering::SeqCst);
            if to_node.write_all(&piece[..length]).await.is_err() {
                return;
            }
        }
    };
    let back = async move {
        // How it ended makes no difference.
        let _ = tokio::io::copy(&mut from_node, &mut to_app).await;
    };
    tokio::select! {
        () = there => {}
        () = back => {}
        // Not joined any more, or the test is over.
        _ = joined.wait_for(|joined| !joined) => {}
    }
}
