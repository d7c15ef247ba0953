//! The byte stream under a connection: TCP or a channel through a jump host. Acknowledges at once, and ends
//! when its [`Leash`] is dropped, so that an abandoned handshake leaves neither task nor socket behind.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use russh::ChannelStream;
use russh::client::Msg;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

pub enum Pipe {
    Tcp(TcpStream),
    /// A direct-tcpip channel of the jump host's connection.
    Hop(ChannelStream<Msg>),
}

pub struct Wire {
    pipe: Pipe,
    leash: oneshot::Receiver<()>,
}

/// Dropping it ends the stream.
#[derive(Debug)]
pub struct Leash {
    _held: oneshot::Sender<()>,
}

impl Wire {
    pub fn new(pipe: Pipe) -> (Wire, Leash) {
        let (held, leash) = oneshot::channel();
        (Wire { pipe, leash }, Leash { _held: held })
    }
}

#[cfg(target_os = "linux")]
fn acknowledge_now(tcp: &TcpStream) {
    // The kernel forgets the setting, hence after each read. It is an optimisation: failure does not matter.
    let _ = socket2::SockRef::from(tcp).set_tcp_quickack(true);
}

#[cfg(not(target_os = "linux"))]
fn acknowledge_now(_: &TcpStream) {}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        if Pin::new(&mut wire.leash).poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        match &mut wire.pipe {
            Pipe::Tcp(tcp) => {
                let polled = Pin::new(&mut *tcp).poll_read(cx, buf);
                if polled.is_ready() {
                    acknowledge_now(tcp);
                }
                polled
            }
            Pipe::Hop(channel) => Pin::new(channel).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().pipe {
            Pipe::Tcp(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Pipe::Hop(channel) => Pin::new(channel).poll_write(cx, buf),
        }
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().pipe {
            Pipe::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            Pipe::Hop(channel) => Pin::new(channel).poll_flush(cx),
        }
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().pipe {
            Pipe::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Pipe::Hop(channel) => Pin::new(channel).poll_shutdown(cx),
        }
    }
}
