//! Files, folders and links of a task that acts as another account: done by that account, which can write only where it
//! may. Acting as root, and giving it away afterwards, would follow its links. Pure.

use std::fmt::Write as _;

use crate::words::action::{Action, Command, Owner};
use crate::words::content::Content;
use crate::words::names::{FileMode, RemotePath, UserName};
use crate::words::shell::quote;

/// What one process writes at most, of what is in memory anyway.
const MOST: usize = 4 << 20;

/// Each says what is wrong, and leaves nothing behind.
const FUNCTIONS: &str = r#"umask 022
t=
trap '[ -z "$t" ] || rm -f -- "$t"' 0
trap 'exit 1' 1 2 15
put() { # bytes mode owner path
  t=$(mktemp "${4%/*}/.tow-XXXXXXXXXX") && head -c "$1" >"$t" && { [ -z "$3" ] || chown -h "$3" "$t"; } &&
    chmod "$2" "$t" && { sync "$t" 2>/dev/null || :; } && mv MOVES -- "$t" "$4" && t=
}
link() { # target path
  if [ -e "$2" ] || [ -L "$2" ]; then
    t=$(mktemp -u "${2%/*}/.tow-XXXXXXXXXX") && ln -s -- "$1" "$t" && mv MOVES -- "$t" "$2" && t=
  else ln -s -- "$1" "$2"; fi
}
"#;

/// Consecutive actions that one process does.
#[derive(Default)]
struct Bundle {
    lines: String,
    bytes: Vec<u8>,
    label: String,
    more: usize,
}

/// The same, as commands of `user`.
pub fn as_account(actions: Vec<Action>, user: &UserName, kernel: &str) -> Vec<Action> {
    let functions = FUNCTIONS.replace("MOVES", if kernel == "Darwin" { "-f" } else { "-fT" });
    let mut done = vec![];
    let mut bundle = Bundle::default();
    let act = |bundle: &mut Bundle, done: &mut Vec<Action>, stdin: Option<Content>| {
        let Bundle { lines, bytes, mut label, more } = std::mem::take(bundle);
        if lines.is_empty() {
            return;
        }
        if more > 1 {
            let _ = write!(label, " and {} more", more - 1);
        }
        let mut command = Command::shell(format!("{functions}{lines}")).user(Some(user.clone())).label(label);
        command.stdin = stdin.or_else(|| (!bytes.is_empty()).then(|| Content::bytes(bytes)));
        done.push(Action::Run(command));
    };
    for action in actions {
        let alone = match &action {
            Action::Run(_) => {
                act(&mut bundle, &mut done, None);
                done.push(action);
                continue;
            }
            Action::Install { content, .. } => content.as_bytes().is_none().then(|| content.clone()),
            _ => None,
        };
        if alone.is_some() || bundle.bytes.len() > MOST {
            act(&mut bundle, &mut done, None);
        }
        bundle.add(&action, user);
        if alone.is_some() {
            act(&mut bundle, &mut done, alone);
        }
    }
    act(&mut bundle, &mut done, None);
    done
}

impl Bundle {
    fn add(&mut self, action: &Action, user: &UserName) {
        let line = match action {
            Action::Install { path, content, mode, owner } => {
                self.bytes.extend(content.as_bytes().unwrap_or_default());
                let (mode, owner) = (mode.unwrap_or(FileMode(0o644)), quote(&given(owner, user)));
                format!("put {} {mode} {owner} {}", content.len, quote(path.as_str()))
            }
            Action::MakeDir { path, mode, owner } => {
                let mode = mode.unwrap_or(FileMode(0o755));
                let make = format!("mkdir -m {mode} -- {}", quote(path.as_str()));
                chown(owner, user, path).map_or(make.clone(), |chown| format!("{make} && {chown}"))
            }
            Action::Link { path, target } => format!("link {} {}", quote(target), quote(path.as_str())),
            Action::SetAttributes { path, mode, owner } => {
                let quoted = quote(path.as_str());
                let chmod = mode.map(|mode| format!("[ ! -L {quoted} ] && chmod {mode} -- {quoted}"));
                let parts: Vec<String> = chown(owner, user, path).into_iter().chain(chmod).collect();
                if parts.is_empty() { "true".to_owned() } else { parts.join(" && ") }
            }
            Action::Remove { path, recursive } => {
                format!("rm {} -- {}", if *recursive { "-rf" } else { "-f" }, quote(path.as_str()))
            }
            Action::Run(_) => return,
        };
        let _ = writeln!(self.lines, "{{ {line}; }} || exit 1");
        if self.label.is_empty() {
            self.label = action.display();
        }
        self.more += 1;
    }
}

/// What has to be said of owner and group: what an account makes is its own.
fn given(owner: &Owner, user: &UserName) -> String {
    let other = owner.user.as_ref().filter(|owner| *owner != user).map_or("", AsRef::as_ref);
    owner.group.as_ref().map_or_else(|| other.to_owned(), |group| format!("{other}:{group}"))
}

fn chown(owner: &Owner, user: &UserName, path: &RemotePath) -> Option<String> {
    let given = given(owner, user);
    (!given.is_empty()).then(|| format!("chown -h {} -- {}", quote(&given), quote(path.as_str())))
}
