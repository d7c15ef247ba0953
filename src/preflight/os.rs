//! The operating system: which ones are tested, and what the playbook cannot do on others.

use crate::preflight::{Seen, Subject, Topic};
use crate::words::finding::Finding;

pub struct Os;

const TOPIC: &str = "os";
/// Releases of Debian that the tests run on.
const TESTED: [&str; 2] = ["12", "13"];

impl Topic for Os {
    fn script(&self, _subject: &Subject) -> Option<String> {
        Some("command -v apt-get >/dev/null 2>&1 && command -v dpkg-query >/dev/null 2>&1 && echo apt".into())
    }

    fn findings(&self, subject: &Subject, seen: &Seen<'_>) -> Vec<Finding> {
        let os = seen.os;
        let name = match os.id.as_str() {
            "debian" => format!("Debian {}", os.version),
            "ubuntu" => format!("Ubuntu {}", os.version),
            id => format!("{id} {}", os.version),
        };
        let what = format!("{} on {}", name.trim(), os.arch);
        if !seen.has("apt") && subject.packages().next().is_some() {
            return vec![
                Finding::problem(TOPIC, format!("{what}, which has no apt"))
                    .why("the playbook installs packages by apt")
                    .todo("take a server with Debian 12 or 13, or install what is needed by hand and take the `package` tasks out"),
            ];
        }
        vec![match os.id.as_str() {
            "debian" if TESTED.contains(&os.version.as_str()) => Finding::ok(TOPIC, what),
            "ubuntu" => {
                Finding::note(TOPIC, format!("{what}: should work as Debian does, but is not tested"))
            }
            _ => Finding::warning(TOPIC, format!("{what} is not tested"))
                .why("Debian 12 and 13 are; elsewhere names of packages and paths may differ")
                .todo("try `tow plan` first, or take a server with Debian 12 or 13"),
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::Os;
    use crate::preflight::sample::Sample;
    use crate::task::need::Need;

    #[test]
    fn tested_kept_in_mind_or_unknown() {
        let sample =
            |id: &str, version: &str| Sample::new(&Os, &[Need::Package("nginx".into())]).os(id, version);
        assert_eq!(sample("debian", "12").said("apt\n"), ["ok: Debian 12 on x86_64"]);
        assert!(sample("ubuntu", "24.04").said("apt\n")[0].starts_with("note: Ubuntu 24.04"));
        assert!(
            sample("debian", "10").said("apt\n")[0].starts_with("warning: Debian 10 on x86_64 is not tested")
        );
        assert!(
            sample("fedora", "42").said("")[0].starts_with("problem: fedora 42 on x86_64, which has no apt")
        );
        assert!(Sample::new(&Os, &[]).os("fedora", "42").said("")[0].starts_with("warning"));
    }
}
