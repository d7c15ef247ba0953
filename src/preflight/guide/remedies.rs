//! The later parts of the guide: logs, renewals, and what to do by symptom.

use std::fmt::Write as _;

use crate::preflight::guide::{Commands, Everything, code, section, table};
use crate::task::need::{Need, Sort};

/// `shop@.service` as journalctl takes it: all instances.
fn pattern(unit: &str) -> String {
    unit.replace("@.", "@*.")
}

/// Units whose journal is worth reading.
fn services(all: &Everything<'_>) -> Vec<String> {
    all.units().into_iter().filter(|unit| unit.ends_with(".service")).map(pattern).collect()
}

pub fn logs(all: &Everything<'_>, out: &mut String) {
    section("Where to look", out);
    let mut rows: Vec<[String; 2]> = services(all)
        .iter()
        .map(|unit| [code(unit), code(&format!("journalctl -u '{unit}' -n 100"))])
        .collect();
    let mut add = |what: &str, where_: &str| rows.push([what.to_owned(), where_.to_owned()]);
    if all.has(|need| matches!(need, Need::Site(_))) {
        add("nginx", "`/var/log/nginx/error.log`, `/var/log/nginx/access.log`, `nginx -t`");
    }
    if all.has(|need| matches!(need, Need::Certificate(_))) {
        add("certificates", "`certbot certificates`, `/var/log/letsencrypt/letsencrypt.log`");
    }
    if all.has(|need| matches!(need, Need::Database(_))) {
        add("PostgreSQL", "`/var/log/postgresql/`, `systemctl status postgresql`");
    }
    for need in &all.needs {
        if let Need::Place(place) = need
            && place.sort == Sort::Folder
            && place.path.ends_with("/log")
        {
            add("log files of the application", &format!("`{}/`", place.path));
        }
    }
    add("the system", "`journalctl -p warning -b`, `systemctl --failed`, `df -h`, `free -m`");
    table(["of", "where"], &rows, out);
}

pub fn renewals(all: &Everything<'_>, out: &mut String) {
    if !all.has(|need| matches!(need, Need::Certificate(_))) {
        return;
    }
    section("Renewal of certificates", out);
    *out += "`certbot.timer` looks twice a day and renews what has a third of its lifetime left; nginx is reloaded when there is a new one. ";
    *out += "Nothing is to be done. To see that it works:\n\n```sh\nsystemctl list-timers certbot.timer\ncertbot renew --dry-run\n```\n\n";
    *out += "`tow check` warns when a certificate comes close to its end (a sixth of its lifetime). Port 80 has to stay open: the authority asks there.\n";
}

/// What is seen, why mostly, and what to do; RUN, PLAN, NAME and UNIT are filled in.
type Remedy = [&'static str; 3];

const ACCESS: &[Remedy] = &[
    [
        "a run stops, exit code 3",
        "a task failed; what served before still serves",
        "read its last lines, mend the cause, then `RUN` again",
    ],
    [
        "exit code 4",
        "the host is down, SSH or sudo lets nobody in",
        "try `ssh` by hand; where sudo wants a password, give `-K`",
    ],
    [
        "exit code 7",
        "the host's key is unknown or changed",
        "a new server: compare the fingerprint with the provider's console, then accept it; one that you know: find out first why it changed",
    ],
];

const WEB: &[Remedy] = &[
    [
        "the browser finds no server",
        "DNS, or a firewall",
        "`getent ahosts NAME`; open ports 80 and 443, also at the provider",
    ],
    [
        "no certificate",
        "the name leads elsewhere (look at AAAA too), or port 80 is shut",
        "mend the record, wait until it is seen, then `RUN`; after several failures wait an hour",
    ],
    [
        "the certificate has expired",
        "the timer does not run, or port 80 is shut",
        "`systemctl status certbot.timer`, `certbot renew --dry-run`",
    ],
    [
        "502 Bad Gateway",
        "the application does not run",
        "`journalctl -u 'UNIT' -n 100`: the last traceback says why",
    ],
    [
        "413, or an upload breaks off",
        "the body is larger than nginx lets through",
        "raise the limit in the inventory, then `RUN`; where releases are deployed, `tow deploy`",
    ],
];

const DATABASE: &[Remedy] = &[[
    "the application cannot reach its database",
    "PostgreSQL is down, or the password differs",
    "`systemctl status postgresql`; `RUN` sets role and password as the inventory says",
]];

const SYSTEM: &[Remedy] = &[
    [
        "no space left on the device",
        "logs, old releases, packages",
        "`journalctl --vacuum-size=100M`, `apt-get clean`, remove releases that nobody needs",
    ],
    [
        "apt says that it is locked, or half configured",
        "another apt runs, or was interrupted",
        "wait for it; `dpkg --configure -a`",
    ],
    [
        "a server was changed by hand",
        "somebody was in a hurry",
        "`PLAN` shows every difference, `RUN` puts it right",
    ],
];

pub fn symptoms(all: &Everything<'_>, commands: &Commands, out: &mut String) {
    section("When something is wrong", out);
    let _ = write!(out, "`{}` first: it names most causes, and what to do.\n\n", commands.line("check"));
    let domains = all.domains();
    let unit = services(all).into_iter().next().unwrap_or_else(|| "*".to_owned());
    let filled = |text: &str| {
        text.replace("RUN", &commands.line("run"))
            .replace("PLAN", &commands.line("plan"))
            .replace("NAME", domains.first().unwrap_or(&""))
            .replace("UNIT", &unit)
    };
    let is_web = !domains.is_empty() && all.has(|need| matches!(need, Need::Site(_)));
    let has_database = all.has(|need| matches!(need, Need::Database(_)));
    let parts = [(ACCESS, true), (WEB, is_web), (DATABASE, has_database), (SYSTEM, true)];
    let remedies = parts.into_iter().filter(|(_, applies)| *applies).flat_map(|(part, _)| part);
    let rows: Vec<[String; 3]> = remedies.map(|remedy| remedy.map(filled)).collect();
    table(["what is seen", "mostly because", "what to do"], &rows, out);
    *out += "\nEvery finding of `tow check` is explained in Towline's `docs/check.md`, the inventory in `docs/inventory.md`, the kinds of tasks in `docs/kinds.md`.\n";
}
