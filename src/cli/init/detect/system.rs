//! Packages of Debian that packages of Python want: to be compiled, or to run.

use crate::cli::init::detect::Place;
use crate::cli::init::detect::listed::Requirement;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    pub packages: &'static [&'static str],
    /// `psycopg2 is compiled`
    pub why: String,
    pub place: Place,
}

/// Those without a wheel for Linux. The names are the same in Debian 12 and 13.
const COMPILED: [(&str, &[&str]); 11] = [
    ("psycopg2", &["gcc", "libpq-dev", "python3-dev"]),
    ("psycopg-c", &["gcc", "libpq-dev", "python3-dev"]),
    ("mysqlclient", &["default-libmysqlclient-dev", "gcc", "pkg-config", "python3-dev"]),
    ("uwsgi", &["gcc", "python3-dev"]),
    ("python-ldap", LDAP),
    ("django-auth-ldap", LDAP),
    ("pycairo", &["gcc", "libcairo2-dev", "pkg-config", "python3-dev"]),
    ("gssapi", &["gcc", "libkrb5-dev", "python3-dev"]),
    ("pygraphviz", &["gcc", "libgraphviz-dev", "pkg-config", "python3-dev"]),
    ("pylibmc", &["gcc", "libmemcached-dev", "python3-dev", "zlib1g-dev"]),
    ("netifaces", &["gcc", "python3-dev"]),
];
const LDAP: &[&str] = &["gcc", "libldap-dev", "libsasl2-dev", "python3-dev"];

/// Those that open a library of the system when they are imported.
const OPENED: [(&str, &[&str]); 5] = [
    ("weasyprint", &["libharfbuzz-subset0", "libpango-1.0-0", "libpangoft2-1.0-0"]),
    ("cairosvg", &["libcairo2"]),
    ("cairocffi", &["libcairo2"]),
    ("python-magic", MAGIC),
    ("psycopg", &["libpq5"]),
];
/// The library is called otherwise in Debian 13; this needs it in both.
const MAGIC: &[&str] = &["file"];

/// In the order of the lists; what several want, once.
pub fn find(listed: &[Requirement]) -> Vec<System> {
    let has = |name: &str| listed.iter().any(|one| one.name == name);
    let mut found: Vec<System> = vec![];
    let mut git = false;
    for one in listed {
        let brings_its_own = one.name == "psycopg"
            && (one.has_extra("binary") || one.has_extra("c") || has("psycopg-binary") || has("psycopg-c"));
        let name = if one.name == "psycopg" && one.has_extra("c") { "psycopg-c" } else { one.name.as_str() };
        let of = |table: &[(&str, &'static [&'static str])]| {
            table.iter().find(|(known, _)| *known == name).map(|(_, packages)| *packages)
        };
        let compiled = of(&COMPILED).map(|packages| (packages, format!("{name} is compiled")));
        let opened = of(&OPENED).filter(|_| !brings_its_own);
        let wanted = compiled.or_else(|| Some((opened?, format!("{name} needs it"))));
        let is_new = |packages: &[&str]| !found.iter().any(|other| other.packages == packages);
        if let Some((packages, why)) = wanted.filter(|(packages, _)| is_new(packages)) {
            found.push(System { packages, why, place: one.place.clone() });
        }
        if one.text.contains("git+") && !git {
            git = true;
            let why = "a dependency comes from a repository".to_owned();
            found.push(System { packages: &["git"], why, place: one.place.clone() });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::cli::init::detect::{listed, packages};
    use crate::cli::init::tree::Tree;

    fn said(list: &str) -> Vec<String> {
        let mut tree = Tree::default();
        tree.add("requirements.txt", list.to_owned());
        let dependencies = packages::find(&tree, &mut vec![]);
        let line = |one: super::System| format!("{} {} {}", one.packages.join(","), one.why, one.place.line);
        find(&listed::find(&tree, &dependencies)).into_iter().map(line).collect()
    }

    #[test]
    fn what_is_compiled_and_what_only_opened() {
        assert_eq!(said("flask\npsycopg2==2.9.10\n"), ["gcc,libpq-dev,python3-dev psycopg2 is compiled 2"]);
        assert_eq!(said("psycopg[c,pool]==3.3\n"), ["gcc,libpq-dev,python3-dev psycopg-c is compiled 1"]);
        assert_eq!(said("psycopg==3.3.4\n"), ["libpq5 psycopg needs it 1"]);
        assert_eq!(
            said("x @ git+https://a/b\ny @ git+https://a/c\n"),
            ["git a dependency comes from a repository 1"]
        );
        for wheels in ["psycopg[binary]\n", "psycopg\npsycopg-binary\n", "psycopg2-binary\nlxml\nPillow\n"] {
            assert!(said(wheels).is_empty(), "{wheels}");
        }
    }
}
