//! `tow status`: what each host serves, what it could go back to, and who is at work on it.

use std::fmt::Write as _;
use std::io::Write as _;

use crate::cli::Ended;
use crate::cli::args::Status;
use crate::cli::release::{SWITCH, ask};
use crate::report::text::neutralise;
use crate::task::releases::App;
use crate::task::releases::name::ReleaseName;
use crate::task::releases::state::State;
use crate::words::error::Result;
use crate::words::names::HostName;

pub async fn run(args: &Status) -> Ended {
    let answers = ask::everywhere(&args.app, Some(SWITCH), &App::state_script).await?;
    let (mut text, mut code) = (String::new(), 0);
    for (host, said) in &answers {
        let state = said.as_ref().map(|said| State::parse(said));
        let line = if args.json {
            json(host, &state.map_err(Clone::clone))
        } else {
            told(host, state.as_ref().ok())
        };
        text.push_str(&line);
        if let Err(error) = said {
            code = error.kind.exit_code().max(code);
            if !args.json {
                let _ = writeln!(text, "  {error}");
            }
        }
    }
    // A closed pipe (`| head`) is no failure of ours.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(code)
}

fn told(host: &HostName, state: Option<&State>) -> String {
    let mut text = format!("{host}\n");
    let Some(state) = state else { return text };
    let mut line = |label: &str, value: String| {
        let _ = writeln!(text, "  {label:9} {}", neutralise(&value));
    };
    if state.current.is_empty() {
        line("serves", "nothing: no release was deployed".to_owned());
    } else {
        line("serves", format!("{}, {} since {}", state.current, state.unit, state.since));
        if let Some(mark) = state.find(&state.current).and_then(|release| release.finished.as_ref()) {
            line("deployed", format!("{} by {}", mark.finished, mark.by));
        }
    }
    if !state.schema().is_empty() {
        line("schema", state.schema().to_owned());
    }
    if let Some(pending) = &state.pending {
        line("switching", format!("to {pending}, not confirmed"));
    }
    let finished = state.releases.iter().filter(|release| release.finished.is_some());
    let names: Vec<String> = finished.map(|release| release.name.to_string()).collect();
    if !names.is_empty() {
        line("finished", names.join("  "));
    }
    if let Some(lock) = &state.lock {
        line("locked", format!("by {} since {} s (run {})", lock.holder, lock.age, lock.run));
    }
    text
}

fn json(host: &HostName, state: &Result<State>) -> String {
    let value = match state {
        Err(error) => serde_json::json!({ "host": host, "error": error }),
        Ok(state) => {
            let releases = state.releases.iter().map(|release| {
                serde_json::json!({ "release": release.name.to_string(), "finished": release.finished })
            });
            serde_json::json!({
                "host": host, "release": state.current,
                "revision": ReleaseName::parse(&state.current).map(|name| name.revision().to_owned()),
                "unit": state.unit, "since": state.since, "pending": state.pending, "lock": state.lock,
                "schema": state.schema(), "releases": releases.collect::<Vec<_>>(),
            })
        }
    };
    format!("{value}\n")
}
