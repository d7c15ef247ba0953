//! `tow hosts`: who would be meant.

use crate::cli::Ended;
use crate::cli::args::Hosts;
use crate::cli::playbook::{inventory, stop};
use crate::report::out;
use crate::spec;
use crate::spec::model::{Connection, Host};

pub fn run(args: &Hosts) -> Ended {
    let inventory = inventory(&args.target)?;
    let hosts = spec::load_inventory(inventory.as_ref(), args.target.limit.as_deref())
        .map_err(|mistakes| stop(&mistakes))?;
    let text = if args.json { json(&hosts) } else { table(&hosts) };
    out::write(&text);
    Ok(0)
}

fn address(host: &Host) -> String {
    match &host.connection {
        Connection::Local { .. } => "this machine".to_owned(),
        Connection::Ssh(ssh) => {
            let user = ssh.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
            let port = ssh.port.map(|port| format!(":{port}")).unwrap_or_default();
            format!("{user}{}{port}", ssh.address)
        }
    }
}

fn table(hosts: &[Host]) -> String {
    let name = hosts.iter().map(|host| host.name.as_str().len()).max().unwrap_or(0);
    let place = hosts.iter().map(|host| address(host).len()).max().unwrap_or(0);
    let line = |host: &Host| {
        let line = format!("{:name$}  {:place$}  {}", host.name, address(host), host.groups.join(", "));
        format!("{}\n", line.trim_end())
    };
    hosts.iter().map(line).collect()
}

fn json(hosts: &[Host]) -> String {
    let line = |host: &Host| {
        let (address, port, user) = match &host.connection {
            Connection::Ssh(ssh) => (Some(&ssh.address), ssh.port, ssh.user.as_ref()),
            Connection::Local { .. } => (None, None, None),
        };
        let connection = if address.is_some() { "ssh" } else { "local" };
        let value = serde_json::json!({
            "host": host.name, "connection": connection, "address": address, "port": port, "user": user,
            "become": host.connection.r#become(), "groups": host.groups,
        });
        format!("{value}\n")
    };
    hosts.iter().map(line).collect()
}
