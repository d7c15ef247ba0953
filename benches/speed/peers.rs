//! The peers on the same machines: Ansible, Ansible with Mitogen, pyinfra, where a Python environment has them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::lab::{Fleet, Lab, quoted};
use crate::measure::{Result, timed};
use crate::rows::{PARALLEL, Site};
use crate::workload;

#[derive(Debug)]
pub struct Peers {
    /// A Python environment with ansible-core, mitogen and pyinfra, or some of them.
    venv: PathBuf,
}

impl Peers {
    pub fn from_environment() -> Option<Peers> {
        std::env::var_os("PEERS_VENV").map(|venv| Peers { venv: venv.into() })
    }

    /// One line of the peers' table for each peer that is there: first run, then nothing to do.
    pub fn site(&self, lab: &Lab, site: Site) -> Result<Vec<String>> {
        let fleet = lab.fleet(site.hosts, Duration::from_micros(site.rtt_ms * 500))?;
        write_inventories(&fleet)?;
        let mut lines = vec![];
        for (name, mut command) in self.commands(&fleet) {
            let mut run = || timed(&mut command, &lab.log());
            fleet.wipe()?;
            let measured = run().and_then(|first| Ok((first, run()?)));
            lines.push(match measured {
                Ok((first, noop)) => format!("| {name} | {} | {noop:.2} s | {first:.2} s |", site.name),
                Err(error) => format!("| {name} | {} | failed | failed |\n\n{error}\n", site.name),
            });
        }
        Ok(lines)
    }

    fn commands(&self, fleet: &Fleet) -> Vec<(&'static str, Command)> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers");
        let mut all = vec![];
        if let Some(program) = self.program("ansible-playbook") {
            let ansible = || {
                let mut command = fleet.lab().command(&program);
                command.arg("-i").arg(fleet.lab().path("hosts.ini")).arg(here.join("site.yml"));
                command.env("ANSIBLE_CONFIG", here.join("ansible.cfg"));
                command
            };
            all.push(("Ansible", ansible()));
            if let Some(plugins) = self.mitogen() {
                let mut command = ansible();
                command.env("ANSIBLE_STRATEGY_PLUGINS", plugins).env("ANSIBLE_STRATEGY", "mitogen_linear");
                all.push(("Ansible with Mitogen", command));
            }
        }
        if let Some(program) = self.program("pyinfra") {
            let mut command = fleet.lab().command(program);
            command.args(["-y", "--parallel", &PARALLEL.to_string()]);
            command.arg(fleet.lab().path("peers_inventory.py")).arg(here.join("deploy.py"));
            all.push(("pyinfra", command));
        }
        all
    }

    fn program(&self, name: &str) -> Option<PathBuf> {
        Some(self.venv.join("bin").join(name)).filter(|path| path.exists())
    }

    fn mitogen(&self) -> Option<PathBuf> {
        let libraries = fs::read_dir(self.venv.join("lib")).ok()?.filter_map(Result::ok);
        libraries
            .map(|entry| entry.path().join("site-packages/ansible_mitogen/plugins/strategy"))
            .find(|path| path.exists())
    }
}

fn write_inventories(fleet: &Fleet) -> Result<()> {
    let (key, known, templates) = (fleet.key(), fleet.known_hosts(), workload::folder().join("templates"));
    let (python_key, python_known, python_templates) = (quoted(&key), quoted(&known), quoted(&templates));
    let user = &fleet.lab().user;
    let mut ini = String::new();
    let mut python = "hosts = [\n".to_owned();
    for host in &fleet.hosts {
        let _ = writeln!(
            ini,
            "{} ansible_host={} ansible_port={} ansible_user={user} ansible_ssh_private_key_file={} \
             ansible_ssh_common_args='-o UserKnownHostsFile={}' root={} templates={}",
            host.name,
            host.address,
            fleet.port,
            key.display(),
            known.display(),
            host.root.display(),
            templates.display(),
        );
        let _ = writeln!(
            python,
            "    ({:?}, {{\"ssh_hostname\": \"{}\", \"ssh_port\": {}, \"ssh_user\": {user:?}, \"ssh_key\": {python_key}, \
             \"ssh_known_hosts_file\": {python_known}, \"root\": {}, \"templates\": {python_templates}}}),",
            host.name,
            host.address,
            fleet.port,
            quoted(&host.root),
        );
    }
    python.push_str("]\n");
    fs::write(fleet.lab().path("hosts.ini"), ini)?;
    Ok(fs::write(fleet.lab().path("peers_inventory.py"), python)?)
}
