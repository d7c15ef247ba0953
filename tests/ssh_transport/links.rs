//! Connections under bad conditions: few channels, throttling, jump hosts, dead links, nobody there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use towline::spec::model::Ssh;
use towline::transport::{Connector, Options};
use towline::words::content::Content;
use towline::words::error::Kind;

use crate::common::{Nobody, connect, connector, host, options, read, run, ssh, upload};
use crate::support::sshd::Sshd;

#[tokio::test]
async fn one_channel_at_a_time_is_enough() {
    let sshd = Sshd::start(&["MaxSessions 1"]);
    let link = connect(&connector(&sshd), ssh(&sshd)).await.unwrap();
    let shell = link.shell(crate::common::opening(b"read -r line; echo \"got $line\"\n")).await.unwrap();
    for n in 0..2 {
        let dir = sshd.path(&format!("staging-{n}"));
        link.upload(dir.to_str().unwrap(), &[upload("a", Content::text("x"))], &|_| {}).await.unwrap();
        link.aside(&format!("test -f {}/a", dir.display())).await.unwrap();
    }
    shell.input.send(b"on\n".to_vec()).await.unwrap();
    assert_eq!(read(shell).await.out, "got on\n");
    assert_eq!(sshd.log().matches("Accepted publickey").count(), 2, "one more connection serves for all");
}

#[tokio::test]
async fn thirty_hosts_get_through_a_throttling_server() {
    let sshd = Sshd::start(&["MaxStartups 3:40:8"]);
    let connector = &connector(&sshd);
    let notices = &AtomicUsize::new(0);
    let notice = |_: String| {
        notices.fetch_add(1, Ordering::Relaxed);
    };
    let hosts: Vec<_> = (0..30).map(|_| host(ssh(&sshd))).collect();
    let links = futures::future::join_all(hosts.iter().map(|host| connector.connect(host, &notice))).await;
    for link in links {
        assert_eq!(run(&link.unwrap(), "echo hi\n").await.out, "hi\n");
    }
    assert!(notices.load(Ordering::Relaxed) > 0, "the server did throttle");
}

#[tokio::test]
async fn hosts_behind_a_jump_host_share_one_connection_to_it() {
    let (bastion, inner) = (Sshd::start(&["MaxSessions 1"]), Sshd::start(&[]));
    inner.authorize(&bastion.path("id_ed25519.pub"));
    let both = [&bastion, &inner].map(|sshd| std::fs::read_to_string(&sshd.known_hosts_path).unwrap());
    std::fs::write(&bastion.known_hosts_path, both.concat()).unwrap();
    let connector = &connector(&bastion);
    let through = Ssh {
        port: Some(inner.port),
        jump: Some(format!("root@127.0.0.1:{}", bastion.port)),
        ..ssh(&bastion)
    };
    let links = futures::future::join_all((0..5).map(|_| connect(connector, through.clone()))).await;
    for link in links {
        assert_eq!(run(&link.unwrap(), "echo hi\n").await.out, "hi\n");
    }
    assert_eq!(bastion.log().matches("Accepted publickey").count(), 1);
    // The bastion's own key is verified as well.
    std::fs::write(&bastion.known_hosts_path, &both[1]).unwrap();
    let connector = Connector::new(options(&bastion), Arc::new(Nobody));
    let error = connect(&connector, through.clone()).await.err().unwrap();
    assert_eq!(error.kind, Kind::HostKey, "{error}");
    assert_eq!(connector.unknown_keys()[0].address, format!("[127.0.0.1]:{}", bastion.port));
}

#[tokio::test]
async fn a_jump_host_that_forbids_forwarding_is_named() {
    let bastion = Sshd::start(&["AllowTcpForwarding no"]);
    let jump = Some(format!("root@127.0.0.1:{}", bastion.port));
    let error = connect(&connector(&bastion), Ssh { jump, ..ssh(&bastion) }).await.err().unwrap();
    assert!(error.hint.unwrap().contains("AllowTcpForwarding"));
}

/// Forwards to a server until it is told to be silent; connections stay open.
async fn black_hole(port: u16) -> (u16, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let local = listener.local_addr().unwrap().port();
    let (silence, silent) = watch::channel(false);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let ((cr, cw), (sr, sw)) = (client.into_split(), server.into_split());
            tokio::spawn(pump(cr, sw, silent.clone()));
            tokio::spawn(pump(sr, cw, silent.clone()));
        }
    });
    (local, silence)
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut silent: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 65536];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            _ = silent.wait_for(|silent| *silent) => break,
        };
        match read {
            Ok(n) if n > 0 && to.write_all(&buffer[..n]).await.is_ok() => {}
            _ => return,
        }
    }
    // Both ends stay open, and nothing moves any more.
    std::future::pending::<()>().await;
}

/// A connection through a proxy that can fall silent, noticed as dead within about two seconds.
async fn through_black_hole(sshd: &Sshd) -> (Arc<dyn towline::transport::Link>, watch::Sender<bool>) {
    let (port, silence) = black_hole(sshd.port).await;
    let known = sshd.path("known-proxy");
    std::fs::write(&known, format!("[127.0.0.1]:{port} {}\n", sshd.host_key())).unwrap();
    let options = Options { keepalive: Duration::from_secs(1), known_hosts: vec![known], ..options(sshd) };
    let connector = Connector::new(options, Arc::new(Nobody));
    (connect(&connector, Ssh { port: Some(port), ..ssh(sshd) }).await.unwrap(), silence)
}

#[tokio::test]
async fn a_dead_link_is_noticed_and_a_quiet_one_is_not() {
    let sshd = Sshd::start(&[]);
    let (link, silence) = through_black_hole(&sshd).await;
    // Three times as long as a dead link is left alone.
    let quiet = run(&link, "sleep 8; echo still here\n").await;
    assert_eq!(quiet.out, "still here\n");
    let shell = link.shell(crate::common::opening(b"sleep 30\n")).await.unwrap();
    let started = Instant::now();
    silence.send(true).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(15), read(shell)).await.expect("noticed");
    assert_eq!(ended.code, None);
    assert!(ended.why.as_deref().unwrap().contains("dead"), "{:?}", ended.why);
    assert!(started.elapsed() >= Duration::from_millis(500));
    let error = link.aside("true").await.unwrap_err();
    assert_eq!(error.kind, Kind::Unreachable, "{error}");
}

#[tokio::test]
async fn a_link_that_dies_in_an_upload_ends_it() {
    let sshd = Sshd::start(&[]);
    let (link, silence) = through_black_hole(&sshd).await;
    let dir = sshd.path("staging");
    let files = [upload("a", Content::bytes(vec![1; 60_000_000]))];
    let silencer = |_| {
        silence.send_replace(true);
    };
    let sending = link.upload(dir.to_str().unwrap(), &files, &silencer);
    let outcome = tokio::time::timeout(Duration::from_secs(20), sending).await.expect("noticed");
    let error = outcome.unwrap_err();
    assert_eq!(error.kind, Kind::Unreachable, "{error:?}");
}

#[tokio::test]
async fn a_server_that_never_answers_times_out_and_is_let_go() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let sshd = Sshd::start(&[]);
    let options = Options { connect_timeout: Duration::from_millis(300), ..options(&sshd) };
    let connector = Connector::new(options, Arc::new(Nobody));
    let error = connect(&connector, Ssh { port: Some(port), ..ssh(&sshd) }).await.err().unwrap();
    assert!(error.to_string().contains("no answer within 0.3 s"), "{error}");
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut greeting = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(20), socket.read_to_end(&mut greeting)).await;
    assert!(ended.is_ok(), "the socket is closed");
}

#[tokio::test]
async fn nobody_there_is_said_plainly() {
    let sshd = Sshd::start(&[]);
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let error = connect(&connector(&sshd), Ssh { port: Some(free), ..ssh(&sshd) }).await.err().unwrap();
    assert!(error.to_string().contains("connection refused"), "{error}");
    let nowhere = Ssh { address: "no-such-host.invalid".into(), ..ssh(&sshd) };
    let error = connect(&connector(&sshd), nowhere).await.err().unwrap();
    assert!(error.to_string().contains("cannot be resolved"), "{error}");
}

#[tokio::test]
async fn a_child_that_keeps_the_output_open_does_not_hold_up_the_end() {
    let sshd = Sshd::start(&[]);
    let link = connect(&connector(&sshd), ssh(&sshd)).await.unwrap();
    let started = Instant::now();
    let ended = run(&link, "sleep 15 & echo done; exit 0\n").await;
    assert_eq!((ended.out.as_str(), ended.code), ("done\n", Some(0)));
    assert!(started.elapsed() < Duration::from_secs(10));
}
