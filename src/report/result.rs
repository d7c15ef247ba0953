//! The result of a run in one sentence: what became of it, how long it took, what the exit code means.

use crate::report::look::{Look, Tone};
use crate::report::record::End;
use crate::report::text::elapsed;
use crate::words::event::{Mode, Tally, Verdict};
use crate::words::plural::count;

/// `12 changed, 18 already`; what did not happen is not said.
pub fn words(tally: &Tally) -> String {
    let said = [
        (tally.changed, "changed"),
        (tally.already, "already"),
        (tally.unknown, "ran without change"),
        (tally.skipped, "skipped"),
        (tally.failed, "failed"),
    ];
    let said: Vec<String> =
        said.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    said.join(", ")
}

/// The last line: the result, how long it took, and what the exit code means.
pub fn result(end: &End, mode: Mode, look: Look) -> String {
    let time = elapsed(end.elapsed);
    let hosts = count(end.hosts.len(), "host");
    let sum = end.hosts.values().fold(Tally::default(), |sum, host| Tally {
        already: sum.already + host.tally.already,
        changed: sum.changed + host.tally.changed,
        unknown: sum.unknown + host.tally.unknown,
        skipped: sum.skipped + host.tally.skipped,
        failed: sum.failed + host.tally.failed,
    });
    let said = words(&sum);
    if end.exit_code != 0 {
        let well = end.hosts.values().filter(|host| host.verdict == Verdict::Ok).count();
        let bad = end.hosts.len() - well;
        if mode == Mode::Exec && end.exit_code != 130 {
            let text = format!("failed on {bad} of {hosts} ({time}, exit code {})", end.exit_code);
            return look.paint(Tone::Bad, &text);
        }
        let text = format!(
            "{} after {time}, {bad} of {hosts} not done: {} (exit code {})",
            if end.exit_code == 130 { "interrupted" } else { "failed" },
            meaning(end.exit_code),
            end.exit_code
        );
        return look.paint(Tone::Bad, &text);
    }
    let text = match (sum.changed, sum.unknown) {
        _ if said.is_empty() => format!("nothing to do: no task for {hosts} ({time})"),
        (0, 0) => format!("nothing to do: {said} on {hosts} ({time})"),
        (0, _) => format!("nothing changed: {said} on {hosts} ({time})"),
        _ => format!("done in {time}: {said} on {hosts}"),
    };
    look.paint(Tone::Good, &text)
}

/// What the exit code of a run says.
pub fn meaning(exit_code: u8) -> &'static str {
    match exit_code {
        0 => "all went well",
        2 => "the arguments or files are wrong",
        3 => "a task failed",
        4 => "a host was not reached, or did not let us in",
        5 => "somebody else holds the lock",
        6 => "the state of a host is not known, a person must look",
        7 => "a host key is not trusted",
        130 => "stopped by Ctrl-C",
        _ => "unexpected, a mistake in tow itself",
    }
}
