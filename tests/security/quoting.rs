//! Whatever a value holds, a shell takes it for that value.

use std::process::Command;

use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};
use towline::words::names::{HostName, RemotePath, UserName};
use towline::words::shell::{join, quote};

const SHELLS: &[&[&str]] =
    &[&["dash"], &["bash"], &["bash", "--posix"], &["busybox", "sh"], &["zsh"], &["ksh"], &["mksh"]];

/// The words as the shell hands them to a program, and the values of variables set to them.
fn read_by(shell: &[&str], words: &[String]) -> Option<Vec<String>> {
    let assigned: Vec<String> =
        words.iter().enumerate().map(|(n, word)| format!("export V{n}={}", quote(word))).collect();
    let names: Vec<String> = (0..words.len()).map(|n| format!("\"$V{n}\"")).collect();
    let script = format!("{}\nprintf '%s\\0' {} {}", assigned.join("\n"), join(words), names.join(" "));
    let output = Command::new(shell[0]).args(&shell[1..]).args(["-c", &script]).output().ok()?;
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.split_terminator('\0').map(ToOwned::to_owned).collect())
}

fn assert_whole(words: &[String]) {
    let twice = [words, words].concat();
    let read = SHELLS.iter().filter_map(|shell| Some((shell, read_by(shell, words)?)));
    let mut shells = 0;
    for (shell, read) in read {
        assert_eq!(read, twice, "{shell:?}");
        shells += 1;
    }
    assert!(shells >= 2, "no shells to try");
}

/// Row 1.
#[test]
fn hard_values_reach_a_program_as_they_are() {
    let hard = [
        "",
        "-rf",
        "--",
        "-",
        "~",
        "~root",
        "~/x",
        "a:~",
        "x=~root",
        "=ls",
        "$HOME",
        "${HOME}",
        "$(id)",
        "`id`",
        "'",
        "''",
        "\\",
        "\\'",
        "a\\",
        "\n",
        "a\nb\n",
        "\n\n",
        "\t",
        "!",
        "!!",
        "^a^b",
        "*",
        "?",
        "[a-z]",
        "{a,b}",
        "{1..3}",
        "#",
        "#x",
        "a #b",
        ";",
        "&",
        "|",
        "<",
        ">",
        "(",
        ")",
        "if",
        "done",
        "}",
        "a=b",
        "PATH=/x",
        "%",
        "%s",
        "\u{1b}[31m",
        "\u{7f}",
        "\r",
        "é🚢",
        "\u{202e}",
        "\"",
        "\"'\"",
        "a\u{a0}b",
    ];
    assert_whole(&hard.map(ToOwned::to_owned));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]
    /// Row 1.
    #[test]
    fn any_value_reaches_a_program_as_it_is(words in proptest::collection::vec("[~=-]?([^\0]{0,8}|[ -~\n]{0,8}|[$'\"\\\\`{}\n!~#-]{0,6})", 30)) {
        assert_whole(&words);
        prop_assert_eq!(words.len(), 30);
    }

    /// Row 2.
    #[test]
    fn a_name_is_plain_or_refused(text in "[-.~$@a-z0-9_ /\n\u{0}-\u{1f}\u{202e}]{0,6}|\\.\\.") {
        for name in [HostName::new(text.as_str()).map(String::from), UserName::new(text.as_str()).map(String::from)].into_iter().flatten() {
            assert!(!name.starts_with(['-', '.', '~']) && !name.contains(['/', ' ', '\n']), "{name:?}");
            // As `~name`, where nothing can be quoted, it must not become anything else.
            let output = Command::new("sh").args(["-c", &format!("printf %s x{name}")]).output().unwrap();
            prop_assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("x{name}"));
        }
    }

    /// Row 2.
    #[test]
    fn a_path_cannot_climb(text in "/?([a.~-]{0,3}/){0,3}[a.\n]{0,3}") {
        if let Ok(path) = RemotePath::new(text.as_str()) {
            assert!(path.as_str().starts_with('/') && !path.as_str().split('/').any(|part| part == ".."), "{path}");
            assert!(!path.as_str().contains('\n'));
        }
    }
}
