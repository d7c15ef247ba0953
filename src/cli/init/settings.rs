//! What the variables that the application reads are set to, on a server and on this machine.

mod database;
mod spelling;

use crate::cli::args::Engine;
use crate::cli::init::answers::Answers;
use crate::cli::init::detect::{App, Variable};
use crate::cli::init::tree::join;

/// A line of `[vars.env]`; without a value it is a comment, for a person to fill in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub name: String,
    pub value: Option<String>,
    /// Where the application reads it.
    pub place: Option<String>,
    /// Whether the application ends without it.
    pub required: bool,
}

#[derive(Clone, Copy)]
pub enum Where<'a> {
    Server(&'a Answers),
    /// This machine.
    Here,
}

const SECRET_KEYS: [&str; 11] = [
    "SECRET_KEY",
    "DJANGO_SECRET_KEY",
    "FLASK_SECRET_KEY",
    "APP_SECRET_KEY",
    "SECRET",
    "APP_SECRET",
    "SESSION_SECRET",
    "JWT_SECRET",
    "JWT_SECRET_KEY",
    "SECRET_KEY_BASE",
    "DJANGO_SECRET",
];
/// What the stage is called in, besides all that ends with `_ENV`.
const STAGES: [&str; 12] = [
    "APP_SETTINGS",
    "FLASK_SETTINGS",
    "ENV",
    "ENVIRONMENT",
    "STAGE",
    "CONFIG",
    "FLASK_CONFIG",
    "FLASK_CONFIG_NAME",
    "CONFIG_NAME",
    "APP_CONFIG",
    "CONFIG_ENV",
    "APP_STAGE",
];
const REVISIONS: [&str; 6] =
    ["REVISION", "RELEASE", "GIT_SHA", "GIT_COMMIT", "APP_VERSION", "SOURCE_VERSION"];
const BASES: [&str; 6] = ["BASE_URL", "SITE_URL", "PUBLIC_URL", "APP_URL", "EXTERNAL_URL", "ROOT_URL"];
const QUEUES: [&str; 6] =
    ["REDIS_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "BROKER_URL", "RQ_REDIS_URL", "CACHE_URL"];
const UPLOADS: [&str; 5] = ["MEDIA_ROOT", "UPLOAD_FOLDER", "UPLOAD_DIR", "UPLOADS_DIR", "MEDIA_DIR"];

/// All lines: those with a value first, then what the application does not start without.
pub fn settings(app: &App, at: Where) -> Vec<Setting> {
    let mut found = own(app, at);
    // A static root of its own is what collectstatic fills inside the release.
    let read = app.environment.iter().filter(|variable| variable.name != "STATIC_ROOT");
    let read: Vec<Setting> = read.map(|variable| setting(app, variable, at)).collect();
    let asks_for_database = read.iter().any(|setting| {
        setting.value.as_deref().is_some_and(|value| value.contains("db.") || value.contains("sqlite"))
    });
    if database::engine(at) != Engine::None && app.database.is_used && !asks_for_database {
        found.push(plain("DATABASE_URL", database::url(app, at)));
    }
    let (set, open): (Vec<Setting>, Vec<Setting>) =
        read.into_iter().partition(|setting| setting.value.is_some());
    let (required, open): (Vec<Setting>, Vec<Setting>) =
        open.into_iter().partition(|setting| setting.required);
    found.extend(set.into_iter().chain(required).chain(open));
    found
}

/// Whether the application wants Redis, which is a package of its own.
pub fn wants_redis(app: &App) -> Option<&Variable> {
    app.environment.iter().find(|variable| QUEUES.contains(&variable.key.as_str()))
}

/// What nobody reads by name, and everything depends on.
fn own(app: &App, at: Where) -> Vec<Setting> {
    let mut found = vec![];
    if let (Some(settings), Where::Server(_)) = (&app.settings, at) {
        found.push(plain("DJANGO_SETTINGS_MODULE", settings.clone()));
    }
    if !app.import_root.is_empty() {
        let source = match at {
            Where::Server(_) => "{{root}}/releases/{{release}}/src",
            Where::Here => "{{local.source}}",
        };
        found.push(plain("PYTHONPATH", format!("{source}/{}", join(&app.import_root, ""))));
    }
    found
}

fn plain(name: &str, value: String) -> Setting {
    Setting { name: name.to_owned(), value: Some(value), place: None, required: false }
}

fn setting(app: &App, variable: &Variable, at: Where) -> Setting {
    let value = value(app, variable, at);
    Setting {
        name: variable.name.clone(),
        value,
        place: Some(variable.place.to_string()),
        required: variable.required,
    }
}

fn value(app: &App, variable: &Variable, at: Where) -> Option<String> {
    let name = variable.key.as_str();
    let server = matches!(at, Where::Server(_));
    let on_server = |value: &str| server.then(|| value.to_owned());
    if variable.is_secret_key() || SECRET_KEYS.contains(&name) {
        return Some(secret_key(at));
    }
    if let Some(value) = database::value(app, variable, at) {
        return Some(value);
    }
    match name {
        _ if STAGES.contains(&name) || name.ends_with("_ENV") || name.ends_with("_ENVIRONMENT") => {
            on_server(spelling::stage(variable)?)
        }
        _ if name.ends_with("ALLOWED_HOSTS") || name.ends_with("TRUSTED_HOSTS") => {
            Some(spelling::hosts(variable, at))
        }
        _ if spelling::is_origins(name) => on_server(&spelling::several(variable, "https://")),
        _ if BASES.contains(&name) => on_server("https://{{lookup app.domains 0}}"),
        // Elsewhere it is a folder.
        "SITE_ROOT" if variable.code.contains("http://localhost") => {
            on_server("https://{{lookup app.domains 0}}")
        }
        _ if REVISIONS.contains(&name) => on_server("{{release}}"),
        _ if QUEUES.contains(&name) => on_server("redis://127.0.0.1:6379/0"),
        _ if UPLOADS.contains(&name) => on_server("{{root}}/shared/media"),
        // The journal keeps what is logged; a file would be inside the release.
        "TRUSTED_PROXIES" | "PROXY_COUNT" | "NUM_PROXIES" | "LOG_TO_STDOUT" => on_server("1"),
        // It has no default, and every URL is built of it.
        "SERVER_NAME" if variable.required => on_server("{{lookup app.domains 0}}"),
        "LOG_DIR" => on_server("{{root}}/shared/log"),
        "DEBUG" | "FLASK_DEBUG" | "DJANGO_DEBUG" | "APP_DEBUG" if spelling::is_parsed(&variable.code) => {
            Some(spelling::flag(variable, !server))
        }
        _ => None,
    }
}

fn secret_key(at: Where) -> String {
    match at {
        Where::Server(_) => "{{secrets.secret_key}}".to_owned(),
        Where::Here => "for development on this machine, and for nothing else".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Where, settings};
    use crate::cli::args::Engine;
    use crate::cli::init::answers::{Address, Answers};
    use crate::cli::init::detect::detect;
    use crate::cli::init::tree::Tree;

    /// What is written of an application in one file, with a value.
    fn set(engine: Engine, text: &str) -> Vec<(String, String)> {
        let mut tree = Tree::default();
        tree.add("app.py", format!("import os\nfrom fastapi import FastAPI\napp = FastAPI()\n{text}"));
        let answers = Answers {
            entry: None,
            hosts: vec![Address { name: "web".to_owned(), port: None }],
            user: "root".to_owned(),
            domains: vec!["shop.example.com".to_owned()],
            email: String::new(),
            engine,
            db_host: None,
        };
        let all = settings(&detect(&tree, None), Where::Server(&answers));
        all.into_iter().filter_map(|setting| Some((setting.name, setting.value?))).collect()
    }

    fn postgresql(text: &str) -> Vec<(String, String)> {
        set(Engine::Postgresql, text)
    }

    fn only(name: &str, value: &str) -> Vec<(String, String)> {
        vec![(name.to_owned(), value.to_owned())]
    }

    #[test]
    fn a_stage_is_set_only_to_what_the_application_knows() {
        assert!(postgresql("X = os.getenv(\"APP_ENV\")\n").is_empty());
        assert!(postgresql("X = os.getenv(\"APP_ENV\") == \"development\"\n").is_empty());
        assert_eq!(postgresql("X = os.getenv(\"APP_ENV\") == \"prod\"\n"), only("APP_ENV", "prod"));
        assert_eq!(
            postgresql(
                "class S(BaseSettings):\n    environment: Literal[\"local\", \"Production\"] = \"local\"\n"
            ),
            only("ENVIRONMENT", "Production")
        );
    }

    #[test]
    fn lists_of_pydantic_are_json() {
        let text = "class S(BaseSettings):\n    cors_origins: list[str] = []\n    allowed_hosts: set[str] = {\"*\"}\n    cors_allow_all_origins: bool = False\n";
        let expected = [
            ("CORS_ORIGINS", "[\"https://{{join app.domains '\",\"https://'}}\"]"),
            ("ALLOWED_HOSTS", "{{json app.domains}}"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(postgresql(text), expected);
        assert!(postgresql("X = bool(int(os.getenv('CORS_ALLOW_ALL_ORIGINS', '1')))\n").is_empty());
    }

    #[test]
    fn the_engine_is_called_as_the_application_calls_it() {
        let text = "DB = os.getenv(\"DB\")\nif DB == \"postgres\":\n    pass\n";
        assert_eq!(postgresql(text), only("DB", "postgres"));
        assert!(set(Engine::Sqlite, text).is_empty());
        assert_eq!(
            set(Engine::Sqlite, "X = os.getenv(\"DB_ENGINE\", \"sqlite\")\n"),
            only("DB_ENGINE", "sqlite")
        );
    }

    #[test]
    fn an_address_in_the_source_is_replaced_and_not_copied() {
        let text = "X = os.environ.get('DB', 'postgresql://shop:hunter2@db.internal/shop')\n";
        let found = postgresql(text);
        assert!(found.iter().all(|(_, value)| !value.contains("hunter2")), "{found:?}");
    }

    #[test]
    fn parts_of_an_address_are_of_the_applications_own_database() {
        assert_eq!(
            postgresql("X = os.getenv('POSTGRES_PWD')\n"),
            only("POSTGRES_PWD", "{{secrets.db_password}}")
        );
        assert_eq!(postgresql("X = os.getenv('DBHOST')\n"), only("DBHOST", "{{db.host}}"));
        for name in ["IP_GEOLOCATION_DATABASE_NAME", "TRAC_DB_NAME", "DEV_DATABASE_URL", "REPLICA_DB_HOST"] {
            assert!(postgresql(&format!("X = os.getenv('{name}')\n")).is_empty(), "{name}");
        }
    }

    #[test]
    fn a_switch_is_spelt_as_the_application_does() {
        assert_eq!(postgresql("DEBUG = os.getenv('DEBUG', 'True') == 'True'\n"), only("DEBUG", "False"));
        assert_eq!(postgresql("DEBUG = bool(int(os.getenv('DEBUG', '1')))\n"), only("DEBUG", "0"));
    }

    #[test]
    fn what_becomes_the_key_of_sessions_is_made_under_its_name() {
        let text = "SECRET_KEY = os.environ.get('CONDUIT_SECRET', 'secret-key')\n";
        assert_eq!(postgresql(text), only("CONDUIT_SECRET", "{{secrets.secret_key}}"));
    }
}
