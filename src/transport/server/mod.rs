//! An SSH server inside this process, for the demo and the tests: loopback only, one key, one home folder.
//!
//! It runs commands as the user who runs `tow`, so it must never listen on anything but 127.0.0.1, and it
//! refuses whoever does not hold the key that was made for this run.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{PrivateKey, PublicKey};
use russh::{Disconnect, MethodKind, MethodSet, server};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::transport::server::leftovers::Mark;
use crate::transport::server::session::Session;
use crate::words::error::{Error, Result};

mod leftovers;
mod process;
mod session;
mod sftp;

/// How long sessions and processes may take to end when the server is shut down.
const GRACE: Duration = Duration::from_secs(5);

pub struct ServerOptions {
    /// Commands start here, with `HOME` set to it and `TMPDIR` to its folder `tmp`; made when missing.
    pub home: PathBuf,
    /// The only key that is let in.
    pub authorized: PublicKey,
    pub host_key: PrivateKey,
    /// Beyond `PATH`, `HOME`, `USER`, `LOGNAME`, `SHELL`, `LANG` and `TMPDIR`; wins over them.
    pub env: Vec<(OsString, OsString)>,
}

/// Never prints the host's private key.
impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions").field("home", &self.home).finish_non_exhaustive()
    }
}

/// A running server. Dropping it ends listener, sessions and their commands too, but waits for nothing.
#[derive(Debug)]
pub struct Server {
    pub port: u16,
    stop: watch::Sender<bool>,
    /// Yields `None` when the last session and the last command are gone.
    gone: mpsc::Receiver<Infallible>,
    mark: Mark,
}

/// What each session needs of the server.
#[derive(Debug)]
struct Shared {
    home: PathBuf,
    authorized: PublicKey,
    env: Vec<(OsString, OsString)>,
    stop: watch::Receiver<bool>,
    /// Held by whatever shutdown has to wait for.
    _alive: mpsc::Sender<Infallible>,
}

impl Shared {
    /// Returns when the server is shut down, or dropped.
    async fn stopped(&self) {
        let mut stop = self.stop.clone();
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

/// Listens on a free port of 127.0.0.1.
pub async fn serve(options: ServerOptions) -> Result<Server> {
    make_folder(&options.home)?;
    make_folder(&options.home.join("tmp"))?;
    let failed = |error: std::io::Error| Error::failed("cannot listen on 127.0.0.1").cause(error);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    let (stop, stopped) = watch::channel(false);
    let (alive, gone) = mpsc::channel(1);
    let mark = Mark::new();
    let shared = Shared {
        env: environment(&options, &mark),
        home: options.home,
        authorized: options.authorized,
        stop: stopped,
        _alive: alive,
    };
    tokio::spawn(accept(listener, Arc::new(configuration(options.host_key)), Arc::new(shared)));
    Ok(Server { port, stop, gone, mark })
}

impl Server {
    /// Ends the listener, all sessions, the process groups of their commands, and whatever these have left
    /// running in the background. Answers with the processes that would not go.
    pub async fn shutdown(mut self) -> Result<()> {
        self.stop.send_replace(true);
        // Nobody sends: `None` says that everything that holds the sender has ended.
        let ended = tokio::time::timeout(GRACE, self.gone.recv()).await;
        self.mark.end_processes(GRACE).await?;
        ended.map(|_| ()).map_err(|_| {
            Error::bug(format!("the server on port {} did not end", self.port))
                .cause("a session is still open")
        })
    }
}

fn make_folder(path: &Path) -> Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| Error::failed(format!("cannot make the folder {}", path.display())).cause(error))
}

fn environment(options: &ServerOptions, mark: &Mark) -> Vec<(OsString, OsString)> {
    let own = |name: &str, default: &str| std::env::var_os(name).unwrap_or_else(|| default.into());
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid())
        .ok()
        .flatten()
        .map_or_else(|| own("USER", "nobody"), |user| user.name.into());
    let mut env: Vec<(OsString, OsString)> = vec![
        ("PATH".into(), own("PATH", "/usr/local/bin:/usr/bin:/bin")),
        ("HOME".into(), options.home.clone().into()),
        ("USER".into(), user.clone()),
        ("LOGNAME".into(), user),
        ("SHELL".into(), "/bin/sh".into()),
        ("LANG".into(), own("LANG", "C.UTF-8")),
        ("TMPDIR".into(), options.home.join("tmp").into()),
    ];
    env.extend(options.env.iter().cloned());
    env.push(mark.variable());
    env
}

fn configuration(host_key: PrivateKey) -> server::Config {
    server::Config {
        methods: MethodSet::from([MethodKind::PublicKey].as_slice()),
        // Constant-time rejection protects against guessing from afar; here it would only slow clients down.
        auth_rejection_time: Duration::ZERO,
        keys: vec![host_key],
        inactivity_timeout: None,
        keepalive_interval: Some(Duration::from_secs(15)),
        nodelay: true,
        ..server::Config::default()
    }
}

async fn accept(listener: TcpListener, config: Arc<server::Config>, shared: Arc<Shared>) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            // An error of `accept` means too many open files, say: it passes, or the client notices.
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(sessions.spawn(converse(stream, Arc::clone(&config), Arc::clone(&shared)))),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = sessions.join_next() => {}
            () = shared.stopped() => break,
        }
    }
    drop(listener);
    while sessions.join_next().await.is_some() {}
}

async fn converse(stream: TcpStream, config: Arc<server::Config>, shared: Arc<Shared>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let greeting = server::run_stream(config, stream, Session::new(Arc::clone(&shared)));
    let mut session = tokio::select! {
        session = greeting => match session {
            Ok(session) => session,
            // A client that went away before it said anything of use.
            Err(_) => return,
        },
        () = shared.stopped() => return,
    };
    let handle = session.handle();
    tokio::select! {
        _ = &mut session => return,
        () = shared.stopped() => {}
    }
    let goodbye = handle.disconnect(Disconnect::ByApplication, "the server ends".into(), String::new());
    let _ = tokio::time::timeout(GRACE, async { (goodbye.await, session.await) }).await;
}
