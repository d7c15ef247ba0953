//! The Procfile of other hosting: what runs beside the web, and hints about the web.

use crate::cli::init::detect::Place;
use crate::cli::init::tree::Tree;

/// A program that runs all the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub name: String,
    pub command: String,
    pub place: Place,
}

#[derive(Clone, Debug, Default)]
pub struct Procfile {
    pub processes: Vec<Process>,
    /// `shop.wsgi:app` of `web: gunicorn shop.wsgi:app`.
    pub entry: Option<(String, Place)>,
    pub release: Option<(String, Place)>,
}

pub fn read(tree: &Tree) -> Procfile {
    let mut found = Procfile::default();
    let Some(text) = tree.text("Procfile") else { return found };
    for (at, line) in text.lines().enumerate() {
        let Some((name, command)) = line.split_once(':').filter(|_| !line.trim_start().starts_with('#'))
        else {
            continue;
        };
        let (name, command, place) = (name.trim(), command.trim().to_owned(), Place::new("Procfile", at + 1));
        match name {
            "web" => found.entry = entry(&command).map(|entry| (entry, place)),
            "release" => found.release = Some((command, place)),
            _ if is_plain(name) && !command.is_empty() => {
                found.processes.push(Process { name: name.replace('_', "-"), command, place });
            }
            _ => {}
        }
    }
    found
}

/// The word behind gunicorn or uvicorn that is an application and no option.
fn entry(command: &str) -> Option<String> {
    let mut words = command.split_whitespace().skip_while(|word| {
        !["gunicorn", "uvicorn", "hypercorn", "daphne"].iter().any(|server| word.ends_with(server))
    });
    words.next()?;
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
    let words: Vec<&str> = words.map(|word| word.trim_matches(['"', '\''])).collect();
    let named = words.iter().filter(|word| word.contains(':')).find_map(|word| application(word));
    named.or_else(|| {
        words.iter().filter(|word| word.contains('.') || words.len() == 1).find_map(|word| application(word))
    })
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use super::{entry, read};
    use crate::cli::init::tree::Tree;

    #[test]
    fn lines_are_told_apart() {
        let mut tree = Tree::default();
        let text = "# x: y\nweb: gunicorn -w 4 shop.wsgi --log-file -\nrelease: flask db upgrade\nworker: celery -A shop worker\nbad name: x\n";
        tree.add("Procfile", text.to_owned());
        let found = read(&tree);
        assert_eq!(found.entry.unwrap().0, "shop.wsgi:application");
        assert_eq!(found.release.unwrap().0, "flask db upgrade");
        assert_eq!(found.processes.len(), 1);
        assert_eq!(found.processes[0].command, "celery -A shop worker");
    }

    #[test]
    fn the_application_of_a_server() {
        assert_eq!(entry("uvicorn app.main:app --host 0.0.0.0").as_deref(), Some("app.main:app"));
        assert_eq!(entry("gunicorn \"shop:create_app()\"").as_deref(), Some("shop:create_app()"));
        assert_eq!(entry("gunicorn app").as_deref(), Some("app:application"));
        assert_eq!(entry("gunicorn -b 0.0.0.0:$PORT app:app").as_deref(), Some("app:app"));
        assert_eq!(entry("python bot.py"), None);
    }
}
