//! Holds the architecture: imports point down only, and the lower layers do no I/O.
//!
//! Every rule names the file, the line and what to do. `rules.rs` has the rules, as pure functions over a source
//! text; this file walks `src/` and shows that each rule can fail.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod code;
mod rules;

use std::path::{Path, PathBuf};

use crate::rules::{Source, broken};

/// Where the crate is: asked at run time, so that the binary can be pointed at another checkout.
fn root() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn sources_keep_to_the_architecture() {
    let root = root();
    let mut files = vec![];
    rust_files(&root.join("src"), &mut files);
    files.sort();
    assert!(files.len() > 10, "found only {} files below {}", files.len(), root.display());
    let complaints: Vec<String> = files
        .iter()
        .flat_map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
            broken(&Source::new(&name, &text))
        })
        .collect();
    assert!(complaints.is_empty(), "\n{}\n{} in all\n", complaints.join("\n"), complaints.len());
}

/// What the rules say of one small file.
fn complaints(path: &str, text: &str) -> String {
    broken(&Source::new(path, text)).join("\n")
}

#[test]
fn an_import_that_points_up_is_found() {
    let said = complaints("src/task/x.rs", "//! X.\nuse crate::words::a;\nuse crate::engine::run;\n");
    assert!(said.starts_with("src/task/x.rs:3: `task` imports `engine`"), "{said}");
    let grouped = "//! X.\nuse crate::{\n    words::a,\n    spec::{b, c},\n    transport::Link,\n};\n";
    let said = complaints("src/plan/x.rs", grouped);
    assert!(said.starts_with("src/plan/x.rs:5: `plan` imports `transport`"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let inline = "//! X.\nfn f() -> crate::cli::Args { todo() }\n";
    assert!(complaints("src/engine/x.rs", inline).contains("x.rs:2: `engine` imports `cli`"));
    assert_eq!(complaints("src/engine/x.rs", "//! X.\nuse crate::transport::Link;\n"), "");
}

#[test]
fn reporters_see_events_only() {
    let said = complaints("src/report/x.rs", "//! X.\nuse crate::words::event;\nuse crate::engine::Run;\n");
    assert!(said.contains("x.rs:3: `report` imports `engine`"), "{said}");
}

#[test]
fn a_way_around_the_rule_is_found() {
    let said = complaints("src/task/deep/x.rs", "//! X.\nuse super::super::engine;\n");
    assert!(said.contains("x.rs:2: `super::super`"), "{said}");
    let said = complaints("src/task/mod.rs", "//! X.\nuse super::engine;\n");
    assert!(said.contains("mod.rs:2: `super::`"), "{said}");
    let said = complaints("src/task/x.rs", "//! X.\nuse towline::engine;\n");
    assert!(said.contains("x.rs:2: `towline::`"), "{said}");
}

#[test]
fn input_and_output_below_transport_are_found() {
    for (line, what) in [
        ("use tokio::fs;", "tokio"),
        ("use std::{fs, fmt};", "std::fs"),
        ("let t = std::time::SystemTime::now();", "SystemTime::now"),
        ("let s = std::net::TcpStream::connect(a);", "std::net"),
    ] {
        let said = complaints("src/plan/x.rs", &format!("//! X.\n{line}\n"));
        assert!(said.contains("x.rs:2: ") && said.contains(what), "{line}: {said}");
        assert_eq!(complaints("src/transport/x.rs", &format!("//! X.\n{line}\n")), "", "{line}");
    }
    // Tests may read their cases; comments and strings are not code.
    let fine = "//! X.\n// tokio::spawn\nconst A: &str = \"std::fs\";\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
    assert_eq!(complaints("src/plan/x.rs", fine), "");
}

#[test]
fn size_header_and_words_are_checked() {
    let long = format!("//! X.\n{}", "fn f() {}\n".repeat(300));
    assert!(complaints("src/engine/x.rs", &long).contains("x.rs:301: 301 lines"));
    let with_tests =
        format!("//! X.\n{}#[cfg(test)]\nmod tests {{\n{}}}\n", "fn f() {}\n".repeat(200), "\n".repeat(100));
    assert_eq!(complaints("src/engine/x.rs", &with_tests), "");
    assert!(complaints("src/engine/x.rs", "fn f() {}\n").contains("x.rs:1: no `//!`"));
    assert!(complaints("src/main.rs", &format!("//! X.\n{}", "\n".repeat(30))).contains("under 30"));
    assert!(
        complaints("src/engine/x.rs", "//! X.\nfn f() { println!(\"\") }\n").contains("x.rs:2: `println!`")
    );
    assert_eq!(complaints("src/report/x.rs", "//! X.\nfn f() { println!(\"\") }\n"), "");
    assert!(
        complaints("src/engine/x.rs", "//! X.\nenum E { Unknown(String) }\n").contains("Unknown(String)")
    );
    let long =
        format!("//! X.\nimpl X {{\n    fn f(a: &str) -> u8 {{\n{}    }}\n}}\n", "        g();\n".repeat(59));
    assert!(complaints("src/engine/x.rs", &long).contains("x.rs:3: `f` has 61 lines"));
    assert!(complaints("src/engine/utils.rs", "//! X.\n").contains("says nothing"));
}
