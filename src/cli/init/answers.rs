//! What only the operator knows: from flags, else asked at the terminal, else listed as missing, all at once.

use std::net::IpAddr;

use crate::cli::Stop;
use crate::cli::args::{Engine, Init};
use crate::cli::init::detect::App;
use crate::cli::init::entry::{entry_point, such_as};
use crate::cli::prompt::Prompt;
use crate::words::error::Error;
use crate::words::names::UserName;
use crate::words::plural::list;
use crate::words::shell::quote;

/// `203.0.113.10`, `server.example.com:2222`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub name: String,
    pub port: Option<u16>,
}

#[derive(Clone, Debug)]
pub struct Answers {
    /// What gunicorn imports, where nothing was found.
    pub entry: Option<String>,
    pub hosts: Vec<Address>,
    pub user: String,
    pub domains: Vec<String>,
    pub email: String,
    pub engine: Engine,
    pub db_host: Option<Address>,
}

/// One thing to know: its flag, what to ask, what it is when nobody says, and what is wrong with an answer.
struct Question<'a> {
    flag: &'static str,
    asks: String,
    given: Option<String>,
    default: Option<&'a str>,
    check: fn(&str) -> Result<(), String>,
}

impl Answers {
    pub fn collect(args: &Init, app: &App) -> Result<Answers, Stop> {
        let answers = answer(app, &questions(args, app), args.yes)?;
        let at = |index: usize| answers.get(index).map_or("", String::as_str);
        Ok(Answers {
            entry: app.entry.is_none().then(|| at(0).to_owned()),
            hosts: at(1).split_whitespace().map(address).collect(),
            user: at(2).to_owned(),
            domains: at(3)
                .split([' ', ','])
                .filter(|domain| !domain.is_empty())
                .map(str::to_ascii_lowercase)
                .collect(),
            email: at(4).to_owned(),
            engine: Engine::ALL.into_iter().find(|engine| engine.key() == at(5)).unwrap_or(Engine::None),
            db_host: Some(at(6)).filter(|host| !host.is_empty()).map(address),
        })
    }

    /// `www.` of the first domain leads to it; the others are names of the site as good as the first.
    pub fn domains_and_redirects(&self) -> (Vec<&str>, Vec<&str>) {
        let first = self.domains.first().map_or("", String::as_str);
        let www = format!("www.{first}");
        self.domains.iter().map(String::as_str).partition(|domain| *domain != www)
    }
}

/// In the order in which [`Answers::collect`] takes them.
fn questions<'a>(args: &Init, app: &App) -> Vec<Question<'a>> {
    let question = |flag, asks: &str, given, default, check| Question {
        flag,
        asks: asks.to_owned(),
        given,
        default,
        check,
    };
    let joined = |words: &[String]| (!words.is_empty()).then(|| words.join(" "));
    let found = app.entry.as_ref().map(|_| String::new());
    let asks = format!("What gunicorn imports{}", such_as(&app.guesses, str::to_owned));
    let entry = question("--entry", &asks, args.entry.clone().or(found), None, entry_point as fn(&str) -> _);
    if args.local {
        return vec![entry];
    }
    let engine = args.database.map(|engine| engine.key().to_owned());
    let engine = engine.or((!app.database.is_used).then(|| Engine::None.key().to_owned()));
    let asks = "Database: postgresql, sqlite or none";
    let database = question("--database", asks, engine, Some(Engine::Postgresql.key()), database);
    let asks = "E-mail for the certificate authority (may be empty)";
    let email = question("--email", asks, args.email.clone(), Some(""), email);
    vec![
        entry,
        question("--host", "Address of the server (several: with spaces)", joined(&args.host), None, hosts),
        question("--user", "Account to log in as", args.user.clone(), Some("root"), user),
        question(
            "--domain",
            "Domain of the site (several: with spaces)",
            joined(&args.domain),
            None,
            domains,
        ),
        email,
        database,
        question("--db-host", "", Some(args.db_host.clone().unwrap_or_default()), None, db_host),
    ]
}

fn answer(app: &App, questions: &[Question], defaults: bool) -> Result<Vec<String>, Stop> {
    let mut wrong = vec![];
    for question in questions {
        if let Some(Err(why)) = question.given.as_deref().map(question.check) {
            wrong.push(format!("{}: {why}", question.flag));
        }
    }
    if !wrong.is_empty() {
        return Err(Error::config("`tow init` cannot use what it was given").cause(wrong.join("; ")).into());
    }
    let silent = |question: &&Question| question.given.is_none() && !(defaults && question.default.is_some());
    let missing: Vec<&str> = questions.iter().filter(silent).map(|question| question.flag).collect();
    if !missing.is_empty() && !Prompt::possible() {
        return Err(nobody_to_ask(app, &missing, questions).into());
    }
    let mut answers = vec![];
    for question in questions {
        let default = question.default.filter(|_| defaults).map(str::to_owned);
        match question.given.clone().or(default) {
            Some(answer) => answers.push(answer),
            None => answers.push(ask(question)?),
        }
    }
    Ok(answers)
}

fn nobody_to_ask(app: &App, missing: &[&str], questions: &[Question]) -> Error {
    let with_default =
        questions.iter().filter(|question| question.default.is_some() && missing.contains(&question.flag));
    let with_default: Vec<&str> = with_default.map(|question| question.flag).collect();
    let hint = if missing.contains(&"--entry") {
        let flag = |name: &str| {
            let named = if name.contains('\'') { format!("\"{name}\"") } else { quote(name) };
            format!("--entry {named}")
        };
        format!("--entry is what gunicorn imports: module:name{}", such_as(&app.guesses, flag))
    } else if with_default.is_empty() {
        "for example: --host web.example.com --domain shop.example.com".to_owned()
    } else {
        format!(
            "with --yes there are defaults for {}; `tow init --help` says what each is",
            list(&with_default, "and")
        )
    };
    Error::config(format!("`tow init` needs {}", list(missing, "and")))
        .cause("there is no terminal to ask at")
        .hint(hint)
}

/// Until the answer can be used, within reason.
fn ask(question: &Question) -> Result<String, Stop> {
    let text = match question.default {
        Some(default) if !default.is_empty() => format!("{} [{default}]: ", question.asks),
        _ => format!("{}: ", question.asks),
    };
    for _ in 0..5 {
        let Some(answer) = Prompt::ask(&text) else { break };
        let answer = match answer.trim() {
            "" => question.default.unwrap_or_default().to_owned(),
            answer => answer.to_owned(),
        };
        match (question.check)(&answer) {
            Ok(()) => return Ok(answer),
            Err(why) => Prompt::say(&format!("{why}\n")),
        }
    }
    Err(Error::config(format!("`tow init` needs {}", question.flag))
        .cause("there was no answer that can be used")
        .into())
}

pub fn address(text: &str) -> Address {
    let plain = |name: &str, port| Address { name: name.trim_matches(['[', ']']).to_owned(), port };
    // More than one colon is an IPv6 address, whose port stands behind brackets.
    match text.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => match port.parse() {
            Ok(port) => plain(name, Some(port)),
            Err(_) => plain(text, None),
        },
        _ => plain(text, None),
    }
}

fn hosts(text: &str) -> Result<(), String> {
    let mut words = text.split_whitespace().peekable();
    if words.peek().is_none() {
        return Err("say the server's address: a name or an IP address".to_owned());
    }
    words.try_for_each(|word| one_host(&address(word).name))
}

fn one_host(name: &str) -> Result<(), String> {
    let is_number = name.chars().all(|c| c.is_ascii_digit());
    let ok = name.parse::<IpAddr>().is_ok() || is_domain(name) || is_label(name) && !is_number;
    if ok {
        Ok(())
    } else {
        Err(format!("{name:?} is neither a name nor an IP address (no `user@`, no `https://`)"))
    }
}

fn db_host(text: &str) -> Result<(), String> {
    if text.is_empty() { Ok(()) } else { one_host(&address(text).name) }
}

fn user(text: &str) -> Result<(), String> {
    UserName::new(text).map(|_| ())
}

fn domains(text: &str) -> Result<(), String> {
    let words: Vec<&str> = text.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    match words.iter().find(|word| !is_domain(word)) {
        Some(wrong) => {
            Err(format!("{wrong:?} is not a domain: write it as shop.example.com, without `https://`"))
        }
        None if words.is_empty() => {
            Err("say the domain that visitors type, such as shop.example.com".to_owned())
        }
        None => Ok(()),
    }
}

fn email(text: &str) -> Result<(), String> {
    let (local, domain) = text.split_once('@').unwrap_or_default();
    let plain = !text.contains(char::is_whitespace) && !text.contains(['"', '\\', '{', '\'']);
    let ok = text.is_empty() || (!local.is_empty() && domain.contains('.') && plain);
    if ok { Ok(()) } else { Err(format!("{text:?} is not an e-mail address")) }
}

fn database(text: &str) -> Result<(), String> {
    let known = Engine::ALL.iter().any(|engine| engine.key() == text);
    if known { Ok(()) } else { Err(format!("{text:?} is neither postgresql, sqlite nor none")) }
}

fn is_domain(text: &str) -> bool {
    text.len() <= 253
        && text.contains('.')
        && text.split('.').all(is_label)
        && !text.split('.').next_back().is_some_and(|last| last.chars().all(|c| c.is_ascii_digit()))
}

fn is_label(text: &str) -> bool {
    let ok = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !text.is_empty()
        && text.len() <= 63
        && text.chars().all(ok)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::{address, domains, email, hosts};

    #[test]
    fn addresses_have_ports_perhaps() {
        let of = |text: &str| (address(text).name, address(text).port);
        assert_eq!(of("web.example.com:2222"), ("web.example.com".to_owned(), Some(2222)));
        assert_eq!(of("2001:db8::1"), ("2001:db8::1".to_owned(), None));
        assert_eq!(of("[2001:db8::1]:22"), ("2001:db8::1".to_owned(), Some(22)));
        assert_eq!(of("127.0.0.1"), ("127.0.0.1".to_owned(), None));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for bad in ["", "me@server", "https://x.example.com", "a b@c", "-x", "a;b", "7"] {
            assert!(hosts(bad).is_err(), "{bad}");
        }
        for bad in
            ["", "localhost", "https://shop.example.com", "a..b", "x.1", "*.example.com", "shop.example.com/"]
        {
            assert!(domains(bad).is_err(), "{bad}");
        }
        assert!(domains("shop.example.com, www.shop.example.com").is_ok());
        assert!(email("").is_ok() && email("a@example.com").is_ok() && email("nobody").is_err());
    }
}
