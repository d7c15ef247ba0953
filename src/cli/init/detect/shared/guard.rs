//! Files that the application itself hands out, to whom it wants: nginx would give them to everybody.

use crate::cli::init::detect::Trap;
use crate::cli::init::detect::python::{Source, strings};
use crate::cli::init::detect::shared::Look;

/// What Django's addresses are made with.
const ROUTES: [&str; 3] = ["re_path(", "path(", "url("];

impl Look<'_> {
    /// Why nginx must not serve a folder at this address, and where that stands.
    pub fn guard(&self, url: &str, folder: &str, settings: &[&Source]) -> Option<Trap> {
        let then = format!(
            "nothing to do; where everybody may see all of it: `media = [{{ url = \"{url}\", folder = \"{folder}\" }}]` in inventory.toml"
        );
        let database = settings.iter().find_map(|source| {
            let line = source.lines.iter().find(|line| has_database(&line.code, folder))?;
            Some((source.path.as_str(), line.number, format!("a database may lie in {folder}/")))
        });
        let route = || {
            self.sources.iter().find_map(|source| {
                let line = source.lines.iter().find(|line| {
                    routes(&line.code).any(|(address, view)| is_at(address, url) && !is_open(view, source))
                })?;
                Some((source.path.as_str(), line.number, format!("the application answers at {url} itself")))
            })
        };
        let (path, line, why) = database.or_else(route)?;
        Some(Trap::at(path, line, format!("{why}, so nginx is not told to serve {folder}/ there"), then))
    }
}

/// A file of SQLite that a line of the settings puts into a folder.
fn has_database(code: &str, folder: &str) -> bool {
    let texts = || strings(code).into_iter().map(|(_, text)| text);
    let is_file = |text: &str| {
        [".sqlite", ".sqlite3", ".db"].iter().any(|ending| text.ends_with(ending))
            || text.starts_with("sqlite:")
    };
    let last = folder.rsplit('/').next().unwrap_or(folder);
    let inside = code.contains("MEDIA_ROOT") || texts().any(|text| text.split('/').any(|part| part == last));
    texts().any(is_file) && inside
}

/// The address and the view of every route in a line, which may be a whole list of them.
fn routes(code: &str) -> impl Iterator<Item = (&str, &str)> {
    let starts = ROUTES.iter().flat_map(|call| code.match_indices(call)).filter_map(|(at, call)| {
        // `re_path(` is no `path(`.
        let is_word = code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
        (!is_word).then_some(at + call.len())
    });
    starts.filter_map(|start| {
        let rest = &code[start..];
        let parts = arguments(rest);
        Some((*parts.first()?, *parts.get(1)?))
    })
}

/// The arguments of a call, up to its closing bracket.
fn arguments(rest: &str) -> Vec<&str> {
    let quoted = strings(rest);
    let is_quoted =
        |at: usize| quoted.iter().any(|(begin, text)| (*begin..begin + text.len() + 2).contains(&at));
    let (mut depth, mut begin, mut found) = (0usize, 0, vec![]);
    for (at, c) in rest.char_indices().filter(|(at, _)| !is_quoted(*at)) {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth > 0 => depth -= 1,
            ')' => {
                found.push(rest[begin..at].trim());
                return found;
            }
            ',' if depth == 0 => {
                found.push(rest[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    found
}

/// Whether a route is at that address, above it or below it.
fn is_at(address: &str, url: &str) -> bool {
    let plain = url.trim_matches('/');
    let text = strings(address).first().map_or("", |(_, text)| text.trim_start_matches(['^', '/']));
    let is_below = text
        .strip_prefix(plain)
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-'));
    let is_above = text.ends_with('/') && format!("{plain}/").starts_with(text);
    is_below || is_above || address.contains("MEDIA_URL")
}

/// Django's own view, which asks nobody who he is.
fn is_open(view: &str, source: &Source) -> bool {
    let own = source.lines.iter().any(|line| line.code.contains("django.views.static"));
    own && ["serve", "static.serve", "views.static.serve", "django.views.static.serve"].contains(&view)
}

#[cfg(test)]
mod tests {
    use super::{has_database, is_at, routes};

    #[test]
    fn routes_and_their_views() {
        let list = "urlpatterns = [path('', home), re_path(r'^media/(?P<path>.*)$', login_required(serve), {'a': [1, 2]}), url(\"x)\", y)]";
        let found: Vec<(&str, &str)> = routes(list).collect();
        assert_eq!(
            found,
            [("r'^media/(?P<path>.*)$'", "login_required(serve)"), ("''", "home"), ("\"x)\"", "y")]
        );
        for at in [
            "r'^media/(?P<path>.*)$'",
            "'media/<path:path>'",
            "'/media'",
            "f'{settings.MEDIA_URL}x'",
            "'media/in/x'",
        ] {
            assert!(is_at(at, "/media/"), "{at}");
        }
        for not in ["'mediathek/'", "'media-list/'", "''", "'api/media/'"] {
            assert!(!is_at(not, "/media/"), "{not}");
        }
        assert!(is_at("'files/'", "/files/media/"));
    }

    #[test]
    fn databases_in_a_folder() {
        assert!(has_database("DATABASES = {'default': {'NAME': MEDIA_ROOT / 'a.sqlite3'}}", "data"));
        assert!(has_database("DATABASES = {'default': {'NAME': BASE_DIR / 'data' / 'a.db'}}", "var/data"));
        assert!(has_database("X = env('DATABASE_URL', default='sqlite:///data/a')", "data"));
        assert!(!has_database("DATABASES = {'default': {'NAME': BASE_DIR / 'a.sqlite3'}}", "data"));
    }
}
