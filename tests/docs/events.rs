//! docs/json.md shows every event that there is.

use crate::{blocks, root};

/// The tags of `Event`, from its source: a variant that is added has to be described.
fn tags() -> Vec<String> {
    let source = std::fs::read_to_string(root().join("src/words/event.rs")).unwrap();
    let (_, body) = source.split_once("pub enum Event {\n").unwrap();
    let (body, _) = body.split_once("\n}\n").unwrap();
    let variants = body.lines().filter_map(|line| line.strip_prefix("    ")?.strip_suffix(" {"));
    variants.filter(|name| name.chars().all(char::is_alphanumeric)).map(snake).collect()
}

fn snake(name: &str) -> String {
    let mut tag = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !tag.is_empty() {
            tag.push('_');
        }
        tag.extend(c.to_lowercase());
    }
    tag
}

#[test]
fn every_json_event_has_an_example() {
    let text = std::fs::read_to_string(root().join("docs/json.md")).unwrap();
    let mut shown = vec![];
    for (line, block) in blocks(&text, "json") {
        let value: serde_json::Value =
            serde_json::from_str(&block).unwrap_or_else(|e| panic!("line {line}: {e}"));
        assert!(value["time"].is_string(), "line {line}");
        shown.push(value["event"].as_str().unwrap().to_owned());
    }
    let tags = tags();
    assert!(tags.len() >= 12, "{tags:?}");
    assert_eq!(shown, tags, "docs/json.md shows each event, in the order of src/words/event.rs");
}
