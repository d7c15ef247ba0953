//! What a channel says on standard output, as a stream. Unlike russh's own, it ends when the server refuses
//! the channel's request, which leaves the channel open and silent.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use russh::{ChannelMsg, ChannelReadHalf};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;

pub struct Incoming {
    messages: mpsc::Receiver<Bytes>,
    current: Bytes,
    refused: Arc<AtomicBool>,
}

impl Incoming {
    pub fn of(mut channel: ChannelReadHalf) -> Incoming {
        let (sink, messages) = mpsc::channel(16);
        let refused = Arc::new(AtomicBool::new(false));
        let refusal = Arc::clone(&refused);
        tokio::spawn(async move {
            // Drains on when nobody reads any more: what is left unread would hold up the connection.
            while let Some(message) = channel.wait().await {
                match message {
                    ChannelMsg::Data { data } => drop(sink.send(data).await),
                    ChannelMsg::Failure => {
                        refusal.store(true, Ordering::Relaxed);
                        break;
                    }
                    _ => {}
                }
            }
        });
        Incoming { messages, current: Bytes::new(), refused }
    }

    /// Becomes true when the server refuses the request.
    pub fn refused(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.refused)
    }
}

impl AsyncRead for Incoming {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.current.is_empty() {
            match ready!(this.messages.poll_recv(cx)) {
                Some(data) => this.current = data,
                None => return Poll::Ready(Ok(())),
            }
        }
        let len = this.current.len().min(buf.remaining());
        buf.put_slice(&this.current[..len]);
        this.current.advance(len);
        Poll::Ready(Ok(()))
    }
}
