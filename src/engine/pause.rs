//! Between two waves: time to look, or a yes to wait for.

use std::time::Duration;

use crate::engine::Run;
use crate::engine::fleet::Fleet;
use crate::engine::host::cancelled;
use crate::spec::model::{Pause, Stage};
use crate::words::error::Error;
use crate::words::event::{Event, Mode};
use crate::words::names::HostName;

const SEEN: Duration = Duration::from_millis(300);

/// Whether `wave` (from 0) of the stage may begin. If not, the hosts `left` have failed with the reason.
pub(super) async fn may_begin(
    run: &Run,
    stage: &Stage,
    wave: usize,
    left: &[HostName],
    fleet: &Fleet,
) -> bool {
    let Some(pause) = stage.pause.filter(|_| wave > 0 && run.options.mode == Mode::Run) else { return true };
    let which = format!("wave {} of {} of stage {}", wave + 1, stage.waves.len(), stage.name);
    let refused = match pause {
        Pause::For(time) => {
            let text = format!("{} s until {which}", time.as_secs());
            run.emitter.send(Event::Notice { host: None, text });
            let mut cancel = run.cancel.clone();
            tokio::select! {
                () = tokio::time::sleep(time) => {}
                () = cancelled(&mut cancel) => {}
            }
            return true;
        }
        Pause::Ask => ask(run, &which).await,
    };
    let Some(why) = refused else { return true };
    for name in left {
        if let Some(host) = fleet.get(name) {
            let mut host = host.lock().await;
            if !host.failed() {
                host.fail(why.clone());
            }
        }
    }
    run.emitter.send(Event::Stopping { why: why.to_string() });
    false
}

/// `None`: it goes on.
async fn ask(run: &Run, which: &str) -> Option<Error> {
    let Some(review) = run.review.clone() else {
        return Some(
            Error::failed(format!("{which} was not begun"))
                .cause("the playbook says `pause = \"ask\"`, and there is no terminal to ask at")
                .hint("run it at a terminal, or say how long to wait: pause = \"5m\""),
        );
    };
    // The view draws a few times a second: how the wave before went shall stand above the question.
    tokio::time::sleep(SEEN).await;
    let question = format!("Go on with {which}?");
    // Whoever thinks long must not hold anything else up.
    let answered = tokio::task::spawn_blocking(move || review.go_on(&question)).await;
    (!answered.unwrap_or(false))
        .then(|| Error::failed(format!("{which} was not begun")).cause("the answer was no"))
}
