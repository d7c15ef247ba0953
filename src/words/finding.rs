//! What a look at a host found, before anything is done to it.

use serde::Serialize;

/// From good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Ok,
    /// Worth knowing; nothing has to be done.
    Note,
    /// It may go well.
    Warning,
    /// A run would fail, or not do what it is for.
    Problem,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// `dns`, `disk` …
    pub topic: &'static str,
    pub level: Level,
    /// What there is, or what is wrong.
    pub what: String,
    /// Why it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The exact thing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub todo: Option<String>,
}

impl Finding {
    fn new(level: Level, topic: &'static str, what: impl Into<String>) -> Finding {
        Finding { topic, level, what: what.into(), why: None, todo: None }
    }
    pub fn ok(topic: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(Level::Ok, topic, what)
    }
    pub fn note(topic: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(Level::Note, topic, what)
    }
    pub fn warning(topic: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(Level::Warning, topic, what)
    }
    pub fn problem(topic: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(Level::Problem, topic, what)
    }
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Finding {
        self.why = Some(why.into());
        self
    }
    #[must_use]
    pub fn todo(mut self, todo: impl Into<String>) -> Finding {
        self.todo = Some(todo.into());
        self
    }
}
