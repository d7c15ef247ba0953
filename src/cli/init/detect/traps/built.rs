//! What has to be built before the source is whole: scripts and styles, by Node.

use crate::cli::init::detect::Trap;
use crate::cli::init::tree::{Tree, parent};

pub fn find(tree: &Tree) -> Option<Trap> {
    let packages = tree.files().filter(|(path, _)| {
        (*path == "package.json" || path.ends_with("/package.json")) && path.matches('/').count() <= 1
    });
    let (path, line) = packages.into_iter().find_map(|(path, text)| {
        let line = text.lines().position(|line| line.trim_start().starts_with("\"build\":"))?;
        Some((path, line + 1))
    })?;
    let folder = if parent(path).is_empty() { "this folder" } else { parent(path) };
    Some(Trap::at(
        path,
        line,
        "`npm run build` makes a part of the application, and a deployment does not run it",
        format!(
            "run it in {folder} before each `tow deploy`; what git ignores is not sent: where that is what it makes, take it out of \
             .gitignore"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::cli::init::tree::Tree;

    fn said(path: &str, text: &str) -> Option<String> {
        let mut tree = Tree::default();
        tree.add(path, text.to_owned());
        find(&tree).map(|trap| trap.place.unwrap().to_string())
    }

    #[test]
    fn only_what_is_built() {
        let builds = "{\n  \"scripts\": {\n    \"dev\": \"vite\",\n    \"build\": \"vite build\"\n  }\n}\n";
        assert_eq!(said("package.json", builds).as_deref(), Some("package.json:4"));
        assert_eq!(said("web/package.json", builds).as_deref(), Some("web/package.json:4"));
        assert_eq!(said("a/b/package.json", builds), None);
        assert_eq!(said("package.json", "{ \"scripts\": {} }\n"), None);
    }
}
