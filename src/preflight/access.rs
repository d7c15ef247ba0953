//! Who we are on the host, and whether that suffices.

use crate::preflight::{Seen, Subject, Topic};
use crate::task::need::Need;
use crate::words::finding::Finding;

pub struct Access;

const TOPIC: &str = "access";

impl Topic for Access {
    fn script(&self, _subject: &Subject) -> Option<String> {
        Some("[ -z \"$SUDO_USER\" ] || echo \"login $SUDO_USER\"".into())
    }

    fn findings(&self, subject: &Subject, seen: &Seen<'_>) -> Vec<Finding> {
        let user = &seen.os.user;
        if user == "root" {
            let how = seen.first("login").map_or_else(
                || "logged in as root".to_owned(),
                |login| format!("logged in as {login}, who becomes root by sudo"),
            );
            return vec![Finding::ok(TOPIC, how)];
        }
        if !subject.needs(&Need::Root) {
            return vec![Finding::ok(TOPIC, format!("logged in as {user}"))];
        }
        vec![
            Finding::problem(TOPIC, format!("tasks would act as {user}, not as root"))
                .why("the playbook installs packages, writes units or looks after a web server, which only root may")
                .todo(format!(
                    "set `become = true` in the inventory, and let {user} use sudo (where sudo wants a password, give -K)"
                )),
        ]
    }
}

#[cfg(test)]
mod tests {
    use crate::preflight::sample::Sample;
    use crate::task::need::Need;

    #[test]
    fn who_acts_has_to_be_root_where_the_playbook_needs_it() {
        let sample = Sample::new(&super::Access, &[Need::Root]);
        assert_eq!(sample.said("login deploy\n"), ["ok: logged in as deploy, who becomes root by sudo"]);
        assert_eq!(sample.said(""), ["ok: logged in as root"]);
        let sample = sample.user("deploy");
        assert!(sample.said("")[0].starts_with("problem: tasks would act as deploy, not as root"));
        assert_eq!(Sample::new(&super::Access, &[]).user("me").said(""), ["ok: logged in as me"]);
    }
}
