//! Shows the reports of a scripted run, to look at them: `cargo run --example view -- 6 [run|plan|exec] [flags]`.
//! Flags: `--plain`, `--json`, `-v`, `-q`, `--fast` (no waiting between events).

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use towline::report::{Options, Reporters, choose};
use towline::words::error::Error;
use towline::words::event::{
    Event, HostSummary, Listener as _, Mode, Outcome, SCHEMA_VERSION, Stream, Tally, TaskRef, TextDiff,
    Verdict,
};
use towline::words::names::HostName;

const TASKS: [&str; 8] = [
    "app folder",
    "source at v1.4",
    "virtual environment",
    "requirements",
    "dotenv",
    "nginx site",
    "migrate the database",
    "gunicorn",
];

struct Script {
    reporters: Reporters,
    pace: Duration,
    begun: Instant,
    hosts: Vec<HostName>,
    tallies: BTreeMap<HostName, (Verdict, Tally, Option<Error>)>,
}

fn main() -> Result<(), String> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let number = args.iter().find_map(|arg| arg.parse::<usize>().ok()).unwrap_or(6);
    let mode = match () {
        () if has("plan") => Mode::Plan,
        () if has("exec") => Mode::Exec,
        () => Mode::Run,
    };
    let options = Options {
        json: has("--json"),
        plain: has("--plain"),
        quiet: has("-q"),
        verbose: u8::from(has("-v")),
        ..Options::new(mode)
    };
    let pace = if has("--fast") {
        Duration::ZERO
    } else {
        Duration::from_secs(2) / u32::try_from(number).unwrap_or(1)
    };
    let hosts = (1..=number).map(|n| HostName::new(format!("web{n:02}"))).collect::<Result<Vec<_>, _>>()?;
    let reporters = choose(options);
    let mut script = Script { reporters, pace, begun: Instant::now(), hosts, tallies: BTreeMap::new() };
    script.play(mode);
    Ok(())
}

impl Script {
    fn play(&mut self, mode: Mode) {
        self.tell(&Event::RunStarted {
            version: SCHEMA_VERSION,
            run: "20260301-1200".into(),
            mode,
            playbook: "playbooks/deploy.toml".into(),
            hosts: self.hosts.clone(),
        });
        self.connect();
        let hosts = self.hosts.clone();
        self.tell(&Event::StageStarted {
            stage: "prepare".into(),
            hosts,
            wave: 1,
            waves: 1,
            tasks: TASKS.len(),
        });
        for index in 0..TASKS.len() {
            for host in self.hosts.clone() {
                if self.tallies[&host].0 == Verdict::Ok {
                    self.task(&host, index, mode);
                }
            }
        }
        let failed = self.tallies.iter().filter(|(_, (verdict, ..))| *verdict != Verdict::Ok);
        let failed: Vec<HostName> = failed.map(|(host, _)| host.clone()).collect();
        let exit_code = if failed.is_empty() { 0 } else { 3 };
        self.tell(&Event::StageFinished { stage: "prepare".into(), wave: 1, failed });
        let summary = |(verdict, tally, error): &(Verdict, Tally, Option<Error>)| HostSummary {
            verdict: *verdict,
            tally: tally.clone(),
            error: error.clone(),
            pending: vec![],
        };
        let hosts: BTreeMap<_, _> =
            self.tallies.iter().map(|(host, end)| (host.clone(), summary(end))).collect();
        for (host, summary) in hosts.clone() {
            self.tell(&Event::HostFinished { host, summary });
        }
        self.tell(&Event::RunFinished { hosts, exit_code, elapsed: self.begun.elapsed() });
    }

    fn connect(&mut self) {
        for (number, host) in self.hosts.clone().into_iter().enumerate() {
            self.tell(&Event::Connecting { host: host.clone(), attempt: 1 });
            let (mut verdict, mut error) = (Verdict::Ok, None);
            if number % 23 == 22 {
                verdict = Verdict::Unreachable;
                error = Some(
                    Error::unreachable(format!("cannot reach {host} at 203.0.113.9:22"))
                        .cause("connection refused")
                        .hint("is sshd running there, and is the port right?"),
                );
            } else {
                self.tell(&Event::Connected { host: host.clone(), elapsed: Duration::from_millis(80) });
            }
            self.tallies.insert(host, (verdict, Tally::default(), error));
        }
    }

    fn task(&mut self, host: &HostName, index: usize, mode: Mode) {
        let task = TaskRef {
            host: host.clone(),
            stage: "prepare".into(),
            index,
            task: TASKS[index].into(),
            kind: "command".into(),
            origin: format!("playbooks/deploy.toml:{}", 10 + 6 * index),
        };
        self.tell(&Event::TaskStarted { task: task.clone() });
        if matches!(index, 3 | 6) {
            for text in [
                "Collecting gunicorn==23.0.0\n",
                "\u{1b}[32m  10%\r  50%\r",
                "Installing…\u{1b}]0;owned\u{7}\n",
            ] {
                let stream = if index == 3 { Stream::Stdout } else { Stream::Stderr };
                self.tell(&Event::Output { task: task.clone(), stream, text: text.into() });
            }
        }
        let outcome = self.outcome(host, index, mode);
        self.tell(&Event::TaskFinished { task, outcome, elapsed: Duration::from_millis(340) });
    }

    fn outcome(&mut self, host: &HostName, index: usize, mode: Mode) -> Outcome {
        let Some((verdict, tally, ended)) = self.tallies.get_mut(host) else {
            return Outcome::Skipped { why: "nobody knows this host".into() };
        };
        match index {
            5 if host.as_str().ends_with('4') => {
                let error = Error::failed("`nginx -t` failed")
                    .cause("exit code 1")
                    .command("nginx -t -c /etc/nginx/nginx.conf")
                    .output(vec!["nginx: [emerg] unknown directive \"prxy_pass\" in shop:12".into()])
                    .hint("correct the template, then run the playbook again");
                (tally.failed, *verdict, *ended) = (1, Verdict::Failed, Some(error.clone()));
                Outcome::Failed { error }
            }
            4 => {
                tally.changed += 1;
                let text = "--- /srv/shop/.env\n+++ /srv/shop/.env\n@@ -1,2 +1,2 @@\n WORKERS=4\n-DEBUG=1\n+DEBUG=0\n";
                let diffs = vec![TextDiff { path: "/srv/shop/.env".into(), text: text.into() }];
                Outcome::Changed { what: vec!["content of /srv/shop/.env".into()], diffs }
            }
            3 | 6 if mode == Mode::Plan => {
                tally.unknown += 1;
                Outcome::Unknown { what: vec!["runs `pip install -r requirements.txt`".into()] }
            }
            3 | 6 => {
                tally.changed += 1;
                Outcome::Changed { what: vec!["ran".into()], diffs: vec![] }
            }
            _ => {
                tally.already += 1;
                Outcome::Already { why: "as it should be".into() }
            }
        }
    }

    fn tell(&mut self, event: &Event) {
        self.reporters.event(event);
        sleep(self.pace / 5);
    }
}
