//! The command line that starts a shell with its first script inside: one round trip less than behind it, for a
//! server takes nothing on a channel's stdin before the command runs.
//!
//! The login shell parses the line, be it fish or csh: plain words and single quotes only. Everybody on the host
//! can read it, so no script with a secret goes this way.

/// A longer line is left alone: csh and the kernel have their limits.
const LONGEST: usize = 48 << 10;

/// `None` when `script` does not fit, or is not text.
pub fn command(script: &[u8], sudo: bool) -> Option<String> {
    let text = std::str::from_utf8(script).ok().filter(|text| text.len() <= LONGEST)?;
    let sudo = if sudo { "sudo -n -H -- " } else { "" };
    // When sudo refuses, or the shell dies, nobody would end the `cat`; the shells around it survive, for the exit code.
    let shell = format!("({sudo}/bin/sh; c=$?; trap : TERM; kill 0; exit $c)");
    let line = format!("exec /bin/sh -c 'trap : TERM; (printf \"{}\"; exec cat) | {shell}'", escaped(text));
    (line.len() <= LONGEST).then_some(line)
}

/// For printf, inside double quotes, inside single quotes. A backslash before a digit means something to
/// nobody but printf.
fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len() * 5 / 4), |mut out, byte| {
        match byte {
            b'%' => out.push_str("%%"),
            b'\'' | b'"' | b'$' | b'`' | b'\\' | b'!' | 0..=0x1f | 0x7f.. => {
                let _ = write!(out, "\\{byte:03o}");
            }
            _ => out.push(char::from(byte)),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::command;
    use std::io::Write as _;
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};

    #[test]
    fn every_login_shell_hands_the_script_on_unharmed_and_then_stdin() {
        let script = "printf '%s\\n' \"a'b!c $HOME\" '\\' `echo x` é\n# 100% !!\n";
        let whole = format!("{script}echo more\n");
        let expected = Command::new("/bin/sh").args(["-c", &whole]).output().unwrap();
        let line = command(script.as_bytes(), false).unwrap();
        for shell in ["/bin/sh", "/bin/bash", "/usr/bin/fish", "/bin/csh", "/usr/bin/busybox"] {
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
