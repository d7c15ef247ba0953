//! What the kinds about PostgreSQL share: asking a server of this host, telling it, and naming things in SQL.

pub mod scram;

use crate::task::Mistake;
use crate::words::action::{Action, Command};
use crate::words::content::Content;
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, Probe};
use crate::words::names::{RemotePath, UserName};
use crate::words::shell::{join, quote};

pub const PORT: u16 = 5432;

/// A server on the host itself, reached by its socket as its own account.
#[derive(Clone, Copy, Debug)]
pub struct Server<'a> {
    pub admin: Option<&'a UserName>,
    pub socket: Option<&'a RemotePath>,
    pub port: u16,
}

impl Server<'_> {
    pub fn admin(&self) -> &str {
        self.admin.map_or("postgres", UserName::as_str)
    }

    fn account(&self) -> Option<UserName> {
        UserName::new(self.admin()).ok()
    }

    /// Neither the account's own settings nor a password prompt get in the way.
    fn psql(&self) -> String {
        let port = self.port.to_string();
        let mut words = vec!["psql", "-X", "-q", "-w", "-At", "-v", "ON_ERROR_STOP=1", "-U", self.admin()];
        words.extend(["-d", "postgres", "-p", &port]);
        if let Some(socket) = self.socket {
            words.extend(["-h", socket.as_str()]);
        }
        join(words)
    }

    /// `queries` hold nothing secret: they stand in an argument list. `more` is shell that may use `$psql`.
    pub fn probe(&self, queries: &[String], more: &str) -> Probe {
        let queries: Vec<String> = queries.iter().map(|query| format!("-c {}", quote(query))).collect();
        let script = format!(
            "command -v psql >/dev/null 2>&1 || {{ echo no-psql; exit 0; }}\n\
             psql={}\n\
             answer=$($psql {} 2>&1) || {{ echo no-answer; printf '%s\\n' \"$answer\"; exit 0; }}\n\
             printf '%s\\n' \"$answer\"\n{more}",
            quote(&self.psql()),
            queries.join(" ")
        );
        Probe::Shell { script, user: self.account() }
    }

    /// The rows of an answer, or why there is none.
    pub fn rows<'f>(
        &self,
        probe: &Probe,
        facts: &'f Facts,
        failed: impl Fn() -> Error,
    ) -> Result<Vec<Vec<&'f str>>> {
        let output = facts.output(probe)?;
        let mut lines = output.stdout.lines().map(str::trim).filter(|line| !line.is_empty());
        match lines.clone().next() {
            Some("no-psql") => Err(failed()
                .cause("there is no PostgreSQL on this host")
                .hint("put a task before it that installs it: package = \"postgresql\"")),
            Some("no-answer") => {
                let said = lines.nth(1).unwrap_or("it does not answer");
                Err(failed().cause(said).hint(format!(
                    "is it running (systemctl status postgresql), and may {} log in by its socket?",
                    self.admin()
                )))
            }
            None => Err(failed().cause(format!("nobody can act as {}", self.admin())).hint(
                "install PostgreSQL first (package = \"postgresql\"), and set `become = true` on the host",
            )),
            Some(_) => Ok(lines.map(|line| line.split('|').collect()).collect()),
        }
    }

    /// SQL goes in by stdin, where no list of processes shows it, and not into the server's log either.
    pub fn tell(&self, sql: &str, label: String) -> Action {
        let quiet = "SET log_statement = 'none';\nSET log_min_duration_statement = -1;\n\
                     SET log_min_error_statement = 'panic';\nSET pg_stat_statements.track_utility = off;\n\
                     SET password_encryption = 'scram-sha-256';\nSET standard_conforming_strings = on;\n";
        let stdin = Some(Content::text(format!("{quiet}{sql}")));
        let script = format!("{} -f -", self.psql());
        Action::Run(Command { stdin, ..Command::shell(script).user(self.account()).label(label) })
    }

    pub fn script(&self, script: &str, label: String) -> Action {
        let script = format!("psql={}\n{script}", quote(&self.psql()));
        Action::Run(Command::shell(script).user(self.account()).label(label))
    }
}

/// Names that need no thought about quoting, in SQL, in pg_hba.conf and in a URL.
pub fn check_name(name: &str, field: &'static str) -> Result<(), Mistake> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let is_taken =
        name.starts_with("pg_") || ["all", "public", "none", "template0", "template1"].contains(&name);
    if begins && name.len() <= 63 && name.chars().all(plain) && !is_taken {
        return Ok(());
    }
    Err(Mistake::new(field, format!("{name:?} is not a name for this"))
        .hint("use lower-case letters, digits and `_`, begin with a letter, and not with `pg_`"))
}

pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
