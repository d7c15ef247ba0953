//! The path that tells whether all is well.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::init::detect::Place;
use crate::cli::init::detect::python::{Line, Source, last, strings};

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

/// So many files may take in one another.
const DEEPEST: usize = 5;

pub fn find(sources: &[Source]) -> Option<(String, Place)> {
    let routers = Routers::of(sources);
    PATHS.iter().find_map(|wanted| {
        let fits = |path: &&str| path.trim_matches('/') == *wanted;
        sources.iter().find_map(|source| {
            source.lines.iter().find_map(|line| {
                let path = routes(line).into_iter().find(fits)?;
                let path = format!("{}/{}", routers.prefix(source, DEEPEST)?, path.trim_start_matches('/'));
                Some((path, Place::new(&source.path, line.number)))
            })
        })
    })
}

/// Whether something answers at `/` itself, as far as can be told.
pub fn has_front(sources: &[Source]) -> bool {
    let routers = Routers::of(sources);
    let is_front = |line: &Line| routes(line).iter().any(|path| ["", "/", "^$"].contains(path));
    let mut fronts = sources.iter().filter(|source| source.lines.iter().any(is_front));
    fronts.any(|source| routers.prefix(source, DEEPEST).is_none_or(|prefix| prefix.is_empty()))
}

/// What is got: the paths of a decorator, or of a list of addresses.
fn routes(line: &Line) -> Vec<&str> {
    let calls: &[&str] = if line.code.starts_with('@') {
        &[".route(", ".get(", ".api_route("]
    } else {
        &["path(", "re_path(", "url(", "add_url_rule(", "add_api_route(", "Route("]
    };
    let listed = calls.iter().flat_map(|call| line.code.match_indices(call).map(|(at, _)| at + call.len()));
    listed.filter_map(|at| literal_at(&line.code, at)).collect()
}

/// The text in quotes that begins here; an f-string is none.
fn literal_at(code: &str, at: usize) -> Option<&str> {
    let rest = code.get(at..)?;
    let raw = rest.trim_start().strip_prefix(['r', 'R']).unwrap_or(rest.trim_start());
    let begins = at + rest.len() - raw.trim_start().len();
    strings(code).into_iter().find(|(place, _)| *place == begins).map(|(_, text)| text)
}

/// A blueprint or router begins.
fn makes(code: &str) -> bool {
    ["Blueprint(", "APIRouter("].iter().any(|made| code.contains(made))
}

/// Who takes in whose paths. All lines are looked at once: there may be hundreds of files with a router.
struct Routers<'a> {
    sources: &'a [Source],
    /// Lines with `include(`, `include_router(` or `register_blueprint(`, and in which file.
    takers: Vec<(&'a Source, &'a Line)>,
    /// How many files have one of this name: many call theirs `router`.
    names: BTreeMap<&'a str, usize>,
}

impl<'a> Routers<'a> {
    fn of(sources: &'a [Source]) -> Routers<'a> {
        let calls = ["include(", "include_router(", "register_blueprint("];
        let takes_any = |line: &&Line| calls.iter().any(|call| line.code.contains(call));
        let of_source =
            |source: &'a Source| source.lines.iter().filter(takes_any).map(move |line| (source, line));
        let takers = sources.iter().flat_map(of_source).collect();
        let mut names = BTreeMap::new();
        for source in sources {
            for name in made_in(source).collect::<BTreeSet<&str>>() {
                *names.entry(name).or_default() += 1;
            }
        }
        Routers { sources, takers, names }
    }

    /// What is put before the paths of a file: its own blueprint's, and that of whoever takes it in. `None` when unknown.
    fn prefix(&self, own: &Source, depth: usize) -> Option<String> {
        let made = own.lines.iter().find(|line| makes(&line.code));
        let inner = made.map_or(Some(String::new()), |line| prefix_of(line, self.sources))?;
        let names: Vec<&str> = made_in(own).filter(|name| self.names.get(name) == Some(&1)).collect();
        let others = self.takers.iter().filter(|(source, _)| source.path != own.path);
        let mut taken = others.filter(|(_, line)| takes_in(line, own, &names));
        let Some((by, line)) = taken.next() else { return Some(inner) };
        let given = if line.code.contains("include(") {
            included(line, own)?
        } else {
            prefix_of(line, self.sources)?
        };
        let outer = if depth == 0 { None } else { self.prefix(by, depth - 1) }?;
        Some(format!("{outer}{given}{inner}"))
    }
}

/// `names` are those of its routers that are no other's.
fn takes_in(line: &Line, own: &Source, names: &[&str]) -> bool {
    if line.code.contains("include(") {
        return line.code.replace('\'', "\"").contains(&format!("\"{}\"", own.module));
    }
    let stem = own.module.rsplit('.').next().unwrap_or(&own.module);
    line.has_word(stem) || names.iter().any(|name| line.has_word(name))
}

/// `api` of `api = APIRouter()`.
fn made_in(source: &Source) -> impl Iterator<Item = &str> {
    let made = source.lines.iter().filter(|line| makes(&line.code)).filter_map(Line::assigned);
    made.filter(|(_, value)| makes(value)).map(|(name, _)| name)
}

/// `/ops` of `path("ops/", include("ops.urls"))`, of a list of them that of this module.
fn included(line: &Line, own: &Source) -> Option<String> {
    let code = line.code.replace('\'', "\"");
    let texts = strings(&code);
    let at = texts.iter().position(|(_, text)| *text == own.module)?;
    let before = &code[..texts.get(at)?.0];
    let call = ["re_path(", "path(", "url("]
        .iter()
        .filter_map(|call| Some(before.rfind(call)? + call.len()))
        .max()?;
    let plain = literal_at(&code, call)?.trim_start_matches('^').trim_matches('/').to_owned();
    let is_plain = !plain.contains(['<', '^', '(', '$', '\\']);
    is_plain.then(|| if plain.is_empty() { plain } else { format!("/{plain}") })
}

/// `/api` of `url_prefix="/api"`, or of a constant that is written down somewhere; `None` when unknown.
fn prefix_of(line: &Line, sources: &[Source]) -> Option<String> {
    let Some(at) = line.code.find("prefix=").map(|at| at + "prefix=".len()) else {
        return Some(String::new());
    };
    let text = literal_at(&line.code, at).or_else(|| constant(&line.code[at..], sources))?;
    let path = text.trim_matches('/');
    // `/<lang>`: it differs from visit to visit.
    if path.contains(['<', '{', '(', '%']) {
        return None;
    }
    Some(if path.is_empty() { String::new() } else { format!("/{path}") })
}

/// The only text that is ever assigned to the name that stands here: of `settings.API_PREFIX` or `API_PREFIX`.
fn constant<'a>(code: &str, sources: &'a [Source]) -> Option<&'a str> {
    let dotted = code.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).next()?;
    let name = last(dotted);
    let assigned = sources.iter().flat_map(|source| &source.lines).filter_map(Line::assigned);
    let mut values = assigned.filter(|(found, _)| *found == name).map(|(_, value)| value);
    let value = values.next().filter(|_| !name.is_empty())?;
    let text = literal_at(value, 0)?;
    (values.next().is_none() && value.len() == text.len() + 2).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::{find, has_front};
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

    #[test]
    fn a_name_is_no_path_and_only_what_is_got_counts() {
        let list = "urlpatterns = [\n  path('', views.index, name='index'),\n  path('health', views.h, name='health'),\n]\n";
        assert_eq!(health(&[("shop/urls.py", list)]).as_deref(), Some("/health"));
        let named = "urlpatterns = [path('', views.index, name='status'), path(f'{x}ping', views.p)]\n";
        assert_eq!(health(&[("shop/urls.py", named)]), None);
        assert_eq!(health(&[("admin.py", "@admin.display(description='status')\ndef f(): pass\n")]), None);
    }

    #[test]
    fn whoever_takes_it_in_may_be_taken_in_and_a_constant_is_looked_up() {
        let files = [
            ("app/core/config.py", "class Settings(BaseSettings):\n    API_V1_STR: str = '/api/v1'\n"),
            ("app/main.py", "app.include_router(api_router, prefix=settings.API_V1_STR)\n"),
            ("app/api/main.py", "api_router = APIRouter()\napi_router.include_router(utils.router)\n"),
            (
                "app/api/routes/utils.py",
                "router = APIRouter(prefix='/utils')\n@router.get('/health-check/')\n",
            ),
        ];
        assert_eq!(health(&files).as_deref(), Some("/api/v1/utils/health-check/"));
        assert_eq!(
            health(&[(
                "h.py",
                "bp = Blueprint('h', __name__, url_prefix='/<lang>')\n@bp.route('/health')\n"
            )]),
            None
        );
        // Where nobody has written down what stands before it, it is not known.
        assert_eq!(health(&files[1..]), None);
        let list = "urlpatterns = [path('a/', include('a.urls')), path('ops/', include('ops.urls'))]\n";
        let ops = ("ops/urls.py", "urlpatterns = [path('healthz', views.h)]\n");
        assert_eq!(health(&[("config/urls.py", list), ops]).as_deref(), Some("/ops/healthz"));
    }

    #[test]
    fn the_front_page() {
        let front = |text: &str| {
            let mut tree = Tree::default();
            tree.add("a.py", text.to_owned());
            has_front(&tree.sources(""))
        };
        assert!(front("@app.route('/')\ndef index(): pass\n"));
        assert!(front("urlpatterns = [path('', views.index, name='index')]\n"));
        assert!(front("urlpatterns = [re_path(r'^$', views.index)]\n"));
        assert!(!front("bp = Blueprint('x', __name__, url_prefix='/api')\n@bp.get('/')\n"));
        assert!(!front("@app.get('/posts')\n"));
    }
}
