//! One error type: a kind (which decides the exit code), what failed and where, why, and what to do next.

use std::fmt;

use serde::Serialize;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure it is. The exit code follows from it, and from nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A mistake of ours.
    Bug,
    /// Arguments, inventory, playbook or template are wrong.
    Config,
    /// A task failed; what served before still serves.
    Failed,
    /// The host was not reached, or did not let us in, or sudo did not.
    Unreachable,
    /// Somebody else holds the lock.
    Locked,
    /// Nobody can say in which state the host is.
    Unknown,
    /// The host's key is unknown, changed or revoked.
    HostKey,
    /// Ctrl-C.
    Interrupted,
}

impl Kind {
    /// The exit codes documented in README; see also `docs/`.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Bug => 1,
            Kind::Config => 2,
            Kind::Failed => 3,
            Kind::Unreachable => 4,
            Kind::Locked => 5,
            Kind::Unknown => 6,
            Kind::HostKey => 7,
            Kind::Interrupted => 130,
        }
    }
}

/// "cannot write /etc/motd", "permission denied", "hint: set `become = true` on the host".
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Error {
    pub kind: Kind,
    /// Lower case, what and where: `cannot write /etc/motd`.
    pub what: String,
    /// Why, outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The command that failed, as a person would type it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The last lines that the command said (already neutralised for display).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<String>,
}

impl Error {
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Error { kind, what: what.into(), causes: vec![], hint: None, command: None, output: vec![] }
    }
    pub fn config(what: impl Into<String>) -> Self {
        Self::new(Kind::Config, what)
    }
    pub fn failed(what: impl Into<String>) -> Self {
        Self::new(Kind::Failed, what)
    }
    pub fn unreachable(what: impl Into<String>) -> Self {
        Self::new(Kind::Unreachable, what)
    }
    pub fn bug(what: impl Into<String>) -> Self {
        Self::new(Kind::Bug, what).hint(
            "this is a mistake in tow itself: please report it with the command you ran and this message",
        )
    }
    #[must_use]
    pub fn cause(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
    #[must_use]
    pub fn command(mut self, command: impl Into<String>) -> Self {
        self.command = Some(command.into());
        self
    }
    #[must_use]
    pub fn output(mut self, lines: Vec<String>) -> Self {
        self.output = lines;
        self
    }
}

/// `what: cause: cause` on one line; reporters show hint and output themselves.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        self.causes.iter().try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::{Error, Kind};

    #[test]
    fn reads_as_one_sentence() {
        let error = Error::failed("cannot write /etc/motd").cause("permission denied").hint("become");
        assert_eq!(error.to_string(), "cannot write /etc/motd: permission denied");
    }

    #[test]
    fn exit_codes_are_distinct() {
        let kinds = [
            Kind::Bug,
            Kind::Config,
            Kind::Failed,
            Kind::Unreachable,
            Kind::Locked,
            Kind::Unknown,
            Kind::HostKey,
            Kind::Interrupted,
        ];
        let codes: std::collections::BTreeSet<u8> = kinds.iter().map(|kind| kind.exit_code()).collect();
        assert_eq!(codes.len(), kinds.len());
    }
}
