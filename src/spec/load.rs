//! From a task as written and a host's variables to the typed task: rendered, read, its files loaded.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use handlebars::Context;

use crate::spec::fault::{At, Fault};
use crate::spec::late::LateNames;
use crate::spec::mentions::Mentions;
use crate::spec::mistake::Mistake;
use crate::spec::resolve::{Poison, poisoned};
use crate::spec::secrets::Secrets;
use crate::spec::source::{Span, TextFile};
use crate::spec::tasks::TaskPlan;
use crate::spec::vars::{Templates, locate};
use crate::task::{Inputs, Task};
use crate::words::content::{Content, Files, TreeEntry};
use crate::words::secret::Mask;

/// What every host shares while tasks are loaded.
pub struct Sources {
    pub files: Arc<dyn Files + Send + Sync>,
    pub templates: Templates,
    pub secrets: Secrets,
    pub mask: Mask,
    /// By the template files that were read.
    pub mentioned: Mutex<Mentions>,
}

#[derive(Debug)]
pub struct Loaded {
    pub task: Arc<dyn Task>,
    /// What its template files mention.
    pub mentions: Mentions,
    /// The value that names the task when nothing else does.
    pub main: Option<toml::Value>,
}

/// Why it was not loaded.
#[derive(Debug, Default)]
pub struct Failed {
    pub mistakes: Vec<Mistake>,
    /// A template file mentions what only the run knows: registered names, or just `os`.
    pub late: Option<Vec<String>>,
}

/// `late` is `None` in a run, when everything is known.
pub fn instantiate(
    plan: &TaskPlan,
    context: &Context,
    poison: &[Poison],
    late: Option<&LateNames>,
    sources: &Sources,
) -> Result<Loaded, Failed> {
    let call = &plan.call;
    let mut faults: Vec<(Span, Fault)> = vec![];
    let rendered = call.args.render(context, &mut faults);
    let mut mistakes: Vec<Mistake> =
        faults.iter().map(|(span, fault)| locate(&call.file, span, fault)).collect();
    let ignored = faulty_keys(plan, &faults);
    let toml::Value::Table(table) = rendered else { return Err(Failed { mistakes, late: None }) };
    let main = plan.main_key().and_then(|key| table.get(key)).cloned();
    let mut task = match call.parse(table, ignored) {
        Ok(task) if mistakes.is_empty() => task,
        Ok(_) => return Err(Failed { mistakes, late: None }),
        Err(more) => {
            mistakes.extend(more);
            return Err(Failed { mistakes, late: None });
        }
    };
    let inputs = HostInputs { context, poison, late, names_only: false, sources, seen: Mutex::default() };
    let loaded = task.load(&inputs);
    let seen = inputs.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    match loaded {
        _ if seen.late.is_some() => Err(Failed { mistakes, late: seen.late }),
        Ok(()) => Ok(Loaded { task: Arc::from(task), mentions: seen.mentions, main }),
        // The mistake in the template file itself says more than "cannot render".
        Err(_) if !seen.mistakes.is_empty() => Err(Failed { mistakes: seen.mistakes, late: None }),
        Err(mistake) => Err(Failed { mistakes: vec![call.about(&mistake)], late: None }),
    }
}

/// Names that template files mention and nobody gives, where the rest of them waits for the run. `context` has
/// placeholders for what that will know.
pub fn unnamed(plan: &TaskPlan, context: &Context, poison: &[Poison], sources: &Sources) -> Vec<Mistake> {
    let rendered = plan.call.args.render(context, &mut vec![]);
    let toml::Value::Table(table) = rendered else { return vec![] };
    let Ok(mut task) = plan.call.parse(table, BTreeSet::new()) else { return vec![] };
    let inputs =
        HostInputs { context, poison, late: None, names_only: true, sources, seen: Mutex::default() };
    // What the placeholders are does not matter.
    let _ = task.load(&inputs);
    inputs.seen.into_inner().unwrap_or_else(PoisonError::into_inner).mistakes
}

/// Keys whose templates failed: nothing more is said about their values.
pub fn faulty_keys(plan: &TaskPlan, faults: &[(Span, Fault)]) -> BTreeSet<String> {
    let within =
        |outer: &Span| faults.iter().any(|(span, _)| outer.start <= span.start && span.end <= outer.end);
    let entries = plan.call.node.entries().iter();
    entries.filter(|entry| within(&entry.node.span)).map(|entry| entry.key.clone()).collect()
}

struct HostInputs<'a> {
    context: &'a Context,
    poison: &'a [Poison],
    late: Option<&'a LateNames>,
    /// Of all faults only names that are not defined.
    names_only: bool,
    sources: &'a Sources,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    mentions: Mentions,
    mistakes: Vec<Mistake>,
    late: Option<Vec<String>>,
}

impl Files for HostInputs<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.sources.files.read(path)
    }
    fn shown(&self, path: &str) -> String {
        self.sources.files.shown(path)
    }
    fn content(&self, path: &str) -> Result<Content, String> {
        self.sources.files.content(path)
    }
    fn tree(&self, path: &str) -> Result<Vec<TreeEntry>, String> {
        self.sources.files.tree(path)
    }
    fn ignored(&self, path: &str) -> Result<BTreeSet<String>, String> {
        self.sources.files.ignored(path)
    }
    fn revision(&self, path: &str) -> Result<String, String> {
        self.sources.files.revision(path)
    }
}

impl Inputs for HostInputs<'_> {
    fn render(&self, name: &str, text: &str) -> Result<String, String> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let faults = match self.sources.templates.compile(text) {
            Err(fault) => vec![fault],
            Ok(compiled) => {
                seen.mentions.extend(&compiled.mentions);
                let mentioned = &self.sources.mentioned;
                mentioned.lock().unwrap_or_else(PoisonError::into_inner).extend(&compiled.mentions);
                // Before it may wait for the run: what cannot be had now cannot be had then.
                let poisoned: Vec<Mistake> = poisoned(self.poison, &compiled.mentions).cloned().collect();
                if let Some(first) = poisoned.first() {
                    let message = first.message.clone();
                    seen.mistakes.extend(poisoned);
                    return Err(message);
                }
                if let Some(needs) = self.late.and_then(|late| late.needs(&compiled.mentions)) {
                    seen.late.get_or_insert_default().extend(needs);
                    return Err("known in the run only".into());
                }
                match compiled.render(self.context) {
                    Ok(text) => return Ok(text),
                    Err(fault) => {
                        let all = compiled.faults(self.context);
                        if all.is_empty() { vec![fault] } else { all }
                    }
                }
            }
        };
        let file = Arc::new(TextFile::new(name, text));
        for fault in faults.iter().filter(|fault| !self.names_only || matches!(fault.at, At::Word(_))) {
            let span = fault.span_in_file(text);
            let mistake = Mistake::at(&file, span, &fault.message).label(fault.label);
            seen.mistakes.push(mistake.maybe_help(fault.help.clone()));
        }
        Err(faults.first().map_or_else(String::new, |fault| fault.message.clone()))
    }
    fn is_secret(&self, text: &str) -> bool {
        self.sources.secrets.is_in(text)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use handlebars::Context;
    use serde_json::json;

    use super::{HostInputs, Seen, Sources};
    use crate::spec::late::LateNames;
    use crate::spec::secrets::Secrets;
    use crate::spec::vars::Templates;
    use crate::task::Inputs as _;
    use crate::words::content::{Content, Files, TreeEntry};
    use crate::words::secret::Mask;

    struct NoFiles;

    impl Files for NoFiles {
        fn read(&self, path: &str) -> Result<Vec<u8>, String> {
            Err(path.to_owned())
        }
        fn content(&self, path: &str) -> Result<Content, String> {
            Err(path.to_owned())
        }
        fn tree(&self, path: &str) -> Result<Vec<TreeEntry>, String> {
            Err(path.to_owned())
        }
    }

    fn render(text: &str) -> (Result<String, String>, Seen) {
        let sources = Sources {
            files: Arc::new(NoFiles),
            templates: Templates::default(),
            secrets: Secrets::default(),
            mask: Mask::default(),
            mentioned: Mutex::default(),
        };
        let names = LateNames { registered: ["built".to_owned()].into() };
        let context = Context::from(json!({ "app": { "name": "shop" } }));
        let inputs = HostInputs {
            context: &context,
            poison: &[],
            late: Some(&names),
            names_only: false,
            sources: &sources,
            seen: Mutex::default(),
        };
        let rendered = inputs.render("site.conf.hbs", text);
        (rendered, inputs.seen.into_inner().unwrap())
    }

    #[test]
    fn every_mistake_of_a_template_file_points_into_it() {
        let (rendered, seen) = render("a {{app.name}}\nb {{app.nmae}}\nc {{#if nope}}x{{/if}}\n");
        assert!(rendered.is_err());
        let places: Vec<(String, usize)> = seen
            .mistakes
            .iter()
            .map(|mistake| {
                let file = mistake.file.as_ref().unwrap();
                (file.name.clone(), file.line(mistake.span.start))
            })
            .collect();
        assert_eq!(places, [("site.conf.hbs".to_owned(), 2), ("site.conf.hbs".to_owned(), 3)]);
        let (_, seen) = render("{{lower app.name}}\nü {{lower app}} {{app}}\n");
        let lines: Vec<_> =
            seen.mistakes.iter().map(|m| m.file.as_ref().unwrap().text[m.span.clone()].to_owned()).collect();
        assert_eq!(lines, ["{{lower app}}", "app"], "what a function refuses");
        let (_, seen) = render("fine\n{{#if app.name}}\n");
        assert_eq!(seen.mistakes.len(), 1, "a template that cannot be read");
    }

    #[test]
    fn a_template_file_that_needs_the_run_waits_for_it() {
        assert_eq!(render("{{built.stdout}}").1.late, Some(vec!["built".to_owned()]));
        assert_eq!(render("{{#if (eq os.family \"debian\")}}x{{/if}}").1.late, Some(vec![]));
        let (rendered, seen) = render("{{#each app as |os|}}{{os}}{{/each}}");
        assert_eq!((rendered.as_deref(), seen.late), (Ok("shop"), None), "a block's own name");
    }
}
