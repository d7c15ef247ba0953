//! Static files: where they are, and what collects them.

use crate::cli::init::detect::framework::settings_files;
use crate::cli::init::detect::python::{Line, Source, strings};
use crate::cli::init::detect::{Framework, Place, Trap, first};
use crate::cli::init::tree::{Tree, join, parent};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statics {
    /// `/static/`
    pub url: String,
    /// Below the application's folder.
    pub folder: String,
    /// What has to run before there are any.
    pub collect: Option<String>,
    pub place: Place,
}

pub fn find(
    tree: &Tree,
    sources: &[Source],
    framework: Framework,
    root: &str,
    settings: Option<&str>,
    traps: &mut Vec<Trap>,
) -> Option<Statics> {
    match (framework, settings) {
        (Framework::Django, Some(settings)) => of_django(&settings_files(sources, settings), root, traps),
        (Framework::Flask | Framework::Quart, _) => of_flask(tree, sources),
        _ => mounted(tree, sources),
    }
}

fn of_django(settings: &[&Source], root: &str, traps: &mut Vec<Trap>) -> Option<Statics> {
    let setting = |wanted: &str| {
        settings.iter().find_map(|source| {
            let line =
                source.lines.iter().find(|line| line.assigned().is_some_and(|(name, _)| name == wanted))?;
            Some((line, Place::new(&source.path, line.number)))
        })
    };
    let url = setting("STATIC_URL").and_then(|(line, place)| {
        let url = (*line.strings().last()?).to_owned();
        if url.contains(['{', '}', '%']) {
            traps.push(Trap {
                place: Some(place),
                what: "STATIC_URL is put together when the application starts".to_owned(),
                then: "inventory.toml takes it for /static/: correct `app.static` where it is not".to_owned(),
            });
            return None;
        }
        Some(url)
    });
    let url = url.unwrap_or_else(|| "/static/".to_owned());
    let Some((line, place)) = setting("STATIC_ROOT") else {
        if let Some(source) = settings.first() {
            traps.push(Trap::at(
                &source.path,
                0,
                "it has no STATIC_ROOT: collectstatic cannot run, so pages come without styles",
                format!("add `STATIC_ROOT = {}`, then `tow init` again", advised(settings)),
            ));
        }
        return None;
    };
    let parts: Vec<&str> = line.strings().into_iter().filter(|text| !is_variable(text)).collect();
    let folder = parts.join("/");
    if url.contains("://") || folder.is_empty() {
        return None;
    }
    let manage = format!("python {}", join(root, "manage.py"));
    let compress = if compressed(settings) { format!(" && {manage} compress") } else { String::new() };
    let collect = Some(format!("{manage} collectstatic --noinput{compress}"));
    if folder.starts_with('/') {
        traps.push(Trap {
            place: Some(place),
            what: format!("static files are collected into {folder}, outside of the release"),
            then: format!("use `STATIC_ROOT = {}`: each release then has its own", advised(settings)),
        });
        return None;
    }
    Some(Statics { url: slashed(&url), folder: join(root, &folder), collect, place })
}

/// A folder of the release, by the name that the settings have for theirs: a text, or a `Path`.
fn advised(settings: &[&Source]) -> String {
    let base = ["BASE_DIR", "PROJECT_DIR", "PROJECT_ROOT", "ROOT_DIR"].iter().find_map(|wanted| {
        let lines = settings.iter().flat_map(|source| &source.lines);
        lines.filter_map(Line::assigned).find(|(name, _)| name == wanted)
    });
    match base {
        Some((name, value)) if value.contains("os.path") && !value.contains("Path(") => {
            format!("os.path.join({name}, \"staticfiles\")")
        }
        Some((name, _)) => format!("{name} / \"staticfiles\""),
        None => "BASE_DIR / \"staticfiles\"".to_owned(),
    }
}

/// What django-compressor makes ahead is made where static files are collected.
fn compressed(settings: &[&Source]) -> bool {
    let ahead = |line: &Line| line.indent == 0 && line.assigned() == Some(("COMPRESS_OFFLINE", "True"));
    settings.iter().any(|source| source.lines.iter().any(ahead))
}

fn is_variable(text: &str) -> bool {
    text.len() > 2 && text.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

/// Beside the module that makes the application, unless its arguments say otherwise.
fn of_flask(tree: &Tree, sources: &[Source]) -> Option<Statics> {
    sources.iter().find_map(|source| {
        let line = source.lines.iter().find(|line| {
            ["= Flask(", "= APIFlask(", "= Quart(", "return Flask("]
                .iter()
                .any(|made| line.code.contains(made))
        })?;
        let folder = argument(line, "static_folder").unwrap_or("static");
        let folder = join(parent(&source.path), folder.trim_start_matches("./"));
        let url = argument(line, "static_url_path")
            .map_or_else(|| format!("/{}", folder.rsplit('/').next().unwrap_or("static")), str::to_owned);
        let place = Place::new(&source.path, line.number);
        let apart = slashed(&url) != "/" && tree.has_folder(&folder);
        apart.then(|| Statics { url: slashed(&url), folder, collect: None, place })
    })
}

/// `app.mount("/static", StaticFiles(directory=HERE / "static"))`
fn mounted(tree: &Tree, sources: &[Source]) -> Option<Statics> {
    let mount = |line: &Line| {
        let at = line.code.find("StaticFiles(")?;
        let texts = strings(&line.code);
        let url = texts.iter().find(|(place, text)| *place < at && text.starts_with('/'))?.1;
        let folder: Vec<String> =
            texts.iter().filter(|(place, _)| *place > at).map(|(_, text)| (*text).to_owned()).collect();
        Some((url.to_owned(), folder))
    };
    let ((url, parts), place) = first(sources, mount)?;
    let beside = parent(&place.file).to_owned();
    // The last text is the name (`name="static"`) where there are several.
    let named = parts.iter().flat_map(|part| {
        let part = part.trim_start_matches("./");
        [part.to_owned(), join(&beside, part), join(parent(&beside), part)]
    });
    let folder = named.into_iter().find(|folder| !folder.is_empty() && tree.has_folder(folder))?;
    (url != "/").then(|| Statics { url: slashed(&url), folder, collect: None, place })
}

/// The text of `key="…"`.
fn argument<'a>(line: &'a Line, key: &str) -> Option<&'a str> {
    let at = line.code.find(&format!("{key}="))?;
    let (place, text) = strings(&line.code).into_iter().find(|(place, _)| *place > at)?;
    (place == at + key.len() + 1).then_some(text)
}

/// `/static/`, as nginx wants a folder's address.
fn slashed(url: &str) -> String {
    match url.trim_matches('/') {
        "" => "/".to_owned(),
        plain => format!("/{plain}/"),
    }
}
