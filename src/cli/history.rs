//! `tow history` and `tow show`: what was run from here, when, and with what result.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::cli::args::{History, Show};
use crate::cli::{Ended, state};
use crate::report::choose::Surroundings;
use crate::report::history::read::{RunRow, events, find, runs};
use crate::report::history::show::{Story, table};
use crate::report::history::{Place, Trouble};
use crate::report::look::Look;
use crate::report::out;
use crate::words::error::{Error, Result};

/// Where runs are written down; nowhere when the user has no home.
pub fn place() -> Option<Place> {
    Some(Place { file: file()?, who: state::who() })
}

fn file() -> Option<PathBuf> {
    Some(state::folder()?.join("history.db"))
}

pub fn list(args: &History) -> Ended {
    let file = known_file()?;
    let runs = runs(&file, args.limit).map_err(|trouble| unreadable(&file, &trouble))?;
    let text = if args.json {
        let line = |run: &RunRow| format!("{}\n", run.json());
        runs.iter().map(line).collect()
    } else if runs.is_empty() {
        let _ = writeln!(std::io::stderr(), "nothing was run from here yet");
        String::new()
    } else {
        table(&runs, look())
    };
    print(&text);
    Ok(0)
}

pub fn show(args: &Show) -> Ended {
    let file = known_file()?;
    let run = one(&file, args.run.as_deref())?;
    if let Some(host) = args.host.as_ref().filter(|host| !run.hosts.contains(host)) {
        return Err(Error::config(format!("{host} took no part in run {}", run.id))
            .hint(format!("its hosts: {}", run.hosts.join(", ")))
            .into());
    }
    let host = args.host.as_deref();
    let read = if args.json {
        events(&file, &run.id, host, |line| print(&format!("{line}\n")))
    } else {
        let mut story = Story::new(&run, look());
        let read = events(&file, &run.id, host, |line| story.event(line));
        print(&story.finish());
        read
    };
    read.map_err(|trouble| unreadable(&file, &trouble))?;
    Ok(0)
}

fn one(file: &Path, id: Option<&str>) -> Result<RunRow> {
    let mut found = find(file, id).map_err(|trouble| unreadable(file, &trouble))?;
    let hint = "`tow history` lists the runs";
    match (found.pop(), found.is_empty()) {
        (Some(run), true) => Ok(run),
        (Some(_), false) => {
            let id = id.unwrap_or_default();
            Err(Error::config(format!("several runs begin with `{id}`")).hint("write more of its id"))
        }
        (None, _) => Err(match id {
            Some(id) => Error::config(format!("there is no run `{}`", id.escape_debug())).hint(hint),
            None => Error::config("nothing was run from here yet")
                .hint("`tow run PLAYBOOK` is kept in the history"),
        }),
    }
}

fn known_file() -> Result<PathBuf> {
    file().ok_or_else(|| Error::config("there is no history").cause("this user has no home folder"))
}

fn unreadable(file: &Path, trouble: &Trouble) -> Error {
    let hint = match trouble {
        Trouble::Newer => "install that version again".to_owned(),
        _ => format!("move {} out of the way: the next run begins a new one", file.display()),
    };
    Error::failed("cannot read the history").cause(trouble).hint(hint)
}

fn look() -> Look {
    let around = Surroundings::here();
    Look {
        colour: around.colour(crate::report::Colour::Auto, around.stdout_terminal),
        utf8: around.utf8,
        width: None,
    }
}

fn print(text: &str) {
    out::write(text);
}
