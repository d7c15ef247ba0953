//! Django's settings: which module they are in production, and which files they are made of.

use crate::cli::init::detect::Trap;
use crate::cli::init::detect::framework::{Look, is_importable};
use crate::cli::init::detect::python::{Source, last, lines, strings};
use crate::cli::init::tree::join;
use crate::words::plural::list;

/// Names of settings for production.
const FOR_PRODUCTION: [&str; 5] =
    ["production", "prod", "settings_production", "settings_prod", "production_settings"];

/// What manage.py names, else what the module of the application names, else what looks like settings.
pub fn find(look: &Look, manage: &str, applications: &[&Source], traps: &mut Vec<Trap>) -> Option<String> {
    let of_manage = lines(look.tree.text(manage)?).into_iter().find_map(|line| named(&line.code));
    let of_applications =
        applications.iter().find_map(|source| source.lines.iter().find_map(|line| named(&line.code)));
    let of_manage = of_manage.map(|said| for_production(look, &said));
    match (of_manage, of_applications) {
        (Some(said), Some(other)) if is_for_developers(last(&said)) => Some(for_production(look, &other)),
        (Some(said), _) => Some(said),
        (None, Some(other)) => Some(for_production(look, &other)),
        (None, None) => guess(look, manage, traps),
    }
}

/// The value that a statement sets DJANGO_SETTINGS_MODULE to.
fn named(code: &str) -> Option<String> {
    let texts = strings(code);
    let at = texts.iter().position(|(_, text)| *text == "DJANGO_SETTINGS_MODULE")?;
    texts.get(at + 1).map(|(_, text)| (*text).to_owned()).filter(|module| is_importable(module))
}

/// Modules that could be the settings; the one that is taken, and what to do about it.
fn guess(look: &Look, manage: &str, traps: &mut Vec<Trap>) -> Option<String> {
    let mut found: Vec<&str> = look
        .sources
        .iter()
        .filter(|source| are_settings(source))
        .map(|source| source.module.as_str())
        .collect();
    let rank = |module: &&str| match last(module) {
        name if FOR_PRODUCTION.contains(&name) => 0,
        "settings" => 1,
        name if is_for_developers(name) => 4,
        "base" | "common" | "default" => 3,
        _ => 2,
    };
    found.sort_by_key(|module| (rank(module), module.len()));
    let chosen = found.first().copied().filter(|module| rank(module) < 4);
    let (what, then) = match (chosen, found.len()) {
        (Some(chosen), 1) => return Some(chosen.to_owned()),
        (Some(chosen), _) => (
            format!("it names no settings: {chosen} is taken, and there is {}", list(&found[1..], "and")),
            "for another one change DJANGO_SETTINGS_MODULE in [vars.env] of inventory.toml",
        ),
        (None, 0) => ("it names no settings, and none were found".to_owned(), TO_WRITE),
        (None, _) => (
            format!("it names no settings, and {} seem to be for development", list(&found, "and")),
            TO_WRITE,
        ),
    };
    traps.push(Trap::at(manage, 0, what, then));
    chosen.map(str::to_owned)
}

const TO_WRITE: &str = "write them as DJANGO_SETTINGS_MODULE into [vars.env] of inventory.toml";

/// Whether a module has what every project's settings have, or builds on one beside it.
fn are_settings(source: &Source) -> bool {
    let has = |name: &str| {
        source
            .lines
            .iter()
            .any(|line| line.indent == 0 && line.assigned().is_some_and(|(found, _)| found == name))
    };
    let builds =
        source.lines.iter().any(|line| line.code.starts_with("from .") && line.code.ends_with("import *"));
    let below = source.module.rsplit_once('.').is_some_and(|(package, _)| last(package) == "settings");
    is_importable(&source.module) && (has("ROOT_URLCONF") || has("INSTALLED_APPS") || below && builds)
}

/// `config.settings.production` beside `config.settings.local`.
fn for_production(look: &Look, said: &str) -> String {
    let package = |name: &str| {
        let folder = join(look.root, &name.replace('.', "/"));
        look.tree.text(&join(&folder, "__init__.py")).is_some() || look.tree.has_folder(&folder)
    };
    let folder = if package(said) { said } else { said.rsplit_once('.').map_or("", |(folder, _)| folder) };
    let candidates = FOR_PRODUCTION
        .iter()
        .map(|name| if folder.is_empty() { (*name).to_owned() } else { format!("{folder}.{name}") });
    let exists = |module: &String| {
        look.tree.text(&join(look.root, &format!("{}.py", module.replace('.', "/")))).is_some()
    };
    candidates.into_iter().find(exists).unwrap_or_else(|| said.to_owned())
}

/// Settings first for production, then what they build on.
pub fn settings_files<'a>(sources: &'a [Source], settings: &str) -> Vec<&'a Source> {
    let package = settings.rsplit_once('.').map_or(settings, |(package, _)| package);
    let own = |source: &&Source| source.module == settings;
    let beside = |source: &&Source| {
        let inside =
            source.module.strip_prefix(package).is_some_and(|rest| rest.starts_with('.') || rest.is_empty());
        source.module != settings
            && inside
            && source.module.contains("settings")
            && !is_for_developers(last(&source.module))
    };
    sources.iter().filter(own).chain(sources.iter().filter(beside)).collect()
}

fn is_for_developers(name: &str) -> bool {
    ["local", "dev", "development", "test", "testing", "ci"].contains(&name)
}
