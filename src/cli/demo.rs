//! The surroundings of `tow demo`: three SSH hosts inside this process, their keys, inventory, playbook and
//! application, all in one folder; and the end of all of it. The deployment itself is the engine's.

use std::fmt::Write as _;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;

use crate::cli::demo::files::cannot_write;
use crate::transport::server::{Server, ServerOptions, serve};
use crate::words::error::{Error, Result};

mod files;
mod pages;
mod python;
mod show;

pub use pages::{Page, check_pages};
pub use python::explain;
pub(super) use show::run;

const HOSTS: [&str; 3] = ["web1", "web2", "web3"];
/// The application's key for sessions, made for this run.
const SECRET: &str = "secret_key";
/// Below a host's home folder; the playbook puts Supervisor's files there.
const SUPERVISOR: &str = "pythonweb/supervisor";
/// A socket's path may have 103 bytes on macOS; Supervisor's is the longest, with a process id behind it.
const LONGEST_FOLDER: usize = 103 - "/web1/pythonweb/supervisor/supervisord.sock.4194304".len();

/// Running hosts and the files to deploy to them. End it with [`Demo::shutdown`].
#[derive(Debug)]
pub struct Demo {
    pub folder: PathBuf,
    pub inventory: PathBuf,
    pub playbook: PathBuf,
    pub source: PathBuf,
    /// The private key that the hosts let in.
    pub key: PathBuf,
    pub known_hosts: PathBuf,
    pub hosts: Vec<DemoHost>,
    servers: Vec<Server>,
}

#[derive(Clone, Debug)]
pub struct DemoHost {
    pub name: String,
    pub home: PathBuf,
    pub ssh_port: u16,
    /// Free when it was chosen; gunicorn will listen there.
    pub web_port: u16,
    /// `http://127.0.0.1:40123/`
    pub url: String,
}

/// Makes the folder of a demo, inside `parent` or the folder for temporary files, for this user alone.
pub fn make_folder(parent: Option<&Path>) -> Result<PathBuf> {
    let temporary = std::env::temp_dir();
    let parent = match parent {
        Some(parent) => parent,
        // macOS has a long one.
        None if temporary.as_os_str().len() > 40 => Path::new("/tmp"),
        None => &temporary,
    };
    let cannot = |error| {
        Error::failed(format!("cannot make a folder in {}", parent.display()))
            .cause(error)
            .hint("name another place with --dir")
    };
    let parent = parent.canonicalize().map_err(cannot)?;
    if parent.as_os_str().len() + "/tow-demo-XXXXXX".len() > LONGEST_FOLDER {
        return Err(Error::config(format!("the path {} is too long for the demo", parent.display()))
            .cause("the path of a socket below it would not fit into what the system allows")
            .hint("name a shorter one with --dir, such as /tmp"));
    }
    let private = std::fs::Permissions::from_mode(0o700);
    let folder = tempfile::Builder::new().prefix("tow-demo-").permissions(private).tempdir_in(&parent);
    let folder = folder.map_err(cannot)?;
    Ok(folder.keep())
}

/// Starts the hosts and writes everything that a deployment to them needs into `folder`, which must be empty.
pub async fn prepare(folder: &Path) -> Result<Demo> {
    let python = python::find().await?;
    let key = random_key();
    let (mut hosts, mut servers, mut known) = (Vec::new(), Vec::new(), String::new());
    for (name, web_port) in HOSTS.iter().zip(free_ports()?) {
        let (home, host_key) = (folder.join(name), random_key());
        let public = public_line(&host_key)?;
        let (authorized, env) = (key.public_key().clone(), python::pip_environment(folder));
        let server = serve(ServerOptions { home: home.clone(), authorized, host_key, env }).await?;
        let _ = writeln!(known, "[127.0.0.1]:{} {public}", server.port);
        let url = format!("http://127.0.0.1:{web_port}/");
        hosts.push(DemoHost { name: (*name).to_owned(), home, ssh_port: server.port, web_port, url });
        servers.push(server);
    }
    let demo = Demo {
        folder: folder.to_owned(),
        inventory: folder.join("inventory.toml"),
        playbook: folder.join("demo.toml"),
        source: folder.join("pythonweb"),
        key: folder.join("id_ed25519"),
        known_hosts: folder.join("known_hosts"),
        hosts,
        servers,
    };
    let secret =
        key.to_openssh(LineEnding::LF).map_err(|error| Error::bug("cannot write a key").cause(error))?;
    write(&demo.key, &secret)?;
    write(
        &folder.join(SECRET),
        &format!("{:032x}{:032x}\n", rand::random::<u128>(), rand::random::<u128>()),
    )?;
    write(&demo.known_hosts, &known)?;
    write(&demo.playbook, files::PLAYBOOK)?;
    write(&demo.inventory, &inventory(&demo, &python))?;
    files::write_application(&demo.source)?;
    Ok(demo)
}

impl Demo {
    /// Ends Supervisor with what it runs, and the hosts; then removes the folder, unless it is to be kept.
    pub async fn shutdown(self, keep: bool) -> Result<()> {
        let ends = self.hosts.into_iter().zip(self.servers).map(async |(host, server)| {
            stop_supervisor(&host.home.join(SUPERVISOR)).await;
            server.shutdown().await?;
            // Thousands of files in each environment: all hosts at once.
            if keep { Ok(()) } else { remove(&host.home).await }
        });
        let ended: Result<Vec<()>> = futures::future::join_all(ends).await.into_iter().collect();
        if !keep {
            remove(&self.folder).await?;
        }
        ended.map(|_| ())
    }
}

async fn remove(folder: &Path) -> Result<()> {
    let removed = tokio::fs::remove_dir_all(folder).await;
    removed.map_err(|error| Error::failed(format!("cannot remove {}", folder.display())).cause(error))
}

/// Asks supervisord to end, which ends its programs first, and waits for it. What does not end here is ended
/// with the server, where that can find it.
async fn stop_supervisor(root: &Path) {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    let pids = entries.filter(|path| path.extension().is_some_and(|extension| extension == "pid"));
    let pids = pids.filter_map(|path| std::fs::read_to_string(path).ok()?.trim().parse::<i32>().ok());
    for pid in pids.filter(|pid| *pid > 1).map(Pid::from_raw) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(15);
        let mut running = kill(pid, Signal::SIGTERM).is_ok();
        // Not a child of ours, so its end cannot be awaited, only looked for.
        while running && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
            running = kill(pid, None).is_ok();
        }
    }
}

fn random_key() -> PrivateKey {
    let seed = rand::random::<[u8; 32]>();
    PrivateKey::from(russh::keys::ssh_key::private::Ed25519Keypair::from_seed(&seed))
}

fn public_line(key: &PrivateKey) -> Result<String> {
    key.public_key().to_openssh().map_err(|error| Error::bug("cannot write a public key").cause(error))
}

/// One for each host; all are taken before the first is given back, so that they differ.
fn free_ports() -> Result<Vec<u16>> {
    let listeners = HOSTS.map(|_| std::net::TcpListener::bind(("127.0.0.1", 0)));
    let port = |listener: std::io::Result<std::net::TcpListener>| Ok(listener?.local_addr()?.port());
    let ports: std::io::Result<Vec<u16>> = listeners.into_iter().map(port).collect();
    ports.map_err(|error| Error::failed("cannot find a free port on 127.0.0.1").cause(error))
}

/// For the user alone: there are keys among them.
fn write(path: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| cannot_write(path, error))
}

fn inventory(demo: &Demo, python: &str) -> String {
    let quoted = |path: &Path| toml::Value::from(path.display().to_string()).to_string();
    let mut text = format!(
        "# The hosts of this demo: SSH servers inside of the `tow` that wrote this file, gone when it ends.\n\n\
         [defaults]\nuser = \"demo\"\nkey = {}\nknown_hosts = {}\n\n\
         [secrets]\nsecret_key = {{ file = {} }}\n\n[vars]\npython = {}\n\n\
         [vars.app]\nname = \"pythonweb\"\nsource = {}\nrevision = \"{}\"\n\n[groups.web]\n",
        quoted(&demo.key),
        quoted(&demo.known_hosts),
        quoted(&demo.folder.join(SECRET)),
        quoted(Path::new(python)),
        quoted(&demo.source),
        files::revision(),
    );
    for host in &demo.hosts {
        let _ = write!(
            text,
            "\n[hosts.{}]\naddress = \"127.0.0.1\"\nport = {}\ngroups = [\"web\"]\nvars = {{ home = {}, web_port = {} }}\n",
            host.name,
            host.ssh_port,
            quoted(&host.home),
            host.web_port,
        );
    }
    text
}
