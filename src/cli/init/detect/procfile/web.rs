//! The command of `web`: the server, what it serves, and what is around it.

use crate::cli::init::tree::file_name;

/// Servers whose argument is an application.
const SERVERS: [&str; 5] = ["gunicorn", "gunicorn.app.wsgiapp", "uvicorn", "hypercorn", "daphne"];
/// Others that are no servers for development.
const OTHERS: [&str; 5] = ["uwsgi", "waitress-serve", "granian", "mod_wsgi-express", "circusd"];
/// What only finds the program.
const RUNNERS: [&str; 12] =
    ["exec", "env", "time", "python", "python3", "-m", "run", "uv", "poetry", "pipenv", "pdm", "hatch"];
/// Commands before the server that are done here by other means, or mean nothing here.
const COVERED: [&str; 5] = ["db upgrade", "manage.py migrate", "alembic upgrade", "collectstatic", "nginx"];
const OF_THE_SHELL: [&str; 6] = ["cd", "export", "echo", "source", ".", "sleep"];

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Web {
    /// `shop.wsgi:app` of `gunicorn shop.wsgi:app`.
    pub entry: Option<String>,
    /// Whether the server is one that is known, and not for development.
    pub serves: bool,
    /// Commands that run before it.
    pub before: Vec<String>,
    /// What runs the server: `ddtrace-run`.
    pub wrapper: String,
}

pub fn read(command: &str) -> Web {
    let parts = command.replace("&&", ";").replace(" & ", ";");
    let parts: Vec<&str> = parts.split(';').map(str::trim).filter(|part| !part.is_empty()).collect();
    let Some(at) = parts.iter().position(|part| server(part).is_some()) else { return Web::default() };
    let words: Vec<&str> = parts[at].split_whitespace().collect();
    let place = server(parts[at]).unwrap_or_default();
    let wrapper =
        words[..place].iter().filter(|word| !RUNNERS.contains(&file_name(word)) && !word.contains('='));
    let before = parts[..at].iter().filter(|part| {
        let first = part.split_whitespace().next().unwrap_or_default();
        !COVERED.iter().any(|known| part.contains(known))
            && !OF_THE_SHELL.contains(&first)
            && !first.contains('=')
    });
    Web {
        entry: SERVERS.contains(&file_name(words[place])).then(|| entry(&words[place + 1..])).flatten(),
        serves: !words.contains(&"--reload"),
        before: before.map(|part| (*part).to_owned()).collect(),
        wrapper: wrapper.copied().collect::<Vec<_>>().join(" "),
    }
}

/// Which word is a server.
fn server(command: &str) -> Option<usize> {
    command
        .split_whitespace()
        .map(|word| file_name(word.trim_matches(['"', '\''])))
        .position(|word| SERVERS.contains(&word) || OTHERS.contains(&word))
}

/// The word behind the server that is an application and no option.
fn entry(words: &[&str]) -> Option<String> {
    let application = |word: &str| {
        let (module, attribute) = word.split_once(':').unwrap_or((word, "application"));
        let dotted = |text: &str| {
            !text.is_empty()
                && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.')
                && !text.starts_with(|c: char| c.is_numeric() || c == '.')
        };
        let whole = dotted(module) && dotted(attribute.trim_end_matches("()"));
        whole.then(|| format!("{module}:{attribute}"))
    };
    // `gunicorn -w 4 shop.wsgi`: the value of an option may look like a module, so one with `:` goes first.
    let words: Vec<&str> = words.iter().map(|word| word.trim_matches(['"', '\''])).collect();
    let named = words.iter().filter(|word| word.contains(':')).find_map(|word| application(word));
    named.or_else(|| {
        let file = |word: &str| file_name(word).ends_with(".conf.py");
        let modules = words.iter().filter(|word| (word.contains('.') || words.len() == 1) && !file(word));
        modules.into_iter().find_map(|word| application(word))
    })
}

#[cfg(test)]
mod tests {
    use super::read;

    fn entry(command: &str) -> Option<String> {
        read(command).entry
    }

    #[test]
    fn the_application_of_a_server() {
        assert_eq!(entry("uvicorn app.main:app --host 0.0.0.0").as_deref(), Some("app.main:app"));
        assert_eq!(entry("gunicorn \"shop:create_app()\"").as_deref(), Some("shop:create_app()"));
        assert_eq!(entry("gunicorn app").as_deref(), Some("app:application"));
        assert_eq!(entry("gunicorn -b 0.0.0.0:$PORT app:app").as_deref(), Some("app:app"));
        assert_eq!(
            entry("gunicorn --config gunicorn.conf.py shop.wsgi").as_deref(),
            Some("shop.wsgi:application")
        );
        assert_eq!(entry("python bot.py"), None);
        let wrapped =
            read("ddtrace-run python -m gunicorn.app.wsgiapp -c prod.conf.py shop.wsgi:application");
        assert_eq!(wrapped.entry.as_deref(), Some("shop.wsgi:application"));
        assert_eq!(wrapped.wrapper, "ddtrace-run");
        assert_eq!(read("A=1 poetry run venv/bin/gunicorn a:b").wrapper, "");
    }

    #[test]
    fn what_is_before_it() {
        let web = read("flask db upgrade; flask translate compile; gunicorn shop:app");
        assert_eq!(
            (web.before, web.entry.as_deref()),
            (vec!["flask translate compile".to_owned()], Some("shop:app"))
        );
        assert!(read("cd src && python manage.py migrate && gunicorn shop.wsgi").before.is_empty());
    }

    #[test]
    fn servers_for_development_are_none() {
        for dev in ["make run", "flask run", "python manage.py runserver", "uvicorn a:b --reload", "", ";;"] {
            assert!(!read(dev).serves, "{dev}");
        }
        assert!(
            read("uwsgi ./etc/uwsgi.ini").serves && read("newrelic-admin run-program gunicorn a:b").serves
        );
    }
}
