//! Quoting that bash, systemd and python-dotenv read alike, or the reason why there is none.
//!
//! In single quotes bash and systemd (from 240 on) take everything as it is; python-dotenv takes `\\` and `\'`
//! for one character there. In double quotes all three understand `\\` and `\"`; but a `$` or a backquote needs a
//! backslash for bash, which python-dotenv would leave standing. And python-dotenv expands `${NAME}` everywhere.

/// `text` as the right side of an assignment.
pub fn quote(text: &str) -> Result<String, String> {
    if let Some(odd) = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err(format!("the value holds the control character {odd:?}, which systemd drops or changes"));
    }
    if expands(text) {
        return Err("the value holds `${…}`, which python-dotenv expands in any quotes".to_owned());
    }
    if text.ends_with('\\') {
        return Err("the value ends with a backslash, which many versions of python-dotenv read wrongly".to_owned());
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:=@%+,".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    let single = !text.contains('\'') && !text.contains(r"\\");
    if single {
        return Ok(format!("'{text}'"));
    }
    if text.contains('`') || special_dollar(text) {
        return Err("no quoting of the value is read alike by bash, systemd and python-dotenv: \
            it holds both `$` or a backquote and `'` or a double backslash"
            .to_owned());
    }
    Ok(format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"")))
}

/// As python-dotenv's pattern has it: `${name}` or `${name:-default}`.
fn expands(text: &str) -> bool {
    text.match_indices("${").any(|(at, _)| {
        let rest = &text[at + 2..];
        let name = &rest[..rest.find(['}', ':']).unwrap_or(rest.len())];
        let after = &rest[name.len()..];
        after.starts_with('}') || (after.starts_with(":-") && after.contains('}'))
    })
}

/// A `$` that bash would expand within double quotes.
fn special_dollar(text: &str) -> bool {
    let expands = |c: char| c.is_ascii_alphanumeric() || "_{([*@#?-$!'\"".contains(c);
    text.match_indices('$').any(|(at, _)| text[at + 1..].chars().next().is_some_and(expands))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use proptest::prelude::{ProptestConfig, proptest};

    use super::quote;

    const HARD: &[&str] = &[
        "",
        " ",
        "plain",
        "two words ",
        "\ttab",
        "it's",
        "say \"hi\"",
        "it's \"both\"",
        "# no comment",
        "a#b",
        "$HOME",
        "a$",
        "it's 5 $ ",
        "$(id)",
        "`id`",
        "${open",
        r"a\b",
        r"a\\b",
        r"\'",
        r"\n is not a line break",
        "line\nbreak",
        "-----BEGIN KEY-----\nabc+/=\n-----END KEY-----\n",
        "postgresql://shop:p%40ss@127.0.0.1:5432/shop?sslmode=require",
        "*?[a-z]~!;&|<>(){}",
        "~/x",
        "grüße 🚢",
        "export A=1",
        "a=b=c",
        "\\\"",
        "x'\n\"y",
    ];

    /// A file of all these values: `V0`, `V1` …
    fn file(values: &[String]) -> String {
        let lines = values.iter().enumerate().map(|(i, value)| format!("V{i}={}\n", quote(value).unwrap()));
        lines.collect()
    }

    fn run(program: &str, args: &[&str], input: &str) -> Vec<u8> {
        let mut child = Command::new(program)
            .args(args)
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        output.stdout
    }

    fn read_by_bash(text: &str, count: usize) -> Vec<String> {
        let script = format!("source /dev/stdin; for i in {{0..{}}}; do v=V$i; printf '%s\\0' \"${{!v}}\"; done", count - 1);
        split(&run("bash", &["-c", &script], text))
    }

    fn split(output: &[u8]) -> Vec<String> {
        let text = String::from_utf8(output.to_vec()).unwrap();
        let mut values: Vec<String> = text.split('\0').map(ToOwned::to_owned).collect();
        assert_eq!(values.pop().as_deref(), Some(""));
        values
    }

    /// python-dotenv itself where it is installed, else its patterns (parser.py, variables.py of 1.x).
    const PYTHON: &str = r#"
import codecs, io, os, re, sys
text = sys.stdin.buffer.read().decode()
count = int(sys.argv[1])
def pure(text):
    found, at = {}, 0
    value = re.compile(r"""'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|([^\r\n]*)""", re.S)
    escape = lambda match: codecs.decode(match.group(0), "unicode-escape")
    while at < len(text):
        key = re.compile(r"([^=\#\s]+)=").match(text, at)
        got = value.match(text, key.end())
        single, double, bare = got.groups()
        if single is not None: found[key[1]] = re.sub(r"\\[\\']", escape, single)
        elif double is not None: found[key[1]] = re.sub(r"""\\[\\'"abfnrtv]""", escape, double)
        else: found[key[1]] = re.sub(r"\s+#.*", "", bare).rstrip()
        end = re.compile(r"[^\S\r\n]*(?:#[^\r\n]*)?(?:\n|$)").match(text, got.end())
        assert end, text[got.end():]
        at = end.end()
    expand = re.compile(r"\$\{([^\}:]*)(?::-([^\}]*))?\}")
    return {k: expand.sub(lambda m: os.environ.get(m[1], m[2] or ""), v) for k, v in found.items()}
try:
    from dotenv import dotenv_values
    found = dotenv_values(stream=io.StringIO(text))
    assert found == pure(text), (found, pure(text))
except ImportError:
    found = pure(text)
sys.stdout.buffer.write("".join(found[f"V{i}"] + "\0" for i in range(count)).encode())
"#;

    fn read_by_dotenv(text: &str, count: usize) -> Vec<String> {
        let python = std::env::var("TOW_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        split(&run(&python, &["-c", PYTHON, &count.to_string()], text))
    }

    /// The states of `parse_env_file_internal` in systemd's src/basic/env-file.c, from the value on.
    fn read_by_systemd(text: &str, count: usize) -> Vec<String> {
        let mut values = vec![];
        let mut chars = text.chars().peekable();
        while chars.peek().is_some() {
            let name: String = chars.by_ref().take_while(|c| *c != '=').collect();
            assert_eq!(name, format!("V{}", values.len()));
            let (mut value, mut state, mut trailing) = (String::new(), ' ', 0);
            while let Some(c) = chars.next() {
                match (state, c) {
                    (' ' | 'v', '\n') => break,
                    // Before a value, and after a closing quote: another quoted part may follow.
                    (' ', '\'' | '"') => state = c,
                    (' ', '\\') => panic!("an escape that is not expected here"),
                    (' ', c) if c.is_ascii_whitespace() => {}
                    (' ', c) => {
                        state = 'v';
                        value.push(c);
                    }
                    ('v', c) => {
                        assert_ne!(c, '\\');
                        trailing = if c.is_ascii_whitespace() { trailing + 1 } else { 0 };
                        value.push(c);
                    }
                    ('\'', '\'') | ('"', '"') => state = ' ',
                    ('"', '\\') => match chars.next() {
                        Some(c @ ('"' | '\\' | '`' | '$')) => value.push(c),
                        Some('\n') => {}
                        Some(c) => value.extend(['\\', c]),
                        None => panic!("a file that ends in an escape"),
                    },
                    (_, c) => value.push(c),
                }
            }
            value.truncate(value.len() - trailing);
            values.push(value);
        }
        assert_eq!(values.len(), count);
        values
    }

    fn assert_read_alike(values: &[String]) {
        let text = file(values);
        assert_eq!(read_by_systemd(&text, values.len()), values, "systemd\n{text}");
        assert_eq!(read_by_bash(&text, values.len()), values, "bash\n{text}");
        assert_eq!(read_by_dotenv(&text, values.len()), values, "python-dotenv\n{text}");
    }

    #[test]
    fn all_readers_agree_on_hard_values() {
        let values: Vec<String> = HARD.iter().map(ToString::to_string).collect();
        assert_read_alike(&values);
    }

    #[test]
    fn what_they_cannot_agree_on_is_refused() {
        for bad in ["a${HOME}b", "${X:-y}", "it's $5", "it's `", "a\u{7}", "a\rb", "nul\0", r"ends with\"] {
            assert!(quote(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn all_readers_agree(values in proptest::collection::vec("[ -~\n\t]{0,6}|[$'\"\\\\`{}ab# \n]{0,8}", 40)) {
            let values: Vec<String> = values.into_iter().filter(|value| quote(value).is_ok()).collect();
            if !values.is_empty() {
                assert_read_alike(&values);
            }
        }
    }
}
