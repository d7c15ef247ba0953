//! What all of an application's variables begin with.

use std::collections::BTreeSet;

use crate::cli::init::detect::environment::Variable;

/// What an application's own variables begin with, where they do: `SHOP_`.
pub fn of_all(found: &[Variable], entry: Option<&str>) -> Option<String> {
    const PARTS: [&str; 10] =
        ["USER", "USERNAME", "PASSWORD", "PWD", "PASS", "HOST", "PORT", "NAME", "DATABASE", "URL"];
    const NEVER: [&str; 14] = [
        "DB",
        "DATABASE",
        "POSTGRES",
        "PG",
        "SQL",
        "SQLALCHEMY",
        "MAIL",
        "EMAIL",
        "SMTP",
        "AWS",
        "REDIS",
        "CELERY",
        "SENTRY",
        "CORS",
    ];
    let first = |name: &str| name.split_once('_').map(|(first, _)| first.to_owned());
    let own = entry.and_then(|entry| entry.split(['.', ':']).next()).map(str::to_uppercase);
    let prefixes: BTreeSet<String> = found.iter().filter_map(|variable| first(&variable.key)).collect();
    let all_share = |prefix: &String| {
        let rest: Vec<&str> = found
            .iter()
            .filter_map(|variable| variable.key.strip_prefix(prefix.as_str())?.strip_prefix('_'))
            .collect();
        rest.len() * 2 >= found.len() && rest.iter().filter(|rest| !PARTS.contains(rest)).count() >= 3
    };
    let mut fitting = prefixes.into_iter().filter(|prefix| !NEVER.contains(&prefix.as_str()));
    fitting.find(|prefix| Some(prefix) == own.as_ref() || all_share(prefix)).map(|prefix| prefix + "_")
}

#[cfg(test)]
mod tests {
    use crate::cli::init::detect::environment::{Reads, find};
    use crate::cli::init::tree::Tree;

    #[test]
    fn one_prefix_of_all_is_no_part_of_the_name() {
        let text = "import os\nA = os.getenv('SHOP_DB_NAME')\nB = os.getenv('SHOP_COLOUR')\nC = os.getenv('SHOP_SIZE')\nD = os.getenv('SHOP_X')\n";
        let mut tree = Tree::default();
        tree.add("a.py", text.to_owned());
        let sources = tree.sources("");
        let found = find(&Reads { tree: &tree, sources: &sources, settings: None, entry: None });
        assert_eq!(found[0].key, "DB_NAME");
        let other = "import os\nA = os.getenv('TRAC_DB_NAME')\nB = os.getenv('TRAC_USER')\n";
        let mut tree = Tree::default();
        tree.add("a.py", other.to_owned());
        let sources = tree.sources("");
        let found = find(&Reads { tree: &tree, sources: &sources, settings: None, entry: None });
        assert_eq!(found[0].key, "TRAC_DB_NAME");
    }
}
