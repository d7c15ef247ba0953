//! A command on a channel: its pipes, its end, and the end of its process group when the client goes away.

use std::future::pending;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use russh::server::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin};
use tokio::sync::{Semaphore, mpsc};

use crate::transport::server::Shared;

type Writer = ChannelWriteHalf<Msg>;

/// Unread stdin that is kept for a command. Beyond it the session waits, and with it every other channel.
const PENDING: usize = 8 << 20;

#[derive(Clone, Copy, Debug)]
pub struct Group(Pid);

impl Group {
    /// `None` when the child has been waited for already.
    pub fn of(child: &Child) -> Option<Group> {
        child.id().and_then(|id| i32::try_from(id).ok()).map(|id| Group(Pid::from_raw(id)))
    }
    pub fn signal(self, signal: Signal) {
        // An error means that the group is gone.
        let _ = killpg(self.0, signal);
    }
}

/// Kills the group when dropped, unless the command has ended by itself.
struct Leash(Option<Group>);

impl Drop for Leash {
    fn drop(&mut self) {
        if let Some(group) = self.0.take() {
            group.signal(Signal::SIGKILL);
        }
    }
}

/// Where a command's output goes.
pub struct Client {
    pub channel: Channel<Msg>,
    pub handle: Handle,
}

/// Serves `child` until it has ended and its output is delivered, or the client or the server goes away.
pub async fn attend(mut child: Child, group: Group, client: Client, shared: Arc<Shared>) {
    let mut leash = Leash(Some(group));
    let (reader, writer) = client.channel.split();
    let (queue, input) = mpsc::unbounded_channel();
    let budget = Semaphore::new(PENDING);
    let stdin = child.stdin.take();
    let stdin = async {
        feed(stdin, input, &budget).await;
        pending::<()>().await;
    };
    tokio::select! {
        () = listen(reader, queue, &budget) => {}
        () = shared.stopped() => {}
        () = stdin => {}
        () = work(&mut child, &writer, &client.handle) => {
            leash.0 = None;
            // The client may be gone already.
            let _ = writer.eof().await;
            let _ = writer.close().await;
        }
    }
    if let Some(group) = leash.0.take() {
        group.signal(Signal::SIGKILL);
        let _ = child.wait().await;
    }
}

/// Takes everything off the channel at once: a message left there would freeze the whole session.
/// Returns when the channel is closed.
async fn listen(mut reader: ChannelReadHalf, queue: mpsc::UnboundedSender<Vec<u8>>, budget: &Semaphore) {
    let mut queue = Some(queue);
    while let Some(message) = reader.wait().await {
        match message {
            ChannelMsg::Data { data } => {
                let Some(queue) = &queue else { continue };
                if queue.is_closed() {
                    continue;
                }
                let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
                tokio::select! {
                    permits = budget.acquire_many(size) => {
                        if let Ok(permits) = permits {
                            permits.forget();
                        }
                        let _ = queue.send(data.to_vec());
                    }
                    // The command has closed its stdin: nobody will read this.
                    () = queue.closed() => {}
                }
            }
            ChannelMsg::Eof => queue = None,
            ChannelMsg::Close => return,
            _ => {}
        }
    }
}

async fn feed(stdin: Option<ChildStdin>, mut input: mpsc::UnboundedReceiver<Vec<u8>>, budget: &Semaphore) {
    let Some(mut stdin) = stdin else { return };
    while let Some(data) = input.recv().await {
        if stdin.write_all(&data).await.is_err() {
            // The command does not read its stdin (any more); that is its own affair.
            return;
        }
        budget.add_permits(data.len());
    }
}

/// Like sshd: the status is sent as soon as the command ends, its last output may still follow.
async fn work(child: &mut Child, writer: &Writer, handle: &Handle) {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let status = async {
        if let Ok(status) = child.wait().await {
            report(status, writer, handle).await;
        }
    };
    tokio::join!(pump(stdout, None, writer), pump(stderr, Some(1), writer), status);
}

async fn pump(pipe: Option<impl AsyncRead + Unpin>, extended: Option<u32>, writer: &Writer) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let Ok(length @ 1..) = pipe.read(&mut buffer).await else { return };
        let data = buffer[..length].to_vec();
        let sent = match extended {
            None => writer.data_bytes(data).await,
            Some(code) => writer.extended_data_bytes(code, data).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

async fn report(status: ExitStatus, writer: &Writer, handle: &Handle) {
    let code = status.code().and_then(|code| u32::try_from(code).ok());
    // The client may be gone already: then nobody asks.
    let _ = match (code, status.signal()) {
        (Some(code), _) => handle.exit_status_request(writer.id(), code).await,
        (None, Some(signal)) => {
            let (name, empty) = (to_ssh(signal), String::new);
            handle.exit_signal_request(writer.id(), name, status.core_dumped(), empty(), empty()).await
        }
        (None, None) => Ok(()),
    };
}

const SIGNALS: &[(Signal, Sig)] = &[
    (Signal::SIGABRT, Sig::ABRT),
    (Signal::SIGALRM, Sig::ALRM),
    (Signal::SIGFPE, Sig::FPE),
    (Signal::SIGHUP, Sig::HUP),
    (Signal::SIGILL, Sig::ILL),
    (Signal::SIGINT, Sig::INT),
    (Signal::SIGKILL, Sig::KILL),
    (Signal::SIGPIPE, Sig::PIPE),
    (Signal::SIGQUIT, Sig::QUIT),
    (Signal::SIGSEGV, Sig::SEGV),
    (Signal::SIGTERM, Sig::TERM),
    (Signal::SIGUSR1, Sig::USR1),
];

pub fn from_ssh(signal: &Sig) -> Option<Signal> {
    SIGNALS.iter().find(|(_, ssh)| format!("{ssh:?}") == format!("{signal:?}")).map(|(signal, _)| *signal)
}

fn to_ssh(number: i32) -> Sig {
    let known = SIGNALS.iter().find(|(signal, _)| *signal as i32 == number);
    known.map_or_else(|| Sig::Custom(format!("{number}@towline")), |(_, ssh)| ssh.clone())
}
