//! The built-in probe of a switch: requests all through it, made on the host itself by `probe.sh`.

use serde::Deserialize;

use crate::task::Mistake;
use crate::task::common::{none_if_empty, one_or_many};
use crate::task::seconds::Span;
use crate::words::shell::quote;

/// Without a `url` there is none.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchProbe {
    #[serde(default)]
    url: String,
    #[serde(default, deserialize_with = "one_or_many")]
    connect: Vec<String>,
    #[serde(default)]
    max_failed: Share,
    #[serde(default, deserialize_with = "none_if_empty")]
    max_p99: Option<Wait>,
}

/// `"1%"`; in hundredths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Share(u32);

impl Default for Share {
    fn default() -> Share {
        Share(100)
    }
}

impl TryFrom<String> for Share {
    type Error = String;
    fn try_from(text: String) -> Result<Share, String> {
        let plain = |c: char| c.is_ascii_digit() || c == '.';
        let number = text.strip_suffix('%').map(str::trim).filter(|number| number.chars().all(plain));
        match number.and_then(|number| number.parse::<f64>().ok()).filter(|share| *share <= 100.0) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 10000")]
            Some(share) => Ok(Share((share * 100.0).round() as u32)),
            None => Err(format!("{text:?} is not a share: write for example \"1%\" or \"0.5%\"")),
        }
    }
}

/// `"500ms"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Wait(Span);

impl TryFrom<String> for Wait {
    type Error = String;
    fn try_from(text: String) -> Result<Wait, String> {
        Span::try_from(toml::Value::String(text)).map(Wait)
    }
}

impl SwitchProbe {
    pub fn check(&self) -> Result<(), Mistake> {
        let mistake = |message: String, hint: &str| Err(Mistake::new("probe", message).hint(hint));
        let host = self.url.strip_prefix("https://").or_else(|| self.url.strip_prefix("http://"));
        let host = host.and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
        // curl would take them for several URLs, or for the end of one.
        let plain = |c: char| c.is_ascii_graphic() && !"\"'\\[]{}#".contains(c);
        if !self.url.is_empty() && (host.is_empty() || !self.url.chars().all(plain)) {
            let hint = "write for example \"https://shop.example.com/healthz\"";
            return mistake(format!("{:?} is not a URL that can be probed", self.url), hint);
        }
        if let Some(way) = self.connect.iter().find(|way| !is_way(way)) {
            let hint = "write for example \"127.0.0.1:443\", or the path of a socket: \"/run/shop.sock\"";
            return mistake(format!("nobody can connect to {way:?}"), hint);
        }
        Ok(())
    }

    /// What `probe.sh` wants to know.
    pub fn variables(&self) -> String {
        let ways = if self.connect.is_empty() { "url".to_owned() } else { self.connect.join(" ") };
        let p99 = self.max_p99.map_or_else(String::new, |Wait(span)| span.0.as_millis().to_string());
        format!(
            "probe_url={} probe_ways={} max_failed={} max_p99={p99}",
            quote(&self.url),
            quote(&ways),
            self.max_failed.0
        )
    }
}

/// `HOST:PORT`, or the path of a socket.
pub fn is_way(text: &str) -> bool {
    let plain = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    if text.starts_with('/') {
        return plain(text, "/._@-");
    }
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = address.map_or_else(|| plain(host, ".-_"), |address| plain(address, ":."));
    host && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::SwitchProbe;

    fn read(text: &str) -> Result<SwitchProbe, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn the_host_hears_numbers() {
        let all = "url = 'https://a.example/x?y'\nconnect = ['127.0.0.1:443', '/run/a.sock']\nmax_failed = '0.25%'\nmax_p99 = '1.5s'";
        let probe = read(all).unwrap();
        assert_eq!(probe.check(), Ok(()));
        assert_eq!(
            probe.variables(),
            "probe_url='https://a.example/x?y' probe_ways='127.0.0.1:443 /run/a.sock' max_failed=25 max_p99=1500"
        );
        let none = read("url = ''\nmax_p99 = ''").unwrap();
        assert_eq!(none.check(), Ok(()));
        assert_eq!(none.variables(), "probe_url='' probe_ways=url max_failed=100 max_p99=");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for url in [
            "a.example",
            "ftp://a",
            "https:///x",
            "https://a/#b",
            "https://a/[1-9]",
            "https://a/ b",
            "https://a/\"b",
        ] {
            assert!(read(&format!("url = '{url}'")).unwrap().check().is_err(), "{url}");
        }
        for way in ["127.0.0.1", "localhost:http", "a:0", "run/a.sock", "/run/a b", "[::1]", "a;b:1", ":443"]
        {
            let probe = read(&format!("url = 'http://a'\nconnect = '{way}'")).unwrap();
            assert!(probe.check().is_err(), "{way}");
        }
        assert_eq!(read("url = 'http://a'\nconnect = '[::1]:443'").unwrap().check(), Ok(()));
        for share in ["1", "101%", "-1%", "some%", "%", "inf%"] {
            assert!(read(&format!("max_failed = '{share}'")).unwrap_err().contains("\"1%\""), "{share}");
        }
        assert!(read("max_p99 = '5'").unwrap_err().contains("\"30s\""));
    }
}
