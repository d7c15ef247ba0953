//! Which reporters a run gets: the one place that knows about terminals, CI, colours and verbosity.

use std::io::{IsTerminal as _, stderr, stdout};

use console::Term;

use crate::report::check::{Checked, Much};
use crate::report::exec::{Exec, Guarded, Layout};
use crate::report::github::Annotations;
use crate::report::json::Json;
use crate::report::look::Look;
use crate::report::out::Stdout;
use crate::report::plain::{Detail, Plain};
use crate::report::plan::Planned;
use crate::report::recap::Ending;
use crate::report::screen::Screen;
use crate::report::sink::{Sink, Writer};
use crate::report::tell::Told;
use crate::report::terminal::{Pause, Terminal};
use crate::words::event::{Event, Listener, Mode};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    #[default]
    Auto,
    Always,
    Never,
}

/// What the user asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent wish")]
pub struct Options {
    pub mode: Mode,
    pub json: bool,
    /// `--plain`: no live view even at a terminal.
    pub plain: bool,
    pub quiet: bool,
    /// How many `-v`.
    pub verbose: u8,
    pub colour: Colour,
    /// The playbook switches to releases: `tow deploy` runs it.
    pub releases: bool,
}

impl Options {
    pub fn new(mode: Mode) -> Options {
        Options {
            mode,
            json: false,
            plain: false,
            quiet: false,
            verbose: 0,
            colour: Colour::Auto,
            releases: false,
        }
    }
}

/// Where the process runs. Everything that reporters need to know of the environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact about the surroundings")]
pub struct Surroundings {
    pub stdout_terminal: bool,
    pub stderr_terminal: bool,
    pub no_color: bool,
    pub force_color: bool,
    /// `TERM` is `dumb`.
    pub dumb: bool,
    pub ci: bool,
    pub github: bool,
    pub utf8: bool,
}

impl Surroundings {
    pub fn here() -> Surroundings {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(text);
        let locale = locale.map(|locale| locale.to_ascii_uppercase());
        Surroundings {
            stdout_terminal: stdout().is_terminal(),
            stderr_terminal: stderr().is_terminal(),
            no_color: text("NO_COLOR").is_some(),
            force_color: set("CLICOLOR_FORCE"),
            dumb: text("TERM").is_some_and(|term| term == "dumb"),
            ci: ["CI", "GITHUB_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION"].into_iter().any(set),
            github: text("GITHUB_ACTIONS").is_some_and(|value| value == "true"),
            // Without a locale, as in containers and CI, files and logs are UTF-8 all the same.
            utf8: locale.is_none_or(|locale| locale.contains("UTF-8") || locale.contains("UTF8")),
        }
    }

    pub fn colour(self, wanted: Colour, terminal: bool) -> bool {
        match wanted {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto if self.no_color => false,
            Colour::Auto => self.force_color || terminal && !self.dumb,
        }
    }
}

/// The reporters of one run, and the way to hold the live view back while somebody is asked something.
pub struct Reporters {
    list: Vec<Box<dyn Listener>>,
    pause: Pause,
}

impl std::fmt::Debug for Reporters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reporters({})", self.list.len())
    }
}

impl Reporters {
    pub fn pause(&self) -> Pause {
        self.pause.clone()
    }
}

impl Listener for Reporters {
    fn event(&mut self, event: &Event) {
        for listener in &mut self.list {
            listener.event(event);
        }
    }
}

/// Two ways out: data, and progress.
pub struct Outlets {
    pub stdout: Box<dyn Fn() -> Writer>,
    pub stderr: Box<dyn Fn() -> Writer>,
}

impl std::fmt::Debug for Outlets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Outlets")
    }
}

impl Outlets {
    pub fn standard() -> Outlets {
        Outlets { stdout: Box::new(|| Box::new(Stdout)), stderr: Box::new(|| Box::new(stderr())) }
    }
}

/// The reporters for this process: stdout for data, stderr for progress.
pub fn choose(options: Options) -> Reporters {
    assemble(options, Surroundings::here(), &Outlets::standard())
}

/// For what happens before that which was asked for: failures, on stderr.
pub fn failures(options: Options) -> Reporters {
    let (around, outlets) = (Surroundings::here(), Outlets::standard());
    let terminal = around.stderr_terminal;
    let look = Look {
        colour: around.colour(options.colour, terminal),
        utf8: around.utf8,
        width: terminal.then(|| size().0),
    };
    let plain = Plain::new(Sink::new((outlets.stderr)(), around.ci), look, Detail::Failures);
    Reporters { list: vec![Box::new(plain)], pause: Pause::default() }
}

/// The same with everything given, for tests.
pub fn assemble(options: Options, around: Surroundings, outlets: &Outlets) -> Reporters {
    let out = || Sink::new((outlets.stdout)(), around.ci);
    let err = || Sink::new((outlets.stderr)(), around.ci);
    if options.json {
        return Reporters { list: vec![Box::new(Json::new(out()))], pause: Pause::default() };
    }
    let look = |terminal: bool| Look {
        colour: around.colour(options.colour, terminal),
        utf8: around.utf8,
        width: terminal.then(|| size().0),
    };
    let (progress, data) = (look(around.stderr_terminal), look(around.stdout_terminal));
    let mut list: Vec<Box<dyn Listener>> = Vec::new();
    let mut pause = Pause::default();
    let live = around.stderr_terminal && !(around.dumb || around.ci || options.plain || options.quiet);
    if live {
        let terminal = Terminal::new(Screen::new(err(), Box::new(size)), progress, options.verbose > 0);
        pause = terminal.pause();
        list.push(Box::new(terminal));
    } else {
        list.push(Box::new(Plain::new(err(), progress, detail(options))));
    }
    match options.mode {
        Mode::Plan => list.push(Box::new(Planned::new(out(), data))),
        Mode::Check => list.push(Box::new(Checked::new(out(), data, much(options), options.releases))),
        Mode::Exec => {
            let layout =
                if around.stdout_terminal && !options.plain { Layout::Group } else { Layout::Stream };
            let guarded = Guarded {
                stdout: around.stdout_terminal || around.ci,
                stderr: around.stderr_terminal || around.ci,
            };
            list.push(Box::new(Exec::new((out(), err()), data, layout, guarded)));
        }
        Mode::Run => {}
    }
    let shown = detail(options) >= Detail::Changes && (!live || options.verbose > 0);
    let told = Told { quiet: options.quiet, output: shown };
    if options.mode != Mode::Check {
        list.push(Box::new(Ending::new(err(), progress, told)));
    }
    if around.github {
        list.push(Box::new(Annotations::new(err())));
    }
    Reporters { list, pause }
}

/// Beside a plan, or the output of `tow exec`, progress keeps to what is out of the ordinary.
fn detail(options: Options) -> Detail {
    match (options.mode, options.quiet, options.verbose) {
        (_, true, _) => Detail::Failures,
        (Mode::Plan | Mode::Exec | Mode::Check, ..) => Detail::Notices,
        (Mode::Run, _, 0) => Detail::Changes,
        (Mode::Run, ..) => Detail::Everything,
    }
}

fn much(options: Options) -> Much {
    match (options.quiet, options.verbose) {
        (true, _) => Much::Problems,
        (false, 0) => Much::Usual,
        (false, _) => Much::Everything,
    }
}

/// Columns and rows of the terminal behind stderr, asked anew for each drawing.
fn size() -> (usize, usize) {
    let (rows, columns) = Term::stderr().size_checked().unwrap_or((24, 80));
    (usize::from(columns).max(1), usize::from(rows).max(1))
}

#[cfg(test)]
mod tests {
    use super::{Colour, Options, Outlets, Surroundings, assemble};
    use crate::report::sample::{Captured, Sample, broken_nginx};
    use crate::words::event::{Listener, Mode, Outcome, Stream, Tally, Verdict};

    fn run(options: Options, around: Surroundings, sample: &Sample) -> (String, String) {
        let (out, err) = (Captured::default(), Captured::default());
        let (to_out, to_err) = (out.clone(), err.clone());
        let outlets = Outlets {
            stdout: Box::new(move || Box::new(to_out.clone())),
            stderr: Box::new(move || Box::new(to_err.clone())),
        };
        let mut reporters = assemble(options, around, &outlets);
        sample.events.iter().for_each(|event| reporters.event(event));
        (out.read(), err.read())
    }

    const PIPE: Surroundings = Surroundings {
        stdout_terminal: false,
        stderr_terminal: false,
        no_color: false,
        force_color: false,
        dumb: false,
        ci: false,
        github: false,
        utf8: true,
    };

    fn failing(mode: Mode) -> Sample {
        Sample::new(mode, 2)
            .stage(0..2, 1, 1)
            .starts(0, 0, "migrate")
            .says(0, 0, "migrate", Stream::Stdout, "::add-mask::x ##[group]\n")
            .finishes(0, 0, "migrate", Outcome::Unknown { what: vec!["runs".into()] })
            .all(Verdict::Ok, &Tally { unknown: 1, ..Tally::default() })
            .fails(1..2, &broken_nginx())
            .end(3)
    }

    #[test]
    fn stdout_is_data_and_stderr_is_progress() {
        let (out, err) = run(Options::new(Mode::Run), PIPE, &failing(Mode::Run));
        assert_eq!(out, "");
        assert!(err.contains("web1 |   > ::add-mask::x") && err.contains("exit code 3"), "{err}");
        let (out, err) = run(Options::new(Mode::Plan), PIPE, &failing(Mode::Plan));
        assert!(out.contains("1 unknown until run") && !err.contains("migrate"), "{out}\n{err}");
        let (out, err) = run(Options::new(Mode::Exec), PIPE, &failing(Mode::Exec));
        assert_eq!(out, "web1 | ::add-mask::x ##[group]\n");
        assert!(err.contains("cannot run `nginx -t`"), "{err}");
    }

    #[test]
    fn json_is_all_there_is() {
        let options = Options { json: true, ..Options::new(Mode::Run) };
        let (out, err) = run(options, Surroundings { stderr_terminal: true, ..PIPE }, &failing(Mode::Run));
        assert!(err.is_empty() && out.lines().all(|line| line.starts_with("{\"time\":\"20")), "{out}");
    }

    #[test]
    fn quiet_says_only_the_result_when_all_is_well() {
        let options = Options { quiet: true, ..Options::new(Mode::Run) };
        let well = Sample::new(Mode::Run, 2).stage(0..2, 1, 1).all(Verdict::Ok, &Tally::default()).end(0);
        let (out, err) = run(options, PIPE, &well);
        assert_eq!((out.as_str(), err.as_str()), ("", "nothing to do: no task for 2 hosts (41 s)\n"));
        assert!(run(options, PIPE, &failing(Mode::Run)).1.contains("exit code 3"));
    }

    #[test]
    fn ci_gets_annotations_and_obeys_no_host() {
        let around = Surroundings { ci: true, github: true, stderr_terminal: true, ..PIPE };
        for mode in [Mode::Run, Mode::Exec, Mode::Plan] {
            let (out, err) = run(Options::new(mode), around, &failing(mode));
            let commands: Vec<&str> =
                err.lines().chain(out.lines()).filter(|line| line.trim_start().starts_with("::")).collect();
            assert_eq!(commands.len(), 1, "{commands:?}");
            assert!(commands[0].starts_with("::error file=playbooks/deploy.toml,line=15,title=web2"));
            assert!(!err.contains("##[") && !out.contains("##["), "{out}\n{err}");
        }
    }

    #[test]
    fn colours_follow_the_conventions() {
        let terminal = Surroundings { stderr_terminal: true, ..PIPE };
        for (around, wanted, colour) in [
            (terminal, Colour::Auto, true),
            (PIPE, Colour::Auto, false),
            (Surroundings { no_color: true, ..terminal }, Colour::Auto, false),
            (Surroundings { force_color: true, ..PIPE }, Colour::Auto, true),
            (Surroundings { dumb: true, ..terminal }, Colour::Auto, false),
            (Surroundings { no_color: true, ..PIPE }, Colour::Always, true),
            (terminal, Colour::Never, false),
        ] {
            assert_eq!(around.colour(wanted, around.stderr_terminal), colour, "{around:?} {wanted:?}");
        }
    }
}
