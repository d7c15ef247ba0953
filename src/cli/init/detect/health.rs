//! The path that tells whether all is well.

use crate::cli::init::detect::Place;
use crate::cli::init::detect::python::{Line, Source, strings};

/// Best first: those that look at the database as well are usually called by the first names.
const PATHS: [&str; 12] = [
    "healthz",
    "health",
    "readyz",
    "ready",
    "healthcheck",
    "health-check",
    "health_check",
    "_health",
    "livez",
    "status",
    "ping",
    "up",
];

pub fn find(sources: &[Source]) -> Option<(String, Place)> {
    PATHS.iter().find_map(|wanted| {
        sources.iter().find_map(|source| {
            let line = source.lines.iter().find_map(|line| Some((line, route(line, wanted)?)));
            let (line, path) = line?;
            let path = format!("{}{path}", prefix(sources, source)?);
            Some((path, Place::new(&source.path, line.number)))
        })
    })
}

/// The path of a decorator or of a list of addresses, when it is the wanted one.
fn route(line: &Line, wanted: &str) -> Option<String> {
    let decorator = line.code.starts_with('@');
    let listed =
        ["path(", "add_url_rule(", "add_api_route(", "Route("].iter().any(|call| line.code.contains(call));
    if !(decorator || listed) || line.code.contains(".post(") {
        return None;
    }
    let fits = |text: &&str| text.trim_start_matches('/').trim_end_matches('/') == wanted;
    let text = line.strings().into_iter().find(fits)?;
    // A list's name (`name="health"`) is no path.
    let named = line.code.contains(&format!("name=\"{text}\"")) && line.strings().first() != Some(&text);
    (!named).then(|| format!("/{}", text.trim_start_matches('/')))
}

/// What is put before the paths of a file: its own blueprint's, or that of whoever takes it in. `None` when unknown.
fn prefix(sources: &[Source], own: &Source) -> Option<String> {
    let mut inside = own
        .lines
        .iter()
        .filter(|line| ["Blueprint(", "APIRouter("].iter().any(|made| line.code.contains(made)));
    let mut before = inside.find_map(prefix_of).unwrap_or_default();
    let stem = own.module.rsplit('.').next().unwrap_or(&own.module);
    let django = format!("{}\"", own.module);
    for line in sources.iter().filter(|source| source.path != own.path).flat_map(|source| &source.lines) {
        let takes_in = ["register_blueprint(", "include_router("].iter().any(|call| line.code.contains(call))
            && line.has_word(stem);
        if takes_in && let Some(outer) = prefix_of(line) {
            before = format!("{outer}{before}");
        }
        let included = line.code.contains("include(") && line.code.replace('\'', "\"").contains(&django);
        if included {
            let outer =
                strings(&line.code.replace('\'', "\"")).first().map(|(_, text)| (*text).to_owned())?;
            let plain = outer.trim_matches('/');
            if plain.contains(['<', '^', '(']) {
                return None;
            }
            before = if plain.is_empty() { before } else { format!("/{plain}{before}") };
        }
    }
    Some(before)
}

/// `/api` of `url_prefix="/api"`.
fn prefix_of(line: &Line) -> Option<String> {
    let at = line.code.find("prefix=")? + "prefix=".len();
    let (place, text) = strings(&line.code).into_iter().find(|(place, _)| *place >= at)?;
    (place == at).then(|| format!("/{}", text.trim_matches('/'))).filter(|prefix| prefix != "/")
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::cli::init::tree::Tree;

    fn health(files: &[(&str, &str)]) -> Option<String> {
        let mut tree = Tree::default();
        for (path, text) in files {
            tree.add(path, (*text).to_owned());
        }
        find(&tree.sources("")).map(|(path, _)| path)
    }

    #[test]
    fn with_what_is_put_before_it() {
        assert_eq!(
            health(&[("a.py", "@app.get('/ping')\n@app.get(\"/healthz\")\n")]).as_deref(),
            Some("/healthz")
        );
        let blueprint = "bp = Blueprint('h', __name__, url_prefix='/internal')\n@bp.route('/health/')\n";
        assert_eq!(health(&[("h.py", blueprint)]).as_deref(), Some("/internal/health/"));
        let taken = ("main.py", "app.include_router(system.router, prefix=\"/api\")\n");
        assert_eq!(
            health(&[taken, ("routers/system.py", "@router.get('/health')\n")]).as_deref(),
            Some("/api/health")
        );
        let urls = ("config/urls.py", "urlpatterns = [path('ops/', include('ops.urls'))]\n");
        assert_eq!(
            health(&[urls, ("ops/urls.py", "urlpatterns = [path('healthz', views.h)]\n")]).as_deref(),
            Some("/ops/healthz")
        );
        assert_eq!(health(&[("a.py", "@app.post('/health')\nx = 'health'\n")]), None);
    }
}
