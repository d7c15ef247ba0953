//! `postgres_db`: a database of a PostgreSQL server on the host, and who may reach it over the network.

use core::net::IpAddr;

use serde::{Deserialize, Deserializer};

use crate::task::common::one_or_many;
use crate::task::postgres::{PORT, Server, check_name, identifier, literal};
use crate::task::need::Need;
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::{Action, Command};
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, Probe};
use crate::words::names::{RemotePath, UserName};
use crate::words::shell::quote;
use crate::words::step::{Change, Step};

/// Makes a database in UTF-8 that belongs to a role, and to which nobody else may connect.
///
/// With `networks` the owner may log in from there, by SCRAM and, where the server has a certificate, over TLS only:
/// an entry in pg_hba.conf, read by the server without a restart, and taken back if it finds it wrong. Entries that it
/// has written for this database and owner before, and that are not wanted any more, are removed. A server that has not
/// read the file since it changed is told to. One that listens on this host alone is told to listen to all, which takes
/// a restart, once.
///
/// ```toml
/// postgres_db = { name = "shop", owner = "shop" }
/// postgres_db = { name = "shop", owner = "shop", networks = ["10.0.0.0/24"] }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresDb {
    /// Its name: lower-case letters, digits and `_`.
    name: String,
    /// The role that it belongs to, made by `postgres_role` before.
    owner: String,
    /// How text is sorted and classified in a new database (default `"C.UTF-8"`, the same on every system).
    #[serde(default = "locale")]
    locale: String,
    /// From where the owner may connect: `"10.0.0.7/32"`, `"2001:db8::/64"`, one or several; `[]` is from nowhere, and
    /// without it pg_hba.conf is not looked at.
    #[serde(default, deserialize_with = "some_or_many")]
    networks: Option<Vec<String>>,
    /// The account of the server, which is its superuser too (default `"postgres"`).
    admin: Option<UserName>,
    /// The folder of the server's socket, where it is not the usual one.
    socket: Option<RemotePath>,
    /// The server's port (default 5432).
    #[serde(default = "port")]
    port: u16,
}

fn port() -> u16 {
    PORT
}
fn locale() -> String {
    "C.UTF-8".to_owned()
}

/// Absent is another thing than none at all.
fn some_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    one_or_many(deserializer).map(Some)
}

/// What stands above an entry that is ours.
const MARK: &str = "# Written by tow.";

/// `10.0.0.0/24`, with no bits beyond the mask: PostgreSQL would ignore them, and people would not.
fn check_network(text: &str) -> Result<(), String> {
    let parsed = text.split_once('/').and_then(|(address, bits)| {
        Some((address.parse::<IpAddr>().ok()?, bits.parse::<u32>().ok()?))
    });
    let (address, bits) = parsed.ok_or("write an address and the bits of its network, such as 10.0.0.0/24")?;
    let (number, width) = match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    if bits > width {
        return Err(format!("a network of this sort has at most {width} bits"));
    }
    let host_bits = if bits == width { 0 } else { u128::MAX >> (128 - (width - bits)) };
    if number & host_bits != 0 {
        return Err(format!("the address has bits beyond the first {bits}: write /{width} for one host"));
    }
    Ok(())
}

/// What pg_hba.conf lacks.
#[derive(Debug, Default)]
struct Entries {
    new: Vec<String>,
    /// Ours, and not wanted any more.
    gone: Vec<String>,
    /// The server has not read the file since it changed.
    owed: bool,
}

impl Entries {
    fn what(&self) -> Vec<String> {
        let gone = self.gone.iter().map(|entry| format!("pg_hba.conf: no longer {entry}"));
        let mut what: Vec<String> =
            self.new.iter().map(|entry| format!("pg_hba.conf: {entry}")).chain(gone).collect();
        if self.owed {
            what.push("let PostgreSQL read pg_hba.conf, which it has not since that changed".to_owned());
        }
        what
    }
}

impl PostgresDb {
    fn server(&self) -> Server<'_> {
        Server { admin: self.admin.as_ref(), socket: self.socket.as_ref(), port: self.port }
    }

    fn probe(&self) -> Probe {
        let (name, owner) = (literal(&self.name), literal(&self.owner));
        let queries = [
            "SELECT 'server', current_setting('ssl'), current_setting('listen_addresses')".to_owned(),
            format!("SELECT 'owner' FROM pg_roles WHERE rolname = {owner}"),
            format!(
                "SELECT 'db', pg_get_userbyid(datdba), has_database_privilege('public', oid, 'CONNECT') \
                 FROM pg_database WHERE datname = {name}"
            ),
        ];
        let hba = format!("{}\n{}", include_str!("postgres_db/owed.sh"), include_str!("postgres_db/facts.sh"));
        self.server().probe(&queries, if self.networks.is_none() { "" } else { &hba })
    }

    fn failed(&self) -> Error {
        Error::failed(format!("cannot set up the PostgreSQL database {}", self.name))
    }

    /// What makes the database, or brings it in line.
    fn database(&self, row: Option<&Vec<&str>>) -> (Vec<String>, String) {
        let (name, owner) = (identifier(&self.name), identifier(&self.owner));
        let close = format!("REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC;\n");
        let Some(row) = row else {
            let locale = literal(&self.locale);
            let sql = format!(
                "CREATE DATABASE {name} OWNER {owner} ENCODING 'UTF8' TEMPLATE template0 LC_COLLATE {locale} LC_CTYPE {locale};\n{close}"
            );
            return (vec![format!("make the database {} of {}", self.name, self.owner)], sql);
        };
        let (mut what, mut sql) = (vec![], String::new());
        if row[1] != self.owner {
            what.push(format!("{}: owner {} → {}", self.name, row[1], self.owner));
            sql = format!("ALTER DATABASE {name} OWNER TO {owner};\n");
        }
        if row[2] == "t" {
            what.push(format!("{}: nobody else may connect", self.name));
            sql.push_str(&close);
        }
        (what, sql)
    }

    /// What is left to do in pg_hba.conf.
    fn entries(&self, rows: &[Vec<&str>], ssl: bool) -> Entries {
        let Some(networks) = &self.networks else { return Entries::default() };
        let sort = if ssl { "hostssl" } else { "host" };
        let entry = |network: &String| [sort, &self.name, &self.owner, network, "scram-sha-256"].join(" ");
        let wanted: Vec<String> = networks.iter().map(entry).collect();
        let found = |name: &str| {
            let rows = rows.iter().filter(move |row| row[0] == name && row.len() == 2);
            rows.map(|row| row[1]).collect::<Vec<_>>()
        };
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let (own, others) = (found("own"), found("entry"));
        let has: Vec<String> = own.iter().chain(&others).map(|text| words(text)).collect();
        let of_ours = |text: &&str| {
            ["host", "hostssl"].iter().any(|sort| text.starts_with(&format!("{sort} {} {} ", self.name, self.owner)))
        };
        Entries {
            gone: own.into_iter().filter(of_ours).map(str::to_owned).filter(|entry| !wanted.contains(entry)).collect(),
            new: wanted.into_iter().filter(|entry| !has.contains(entry)).collect(),
            owed: rows.iter().any(|row| row[..] == ["owed"]),
        }
    }

    fn admit(&self, entries: &Entries) -> Action {
        let lines = entries.new.iter().map(|entry| quote(entry)).collect::<Vec<_>>().join(" ");
        let script = format!(
            "mark={} gone={}\nset -- {lines}\n{}\n{}",
            quote(MARK),
            quote(&entries.gone.join("\n")),
            include_str!("postgres_db/owed.sh"),
            include_str!("postgres_db/admit.sh")
        );
        self.server().script(&script, "write pg_hba.conf and let PostgreSQL read it".to_owned())
    }

    fn listen(&self) -> [Action; 2] {
        let sql = "ALTER SYSTEM SET listen_addresses = '*';\n";
        let restart = "[ -d /run/systemd/system ] || { echo 'this host is not run by systemd: restart PostgreSQL by hand' >&2; exit 1; }\n\
                       systemctl restart postgresql\n";
        [
            self.server().tell(sql, "alter system set listen_addresses (psql)".to_owned()),
            Action::Run(Command::shell(restart).label("systemctl restart postgresql")),
        ]
    }
}

impl Task for PostgresDb {
    fn load(&mut self, _inputs: &dyn Inputs) -> Result<(), Mistake> {
        check_name(&self.name, "name")?;
        check_name(&self.owner, "owner")?;
        for network in self.networks.iter().flatten() {
            check_network(network).map_err(|why| Mistake::new("networks", format!("{network:?}: {why}")))?;
        }
        Ok(())
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Database(self.name.clone()), Need::Root]
    }

    fn probes(&self) -> Vec<Probe> {
        vec![self.probe()]
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let rows = self.server().rows(&self.probe(), facts, || self.failed())?;
        let find = |name: &str, len: usize| rows.iter().find(|row| row[0] == name && row.len() == len);
        if find("owner", 1).is_none() {
            return Err(self.failed().cause(format!("there is no role {}", self.owner)).hint(format!(
                "put a task before it that makes the role: postgres_role = \"{}\"",
                self.owner
            )));
        }
        let (what, sql) = self.database(find("db", 3));
        let mut change = Change { what, ..Change::default() };
        if !sql.is_empty() {
            let label = format!("set up the database {} (psql)", self.name);
            change = change.action(self.server().tell(&sql, label));
        }
        let server = find("server", 3);
        let entries = self.entries(&rows, server.is_some_and(|row| row[1] == "on"));
        let what = entries.what();
        if !what.is_empty() {
            change.what.extend(what);
            change = change.action(self.admit(&entries));
        }
        let is_private = server.is_some_and(|row| ["", "localhost", "127.0.0.1", "::1"].contains(&row[2]));
        if self.networks.as_ref().is_some_and(|networks| !networks.is_empty()) && is_private {
            change = change.what("restart PostgreSQL, to listen beyond this host");
            change.actions.extend(self.listen());
        }
        if change.is_empty() {
            return Ok(Step::already(format!("the database {} belongs to {}", self.name, self.owner)));
        }
        Ok(Step::effects(change))
    }
}

#[cfg(test)]
mod tests {
    use super::check_network;

    #[test]
    fn networks_say_what_they_mean() {
        for good in ["10.0.0.0/24", "10.0.0.7/32", "0.0.0.0/0", "2001:db8::/64", "::/0"] {
            assert_eq!(check_network(good), Ok(()), "{good}");
        }
        for bad in ["10.0.0.1/24", "10.0.0.0", "10.0.0.0/33", "all", "2001:db8::1/64", "10.0.0.0/24 trust"] {
            assert!(check_network(bad).is_err(), "{bad}");
        }
    }
}
