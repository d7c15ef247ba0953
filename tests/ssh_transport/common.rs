//! What these tests share: options, hosts, and reading a shell to its end.

use std::sync::Arc;
use std::time::Duration;

use crate::support::sshd::Sshd;
use towline::spec::model::{Connection, Host, Ssh};
use towline::transport::{Ask, Chunk, Connector, Link, Options, Shell, Upload};
use towline::words::content::Content;
use towline::words::error::Error;
use towline::words::names::HostName;
use towline::words::secret::Secret;

pub struct Nobody;

impl Ask for Nobody {
    fn secret(&self, _: &str) -> Option<Secret> {
        None
    }
}

pub fn options(sshd: &Sshd) -> Options {
    Options {
        known_hosts: vec![sshd.known_hosts_path.clone()],
        ssh_config: false,
        agent: false,
        ..Options::default()
    }
}

pub fn connector(sshd: &Sshd) -> Connector {
    Connector::new(options(sshd), Arc::new(Nobody))
}

pub fn ssh(sshd: &Sshd) -> Ssh {
    Ssh {
        address: "127.0.0.1".into(),
        port: Some(sshd.port),
        user: Some("root".into()),
        key: Some(sshd.key_path.display().to_string()),
        ..Ssh::default()
    }
}

pub fn host(ssh: Ssh) -> Host {
    Host {
        name: HostName::new("web1").unwrap(),
        groups: vec![],
        connection: Connection::Ssh(ssh),
        vars: towline::spec::model::Vars::default(),
    }
}

pub async fn connect(connector: &Connector, ssh: Ssh) -> Result<Arc<dyn Link>, Error> {
    connector.connect(&host(ssh), &|_| {}).await
}

pub struct Ended {
    pub out: String,
    pub err: String,
    pub code: Option<i32>,
    pub why: Option<String>,
}

pub async fn read(shell: Shell) -> Ended {
    let Shell { input, mut output } = shell;
    drop(input);
    let mut ended = Ended { out: String::new(), err: String::new(), code: None, why: None };
    while let Some(chunk) = output.recv().await {
        match chunk {
            Chunk::Out(bytes) => ended.out += &String::from_utf8_lossy(&bytes),
            Chunk::Err(bytes) => ended.err += &String::from_utf8_lossy(&bytes),
            Chunk::End { code, why } => (ended.code, ended.why) = (code, why),
        }
    }
    ended
}

pub async fn run(link: &Arc<dyn Link>, script: &str) -> Ended {
    let shell = tokio::time::timeout(Duration::from_secs(20), async {
        read(link.shell(opening(script.as_bytes())).await.unwrap()).await
    });
    shell.await.expect("the shell ends")
}

pub fn upload(name: &str, content: Content) -> Upload {
    Upload { name: name.into(), content }
}

/// A first script that everybody may see.
pub fn opening(script: &[u8]) -> towline::transport::Opening {
    towline::transport::Opening { script: script.to_vec(), public: true }
}
