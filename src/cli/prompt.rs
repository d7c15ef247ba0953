//! Questions to the person at the terminal. Without a terminal there are no questions, and no waiting.

use std::fmt::Write as _;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::sync::Mutex;

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

use crate::engine::Review;
use crate::report::Pause;
use crate::transport::{Ask, UnknownKey};
use crate::words::plural::count;
use crate::words::secret::{Mask, Secret};

/// While somebody is asked.
static ASKING: Mutex<Option<Asking>> = Mutex::new(None);

struct Asking {
    /// How the terminal was, if that is known.
    before: Option<Termios>,
}

/// Holds the live view back while it asks. What was typed unseen is never shown either: the mask learns it.
#[derive(Clone)]
pub struct Prompt {
    pause: Pause,
    mask: Mask,
}

impl std::fmt::Debug for Prompt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prompt")
    }
}

impl Prompt {
    pub fn new(pause: Pause, mask: Mask) -> Prompt {
        Prompt { pause, mask }
    }

    /// Whether there is a person to ask.
    pub fn possible() -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// At Ctrl-C while it asks: gives the terminal back as it was. Whether it was asking.
    pub fn abandon() -> bool {
        let Ok(mut asking) = ASKING.lock() else { return false };
        let Some(Asking { before }) = asking.take() else { return false };
        restore(before.as_ref());
        let _ = writeln!(std::io::stderr());
        true
    }

    /// Whether there is a person who answers `yes`.
    pub fn agreed(question: &str) -> bool {
        Prompt::ask(question).is_some_and(|answer| is_yes(&answer))
    }

    /// A question whose answer may be seen; `None` when nobody answers.
    pub fn ask(question: &str) -> Option<String> {
        if !Prompt::possible() {
            return None;
        }
        asking(true, || Prompt::line(question))
    }

    pub fn say(text: &str) {
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    fn line(question: &str) -> Option<String> {
        let mut answer = String::new();
        write!(std::io::stderr(), "{question}").ok()?;
        std::io::stderr().flush().ok()?;
        let read = std::io::stdin().lock().read_line(&mut answer).ok()?;
        (read > 0).then(|| answer.trim_end_matches(['\r', '\n']).to_owned())
    }
}

impl Ask for Prompt {
    fn secret(&self, prompt: &str) -> Option<Secret> {
        if !Prompt::possible() {
            return None;
        }
        self.pause.pause();
        let answer = asking(false, || Prompt::line(&format!("{prompt}: ")));
        let _ = writeln!(std::io::stderr());
        self.pause.resume();
        let answer = answer.map(Secret::new)?;
        self.mask.learn([&answer]);
        Some(answer)
    }
}

impl Review for Prompt {
    fn accept(&self, keys: &[UnknownKey]) -> bool {
        if !Prompt::possible() {
            return false;
        }
        self.pause.pause();
        let mut text = format!("\nNobody has vouched for the keys of {} yet:\n\n", count(keys.len(), "host"));
        let width = keys.iter().map(|key| key.host.as_str().len()).max().unwrap_or(0);
        for key in keys {
            let UnknownKey { host, address, algorithm, fingerprint, .. } = key;
            let _ =
                writeln!(text, "  {host:width$}  {address} ({algorithm})\n  {:width$}  {fingerprint}", "");
        }
        text.push_str(
            "\nCompare them with what your provider shows, or on the server's own console with\n\
             `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`.\n\
             Trust all of them, and remember them? [yes/no] ",
        );
        let answer = asking(true, || in_full(&text, Prompt::line));
        self.pause.resume();
        answer
    }

    fn go_on(&self, question: &str) -> bool {
        self.pause.pause();
        let answer = asking(true, || Prompt::line(&format!("\n{question} [yes/no] ")));
        self.pause.resume();
        answer.is_some_and(|answer| is_yes(&answer))
    }
}

/// Nothing shorter than `yes`: whoever trusts a key has to mean it. Whatever is neither that nor a no is asked again.
fn in_full(question: &str, mut ask: impl FnMut(&str) -> Option<String>) -> bool {
    let mut answer = ask(question);
    loop {
        match answer.as_deref().map(|answer| answer.trim().to_ascii_lowercase()).as_deref() {
            Some("yes") => return true,
            None | Some("no" | "n") => return false,
            Some(_) => answer = ask("Please type `yes` or `no`, in full: "),
        }
    }
}

fn is_yes(answer: &str) -> bool {
    ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str())
}

/// Asks with or without `echo`; [`Prompt::abandon`] knows of it meanwhile.
fn asking<T>(echo: bool, ask: impl FnOnce() -> T) -> T {
    let stdin = std::io::stdin();
    let before = tcgetattr(stdin.as_fd()).ok();
    if let Ok(mut asking) = ASKING.lock() {
        *asking = Some(Asking { before: before.clone() });
        if let Some(mut silent) = before.filter(|_| !echo) {
            silent.local_flags.remove(LocalFlags::ECHO);
            let _ = tcsetattr(stdin.as_fd(), SetArg::TCSANOW, &silent);
        }
    }
    let answer = ask();
    // Abandoned means that the process is about to end: the terminal is as it was.
    if let Ok(mut asking) = ASKING.lock() {
        restore(asking.take().and_then(|asking| asking.before).as_ref());
    }
    answer
}

fn restore(before: Option<&Termios>) {
    if let Some(before) = before {
        let _ = tcsetattr(std::io::stdin().as_fd(), SetArg::TCSANOW, before);
    }
}

#[cfg(test)]
mod tests {
    use super::in_full;

    #[test]
    fn trust_is_said_in_full_and_other_answers_are_asked_again() {
        let answered = |answers: &[&str]| {
            let mut answers = answers.iter().map(|answer| (*answer).to_owned());
            let mut asked = 0;
            let outcome = in_full("?", |_| {
                asked += 1;
                answers.next()
            });
            (outcome, asked)
        };
        assert_eq!(answered(&["yes"]), (true, 1));
        assert_eq!(answered(&["y", "", " YES "]), (true, 3));
        assert_eq!(answered(&["y", "no"]), (false, 2));
        assert_eq!(answered(&["y"]), (false, 2), "the input has ended");
    }
}
