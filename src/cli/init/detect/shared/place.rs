//! Where a path of the settings lies, below the application's folder.

use crate::cli::init::detect::framework::settings_files;
use crate::cli::init::detect::python::{Line, Source, strings, words};
use crate::cli::init::detect::shared::Look;
use crate::cli::init::tree::{join, parent, resolve};

/// What is spelled around a path.
const AROUND: [&str; 11] =
    ["os", "path", "join", "abspath", "realpath", "dirname", "normpath", "Path", "pathlib", "str", "resolve"];

impl Look<'_> {
    /// Below the application's folder, where a value tells that without running it.
    pub fn folder(&self, value: &str, source: &Source) -> Option<String> {
        let parts: Vec<&str> = strings(value).into_iter().map(|(_, text)| text).collect();
        let odd = |part: &&str| part.starts_with(['/', '~']) || part.contains(['{', '%', ':', '\\', '$']);
        if parts.is_empty() || parts.iter().any(odd) || value.contains("environ") || value.contains("getenv")
        {
            return None;
        }
        let base = self.base(value, source)?;
        let path = parts.join("/");
        let (up, depth) =
            (path.matches("..").count(), base.split('/').filter(|part| !part.is_empty()).count());
        let folder = if up > depth { String::new() } else { resolve(&base, &path) };
        (!folder.is_empty()).then_some(folder)
    }

    /// What the path in a value begins with.
    fn base(&self, value: &str, source: &Source) -> Option<String> {
        if value.contains("__file__") {
            return above(&source.path, value);
        }
        if value.contains("root_path") {
            return Some(parent(&source.path).to_owned());
        }
        if value.contains("instance_path") {
            return Some(join(self.root, "instance"));
        }
        let mut names =
            words(value).map(|(_, word)| word).filter(|word| !AROUND.contains(word) && *word != "parent");
        let Some(name) = names.next() else { return Some(String::new()) };
        let of = |source: &Source| {
            let mut lines = source.lines.iter().filter_map(Line::assigned);
            let (_, value) =
                lines.find(|(assigned, value)| *assigned == name && value.contains("__file__"))?;
            above(&source.path, value)
        };
        let mut others =
            self.settings.map_or_else(Vec::new, |settings| settings_files(self.sources, settings));
        others.insert(0, source);
        names.next().is_none().then(|| others.into_iter().find_map(of))?
    }
}

/// The folder so many steps above a file as a value climbs: `Path(__file__).resolve().parent.parent`.
fn above(path: &str, value: &str) -> Option<String> {
    let mut steps = value.matches("dirname(").count() + value.matches(".parent").count();
    for rest in value.split(".parents[").skip(1) {
        let nth: u16 = rest.split(']').next()?.trim().parse().ok()?;
        // `.parents[0]` is what `.parent` is, and has been counted as one.
        steps += usize::from(nth);
    }
    let mut at = path;
    for _ in 0..steps {
        // Above all that travels.
        (!at.is_empty()).then_some(())?;
        at = parent(at);
    }
    (steps > 0).then(|| at.to_owned())
}
