//! `tow status`: what each host serves and how it does, what is to come, and who is at work on it.

use serde_json::{Value as Json, json};

use crate::cli::Ended;
use crate::cli::args::Status;
use crate::cli::release::pending::Sources;
use crate::cli::release::sight::{self, Seen};
use crate::cli::release::told::told;
use crate::report::out;
use crate::task::releases::intent::Intent;
use crate::task::releases::look::{Certificate, moment};
use crate::words::error::Result;
use crate::words::names::HostName;

pub async fn run(args: &Status) -> Ended {
    let files = sight::files(&args.app)?;
    let sight = sight::sight(&args.app, &mut Sources::new(&files)).await?;
    let (mut text, mut code) = (String::new(), 0);
    for (host, seen) in &sight {
        let line = if args.json { line(host, seen).to_string() + "\n" } else { told(host, seen) };
        text.push_str(&line);
        code = seen.as_ref().err().map_or(0, |error| error.kind.exit_code()).max(code);
    }
    out::write(&text);
    Ok(code)
}

/// Days until the certificate ends; negative behind it.
pub fn days_left(seen: &Seen) -> Option<i64> {
    match seen.look.certificate {
        Certificate::Until(end) => Some((end - seen.look.now).div_euclid(86_400)),
        _ => None,
    }
}

/// How long ago something was written down on the host, in seconds of its own clock.
pub fn ago(seen: &Seen, at: &str) -> Option<i64> {
    moment(at).map(|at| seen.look.now - at)
}

/// What a run has begun there, unless it may be at work.
pub fn unfinished(seen: &Seen) -> Option<&Intent> {
    let is_held = |run: &str| !seen.ended && seen.state.lock.as_ref().is_some_and(|lock| lock.run == run);
    seen.state.intent.as_ref().filter(|intent| !is_held(&intent.run))
}

fn line(host: &HostName, seen: &Result<Seen>) -> Json {
    let seen = match seen {
        Ok(seen) => seen,
        Err(error) => return json!({ "host": host, "error": error }),
    };
    let state = &seen.state;
    let releases = state
        .releases
        .iter()
        .map(|release| json!({ "release": release.name.to_string(), "finished": release.finished }));
    let mark = state.find(&state.current).and_then(|release| release.finished.as_ref());
    let (update, why) = match &seen.update {
        Ok(update) => (Some(update), None),
        Err(why) => (None, Some(why)),
    };
    json!({
        "host": host, "release": state.current, "revision": seen.served.revision, "commit": seen.served.whole_commit(),
        "unit": state.unit, "since": state.since, "up_seconds": seen.look.up.map(|up| seen.look.now - up),
        "edited": seen.look.edited, "deployed": mark, "deployed_seconds": mark.and_then(|mark| ago(seen, &mark.finished)),
        "schema": Some(state.schema()).filter(|schema| !schema.is_empty()),
        "healthy": (!seen.look.health.is_empty()).then(|| seen.look.health.iter().all(|health| health.healthy)),
        "health": seen.look.health, "certificate_days": days_left(seen), "disk_kib": seen.look.disk,
        "update": update, "update_unknown": why, "pending": state.pending, "lock": state.lock,
        "unfinished": unfinished(seen), "handlers": state.handlers,
        "last": seen.look.last, "releases": releases.collect::<Vec<_>>(),
    })
}
