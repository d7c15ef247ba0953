//! Becoming root: the command lines, the talk with a sudo that wants a password, and what its refusals mean.
//!
//! Command lines are parsed by the login shell, which may be fish or csh: plain words and single quotes only,
//! without backslash, `!` or newline inside.

use crate::words::error::Error;
use crate::words::secret::Secret;

pub const PLAIN: &str = "exec /bin/sh";
pub const SUDO: &str = "exec sudo -n -H -- /bin/sh";

/// What the talk says once sudo asks a second time.
const REJECTED: &str = "sudo: the password was not accepted";

/// The line that starts a root shell through a sudo with password. The shell behind it swallows whatever line
/// comes before `go`, so that a password which sudo did not take is never run as a command.
fn with_password(prompt: &str, ready: &str) -> String {
    format!(
        "exec sudo -S -H -p {prompt} -- /bin/sh -c \
         'echo {ready}; while IFS= read -r l; do test \"$l\" = go && exec /bin/sh; done'"
    )
}

/// What to do after having read something.
#[derive(Debug, PartialEq, Eq)]
pub enum Move {
    Nothing,
    SendPassword,
    /// The shell reads: say `go`, then the script.
    Go,
    /// Asked again: the password is wrong. One attempt only, accounts get locked.
    GiveUp,
}

/// The talk with `sudo -S`. The password is sent once, and only to the prompt that we made up.
pub struct Talk {
    prompt: String,
    ready: String,
    password: Secret,
    sent: bool,
    out: Vec<u8>,
    err: Vec<u8>,
}

impl std::fmt::Debug for Talk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Talk").field("sent", &self.sent).finish_non_exhaustive()
    }
}

impl Talk {
    /// `nonce` is random, plain letters and digits.
    pub fn new(nonce: &str, password: Secret) -> Talk {
        Talk {
            prompt: format!("tow-password-{nonce}"),
            ready: format!("tow-ready-{nonce}"),
            password,
            sent: false,
            out: vec![],
            err: vec![],
        }
    }

    pub fn command(&self) -> String {
        with_password(&self.prompt, &self.ready)
    }

    /// The bytes that answer the prompt.
    pub fn password_line(&self) -> Vec<u8> {
        format!("{}\n", self.password.reveal()).into_bytes()
    }

    /// Standard output before the shell is ready is noise of the login shell, and dropped. What came behind
    /// the ready line is returned with [`Move::Go`].
    pub fn heard_out(&mut self, bytes: &[u8]) -> (Move, Vec<u8>) {
        self.out.extend_from_slice(bytes);
        let ready = self.ready.as_bytes();
        if let Some(at) = find(&self.out, ready) {
            let rest = &self.out[at + ready.len()..];
            let rest = rest.strip_prefix(b"\n").unwrap_or(rest).to_vec();
            return (Move::Go, rest);
        }
        let keep = self.out.len().min(ready.len() - 1);
        self.out.drain(..self.out.len() - keep);
        (Move::Nothing, vec![])
    }

    /// Returns what of standard error is not our prompt.
    pub fn heard_err(&mut self, bytes: &[u8]) -> (Move, Vec<u8>) {
        self.err.extend_from_slice(bytes);
        // A prompt has nothing behind it; a login shell with `set -x` shows the command line, which has.
        if self.err.ends_with(self.prompt.as_bytes()) {
            let before = self.err.len() - self.prompt.len();
            let text = self.err.drain(..).take(before).collect();
            if self.sent {
                return (Move::GiveUp, [text, format!("{REJECTED}\n").into_bytes()].concat());
            }
            self.sent = true;
            return (Move::SendPassword, text);
        }
        let keep = (0..self.prompt.len().min(self.err.len() + 1))
            .rev()
            .find(|&n| self.err.ends_with(&self.prompt.as_bytes()[..n]))
            .unwrap_or(0);
        let text = self.err.drain(..self.err.len() - keep).collect();
        (Move::Nothing, text)
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// What sudo, or the shell that looks for it, says in its several versions; and what that means.
const REASONS: &[(&[&str], &str)] = &[
    (
        &["the password was not accepted", "incorrect password attempt", "incorrect authentication attempt"],
        "the password was not accepted",
    ),
    (
        &["a password is required", "interactive authentication is required", "a terminal is required"],
        "sudo wants a password",
    ),
    (&["is not in the sudoers file", "I'm afraid I can't do that"], "the account is not in the sudoers file"),
    (&["is not allowed to execute", "is not allowed to run sudo"], "sudoers does not allow it a root shell"),
    (&["you must have a tty"], "sudoers has requiretty"),
    (
        &[
            "sudo: command not found",
            "sudo: not found",
            "Unknown command: sudo",
            "sudo: Command not found",
            "unknown command sudo",
        ],
        "sudo is not installed",
    ),
    (
        &["must be owned by uid 0 and have the setuid bit set", "\"no new privileges\" flag is set"],
        "sudo cannot work there",
    ),
];

/// What sudo's standard error means, when it means that it does not let `user` become root.
pub fn explain_sudo(stderr: &str, user: &str) -> Option<Error> {
    let (_, cause) = REASONS.iter().find(|(said, _)| said.iter().any(|text| stderr.contains(text)))?;
    let line = format!("{user} ALL=(ALL) NOPASSWD: ALL");
    let hint = match *cause {
        "the password was not accepted" => {
            "one attempt was made; run again and type the password of the account on the server".to_owned()
        }
        "sudo wants a password" => format!(
            "`--ask-become-pass` asks for it; or put the line `{line}` into /etc/sudoers.d/{user} (visudo)"
        ),
        "sudoers has requiretty" => {
            format!("put `Defaults:{user} !requiretty` into /etc/sudoers.d/{user} (visudo)")
        }
        "sudo is not installed" => "install sudo there, or log in as root (`user = \"root\"`)".to_owned(),
        "sudo cannot work there" => "repair sudo there, or log in as root (`user = \"root\"`)".to_owned(),
        _ => format!("put the line `{line}` into /etc/sudoers.d/{user} (visudo), as root"),
    };
    Some(Error::unreachable(format!("{user} cannot become root")).cause(*cause).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::{Move, PLAIN, SUDO, Talk, explain_sudo};
    use crate::words::secret::Secret;

    fn talk() -> Talk {
        Talk::new("ab12", Secret::new("pa ss'w\"ord".into()))
    }

    #[test]
    fn command_lines_mean_the_same_to_every_shell() {
        for line in [PLAIN, SUDO, &talk().command()] {
            assert!(!line.contains(['\\', '!', '\n', '`']), "{line}");
            assert_eq!(line.matches('\'').count() % 2, 0, "{line}");
            // Outside of quotes there are words only.
            let outside: String = line.split('\'').step_by(2).collect();
            assert!(outside.chars().all(|c| c.is_ascii_alphanumeric() || " /-".contains(c)), "{outside}");
        }
    }

    #[test]
    fn the_password_goes_to_our_prompt_and_only_once() {
        let mut talk = talk();
        assert_eq!(
            talk.heard_err(b"[sudo] password for me: "),
            (Move::Nothing, b"[sudo] password for me: ".to_vec())
        );
        assert_eq!(talk.heard_err(b"lecture\ntow-pass"), (Move::Nothing, b"lecture\n".to_vec()));
        assert_eq!(talk.heard_err(b"word-ab12"), (Move::SendPassword, vec![]));
        assert_eq!(talk.password_line(), b"pa ss'w\"ord\n");
        let (answer, said) = talk.heard_err(b"Sorry, try again.\ntow-password-ab12");
        assert_eq!(answer, Move::GiveUp);
        let said = String::from_utf8(said).unwrap();
        assert!(explain_sudo(&said, "me").unwrap().to_string().contains("not accepted"));
    }

    #[test]
    fn a_traced_command_line_is_no_prompt() {
        let mut talk = talk();
        let (answer, _) = talk.heard_err(b"+ exec sudo -S -H -p tow-password-ab12 -- /bin/sh\n");
        assert_eq!(answer, Move::Nothing);
    }

    #[test]
    fn noise_before_ready_is_dropped_and_what_follows_is_kept() {
        let mut talk = talk();
        assert_eq!(talk.heard_out(b"Welcome!\ntow-re"), (Move::Nothing, vec![]));
        assert_eq!(talk.heard_out(b"ady-ab12\nmore"), (Move::Go, b"more".to_vec()));
    }

    #[test]
    fn every_refusal_has_a_cause_and_a_next_step() {
        for (said, cause) in [
            ("sudo: a password is required\n", "wants a password"),
            ("sudo: interactive authentication is required\n", "wants a password"),
            ("me is not in the sudoers file.\n", "not in the sudoers"),
            ("sudo: I'm sorry me. I'm afraid I can't do that\n", "not in the sudoers"),
            ("sudo: sorry, you must have a tty to run sudo\n", "requiretty"),
            ("bash: line 1: exec: sudo: not found\n", "not installed"),
            ("sudo: Command not found.\n", "not installed"),
        ] {
            let error = explain_sudo(said, "me").unwrap_or_else(|| panic!("{said}"));
            assert!(error.to_string().contains(cause), "{said}: {error}");
            assert!(error.hint.is_some());
        }
        assert_eq!(explain_sudo("tar: not found", "me"), None);
    }
}
