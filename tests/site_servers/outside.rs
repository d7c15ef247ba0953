//! What a stranger finds out about TLS, by openssl; and what systemd thinks of the application's unit.

use std::process::{Command, Stdio};

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

    /// The figure of `systemd-analyze security`: 0 is sealed off, 10 may do anything.
    pub fn exposure(&self, unit: &str) -> f32 {
        let said = self
            .lab
            .inside(self.servers[0], &format!("systemd-analyze security --no-pager '{unit}' | tail -n 1"));
        let figure = said.split_whitespace().find_map(|word| word.parse().ok());
        figure.unwrap_or_else(|| panic!("{said}"))
    }
}
