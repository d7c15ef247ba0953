//! Whether there is a database, how its address is written, and which driver it needs.

use crate::cli::init::detect::Framework;
use crate::cli::init::detect::packages::Dependencies;
use crate::cli::init::detect::python::{Line, Source};

/// What a list of dependencies has to have for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Driver {
    /// `postgresql+psycopg` of `postgresql+psycopg://…`.
    pub scheme: &'static str,
    /// What is to be installed besides.
    pub lacks: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Database {
    pub is_used: bool,
    pub postgresql: Driver,
    pub sqlite: Driver,
}

const LIBRARIES: [&str; 14] = [
    "sqlalchemy",
    "flask-sqlalchemy",
    "django",
    "sqlmodel",
    "tortoise-orm",
    "peewee",
    "databases",
    "psycopg",
    "psycopg2",
    "psycopg2-binary",
    "asyncpg",
    "pg8000",
    "alembic",
    "pony",
];

/// Packages of PostgreSQL's drivers.
const DRIVERS: [&[&str]; 4] = [
    &["psycopg2", "psycopg2-binary"],
    &["psycopg", "psycopg-binary", "psycopg-c"],
    &["pg8000"],
    &["asyncpg"],
];

/// What tells of PostgreSQL.
#[derive(Default)]
struct Signs {
    /// Drivers that are installed: `psycopg2`, `psycopg`, `pg8000`, `asyncpg`.
    drivers: Vec<&'static str>,
    alchemy: bool,
    asynchronous: bool,
    /// SQLAlchemy or Django from before psycopg 3.
    old: bool,
    /// The driver that the application itself puts into the address.
    written: Option<&'static str>,
    /// The scheme of an address that it falls back to: `postgresql+asyncpg`.
    default: Option<&'static str>,
}

/// Schemes, and the package that each needs.
const SCHEMES: [(&str, &str); 4] = [
    ("postgresql+psycopg2", "psycopg2-binary"),
    ("postgresql+asyncpg", "asyncpg"),
    ("postgresql+pg8000", "pg8000"),
    ("postgresql+psycopg", "psycopg[binary]"),
];

/// What the application itself has of addresses. A whole one (`postgresql+asyncpg://me@localhost/shop`) is what is used
/// where none is given; a part of one (`url.replace(…, "postgresql+asyncpg://")`) is put into what is given.
fn written(sources: &[Source]) -> Signs {
    let lines =
        sources.iter().flat_map(|source| &source.lines).filter(|line| line.code.contains("postgresql+"));
    let texts: Vec<&str> =
        lines.clone().flat_map(Line::strings).filter(|text| text.contains("postgresql+")).collect();
    let whole = |text: &&str| {
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        scheme.starts_with("postgresql+") && !rest.is_empty() && !rest.contains(['{', '%'])
    };
    let (defaults, parts): (Vec<&str>, Vec<&str>) = texts.into_iter().partition(whole);
    let of = |texts: &[&str]| {
        SCHEMES.iter().find(|(scheme, _)| texts.iter().any(|text| text.contains(scheme))).copied()
    };
    Signs {
        written: (!parts.is_empty()).then(|| of(&parts).map_or("", |(_, package)| package)),
        default: of(&defaults).map(|(scheme, _)| scheme),
        ..Signs::default()
    }
}

pub fn find(sources: &[Source], dependencies: &Dependencies, framework: Framework) -> Database {
    let has = |name: &str| dependencies.has(name) || dependencies.postgres_names.contains(name);
    let any = |names: &[&str]| names.iter().any(|name| has(name));
    let mentions =
        |text: &str| sources.iter().flat_map(|source| &source.lines).any(|line| line.code.contains(text));
    let in_async = ["create_async_engine(", "async_engine_from_config(", "AsyncEngine(", "sqlite+aiosqlite"];
    let drivers = DRIVERS.iter().filter(|names| any(names)).map(|names| names[0]).collect::<Vec<_>>();
    // Without another driver, nothing but asyncpg can be meant.
    let only_asyncpg = drivers == ["asyncpg"];
    let signs = Signs {
        drivers,
        alchemy: framework != Framework::Django && any(&["sqlalchemy", "flask-sqlalchemy", "sqlmodel"]),
        asynchronous: only_asyncpg || in_async.into_iter().any(mentions),
        old: match framework {
            Framework::Django => dependencies.has_before("django", &[4, 2]),
            _ => {
                dependencies.has_before("sqlalchemy", &[2])
                    || dependencies.has_before("sqlmodel", &[0, 0, 12])
            }
        },
        ..written(sources)
    };
    let in_async = signs.asynchronous && signs.alchemy;
    Database {
        is_used: framework == Framework::Django || any(&LIBRARIES),
        postgresql: signs.postgresql(framework),
        sqlite: Driver {
            scheme: if in_async { "sqlite+aiosqlite" } else { "sqlite" },
            lacks: (in_async && !has("aiosqlite")).then_some("aiosqlite"),
        },
    }
}

impl Signs {
    fn has(&self, driver: &str) -> bool {
        self.drivers.contains(&driver)
    }

    fn postgresql(&self, framework: Framework) -> Driver {
        let scheme = self.scheme();
        let there = match scheme {
            "postgresql+psycopg" => self.has("psycopg"),
            "postgresql+psycopg2" => self.has("psycopg2"),
            "postgresql+asyncpg" => self.has("asyncpg"),
            _ if framework == Framework::Django => self.has("psycopg2") || self.has("psycopg") && !self.old,
            _ => !self.drivers.is_empty(),
        };
        let of_scheme = SCHEMES.iter().find(|(known, _)| *known == scheme).map(|(_, package)| *package);
        let lacks = match of_scheme.or(self.written.filter(|driver| !driver.is_empty())) {
            Some(driver) => driver,
            None if self.old => "psycopg2-binary",
            None => "psycopg[binary]",
        };
        Driver { scheme, lacks: (!there).then_some(lacks) }
    }

    fn scheme(&self) -> &'static str {
        match () {
            () if !self.alchemy || self.written.is_some() => "postgresql",
            () if self.default.is_some() => self.default.unwrap_or_default(),
            () if self.asynchronous && (self.has("asyncpg") || self.old) => "postgresql+asyncpg",
            // From SQLAlchemy 2.1 on, an address without a driver means psycopg 3.
            () if !self.asynchronous && self.has("psycopg2") => "postgresql+psycopg2",
            () if !self.asynchronous && !self.has("psycopg") && self.has("pg8000") => "postgresql+pg8000",
            () if self.old => "postgresql+psycopg2",
            () => "postgresql+psycopg",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::cli::init::detect::{Framework, packages};
    use crate::cli::init::tree::Tree;

    /// The address and what is to be installed besides, of a list and a module.
    fn of(list: &str, code: &str) -> (&'static str, Option<&'static str>) {
        let mut tree = Tree::default();
        tree.add("requirements.txt", list.to_owned());
        tree.add("db.py", code.to_owned());
        let framework = if list.contains("django") { Framework::Django } else { Framework::Flask };
        let found = find(&tree.sources(""), &packages::find(&tree, &mut vec![]), framework).postgresql;
        (found.scheme, found.lacks)
    }

    #[test]
    fn the_driver_that_is_there() {
        assert_eq!(of("sqlalchemy\npsycopg2\n", ""), ("postgresql+psycopg2", None));
        assert_eq!(of("sqlalchemy\n", ""), ("postgresql+psycopg", Some("psycopg[binary]")));
        assert_eq!(of("sqlalchemy==1.4.41\nasyncpg\n", ""), ("postgresql+asyncpg", None));
        assert_eq!(
            of("sqlalchemy\nasyncpg\npsycopg2\n", "e = create_async_engine(u)\n"),
            ("postgresql+asyncpg", None)
        );
        assert_eq!(of("sqlalchemy\nasyncpg\npsycopg2\n", ""), ("postgresql+psycopg2", None));
    }

    #[test]
    fn what_the_application_says_itself() {
        let code = "url = os.getenv(\"DATABASE_URL\", \"postgresql+asyncpg://me@localhost/shop\")\n";
        assert_eq!(of("sqlalchemy\n", code), ("postgresql+asyncpg", Some("asyncpg")));
        let code = "url = os.getenv(\"DATABASE_URL\").replace(\"postgresql\", \"postgresql+asyncpg\")\n";
        assert_eq!(of("sqlalchemy\n", code), ("postgresql", Some("asyncpg")));
        let code = "url = f\"postgresql+psycopg2://{user}@{host}/{name}\"\n";
        assert_eq!(of("sqlalchemy\n", code), ("postgresql", Some("psycopg2-binary")));
    }

    #[test]
    fn what_is_older_than_psycopg_3() {
        assert_eq!(of("SQLAlchemy==1.1.11\n", ""), ("postgresql+psycopg2", Some("psycopg2-binary")));
        assert_eq!(of("sqlmodel==0.0.8\n", ""), ("postgresql+psycopg2", Some("psycopg2-binary")));
        assert_eq!(of("sqlmodel==0.0.8\n", "e = AsyncEngine(x)\n"), ("postgresql+asyncpg", Some("asyncpg")));
        assert_eq!(of("django<4\n", ""), ("postgresql", Some("psycopg2-binary")));
        assert_eq!(of("django<4\npsycopg\n", ""), ("postgresql", Some("psycopg2-binary")));
        assert_eq!(of("django~=5.1\n", ""), ("postgresql", Some("psycopg[binary]")));
    }
}
