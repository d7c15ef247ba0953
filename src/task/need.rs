//! What a task needs of its host and what it puts there, for those who look before anything is done.

/// Said by [`crate::task::Task::needs`]. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// It installs these packages of the system.
    Package(String),
    /// It makes virtual environments with this Python.
    Python(String),
    /// Only these versions of that Python will do.
    Series { python: String, requires: String },
    /// It takes packages from an index of Python packages.
    Index,
    /// It asks a server, so the host has to reach it.
    Server(Server),
    /// A certificate that an authority gives to who answers under these names.
    Certificate(Certificate),
    /// A web server answers on ports 80 and, with a certificate, 443.
    Site(String),
    /// A unit of systemd that it writes.
    Unit(String),
    /// It runs, stops or enables units.
    Systemd,
    /// It has to act as root.
    Root,
    /// It opens ports of the host's firewall itself.
    Firewall,
    /// It puts something at this path.
    Place(Place),
    /// An account of the system.
    Account(String),
    /// A database, by its name.
    Database(String),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Server {
    pub name: String,
    pub port: u16,
    /// `the repository`, `the certificate authority`.
    pub what: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Certificate {
    pub name: String,
    /// certbot's.
    pub folder: String,
    pub domains: Vec<String>,
    pub email: Option<String>,
    /// Anybody's browser trusts it: neither staging nor an authority of one's own.
    pub is_public: bool,
    /// What the authority is called in CAA records, where that is known.
    pub authority: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub path: String,
    pub sort: Sort,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    Folder,
    File,
    Link,
    Source,
    Environment,
    Variables,
}

impl Sort {
    pub fn words(self) -> &'static str {
        match self {
            Sort::Folder => "folder",
            Sort::File => "file",
            Sort::Link => "link",
            Sort::Source => "source",
            Sort::Environment => "virtual environment",
            Sort::Variables => "settings and secrets",
        }
    }
}

impl Need {
    pub fn place(path: impl Into<String>, sort: Sort) -> Need {
        Need::Place(Place { path: path.into(), sort })
    }

    /// The server of an address: `https://host/…`, `ssh://git@host:22/…`, `git@host:path`; none for a path.
    pub fn server(address: &str, what: &'static str) -> Option<Need> {
        let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
        let place = rest.split('/').next().unwrap_or_default();
        let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
        let (name, after) = place.split_once(':').unwrap_or((place, ""));
        let usual = match scheme {
            "https" => 443,
            "http" => 80,
            "ssh" => 22,
            "git" => 9418,
            // `git@host:path`, as scp has it.
            "" if !rest.starts_with(['/', '.']) && rest.contains(':') => 22,
            _ => return None,
        };
        let port = if scheme.is_empty() { usual } else { after.parse().unwrap_or(usual) };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
        let is_name = !name.is_empty() && !name.starts_with('-') && name.chars().all(plain);
        is_name.then(|| Need::Server(Server { name: name.to_owned(), port, what }))
    }
}

#[cfg(test)]
mod tests {
    use super::{Need, Server};

    #[test]
    fn the_server_of_an_address() {
        for (address, expected) in [
            ("https://git.example/me/shop.git", Some(("git.example", 443))),
            ("https://token@git.example:8443/me", Some(("git.example", 8443))),
            ("ssh://git@git.example:2222/me", Some(("git.example", 2222))),
            ("git@git.example:me/shop.git", Some(("git.example", 22))),
            ("/srv/repo", None),
            ("./repo:x", None),
            ("file:///srv/repo", None),
        ] {
            let found = Need::server(address, "x");
            let expected =
                expected.map(|(name, port)| Need::Server(Server { name: name.into(), port, what: "x" }));
            assert_eq!(found, expected, "{address}");
        }
    }
}
