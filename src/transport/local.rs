//! The operator's own machine as a host: the same shell protocol over pipes, and no network.

use std::process::Stdio;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::spec::model::Host;
use crate::transport::unchanged::still_is;
use crate::transport::{Chunk, Link, Opening, Shell, Upload};
use crate::words::content::Source;
use crate::words::error::{Error, Result};

/// Connects to this machine; with `become` the shell runs under sudo.
pub fn connect(host: &Host) -> Result<Arc<dyn Link>> {
    let root = nix::unistd::geteuid().is_root();
    Ok(Arc::new(Local { sudo: host.connection.r#become() && !root }))
}

#[derive(Debug)]
struct Local {
    sudo: bool,
}

impl Local {
    fn command(&self) -> Command {
        let mut command = if self.sudo { Command::new("sudo") } else { Command::new("/bin/sh") };
        if self.sudo {
            command.args(["-n", "-H", "--", "/bin/sh"]);
        }
        // A group of its own: Ctrl-C at the terminal must reach us alone, so that we end things in order.
        command.stdin(Stdio::piped()).process_group(0).kill_on_drop(true);
        command
    }
}

fn cannot(what: &str, why: impl std::fmt::Display) -> Error {
    Error::unreachable(format!("cannot {what} on this machine")).cause(why)
}

#[async_trait]
impl Link for Local {
    async fn shell(&self, first: Opening) -> Result<Shell> {
        let mut command = self.command();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| cannot("start a shell", error))?;
        let (input, mut from_us) = mpsc::channel::<Vec<u8>>(16);
        let (to_us, output) = mpsc::channel(16);
        let mut stdin = child.stdin.take();
        tokio::spawn(async move {
            let mut next = Some(first.script);
            while let (Some(bytes), Some(pipe)) = (next, stdin.as_mut()) {
                if pipe.write_all(&bytes).await.is_err() {
                    return;
                }
                next = from_us.recv().await;
            }
        });
        tokio::spawn(pump(child, to_us));
        Ok(Shell { input, output })
    }

    async fn upload(
        &self,
        dir: &str,
        files: &[Upload],
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<()> {
        let dir = std::path::Path::new(dir);
        let failed = |error: std::io::Error| cannot(&format!("write to {}", dir.display()), error);
        make_private_dir(dir).map_err(failed)?;
        for file in files {
            let path = dir.join(&file.name);
            match &file.content.source {
                Source::Bytes(bytes) => tokio::fs::write(&path, bytes).await.map_err(failed)?,
                Source::Local(from) => {
                    tokio::fs::copy(&from.path, &path).await.map_err(failed)?;
                    still_is(from, file.content.len).map_err(failed)?;
                }
            }
            progress(file.content.len);
        }
        Ok(())
    }

    async fn download(&self, path: &str, to: &std::path::Path) -> Result<()> {
        tokio::fs::copy(path, to).await.map(drop).map_err(|error| cannot(&format!("copy {path}"), error))
    }

    async fn aside(&self, script: &str) -> Result<()> {
        let mut child = self.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        if let Ok(child) = &mut child {
            if let Some(mut stdin) = child.stdin.take() {
                let _ = stdin.write_all(script.as_bytes()).await;
            }
            let _ = child.wait().await;
        }
        Ok(())
    }

    fn can_be_lost(&self) -> bool {
        false
    }

    async fn close(&self) {}
}

#[cfg(unix)]
fn make_private_dir(dir: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().mode(0o700).create(dir)
}

/// Both pipes until the shell ends; a background child that keeps them open does not hold us up.
async fn pump(mut child: Child, to_us: mpsc::Sender<Chunk>) {
    let (Some(mut out), Some(mut err)) = (child.stdout.take(), child.stderr.take()) else { return };
    let (mut out_buffer, mut err_buffer) = (vec![0; 16 << 10], vec![0; 4 << 10]);
    let (mut out_open, mut err_open) = (true, true);
    while out_open || err_open {
        let chunk = tokio::select! {
            read = out.read(&mut out_buffer), if out_open => match read {
                Ok(n) if n > 0 => Chunk::Out(out_buffer[..n].to_vec()),
                _ => { out_open = false; continue }
            },
            read = err.read(&mut err_buffer), if err_open => match read {
                Ok(n) if n > 0 => Chunk::Err(err_buffer[..n].to_vec()),
                _ => { err_open = false; continue }
            },
        };
        if to_us.send(chunk).await.is_err() {
            break;
        }
    }
    let code = child.wait().await.ok().and_then(|status| status.code());
    let _ = to_us.send(Chunk::End { code, why: None }).await;
}
