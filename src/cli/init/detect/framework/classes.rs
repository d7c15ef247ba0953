//! Classes whose objects are applications: those of the frameworks, and the application's own that inherit from them.

use crate::cli::init::detect::packages::Dependencies;
use crate::cli::init::detect::python::{Source, called, last};
use crate::cli::init::detect::{Framework, Interface};

type Kind = (Framework, Interface);

const CLASSES: [(&str, Framework, Interface); 10] = [
    ("Flask", Framework::Flask, Interface::Wsgi),
    ("APIFlask", Framework::Flask, Interface::Wsgi),
    ("FastAPI", Framework::FastApi, Interface::Asgi),
    ("Starlette", Framework::Starlette, Interface::Asgi),
    ("Quart", Framework::Quart, Interface::Asgi),
    ("Litestar", Framework::Litestar, Interface::Asgi),
    ("Bottle", Framework::Bottle, Interface::Wsgi),
    ("falcon.App", Framework::Falcon, Interface::Wsgi),
    ("falcon.API", Framework::Falcon, Interface::Wsgi),
    ("falcon.asgi.App", Framework::Falcon, Interface::Asgi),
];

/// Packages of frameworks. One that builds on another stands before it.
const PACKAGES: [(&str, Framework, Interface); 6] = [
    ("quart", Framework::Quart, Interface::Asgi),
    ("flask", Framework::Flask, Interface::Wsgi),
    ("fastapi", Framework::FastApi, Interface::Asgi),
    ("litestar", Framework::Litestar, Interface::Asgi),
    ("starlette", Framework::Starlette, Interface::Asgi),
    ("bottle", Framework::Bottle, Interface::Wsgi),
];

#[derive(Debug, Default)]
pub struct Classes {
    own: Vec<(String, Kind)>,
}

impl Classes {
    /// `class Shop(Flask)`, and what inherits from that.
    pub fn find(sources: &[Source]) -> Classes {
        let lines = || sources.iter().flat_map(|source| &source.lines).filter(|line| line.indent == 0);
        let defined: Vec<(&str, &str)> = lines().filter_map(|line| class(&line.code)).collect();
        let mut found = Classes::default();
        loop {
            let further = defined.iter().find_map(|(name, bases)| {
                let kind = bases.split(',').find_map(|base| found.kind(base.trim()))?;
                found.kind(name).is_none().then(|| ((*name).to_owned(), kind))
            });
            match further {
                Some(class) => found.own.push(class),
                None => return found,
            }
        }
    }

    /// What a call makes: `flask.Flask(__name__)`.
    pub fn made(&self, value: &str) -> Option<Kind> {
        self.kind(called(value.trim())?)
    }

    fn kind(&self, name: &str) -> Option<Kind> {
        let fits = |class: &str| name == class || (!class.contains('.') && last(name) == class);
        let known = CLASSES
            .iter()
            .find(|(class, ..)| fits(class))
            .map(|(_, framework, interface)| (*framework, *interface));
        known.or_else(|| self.own.iter().find(|(class, _)| fits(class)).map(|(_, kind)| *kind))
    }
}

/// Name and bases of the class that begins here.
fn class(code: &str) -> Option<(&str, &str)> {
    let (name, rest) = code.strip_prefix("class ")?.split_once('(')?;
    Some((name.trim(), rest.split(')').next().unwrap_or(rest)))
}

/// The framework that is installed, where it is one only.
pub fn installed(dependencies: &Dependencies) -> Option<Kind> {
    let has = |name: &str| dependencies.has(name) || name == "flask" && dependencies.has("apiflask");
    // Nobody knows which of the two it is.
    if has("django") || has("flask") && has("fastapi") {
        return None;
    }
    PACKAGES.iter().find(|(name, ..)| has(name)).map(|(_, framework, interface)| (*framework, *interface))
}

#[cfg(test)]
mod tests {
    use super::Classes;
    use crate::cli::init::detect::Framework;
    use crate::cli::init::detect::python::{Source, lines};

    #[test]
    fn what_inherits_is_one_as_well() {
        let text = "class Late(Shop, Mixin): pass\nclass Shop(Plugins, flask.Flask):\n    pass\nclass View(FlaskView): pass\n";
        let source = Source { path: "a.py".into(), module: "a".into(), lines: lines(text) };
        let classes = Classes::find(&[source]);
        let made = |value: &str| classes.made(value).map(|(framework, _)| framework);
        assert_eq!(made("Late(__name__)"), Some(Framework::Flask));
        assert_eq!(made("a.Shop()"), Some(Framework::Flask));
        assert_eq!((made("View()"), made("Shop")), (None, None));
    }
}
