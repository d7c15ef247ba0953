//! The remote runner against a real shell: what it asks, does, streams and kills.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use towline::transport::local;
use towline::transport::runner::{Batch, Ending, Progress, Runner};
use towline::words::action::{Action, Command, Owner, Program};
use towline::words::content::{Content, Digest};
use towline::words::event::Stream;
use towline::words::fact::{Fact, Facts, NodeKind, PathFact, Probe, TreeFact};
use towline::words::names::{FileMode, HostName, RemotePath, UserName};

struct Host {
    runner: Runner,
    facts: Facts,
    dir: tempfile::TempDir,
    cancel: watch::Sender<bool>,
}

/// What a batch showed: stdout, stderr, and the endings of its actions.
#[derive(Debug, Default)]
struct Seen {
    out: Vec<u8>,
    err: Vec<u8>,
    ended: Vec<(usize, i32)>,
}

impl Host {
    async fn start() -> Host {
        let (runner, facts) = Runner::start(
            local::connect(&this_machine()).unwrap(),
            &[],
            true,
            &towline::words::secret::Mask::default(),
        )
        .await
        .unwrap();
        Host { runner, facts, dir: tempfile::tempdir().unwrap(), cancel: watch::channel(false).0 }
    }
    fn path(&self, name: &str) -> RemotePath {
        RemotePath::new(format!("{}/{name}", self.dir.path().display())).unwrap()
    }
    async fn ask(&mut self, probe: Probe) -> Fact {
        self.runner.probe(std::slice::from_ref(&probe), &mut self.facts).await.unwrap();
        self.facts.raw(&probe).unwrap().clone()
    }
    async fn run(&mut self, actions: &[Action]) -> (Ending, Seen) {
        let mut seen = Seen::default();
        let mut cancel = self.cancel.subscribe();
        let mut sink = |progress: Progress<'_>| match progress {
            Progress::Output(_, Stream::Stdout, bytes) => seen.out.extend(bytes),
            Progress::Output(_, Stream::Stderr, bytes) => seen.err.extend(bytes),
            Progress::Ended(id, code) => seen.ended.push((id, code)),
            _ => {}
        };
        let batch = Batch { actions, then: &[] };
        let ending = self
            .runner
            .run(&batch, &mut self.facts, &mut cancel, &mut sink, &|| Box::pin(async {}))
            .await
            .unwrap();
        (ending, seen)
    }
}

fn this_machine() -> towline::spec::model::Host {
    let connection = towline::spec::model::Connection::Local { r#become: false };
    towline::spec::model::Host {
        name: HostName::new("localhost").unwrap(),
        groups: vec![],
        connection,
        vars: towline::spec::model::Vars::default(),
    }
}

fn shell(script: &str) -> Action {
    Action::Run(Command::shell(script))
}

fn install(path: RemotePath, text: &str) -> Action {
    Action::Install {
        path,
        content: Content::text(text),
        mode: Some(FileMode(0o640)),
        owner: Owner::default(),
    }
}

#[tokio::test]
async fn says_who_and_where_it_is() {
    let host = Host::start().await;
    assert_eq!(host.facts.host.kernel, "Linux");
    assert!(!host.facts.host.user.is_empty() && !host.facts.host.id.is_empty(), "{:?}", host.facts.host);
}

#[tokio::test]
async fn writes_files_atomically_with_their_mode_whatever_the_umask() {
    let mut host = Host::start().await;
    let names = ["one", "two words", "it's", "-dash"];
    let mut actions = vec![shell("umask 077")];
    actions.extend(names.iter().map(|name| install(host.path(name), name)));
    let (ending, seen) = host.run(&actions).await;
    assert_eq!((ending, seen.ended.len()), (Ending::Done, 5), "{seen:?}");
    for name in names {
        let path = host.dir.path().join(name);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), name);
        let about = path.metadata().unwrap();
        assert_eq!(about.permissions().mode() & 0o777, 0o640);
        // Python takes its compiled modules for current while size and time of the source are the same.
        assert!(about.modified().unwrap().elapsed().unwrap().as_secs() < 60, "{about:?}");
    }
    assert_eq!(std::fs::read_dir(host.dir.path()).unwrap().count(), 4, "a temporary file stayed behind");
    host.runner.close().await;
}

#[tokio::test]
async fn facts_after_an_action_are_what_was_done() {
    let mut host = Host::start().await;
    let (folder, file, link) = (host.path("d"), host.path("d/f"), host.path("l"));
    let actions = [
        Action::MakeDir { path: folder.clone(), mode: Some(FileMode(0o2750)), owner: Owner::default() },
        install(file.clone(), "text"),
        Action::Link { path: link.clone(), target: file.as_str().into() },
        Action::Link { path: link.clone(), target: "d/f".into() },
    ];
    assert_eq!(host.run(&actions).await.0, Ending::Done);
    let Fact::Path(PathFact::Present(stat)) = host.ask(Probe::Path(folder.clone())).await else { panic!() };
    assert_eq!((stat.node, stat.mode), (NodeKind::Dir, FileMode(0o2750)));
    let Fact::Path(PathFact::Present(stat)) = host.ask(Probe::Path(link)).await else { panic!() };
    assert_eq!(stat.node, NodeKind::Link { target: "d/f".into() });
    assert_eq!(host.ask(Probe::Digest(file.clone())).await, Fact::Digest(Some(Digest::of(b"text"))));
    assert_eq!(host.ask(Probe::Content(file)).await, Fact::Content(Some(b"text".into())));
    let Fact::Tree(Some(tree)) = host.ask(Probe::Tree(folder)).await else { panic!() };
    assert_eq!(tree["f"], TreeFact::File { digest: Digest::of(b"text"), executable: false });
    host.runner.close().await;
}

#[tokio::test]
async fn what_is_not_there_is_absent() {
    let mut host = Host::start().await;
    let path = host.path("none");
    assert_eq!(host.ask(Probe::Path(path.clone())).await, Fact::Path(PathFact::Absent));
    assert_eq!(host.ask(Probe::Digest(path.clone())).await, Fact::Digest(None));
    assert_eq!(host.ask(Probe::Content(path.clone())).await, Fact::Content(None));
    assert_eq!(host.ask(Probe::Tree(path)).await, Fact::Tree(None));
    assert_eq!(host.ask(Probe::User(UserName::new("nobody-here").unwrap())).await, Fact::User(None));
    let Fact::User(Some(root)) = host.ask(Probe::User(UserName::new("root").unwrap())).await else {
        panic!()
    };
    assert_eq!((root.uid, root.groups[0].as_str()), (0, "root"));
}

#[tokio::test]
async fn a_broken_probe_spoils_no_other() {
    let mut host = Host::start().await;
    let cases = [
        ("if", 2, ""),
        ("exit 7", 7, ""),
        ("printf 'a\\036b'", 0, "a\u{1e}b"),
        ("cat; echo end", 0, "end\n"),
    ];
    for (script, code, stdout) in cases {
        let fact = host.ask(Probe::Shell { script: script.into(), user: None }).await;
        let Fact::Output(output) = fact else { panic!() };
        assert_eq!((output.code, output.stdout.as_str()), (code, stdout), "{script}");
    }
}

#[tokio::test]
async fn streams_keep_apart_and_bytes_stay_as_they_are() {
    let mut host = Host::start().await;
    let (ending, seen) = host.run(&[shell("printf 'a\\000\\377b'; echo oops >&2"), shell("echo next")]).await;
    assert_eq!(ending, Ending::Done);
    assert_eq!((seen.out.as_slice(), seen.err.as_slice()), (&b"a\0\xffbnext\n"[..], &b"oops\n"[..]));
}

#[tokio::test]
async fn a_failure_stops_what_follows() {
    let mut host = Host::start().await;
    let (ending, seen) = host.run(&[shell("exit 3"), install(host.path("x"), "x"), shell("echo no")]).await;
    assert_eq!(ending, Ending::Failed { action: 0, code: 3, timed_out: false, untouched: false });
    assert_eq!((seen.ended, seen.out), (vec![(0, 3)], vec![]));
    assert!(!host.dir.path().join("x").exists());
    assert_eq!(host.run(&[shell("echo again")]).await.1.out, b"again\n");
    host.runner.close().await;
}

#[tokio::test]
async fn a_syntax_error_fails_its_own_command_only() {
    let mut host = Host::start().await;
    let (ending, _) = host.run(&[shell("if; then")]).await;
    assert!(matches!(ending, Ending::Failed { action: 0, .. }), "{ending:?}");
    assert_eq!(host.run(&[shell("echo again")]).await.1.out, b"again\n");
}

#[tokio::test]
async fn commands_read_their_own_stdin_and_nothing_of_ours() {
    let mut host = Host::start().await;
    let mut with_stdin = Command::new("cat");
    with_stdin.stdin = Some(Content::text("given"));
    let content = Content::text("import sys; print(sys.argv[1:])");
    let script =
        Program::Script { interpreter: vec!["python3".into()], args: vec!["one two".into()], content };
    let actions = [shell("cat"), Action::Run(with_stdin), Action::Run(Command::from(script))];
    assert_eq!(host.run(&actions).await.1.out, b"given['one two']\n");
    host.runner.close().await;
}

#[tokio::test]
async fn a_child_left_behind_does_not_hold_the_step() {
    let mut host = Host::start().await;
    let began = Instant::now();
    let (ending, seen) = host.run(&[shell("sleep 20 & echo $!"), shell("echo next")]).await;
    assert_eq!(ending, Ending::Done);
    assert!(began.elapsed() < Duration::from_secs(10));
    let pid: i32 = String::from_utf8(seen.out).unwrap().lines().next().unwrap().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn a_command_over_its_time_dies_with_its_whole_group() {
    let mut host = Host::start().await;
    let stubborn = "trap '' TERM; sleep 300 & echo $!; wait; sleep 300";
    let stubborn = Command::shell(stubborn).timeout(Duration::from_secs(3));
    let (ending, seen) = host.run(&[Action::Run(stubborn), shell("echo no")]).await;
    assert!(matches!(ending, Ending::Failed { action: 0, timed_out: true, .. }), "{ending:?}");
    assert!(!String::from_utf8_lossy(&seen.out).contains("no"));
    let pid = String::from_utf8(seen.out).unwrap().trim().to_owned();
    assert!(!pid.is_empty(), "it had begun");
    // Where nobody reaps orphans it stays as a zombie: dead all the same. Not our child: its end can only be
    // looked for.
    let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_else(|_| "gone) Z".into());
    let deadline = Instant::now() + Duration::from_secs(10);
    while !state().contains(") Z") {
        assert!(Instant::now() < deadline, "the child lives on: {}", state());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn cancelling_ends_the_command_and_leaves_out_the_rest() {
    let mut host = Host::start().await;
    let cancel = host.cancel.clone();
    let flag = host.dir.path().join("begun");
    let began = flag.clone();
    tokio::spawn(async move {
        while !began.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        cancel.send_replace(true);
    });
    let hang = shell(&format!("touch {}; exec sleep 300", flag.display()));
    let (ending, seen) = host.run(&[hang, shell("echo no")]).await;
    assert_eq!((ending, seen.out), (Ending::Interrupted, vec![]));
}

#[tokio::test]
async fn a_gigabyte_passes_without_growing_us() {
    let mut host = Host::start().await;
    let mut total = 0;
    let mut cancel = host.cancel.subscribe();
    let actions = [shell("head -c 1073741824 /dev/zero")];
    let mut sink = |progress: Progress<'_>| {
        if let Progress::Output(_, _, bytes) = progress {
            total += bytes.len();
        }
    };
    let batch = Batch { actions: &actions, then: &[] };
    host.runner.run(&batch, &mut host.facts, &mut cancel, &mut sink, &|| Box::pin(async {})).await.unwrap();
    assert_eq!(total, 1 << 30);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 200_000, "{peak} kB");
}

#[tokio::test]
async fn nothing_stays_on_the_host() {
    let mut host = Host::start().await;
    host.run(&[install(host.path("a"), "a"), install(host.path("b"), "b")]).await;
    let (_, seen) = host.run(&[shell("ls -d ${TMPDIR:-/tmp}/tow-* 2>/dev/null; true")]).await;
    let folders = String::from_utf8(seen.out).unwrap();
    host.runner.close().await;
    // Other tests run beside this one: ours is the one that is gone.
    assert!(folders.lines().any(|folder| !std::path::Path::new(folder).exists()), "{folders}");
}

#[tokio::test]
async fn a_command_that_ends_in_peace_when_its_time_is_over_has_failed() {
    let mut host = Host::start().await;
    let peaceful = Command::shell("trap 'exit 0' TERM; sleep 30 & wait").timeout(Duration::from_secs(3));
    let (ending, seen) = host.run(&[Action::Run(peaceful), shell("echo no")]).await;
    assert!(matches!(ending, Ending::Failed { action: 0, timed_out: true, .. }), "{ending:?}");
    assert_eq!(seen.out, b"");
    host.runner.close().await;
}

#[tokio::test]
async fn a_file_with_setuid_keeps_it_although_its_owner_changes() {
    let mut host = Host::start().await;
    let owner = Owner { user: Some(UserName::new("nobody").unwrap()), group: None };
    let names = ["a", "b", "c", "d"];
    let path = |name: &str| host.path(name);
    let actions: Vec<Action> = names
        .iter()
        .map(|name| {
            let (content, mode) = (Content::text(name), Some(FileMode(0o4755)));
            Action::Install { path: path(name), content, mode, owner: owner.clone() }
        })
        .collect();
    // Only root may give files away.
    if host.facts.host.user != "root" {
        return;
    }
    assert_eq!(host.run(&actions).await.0, Ending::Done);
    for name in names {
        let mode = host.dir.path().join(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o4755, "{name}");
    }
    host.runner.close().await;
}

#[tokio::test]
async fn files_of_many_folders_are_there_together_or_not_at_all_and_the_one_to_blame_is_named() {
    let mut host = Host::start().await;
    let long = "n".repeat(150);
    let folders = ["a", "b c", "it's", long.as_str()];
    let make = |name: &str| Action::MakeDir { path: host.path(name), mode: None, owner: Owner::default() };
    let file = |folder: &str| install(host.path(&format!("{folder}/file")), folder);
    let actions: Vec<Action> = folders.iter().map(|name| make(name)).chain(folders.map(file)).collect();
    let (ending, seen) = host.run(&actions).await;
    let all: Vec<_> = (0..8).map(|id| (id, 0)).collect();
    assert_eq!((ending, &seen.ended), (Ending::Done, &all), "{seen:?}");
    for folder in folders {
        let path = host.dir.path().join(folder).join("file");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), folder);
        let about = path.metadata().unwrap();
        assert_eq!(about.permissions().mode() & 0o7777, 0o640);
        assert!(about.modified().unwrap().elapsed().unwrap().as_secs() < 60, "{about:?}");
    }

    let new = |name: &str| install(host.path(name), "new");
    let (ending, seen) = host.run(&["a/file", "b c/file", "no/file", "it's/file"].map(new)).await;
    assert!(matches!(ending, Ending::Failed { action: 2, code: 1, .. }), "{ending:?}");
    assert!(String::from_utf8_lossy(&seen.err).contains("there is no folder"), "{seen:?}");
    assert_eq!(seen.ended, [(2, 1)]);
    assert!(!host.dir.path().join("no").exists(), "a folder that nobody asked for");
    for folder in folders {
        let inside: Vec<_> = std::fs::read_dir(host.dir.path().join(folder)).unwrap().collect();
        assert_eq!(inside.len(), 1, "a temporary file stayed behind: {inside:?}");
        assert_eq!(std::fs::read_to_string(host.dir.path().join(folder).join("file")).unwrap(), folder);
    }
    host.runner.close().await;
}

#[tokio::test]
async fn of_folders_made_together_the_one_that_fails_is_named() {
    let mut host = Host::start().await;
    let make = |name: &str| Action::MakeDir { path: host.path(name), mode: None, owner: Owner::default() };
    let actions = ["a", "a/b", "no/c", "d"].map(make);
    let (ending, seen) = host.run(&actions).await;
    assert!(matches!(ending, Ending::Failed { action: 2, code: 1, .. }), "{ending:?}");
    assert_eq!(seen.ended, [(0, 0), (1, 0), (2, 1)]);
    assert!(String::from_utf8_lossy(&seen.err).contains("no/c"), "{seen:?}");
    let (ending, seen) = host.run(&actions[..2]).await;
    assert!(matches!(ending, Ending::Failed { action: 0, .. }), "{ending:?}, {seen:?}");
    host.runner.close().await;
}
