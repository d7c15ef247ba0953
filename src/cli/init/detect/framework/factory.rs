//! Functions that make an application: `create_app()`.

use crate::cli::init::detect::framework::Candidate;
use crate::cli::init::detect::framework::classes::Classes;
use crate::cli::init::detect::python::{Line, Source, words};
use crate::cli::init::detect::{Framework, Interface, Place, Trap};

#[derive(Clone, Debug)]
pub(super) struct Factory {
    pub module: String,
    pub name: String,
    pub framework: Framework,
    pub interface: Interface,
    /// Parameters without a default.
    required: Vec<String>,
    place: Place,
}

pub(super) fn find(sources: &[Source], classes: &Classes) -> Vec<Factory> {
    sources.iter().flat_map(|source| in_source(source, classes)).collect()
}

fn in_source(source: &Source, classes: &Classes) -> Vec<Factory> {
    let begins = source.lines.iter().enumerate().filter(|(_, line)| line.indent == 0);
    let made = begins.filter_map(|(at, line)| {
        let (name, parameters) = line.function()?;
        let body = source.lines[at + 1..].iter().take_while(|line| line.indent > 0);
        let (framework, interface) = body.into_iter().find_map(|line| makes(line, classes))?;
        Some(Factory {
            module: source.module.clone(),
            name: name.to_owned(),
            framework,
            interface,
            required: required(parameters),
            place: Place::new(&source.path, line.number),
        })
    });
    made.collect()
}

fn makes(line: &Line, classes: &Classes) -> Option<(Framework, Interface)> {
    let value = line.assigned().map(|(_, value)| value).or_else(|| line.code.strip_prefix("return "))?;
    classes.made(value)
}

/// `config` of `config, debug=False, *args`. Brackets in annotations and defaults do not divide.
pub(super) fn required(parameters: &str) -> Vec<String> {
    let (mut depth, mut parts) = (0usize, vec![String::new()]);
    for c in parameters.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    let bare = |part: &String| {
        !part.trim().is_empty() && !part.contains('=') && !part.trim().starts_with(['*', '/'])
    };
    parts
        .iter()
        .filter(|part| bare(part))
        .filter_map(|part| words(part).next().map(|(_, name)| name.to_owned()))
        .collect()
}

impl Factory {
    /// It can be called without saying anything.
    pub fn candidate(&self) -> Option<Candidate> {
        self.required.is_empty().then(|| Candidate {
            module: self.module.clone(),
            attribute: format!("{}()", self.name),
            framework: self.framework,
            interface: self.interface,
            place: self.place.clone(),
            reads_arguments: false,
        })
    }

    pub fn trap(&self) -> Option<Trap> {
        let parameter = self.required.first()?;
        let Factory { module, name, place, .. } = self;
        Some(Trap::at(
            &place.file,
            place.line,
            format!("{name}() wants `{parameter}`, and nobody can guess it"),
            format!("say it: --entry \"{module}:{name}('production')\""),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::required;

    #[test]
    fn parameters_without_default() {
        assert_eq!(required("config: dict[str, int], *, x=(1, 2), y: str = 'a'"), ["config"]);
        assert!(required("config=None, **kwargs").is_empty());
        assert!(required("").is_empty());
    }
}
