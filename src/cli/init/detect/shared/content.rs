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

#[cfg(test)]
mod tests {
    use crate::cli::init::detect::detect;
    use crate::cli::init::tree::Tree;

    #[test]
    fn what_comes_with_the_source_stays() {
        let app = |text: &str, file: &str| {
            let mut tree = Tree::default();
            tree.add("shop/__init__.py", format!("app = Flask(__name__)\n{text}"));
            tree.add_unread(file);
            detect(&tree, None).shared.into_iter().map(|shared| shared.folder).collect::<Vec<_>>()
        };
        for (text, file) in [
            ("os.makedirs('models', exist_ok=True)\n", "models/a.bin"),
            ("os.makedirs('models', exist_ok=True)\n", "models/in/a.bin"),
            ("Path('assets').mkdir()\n", "assets/logo.png"),
            ("os.makedirs('templates/made')\n", "a"),
            ("UPLOAD_FOLDER = 'data'\n", "data/countries.json"),
            ("UPLOAD_FOLDER = 'data'\n", "data/in/page.HTML"),
            ("UPLOAD_FOLDER = 'data'\n", "data/templates/mail.txt"),
            ("UPLOAD_FOLDER = 'data'\n", "data/mail.txt.j2"),
            ("UPLOAD_FOLDER = 'templates'\n", "a"),
            ("app = Flask(__name__, instance_relative_config=True)\n", "instance/schema.sql"),
        ] {
            assert!(app(text, file).is_empty(), "{text} {file}");
        }
        assert_eq!(app("os.makedirs('data')\n", "data/.gitkeep"), ["data"]);
        assert_eq!(app("UPLOAD_FOLDER = 'data'\n", "data/default.png"), ["data"]);
        assert_eq!(app("UPLOAD_FOLDER = 'data'\n", "database/a.json"), ["data"]);
    }

    #[test]
    fn uploads_where_something_comes_with_the_source_are_told() {
        let said = |file: &str| {
            let mut tree = Tree::default();
            tree.add("app.py", "app = Flask(__name__)\napp.config['UPLOAD_FOLDER'] = 'data'\n".to_owned());
            tree.add_unread(file);
            let told = detect(&tree, None)
                .traps
                .into_iter()
                .filter(|trap| trap.what.starts_with("data/ comes with the source"));
            told.map(|trap| trap.place.unwrap().line).collect::<Vec<_>>()
        };
        assert_eq!((said("data/a.json"), said("data/a.png")), (vec![2], vec![]));
    }
}
