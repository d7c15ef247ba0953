//! What an application writes beside its source: a release is read-only for it, and the next one has nothing of it.

use crate::cli::init::detect::python::{Line, Source, strings};
use crate::cli::init::detect::{App, Place, Trap};
use crate::cli::init::tree::{file_name, join, parent};

pub fn find(sources: &[Source], app: &App, traps: &mut Vec<Trap>) {
    // The inventory turns it on, and then there is no file.
    let is_to_stdout = app.environment.iter().any(|variable| variable.name == "LOG_TO_STDOUT");
    for source in sources.iter().filter(|source| !is_run_by_hand(source)) {
        // One for each file: the folder and the log in it are the same matter.
        let mut imported = source.lines.iter().take_while(|line| !line.code.contains("__main__"));
        // What outlives releases is written elsewhere.
        let outlives = |line: &Line| {
            let place = Place::new(&source.path, line.number);
            app.shared.iter().any(|shared| shared.place == place)
                || folder(line).is_some_and(|folder| app.is_shared(folder))
        };
        traps.extend(
            imported.find_map(|line| written(source, line, is_to_stdout).filter(|_| !outlives(line))),
        );
    }
    let named = sources
        .iter()
        .flat_map(|source| &source.lines)
        .any(|line| line.code.contains("instance_path=") || line.code.contains("instance_path ="));
    if !named && !app.is_shared(&join(&app.import_root, "instance")) {
        traps.extend(sources.iter().find_map(|source| {
            let line = source.lines.iter().find(|line| is_in_instance(line))?;
            Some(Trap::at(
                &source.path,
                line.number,
                "the database lies in the instance folder, inside the release: its data are lost with the next one",
                "take its path from the environment (`os.environ.get(\"DATABASE\")`), and set it in inventory.toml below {{root}}/shared",
            ))
        }));
    }
}

/// Commands, where somebody sees what they do.
pub fn is_run_by_hand(source: &Source) -> bool {
    parent(&source.path).ends_with("management/commands")
        || ["setup.py", "noxfile.py", "fabfile.py"].contains(&file_name(&source.path))
}

fn written(source: &Source, line: &Line, is_to_stdout: bool) -> Option<Trap> {
    let (path, is_log) = log(line).map(|path| (path, true)).or_else(|| Some((folder(line)?, false)))?;
    let is_log = is_log || path.contains("log");
    if is_log && is_to_stdout {
        return None;
    }
    let what = format!(
        "{path} would be written inside the release, which the application may only read: it fails there"
    );
    let then = if is_log {
        "log to the standard output, which the journal keeps, or by a setting below {{root}}/shared/log"
    } else {
        "take the folder from the environment, and set it in inventory.toml below {{root}}/shared"
    };
    Some(Trap::at(&source.path, line.number, what, then))
}

/// The text that begins right behind `before`, where that stands in the line.
fn behind<'a>(line: &'a Line, before: &str) -> Option<&'a str> {
    let mut from = 0;
    while let Some(at) = line.code.get(from..)?.find(before) {
        let end = from + at + before.len();
        let blanks = line.code[end..].len() - line.code[end..].trim_start().len();
        let text = strings(&line.code).into_iter().find(|(place, _)| *place == end + blanks);
        if let Some((_, text)) = text {
            return Some(text);
        }
        from = end;
    }
    None
}

/// Neither of the system, nor put together from something else.
fn is_relative(path: &&str) -> bool {
    !path.is_empty() && !path.starts_with(['/', '~', '{', '%', '$', '\\'])
}

fn log(line: &Line) -> Option<&str> {
    let handlers = ["FileHandler(", "RotatingFileHandler(", "filename="];
    let called = handlers.iter().filter_map(|handler| behind(line, handler)).find(is_relative);
    let keyed =
        || ["\"filename\":", "'filename':"].iter().filter_map(|key| behind(line, key)).find(is_relative);
    let logs = line.code.contains("FileHandler") || line.code.contains("basicConfig(");
    called.or_else(keyed).filter(|_| logs)
}

/// What a line makes beside the source.
pub fn folder(line: &Line) -> Option<&str> {
    let made = ["os.mkdir(", "os.makedirs("].iter().filter_map(|call| behind(line, call)).find(is_relative);
    let by_path = || behind(line, "Path(").filter(is_relative).filter(|_| line.code.contains(").mkdir("));
    made.or_else(by_path)
}

/// `os.path.join(app.instance_path, "shop.sqlite")`
fn is_in_instance(line: &Line) -> bool {
    let file = |text: &str| {
        text.starts_with("sqlite:")
            || [".sqlite", ".sqlite3", ".db"].iter().any(|ending| text.ends_with(ending))
    };
    line.code.contains("instance_path")
        && !line.code.contains("environ")
        && line.strings().into_iter().any(file)
}

#[cfg(test)]
mod tests {
    use crate::cli::init::detect::detect;
    use crate::cli::init::tree::Tree;

    fn said(text: &str) -> Vec<String> {
        let mut tree = Tree::default();
        tree.add("app.py", text.to_owned());
        let traps =
            detect(&tree, None).traps.into_iter().filter(|trap| trap.what.contains("inside the release"));
        traps.map(|trap| format!("{} {}", trap.place.unwrap(), trap.what)).collect()
    }

    #[test]
    fn logs_and_folders_of_the_release() {
        let text = "def f():\n    os.mkdir('logs')\n    h = RotatingFileHandler(\n        'logs/a.log', maxBytes=1)\n";
        let found = said(text);
        assert!(
            found.len() == 1 && found[0].starts_with("app.py:2 logs would be written inside"),
            "{found:?}"
        );
        let django =
            "LOGGING = {'handlers': {'f': {'class': 'logging.FileHandler', 'filename': 'debug.log'}}}\n";
        assert!(said(django)[0].starts_with("app.py:1 debug.log"));
        assert_eq!(said("logging.basicConfig(filename='a.log')\nPath('x').mkdir()\n").len(), 1);
        let either = format!("import os\nA = os.environ.get('LOG_TO_STDOUT')\n{text}");
        assert!(said(&either).is_empty(), "the inventory says where to");
        for fine in [
            "os.makedirs(folder)\n",
            "FileHandler('/var/log/x')\n",
            "FileHandler(os.path.join(LOGS, 'x'))\n",
            "os.mkdir(f'{ROOT}/x')\n",
            "if __name__ == '__main__':\n    os.mkdir('out')\n",
            "send(filename='a.pdf')\n",
            "os.makedirs(os.environ.get('LOGS', 'logs'))\n",
        ] {
            assert!(said(fine).is_empty(), "{fine}");
        }
    }

    #[test]
    fn what_outlives_releases_is_fine() {
        assert!(said("os.makedirs('uploads', exist_ok=True)\n").is_empty());
        let text = "app.config.from_mapping(SECRET_KEY=\"dev\", DATABASE=os.path.join(app.instance_path, \"shop.sqlite\"))\n";
        assert!(said(text).is_empty());
    }
}
