//! The lock of an application: the scripts that take, renew and give it back, and what a host says of them.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::task::releases::intent::{ByStage, Work};
use crate::task::releases::{App, STATE, sites};
use crate::words::error::{Error, Kind, Result};
use crate::words::shell::quote;

const INTENT: &str = include_str!("intent.sh");

/// Who has it, as that host knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub run: String,
    /// `user@machine`
    pub holder: String,
    /// In seconds, by the host's own uptime.
    pub age: u64,
}

impl Holder {
    /// From the lines that `held` says; `None` where it is free.
    pub fn parse(text: &str) -> Option<Holder> {
        let value = |key: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            found.map(str::to_owned)
        };
        let rest = |key: &str| value(key).unwrap_or_default();
        Some(Holder { run: value("held")?, holder: rest("holder"), age: rest("age").parse().unwrap_or(0) })
    }

    pub fn refusal(&self, app: &str) -> Error {
        Error::new(Kind::Locked, format!("{app} is locked"))
            .cause(format!("{} is at work on it for {} s (run {})", self.holder, self.age, self.run))
            .hint(format!("wait for it; if nobody is at work there any more: tow unlock {}", self.run))
    }
}

/// Who asks for it.
#[derive(Clone, Debug, Default)]
pub struct Claim {
    pub run: String,
    pub holder: String,
    /// Runs that are known to have ended without giving it back.
    pub dead: Vec<String>,
}

/// How a run has ended, on all its hosts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Well,
    Failed,
    Interrupted,
    Lost,
}

impl End {
    fn word(self) -> &'static str {
        match self {
            End::Well => "well",
            End::Failed => "failed",
            End::Interrupted => "interrupted",
            End::Lost => "lost",
        }
    }
}

/// What taking it gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Ours; and what had to be put in order before.
    Yes(Vec<String>),
    Held(Holder),
    Error(String),
}

impl Claim {
    fn script(&self, app: &App, what: &str) -> String {
        let (words, head) = (self.words(&[("dead", &self.dead.join(" "))]), app.head());
        // Who only gives a sign of life moves nothing.
        let sites = if matches!(what, "renew" | "rejoin") { String::new() } else { sites() };
        format!("{words}\n{head}{sites}settle=1\n{}{INTENT}{STATE}{what}\n", include_str!("lock.sh"))
    }

    /// Who it is, and further variables of the shell.
    fn words(&self, more: &[(&str, &str)]) -> String {
        let own = [("run", self.run.as_str()), ("holder", &self.holder)];
        let word = |(name, value): &(&str, &str)| format!("{name}={}", quote(value));
        own.iter().chain(more).map(word).collect::<Vec<_>>().join(" ")
    }

    /// Takes the lock where it is free or its holder is surely dead, and says what there is.
    pub fn take(&self, app: &App) -> String {
        self.script(app, "take; state")
    }
    pub fn renew(&self, app: &App) -> String {
        self.script(app, "renew")
    }
    /// The run goes on by another shell: this one.
    pub fn rejoin(&self, app: &App) -> String {
        self.script(app, "rejoin")
    }
    /// Gives it back. What the run switched and did not confirm stays with `keep`, and goes back without.
    pub fn give_back(&self, app: &App, keep: bool, end: End, handlers: &ByStage) -> String {
        let what = if keep { "keep" } else { "undo" };
        let handlers = quote(&json!(handlers).to_string());
        self.script(app, &format!("handlers={handlers}\ngive_back {what} {}", end.word()))
    }
    /// Writes down what the run is about to do, for whoever goes on with it.
    pub fn begin(&self, app: &App, work: &Work) -> String {
        let words = self.words(&[("release", &work.release), ("work", &json!(work).to_string())]);
        format!("{words}\n{}{INTENT}begin_work\n", app.head())
    }
    /// Writes down which handlers wait.
    pub fn keep(&self, app: &App, handlers: &ByStage) -> String {
        let words = self.words(&[("handlers", &json!(handlers).to_string())]);
        format!("{words}\n{}{INTENT}put_handlers\n", app.head())
    }
    /// Takes it away from the run of that name.
    pub fn unlock(&self, app: &App) -> String {
        self.script(app, "unlock")
    }
}

/// What `take` said.
pub fn taken(text: &str) -> Taken {
    let has = |line: &str| text.lines().any(|found| found == line);
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    if has("taken=yes") {
        let over = value("over").map(|run| {
            format!("took the lock over from run {run}: {}", value("why").unwrap_or("it has ended"))
        });
        return Taken::Yes(over.into_iter().chain(settled(text).map(|settled| settled.told())).collect());
    }
    match (value("error"), Holder::parse(text)) {
        (None, Some(holder)) => Taken::Held(holder),
        (error, _) => Taken::Error(error.unwrap_or("the host did not say whether it is locked").to_owned()),
    }
}

/// What `rejoin` said.
pub fn rejoined(text: &str, app: &str) -> Result<()> {
    if text.lines().any(|line| line == "rejoined=yes") {
        return Ok(());
    }
    let error = text.lines().find_map(|line| line.strip_prefix("error="));
    Err(match (error, Holder::parse(text)) {
        (None, Some(holder)) => holder.refusal(app),
        (error, _) => Error::failed(format!("{app} is not locked any more"))
            .cause(error.unwrap_or("somebody took the lock away while the link was lost"))
            .hint("look at who is at work on it (tow status), then run again"),
    })
}

/// What became of a switch that nobody confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    Reverted {
        from: String,
        serves: String,
    },
    /// The release before could not be started either.
    Bad {
        from: String,
        /// In the words of what failed; may be empty.
        because: String,
    },
}

impl Settled {
    pub fn told(&self) -> String {
        match self {
            Settled::Reverted { from, serves } => format!("{from} was not confirmed: {serves} serves again"),
            Settled::Bad { from, because } => {
                let colon = if because.is_empty() { "" } else { ": " };
                format!(
                    "{from} was not confirmed, and what served before could not be put back{colon}{because}"
                )
            }
        }
    }
}

pub fn settled(text: &str) -> Option<Settled> {
    let value = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(str::to_owned)
    };
    // What could not be put back is not made good by what could.
    let bad = value("bad").map(|from| Settled::Bad { from, because: value("because").unwrap_or_default() });
    bad.or_else(|| {
        value("reverted").map(|from| Settled::Reverted { from, serves: value("serves").unwrap_or_default() })
    })
}

#[cfg(test)]
mod tests {
    use super::{Settled, Taken, rejoined, settled, taken};

    #[test]
    fn one_wins_and_the_other_hears_who() {
        assert_eq!(taken("taken=yes\ncurrent=1-a\nheld=r1\n"), Taken::Yes(vec![]));
        let Taken::Held(holder) = taken("held=r1\nholder=a@b\nage=12\n") else { panic!("not held") };
        let error = holder.refusal("shop");
        assert_eq!(error.kind.exit_code(), 5);
        let said = format!("{error} {}", error.hint.clone().unwrap_or_default());
        assert!(["a@b", "12 s", "r1", "tow unlock r1"].iter().all(|part| said.contains(part)), "{said}");
        assert_eq!(taken("error=cannot write\n"), Taken::Error("cannot write".into()));
        assert!(matches!(taken(""), Taken::Error(_)));
    }

    #[test]
    fn a_lock_that_was_taken_away_is_not_gone_on_with() {
        assert!(rejoined("rejoined=yes\n", "shop").is_ok());
        assert_eq!(rejoined("held=r2\nholder=c@d\nage=3\n", "shop").unwrap_err().kind.exit_code(), 5);
        assert_eq!(rejoined("", "shop").unwrap_err().kind.exit_code(), 3);
        assert!(rejoined("error=busy\n", "shop").unwrap_err().to_string().ends_with("busy"));
    }

    #[test]
    fn what_was_put_in_order_is_told() {
        let text = "over=r0\nwhy=its process has ended\nreverted=2-b\nserves=1-a\ntaken=yes\n";
        let Taken::Yes(notices) = taken(text) else { panic!("not taken") };
        assert_eq!(notices.len(), 2, "{notices:?}");
        assert_eq!(settled("bad=2-b\n"), Some(Settled::Bad { from: "2-b".into(), because: String::new() }));
        // One of two that went back does not hide the other.
        let both = "bad=what was taken back\nbecause=no\nreverted=2-b\nserves=1-a\n";
        let told = settled(both).unwrap().told();
        assert_eq!(
            told,
            "what was taken back was not confirmed, and what served before could not be put back: no"
        );
        assert_eq!(settled("current=x\n"), None);
    }
}
