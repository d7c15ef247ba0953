//! What gunicorn imports, where a person has to say it.

use crate::cli::init::detect::python::is_name;
use crate::words::plural::list;

/// What it could be, else how one looks.
pub fn such_as(guesses: &[String], shown: impl Fn(&str) -> String) -> String {
    let names: Vec<String> = guesses.iter().map(|name| shown(name)).collect();
    if names.is_empty() {
        return ", such as wsgi:app or shop:create_app()".to_owned();
    }
    format!(", perhaps {}", list(&names, "or"))
}

/// `module:name`, `module:name()`; empty where it was found.
pub fn entry_point(text: &str) -> Result<(), String> {
    let (module, attribute) = text.split_once(':').unwrap_or_default();
    let dotted = |text: &str| !text.is_empty() && text.split('.').all(is_name);
    let called =
        attribute.split_once('(').map_or(Some(attribute), |(name, rest)| rest.ends_with(')').then_some(name));
    let plain = !text.contains(['{', '\n', '`', '$']);
    if text.is_empty() || (dotted(module) && called.is_some_and(dotted) && plain) {
        return Ok(());
    }
    Err(format!("{text:?} is no entry point: write it as module:name, such as wsgi:app or shop:create_app()"))
}

#[cfg(test)]
mod tests {
    use super::{entry_point, such_as};

    #[test]
    fn what_it_could_be_is_named() {
        let guesses = ["wsgi:app".to_owned(), "shop:create_app()".to_owned()];
        assert_eq!(such_as(&guesses, str::to_owned), ", perhaps wsgi:app or shop:create_app()");
        assert!(such_as(&[], str::to_owned).starts_with(", such as"));
        assert!(entry_point("shop:create_app('a')").is_ok() && entry_point("shop").is_err());
    }
}
