//! The playbooks and templates that come with the program: `tow init` copies them out, to be read and edited.

pub const INVENTORY: &str = include_str!("../../examples/site/inventory.toml");

/// A file below the project's folder.
#[derive(Debug)]
pub struct Shipped {
    pub path: &'static str,
    pub text: &'static str,
}

macro_rules! shipped {
    ($($from:literal => $to:literal),* $(,)?) => {
        &[$(Shipped { path: $to, text: include_str!(concat!("../../", $from)) }),*]
    };
}

/// From a bare server to HTTPS. The templates lie below `playbooks/`, because applications have a `templates/` too.
pub const SITE: &[Shipped] = shipped![
    "playbooks/site.toml" => "playbooks/site.toml",
    "playbooks/deploy.toml" => "playbooks/deploy.toml",
    "templates/app-probe@.socket.hbs" => "playbooks/templates/app-probe@.socket.hbs",
    "templates/app.socket.hbs" => "playbooks/templates/app.socket.hbs",
    "templates/app@.service.hbs" => "playbooks/templates/app@.service.hbs",
    "templates/backup.sh.hbs" => "playbooks/templates/backup.sh.hbs",
    "templates/hardening.conf.hbs" => "playbooks/templates/hardening.conf.hbs",
    "templates/logrotate.hbs" => "playbooks/templates/logrotate.hbs",
    "templates/nginx-default.conf.hbs" => "playbooks/templates/nginx-default.conf.hbs",
    "templates/nginx-http.conf.hbs" => "playbooks/templates/nginx-http.conf.hbs",
    "templates/nginx-site.conf.hbs" => "playbooks/templates/nginx-site.conf.hbs",
    "templates/media.sh" => "playbooks/templates/media.sh",
    "templates/shared.sh" => "playbooks/templates/shared.sh",
    "templates/prove.sh" => "playbooks/templates/prove.sh",
    "templates/process@.service.hbs" => "playbooks/templates/process@.service.hbs",
    "templates/down.sh" => "playbooks/templates/down.sh",
    "templates/detached.sh" => "playbooks/templates/detached.sh",
    "templates/schema.sh" => "playbooks/templates/schema.sh",
    "templates/supervise.sh" => "playbooks/templates/supervise.sh",
    "templates/supervisor.conf.hbs" => "playbooks/templates/supervisor.conf.hbs",
    "templates/timed@.service.hbs" => "playbooks/templates/timed@.service.hbs",
    "templates/timed@.timer.hbs" => "playbooks/templates/timed@.timer.hbs",
];

/// Development on the operator's own machine.
pub const LOCAL: &[Shipped] = shipped!["playbooks/local.toml" => "playbooks/local.toml"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::SITE;

    #[test]
    fn every_template_is_inside() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let there: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| format!("playbooks/templates/{}", entry.unwrap().file_name().to_str().unwrap()))
            .collect();
        let inside = SITE.iter().map(|file| file.path.to_owned()).filter(|path| path.contains("templates/"));
        assert_eq!(inside.collect::<BTreeSet<_>>(), there);
    }
}
