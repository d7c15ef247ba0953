//! Errors of actions: what failed, what it said, what to do next.

use crate::engine::capture::Capture;
use crate::transport::runner::Ending;
use crate::words::action::Action;
use crate::words::error::{Error, Kind};

/// Lines of output that an error keeps.
const LINES: usize = 20;

/// The error of `action`, which ended as `ending` says.
pub fn explain(action: &Action, ending: Ending, capture: &Capture) -> Error {
    let lines = capture.last_lines(LINES);
    let error = match (action, ending) {
        (Action::Run(command), Ending::Failed { timed_out: true, .. }) => {
            let limit = command
                .timeout
                .map_or_else(|| "its time".to_owned(), |limit| format!("{} s", limit.as_secs_f64()));
            Error::failed("the command was killed")
                .cause(format!("it did not end within {limit}"))
                .command(command.display())
        }
        (Action::Run(command), Ending::Failed { code, .. }) => {
            Error::failed(format!("the command ended with code {code}")).command(command.display())
        }
        (action, _) => {
            let error = Error::failed(format!("cannot {}", action.display()));
            match lines.last() {
                Some(line) => error.cause(line),
                None => error,
            }
        }
    };
    let hinted = match hint(&lines.join("\n"), ending) {
        Some(hint) => error.hint(hint),
        None => error,
    };
    hinted.output(lines)
}

/// An error that came while `action` was at work. A command whose end nobody heard of may still run; one that goes on
/// by itself does.
pub fn broken_off(error: Error, action: &Action, goes_on: bool) -> Error {
    match (error.kind, action) {
        (Kind::Unreachable, _) if goes_on => error.hint(
            "the command goes on there by itself: run again, which waits for it and hears how it ended",
        ),
        (Kind::Unreachable, Action::Run(_)) => Error { kind: Kind::Unknown, ..error }
            .hint("look at the host: the command may still run or have finished; run again when you know"),
        _ => error,
    }
}

const FULL: &str = "the disk is full: look with `df -h` and `df -i`, and make room";

/// What is seen most often in the output of what failed, and the next step.
const NEXT_STEPS: &[(&str, &str)] = &[
    ("No space left on device", FULL),
    // As SQLite says it.
    ("database or disk is full", FULL),
    (
        "Errno 30] Read-only file system: '",
        "the application writes where it may not: to what it runs from nothing is written. Give it an absolute path below \
         `shared`, such as {{root}}/shared/data, by a variable in `[vars.env]`, or name the folder in `app.shared` (docs/troubleshooting.md); unless `mount` on \
         the host shows the disk itself as read-only",
    ),
    ("Read-only file system", "the file system is read-only: look at `dmesg` and `mount` on the host"),
    (
        "Permission denied",
        "set `become = true` on the host, or `as` on the task, or connect as a user who may",
    ),
    ("Operation not permitted", "set `become = true` on the host: this needs root"),
    ("Could not get lock", "another package manager is at work on the host; wait for it and run again"),
    (
        "Unable to locate package",
        "look for the name with `apt-cache search` on the host; other releases have other names",
    ),
    (
        "Temporary failure resolving",
        "the host cannot resolve names: check its DNS (/etc/resolv.conf) and its route to the outside",
    ),
    ("dpkg was interrupted", "run `dpkg --configure -a` on the host, then run again"),
    (
        "DO NOT MATCH THE HASHES",
        "what the index gives is not what was locked: where the version was changed, lock it again (its hashes too); where \
         it was not, ask who has changed the package",
    ),
    (
        "gcc' failed",
        "a package is compiled for want of a wheel, and something for it is missing: add \"build-essential\", \
         \"python3-dev\" and the library's -dev package to `app.system_packages`, `tow run site`, then again",
    ),
    (
        "you need a C compiler",
        "a package is compiled for want of a wheel: add \"build-essential\" and \"python3-dev\" to \
         `app.system_packages`, `tow run site`, then again",
    ),
    // Before what pip makes of it: that there is no such package.
    (
        "Failed to establish a new connection",
        "the host does not reach that server: check its DNS and its route to the outside; without one, push Python \
         packages from your machine (a wheelhouse)",
    ),
    (
        "No matching distribution found",
        "check the name and version; a package may also not support the host's Python",
    ),
    (
        "Temporary failure in name resolution",
        "the host cannot resolve names: check its DNS (/etc/resolv.conf)",
    ),
    (
        "password authentication failed",
        "the database refuses this password: compare the address that the application is given with the role's password",
    ),
    (
        "the authority did not give a certificate",
        "its reason is above; mostly a DNS record does not lead to this host, or port 80 does not come through a \
         firewall (`tow check` looks at both)",
    ),
    (
        "[emerg]",
        "the site's text comes from its template and from variables such as those in `[vars.site]`: mend it there, and run again",
    ),
    (
        "SystemCheckError: ",
        "Django's own check found an error: it stands further up, under ERRORS, with what to do about it; mostly a setting \
         that belongs into `[vars.env]`",
    ),
    (
        "ModuleNotFoundError: ",
        "the module is not there: is its package among the requirements, and the import spelt right?",
    ),
    // A traceback; its first line may be too far above.
    ("  File \"", "its last lines say what is wrong: mend it in the application, and run again"),
];

fn hint(said: &str, ending: Ending) -> Option<&'static str> {
    if let Some((_, hint)) = NEXT_STEPS.iter().find(|(sign, _)| said.contains(sign)) {
        return Some(hint);
    }
    let Ending::Failed { code, timed_out, .. } = ending else { return None };
    match code {
        _ if timed_out => Some("raise `timeout` on the task, or find out what it waits for"),
        126 => Some("the file is not executable, or its interpreter is missing"),
        127 => Some("the program is not installed on the host, or not in PATH: give its full path"),
        137 => Some("it was killed: the host may be out of memory (look at `dmesg`)"),
        _ => None,
    }
}
