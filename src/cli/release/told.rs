//! A host of an application in a few lines, for people.

use std::fmt::Write as _;

use crate::cli::release::pending::Update;
use crate::cli::release::sight::Seen;
use crate::cli::release::status::{ago, days_left, unfinished};
use crate::report::text::{neutralise, wrap};
use crate::task::releases::intent::Intent;
use crate::task::releases::look::{Certificate, Disk};
use crate::task::releases::state::Mark;
use crate::words::error::Result;
use crate::words::names::HostName;
use crate::words::plural::count;

const WIDTH: usize = 80;
/// Where values stand.
const INDENT: usize = 14;

pub fn told(host: &HostName, seen: &Result<Seen>) -> String {
    let mut text = format!("{host}\n");
    let rows = match seen {
        Ok(seen) => rows(seen),
        Err(error) => {
            let mut rows = vec![("error", error.to_string())];
            rows.extend(error.hint.iter().map(|hint| ("hint", hint.clone())));
            rows
        }
    };
    for (label, value) in rows {
        let line = format!("  {label:11} {}", neutralise(&value).replace('\n', " "));
        let _ = writeln!(text, "{}", wrap(line.trim_end(), Some(WIDTH), INDENT));
    }
    text
}

fn rows(seen: &Seen) -> Vec<(&'static str, String)> {
    let state = &seen.state;
    let mut rows = vec![("serves", serves(seen))];
    if let Some(mark) = state.find(&state.current).and_then(|release| release.finished.as_ref()) {
        rows.push(("deployed", deployed(seen, mark)));
    }
    if !state.schema().is_empty() {
        rows.push(("schema", state.schema().to_owned()));
    }
    rows.extend(seen.served.whole_commit().map(|commit| ("commit", commit.clone())));
    rows.extend(seen.look.edited.as_ref().map(|path| ("edited", format!("{path}: not as it was finished"))));
    if !state.current.is_empty() {
        rows.push(("health", health(seen)));
    }
    rows.push(("update", seen.update.as_ref().map_or_else(|why| format!("unknown: {why}"), update)));
    rows.push(("certificate", certificate(seen)));
    rows.extend(seen.look.disk.map(|disk| ("disk", self::disk(disk))));
    rows.extend(state.pending.as_ref().map(|to| ("switching", format!("to {to}, not confirmed"))));
    rows.extend(unfinished(seen).map(|intent| ("unfinished", self::begun(intent))));
    let waiting: Vec<&str> = state.handlers.values().flatten().map(String::as_str).collect();
    if !waiting.is_empty() {
        rows.push(("handlers", format!("wait for the next deploy: {}", waiting.join(", "))));
    }
    let finished = state.releases.iter().filter(|release| release.finished.is_some());
    let names: Vec<String> = finished.map(|release| release.name.to_string()).collect();
    if !names.is_empty() {
        rows.push(("finished", names.join(" ")));
    }
    if let Some(last) = &seen.look.last {
        let when = ago(seen, &last.at).map_or(last.at.clone(), |age| format!("{} ago", span(age)));
        rows.push((
            "last run",
            format!("{} {}, {when}{}", last.event, last.release, by(&last.by, &last.run)),
        ));
    }
    if let Some(lock) = &state.lock {
        let age = span(i64::try_from(lock.age).unwrap_or(i64::MAX));
        let ended = if seen.ended { ", whose process has ended: the next run takes it over" } else { "" };
        rows.push(("locked", format!("by {} for {age} (run {}){ended}", lock.holder, lock.run)));
    }
    rows
}

fn serves(seen: &Seen) -> String {
    let state = &seen.state;
    if state.current.is_empty() {
        return "nothing: no release was deployed".to_owned();
    }
    match seen.look.up.filter(|_| state.unit == "active") {
        Some(up) => format!("{}, active for {}", state.current, span(seen.look.now - up)),
        None if state.unit.is_empty() => state.current.clone(),
        None => format!("{}, {}", state.current, state.unit),
    }
}

fn deployed(seen: &Seen, mark: &Mark) -> String {
    let when = ago(seen, &mark.finished).map_or(mark.finished.clone(), |age| format!("{} ago", span(age)));
    format!("{when}{}", by(&mark.by, &mark.run))
}

fn begun(intent: &Intent) -> String {
    let Intent { age, holder, run, .. } = intent;
    let next = if intent.work.command.may_go_on() { ": `tow resume` goes on with it" } else { "" };
    format!("{}, begun {} ago{}{next}", intent.told(), span(*age), by(holder, run))
}

/// The first release may come from a run that has locked nothing, and then nobody has written down whose it was.
fn by(holder: &str, run: &str) -> String {
    if holder.is_empty() { String::new() } else { format!(" by {holder} (run {run})") }
}

fn health(seen: &Seen) -> String {
    let sick: Vec<String> = seen
        .look
        .health
        .iter()
        .filter(|health| !health.healthy)
        .map(|health| {
            let answer = health.answer.trim_start_matches("the last answer: ");
            format!("bad: \"{}\": {}", health.name, if answer.is_empty() { "no answer" } else { answer })
        })
        .collect();
    match (seen.look.health.first(), sick.is_empty()) {
        (None, _) => "not asked: the playbook has no `http` task with the tag `switch`".to_owned(),
        (Some(one), true) => format!("good: {}", one.answer),
        (Some(_), false) => sick.join("; "),
    }
}

/// `3 commits behind main (1a2b3c4d)`.
pub fn update(update: &Update) -> String {
    if !update.pending {
        return format!("none: it serves what {} is now", update.named);
    }
    let short: String =
        update.revision.chars().take(if update.revision.contains('-') { 40 } else { 8 }).collect();
    let target = format!("{} ({short})", update.named);
    match (update.behind, update.ahead) {
        (Some(0), Some(0)) => format!("the same commit as {target}, and changes that are not committed"),
        (Some(behind), Some(0)) => format!("{} behind {target}", count(behind, "commit")),
        (Some(0), Some(ahead)) => format!("{} ahead of {target}", count(ahead, "commit")),
        (Some(behind), Some(ahead)) => {
            format!("{} behind {target}, and {ahead} ahead", count(behind, "commit"))
        }
        _ => {
            let why = update.why.as_deref().unwrap_or("nobody counted");
            format!("{target}; how many commits behind is unknown: {why}")
        }
    }
}

fn certificate(seen: &Seen) -> String {
    match (seen.look.certificate, days_left(seen)) {
        (_, Some(days)) if days < 0 => format!("EXPIRED {} ago", days_told(-days)),
        (_, Some(days)) => format!("{} left", days_told(days)),
        (Certificate::None, _) => "none".to_owned(),
        _ => "unknown: it could not be read".to_owned(),
    }
}

fn days_told(days: i64) -> String {
    count(usize::try_from(days).unwrap_or(0), "day")
}

/// `12.3 GB free of 40.0 GB`.
fn disk(Disk { free, size }: Disk) -> String {
    let tenths = |kib: u64| kib.saturating_mul(1024) / 100_000_000;
    let told = |kib: u64| format!("{}.{} GB", tenths(kib) / 10, tenths(kib) % 10);
    let percent = (free.saturating_mul(100)).checked_div(size).unwrap_or(0);
    format!("{} free of {} ({percent} %)", told(free), told(size))
}

/// `40 s`, `3 min`, `5 h`, `2 days`: the largest unit says enough. A clock that went back is `0 s`.
pub fn span(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::{disk, span, told, update};
    use crate::cli::release::pending::{Served, Source, Update};
    use crate::cli::release::sight::Seen;
    use crate::task::releases::look::{Disk, Look, Question};
    use crate::task::releases::state::State;
    use crate::words::names::HostName;

    const HOST: &str = "schema=42-1a2b3c4d 0007_prices\ncurrent=42-1a2b3c4d\nunit=active\nnow=1772366400\nup=1772366100\ncertificate=1777636800\n\
        edited=src/shop/prices.py\ndisk=12012345 39062500\nhealth=the last answer: status 503\nrelease=41-0f0f0f0f {\"finished\":\"x\"}\n\
        release=42-1a2b3c4d {\"revision\":\"1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d\",\"finished\":\"2026-02-26T12:00:00Z\",\"by\":\"me@laptop\",\"run\":\"ab12\"}\n\
        last={\"at\":\"2026-02-26T12:00:00Z\",\"run\":\"ab12\",\"by\":\"me@laptop\",\"event\":\"finished\",\"release\":\"42-1a2b3c4d\",\"before\":\"\",\"why\":\"\"}\n";

    fn pending(behind: Option<usize>, ahead: Option<usize>) -> Update {
        Update {
            revision: "9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c".into(),
            of: "main".into(),
            named: "main".into(),
            pending: true,
            behind,
            ahead,
            why: None,
        }
    }

    #[test]
    fn a_host_is_told_in_eighty_columns() {
        let (state, questions) = (
            State::parse(HOST),
            [Question { name: "the application answers".into(), unless: None, script: String::new() }],
        );
        let look = Look::parse(HOST, &questions);
        let served = Served::of(&state, &look);
        let source = Source::Folder("..".into());
        let seen = Seen { state, look, served, source, ended: false, update: Ok(pending(Some(2), Some(0))) };
        let text = told(&HostName::new("web1").unwrap(), &Ok(seen));
        insta::assert_snapshot!(text, @r#"
        web1
          serves      42-1a2b3c4d, active for 5 min
          deployed    3 days ago by me@laptop (run ab12)
          schema      0007_prices
          commit      1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d
          edited      src/shop/prices.py: not as it was finished
          health      bad: "the application answers": status 503
          update      2 commits behind main (9f8e7d6c)
          certificate 61 days left
          disk        12.3 GB free of 40.0 GB (30 %)
          finished    41-0f0f0f0f 42-1a2b3c4d
          last run    finished 42-1a2b3c4d, 3 days ago by me@laptop (run ab12)
        "#);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn what_was_begun_and_not_ended_is_told_unless_it_may_be_at_work() {
        let work = "{\"command\":\"deploy\",\"playbook\":\"deploy.toml\",\"release\":\"43-b\",\"revision\":\"b\",\"hosts\":{\"web1\":\"42-a\"},\"set\":[]}";
        let begun = format!(
            "{HOST}intent.run=cd34\nintent.holder=ann@laptop\nintent.age=720\nintent.work={work}\nhandlers={{\"site\":[\"reload nginx\"]}}\n"
        );
        let of_run = |text: &str, ended: bool| {
            let (state, look) = (State::parse(text), Look::parse(text, &[]));
            let served = Served::of(&state, &look);
            let update = Ok(pending(None, None));
            let seen = Seen { state, look, served, source: Source::Folder("..".into()), ended, update };
            told(&HostName::new("web1").unwrap(), &Ok(seen))
        };
        let of = |text: &str| of_run(text, false);
        let text = of(&begun);
        let lines: Vec<_> = text.lines().skip_while(|line| !line.contains("unfinished")).take(3).collect();
        assert_eq!(
            lines,
            [
                "  unfinished  deploy of 43-b on web1, begun 12 min ago by ann@laptop (run cd34):",
                "              `tow resume` goes on with it",
                "  handlers    wait for the next deploy: reload nginx",
            ]
        );
        let held = format!("{begun}held=cd34\nage=3\n");
        assert!(!of(&held).contains("unfinished"));
        let ended = of_run(&held, true);
        assert!(ended.contains("unfinished") && ended.contains("whose process has ended"), "{ended}");
    }

    #[test]
    fn an_update_says_how_far_it_is() {
        let said = |behind, ahead| update(&pending(behind, ahead));
        assert_eq!(said(Some(1), Some(0)), "1 commit behind main (9f8e7d6c)");
        assert_eq!(said(Some(0), Some(2)), "2 commits ahead of main (9f8e7d6c)");
        assert_eq!(said(Some(3), Some(2)), "3 commits behind main (9f8e7d6c), and 2 ahead");
        assert!(said(Some(0), Some(0)).contains("not committed"));
        assert!(said(None, None).contains("unknown"));
    }

    #[test]
    fn sizes_and_times_read_well() {
        assert_eq!(disk(Disk { free: 12_012_345, size: 39_062_500 }), "12.3 GB free of 40.0 GB (30 %)");
        assert_eq!(disk(Disk { free: 0, size: 0 }), "0.0 GB free of 0.0 GB (0 %)");
        assert_eq!([-5, 119, 120, 7200, 200_000].map(span), ["0 s", "119 s", "2 min", "2 h", "2 days"]);
    }
}
