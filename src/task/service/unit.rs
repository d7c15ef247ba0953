//! What `systemctl show` says of a unit, and what that means.

/// What `systemctl show` says of a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unit {
    pub load: String,
    pub active: String,
    pub sub: String,
    pub file: String,
}

pub(crate) fn parse(stdout: &str) -> Unit {
    let mut unit = Unit::default();
    for (key, value) in stdout.lines().filter_map(|line| line.split_once('=')) {
        match key {
            "LoadState" => value.clone_into(&mut unit.load),
            "ActiveState" => value.clone_into(&mut unit.active),
            "SubState" => value.clone_into(&mut unit.sub),
            "UnitFileState" => value.clone_into(&mut unit.file),
            _ => {}
        }
    }
    unit
}

impl Unit {
    pub fn is_up(&self) -> bool {
        matches!(self.active.as_str(), "active" | "reloading" | "refreshing")
    }
    pub fn is_down(&self) -> bool {
        matches!(self.active.as_str(), "inactive" | "failed" | "")
    }
    /// `None`: there is nothing to enable; it comes up by what wants it, or is generated.
    pub fn enabled(&self) -> Option<bool> {
        match self.file.as_str() {
            "enabled" | "enabled-runtime" | "alias" | "linked" | "linked-runtime" => Some(self.file.starts_with('e') || self.file == "alias"),
            "static" | "generated" | "transient" | "indirect" => None,
            _ => Some(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Unit, parse};

    #[test]
    fn reads_what_systemctl_shows() {
        let unit = parse("LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\n");
        assert!(unit.is_up() && unit.enabled() == Some(true));
        assert_eq!(Unit { file: "static".into(), ..unit }.enabled(), None);
    }
}
