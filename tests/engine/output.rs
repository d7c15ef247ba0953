//! Output without end, without lines, without UTF-8; `exec`.

use std::process::Stdio;

use crate::project::{Towline, high_water};
use crate::support::sshd::Sshd;

#[test]
fn a_gibibyte_of_output_passes_through_little_memory() {
    let sshd = Sshd::start(&[]);
    let tow = Towline::over(&sshd, &["a"]);
    let megabytes = 1200;
    let line = format!(
        "yes 'a line of output that is as long as lines are' | head -c {megabytes}000000; echo; echo end >&2"
    );
    let mut child = tow.command(&["exec", "--json", "--", &line]).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let (mut seen, mut most, mut buffer) = (0, 0, vec![0; 1 << 20]);
    let mut turns = 0_u32;
    while let Ok(n) = std::io::Read::read(&mut out, &mut buffer) {
        if n == 0 {
            break;
        }
        seen += n;
        turns += 1;
        if turns.is_multiple_of(500) {
            most = most.max(high_water(child.id()));
        }
    }
    assert!(child.wait().unwrap().success());
    assert!(seen > megabytes * 1_000_000, "{seen}");
    assert!(most > 0 && most < 150 << 10, "{most} KiB");
}

#[test]
fn any_bytes_make_valid_json() {
    let sshd = Sshd::start(&[]);
    let tow = Towline::over(&sshd, &["a"]);
    let line = r"printf 'nul \000 bad \377\376 esc \033[2J\n'; head -c 100000000 /dev/zero | tr '\0' x; printf '\303'; printf '\251\n' >&2";
    let ran = tow.ended(&["exec", "--json", "--", line]).ends(0);
    assert_eq!(ran.stdout.lines().count(), ran.events.len());
    let text: String = ran.of("output").map(|event| event["text"].as_str().unwrap()).collect();
    assert!(text.starts_with("nul \0 bad \u{fffd}\u{fffd} esc \u{1b}[2J\n"));
    assert_eq!(text.matches('x').count(), 100_000_000);
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stdout.contains('\0'));
    assert!(ran.memory < 150 << 10, "{} KiB", ran.memory);
}

#[test]
fn exec_says_how_it_ended() {
    let sshd = Sshd::start(&[]);
    let tow = Towline::over(&sshd, &["a", "b"]);
    let ran = tow.ended(&["exec", "--", "echo", "it's $HOME", "two"]).ends(0);
    assert_eq!(ran.stdout.matches("it's $HOME two").count(), 2, "{ran:?}");
    let ran = tow.ended(&["exec", "--", "echo $((1+1)); exit 5"]).ends(3);
    assert!(ran.stdout.contains('2') && ran.stderr.contains("code 5"), "{ran:?}");
    let ran = tow.ended(&["exec", "-l", "a", "--", "no-such-program"]).ends(3);
    assert!(ran.stderr.contains("not installed"), "{ran:?}");
    tow.ended(&["exec", "-l", "nobody", "--", "true"]).ends(2);
}
