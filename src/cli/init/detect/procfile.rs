//! The Procfile of other hosting: what runs beside the web, and hints about the web.

use crate::cli::init::detect::procfile::web::Web;
use crate::cli::init::detect::{Place, Trap};
use crate::cli::init::tree::Tree;
use crate::words::plural::list;

mod web;

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

pub fn read(tree: &Tree, traps: &mut Vec<Trap>) -> Procfile {
    let mut found = Procfile::default();
    let mut served = None;
    let Some(text) = tree.text("Procfile") else { return found };
    for (at, line) in text.lines().enumerate() {
        let Some((name, command)) = line.split_once(':').filter(|_| !line.trim_start().starts_with('#'))
        else {
            continue;
        };
        let (name, command, place) = (name.trim(), command.trim().to_owned(), Place::new("Procfile", at + 1));
        match name {
            "web" => served = Some((web::read(&command), command, place)),
            "release" => found.release = Some((command, place)),
            _ if is_plain(name) && !command.is_empty() => {
                found.processes.push(Process { name: name.replace('_', "-"), command, place });
            }
            _ => {}
        }
    }
    if let Some((web, command, place)) = served {
        found.served(web, &command, &place, traps);
    }
    found.one_server(traps);
    found
}

impl Procfile {
    /// What `web` tells, also of the other lines.
    fn served(&mut self, web: Web, command: &str, place: &Place, traps: &mut Vec<Trap>) {
        let trap =
            |what: String, then: &str| Trap { place: Some(place.clone()), what, then: then.to_owned() };
        // A release is of servers only.
        if !web.serves && self.release.is_none() && !self.processes.is_empty() {
            let names: Vec<&str> = self.processes.iter().map(|process| process.name.as_str()).collect();
            traps.push(trap(
                format!(
                    "`{command}` is no server for production that is known, so the Procfile seems to be for development; \
                     not run: {}",
                    list(&names, "and")
                ),
                "what has to run beside the web on a server belongs into `processes` in inventory.toml",
            ));
            self.processes.clear();
        }
        if !web.before.is_empty() {
            traps.push(trap(
                format!("`{}` runs before the web there, and nowhere here", web.before.join("; ")),
                "in inventory.toml, `collectstatic` is for what writes files into the release, and `migrate` for what \
                 changes the database; several commands go with `&&` between them",
            ));
        }
        if !web.wrapper.is_empty() && web.entry.is_some() {
            traps.push(trap(
                format!("the web runs under `{}` there, and without it here", web.wrapper),
                "where it is needed, let the application or gunicorn.conf.py begin what it does",
            ));
        }
        self.entry = web.entry.map(|entry| (entry, place.clone()));
    }

    /// Nobody would lead visitors to a second one.
    fn one_server(&mut self, traps: &mut Vec<Trap>) {
        let (servers, others) = std::mem::take(&mut self.processes)
            .into_iter()
            .partition(|process| web::read(&process.command).serves);
        self.processes = others;
        let servers: Vec<Process> = servers;
        let names: Vec<&str> = servers.iter().map(|process| process.name.as_str()).collect();
        if let Some(first) = servers.first() {
            traps.push(Trap {
                place: Some(first.place.clone()),
                what: format!("beside the web there is another server, to which no visitor would come; not run: {}", list(&names, "and")),
                then: "the web has to answer what that answers, or it is an application with an inventory of its own".to_owned(),
            });
        }
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use super::{Procfile, read};
    use crate::cli::init::tree::Tree;

    fn of(text: &str) -> (Procfile, Vec<String>) {
        let mut tree = Tree::default();
        tree.add("Procfile", text.to_owned());
        let mut traps = vec![];
        let found = read(&tree, &mut traps);
        (found, traps.into_iter().map(|trap| trap.what).collect())
    }

    #[test]
    fn lines_are_told_apart() {
        let text = "# x: y\nweb: gunicorn -w 4 shop.wsgi --log-file -\nrelease: flask db upgrade\nworker: celery -A shop worker\nbad name: x\n";
        let (found, said) = of(text);
        assert_eq!(found.entry.unwrap().0, "shop.wsgi:application");
        assert_eq!(found.release.unwrap().0, "flask db upgrade");
        assert_eq!(found.processes.len(), 1);
        assert_eq!(found.processes[0].command, "celery -A shop worker");
        assert!(said.is_empty(), "{said:?}");
    }

    #[test]
    fn one_for_development_gives_no_processes() {
        let (found, said) = of("web: make run\nscss: make watch-scss\n");
        assert!(found.processes.is_empty() && said[0].contains("not run: scss"), "{said:?}");
        let (found, said) = of("web: bin/start\nworker: celery -A shop worker\nrelease: bin/release\n");
        assert_eq!((found.processes.len(), said.len()), (1, 0));
        assert_eq!(of("worker: python bot.py\n").0.processes.len(), 1);
    }

    #[test]
    fn what_is_left_out_is_said() {
        let (found, said) = of(
            "web: flask translate compile; ddtrace-run gunicorn a:b\nweb-api: gunicorn a:b\nworker: rq worker\n",
        );
        assert_eq!(found.processes.len(), 1);
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(
            said[0].contains("`flask translate compile`")
                && said[1].contains("`ddtrace-run`")
                && said[2].contains("web-api")
        );
    }
}
