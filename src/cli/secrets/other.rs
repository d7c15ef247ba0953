//! A name that the inventory's `[secrets]` gives another source: what the secrets file has under it is not used.

use std::path::Path;

use crate::report::text::neutralise;

/// What to say of `name`, where the inventory names it itself.
pub fn warning(inventory: Option<&Path>, vault: &str, name: &str) -> Option<String> {
    let path = inventory?;
    // What is wrong with the inventory is said where it is used.
    let text = std::fs::read_to_string(path).ok()?;
    told(&path.display().to_string(), &text, vault, name)
}

fn told(inventory: &str, text: &str, vault: &str, name: &str) -> Option<String> {
    let table: toml::Table = toml::from_str(text).ok()?;
    let entry = table.get("secrets")?.get(name)?;
    let (source, change) = match (entry.get("file"), entry.get("env"), entry.get("command")) {
        (Some(toml::Value::String(file)), ..) => (
            format!("the file {file}"),
            format!("write the new value into {file} (the path is seen from the inventory)"),
        ),
        (_, Some(toml::Value::String(variable)), _) => {
            (format!("the environment variable {variable}"), format!("set {variable}"))
        }
        (_, _, Some(_)) => ("a program".to_owned(), "change it where that program has it from".to_owned()),
        _ => return None,
    };
    Some(neutralise(&format!(
        "warning: {inventory} takes `{name}` from {source} ([secrets]), and the inventory wins: what {vault} has under this \
         name is not used. To change what is used, {change}; to use {vault}, take `{name}` out of [secrets]"
    )))
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn what_the_inventory_names_itself_is_told() {
        let text = "[secrets]\na = { file = \".tow/a\" }\nb = { env = \"B\" }\nc = { command = [\"pass\", \"c\"] }\n";
        let said = |name: &str| told("inventory.toml", text, "secrets.age", name);
        for (name, part) in [("a", "write the new value into .tow/a"), ("b", "set B;"), ("c", "that program")]
        {
            assert!(said(name).unwrap().contains(part), "{name}: {:?}", said(name));
        }
        assert_eq!(said("d"), None);
        assert_eq!(told("inventory.toml", "broken", "secrets.age", "a"), None);
    }
}
