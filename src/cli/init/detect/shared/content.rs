//! What a source brings along: a link in its place would hide it in every release but the first.

use crate::cli::init::detect::framework::settings_files;
use crate::cli::init::detect::python::Line;
use crate::cli::init::detect::shared::Look;
use crate::cli::init::tree::{file_name, join};

/// Code, and what pages are made of.
const COMES: [&str; 31] = [
    "py", "pyi", "html", "htm", "xhtml", "css", "scss", "sass", "less", "js", "mjs", "cjs", "jsx", "ts",
    "tsx", "vue", "map", "json", "yaml", "yml", "toml", "xml", "sql", "po", "mo", "j2", "jinja", "jinja2",
    "mako", "tmpl", "sh",
];

impl Look<'_> {
    /// What the source has there comes with every release.
    pub fn is_empty(&self, folder: &str) -> bool {
        let below = format!("{folder}/");
        !self.tree.names().any(|path| path.starts_with(&below) && !file_name(path).starts_with('.'))
    }

    /// A link in its place hides nothing that a release brings.
    pub fn can_move(&self, folder: &str) -> bool {
        let below = format!("{folder}/");
        let comes = |path: &str| {
            let ending = file_name(path).rsplit_once('.').map_or("", |(_, ending)| ending);
            COMES.contains(&ending.to_ascii_lowercase().as_str())
                || path[below.len()..].split('/').any(is_templates)
        };
        let brings = self.tree.names().any(|path| path.starts_with(&below) && comes(path));
        !brings && !folder.is_empty() && !folder.split('/').any(is_templates) && !self.is_static(folder)
    }

    /// The static files as a whole, or what they are collected from.
    fn is_static(&self, folder: &str) -> bool {
        let below = format!("{folder}/");
        let found = self.statics.is_some_and(|statics| format!("{}/", statics.folder).starts_with(&below));
        let settings = self.settings.map_or_else(Vec::new, |settings| settings_files(self.sources, settings));
        let dirs = settings.iter().flat_map(|source| &source.lines).filter(|line| names_statics(line));
        let named = dirs.flat_map(Line::strings).any(|text| {
            let dir = join("", text);
            !dir.is_empty() && (format!("/{folder}").ends_with(&format!("/{dir}")) || dir.starts_with(&below))
        });
        found || named || file_name(folder) == "static"
    }
}

fn is_templates(part: &str) -> bool {
    part == "templates"
}

fn names_statics(line: &Line) -> bool {
    line.code.starts_with("STATICFILES_DIRS")
}
