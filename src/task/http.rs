//! `http`: waits until a URL answers as expected; changes nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::task::releases::probe::is_way;
use crate::task::seconds::Span;
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::{Action, Command};
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, Probe};
use crate::words::names::RemotePath;
use crate::words::plural;
use crate::words::shell::quote;
use crate::words::step::Step;

/// Waits until a URL, asked for on the host itself, answers as expected; with curl where the host has it, else with
/// its python3. When it answers so at once, there is nothing to do. Redirects are not followed.
///
/// ```toml
/// http = "http://127.0.0.1:8000/healthz"
/// http = { url = "https://shop.example.com/", status = [200, 302], contains = "Welcome", timeout = "60s" }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// `http://…` or `https://…`, as seen from the host.
    url: String,
    /// The status, or several that are as good (default 200).
    #[serde(default = "ok", deserialize_with = "statuses")]
    status: Vec<u16>,
    /// Text that the answer has to contain (within its last MiB).
    contains: Option<String>,
    /// How long to wait for that answer (default `"30s"`).
    #[serde(default = "half_a_minute")]
    timeout: Span,
    /// How long to wait between two tries (default `"1s"`).
    #[serde(default = "one_second")]
    interval: Span,
    /// Headers to send; `Host` chooses a virtual host.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The method (default `"GET"`).
    #[serde(default = "get")]
    method: String,
    /// Accepts every certificate.
    #[serde(default)]
    insecure: bool,
    /// A file on the host with the certificates of the authorities to trust.
    ca: Option<RemotePath>,
    /// A unix socket on the host to connect to, instead of the URL's host and port.
    unix: Option<RemotePath>,
    /// `"HOST:PORT"` to connect to instead; the certificate has to be the URL's all the same.
    connect: Option<String>,
}

fn ok() -> Vec<u16> {
    vec![200]
}
fn half_a_minute() -> Span {
    Span::seconds(30)
}
fn one_second() -> Span {
    Span::seconds(1)
}
fn get() -> String {
    "GET".to_owned()
}

fn statuses<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u16>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a status such as 200, or several: [200, 302]")]
    enum Statuses {
        One(u16),
        Many(Vec<u16>),
    }
    Ok(match Statuses::deserialize(deserializer)? {
        Statuses::One(one) => vec![one],
        Statuses::Many(many) => many,
    })
}

/// For `ask.py`.
#[derive(Serialize)]
struct Spec<'a> {
    url: &'a str,
    unix: Option<&'a str>,
    connect: Option<(&'a str, &'a str)>,
    ca: Option<&'a str>,
    insecure: bool,
    method: &'a str,
    headers: Vec<(&'a String, &'a String)>,
}

impl Http {
    /// Everything for curl; on its stdin, because headers may be secret.
    fn curl_config(&self) -> String {
        use std::fmt::Write as _;
        let escape = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let mut config = format!("url = \"{}\"\n", escape(&self.url));
        match self.method.as_str() {
            "GET" => {}
            "HEAD" => config += "head\n",
            method => {
                let _ = writeln!(config, "request = \"{method}\"");
            }
        }
        for (name, value) in &self.headers {
            let _ = writeln!(config, "header = \"{}\"", escape(&format!("{name}: {value}")));
        }
        let paths = [("unix-socket", &self.unix), ("cacert", &self.ca)];
        for (option, path) in paths.iter().filter_map(|(option, path)| Some((option, path.as_ref()?))) {
            let _ = writeln!(config, "{option} = \"{}\"", escape(path.as_str()));
        }
        if let Some(way) = &self.connect {
            let _ = writeln!(config, "connect-to = \"::{way}\"");
        }
        if self.insecure {
            config += "insecure\n";
        }
        config
    }

    fn json(&self) -> String {
        let spec = Spec {
            url: &self.url,
            unix: self.unix.as_ref().map(RemotePath::as_str),
            connect: self.connect.as_ref().and_then(|way| way.rsplit_once(':')),
            ca: self.ca.as_ref().map(RemotePath::as_str),
            insecure: self.insecure,
            method: &self.method,
            headers: self.headers.iter().collect(),
        };
        serde_json::to_string(&spec).unwrap_or_default()
    }

    /// The shell that tells whether `$body` holds the text.
    fn body_test(&self) -> String {
        match &self.contains {
            None => "true".to_owned(),
            Some(text) => format!("case $body in *{}*) true ;; *) false ;; esac", always_quote(text)),
        }
    }

    /// Tries until the answer is as expected or `patience` is over. Ends with 0, 1 (not as expected), 127 (no tool).
    fn script(&self, patience: u64, limit: u64) -> String {
        let accepted: Vec<String> = self.status.iter().map(ToString::to_string).collect();
        let contains = self.body_test();
        format!(
            r#"if command -v curl >/dev/null 2>&1; then
  ask() {{ printf '%s' {config} | curl -q -sS -m {limit} -w '\n%{{http_code}}' -K - 2>&1 | tail -c 1048576; }}
elif command -v python3 >/dev/null 2>&1; then
  ask() {{ TOW_HTTP={json} TOW_HTTP_LIMIT={limit} python3 -I -B -c "$ask_py" 2>&1 | tail -c 1048576; }}
  ask_py=$(cat <<'TOW_END'
{ask_py}TOW_END
)
else
  echo 'neither curl nor python3 is on this host' >&2
  exit 127
fi
as_wanted() {{
  case $code in {accepted}) ;; *) return 1 ;; esac
  {contains}
}}
end=$(($(date +%s) + {patience}))
while :; do
  answer=$(ask)
  code=$(printf '%s\n' "$answer" | tail -n 1)
  body=$(printf '%s\n' "$answer" | sed '$d')
  as_wanted && {{ echo "status $code"; exit 0; }}
  [ "$(date +%s)" -lt "$end" ] || break
  sleep {interval}
done
printf '%s\n' "$body" | tail -n 10 >&2
case $code in 000) echo 'no answer' ;; *) echo "the last answer: status $code" ;; esac >&2
exit 1
"#,
            config = quote(&self.curl_config()),
            json = quote(&self.json()),
            ask_py = include_str!("http/ask.py"),
            accepted = accepted.join(" | "),
            interval = self.interval.decimal(),
        )
    }

    fn probe(&self) -> Probe {
        Probe::Shell { script: self.script(0, 2), user: None }
    }
}

/// In a pattern, quotes take the meaning from `*` and `[`, which [`quote`] may leave bare.
fn always_quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

impl Task for Http {
    fn load(&mut self, _inputs: &dyn Inputs) -> Result<(), Mistake> {
        let control = |text: &str| text.chars().any(char::is_control);
        let host = self.url.split_once("://").map(|(scheme, rest)| (scheme, rest.split(['/', '?', '#']).next()));
        let valid = matches!(host, Some(("http" | "https", Some(host))) if !host.is_empty());
        if !valid || control(&self.url) || self.url.contains(' ') {
            return Err(Mistake::new("url", format!("{:?} is not a URL", self.url))
                .hint("write for example \"http://127.0.0.1:8000/healthz\""));
        }
        if self.status.is_empty() || self.status.iter().any(|status| !(100..600).contains(status)) {
            return Err(Mistake::new("status", "a status is a number from 100 to 599"));
        }
        if self.method.is_empty() || !self.method.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(Mistake::new("method", format!("{:?} is not a method of HTTP", self.method)));
        }
        if let Some(way) = self.connect.as_ref().filter(|way| way.starts_with('/') || !is_way(way)) {
            let hint = "write for example \"127.0.0.1:443\"; for the path of a socket there is `unix`";
            return Err(Mistake::new("connect", format!("nobody can connect to {way:?}")).hint(hint));
        }
        let token = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if let Some((name, _)) = self.headers.iter().find(|(name, value)| !token(name) || control(value)) {
            return Err(Mistake::new("headers", format!("the header {name:?} is not valid")));
        }
        Ok(())
    }

    fn probes(&self) -> Vec<Probe> {
        vec![self.probe()]
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let output = facts.output(&self.probe())?;
        if output.code == 127 {
            return Err(Error::failed(format!("cannot ask for {}", self.url))
                .cause("neither curl nor python3 is on this host")
                .hint("install one first: package = \"curl\""));
        }
        if let Some(code) = output.success().then(|| output.stdout.trim().strip_prefix("status ")).flatten() {
            return Ok(Step::already(format!("{} answers {code}", self.url)));
        }
        let accepted: Vec<String> = self.status.iter().map(ToString::to_string).collect();
        let mut what = format!("wait until {} answers {}", self.url, plural::list(&accepted, "or"));
        if let Some(text) = &self.contains {
            what = format!("{what} with {text:?}");
        }
        let limit = self.timeout.whole_seconds().clamp(1, 10);
        let patience = self.timeout.whole_seconds();
        let command = Command::shell(self.script(patience, limit)).label(what.clone());
        Ok(Step::wait(what, Action::Run(command)))
    }
}

#[cfg(test)]
mod tests {
    use super::Http;

    #[test]
    fn everything_for_curl_is_in_its_configuration() {
        let http: Http = toml::from_str(
            "url = 'https://a.example/x?y=\"z'\nmethod = 'HEAD'\nheaders = { Authorization = 'Bearer \\ \"x' }\nunix = '/run/a.sock'\nconnect = '[::1]:8443'\ninsecure = true",
        )
        .unwrap();
        assert_eq!(
            http.curl_config(),
            "url = \"https://a.example/x?y=\\\"z\"\nhead\nheader = \"Authorization: Bearer \\\\ \\\"x\"\nunix-socket = \"/run/a.sock\"\nconnect-to = \"::[::1]:8443\"\ninsecure\n"
        );
    }
}
