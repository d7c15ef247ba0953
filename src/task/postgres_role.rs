//! `postgres_role`: a role of a PostgreSQL server on the host, without any power over the server.

use serde::Deserialize;

use crate::task::postgres::{PORT, Server, check_name, identifier, literal, scram};
use crate::task::{Inputs, Mistake, Task};
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, Probe};
use crate::words::names::{RemotePath, UserName};
use crate::words::step::{Change, Step};

/// Makes a role that may log in and own databases, and nothing more: whatever of SUPERUSER, CREATEDB, CREATEROLE,
/// REPLICATION and BYPASSRLS it has is taken away. Without a password it logs in by the socket, as the account of its
/// name (peer); with one also over the network (SCRAM). The password is known by its verifier, so a second run sees
/// that it is the same; it travels on stdin and stays out of the server's log.
///
/// ```toml
/// postgres_role = "shop"
/// postgres_role = { name = "shop", password = "{{secrets.db_password}}", connections = 50 }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresRole {
    /// Its name: lower-case letters, digits and `_`.
    name: String,
    /// Its password, which has to come from `[secrets]`. One that is there stays when this is not given.
    password: Option<String>,
    /// The most connections at a time; without limit when not given.
    connections: Option<u32>,
    /// Removes the role. PostgreSQL refuses while it owns something.
    #[serde(default)]
    absent: bool,
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

/// What `pg_authid` says of it.
struct Role<'a> {
    can_login: bool,
    powers: Vec<&'static str>,
    connections: &'a str,
    kept: &'a str,
}

const POWERS: [&str; 5] = ["SUPERUSER", "CREATEDB", "CREATEROLE", "REPLICATION", "BYPASSRLS"];

impl PostgresRole {
    fn server(&self) -> Server<'_> {
        Server { admin: self.admin.as_ref(), socket: self.socket.as_ref(), port: self.port }
    }

    fn probe(&self) -> Probe {
        let name = literal(&self.name);
        let query = format!(
            "SELECT 'role', rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, \
             rolconnlimit, coalesce(rolpassword, '') FROM pg_authid WHERE rolname = {name}"
        );
        self.server().probe(&["SELECT 'server'".to_owned(), query], "")
    }

    fn failed(&self) -> Error {
        let verb = if self.absent { "remove" } else { "set up" };
        Error::failed(format!("cannot {verb} the PostgreSQL role {}", self.name))
    }

    fn differences(&self, role: &Role) -> Vec<String> {
        let mut what = vec![];
        if !role.can_login {
            what.push("may log in".to_owned());
        }
        if !role.powers.is_empty() {
            what.push(format!("no longer {}", role.powers.join(", ")));
        }
        let limit = self.limit();
        if role.connections != limit {
            what.push(format!("connections {} → {limit}", role.connections));
        }
        if self.password.as_ref().is_some_and(|password| !scram::is_kept(password, role.kept)) {
            what.push(if role.kept.is_empty() { "a password" } else { "another password" }.to_owned());
        }
        what
    }

    fn limit(&self) -> String {
        self.connections.map_or_else(|| "-1".to_owned(), |number| number.to_string())
    }

    fn options(&self) -> String {
        let mut options = format!("LOGIN NO{} CONNECTION LIMIT {}", POWERS.join(" NO"), self.limit());
        if let Some(password) = &self.password {
            options.push_str(" PASSWORD ");
            options.push_str(&literal(password));
        }
        options
    }

    fn tell(&self, verb: &str, options: &str, what: Vec<String>) -> Step {
        let sql = format!("{verb} ROLE {} {options};\n", identifier(&self.name));
        let label = format!("{} role {} (psql)", verb.to_lowercase(), self.name);
        let change = Change { what, ..Change::default() };
        Step::effects(change.action(self.server().tell(&sql, label)))
    }
}

impl Task for PostgresRole {
    fn load(&mut self, inputs: &dyn Inputs) -> Result<(), Mistake> {
        check_name(&self.name, "name")?;
        if self.name == self.server().admin() {
            return Err(Mistake::new("name", format!("{} is the role that runs the server", self.name)));
        }
        let Some(password) = &self.password else { return Ok(()) };
        if !inputs.is_secret(password) {
            return Err(Mistake::new("password", "a password does not stand in a playbook")
                .hint("say in the inventory where it comes from, [secrets] db_password = { env = \"DB_PASSWORD\" }, and write \"{{secrets.db_password}}\""));
        }
        // Others have several spellings, and servers choose one of them.
        if !password.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(Mistake::new("password", "a password of PostgreSQL is made of printable ASCII here"));
        }
        Ok(())
    }

    fn probes(&self) -> Vec<Probe> {
        vec![self.probe()]
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let rows = self.server().rows(&self.probe(), facts, || self.failed())?;
        let row = rows.iter().find(|row| row.len() == 9 && row[0] == "role");
        let role = row.map(|row| Role {
            can_login: row[1] == "t",
            powers: POWERS.into_iter().zip(&row[2..7]).filter(|(_, has)| **has == "t").map(|(power, _)| power).collect(),
            connections: row[7],
            kept: row[8],
        });
        match role {
            None if self.absent => Ok(Step::already(format!("there is no role {}", self.name))),
            Some(_) if self.absent => Ok(self.tell("DROP", "", vec![format!("remove the role {}", self.name)])),
            None => Ok(self.tell("CREATE", &self.options(), vec![format!("make the role {}", self.name)])),
            Some(role) => {
                let what = self.differences(&role);
                if what.is_empty() {
                    return Ok(Step::already(format!("the role {} is as wanted", self.name)));
                }
                let what = what.into_iter().map(|line| format!("{}: {line}", self.name)).collect();
                Ok(self.tell("ALTER", &self.options(), what))
            }
        }
    }
}
