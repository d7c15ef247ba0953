//! What units, accounts and folders are called: short, lower case, and nobody else's.

use std::path::Path;

use crate::cli::args::Init;
use crate::cli::init::detect;
use crate::cli::init::tree::Tree;

const LONGEST: usize = 24;
/// Accounts and programs of a server's own.
const TAKEN: [&str; 14] = [
    "",
    "root",
    "postgres",
    "www-data",
    "nginx",
    "nobody",
    "backup",
    "mail",
    "daemon",
    "supervisor",
    "redis",
    "default",
    "django",
    "flask",
];

/// As the flag says, the project's own files, the repository, or the folder.
pub fn wanted(args: &Init, tree: &Tree, project: &Path) -> String {
    let of_repo = || {
        let path = args.repo.as_deref()?.trim_end_matches('/').trim_end_matches(".git");
        path.rsplit(['/', ':']).next().map(str::to_owned)
    };
    let of_folder = || project.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = args.name.clone().or_else(|| detect::project_name(tree)).or_else(of_repo);
    name.or_else(of_folder).unwrap_or_default()
}

/// The nearest that can be taken.
pub fn fitting(wanted: &str) -> String {
    let name = plain(wanted);
    if TAKEN.contains(&name.as_str()) {
        format!("{name}-app").trim_start_matches('-').to_owned()
    } else {
        name
    }
}

fn plain(wanted: &str) -> String {
    let mut name = String::new();
    for c in wanted.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' => name.push(c),
            '0'..='9' if !name.is_empty() => name.push(c),
            _ if !name.is_empty() && !name.ends_with('-') => name.push('-'),
            _ => {}
        }
    }
    name.truncate(LONGEST);
    name.truncate(name.trim_end_matches('-').len());
    name
}

/// Why it is called otherwise than wanted, in one line.
pub fn told(wanted: &str) -> Option<String> {
    let name = fitting(wanted);
    let why = if name == wanted {
        return None;
    } else if plain(wanted) == wanted {
        "a server has that name already".to_owned()
    } else {
        format!("it has a-z, 0-9 and single `-`, up to {LONGEST}")
    };
    Some(format!("Called {name}, not {wanted:?}: {why}."))
}

#[cfg(test)]
mod tests {
    use super::{fitting, told};

    #[test]
    fn another_name_than_the_wanted_one_is_told() {
        assert_eq!(told("shop2-eu"), None);
        let of = |wanted: &str| (fitting(wanted), told(wanted).unwrap());
        let (name, said) = of("My Shop!");
        assert_eq!(name, "my-shop");
        assert_eq!(said, "Called my-shop, not \"My Shop!\": it has a-z, 0-9 and single `-`, up to 24.");
        let (name, said) = of("django");
        assert_eq!(name, "django-app");
        assert_eq!(said, "Called django-app, not \"django\": a server has that name already.");
        assert_eq!(of("").0, "app");
        assert_eq!(of(&"x".repeat(30)).0, "x".repeat(24));
    }
}
