//! What a stranger finds out: about TLS, by openssl, and about what nginx lets through; and what systemd thinks of the
//! application's unit.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::lab::text;
use crate::site::Site;

/// What a client offers may be older than its own system allows by default.
const ANYTHING: &str = "ALL:@SECLEVEL=0";

/// Alerts of TLS, by their numbers.
const HANDSHAKE_FAILURE: u8 = 40;
const PROTOCOL_VERSION: u8 = 70;
const UNRECOGNIZED_NAME: u8 = 112;

impl Site<'_> {
    /// What `openssl s_client` says of a handshake with the first server.
    fn handshake(&self, name: &str, arguments: &[&str]) -> String {
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", "-connect", &format!("{}:443", self.lab.address(self.servers[0]))]);
        openssl.args(["-servername", name]).args(arguments).stdin(Stdio::null());
        let output = openssl.output().unwrap();
        text(&output.stdout) + &text(&output.stderr)
    }

    fn accepts(&self, arguments: &[&str], sign: &str) {
        let said = self.handshake(self.domain, arguments);
        assert!(said.contains(sign), "{arguments:?} gives no {sign}:\n{said}");
    }

    /// Refused by the server with this alert, rather than that openssl itself did not want to.
    fn refuses(&self, name: &str, arguments: &[&str], alert: u8) {
        let said = self.handshake(name, arguments);
        let alert = format!("SSL alert number {alert}\n");
        assert!(said.contains("Cipher is (NONE)") && said.contains(&alert), "{name} {arguments:?}:\n{said}");
    }

    /// Mozilla's "intermediate" profile.
    pub fn speaks_modern_tls_only(&self) {
        self.accepts(&["-tls1_3"], "New, TLSv1.3");
        self.accepts(
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
            "Cipher is ECDHE-ECDSA-AES128-GCM-SHA256",
        );
        for old in ["-tls1", "-tls1_1"] {
            self.refuses(self.domain, &[old, "-cipher", ANYTHING], PROTOCOL_VERSION);
        }
        for weak in ["ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "AES128-SHA"] {
            self.refuses(self.domain, &["-tls1_2", "-cipher", weak], HANDSHAKE_FAILURE);
        }
        self.refuses("nobody.lab.test", &[], UNRECOGNIZED_NAME);
    }

    /// What visitors are shown now.
    pub fn certificate(&self) -> String {
        let said = self.handshake(self.domain, &[]);
        let begin = said.find("-----BEGIN").unwrap_or_else(|| panic!("no certificate:\n{said}"));
        let end = said.find("-----END CERTIFICATE-----").unwrap();
        said[begin..end].to_owned() + "-----END CERTIFICATE-----"
    }

    /// nginx loads what is new a moment after it was told to.
    pub fn another_certificate_than(&self, before: &str) -> String {
        for _ in 0..100 {
            let now = self.certificate();
            if now != before {
                return now;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{} still has the certificate:\n{before}", self.domain);
    }

    /// `www.` of its domain leads to it.
    pub fn has_another_name(&self) {
        let www = format!("www.{}", self.domain);
        self.lead(&www, self.servers[0]);
        self.edit("inventory.toml", "\nredirects = []", &format!("\nredirects = [\"{www}\"]"));
        let own = format!("\n[vars.acme]\ndomains = [\"{}\"", self.domain);
        self.edit("inventory.toml", &own, &format!("{own}, \"{www}\""));
    }

    /// The head of the answer, or of all answers; whatever is wrong with the certificate is a failure.
    pub fn head(&self, address: &str, arguments: &[&str]) -> String {
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--max-time",
            "60",
            "--output",
            "/dev/null",
            "--dump-header",
            "-",
        ]);
        curl.arg("--cacert").arg(self.lab.state.join("acme/issuer.pem")).args(arguments).stdin(Stdio::null());
        for name in [self.domain.to_owned(), format!("www.{}", self.domain)] {
            curl.args(["--resolve", &format!("{name}:443:{}", self.lab.address(self.servers[0]))]);
        }
        let output = curl.arg(address).output().unwrap();
        assert!(output.status.success(), "{address}: {}", text(&output.stderr));
        text(&output.stdout).to_lowercase().replace('\r', "")
    }

    /// Headers, the largest upload, the other name, the rate of one address: the last one, because it counts.
    pub fn guards_its_visitors(&self) {
        let at = |path: &str| format!("https://{}{path}", self.domain);
        let says = |head: &str, line: &str| {
            assert_eq!(
                head.lines().filter(|found| *found == line).count(),
                1,
                "{line} is not said once:\n{head}"
            );
        };
        // The application's own word counts, once.
        let head = self.head(&at("/"), &[]);
        for line in [
            "strict-transport-security: max-age=300",
            "x-frame-options: deny",
            "referrer-policy: same-origin",
        ] {
            says(&head, line);
        }
        assert!(head.matches("x-frame-options").count() == 1 && head.contains("\nserver: nginx\n"), "{head}");

        let large = tempfile::NamedTempFile::new().unwrap();
        let body = format!("@{}", large.path().display());
        for (megabytes, refused) in [(11, true), (9, false)] {
            large.as_file().set_len(megabytes << 20).unwrap();
            let head = self.head(&at("/api/v1/posts"), &["--header", "Expect:", "--data-binary", &body]);
            assert_eq!(head.contains(" 413"), refused, "{megabytes} MB: {head}");
        }

        let head = self.head(&format!("https://www.{}/some/page?a=b", self.domain), &[]);
        assert!(head.contains(" 301"), "{head}");
        says(&head, &format!("location: {}", at("/some/page?a=b")));

        let head = self.head(&at("/nowhere?[1-400]"), &["--parallel"]);
        let count = |status: &str| {
            head.lines().filter(|line| line.starts_with("http/") && line.contains(status)).count()
        };
        let (refused, answered) = (count(" 429"), count(" 404"));
        assert!(refused > 0 && answered > 40, "{refused} refused, {answered} answered");
    }

    /// The figure of `systemd-analyze security`: 0 is sealed off, 10 may do anything.
    pub fn exposure(&self, unit: &str) -> f32 {
        let said = self
            .lab
            .inside(self.servers[0], &format!("systemd-analyze security --no-pager '{unit}' | tail -n 1"));
        let figure = said.split_whitespace().find_map(|word| word.parse().ok());
        figure.unwrap_or_else(|| panic!("{said}"))
    }
}
