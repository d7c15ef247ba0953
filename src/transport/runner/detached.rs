//! Commands that go on when the link is lost: how one is asked for, and that it was heard of. Pure: text out. What the
//! host does about it is in `detached.sh`.

use crate::transport::runner::course::DEFAULT_TIMEOUT;
use crate::words::action::{Command, Detached};
use crate::words::content::Digest;

/// Whether a connection can begin such commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// They are commands as any other.
    No,
    Yes,
    /// And it takes the place of one that was lost with such a command under way: however that has ended, that was it.
    Again,
}

/// What its shell reads.
pub struct Inner<'a> {
    pub lines: &'a str,
    /// There is something on its stdin.
    pub fed: bool,
}

/// What it is: the same for the same command as the same account with the same input. On the host it is seen in a
/// private folder only, since whoever knows most of a command could find out the rest from its digest.
fn key(command: &Command, lines: &str) -> Digest {
    let user = command.user.as_ref().map_or("", AsRef::as_ref);
    let contents: Vec<&str> =
        command.contents().into_iter().map(|content| content.digest().as_str()).collect();
    Digest::of(format!("{user}\n{}\n{lines}", contents.join(" ")).as_bytes())
}

/// The script for `/bin/sh` that begins it, or waits for the one that runs. Nobody can guess `mark`.
pub fn script(command: &Command, inner: &Inner<'_>, mark: &str, begins: Begins) -> String {
    let code = include_str!("detached.sh").lines();
    let code = code.filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
    let codes = command.ok_codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let yes = |is: bool| if is { "yes" } else { "" };
    let keep = yes(command.detached == Detached::UntilHeard);
    let hear = if begins == Begins::Again { "any" } else { keep };
    // Whoever waits for it ends it at its time; this is for when nobody does.
    let limit = command.timeout.unwrap_or(DEFAULT_TIMEOUT).as_secs() + 60;
    format!(
        "key={} unit=tow-job-{} limit={limit} hear={hear} keep={keep} codes='{codes}' fed={} job=\nscript() {{ cat <<'_J{mark}'\n{}_J{mark}\n}}\n{code}\n",
        key(command, inner.lines).as_str(),
        // Temporary files are named by the mark itself, and names of units are there for all to see.
        Digest::of(mark.as_bytes()).short(),
        yes(inner.fed),
        inner.lines
    )
}

/// Its end was heard of: nothing of it is needed any more.
pub fn heard(command: &Command, lines: &str) -> String {
    let key = key(command, lines);
    format!(
        "for _p in /run/towline/jobs/*/; do read -r _q <\"$_p/key\" && [ \"$_q\" = {} ] && rm -rf -- \"$_p\"; done </dev/null >/dev/null 2>&1\n",
        key.as_str()
    )
}
