//! Probes and actions as POSIX shell. Pure: text out, checked against exact strings and real shells.

use std::fmt::Write as _;

use crate::transport::runner::detached::{self, Begins};
use crate::transport::runner::{PATHS_AT_ONCE, layout, places};
use crate::words::action::{Action, Command, Detached, Program};
use crate::words::fact::Probe;
use crate::words::shell::{join, quote};

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
/// fails, the marker `u` says so and nothing else happens. `begins`: how commands are dealt with that shall go on without us.
pub fn actions(first: &str, actions: &[Action], tag: &str, begins: Begins) -> String {
    let mut out = String::from("_F=0\n");
    if !first.is_empty() {
        let _ = writeln!(out, "{{ {first}; }} </dev/null || {{ _F=1; _m u 0; }}");
    }
    let mut groups = layout::groups(actions).into_iter().peekable();
    let mut id = 0;
    while id < actions.len() {
        let folders = layout::alike(actions, id);
        if let Some(group) = groups.next_if(|group| group.first == id) {
            places::install_group(&mut out, actions, &group, tag);
            id = group.end;
        } else if folders > 1 {
            places::make_folders(&mut out, actions, id..id + folders);
            id += folders;
        } else {
            match &actions[id] {
                Action::Run(command) => run(&mut out, id, command, &format!("{tag}{id}"), begins),
                action => {
                    let small = places::small(action, tag, id);
                    let _ = writeln!(
                        out,
                        "[ $_F != 0 ] || {{ _o b {id}; {{ {small}; }} </dev/null; _r=$?; [ $_r = 0 ] || _F=1; _m e {id} $_r; }}"
                    );
                }
            }
            id += 1;
        }
    }
    out.push_str("_m z $_F\n");
    out
}

/// What is to be sent when the ends of `actions` have been heard of.
pub fn heard(actions: &[Action]) -> String {
    let commands = actions.iter().filter_map(|action| match action {
        Action::Run(command) if command.detached != Detached::No => Some(command),
        _ => None,
    });
    commands.map(|command| detached::heard(command, &inner(command).0)).collect()
}

/// What the shell of a command reads, and the blob that is to be its file 3.
fn inner(command: &Command) -> (String, Option<&str>) {
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
    let stdin = script.or(command.stdin.as_ref().map(|content| content.digest().as_str()));
    let from = if stdin.is_some() { "<&3 3<&-" } else { "</dev/null" };
    (format!("{{ {body}{line}\n}} {from}\n"), stdin)
}

/// A process group of its own, whose script comes in a here-document: nothing of it is ever in an argv.
fn run(out: &mut String, id: usize, command: &Command, mark: &str, begins: Begins) {
    let (mut lines, stdin) = inner(command);
    // Opened by us, because another account could not.
    let fd = stdin.map_or_else(String::new, |blob| format!(" 3<\"$_D/{blob}\""));
    let mut user = command.user.as_ref().map_or_else(|| "_X=/bin/sh".to_owned(), |user| format!("_a {user}"));
    if command.user.is_some() && stdin.is_some() {
        user.push_str("; _b");
    }
    let codes = command.ok_codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let mut shell = "$_S $_X";
    if begins != Begins::No && command.detached != Detached::No {
        shell = "_X=$_X $_S /bin/sh";
        lines =
            detached::script(command, &detached::Inner { lines: &lines, fed: stdin.is_some() }, mark, begins);
    }
    let _ = write!(
        out,
        "if [ $_F = 0 ]; then _o b {id}; {user}\n{shell} <<'_E{mark}'{fd} &\n{lines}_E{mark}\n_w {id} '{codes}'; fi\n"
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
            (line.trim_end().to_owned(), Some(content.digest().as_str()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{actions, heard};
    use crate::transport::runner::detached::Begins;
    use crate::words::action::{Action, Command, Detached, Owner};
    use crate::words::names::{FileMode, RemotePath, UserName};

    fn path(text: &str) -> RemotePath {
        RemotePath::new(text).unwrap()
    }

    #[test]
    fn a_folder_is_made_with_its_mode_at_once() {
        let owner = Owner { user: Some(UserName::new("app").unwrap()), group: None };
        let action = Action::MakeDir { path: path("/srv/my app"), mode: Some(FileMode(0o750)), owner };
        assert_eq!(
            actions("", &[action], "x", Begins::Yes),
            "_F=0\n[ $_F != 0 ] || { _o b 0; { mkdir -m 0750 -- '/srv/my app' && chown -h app -- '/srv/my app'; } </dev/null; _r=$?; [ $_r = 0 ] || _F=1; _m e 0 $_r; }\n_m z $_F\n"
        );
    }

    #[test]
    fn what_goes_on_by_itself_is_begun_by_a_shell_of_its_own() {
        let pip = |detached| {
            let command = Command::new("pip").env("TOKEN", "it's").user(Some(UserName::new("app").unwrap()));
            [Action::Run(command.detached(detached))]
        };
        let script = actions("", &pip(Detached::WhileItRuns), "x", Begins::Yes);
        let begins = "_F=0\nif [ $_F = 0 ]; then _o b 0; _a app\n_X=$_X $_S /bin/sh <<'_Ex0' &\n\
            key=d7b03f08c6443b5b5a3e1b0b8d7e4f1b unit=tow-job-0 limit=3660 hear= keep= codes='0' fed= job=\n\
            script() { cat <<'_Jx0'\n{ HOME=~app USER=app LOGNAME=app; export HOME USER LOGNAME; cd ~app 2>/dev/null || cd /\n\
            export TOKEN='it'\\''s'\nexec pip\n} </dev/null\n_Jx0\n}\nshell=$_X\n";
        // What is a digest there is none here.
        let (key, unit) = (between(&script, "key=", " "), between(&script, "unit=tow-job-", " "));
        let begins = begins.replace(between(begins, "key=", " "), key);
        let begins = begins.replace("tow-job-0", &format!("tow-job-{unit}"));
        assert!(script.starts_with(&begins), "{script}");
        assert!(script.ends_with("exit \"$ended\"\n_Ex0\n_w 0 '0'; fi\n_m z $_F\n"), "{script}");
        // The same again, whatever its mark; and what waits for it knows it by the same key.
        assert_eq!(key, between(&actions("", &pip(Detached::UntilHeard), "y", Begins::Again), "key=", " "));
        assert!(heard(&pip(Detached::WhileItRuns)).contains(&format!(" = {key} ] && rm -rf -- \"$_p\"")));
        // A host that cannot: as any other.
        let plain = actions("", &pip(Detached::No), "x", Begins::Yes);
        assert_eq!(
            (actions("", &pip(Detached::UntilHeard), "x", Begins::No), heard(&pip(Detached::No))),
            (plain, String::new())
        );
    }

    fn between<'a>(text: &'a str, before: &str, behind: &str) -> &'a str {
        text.split_once(before).unwrap().1.split_once(behind).unwrap().0
    }

    #[test]
    fn a_command_carries_its_environment_in_the_script_and_not_in_an_argv() {
        let command = Command::new("env").env("TOKEN", "it's").user(Some(UserName::new("app").unwrap()));
        let script = actions("", &[Action::Run(command)], "x", Begins::Yes);
        assert!(
            script.contains("export TOKEN='it'\\''s'\nexec env\n} </dev/null\n_Ex0\n_w 0 '0'; fi"),
            "{script}"
        );
    }
}
