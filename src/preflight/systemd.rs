//! systemd: there, and in which state.

use crate::preflight::{Seen, Subject, Topic};
use crate::task::need::Need;
use crate::words::finding::Finding;
use crate::words::plural::list;

pub struct Systemd;

const TOPIC: &str = "systemd";

impl Topic for Systemd {
    fn script(&self, subject: &Subject) -> Option<String> {
        let script = "echo \"first $(cat /proc/1/comm 2>/dev/null)\"\n\
            command -v systemctl >/dev/null 2>&1 || exit 0\n\
            echo \"state $(systemctl is-system-running 2>/dev/null)\"\n\
            systemctl list-units --failed --plain --no-legend 2>/dev/null | sed -n '1,5s/^\\([^ ]*\\).*/failed \\1/p'";
        subject.needs(&Need::Systemd).then(|| script.into())
    }

    fn findings(&self, _subject: &Subject, seen: &Seen<'_>) -> Vec<Finding> {
        if seen.first("first") != Some("systemd") {
            let first = seen.first("first").filter(|first| !first.is_empty()).unwrap_or("something else");
            return vec![
                Finding::problem(TOPIC, format!("the first process is {first}, not systemd"))
                    .why("the playbook runs the application as units of systemd")
                    .todo("take a server that was booted by systemd, not a bare container"),
            ];
        }
        let failed: Vec<&str> = seen.all("failed").collect();
        let state = seen.first("state").unwrap_or_default();
        vec![match state {
            "running" => Finding::ok(TOPIC, "systemd is running"),
            "degraded" => Finding::warning(TOPIC, format!("failed before we came: {}", list(&failed, "and")))
                .why("what fails already may be taken for a fault of the playbook later")
                .todo(format!(
                    "look at it: `systemctl status {}`; once it is mended or not needed: `systemctl reset-failed`",
                    failed.first().unwrap_or(&"--failed")
                )),
            "starting" | "initializing" => Finding::warning(TOPIC, "the server is still booting")
                .why("services may not be up yet")
                .todo("wait until `systemctl is-system-running --wait` ends"),
            "maintenance" | "stopping" => Finding::problem(TOPIC, format!("systemd says: {state}"))
                .why("it does not start services now")
                .todo("boot the server into its normal state"),
            _ => Finding::ok(TOPIC, "booted by systemd"),
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::Systemd;
    use crate::preflight::sample::Sample;
    use crate::task::need::Need;

    #[test]
    fn its_state_and_what_has_failed() {
        let sample = Sample::new(&Systemd, &[Need::Systemd]);
        assert_eq!(sample.said("first systemd\nstate running\n"), ["ok: systemd is running"]);
        let said = sample.said("first systemd\nstate degraded\nfailed a.service\nfailed b.timer\n");
        assert!(said[0].starts_with("warning: failed before we came: a.service and b.timer → "), "{said:?}");
        assert!(sample.said("first sh\n")[0].starts_with("problem: the first process is sh, not systemd"));
        assert!(sample.said("first systemd\nstate stopping\n")[0].starts_with("problem"));
    }
}
