//! From a checked project to a run: reporters, connector, engine, and the end of all of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::cli::applied::Applied;
use crate::cli::args::{Colour, Connection, Output};
use crate::cli::prompt::Prompt;
use crate::cli::{Ended, history, keyfiles, stop};
use crate::engine::{self, Emitter, Hold, Ledger, Options, Pending, Run, Strictness};
use crate::report;
use crate::report::history::Recorder;
use crate::spec::model::Project;
use crate::transport::{self, Ask as _, Connector, Unlocked};
use crate::words::error::{Error, Result};
use crate::words::event::{Listener, Mode};

/// How a project is to be run.
pub struct Conduct<'a> {
    pub mode: Mode,
    pub diffs: bool,
    pub connection: &'a Connection,
    pub output: Output,
    pub pending: Option<Arc<dyn Pending>>,
    /// What the run holds on its hosts, and the name that it has there.
    pub hold: Option<(String, Arc<dyn Hold>)>,
    /// Hears of every step of a plan.
    pub ledger: Option<Arc<dyn Ledger>>,
    /// Says nothing but failures.
    pub silent: bool,
    /// Only looks at the hosts.
    pub strictness: Option<Strictness>,
    /// Whether it goes into the history: not a plan, which changes nothing, nor the demo, whose hosts vanish.
    pub recorded: bool,
    /// Keys whose passphrases were asked for already.
    pub keys: Unlocked,
}

impl<'a> Conduct<'a> {
    /// As most are.
    pub fn new(mode: Mode, connection: &'a Connection, output: Output, keys: Unlocked) -> Conduct<'a> {
        Conduct {
            mode,
            diffs: mode == Mode::Plan,
            connection,
            output,
            pending: None,
            hold: None,
            ledger: None,
            silent: false,
            strictness: None,
            recorded: matches!(mode, Mode::Run | Mode::Exec),
            keys,
        }
    }

    /// Runs `project` until it ends or Ctrl-C.
    pub async fn run(self, project: &Project) -> Ended {
        self.run_until(project, stop::listen()).await
    }

    pub async fn run_until(self, project: &Project, cancel: watch::Receiver<bool>) -> Ended {
        let options = report::Options {
            releases: project.switching().is_some(),
            ..report_options(self.mode, self.output)
        };
        let reporters = if self.silent { report::failures(options) } else { report::choose(options) };
        let prompt = Prompt::new(reporters.pause(), project.mask.clone());
        let connector = Arc::new(self.connection.connector(&prompt, &self.keys)?);
        keyfiles::check(&connector, &project.hosts).await?;
        let listener: Box<dyn Listener> = match history::place().filter(|_| self.recorded) {
            Some(place) => Box::new(Recorder::new(Box::new(reporters), place)),
            None => Box::new(reporters),
        };
        let (emitter, listening) = Emitter::new(listener, project.mask.clone());
        let options = Options {
            mode: self.mode,
            parallel: usize::from(self.connection.parallel),
            diffs: self.diffs,
            run: self.hold.as_ref().map_or_else(run_name, |(name, _)| name.clone()),
        };
        let applied = self.recorded.then(|| Arc::new(Applied::new(&options.run, &project.hosts)));
        let mut run = Run::new(connector, emitter, options, cancel);
        run.pending = self.pending;
        run.ledger = self.ledger.or(applied.clone().map(|applied| applied as Arc<dyn Ledger>));
        run.hold = self.hold.map(|(_, hold)| hold);
        if Prompt::possible() {
            run.review = Some(Arc::new(prompt));
        }
        let code = match self.strictness {
            Some(strictness) => engine::check(project, &run, strictness).await,
            None => engine::run(project, &run).await,
        };
        if let Some(applied) = applied {
            applied.write();
        }
        // The reporters end when nobody can tell them anything any more.
        drop(run);
        let joined = tokio::task::spawn_blocking(move || listening.join()).await;
        match joined {
            Ok(Ok(())) => Ok(code),
            _ => Err(Error::bug("a reporter died").into()),
        }
    }
}

/// A name for a run that no other has.
pub fn run_name() -> String {
    format!("{:016x}", rand::random::<u64>())
}

impl Connection {
    pub fn connector(&self, prompt: &Prompt, keys: &Unlocked) -> Result<Connector> {
        let become_password = if self.ask_become_pass {
            let asked = prompt.secret("sudo password");
            Some(asked.ok_or_else(|| {
                Error::config("cannot ask for the sudo password").cause("there is no terminal").hint(
                    "run at a terminal, or let the login user use sudo without a password (NOPASSWD in sudoers)",
                )
            })?)
        } else {
            None
        };
        let options = transport::Options {
            connect_timeout: Duration::from_secs(self.connect_timeout),
            become_password,
            keys: keys.clone(),
            ..transport::Options::default()
        };
        Ok(Connector::new(options, Arc::new(prompt.clone())))
    }
}

fn report_options(mode: Mode, output: Output) -> report::Options {
    report::Options {
        mode,
        json: output.json,
        plain: output.plain,
        quiet: output.quiet,
        verbose: output.verbose,
        colour: colour(output.color),
        releases: false,
    }
}

pub fn colour(colour: Colour) -> report::Colour {
    match colour {
        Colour::Auto => report::Colour::Auto,
        Colour::Always => report::Colour::Always,
        Colour::Never => report::Colour::Never,
    }
}
