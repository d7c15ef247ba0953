//! A TCP proxy that makes a link long: a delay each way, and a round trip for the handshake. It drops nothing,
//! keeps the order and has no limit of its own.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Serves until dropped.
#[derive(Debug)]
pub struct Proxy {
    _runtime: Runtime,
}

impl Proxy {
    /// Listens on every address of `listen`; all lead to `target`.
    pub fn start(listen: &[SocketAddr], target: SocketAddr, one_way: Duration) -> io::Result<Proxy> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        for address in listen {
            let listener = runtime.block_on(TcpListener::bind(address))?;
            runtime.spawn(serve(listener, target, one_way));
        }
        Ok(Proxy { _runtime: runtime })
    }
}

async fn serve(listener: TcpListener, target: SocketAddr, one_way: Duration) {
    while let Ok((client, _)) = listener.accept().await {
        // A connection that breaks is the client's to notice; the proxy serves the next one.
        tokio::spawn(join(client, target, one_way));
    }
}

async fn join(client: TcpStream, target: SocketAddr, one_way: Duration) -> io::Result<()> {
    // The client's connect() has returned at once; a real one would have cost this.
    tokio::time::sleep(2 * one_way).await;
    let server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (client_in, client_out) = client.into_split();
    let (server_in, server_out) = server.into_split();
    tokio::join!(pump(client_in, server_out, one_way), pump(server_in, client_out, one_way));
    Ok(())
}

/// Everything read is written `one_way` later, the end of the stream too.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, one_way: Duration) {
    let (queue, mut due) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let read = async move {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = from.read(&mut buffer).await.unwrap_or(0);
            let sent = queue.send((Instant::now() + one_way, buffer[..count].to_vec()));
            if count == 0 || sent.is_err() {
                break;
            }
        }
    };
    let write = async move {
        while let Some((when, bytes)) = due.recv().await {
            tokio::time::sleep_until(when).await;
            if bytes.is_empty() || to.write_all(&bytes).await.is_err() {
                break;
            }
        }
        // Errors do not matter here: whoever is left will see its end closed.
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}
