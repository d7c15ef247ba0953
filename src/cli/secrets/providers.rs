//! Where the secrets of a playbook come from on the operator's machine: the environment, the project's secrets file,
//! programs.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use zeroize::Zeroizing;

use crate::cli::prompt::Prompt;
use crate::cli::secrets::file::VaultFile;
use crate::cli::secrets::keys;
use crate::cli::secrets::trust;
use crate::cli::stop;
use crate::report::Pause;
use crate::report::text::neutralise;
use crate::spec::Providers;
use crate::spec::vault::Vault;
use crate::transport::{Keyring, Unlocked};
use crate::words::error::{Error, Result};
use crate::words::secret::{Mask, Secret};

/// Somebody may have to touch a key or unlock a vault first.
const PATIENCE: Duration = Duration::from_secs(60);
const MOST_OUTPUT: u64 = 256 << 10;
const SHOWN_LINES: usize = 3;

pub struct Edge {
    vault: VaultFile,
    keyring: Keyring,
    /// Knows what was typed and which key the environment holds.
    mask: Mask,
    /// In place of every value, where nobody will see one.
    placeholder: Option<&'static str>,
}

impl Edge {
    pub fn new(inventory: Option<&Path>) -> Edge {
        let mask = Mask::default();
        mask.learn(std::env::var(keys::KEY).ok().map(Secret::new).as_ref());
        let prompt = Prompt::new(Pause::default(), mask.clone());
        Edge {
            vault: VaultFile::beside(inventory),
            keyring: Keyring::new(Arc::new(prompt)),
            mask,
            placeholder: None,
        }
    }

    #[must_use]
    pub fn with_placeholders(mut self) -> Edge {
        self.placeholder = Some("(a secret that was not given)");
        self
    }

    pub fn mask(&self) -> &Mask {
        &self.mask
    }

    /// Keys that nobody has to be asked for again.
    pub fn unlocked(&self) -> Unlocked {
        wait(self.keyring.unlocked())
    }
}

/// Questions are asked while a project is read, which no other thing waits for.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| runtime.block_on(future))
}

impl Providers for Edge {
    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn command(&self, argv: &[String], folder: &str) -> Result<Secret> {
        let [program, arguments @ ..] = argv else { return Err(Error::bug("a secret's command is empty")) };
        trust::ask(argv, folder)?;
        run(program, arguments, folder).map_err(|error| Error {
            hint: error
                .hint
                .clone()
                .or_else(|| Some(format!("run it yourself: `{}`", crate::words::shell::join(argv)))),
            ..error
        })
    }

    fn placeholder(&self) -> Option<Secret> {
        self.placeholder.map(|text| Secret::new(text.to_owned()))
    }

    fn vault_name(&self) -> Option<String> {
        self.vault.exists().then(|| self.vault.name())
    }

    fn open_vault(&self) -> Result<Vault> {
        drop(stop::listen());
        let opened = wait(self.vault.open(&self.keyring))?;
        self.vault.parse(opened.text)
    }
}

/// Without a shell, in this process group, so that it can ask at the terminal by itself.
fn run(program: &str, arguments: &[String], folder: &str) -> Result<Secret> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if !folder.is_empty() {
        command.current_dir(folder);
    }
    let child = command.spawn().map_err(|error| {
        let error = Error::config(format!("cannot run `{program}`")).cause(error);
        error.hint(format!("install {program}, or say in `[secrets]` where else the value is"))
    })?;
    let pid = i32::try_from(child.id()).ok().map(Pid::from_raw);
    let (send, said) = channel();
    // Not joined: what it started may hold its pipes for longer than we wait.
    std::thread::spawn(move || send.send(listen(child)));
    let failed = |why: &str| Error::config(format!("`{program}` gave no secret")).cause(why);
    let said = match said.recv_timeout(PATIENCE) {
        Ok(said) => said.map_err(|error| failed(&error.to_string()))?,
        Err(RecvTimeoutError::Disconnected) => return Err(failed("nobody listened to it")),
        Err(RecvTimeoutError::Timeout) => {
            if let Some(pid) = pid {
                let _ = kill(pid, Signal::SIGKILL);
            }
            return Err(failed(&format!("it did not end within {} s", PATIENCE.as_secs())));
        }
    };
    if !said.status.success() {
        let lines = last_lines(&said.stderr);
        return Err(failed(&if lines.is_empty() { said.status.to_string() } else { lines }));
    }
    if said.stdout.len() as u64 > MOST_OUTPUT {
        return Err(failed("it said more than 256 KiB"));
    }
    let text = std::str::from_utf8(&said.stdout).map_err(|_| failed("what it said is no text"))?;
    let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    if line.is_empty() {
        return Err(failed("it said nothing"));
    }
    Ok(Secret::new(line.to_owned()))
}

struct Said {
    status: std::process::ExitStatus,
    stdout: Zeroizing<Vec<u8>>,
    stderr: Vec<u8>,
}

fn listen(mut child: Child) -> std::io::Result<Said> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let stderr = std::thread::spawn(move || {
        let mut bytes = vec![];
        if let Some(mut err) = err {
            let _ = (&mut err).take(MOST_OUTPUT).read_to_end(&mut bytes);
        }
        bytes
    });
    let mut stdout = Zeroizing::new(vec![]);
    if let Some(mut out) = out {
        (&mut out).take(MOST_OUTPUT + 1).read_to_end(&mut stdout)?;
    }
    Ok(Said { status: child.wait()?, stdout, stderr: stderr.join().unwrap_or_default() })
}

fn last_lines(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<String> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(neutralise).collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("; ")
}
