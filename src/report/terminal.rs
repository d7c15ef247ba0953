//! The live view: events change the state, a thread draws it. The engine never waits for the terminal.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::report::frame::frame;
use crate::report::look::Look;
use crate::report::screen::Screen;
use crate::report::state::State;
use crate::words::event::{Event, Listener, Mode};

/// Twelve drawings a second at most.
const PERIOD: Duration = Duration::from_millis(80);

pub struct Terminal {
    shared: Arc<Shared>,
    drawer: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    /// Taken before `state` by everyone who takes both.
    screen: Mutex<Screen>,
    drawing: Mutex<Drawing>,
    changed: Condvar,
}

/// What the drawing thread shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drawing {
    On,
    Held,
    Over,
}

/// Takes the live view away while somebody is asked something. Without a live view it does nothing.
#[derive(Clone, Default)]
pub struct Pause(Option<Arc<Shared>>);

impl Pause {
    pub fn pause(&self) {
        if let Some(shared) = &self.0 {
            shared.set(Drawing::Held);
            // After this nothing is drawn: the thread looks at `drawing` while it holds the screen.
            lock(&shared.screen).draw(&[], &[]);
        }
    }

    pub fn resume(&self) {
        if let Some(shared) = &self.0 {
            shared.set(Drawing::On);
        }
    }
}

impl fmt::Debug for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pause(live: {})", self.0.is_some())
    }
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Terminal")
    }
}

/// A panic elsewhere must not take the view down as well; what it shows is complete at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn set(&self, drawing: Drawing) {
        let mut now = lock(&self.drawing);
        if *now != Drawing::Over {
            *now = drawing;
        }
        drop(now);
        self.changed.notify_all();
    }

    /// One drawing. The state is held only while the lines are made, not while they are written.
    fn draw(&self) {
        let mut screen = lock(&self.screen);
        if *lock(&self.drawing) != Drawing::On {
            return;
        }
        let (width, height) = screen.size();
        let mut state = lock(&self.state);
        let said = state.above.take();
        let lines = frame(&state, width, height.saturating_sub(1), Instant::now());
        drop(state);
        screen.draw(&said, &lines);
    }

    fn run(&self) {
        loop {
            let drawing = lock(&self.drawing);
            let wait = self.changed.wait_timeout_while(drawing, PERIOD, |drawing| *drawing != Drawing::Over);
            if *wait.unwrap_or_else(PoisonError::into_inner).0 == Drawing::Over {
                return;
            }
            self.draw();
        }
    }
}

impl Terminal {
    pub fn new(screen: Screen, look: Look, verbose: bool) -> Terminal {
        let shared = Shared {
            state: Mutex::new(State::new(look, verbose, Instant::now())),
            screen: Mutex::new(screen),
            drawing: Mutex::new(Drawing::On),
            changed: Condvar::new(),
        };
        Terminal { shared: Arc::new(shared), drawer: None }
    }

    pub fn pause(&self) -> Pause {
        Pause(Some(Arc::clone(&self.shared)))
    }

    fn begin(&mut self) {
        let shared = Arc::clone(&self.shared);
        // Without a thread (there may be a limit) the run goes on, and the recap tells it all.
        self.drawer = std::thread::Builder::new().name("live view".into()).spawn(move || shared.run()).ok();
    }

    /// Takes the region away and leaves what was said; the recap follows.
    fn end(&mut self) {
        if let Some(drawer) = self.drawer.take() {
            self.shared.set(Drawing::Over);
            let _ = drawer.join();
            self.say();
        }
    }

    /// Prints what is to stay, with no region below it.
    fn say(&self) {
        let mut screen = lock(&self.shared.screen);
        let said = lock(&self.shared.state).above.take();
        screen.draw(&said, &[]);
    }
}

impl Listener for Terminal {
    fn event(&mut self, event: &Event) {
        lock(&self.shared.state).event(event, Instant::now());
        match event {
            // One host's output is streamed to the same terminal; a live region would be in its way.
            Event::RunStarted { mode: Mode::Exec, hosts, .. } if hosts.len() == 1 => {}
            Event::RunStarted { .. } => self.begin(),
            Event::RunFinished { .. } => self.end(),
            // No region: one host's `tow exec`, or no thread to be had.
            _ if self.drawer.is_none() => self.say(),
            _ => {}
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Terminal;
    use crate::report::look::Look;
    use crate::report::sample::{Captured, Sample, broken_nginx, captured, replay};
    use crate::report::screen::Screen;
    use crate::words::event::{Event, Listener, Mode, Stream, Tally, Verdict};

    fn terminal() -> (Terminal, Captured) {
        let (sink, text) = captured(false);
        (Terminal::new(Screen::new(sink, Box::new(|| (80, 24))), Look::PLAIN, false), text)
    }

    fn wait_for(text: &Captured, what: &str) {
        let end = Instant::now() + Duration::from_secs(20);
        while !text.read().contains(what) {
            assert!(Instant::now() < end, "{what:?} was not drawn: {:?}", text.read());
            std::thread::yield_now();
        }
    }

    #[test]
    fn draws_pauses_and_leaves_what_was_said() {
        let (mut terminal, text) = terminal();
        let pause = terminal.pause();
        let sample = Sample::new(Mode::Run, 3).stage(0..3, 1, 1).starts(1, 0, "migrate");
        sample.events.iter().for_each(|event| terminal.event(event));
        wait_for(&text, "1/12 migrate");
        pause.pause();
        let quiet = text.read();
        assert!(quiet.ends_with("\u{1b}[2K\r\n\u{1b}[4A\u{1b}[?2026l"), "the region is gone: {quiet:?}");
        terminal.event(&Event::Notice { host: None, text: "the clock is slow".into() });
        pause.resume();
        wait_for(&text, "the clock is slow");
        let end = sample
            .fails(1..2, &broken_nginx())
            .stage_done(1, 1..2)
            .all(Verdict::Ok, &Tally::default())
            .end(0);
        end.events.iter().skip(3).for_each(|event| terminal.event(event));
        let left = replay(&text.read()).join("\n");
        let (left, _time) = left.rsplit_once(" (").unwrap();
        assert_eq!(
            left,
            "the clock is slow\n✗ web2: nginx site: cannot run `nginx -t`: exit code 1: nginx: \
             configuration file /etc/nginx/nginx.conf test failed\n\
             ✗ switch: 3 hosts, 1 host failed"
        );
    }

    #[test]
    fn much_output_costs_the_engine_little() {
        let (mut terminal, _text) = terminal();
        let chunk = "line of output\n".repeat(2000);
        let sample = Sample::new(Mode::Run, 1).stage(0..1, 1, 1).starts(0, 0, "yes");
        sample.events.iter().for_each(|event| terminal.event(event));
        let task = sample.task(0, 0, "yes");
        let event = Event::Output { task, stream: Stream::Stdout, text: chunk };
        let begin = Instant::now();
        for _ in 0..10_000 {
            terminal.event(&event);
        }
        // 300 MB; generous, for debug builds on busy machines.
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    }
}
