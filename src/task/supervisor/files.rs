//! The files of a rootless Supervisor: its configuration, and a program's configuration and start script.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

use crate::words::content::Digest;
use crate::words::names::RemotePath;
use crate::words::shell::{join, quote};

/// Socket paths end at 104 bytes on macOS (108 on Linux), and Supervisor first binds the name with `.` and its
/// process id added.
const LONGEST_SOCKET: usize = 103 - ".4194304".len();

/// A folder in /tmp for the socket when `root` is too deep for one; of a name that belongs to this root alone.
pub(crate) fn socket_folder(root: &RemotePath) -> Option<String> {
    let own = format!("{root}/supervisor.sock");
    (own.len() > LONGEST_SOCKET).then(|| format!("/tmp/tow-{}", Digest::of(root.as_str().as_bytes()).short()))
}

/// In Supervisor's files `%` begins an expansion.
fn escape(text: &str) -> String {
    text.replace('%', "%%")
}

pub(crate) fn daemon(root: &RemotePath) -> String {
    let socket = socket_folder(root).unwrap_or_else(|| root.to_string());
    let (root, socket) = (escape(root.as_str()), escape(&socket));
    format!(
        "; Written by tow.\n\
         [unix_http_server]\nfile = {socket}/supervisor.sock\nchmod = 0700\n\n\
         [supervisord]\ndirectory = {root}\nlogfile = {root}/log/supervisord.log\npidfile = {root}/supervisord.pid\nchildlogdir = {root}/log\numask = 022\n\n\
         [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\n\
         [supervisorctl]\nserverurl = unix://{socket}/supervisor.sock\n\n\
         [include]\nfiles = conf.d/*.conf\n"
    )
}

/// How a program runs, apart from its command.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    pub root: &'a RemotePath,
    pub program: &'a str,
    pub log: &'a str,
    pub startsecs: u32,
    pub stopwaitsecs: u32,
    pub stopsignal: &'a str,
}

pub(crate) fn program(section: &Section) -> String {
    let Section { root, program, log, startsecs, stopwaitsecs, stopsignal } = section;
    let command = escape(&format!("/bin/sh {}", quote(&format!("{root}/conf.d/{program}.sh"))));
    let log = escape(log);
    format!(
        "; Written by tow.\n\
         [program:{program}]\ncommand = {command}\nautostart = true\nautorestart = true\n\
         startsecs = {startsecs}\nstopwaitsecs = {stopwaitsecs}\nstopsignal = {stopsignal}\nstopasgroup = true\nkillasgroup = true\n\
         redirect_stderr = true\nstdout_logfile = {log}\nstdout_logfile_maxbytes = 10MB\nstdout_logfile_backups = 3\n"
    )
}

/// The script that Supervisor starts. Its own `environment` setting knows no way to carry every value (quotes of both
/// kinds, ` #`, line ends); a shell does.
pub(crate) fn start(environment: &BTreeMap<String, String>, directory: Option<&RemotePath>, command: &str) -> String {
    let mut script = "# Written by tow.\n".to_owned();
    for (name, value) in environment {
        let _ = writeln!(script, "export {name}={}", quote(value));
    }
    if let Some(directory) = directory {
        let _ = writeln!(script, "cd {} || exit 1", quote(directory.as_str()));
    }
    script + command + "\n"
}

/// What runs, as a playbook says it.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a shell line (a string), or a program and its arguments (an array of strings)")]
pub(crate) enum Line {
    Shell(String),
    Argv(Vec<String>),
}

impl Line {
    pub fn is_empty(&self) -> bool {
        match self {
            Line::Shell(line) => line.trim().is_empty(),
            Line::Argv(argv) => argv.is_empty(),
        }
    }

    /// For the shell. A single command takes the shell's place, so that signals reach it.
    pub fn in_place(&self) -> String {
        let line = match self {
            Line::Shell(line) => line.trim(),
            Line::Argv(argv) => return format!("exec {}", join(argv)),
        };
        let compound = line.contains([';', '&', '|', '(', ')', '\n', '{', '}', '`']) || line.starts_with("exec ");
        let first = line.split_whitespace().next().unwrap_or_default();
        if compound || first.contains('=') { line.to_owned() } else { format!("exec {line}") }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Line, daemon, socket_folder, start};
    use crate::words::names::RemotePath;

    #[test]
    fn a_deep_root_has_its_socket_elsewhere() {
        let shallow = RemotePath::new("/home/me/app/supervisor").unwrap();
        assert_eq!(socket_folder(&shallow), None);
        assert!(daemon(&shallow).contains("\nfile = /home/me/app/supervisor/supervisor.sock\n"));
        let deep = RemotePath::new(format!("/home/{}/supervisor", "x".repeat(80))).unwrap();
        let folder = socket_folder(&deep).unwrap();
        assert!(daemon(&deep).contains(&format!("\nserverurl = unix://{folder}/supervisor.sock\n")));
    }

    #[test]
    fn percent_signs_are_doubled() {
        assert!(daemon(&RemotePath::new("/a%b").unwrap()).contains("directory = /a%%b\n"));
    }

    #[test]
    fn the_start_script_carries_every_value() {
        let environment = BTreeMap::from([("A".to_owned(), "it's \"x\" # 50%\nb".to_owned())]);
        let directory = RemotePath::new("/srv/a b").unwrap();
        assert_eq!(
            start(&environment, Some(&directory), "exec true"),
            "# Written by tow.\nexport A='it'\\''s \"x\" # 50%\nb'\ncd '/srv/a b' || exit 1\nexec true\n"
        );
    }

    #[test]
    fn only_single_commands_are_executed_in_place() {
        let line = |text: &str| Line::Shell(text.into()).in_place();
        assert_eq!(line("gunicorn -w 2 app:app"), "exec gunicorn -w 2 app:app");
        assert_eq!(line("a && b"), "a && b");
        assert_eq!(line("X=1 a"), "X=1 a");
        assert_eq!(Line::Argv(vec!["a b".into(), "c".into()]).in_place(), "exec 'a b' c");
    }
}
