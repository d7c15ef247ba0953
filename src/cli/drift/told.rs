//! The drift of a host, for people and as JSON.

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;

use crate::cli::drift::since::Work;
use crate::cli::drift::{Difference, Drifted, Side};
use crate::report::json::rfc3339;
use crate::report::text::neutralise;
use crate::words::names::HostName;
use crate::words::plural::count;

pub fn host(host: &HostName, one: &Drifted, as_json: bool) -> String {
    if as_json {
        let value = json!({
            "host": host, "release": one.release, "differences": one.found.differences, "same": one.found.same,
            "untold": one.found.untold, "error": one.found.failed, "last_run": one.found.last.as_ref().map(|(run, _)| run),
            "since": one.since,
        });
        return format!("{value}\n");
    }
    let mut text = format!("{host}: {}\n", neutralise(&summary(one)).replace('\n', " "));
    for (side, differences) in sides(&one.found.differences) {
        let _ = writeln!(text, "  {}", heading(side, differences[0], &one.since));
        for difference in differences {
            let _ = writeln!(text, "    {}: {}", neutralise(&difference.stage), neutralise(&difference.task));
            for line in &difference.what {
                let _ = writeln!(text, "      {}", neutralise(line).replace('\n', " "));
            }
        }
    }
    if !one.found.differences.is_empty() && !one.since.is_empty() {
        let _ = writeln!(text, "  at work there since then");
        for work in &one.since {
            let line = format!("{} by {}: {} (run {})", when(work.at), work.by, work.what, short(&work.run));
            let _ = writeln!(text, "    {}", neutralise(&line).replace('\n', " "));
        }
    }
    text
}

fn summary(one: &Drifted) -> String {
    let found = &one.found;
    if let Some(why) = &found.failed {
        return format!("cannot be looked at as a whole: {why}");
    }
    let mut text = match found.differences.len() {
        0 => "nothing differs".to_owned(),
        1 => "1 task differs".to_owned(),
        n => format!("{n} tasks differ"),
    };
    if let Some((run, at)) = &found.last {
        let _ = write!(text, "; last run from here {} ({})", short(run), when(*at));
    }
    if found.untold > 0 {
        let _ = write!(text, "; of {} only a run can tell", count(found.untold, "command"));
    }
    text
}

/// By side and run, so that each is explained once.
fn sides(differences: &[Difference]) -> Vec<(Side, Vec<&Difference>)> {
    let mut sides: Vec<(Side, Vec<&Difference>)> = vec![];
    for difference in differences {
        let same = |(side, others): &&mut (Side, Vec<&Difference>)| {
            *side == difference.changed && others[0].run == difference.run
        };
        match sides.iter_mut().find(same) {
            Some((_, others)) => others.push(difference),
            None => sides.push((difference.changed, vec![difference])),
        }
    }
    sides.sort_by_key(|(side, _)| *side);
    sides
}

fn heading(side: Side, one: &Difference, since: &[Work]) -> String {
    let run = || {
        let (run, at) = (one.run.as_deref().unwrap_or_default(), one.at.unwrap_or_default());
        format!("since run {} of {}", short(run), when(at))
    };
    match side {
        Side::Host if !since.iter().any(|work| Some(work.at) > one.at) => {
            format!("changed on the host {}, by somebody else", run())
        }
        Side::Host => format!("changed on the host {}, by somebody else or by a run below", run()),
        Side::Playbook => format!("the playbook, a template, a file or a variable changed {}", run()),
        Side::Unknown => "never applied from here, so it cannot be told who changed it".to_owned(),
    }
}

fn short(run: &str) -> &str {
    run.get(..8).unwrap_or(run)
}

fn when(at: i64) -> String {
    let time = rfc3339(UNIX_EPOCH + Duration::from_millis(u64::try_from(at).unwrap_or(0)));
    format!("{} UTC", time[..16].replace('T', " "))
}
