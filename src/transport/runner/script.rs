//! Probes and actions as POSIX shell. Pure: text out, checked against exact strings and real shells.

use std::fmt::Write as _;

use crate::transport::runner::blobs::SMALL;
use crate::transport::runner::layout::{self, Group};
use crate::words::action::{Action, Command, Owner, Program};
use crate::words::content::{Content, Digest};
use crate::words::fact::Probe;
use crate::words::names::{FileMode, RemotePath};
use crate::words::shell::{join, quote};

/// Arguments of one process stay far below ARG_MAX.
const PATHS_AT_ONCE: usize = 500;

/// The start of every conversation. Markers carry `token`, which no program can guess.
pub fn prelude(token: &str) -> String {
    // A shell whose stdin is a pipe reads ahead; nothing but script ever comes this way.
    let lines = include_str!("prelude.sh").lines();
    let code = lines.filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
    format!("_T={token}\n{code}\n")
}

/// Asks all `probes`, in an order of its own; `answers::parse` knows it. Ends with the marker `q`.
pub fn probes(probes: &[Probe], tag: &str) -> String {
    let mut out = String::new();
    let paths: Vec<&str> = probes
        .iter()
        .filter_map(|p| if let Probe::Path(path) = p { Some(path.as_str()) } else { None })
        .collect();
    for chunk in paths.chunks(PATHS_AT_ONCE) {
        let _ = writeln!(
            out,
            "_o s; {{ _e=$(_st {} 2>&1 1>&3 3>&-); }} 3>&1 </dev/null; _o S; printf '%s\\n' \"$_e\"",
            join(chunk)
        );
    }
    let files: Vec<&str> = probes
        .iter()
        .filter_map(|p| if let Probe::Digest(path) = p { Some(path.as_str()) } else { None })
        .collect();
    for chunk in files.chunks(PATHS_AT_ONCE) {
        let _ = writeln!(out, "_o d; _dg {} 2>/dev/null </dev/null", join(chunk));
    }
    for (index, probe) in probes.iter().enumerate() {
        match probe {
            Probe::Path(_) | Probe::Digest(_) => {}
            Probe::Content(path) => {
                let path = quote(path.as_str());
                let _ = writeln!(
                    out,
                    "_o c {index}; [ ! -f {path} ] || [ ! -r {path} ] || {{ printf y; head -c 1048577 {path}; }}"
                );
            }
            Probe::Tree(path) => {
                let path = quote(path.as_str());
                let _ = writeln!(
                    out,
                    "_o t {index}; [ ! -d {path} ] || {{ printf y; _tree {path}; }} 2>/dev/null </dev/null; _o T {index}"
                );
                let _ = writeln!(
                    out,
                    "[ ! -d {path} ] || find {path}/ -type f -exec $_H {{}} + 2>/dev/null </dev/null"
                );
            }
            Probe::User(name) => {
                let name = quote(name.as_str());
                let _ = writeln!(
                    out,
                    "_o u {index}; {{ getent passwd {name} || grep ^{name}: /etc/passwd; }} 2>/dev/null; _o U {index}; id -Gn {name} 2>/dev/null"
                );
            }
            Probe::Shell { script, user } => {
                let user = user.as_ref().map(AsRef::as_ref);
                shell_probe(&mut out, &format!("{tag}{index}"), index, script, user);
            }
        }
    }
    out.push_str("_o q\n");
    out
}

fn shell_probe(out: &mut String, end: &str, index: usize, script: &str, user: Option<&str>) {
    let run = match user {
        // `eval` in a subshell: a mistake in the syntax ends only that.
        None => format!("( LC_ALL=C; export LC_ALL; eval {} ) </dev/null 2>/dev/null", quote(script)),
        Some(user) => format!(
            "_a {user}; $_X 2>/dev/null <<'_E{end}'\n{{ cd ~{user} 2>/dev/null || cd /; HOME=~{user} LC_ALL=C; export HOME LC_ALL\n{script}\n}} </dev/null\n_E{end}\n"
        ),
    };
    let _ = writeln!(out, "_o x {index}; {run}\n_o y {index} $?");
}

/// Performs `actions` in order until one fails. Each begins with the marker `b` and ends with `e`, on both
/// streams; `z` ends the batch. `tag` keeps temporary names apart. `first` unpacks what was uploaded; when it
/// fails, the marker `u` says so and nothing else happens.
pub fn actions(first: &str, actions: &[Action], tag: &str) -> String {
    let mut out = String::from("_F=0\n");
    if !first.is_empty() {
        let _ = writeln!(out, "{{ {first}; }} </dev/null || {{ _F=1; _m u 0; }}");
    }
    let mut groups = layout::groups(actions).into_iter().peekable();
    let mut id = 0;
    while id < actions.len() {
        if let Some(group) = groups.next_if(|group| group.first == id) {
            install_group(&mut out, actions, &group, tag);
            id = group.end;
            continue;
        }
        match &actions[id] {
            Action::Run(command) => run(&mut out, id, command, tag),
            action => {
                let small = small(action, tag, id);
                let _ = writeln!(
                    out,
                    "[ $_F != 0 ] || {{ _o b {id}; {{ {small}; }} </dev/null; _r=$?; [ $_r = 0 ] || _F=1; _m e {id} $_r; }}"
                );
            }
        }
        id += 1;
    }
    out.push_str("_m z $_F\n");
    out
}

/// Folders that are filled at the same time.
const AT_ONCE: usize = 16;

/// Consecutive installs: everything is prepared under temporary names, made durable, and only then renamed.
fn install_group(out: &mut String, actions: &[Action], group: &Group<'_>, tag: &str) {
    for (number, folder) in group.folders.iter().enumerate() {
        let names = join(folder.files.iter().map(|file| format!("./{}", file.name)));
        let (parent, owner) = (quote(folder.parent.as_str()), quote(&owner_words(folder.owner)));
        let _ = writeln!(
            out,
            "_g {} {} {parent} {owner} {names}",
            folder.files[0].id,
            folder_name(tag, folder.key)
        );
        if (number + 1) % AT_ONCE == 0 || number + 1 == group.folders.len() {
            out.push_str("_y\n");
        }
    }
    let mut singles = vec![];
    for &id in &group.single {
        let Action::Install { path, content, mode, owner } = &actions[id] else { continue };
        let temporary = quote(&temporary(path, tag, id));
        let (mode, owner) = (mode.unwrap_or(FileMode(0o644)), quote(&owner_words(owner)));
        let how = if moves(actions, content) { "_l" } else { "_i" };
        let _ = writeln!(out, "{how} {id} {} {temporary} {mode} {owner}", content.digest.as_str());
        singles.push((id, temporary, quote(path.as_str())));
    }
    if !singles.is_empty() {
        let all = singles.iter().map(|(_, temporary, _)| temporary.as_str()).collect::<Vec<_>>().join(" ");
        let _ = writeln!(out, "[ $_F != 0 ] || sync {all} 2>/dev/null </dev/null");
    }
    for folder in &group.folders {
        let names = join(folder.files.iter().map(|file| format!("./{}", file.name)));
        let _ = writeln!(
            out,
            "_h {} {} {} {names}",
            folder.files[0].id,
            folder_name(tag, folder.key),
            quote(folder.parent.as_str())
        );
    }
    for (id, temporary, path) in &singles {
        let _ = writeln!(out, "_j {id} {temporary} {path}");
    }
    let _ = writeln!(out, "_n {} {}", group.first, group.end);
}

/// Of a folder of the batch, in the archive and, with a dot, beside the files that it will replace.
pub fn folder_name(tag: &str, key: usize) -> String {
    format!("tow-{}", unguessable(tag, &format!("folder-{key}")))
}

/// Who has seen one temporary name must not know the next: it could be taken before us.
fn unguessable(tag: &str, what: &str) -> String {
    Digest::of(format!("{tag} {what}").as_bytes()).as_str()[..32].to_owned()
}

/// A large file that only one action of the batch needs is moved out of the private folder, not copied.
pub fn moves(actions: &[Action], content: &Content) -> bool {
    let users = actions.iter().flat_map(Action::contents).filter(|other| *other == content).take(2).count();
    content.len > SMALL && users == 1
}

/// In the folder of `path`, so that the rename stays on one file system.
fn temporary(path: &RemotePath, tag: &str, id: usize) -> String {
    let parent =
        path.parent().map_or_else(String::new, |parent| parent.as_str().trim_end_matches('/').to_owned());
    format!("{parent}/.tow-{}", unguessable(tag, &id.to_string()))
}

fn owner_words(owner: &Owner) -> String {
    let user = owner.user.as_ref().map_or("", AsRef::as_ref);
    match &owner.group {
        Some(group) => format!("{user}:{group}"),
        None => user.to_owned(),
    }
}

/// An action that is over in a moment and needs no process group of its own.
fn small(action: &Action, tag: &str, id: usize) -> String {
    match action {
        Action::MakeDir { path, mode, owner } => {
            let mode = mode.unwrap_or(FileMode(0o755));
            let mkdir = format!("mkdir -m {mode} -- {}", quote(path.as_str()));
            chown(owner, path).map_or(mkdir.clone(), |chown| format!("{mkdir} && {chown}"))
        }
        Action::Link { path, target } => {
            let temporary = quote(&temporary(path, tag, id));
            format!(
                "ln -sn -- {} {temporary} && {{ mv $_V {temporary} {} || {{ rm -f {temporary}; false; }}; }}",
                quote(target),
                quote(path.as_str())
            )
        }
        Action::SetAttributes { path, mode, owner } => {
            let quoted = quote(path.as_str());
            let chmod = mode.map(|mode| format!("[ ! -L {quoted} ] && chmod {mode} -- {quoted}"));
            let parts: Vec<String> = chown(owner, path).into_iter().chain(chmod).collect();
            if parts.is_empty() { "true".to_owned() } else { parts.join(" && ") }
        }
        Action::Remove { path, recursive } => {
            format!("rm {} -- {}", if *recursive { "-rf" } else { "-f" }, quote(path.as_str()))
        }
        Action::Install { .. } | Action::Run(_) => "true".to_owned(),
    }
}

fn chown(owner: &Owner, path: &RemotePath) -> Option<String> {
    (!owner.is_none()).then(|| format!("chown -h {} -- {}", quote(&owner_words(owner)), quote(path.as_str())))
}

/// A process group of its own, whose script comes in a here-document: nothing of it is ever in an argv.
fn run(out: &mut String, id: usize, command: &Command, tag: &str) {
    let mut body = String::new();
    if let Some(user) = &command.user {
        let _ = writeln!(
            body,
            "HOME=~{user} USER={user} LOGNAME={user}; export HOME USER LOGNAME; cd ~{user} 2>/dev/null || cd /"
        );
    }
    if let Some(cwd) = &command.cwd {
        let _ = writeln!(body, "cd {} || exit 1", quote(cwd.as_str()));
    }
    for (name, value) in &command.env {
        let _ = writeln!(body, "export {name}={}", quote(value));
    }
    let (line, script) = program(&command.program);
    let stdin = script.or(command.stdin.as_ref().map(|content| content.digest.as_str()));
    let (from, fd) = match stdin {
        // Opened by us, because another account could not.
        Some(blob) => ("<&3 3<&-".to_owned(), format!(" 3<\"$_D/{blob}\"")),
        None => ("</dev/null".to_owned(), String::new()),
    };
    let mut user = command.user.as_ref().map_or_else(|| "_X=/bin/sh".to_owned(), |user| format!("_a {user}"));
    if command.user.is_some() && stdin.is_some() {
        user.push_str("; _b");
    }
    let codes = command.ok_codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let end = format!("_E{tag}{id}");
    let _ = write!(
        out,
        "if [ $_F = 0 ]; then _o b {id}; {user}\n$_S $_X <<'{end}'{fd} &\n{{ {body}{line}\n}} {from}\n{end}\n_w {id} '{codes}'; fi\n"
    );
}

/// The line that runs it, and the blob that it reads as its script.
fn program(program: &Program) -> (String, Option<&str>) {
    match program {
        Program::Argv(argv) => (format!("exec {}", join(argv)), None),
        Program::Shell(line) => (line.clone(), None),
        Program::Script { interpreter, args, content } => {
            let name = interpreter.first().map_or("sh", |path| path.rsplit('/').next().unwrap_or(path));
            let from_stdin =
                if matches!(name, "sh" | "bash" | "dash" | "ash" | "ksh" | "zsh") { "-s --" } else { "-" };
            let line = format!("exec {} {from_stdin} {}", join(interpreter), join(args));
            (line.trim_end().to_owned(), Some(content.digest.as_str()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::actions;
    use crate::words::action::{Action, Command, Owner};
    use crate::words::names::{FileMode, RemotePath, UserName};

    fn path(text: &str) -> RemotePath {
        RemotePath::new(text).unwrap()
    }

    #[test]
    fn a_folder_is_made_with_its_mode_at_once() {
        let owner = Owner { user: Some(UserName::new("app").unwrap()), group: None };
        let action = Action::MakeDir { path: path("/srv/my app"), mode: Some(FileMode(0o750)), owner };
        assert_eq!(
            actions("", &[action], "x"),
            "_F=0\n[ $_F != 0 ] || { _o b 0; { mkdir -m 0750 -- '/srv/my app' && chown -h app -- '/srv/my app'; } </dev/null; _r=$?; [ $_r = 0 ] || _F=1; _m e 0 $_r; }\n_m z $_F\n"
        );
    }

    #[test]
    fn a_command_carries_its_environment_in_the_script_and_not_in_an_argv() {
        let command = Command::new("env").env("TOKEN", "it's").user(Some(UserName::new("app").unwrap()));
        let script = actions("", &[Action::Run(command)], "x");
        assert!(
            script.contains("export TOKEN='it'\\''s'\nexec env\n} </dev/null\n_Ex0\n_w 0 '0'; fi"),
            "{script}"
        );
    }
}
