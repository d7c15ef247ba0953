//! `tow guide`: what is to be done for this inventory, as a Markdown document. From the playbook's own tasks.

mod remedies;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use core::net::IpAddr;

use crate::preflight::subject::{Subject, needs, subjects};
use crate::preflight::written;
use crate::spec::model::{Connection, Host, Project};
use crate::task::need::{Need, Place};
use crate::words::plural::list;
use crate::words::shell::quote;

/// How the commands of the document are to be called.
#[derive(Debug)]
pub struct Commands {
    pub playbook: String,
    pub inventory: Option<String>,
}

impl Commands {
    fn line(&self, command: &str) -> String {
        let inventory =
            self.inventory.as_ref().map(|path| format!(" -i {}", quote(path))).unwrap_or_default();
        format!("tow {command} {}{inventory}", quote(&self.playbook))
    }
}

/// The same project gives the same text.
pub fn document(project: &Project, commands: &Commands) -> String {
    let subjects = subjects(project);
    let mut out = format!("# Guide: {}\n\n", project.playbook);
    out += "Written by `tow guide` from the inventory and the playbook; write it again when they change. ";
    out += "No secret is in it.\n";
    open_ends(&subjects, &mut out);
    servers(project, &mut out);
    records(&subjects, &mut out);
    contents(project, &subjects, &mut out);
    in_order(&subjects, commands, &mut out);
    let all = Everything::of(&subjects);
    remedies::logs(&all, &mut out);
    remedies::renewals(&all, &mut out);
    remedies::symptoms(&all, commands, &mut out);
    out
}

/// All that the playbook puts anywhere.
struct Everything<'a> {
    needs: BTreeSet<&'a Need>,
}

impl<'a> Everything<'a> {
    fn of(subjects: &'a [Subject]) -> Everything<'a> {
        Everything { needs: subjects.iter().flat_map(|subject| &subject.needs).collect() }
    }

    fn units(&self) -> Vec<&'a str> {
        let units = self
            .needs
            .iter()
            .filter_map(|need| if let Need::Unit(name) = need { Some(name.as_str()) } else { None });
        units.collect()
    }

    fn domains(&self) -> Vec<&'a str> {
        let certificates = self
            .needs
            .iter()
            .filter_map(|need| if let Need::Certificate(it) = need { Some(it) } else { None });
        certificates.flat_map(|certificate| certificate.domains.iter().map(String::as_str)).collect()
    }

    fn has(&self, wanted: impl Fn(&Need) -> bool) -> bool {
        self.needs.iter().any(|need| wanted(need))
    }
}

fn section(title: &str, out: &mut String) {
    let _ = write!(out, "\n## {title}\n\n");
}

fn table<const N: usize>(head: [&str; N], rows: &[[String; N]], out: &mut String) {
    let line = |cells: &[String]| {
        format!("| {} |\n", cells.iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>().join(" | "))
    };
    *out += &line(&head.map(ToOwned::to_owned));
    let _ = writeln!(out, "|{}", "---|".repeat(N));
    for row in rows {
        *out += &line(row);
    }
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// What still has to be filled in.
fn open_ends(subjects: &[Subject], out: &mut String) {
    let open: BTreeSet<String> = written(subjects)
        .into_values()
        .flatten()
        .map(|finding| format!("- {}: {}\n", finding.what, finding.todo.unwrap_or_default()))
        .collect();
    if !open.is_empty() {
        section("Before anything else", out);
        out.extend(open);
    }
}

fn servers(project: &Project, out: &mut String) {
    section("Servers", out);
    let row = |host: &Host| {
        let (address, user) = match &host.connection {
            Connection::Ssh(ssh) => {
                let port = ssh.port.map(|port| format!(", port {port}")).unwrap_or_default();
                let user = ssh.user.clone().unwrap_or_else(|| "as ssh is configured".into());
                (format!("{}{port}", code(&ssh.address)), user)
            }
            Connection::Local { .. } => ("this machine".to_owned(), "you".to_owned()),
        };
        let user = if host.connection.r#become() { format!("{user}, becomes root by sudo") } else { user };
        [host.name.to_string(), address, user, host.groups.join(", ")]
    };
    let rows: Vec<_> = project.hosts.iter().map(row).collect();
    table(["host", "address", "account", "groups"], &rows, out);
}

fn records(subjects: &[Subject], out: &mut String) {
    let mut rows = vec![];
    for subject in subjects {
        let mut seen = BTreeSet::new();
        for domain in subject.domains().filter(|domain| seen.insert(*domain)) {
            let (record, address) = match subject.address.parse::<IpAddr>() {
                Ok(IpAddr::V4(address)) => ("A", code(&address.to_string())),
                Ok(IpAddr::V6(address)) => ("AAAA", code(&address.to_string())),
                Err(_) => ("A", format!("the public address of {}", subject.name)),
            };
            rows.push([record.to_owned(), code(domain), address, subject.name.to_string()]);
        }
    }
    if rows.is_empty() {
        return;
    }
    section("DNS records", out);
    *out += "Create these where the domain is registered or hosted, before the first run:\n\n";
    table(["record", "name", "address", "host"], &rows, out);
    *out += "\nIf a name has an `AAAA` record too, it has to lead to the same server: certificate authorities prefer IPv6. ";
    *out += "A `CAA` record, where there is one, has to allow the authority.\n";
}

/// What the playbook leaves on the servers, from its tasks; hosts with the same are told of together.
fn contents(project: &Project, subjects: &[Subject], out: &mut String) {
    section("What will be on the servers", out);
    let mut groups: Vec<(&Subject, Vec<&str>)> = vec![];
    for subject in subjects {
        match groups.iter_mut().find(|(known, _)| known.needs == subject.needs) {
            Some((_, names)) => names.push(subject.name.as_str()),
            None => groups.push((subject, vec![subject.name.as_str()])),
        }
    }
    for (subject, names) in groups {
        let _ = write!(out, "### {}\n\n", list(&names, "and"));
        let words = [
            ("Packages", of(subject, |need| matches!(need, Need::Package(_)))),
            ("Accounts", of(subject, |need| matches!(need, Need::Account(_)))),
            ("Databases", of(subject, |need| matches!(need, Need::Database(_)))),
            ("Units of systemd", of(subject, |need| matches!(need, Need::Unit(_)))),
            ("Sites of nginx", of(subject, |need| matches!(need, Need::Site(_)))),
        ];
        for (what, names) in words.into_iter().filter(|(_, names)| !names.is_empty()) {
            let _ = writeln!(out, "- {what}: {}", names.join(", "));
        }
        for certificate in subject.certificates() {
            let names: Vec<String> = certificate.domains.iter().map(|name| code(name)).collect();
            let _ = writeln!(
                out,
                "- Certificate: {} in `{}/live/{}/`",
                list(&names, "and"),
                certificate.folder,
                certificate.name
            );
        }
        let rows = places(project, subject);
        if !rows.is_empty() {
            out.push('\n');
            table(["path", "what", "task"], &rows, out);
        }
        out.push('\n');
    }
    let end = out.trim_end().len();
    out.truncate(end);
    out.push('\n');
}

fn of(subject: &Subject, wanted: fn(&Need) -> bool) -> Vec<String> {
    let name = |need: &Need| match need {
        Need::Package(name)
        | Need::Account(name)
        | Need::Database(name)
        | Need::Unit(name)
        | Need::Site(name) => Some(code(name)),
        _ => None,
    };
    subject.needs.iter().filter(|need| wanted(need)).filter_map(name).collect()
}

/// Each path once, with the task that makes it.
fn places(project: &Project, subject: &Subject) -> Vec<[String; 3]> {
    let mut rows: BTreeMap<Place, String> = BTreeMap::new();
    let specs = project.stages.iter().filter_map(|stage| stage.tasks.get(&subject.name)).flatten();
    for spec in specs {
        for need in needs(spec) {
            if let Need::Place(place) = need {
                rows.entry(place).or_insert_with(|| spec.name.clone());
            }
        }
    }
    rows.into_iter().map(|(place, task)| [code(&place.path), place.sort.words().to_owned(), task]).collect()
}

fn in_order(subjects: &[Subject], commands: &Commands, out: &mut String) {
    section("The commands, in order", out);
    let is_web = subjects.iter().any(Subject::is_web);
    let _ = write!(
        out,
        "```sh\n{}    # what is wrong, why it matters, what to do; changes nothing\n{}     # what would change; changes nothing\n{}      # does it\n{}     # once more: nothing is left to do\n```\n",
        commands.line("check"),
        commands.line("plan"),
        commands.line("run"),
        commands.line("plan"),
    );
    *out += "\nA run may be stopped and begun again at any time: what is done is not done twice.\n";
    if is_web {
        *out += "\nThe first run gets the certificate. While you try out, take the authority's staging server (`staging` in the inventory): authorities count failures.\n";
    }
    *out += "\nLater, for a new version: change the source (or the branch or tag in the inventory), then `tow deploy`; `tow rollback` goes back. ";
    *out += "The exit code says how it went: 0 done, 2 a mistake in the files, 3 a task failed, 4 a host was not reached, 7 a host key is not trusted.\n";
}
