//! Names and paths of the playbook that somebody else has taken already.

use crate::preflight::{Seen, Subject, Topic};
use crate::task::need::Sort;
use crate::words::finding::Finding;
use crate::words::shell::join;

pub struct Places;

const TOPIC: &str = "places";

/// Our own units and sites say so in their first lines.
const SCRIPT: &str = r#"
for unit in $units; do
  for file in "/etc/systemd/system/$unit" "/usr/lib/systemd/system/$unit" "/lib/systemd/system/$unit"; do
    [ -f "$file" ] || continue
    head -n 3 "$file" | grep -q 'Written by tow' || echo "unit $file"
    break
  done
done
for pair in $folders; do
  at=${pair%%:*}
  [ -d "$at" ] && [ -n "$(ls -A "$at" 2>/dev/null)" ] || continue
  known=
  for below in $(echo "${pair#*:}" | tr : ' '); do [ ! -e "$below" ] || known=1; done
  # Releases, of which none has the name of the next.
  for mark in "$at"/*/release.json; do [ ! -e "$mark" ] || known=1; done
  [ -n "$known" ] || echo "folder $at $(ls -A "$at" | head -n 3 | tr '\n' ' ')"
done
for name in $names; do
  for file in /etc/nginx/sites-enabled/* /etc/nginx/conf.d/*.conf; do
    [ -f "$file" ] || continue
    case " $sites " in *" ${file##*/} "*) continue ;; esac
    grep -Eq "^[[:space:]]*server_name[[:space:]]([^;]*[[:space:]])?$name[[:space:];]" "$file" && echo "site $file $name"
  done
done"#;

/// Paths that stand in a shell word without quotes.
fn is_plain(path: &str) -> bool {
    path.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.@".contains(c))
}

/// Folders that the playbook makes, with what it makes below each: `/srv/shop:/srv/shop/releases:…`.
fn folders(subject: &Subject) -> Vec<String> {
    let all: Vec<&str> =
        subject.places().map(|place| place.path.as_str()).filter(|path| is_plain(path)).collect();
    let of = |folder: &str| {
        let below =
            all.iter().filter(|path| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')));
        let below: Vec<&str> = below.copied().collect();
        (!below.is_empty()).then(|| format!("{folder}:{}", below.join(":")))
    };
    let places = subject.places().filter(|place| place.sort == Sort::Folder && is_plain(&place.path));
    // What tow itself keeps there is of all applications of the host.
    let own = |path: &str| path != "/var/lib/towline" && path != "/var/lib/towline/jobs";
    places.filter(|place| own(&place.path)).filter_map(|place| of(&place.path)).collect()
}

impl Topic for Places {
    fn script(&self, subject: &Subject) -> Option<String> {
        let folders = folders(subject);
        let units: Vec<&str> = subject.units().filter(|unit| is_plain(unit)).collect();
        let sites: Vec<&str> = subject.sites().collect();
        let names: Vec<&str> = subject.domains().collect();
        if folders.is_empty() && units.is_empty() && names.is_empty() {
            return None;
        }
        let set = |name: &str, words: String| format!("{name}={}\n", crate::words::shell::quote(&words));
        let lists = [
            ("units", join(units)),
            ("folders", folders.join(" ")),
            ("sites", join(sites)),
            ("names", join(names)),
        ];
        Some(lists.into_iter().map(|(name, words)| set(name, words)).collect::<String>() + SCRIPT)
    }

    fn findings(&self, _subject: &Subject, seen: &Seen<'_>) -> Vec<Finding> {
        let units = seen.all("unit").map(|file| {
            Finding::warning(TOPIC, format!("there is a unit {file} that tow did not write"))
                .why("the playbook would put its own in its place")
                .todo("if it is another application's, choose another `app.name`; if it is an earlier try, go on")
        });
        let folders = seen.all("folder").map(|line| {
            let (path, holds) = line.split_once(' ').unwrap_or((line, ""));
            Finding::warning(
                TOPIC,
                format!("{path} is there already, and holds {}", holds.trim().replace(' ', ", ")),
            )
            .why("it does not look as the playbook would have left it: it may belong to something else")
            .todo("choose another `app.name` or `root` in the inventory; or move it away if nobody needs it")
        });
        let sites = seen.all("site").map(|line| {
            let (file, name) = line.split_once(' ').unwrap_or((line, ""));
            Finding::warning(TOPIC, format!("another site of nginx answers for {name}: {file}"))
                .why("nginx takes the first of two sites of the same name, and says so only in its log")
                .todo(format!("take it out: `rm {file} && nginx -t && systemctl reload nginx`"))
        });
        units.chain(folders).chain(sites).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Places, folders};
    use crate::preflight::Topic as _;
    use crate::preflight::sample::{Sample, certificate};
    use crate::task::need::{Need, Sort};

    #[test]
    fn what_is_taken_is_named() {
        let needs = [
            Need::Unit("shop.socket".into()),
            Need::place("/srv/shop", Sort::Folder),
            Need::place("/srv/shop/releases", Sort::Folder),
            Need::place("/srv/shop/releases/1/venv", Sort::Environment),
            Need::place("/var/lib/towline", Sort::Folder),
            Need::place("/var/lib/towline/shop", Sort::Folder),
            Need::Certificate(certificate(&["a.dev"])),
        ];
        let sample = Sample::new(&Places, &needs);
        assert_eq!(
            folders(&sample.subject),
            [
                "/srv/shop:/srv/shop/releases:/srv/shop/releases/1/venv",
                "/srv/shop/releases:/srv/shop/releases/1/venv"
            ]
        );
        assert!(
            Places.script(&sample.subject).unwrap().starts_with("units=shop.socket\nfolders='/srv/shop:")
        );
        assert!(sample.said("").is_empty());
        let said = sample.said("unit /lib/systemd/system/shop.socket\nfolder /srv/shop wp-admin index.php \nsite /etc/nginx/conf.d/x.conf a.dev\n");
        assert!(said[0].starts_with("warning: there is a unit /lib/systemd/system/shop.socket"));
        assert!(said[1].starts_with("warning: /srv/shop is there already, and holds wp-admin, index.php"));
        assert!(
            said[2].starts_with("warning: another site of nginx answers for a.dev: /etc/nginx/conf.d/x.conf")
        );
    }
}
