//! The machines of the benchmark: real OpenSSH servers on loopback, each host with an address and a folder of its
//! own, behind a delay proxy when the link shall be long. Nothing outside one temporary folder, nothing left running.

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::measure::{Result, timed};
use crate::proxy::Proxy;

/// sshd takes no more listening addresses than this.
const ADDRESSES_PER_SSHD: usize = 16;

/// Keys and folders; lives as long as the benchmark.
#[derive(Debug)]
pub struct Lab {
    folder: tempfile::TempDir,
    pub user: String,
}

/// Hosts that answer, and the inventory that names them.
#[derive(Debug)]
pub struct Fleet<'a> {
    lab: &'a Lab,
    pub hosts: Vec<Host>,
    pub port: u16,
    servers: Vec<Child>,
    _proxy: Option<Proxy>,
}

#[derive(Clone, Debug)]
pub struct Host {
    pub name: String,
    pub address: Ipv4Addr,
    pub root: PathBuf,
}

impl Lab {
    pub fn new() -> Result<Lab> {
        let folder = tempfile::Builder::new().prefix("towline-bench-").tempdir()?;
        for name in ["hosts", "home"] {
            fs::create_dir(folder.path().join(name))?;
        }
        for key in ["id", "host"] {
            let file = folder.path().join(key);
            let mut keygen = Command::new("ssh-keygen");
            timed(
                keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(file),
                &folder.path().join("log"),
            )?;
        }
        if nix::unistd::geteuid().is_root() && cfg!(target_os = "linux") {
            // Where OpenSSH separates its privileges; a boot script makes it otherwise.
            fs::create_dir_all("/run/sshd")?;
        }
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid())?.ok_or("who are we?")?.name;
        Ok(Lab { folder, user })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    pub fn log(&self) -> PathBuf {
        self.path("log")
    }

    /// A command that sees no agent, no configuration and no state of the user's.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("HOME", self.path("home"));
        for variable in
            ["SSH_AUTH_SOCK", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"]
        {
            command.env_remove(variable);
        }
        command
    }

    /// Starts `count` hosts whose link takes `one_way` in each direction.
    pub fn fleet(&self, count: usize, one_way: Duration) -> Result<Fleet<'_>> {
        let port = free_port()?;
        let hosts: Vec<Host> = (1..=count).map(|number| self.host(number)).collect();
        let (proxy, listening) = if one_way.is_zero() {
            (None, hosts.iter().map(|host| host.address).collect())
        } else {
            let server = free_port()?;
            let front: Vec<SocketAddr> = unique(&hosts).map(|address| (address, port).into()).collect();
            let target = SocketAddr::from((Ipv4Addr::LOCALHOST, server));
            (Some((Proxy::start(&front, target, one_way)?, server)), vec![Ipv4Addr::LOCALHOST])
        };
        let server_port = proxy.as_ref().map_or(port, |(_, server)| *server);
        let mut fleet =
            Fleet { lab: self, hosts, port, servers: vec![], _proxy: proxy.map(|(proxy, _)| proxy) };
        fleet.serve(listening, server_port)?;
        fleet.write_inventory()?;
        fleet.write_known_hosts()?;
        Ok(fleet)
    }

    fn host(&self, number: usize) -> Host {
        let name = format!("n{number}");
        Host { address: address(number), root: self.path("hosts").join(&name), name }
    }
}

/// Every host has its own address where the whole of 127/8 is loopback; elsewhere they share one.
fn address(number: usize) -> Ipv4Addr {
    if !cfg!(target_os = "linux") {
        return Ipv4Addr::LOCALHOST;
    }
    let [.., high, low] = u32::try_from(number).unwrap_or(0).to_be_bytes();
    Ipv4Addr::new(127, 0, 2 + high, low)
}

fn unique(hosts: &[Host]) -> impl Iterator<Item = Ipv4Addr> {
    let addresses: std::collections::BTreeSet<Ipv4Addr> = hosts.iter().map(|host| host.address).collect();
    addresses.into_iter()
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

impl Fleet<'_> {
    fn serve(&mut self, mut addresses: Vec<Ipv4Addr>, port: u16) -> Result<()> {
        addresses.sort();
        addresses.dedup();
        for (number, some) in addresses.chunks(ADDRESSES_PER_SSHD).enumerate() {
            let config = self.lab.path(&format!("sshd{number}.conf"));
            fs::write(&config, self.sshd_config(some, port))?;
            let log = fs::File::create(self.lab.path(&format!("sshd{number}.log")))?;
            // sshd starts itself anew for each connection, and wants its full name for that.
            let mut sshd = Command::new("/usr/sbin/sshd");
            sshd.args(["-D", "-e", "-f"])
                .arg(&config)
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log);
            self.servers.push(sshd.spawn().map_err(|error| format!("cannot start /usr/sbin/sshd: {error}"))?);
        }
        addresses.iter().try_for_each(|address| answers((*address, port).into()))
    }

    fn sshd_config(&self, addresses: &[Ipv4Addr], port: u16) -> String {
        let mut config = format!("Port {port}\n");
        for address in addresses {
            let _ = writeln!(config, "ListenAddress {address}");
        }
        let _ = writeln!(config, "HostKey {}", self.lab.path("host").display());
        let _ = writeln!(config, "AuthorizedKeysFile {}", self.lab.path("id.pub").display());
        // SHLVL: without it bash takes a command for a login and reads root's .bashrc, for every peer alike.
        config.push_str(
            "StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin yes\nMaxStartups 2000\nMaxSessions 100\nPidFile none\nLogLevel ERROR\n\
             Subsystem sftp internal-sftp\nSetEnv SHLVL=3\n",
        );
        config
    }

    pub fn inventory(&self) -> PathBuf {
        self.lab.path("inventory.toml")
    }
    pub fn key(&self) -> PathBuf {
        self.lab.path("id")
    }
    pub fn known_hosts(&self) -> PathBuf {
        self.lab.path("known_hosts")
    }
    pub fn lab(&self) -> &Lab {
        self.lab
    }

    fn write_inventory(&self) -> Result<()> {
        let mut text = format!(
            "[defaults]\nuser = {:?}\nport = {}\nkey = {}\nknown_hosts = {}\n",
            self.lab.user,
            self.port,
            quoted(&self.key()),
            quoted(&self.known_hosts()),
        );
        for host in &self.hosts {
            let _ = write!(
                text,
                "\n[hosts.{}]\naddress = \"{}\"\nvars = {{ root = {} }}\n",
                host.name,
                host.address,
                quoted(&host.root)
            );
        }
        Ok(fs::write(self.inventory(), text)?)
    }

    fn write_known_hosts(&self) -> Result<()> {
        let key = fs::read_to_string(self.lab.path("host.pub"))?;
        let key = key.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        let mut lines = String::new();
        for address in unique(&self.hosts) {
            let _ = writeln!(lines, "[{address}]:{} {key}", self.port);
        }
        Ok(fs::write(self.known_hosts(), lines)?)
    }

    /// The options of `ssh` and `scp` (whose port is `-P`), without anything of the user's own.
    pub fn openssh(&self, program: &str) -> Command {
        let mut command = self.lab.command(program);
        command.args([
            "-F",
            "none",
            "-o",
            "BatchMode=yes",
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "ControlPath=none",
        ]);
        command.arg("-o").arg(format!("UserKnownHostsFile={}", self.known_hosts().display()));
        command.args(["-o", "StrictHostKeyChecking=yes", "-o", "GlobalKnownHostsFile=none", "-o"]);
        command.arg(format!("Port={}", self.port)).arg("-i").arg(self.key());
        command
    }

    /// `ssh HOST true` on every host, as many at a time as `parallel` says. Seconds for all.
    pub fn ssh_true(&self, parallel: usize) -> Result<f64> {
        let next = AtomicUsize::new(0);
        let began = Instant::now();
        let one_after_another = |worker: usize| -> Result<()> {
            while let Some(host) = self.hosts.get(next.fetch_add(1, Ordering::Relaxed)) {
                let mut ssh = self.openssh("ssh");
                ssh.arg(format!("{}@{}", self.lab.user, host.address)).arg("true");
                timed(&mut ssh, &self.lab.path(&format!("ssh{worker}.log")))?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let workers = parallel.min(self.hosts.len());
            let running: Vec<_> =
                (0..workers).map(|worker| scope.spawn(move || one_after_another(worker))).collect();
            running.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a worker panicked")?)
        })?;
        Ok(began.elapsed().as_secs_f64())
    }

    /// Makes every host bare again.
    pub fn wipe(&self) -> Result<()> {
        for host in &self.hosts {
            if host.root.exists() {
                fs::remove_dir_all(&host.root)?;
            }
        }
        Ok(())
    }
}

impl Drop for Fleet<'_> {
    fn drop(&mut self) {
        for server in &mut self.servers {
            // It may have ended by itself; there is nobody left to tell.
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// A path as a string of TOML or Python.
pub fn quoted(path: &Path) -> String {
    format!("{:?}", path.to_string_lossy())
}

/// Waits until an SSH server says its name.
fn answers(address: SocketAddr) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let greeting = TcpStream::connect_timeout(&address, Duration::from_secs(1)).and_then(|mut stream| {
            let mut first = [0; 4];
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.read_exact(&mut first).map(|()| first)
        });
        match greeting {
            Ok(first) if &first == b"SSH-" => return Ok(()),
            _ if Instant::now() > deadline => return Err(format!("sshd does not answer at {address}").into()),
            _ => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}
