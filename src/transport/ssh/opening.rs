//! The command line that starts a shell with its first script inside: one round trip less than behind it, for a
//! server takes nothing on a channel's stdin before the command runs.
//!
//! The login shell parses the line, be it fish or csh: plain words and single quotes only. Everybody on the host
//! can read it, so no script with a secret goes this way.

/// A longer line is left alone: csh and the kernel have their limits.
const LONGEST: usize = 48 << 10;

/// csh of BSD, as Debian has it, refuses a longer word.
const WORD: usize = 768;

/// `None` when `script` does not fit, or is not text.
pub fn command(script: &[u8], sudo: bool) -> Option<String> {
    let text = std::str::from_utf8(script).ok().filter(|text| text.len() <= LONGEST)?;
    let sudo = if sudo { "sudo -n -H -- " } else { "" };
    // When sudo refuses, or the shell dies, nobody would end the `cat`; the shells around it survive, for the exit code.
    let shell = format!("({sudo}/bin/sh; c=$?; trap : TERM; kill 0; exit $c)");
    let pieces = pieces(text).join("' '");
    let line = format!(
        "exec /bin/sh -c 'trap : TERM; (for p do printf \"$p\"; done; exec cat) | {shell}' sh '{pieces}'"
    );
    (line.len() <= LONGEST).then_some(line)
}

/// Formats for printf, each short, that stand inside single quotes. A backslash before a digit means something to
/// nobody but printf.
fn pieces(text: &str) -> Vec<String> {
    use std::fmt::Write as _;
    let mut pieces = vec![String::new()];
    for byte in text.bytes() {
        if pieces.last().is_some_and(|piece| piece.len() > WORD - 4) {
            pieces.push(String::new());
        }
        let Some(piece) = pieces.last_mut() else { break };
        match byte {
            b'%' => piece.push_str("%%"),
            // At the beginning, printf would take it for an option.
            b'-' if piece.is_empty() => piece.push_str("\\055"),
            b'\'' | b'"' | b'$' | b'`' | b'\\' | b'!' | 0..=0x1f | 0x7f.. => {
                let _ = write!(piece, "\\{byte:03o}");
            }
            _ => piece.push(char::from(byte)),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::command;
    use std::io::Write as _;
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};

    #[test]
    fn every_login_shell_hands_the_script_on_unharmed_and_then_stdin() {
        let long = "echo --- '-' \"%d\" -- é\n".repeat(500);
        let script = format!("printf '%s\\n' \"a'b!c $HOME\" '\\' `echo x` é\n# 100% !!\n{long}");
        let whole = format!("{script}echo more\n");
        let expected = Command::new("/bin/sh").args(["-c", &whole]).output().unwrap();
        let line = command(script.as_bytes(), false).unwrap();
        for shell in ["/bin/sh", "/bin/bash", "/usr/bin/fish", "/bin/csh", "/bin/bsd-csh", "/usr/bin/busybox"]
        {
            if !std::path::Path::new(shell).exists() {
                continue;
            }
            let mut process = Command::new(shell);
            if shell.ends_with("busybox") {
                process.arg("sh");
            }
            // A group of its own, as sshd gives it: all of it is ended at the end.
            let process = process.args(["-c", &line]).process_group(0);
            let process = process.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = process.spawn().unwrap();
            child.stdin.take().unwrap().write_all(b"echo more\n").unwrap();
            let output = child.wait_with_output().unwrap();
            let (said, wanted) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&expected.stdout));
            assert_eq!(said, wanted, "{shell}");
        }
    }

    #[test]
    fn no_word_is_too_long_for_csh_and_none_is_an_option() {
        let line = command("--é% 'x'\n".repeat(1000).as_bytes(), true).unwrap();
        let words: Vec<&str> = line.split('\'').collect();
        assert!(words.len() > 20 && words.iter().all(|word| word.len() <= 800 && !word.starts_with('-')));
    }

    #[test]
    fn a_shell_that_dies_ends_the_whole_line() {
        let line = command(b"kill -9 $$\n", false).unwrap();
        let mut child = Command::new("/bin/sh")
            .args(["-c", &line])
            .process_group(0)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        // Its stdin stays open, as a channel's does.
        let _stdin = child.stdin.take().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(128 + 9));
    }

    #[test]
    fn what_is_too_long_is_left_to_stdin() {
        assert!(command(&vec![b'x'; 100_000], false).is_none());
        assert!(command(&vec![b'\''; 20_000], true).is_none());
    }
}
