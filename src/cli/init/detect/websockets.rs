//! Addresses whose connections stay open.

use std::collections::BTreeSet;

use crate::cli::init::detect::packages::Dependencies;
use crate::cli::init::detect::python::Source;
use crate::cli::init::tree::file_name;

/// What nginx is told of: the fixed beginning of each path.
pub fn find(sources: &[Source], dependencies: &Dependencies) -> Vec<String> {
    let channels = dependencies.has("channels");
    let mut found = BTreeSet::new();
    for source in sources {
        let routes = channels && file_name(&source.path) == "routing.py";
        for line in &source.lines {
            let decorator = line.code.starts_with('@') && line.code.contains(".websocket(");
            if (decorator || (routes && line.code.contains("path(")))
                && let Some(path) = line.strings().first()
            {
                found.insert(beginning(path));
            }
        }
    }
    if channels && found.is_empty() {
        found.insert("/ws/".to_owned());
    }
    found.into_iter().filter(|path| path != "/").collect()
}

/// `/ws/chat/` of `^ws/chat/(?P<room>\w+)/$`, `/ws/{room}` and `ws/chat/<str:room>/`.
fn beginning(path: &str) -> String {
    let plain = path.trim_start_matches(['^', '/']);
    let end = plain.find(['(', '<', '{', '[', '$', '\\']).unwrap_or(plain.len());
    format!("/{}", &plain[..end])
}

#[cfg(test)]
mod tests {
    use super::beginning;

    #[test]
    fn what_does_not_change_of_a_path() {
        assert_eq!(beginning(r"^ws/chat/(?P<room>\w+)/$"), "/ws/chat/");
        assert_eq!(beginning("/ws/{room}"), "/ws/");
        assert_eq!(beginning("/live"), "/live");
    }
}
