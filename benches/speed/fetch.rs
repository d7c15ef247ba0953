//! A file from a host, by the library: no task kind fetches, so this program, started once more, is the process that
//! is measured beside `scp`.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use towline::spec::model::{Connection, Host, Ssh};
use towline::transport::{Ask, Connector, Options};
use towline::words::names::HostName;
use towline::words::secret::Secret;

use crate::lab::Fleet;
use crate::measure::Result;

/// The first argument by which this program becomes the one that fetches.
pub const CHILD: &str = "--fetch-from";

struct Nobody;

impl Ask for Nobody {
    fn secret(&self, _: &str) -> Option<Secret> {
        None
    }
}

/// Connects to the fleet's first host and copies `remote` to `local`.
pub fn command(fleet: &Fleet, remote: &Path, local: &Path) -> Result<Command> {
    let mut command = fleet.lab().command(std::env::current_exe()?);
    command.arg(CHILD).arg(fleet.hosts[0].address.to_string()).arg(fleet.port.to_string());
    command.arg(&fleet.lab().user).arg(fleet.key()).arg(fleet.known_hosts()).arg(remote).arg(local);
    Ok(command)
}

/// What that command does.
pub fn child(arguments: &[OsString]) -> ExitCode {
    let arguments: Vec<&str> = arguments.iter().filter_map(|argument| argument.to_str()).collect();
    match fetch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn fetch(arguments: &[&str]) -> Result<()> {
    let &[address, port, user, key, known_hosts, remote, local] = arguments else {
        return Err("address, port, user, key, known_hosts, remote and local file are wanted".into());
    };
    let ssh = Ssh {
        address: address.into(),
        port: Some(port.parse()?),
        user: Some(user.into()),
        key: Some(key.into()),
        key_at: None,
        jump: None,
        known_hosts: Some(known_hosts.into()),
        r#become: false,
    };
    let host = Host {
        name: HostName::new(address)?,
        groups: vec![],
        connection: Connection::Ssh(ssh),
        vars: towline::spec::model::Vars::default(),
    };
    let connector = Connector::new(Options::default(), Arc::new(Nobody));
    tokio::runtime::Runtime::new()?.block_on(async {
        let link = connector.connect(&host, &|_| {}).await?;
        link.download(remote, Path::new(local)).await?;
        link.close().await;
        Ok(())
    })
}
