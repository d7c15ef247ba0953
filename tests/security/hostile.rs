//! A hostile server gets nothing: no channel, no terminal, no memory, no panic.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey};
use russh::server::{self, Auth, ChannelOpenHandle, Handle, Msg, Session};
use russh::{Channel, ChannelId};

use crate::bench::Bench;

/// Whatever the server does, the program takes no more memory than this.
const MOST_MEMORY: u64 = 400 << 10;

/// Runs the program against a port; gives what it said and its exit code.
fn attack(port: u16, known: &str, key: &str) -> (String, Option<i32>) {
    let bench = Bench::local();
    bench.write("known_hosts", known);
    bench.write("key", key);
    std::fs::set_permissions(bench.path("key"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let dir = bench.dir.path().display();
    bench.write(
        "inventory.toml",
        &format!("[hosts.web1]\naddress = \"127.0.0.1\"\nport = {port}\nuser = \"root\"\nkey = \"{dir}/key\"\nknown_hosts = \"{dir}/known_hosts\"\n"),
    );
    bench
        .playbook("[[tasks]]\nfile = { path = \"{D}/x\", content = \"x\" }\n[[tasks]]\ncommand = \"true\"\n");
    let mut command = bench.command(&["run", "site.toml", "--connect-timeout", "3"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        most = most.max(peak.unwrap_or(0));
        if most > MOST_MEMORY || began.elapsed() > Duration::from_secs(300) {
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().unwrap();
    let said = crate::bench::said(&output);
    assert!(most < MOST_MEMORY, "it took {most} kB");
    assert!(said.code.is_some(), "it did not end by itself: {}", said.text);
    (said.text, said.code)
}

fn key() -> PrivateKey {
    PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap()
}

/// A server of bytes: `first` once, then `then` for ever.
fn bytes_server(first: Vec<u8>, then: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().take(10).flatten() {
            let (first, then) = (first.clone(), then.clone());
            std::thread::spawn(move || {
                let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(&first);
                while !then.is_empty() && stream.write_all(&then).is_ok() {}
            });
        }
    });
    port
}

fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

/// A packet before encryption, whose length is what it says, not what it is.
fn packet(length: u32, payload: &[u8]) -> Vec<u8> {
    [b"SSH-2.0-x\r\n", &length.to_be_bytes()[..], &[4][..], payload].concat()
}

/// Row 18.
#[test]
fn garbage_before_the_login_is_an_error_and_no_more() {
    let key_exchange = [&[20][..], &noise(16, 3), &[0xff; 64]].concat();
    let attacks: Vec<(&str, Vec<u8>, Vec<u8>)> = vec![
        ("a banner without end", vec![], b"hello\r\n".repeat(1000)),
        ("a line without end", vec![], vec![b'x'; 65536]),
        ("noise", vec![], noise(65536, 1)),
        ("nothing behind the version", b"SSH-2.0-x\r\n".to_vec(), vec![]),
        ("a huge packet", packet(0xffff_ffff, &[20]), vec![0; 65536]),
        ("a large packet", packet(0x00ff_ffff, &[20]), vec![0; 65536]),
        ("an empty packet", packet(0, &[]), vec![0; 64]),
        ("a short packet", packet(1, &[]), vec![0xff; 64]),
        ("a wrong key exchange", packet(84, &key_exchange), vec![]),
        ("packets without end", packet(12, &[2; 11]), packet(12, &[2; 11])[11..].repeat(1000)),
        ("an old version", b"SSH-1.5-x\r\n".to_vec(), vec![0; 64]),
    ];
    for (what, first, then) in attacks {
        let (said, code) = attack(bytes_server(first, then), "", &key().to_openssh(LineEnding::LF).unwrap());
        assert_eq!(code, Some(4), "{what}: {said}");
    }
    for seed in 0..6 {
        let bytes = [b"SSH-2.0-x\r\n".to_vec(), packet(100, &[])[11..].to_vec(), vec![20], noise(2000, seed)]
            .concat();
        let (said, code) =
            attack(bytes_server(bytes, vec![]), "", &key().to_openssh(LineEnding::LF).unwrap());
        assert_eq!(code, Some(4), "noise {seed}: {said}");
    }
}

/// What a server that lets everybody in does with the shell that it is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flood {
    Output,
    Errors,
    Markers,
    EndlessMarker,
    WrongNumbers,
    Nothing,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    /// Terminal, agent, X11, environment: what the client asked for beyond a shell.
    asked: Vec<&'static str>,
    /// Channels that the client took from us.
    taken: Vec<&'static str>,
    refused: usize,
    keys: usize,
}

struct Hostile {
    flood: Flood,
    seen: Arc<Mutex<Seen>>,
    heard: String,
    started: bool,
}

impl Hostile {
    fn saw(&self, what: &'static str) {
        self.seen.lock().unwrap().asked.push(what);
    }
    /// Begins once the token of the markers is known, from whichever way the script came.
    fn begin(&mut self, id: ChannelId, handle: Handle) {
        let Some(at) = self.heard.find("_T=") else { return };
        if self.started || self.heard.len() < at + 35 {
            return;
        }
        self.started = true;
        let token = self.heard[at + 3..at + 35].to_owned();
        tokio::spawn(flood(self.flood, token, id, handle, self.seen.clone()));
    }
}

async fn flood(flood: Flood, token: String, id: ChannelId, handle: Handle, seen: Arc<Mutex<Seen>>) {
    let mark = format!("\u{1e}{token} ");
    let hello = format!("{mark}h\nLinux x x86_64\nroot\n/root\n/tmp\n1\n{mark}k\n{mark}q\n");
    let chunk = match flood {
        Flood::Output | Flood::Errors => "x".repeat(30_000),
        Flood::Markers => format!("{mark}h\n").repeat(500),
        Flood::EndlessMarker => mark.repeat(500),
        Flood::WrongNumbers => format!(
            "{hello}{mark}s\n{mark}x 99999999\n{mark}e 18446744073709551615 99999999999\n{mark}b 18446744073709551615\n{mark}z -\n"
        ),
        Flood::Nothing => {
            open_channels(&handle, &seen).await;
            let _ = handle.close(id).await;
            return;
        }
    };
    for _ in 0..20_000 {
        let bytes = chunk.clone().into_bytes();
        if flood == Flood::WrongNumbers {
            let _ = handle.extended_data(id, 1, bytes.clone()).await;
        }
        let sent = match flood {
            Flood::Errors => handle.extended_data(id, 1, bytes).await.is_ok(),
            _ => handle.data(id, bytes).await.is_ok(),
        };
        if !sent {
            return;
        }
    }
    let _ = handle.close(id).await;
}

/// Asks the client for every kind of channel.
async fn open_channels(handle: &Handle, seen: &Arc<Mutex<Seen>>) {
    let tell = |what, taken: bool| {
        let mut seen = seen.lock().unwrap();
        if taken { seen.taken.push(what) } else { seen.refused += 1 }
    };
    tell("agent", handle.channel_open_agent().await.is_ok());
    tell("x11", handle.channel_open_x11("127.0.0.1", 1).await.is_ok());
    tell("session", handle.channel_open_session().await.is_ok());
    tell("forwarded", handle.channel_open_forwarded_tcpip("127.0.0.1", 1, "127.0.0.1", 2).await.is_ok());
    tell("direct", handle.channel_open_direct_tcpip("127.0.0.1", 1, "127.0.0.1", 2).await.is_ok());
}

impl server::Handler for Hostile {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        _: &str,
        _: server::PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        self.seen.lock().unwrap().keys += 1;
        Ok(Auth::Accept)
    }
    async fn auth_publickey(
        &mut self,
        _: &str,
        _: server::VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }
    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }
    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.heard += &String::from_utf8_lossy(command);
        session.channel_success(id)?;
        self.begin(id, session.handle());
        Ok(())
    }
    async fn data(&mut self, id: ChannelId, data: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        self.heard += &String::from_utf8_lossy(data);
        self.begin(id, session.handle());
        Ok(())
    }
    async fn pty_request(
        &mut self,
        _: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(russh::Pty, u32)],
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.saw("pty");
        Ok(())
    }
    async fn x11_request(
        &mut self,
        _: ChannelId,
        _: bool,
        _: &str,
        _: &str,
        _: u32,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.saw("x11");
        Ok(())
    }
    async fn agent_request(&mut self, _: ChannelId, _: &mut Session) -> Result<bool, Self::Error> {
        self.saw("agent");
        Ok(false)
    }
    async fn env_request(
        &mut self,
        _: ChannelId,
        _: &str,
        _: &str,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.saw("environment");
        Ok(())
    }
}

/// Lets one client in, floods it, and tells what it did.
fn against(flood: Flood) -> (String, Option<i32>, Seen) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (host_key, seen) = (key(), Arc::new(Mutex::new(Seen::default())));
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    let known = format!("[127.0.0.1]:{port} {}\n", host_key.public_key().to_openssh().unwrap());
    let config = Arc::new(server::Config { keys: vec![host_key], ..server::Config::default() });
    let shared = seen.clone();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let hostile = Hostile { flood, seen: shared.clone(), heard: String::new(), started: false };
            if let Ok(session) = server::run_stream(config.clone(), stream, hostile).await {
                tokio::spawn(session);
            }
        }
    });
    let (said, code) = attack(port, &known, &key().to_openssh(LineEnding::LF).unwrap());
    runtime.shutdown_background();
    let seen = seen.lock().unwrap().clone();
    (said, code, seen)
}

/// Row 18.
#[test]
fn a_flood_behind_the_login_is_an_error_and_no_more() {
    for flood in [Flood::Output, Flood::Errors, Flood::Markers, Flood::EndlessMarker, Flood::WrongNumbers] {
        let (said, code, _) = against(flood);
        assert!(matches!(code, Some(3 | 4 | 6)), "{flood:?}: {code:?} {said}");
    }
}

/// Rows 17 and 19: no terminal, no agent, no X11, no environment; and no channel that the server opens.
#[test]
fn a_server_is_offered_one_key_and_a_shell_and_nothing_else() {
    let (said, code, seen) = against(Flood::Nothing);
    assert_eq!(code, Some(4), "{said}");
    assert_eq!(seen.asked, Vec::<&str>::new());
    assert_eq!((seen.taken, seen.refused), (vec![], 5), "{said}");
    assert_eq!(seen.keys, 1);
}
