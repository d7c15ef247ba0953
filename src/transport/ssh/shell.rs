//! The pipes of one remote command: a task that always drains the channel, and one that feeds it.

use std::sync::Arc;
use std::time::Duration;

use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::transport::ssh::client::Session;
use crate::transport::ssh::sudo::{Move, Talk};
use crate::transport::{Chunk, Shell};

/// Chunks of up to 32 KB between the link and whoever reads them. A reader that is slower than this holds up
/// the connection, on purpose: output must not pile up in memory.
const PENDING: usize = 64;
/// After the exit status, this much silence ends a channel that a background child keeps open.
const LINGER: Duration = Duration::from_secs(2);

/// Joins a channel whose command has been requested to pipes. `first` goes in front of the input.
pub fn pipes(channel: Channel<Msg>, first: Vec<u8>, talk: Option<Talk>, session: Arc<Session>) -> Shell {
    let (input, typed) = mpsc::channel(16);
    let (sink, output) = mpsc::channel(PENDING);
    let (says, said) = mpsc::unbounded_channel();
    let (from, to) = channel.split();
    let before = match &talk {
        // Without a talk nothing has to be waited for.
        None => Vec::from([Say::Bytes(first.clone()), Say::Ready]),
        Some(_) => vec![],
    };
    for say in before {
        let _ = says.send(say);
    }
    let first = if talk.is_some() { first } else { vec![] };
    tokio::spawn(feed(to, said, typed));
    tokio::spawn(drain(Drain { from, sink, says, talk, first, session }));
    Shell { input, output }
}

/// What the reader of the channel has for its writer.
enum Say {
    Bytes(Vec<u8>),
    /// From now on the input is the user's.
    Ready,
    Close,
}

async fn feed(
    to: ChannelWriteHalf<Msg>,
    mut said: mpsc::UnboundedReceiver<Say>,
    mut typed: mpsc::Receiver<Vec<u8>>,
) {
    loop {
        match said.recv().await {
            Some(Say::Bytes(bytes)) => {
                if to.data_bytes(bytes).await.is_err() {
                    return;
                }
            }
            Some(Say::Ready) => break,
            Some(Say::Close) | None => {
                let _ = to.close().await;
                return;
            }
        }
    }
    while let Some(bytes) = typed.recv().await {
        if to.data_bytes(bytes).await.is_err() {
            return;
        }
    }
    let _ = to.eof().await;
}

struct Drain {
    from: ChannelReadHalf,
    sink: mpsc::Sender<Chunk>,
    says: mpsc::UnboundedSender<Say>,
    talk: Option<Talk>,
    first: Vec<u8>,
    session: Arc<Session>,
}

async fn drain(mut drain: Drain) {
    let mut code = None;
    let mut why = None;
    loop {
        // ExitStatus may come before the last output; keep reading.
        let waited = match code {
            None => Ok(drain.from.wait().await),
            Some(_) => timeout(LINGER, drain.from.wait()).await,
        };
        let Ok(Some(message)) = waited else { break };
        match message {
            ChannelMsg::Data { data } => drain.heard(&data, false).await,
            ChannelMsg::ExtendedData { data, ext: 1 } => {
                if drain.heard(&data, true).await {
                    code = Some(1);
                    break;
                }
                false
            }
            ChannelMsg::ExitStatus { exit_status } => {
                code = Some(i32::try_from(exit_status).unwrap_or(i32::MAX));
                false
            }
            ChannelMsg::ExitSignal { signal_name, .. } => {
                why = Some(format!("ended by signal {signal_name:?}"));
                false
            }
            _ => false,
        };
    }
    if code.is_none() && why.is_none() {
        let alive = drain.session.is_alive();
        why = Some(if alive { "the server closed the channel".into() } else { drain.session.why_lost() });
    }
    let _ = drain.sink.send(Chunk::End { code, why }).await;
}

impl Drain {
    /// True when there is nothing more to wait for. A sink that is gone changes nothing: go on draining.
    async fn heard(&mut self, data: &[u8], is_err: bool) -> bool {
        let Some(talk) = &mut self.talk else {
            self.pass_on(data.to_vec(), is_err).await;
            return false;
        };
        let (next, rest) = if is_err { talk.heard_err(data) } else { talk.heard_out(data) };
        match next {
            Move::Nothing => {}
            Move::SendPassword => {
                let _ = self.says.send(Say::Bytes(talk.password_line()));
            }
            Move::Go => {
                let script = [b"go\n".to_vec(), std::mem::take(&mut self.first)].concat();
                let _ = self.says.send(Say::Bytes(script));
                let _ = self.says.send(Say::Ready);
                self.talk = None;
            }
            Move::GiveUp => {
                let _ = self.says.send(Say::Close);
            }
        }
        self.pass_on(rest, is_err).await;
        next == Move::GiveUp
    }

    async fn pass_on(&self, bytes: Vec<u8>, is_err: bool) {
        if !bytes.is_empty() {
            let chunk = if is_err { Chunk::Err(bytes) } else { Chunk::Out(bytes) };
            let _ = self.sink.send(chunk).await;
        }
    }
}
