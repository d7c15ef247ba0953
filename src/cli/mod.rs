//! Arguments, wiring, exit codes.

mod applied;
mod args;
mod check;
mod conduct;
mod data;
pub mod demo;
mod drift;
mod exec;
mod files;
mod guide;
mod history;
mod hosts;
mod init;
mod keyfiles;
mod pending;
mod playbook;
mod prompt;
mod release;
mod saved;
mod secrets;
mod shipped;
mod state;
mod stop;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::cli::args::{Args, Command};
use crate::report::out;
use crate::words::error::Error;

/// What a command gives: the exit code, or an error that ends it before anything was begun.
type Ended = Result<u8, Stop>;

/// Why a command ends before it has begun.
#[derive(Debug)]
pub enum Stop {
    Error(Error),
    /// Mistakes in the user's files, ready to print.
    Mistakes(String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Error(error)
    }
}

pub fn main() -> ExitCode {
    let args = Args::try_parse().unwrap_or_else(|error| with_tip(error).exit());
    let code = match dispatch(args) {
        Ok(code) => code,
        Err(Stop::Mistakes(text)) => {
            let _ = write!(std::io::stderr(), "{text}");
            2
        }
        Err(Stop::Error(error)) => {
            let _ = write!(std::io::stderr(), "{}", told(&error));
            error.kind.exit_code()
        }
    };
    ExitCode::from(written(code))
}

/// Whoever asked for data has to hear that it is not there.
fn written(code: u8) -> u8 {
    let Some(why) = out::trouble() else { return code };
    let error = Error::failed("cannot write to standard output").cause(why);
    let _ = write!(std::io::stderr(), "{}", told(&error));
    if code == 0 { error.kind.exit_code() } else { code }
}

/// What the parser cannot know: which mistakes are made most often.
fn with_tip(mut error: clap::Error) -> clap::Error {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let known = error.get(ContextKind::SuggestedSubcommand).is_some();
    let wrong = text(ContextKind::InvalidSubcommand);
    let commands = [
        "init", "check", "run", "plan", "apply", "deploy", "rollback", "resume", "status", "update", "drift",
        "unlock", "backup", "backups", "restore", "guide", "exec", "hosts", "secrets", "history", "show",
        "demo",
    ];
    let near = commands.into_iter().find(|name| strsim::osa_distance(name, &wrong) <= 2);
    match (error.kind(), near) {
        (ErrorKind::InvalidSubcommand, Some(near)) if !known => {
            let near = ContextValue::Strings(vec![near.to_owned()]);
            error.insert(ContextKind::SuggestedSubcommand, near);
        }
        (ErrorKind::UnknownArgument, _) if is_dry(&text(ContextKind::InvalidArg)) => {
            let tip = "`tow plan PLAYBOOK` shows what a run would do, and writes nothing on any host".into();
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
            // What it thinks to be near (`--color`) is not.
            error.remove(ContextKind::SuggestedArg);
        }
        (ErrorKind::UnknownArgument, _) if std::env::args().nth(1).is_some_and(|name| name == "exec") => {
            let word = text(ContextKind::InvalidArg);
            if !word.starts_with('-') {
                let tip = format!("the command comes behind `--`: `tow exec -- {word} …`").into();
                error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
            }
        }
        _ => {}
    }
    error
}

/// What other tools call a plan.
fn is_dry(argument: &str) -> bool {
    matches!(argument, "--check" | "--dry-run" | "--dry" | "--diff-only" | "--noop" | "--plan" | "-C" | "-n")
}

fn dispatch(args: Args) -> Ended {
    match args.command {
        Command::Completions { shell } => {
            let mut script = vec![];
            clap_complete::generate(shell, &mut Args::command(), "tow", &mut script);
            out::write(&String::from_utf8_lossy(&script));
            Ok(0)
        }
        Command::Init(init) => init::run(&init),
        Command::Hosts(hosts) => hosts::run(&hosts),
        Command::Run(run) => runtime()?.block_on(playbook::run(&run)),
        Command::Plan(plan) => runtime()?.block_on(saved::plan(&plan)),
        Command::Apply(apply) => runtime()?.block_on(saved::apply(&apply)),
        Command::Deploy(deploy) => runtime()?.block_on(release::deploy(&deploy)),
        Command::Rollback(rollback) => runtime()?.block_on(release::rollback(&rollback)),
        Command::Resume(resume) => runtime()?.block_on(release::resume::run(&resume)),
        Command::Status(status) => runtime()?.block_on(release::status::run(&status)),
        Command::Update(update) => runtime()?.block_on(release::update::run(&update)),
        Command::Drift(drift) => runtime()?.block_on(drift::run(&drift)),
        Command::Unlock(unlock) => runtime()?.block_on(release::unlock::run(&unlock)),
        Command::Backup(backup) => runtime()?.block_on(data::backup(&backup)),
        Command::Backups(backups) => runtime()?.block_on(data::list(&backups)),
        Command::Restore(restore) => runtime()?.block_on(data::restore(&restore)),
        Command::Check(check) => runtime()?.block_on(check::run(&check)),
        Command::Guide(guide) => runtime()?.block_on(async { guide::run(&guide) }),
        Command::Exec(exec) => runtime()?.block_on(exec::run(&exec)),
        Command::History(history) => history::list(&history),
        Command::Show(show) => history::show(&show),
        Command::Secrets(secrets) => runtime()?.block_on(secrets::run(&secrets)),
        Command::Demo(demo) => runtime()?.block_on(demo::run(&demo)),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    raise_limit();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().map_err(|error| Error::bug("cannot start the runtime").cause(error))
}

/// A connection is a file: a thousand hosts need more than the usual 1024.
fn raise_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let wanted = hard.min(65_536);
        if soft < wanted {
            let _ = setrlimit(Resource::RLIMIT_NOFILE, wanted, hard);
        }
    }
}

/// An error for a person, outside of any run.
fn told(error: &Error) -> String {
    let mut text = format!("error: {error}\n");
    for line in &error.output {
        let _ = writeln!(text, "  | {}", crate::report::text::neutralise(line));
    }
    if let Some(hint) = &error.hint {
        let _ = writeln!(text, "hint: {hint}");
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{Args, with_tip};

    #[test]
    fn who_wants_a_dry_run_is_told_of_plan() {
        for argument in ["--check", "--dry-run", "-C"] {
            let error = Args::try_parse_from(["tow", "run", "site", argument]).unwrap_err();
            let text = with_tip(error).to_string();
            assert!(text.contains("`tow plan PLAYBOOK` shows what a run would do"), "{text}");
        }
    }
}
