//! The table of faults in docs/testing.md: whole, and each of its tests is there.

use std::collections::BTreeSet;
use std::path::Path;

use crate::root;

#[test]
fn every_fault_has_tests_that_bring_it_about() {
    let text = std::fs::read_to_string(root().join("docs/testing.md")).unwrap();
    let (_, section) = text.split_once("\n## Faults\n").unwrap();
    let mut there = BTreeSet::new();
    tests(&root().join("tests"), &mut there);
    let mut numbers = vec![];
    for line in section.lines().take_while(|line| !line.starts_with("## ")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let Some(number) = cells.get(1).and_then(|cell| cell.parse::<u32>().ok()) else { continue };
        numbers.push(number);
        let named: Vec<&str> = cells[4].split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test is named for {number}: {line}");
        for name in named {
            assert!(there.contains(name), "docs/testing.md, fault {number}: there is no test {name}");
        }
    }
    assert_eq!(numbers, (1..=30).collect::<Vec<_>>());
}

/// The names of all tests below a folder.
fn tests(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let mut lines = text.lines();
            while lines.by_ref().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
            {
                let function = lines.by_ref().find_map(|line| line.split_once("fn "));
                names.extend(
                    function.and_then(|(_, rest)| rest.split_once('(')).map(|(name, _)| name.to_owned()),
                );
            }
        }
    }
}
