//! Hosts that cannot be reached, links that are cut, disks that are full.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::project::{Ran, Towline, defaults, eventually};
use crate::support::sshd::{Sshd, keygen};

/// Ends the server's side of the connection below which the process runs.
pub fn cut(pid: &str) {
    let mut pid = pid.trim().to_owned();
    loop {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().to_owned()
        };
        if field("Name:").starts_with("sshd") {
            return kill(Pid::from_raw(pid.parse().unwrap()), Signal::SIGKILL).unwrap();
        }
        pid = field("PPid:");
        assert_ne!(pid, "1", "no sshd above");
    }
}

#[test]
fn a_link_cut_in_the_middle_of_a_command_is_an_error_that_says_what_to_do() {
    let sshd = Sshd::start(&[]);
    let tow = Towline::over(&sshd, &["a"]).playbook(
        "[[tasks]]\nname = \"slow\"\ncommand = \"echo $$ > @/pid; echo waits; exec sleep 20\"\n[[tasks]]\ncommand = \"touch @/behind\"\n",
    );
    let mut running = tow.start(&["run", "site.toml", "--json"]);
    running.until("waits");
    let pid = tow.read("pid");
    let began = std::time::Instant::now();
    cut(&pid);
    let ran = running.wait().ends(6);
    assert!(began.elapsed() < std::time::Duration::from_secs(15));
    let _ = kill(Pid::from_raw(pid.trim().parse().unwrap()), Signal::SIGKILL);
    let error = &ran.task("a", "slow")["error"];
    assert_eq!(error["kind"], "unknown");
    assert!(error["hint"].as_str().unwrap().contains("look at the host"), "{error}");
    assert!(error["command"].as_str().unwrap().contains("sleep 20"), "{error}");
    assert_eq!(ran.host("a")["verdict"], "unreachable");
    assert!(!tow.path("behind").exists());
}

/// Tasks that were told are told once, and what was under way came to its end.
const GOES_ON: &str = r#"
[[stages]]
name = "s"
hosts = "all"
  [[stages.tasks]]
  name = "first"
  file = { path = "@/first", content = "first" }
  notify = ["handler"]
  [[stages.tasks]]
  name = "slow"
  creates = "@/made"
  command = "echo $$ > @/pid; echo waits; until [ -e @/go ]; do sleep 0.1; done; echo once >> @/made"
  [[stages.tasks]]
  name = "behind"
  command = "cat @/made"
  [[stages.handlers]]
  name = "handler"
  command = "touch @/handled"
"#;

#[test]
fn a_link_that_is_lost_is_taken_up_again_and_what_is_done_is_not_repeated() {
    let sshd = Sshd::start(&[]);
    let tow = Towline::over(&sshd, &["a"]).playbook(GOES_ON);
    let mut running = tow.start(&["run", "site.toml", "--json"]);
    running.until("waits");
    cut(&tow.read("pid"));
    std::fs::write(tow.path("go"), "").unwrap();
    let ran = running.wait().ends(0);
    assert_eq!(
        ran.tasks("a"),
        ["first: changed", "slow: already", "behind: changed", "handler: changed"],
        "{ran:?}"
    );
    assert_eq!(tow.read("made"), "once\n");
    assert!(tow.path("handled").exists());
    let notices: Vec<_> = ran.of("notice").filter(|notice| notice["host"] == "a").collect();
    let said: Vec<&str> = notices.iter().map(|notice| notice["text"].as_str().unwrap()).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(said[0], "the link was lost; connecting again, for 60 s at most");
    assert!(said[1].starts_with("connected again after "));
}

#[test]
fn an_upload_whose_link_is_lost_begins_again_and_leaves_nothing_behind() {
    let tmp = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(&[&format!("SetEnv TMPDIR={}", tmp.path().display())]);
    let tmp = tmp.path();
    let tow = Towline::over(&sshd, &["a"]).playbook(
        "[[tasks]]\nname = \"shell\"\ncommand = \"echo $PPID > @/pid\"\n\
         [[tasks]]\nname = \"large\"\nfile = { path = \"@/there\", src = \"large\" }\n",
    );
    // It has to last until the link is cut.
    let block: Vec<u8> = (0..1 << 20).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let large: Vec<u8> = (0..160_u8).flat_map(|n| [&[n], &block[1..]].concat()).collect();
    std::fs::write(tow.path("large"), &large).unwrap();
    let running = tow.start(&["run", "site.toml", "--json"]);
    let begun = || {
        let folders = std::fs::read_dir(tmp).unwrap().flatten();
        folders.flat_map(|folder| std::fs::read_dir(folder.path()).into_iter().flatten().flatten()).count()
            > 0
    };
    eventually("the upload", begun);
    cut(&tow.read("pid"));
    let ran = running.wait().ends(0);
    assert_eq!(ran.tasks("a"), ["shell: changed", "large: changed"]);
    assert_eq!(ran.of("notice").filter(|notice| notice["host"] == "a").count(), 2, "{ran:?}");
    assert!(std::fs::read(tow.path("there")).unwrap() == large);
    eventually("nothing is left", || std::fs::read_dir(tmp).unwrap().count() == 0);
}

#[test]
fn a_host_that_does_not_come_back_is_given_up() {
    let sshd = Sshd::start(&[]);
    let tow = Towline::over(&sshd, &["a"]).playbook(GOES_ON);
    let mut running = tow.start(&["run", "site.toml", "--json"]);
    running.until("waits");
    let pid = tow.read("pid");
    drop(sshd);
    cut(&pid);
    running.until("connecting again");
    // Nobody waits for it who was told to stop.
    running.signal(Signal::SIGINT);
    let ran = running.wait().ends(130);
    let _ = kill(Pid::from_raw(pid.trim().parse().unwrap()), Signal::SIGKILL);
    assert_eq!(ran.host("a")["verdict"], "interrupted");
    assert!(!tow.path("handled").exists());
}

fn mixed(sshd: &Sshd, stage: &str) -> Towline {
    Towline::new()
        .inventory(&format!(
            "{}[hosts.gone]\nport = 1\naddress = \"127.0.0.1\"\n[hosts.a]\naddress = \"127.0.0.1\"\n[hosts.b]\naddress = \"127.0.0.1\"\n",
            defaults(sshd, "root")
        ))
        .playbook(&format!(
            "[[stages]]\nname = \"s\"\n{stage}\n[[stages.tasks]]\nname = \"x\"\ncommand = \"test ! -e @/bad-{{{{host.name}}}}\"\n"
        ))
}

fn verdicts(ran: &Ran) -> Vec<&str> {
    ["gone", "a", "b"].iter().map(|host| ran.host(host)["verdict"].as_str().unwrap()).collect()
}

#[test]
fn an_unreachable_host_stops_the_run_or_does_not() {
    let sshd = Sshd::start(&[]);
    let ran = mixed(&sshd, "").run(&[]).ends(4);
    assert_eq!(verdicts(&ran), ["unreachable", "not_started", "not_started"]);
    let ran = mixed(&sshd, "max_failures = 1").run(&[]).ends(4);
    assert_eq!(verdicts(&ran), ["unreachable", "ok", "ok"]);
    assert_eq!(ran.tasks("b"), ["x: changed"]);
    // What failed while working weighs more than what was never begun.
    let ran = mixed(&sshd, "max_failures = 1").file("bad-a", "").run(&[]).ends(3);
    assert_eq!(verdicts(&ran), ["unreachable", "failed", "ok"]);
    // A plan shows what it can.
    let ran = mixed(&sshd, "").plan(&[]).ends(4);
    assert_eq!(ran.tasks("b"), ["x: unknown"]);
    let ran = mixed(&sshd, "").ended(&["exec", "--", "echo", "hi"]);
    assert_eq!((ran.code, ran.stdout.matches("hi").count()), (4, 2), "{ran:?}");
}

#[test]
fn a_changed_host_key_refuses_that_host_alone_and_nothing_is_authenticated() {
    let good = Sshd::start(&[]);
    let bad = Sshd::start(&[]);
    keygen(&bad.path("other"), &[]);
    let other = std::fs::read_to_string(bad.path("other.pub")).unwrap();
    std::fs::write(&bad.known_hosts_path, format!("[127.0.0.1]:{} {other}", bad.port)).unwrap();
    let tow = Towline::new()
        .inventory(&format!(
            "{}[hosts.bad]\naddress = \"127.0.0.1\"\nport = {}\nkey = \"{}\"\nknown_hosts = \"{}\"\n[hosts.a]\naddress = \"127.0.0.1\"\n",
            defaults(&good, "root"),
            bad.port,
            bad.key_path.display(),
            bad.known_hosts_path.display()
        ))
        .playbook("[[stages]]\nname = \"s\"\nmax_failures = 1\n[[stages.tasks]]\nname = \"x\"\ncommand = \"true\"\n");
    let ran = tow.run(&[]).ends(7);
    assert_eq!(ran.tasks("a"), ["x: changed"]);
    assert_eq!(ran.host("bad")["error"]["kind"], "host_key");
    let log = bad.log();
    assert!(!log.contains("Accepted") && !log.contains("userauth") && !log.contains("Postponed"), "{log}");
}

#[test]
fn one_session_a_connection_is_enough() {
    let sshd = Sshd::start(&["MaxSessions 1"]);
    let tow = Towline::over(&sshd, &["a"]).playbook(
        r#"
[[tasks]]
name = "f"
file = { path = "@/f", content = "one" }
[[tasks]]
name = "c"
command = "cat @/f"
[[tasks]]
name = "g"
file = { path = "@/g", content = "two" }
[[tasks]]
name = "slow"
command = "sleep 100"
timeout = "1s"
"#,
    );
    let ran = tow.run(&[]).ends(3);
    assert_eq!(ran.tasks("a"), ["f: changed", "c: changed", "g: changed", "slow: failed"]);
    assert_eq!(tow.read("g"), "two");
}

/// A file system that holds next to nothing.
struct Tiny(std::path::PathBuf);

impl Tiny {
    fn mount(path: std::path::PathBuf) -> Tiny {
        std::fs::create_dir(&path).unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
            .arg(&path)
            .status()
            .unwrap();
        assert!(mounted.success(), "this test mounts a file system: run it as root");
        Tiny(path)
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_called_so_and_no_half_file_is_left() {
    let sshd = Sshd::start(&[]);
    let tow = Towline::over(&sshd, &["a"]).file("big", &"x".repeat(200 << 10)).playbook(
        "[[tasks]]\nname = \"small\"\nfile = { path = \"@/tiny/small\", content = \"old\" }\n\
         [[tasks]]\nname = \"between\"\ncommand = \"true\"\n\
         [[tasks]]\nname = \"big\"\nfile = { path = \"@/tiny/small\", src = \"big\" }\n",
    );
    let tiny = Tiny::mount(tow.path("tiny"));
    let ran = tow.run(&[]).ends(3);
    let error = &ran.task("a", "big")["error"];
    assert!(error["hint"].as_str().unwrap().contains("disk is full"), "{error}");
    assert!(error["what"].as_str().unwrap().contains("tiny/small"), "{error}");
    let names: Vec<_> = std::fs::read_dir(&tiny.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["small"]);
    assert_eq!(tow.read("tiny/small"), "old");
}

#[test]
fn sixty_hosts_at_once() {
    // sshd listens in sixteen places at most.
    let port = std::net::TcpListener::bind("127.0.2.1:0").unwrap().local_addr().unwrap().port();
    let places: Vec<String> = (1..=15).map(|n| format!("ListenAddress 127.0.2.{n}:{port}")).collect();
    let extra: Vec<&str> = places.iter().map(String::as_str).chain(["MaxStartups 200"]).collect();
    let sshd = Sshd::start(&extra);
    let known: Vec<String> =
        (1..=15).map(|n| format!("[127.0.2.{n}]:{port} {}\n", sshd.host_key())).collect();
    std::fs::write(&sshd.known_hosts_path, known.concat()).unwrap();
    let hosts: Vec<String> = (1..=60)
        .map(|n| format!("[hosts.h{n:02}]\nport = {port}\naddress = \"127.0.2.{}\"\n", (n - 1) % 15 + 1))
        .collect();
    let tow = Towline::new().inventory(&format!("{}{}", defaults(&sshd, "root"), hosts.concat())).playbook(
        "[[tasks]]\nname = \"f\"\nfile = { path = \"@/{{host.name}}\", content = \"{{host.name}}\" }\n\
             [[tasks]]\nname = \"c\"\ncommand = \"cat @/{{host.name}}\"\nchanged_when = \"false\"\n",
    );
    let ran = tow.run(&["--parallel", "50", "--connect-timeout", "60"]).ends(0);
    assert_eq!(ran.tasks("h60"), ["f: changed", "c: unknown"]);
    assert_eq!(ran.of("host_finished").filter(|event| event["verdict"] == "ok").count(), 60);
    let ran = tow.ended(&["run", "site.toml", "--plain", "--limit", "h[01:08]"]).ends(0);
    let recap: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("8 hosts")).collect();
    assert!(!recap.is_empty(), "{}", ran.stderr);
}
