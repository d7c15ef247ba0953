//! What is wrong with what the user wrote: all of it at once, each with file, line, caret and advice.

use std::fmt;
use std::sync::Arc;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};

use crate::spec::hidden;
use crate::spec::secrets::Wanted;
use crate::spec::source::{Span, TextFile};
use crate::words::error::Error;
use crate::words::names::HostName;
use crate::words::plural::{count, list};
use crate::words::secret::Mask;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// `None`: it was on the command line.
    pub file: Option<Arc<TextFile>>,
    pub span: Span,
    pub message: String,
    /// Beside the caret: what was expected.
    pub label: String,
    /// What to do: "did you mean …?".
    pub help: Option<String>,
    /// For mistakes that only show with the variables of some hosts.
    pub hosts: Vec<HostName>,
    /// A mistake only as long as this has not been fetched.
    pub wanted: Option<Wanted>,
}

impl Mistake {
    pub fn at(file: &Arc<TextFile>, span: Span, message: impl Into<String>) -> Mistake {
        Mistake { file: Some(file.clone()), span, ..Mistake::argument(message) }
    }
    pub fn whole_file(file: &Arc<TextFile>, message: impl Into<String>) -> Mistake {
        Mistake::at(file, 0..0, message)
    }
    /// A mistake on the command line.
    pub fn argument(message: impl Into<String>) -> Mistake {
        Mistake {
            file: None,
            span: 0..0,
            message: message.into(),
            label: String::new(),
            help: None,
            hosts: vec![],
            wanted: None,
        }
    }
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Mistake {
        self.label = label.into();
        self
    }
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Mistake {
        self.help = Some(help.into());
        self
    }
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Mistake {
        self.help = help.or(self.help);
        self
    }
    #[must_use]
    pub fn on(mut self, host: &HostName) -> Mistake {
        self.hosts.push(host.clone());
        self
    }
}

/// Every mistake of a project, in the order of the files.
#[derive(Clone, Debug, Default)]
pub struct Mistakes {
    pub list: Vec<Mistake>,
    /// What no message may show of the files of these names.
    hidden: Vec<(String, Span)>,
}

impl Mistakes {
    /// One, on the command line.
    pub fn argument(message: impl Into<String>) -> Mistakes {
        Mistakes { list: vec![Mistake::argument(message)], ..Mistakes::default() }
    }
    /// The same mistake on another host only adds the host.
    pub fn push(&mut self, mistake: Mistake) {
        let same = self.list.iter_mut().rev().find(|known| {
            known.span == mistake.span
                && known.message == mistake.message
                && known.file.as_ref().map(|file| &file.name) == mistake.file.as_ref().map(|file| &file.name)
        });
        match same {
            Some(known) => {
                for host in mistake.hosts {
                    if !known.hosts.contains(&host) {
                        known.hosts.push(host);
                    }
                }
            }
            None => self.list.push(mistake),
        }
    }
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
    /// What would have been fetched, had nothing else been wrong, is no mistake.
    #[must_use]
    pub fn without_wanted(mut self) -> Mistakes {
        self.list.retain(|mistake| mistake.wanted.is_none());
        self
    }
    pub fn hide(&mut self, file: &TextFile, spans: Vec<Span>) {
        self.hidden.extend(spans.into_iter().map(|span| (file.name.clone(), span)));
    }
    pub fn or<T>(self, value: T) -> Result<T, Mistakes> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }

    /// Puts them into the order of the files, says how many hosts are concerned, and hides secrets.
    #[must_use]
    pub fn finish(mut self, hosts: usize, mask: &Mask) -> Mistakes {
        let files: Vec<String> =
            self.list.iter().filter_map(|m| Some(m.file.as_ref()?.name.clone())).collect();
        let place = |m: &Mistake| {
            let file = m.file.as_ref().and_then(|file| files.iter().position(|name| *name == file.name));
            (file, m.span.start)
        };
        self.list.sort_by_key(place);
        for mistake in &mut self.list {
            if !mistake.hosts.is_empty() && mistake.hosts.len() < hosts {
                mistake.message = format!("{} (on {})", mistake.message, some_hosts(&mistake.hosts));
            }
            mistake.message = mask.apply(&mistake.message);
            mistake.label = mask.apply(&mistake.label);
            mistake.help = mistake.help.as_ref().map(|help| mask.apply(help));
        }
        self
    }

    /// For people: source lines with carets, as wide as their terminal; ends with the count for each file.
    pub fn render(&self, width: usize, colour: bool) -> String {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(width.max(40)).with_links(false);
        let mut out = String::new();
        for mistake in &self.list {
            // Writing to a string does not fail; a span outside the text is clamped by `Shown`.
            let _ = handler.render_report(&mut out, &Shown::new(mistake, &self.hidden));
            out.push('\n');
        }
        out.push_str(&self.tally());
        out.push('\n');
        out
    }

    /// `3 mistakes in site.toml and 1 in inventory.toml`.
    fn tally(&self) -> String {
        let mut files: Vec<(&str, usize)> = vec![];
        for mistake in &self.list {
            let name = mistake.file.as_ref().map_or("the arguments", |file| file.name.as_str());
            match files.iter_mut().find(|(known, _)| *known == name) {
                Some((_, n)) => *n += 1,
                None => files.push((name, 1)),
            }
        }
        let parts = files.iter().enumerate().map(|(i, (name, n))| {
            let n = if i == 0 { count(*n, "mistake") } else { n.to_string() };
            format!("{n} in {name}")
        });
        list(&parts.collect::<Vec<_>>(), "and")
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.tally())
    }
}

impl std::error::Error for Mistakes {}

impl From<Mistakes> for Error {
    fn from(mistakes: Mistakes) -> Error {
        let causes = mistakes.list.iter().map(|mistake| mistake.message.clone()).collect();
        Error { causes, ..Error::config(mistakes.tally()) }
    }
}

fn some_hosts(hosts: &[HostName]) -> String {
    match hosts {
        [first, second, _, rest @ ..] => {
            format!("{first}, {second} and {} more", rest.len() + 1)
        }
        few => list(few, "and"),
    }
}

/// A mistake as miette wants it.
#[derive(Debug)]
struct Shown<'a> {
    mistake: &'a Mistake,
    source: Option<NamedSource<String>>,
    span: Span,
}

impl Shown<'_> {
    fn new<'m>(mistake: &'m Mistake, hidden: &[(String, Span)]) -> Shown<'m> {
        let Some(file) = &mistake.file else { return Shown { mistake, source: None, span: 0..0 } };
        let spans: Vec<Span> =
            hidden.iter().filter(|(name, _)| *name == file.name).map(|(_, span)| span.clone()).collect();
        let shown = hidden::Shown::new(&file.text, &spans);
        let (text, length) = (&file.text, file.text.len());
        let start = mistake.span.start.min(length);
        let end = mistake.span.end.clamp(start, length);
        // A table's span can be the whole file below it: its first line is where it stands.
        let end = text.get(start..end).map_or(end, |part| start + part.lines().next().unwrap_or("").len());
        let span = shown.at(start)..shown.at(end);
        Shown { mistake, source: Some(NamedSource::new(&file.name, shown.text)), span }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.mistake.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.mistake.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }
    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }
    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.source.as_ref()?;
        let label = Some(self.mistake.label.clone()).filter(|label| !label.is_empty());
        let Span { start, end } = self.span;
        Some(Box::new(std::iter::once(LabeledSpan::new(label, start, end.saturating_sub(start)))))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Mistake, Mistakes};
    use crate::spec::source::TextFile;
    use crate::words::names::HostName;
    use crate::words::secret::{Mask, Secret};

    #[test]
    fn hosts_with_the_same_mistake_are_one_mistake() {
        let file = Arc::new(TextFile::new("site.toml", "a = 1\n"));
        let mut mistakes = Mistakes::default();
        for host in ["a", "b", "c"] {
            mistakes.push(Mistake::at(&file, 0..1, "wrong hunter22").on(&HostName::new(host).unwrap()));
        }
        let mask = Mask::new([&Secret::new("hunter22".into())]);
        let shown = mistakes.finish(5, &mask).render(80, false);
        assert!(shown.contains("wrong ••• (on a, b and 1 more)"), "{shown}");
        assert!(shown.contains("[site.toml:1:1]"), "{shown}");
        assert!(shown.ends_with("1 mistake in site.toml\n"), "{shown}");
    }

    #[test]
    fn a_span_outside_of_the_text_is_no_panic() {
        let file = Arc::new(TextFile::new("x", "ä"));
        let list = vec![Mistake::at(&file, 5..9, "m"), Mistake::at(&file, 1..2, "n")];
        let mistakes = Mistakes { list, ..Mistakes::default() };
        mistakes.render(0, true);
    }
}
