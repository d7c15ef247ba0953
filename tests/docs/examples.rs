//! The inventories and playbooks in the documentation, read by the program itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use towline::spec::model::Project;
use towline::spec::source::TextFile;
use towline::spec::{Request, load};
use towline::words::content::{Content, Files, TreeEntry};

use crate::{blocks, documents, root};

/// For playbooks of documents that show no inventory, and the other way round.
const INVENTORY: &str =
    "[groups.web]\n\n[hosts.\"web[1:3]\"]\ngroups = [\"web\"]\nvars = { root = \"/srv/x\" }\n";
const PLAYBOOK: &str = "[[tasks]]\ncommand = \"true\"\n";

/// Files below a folder, as `tow` sees those beside a playbook.
struct Below(PathBuf);

impl Files for Below {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        std::fs::read(self.0.join(path)).map_err(|error| format!("{path}: {error}"))
    }
    fn content(&self, path: &str) -> Result<Content, String> {
        self.read(path).map(Content::bytes)
    }
    fn tree(&self, path: &str) -> Result<Vec<TreeEntry>, String> {
        Err(format!("no example uploads a folder, and this one does: {path}"))
    }
}

fn loaded(place: &str, folder: &Path, inventory: &str, playbook: &str) -> Project {
    let request = Request {
        inventory: Some(TextFile::new("inventory.toml", inventory)),
        playbook: TextFile::new("playbook.toml", playbook),
        limit: None,
        tags: vec![],
        skip_tags: vec![],
        set: vec![],
    };
    let files: Arc<dyn Files + Send + Sync> = Arc::new(Below(folder.to_owned()));
    load(&request, &files, &|_: &str| Some("a secret".into()))
        .unwrap_or_else(|mistakes| panic!("{place}:\n{}", mistakes.render(100, false)))
}

#[test]
fn examples_in_the_documents_are_read() {
    let mut read = 0;
    for file in documents() {
        let text = std::fs::read_to_string(&file).unwrap();
        let folder = file.parent().unwrap();
        let inventories = blocks(&text, "toml inventory");
        for (line, inventory) in &inventories {
            loaded(&format!("{}:{line}", file.display()), folder, inventory, PLAYBOOK);
            read += 1;
        }
        let inventory = inventories.first().map_or(INVENTORY, |(_, inventory)| inventory);
        for (line, playbook) in blocks(&text, "toml playbook") {
            loaded(&format!("{}:{line}", file.display()), folder, inventory, &playbook);
            read += 1;
        }
    }
    assert!(read >= 4, "only {read} examples were found");
}

#[test]
fn the_example_inventory_is_read() {
    let inventory = std::fs::read_to_string(root().join("inventory.example.toml")).unwrap();
    let project = loaded("inventory.example.toml", root(), &inventory, PLAYBOOK);
    assert!(project.hosts.len() > 1);
}

#[test]
fn the_workload_of_the_benchmark_is_thirty_tasks() {
    let folder = root().join("benches/workload");
    let playbook = std::fs::read_to_string(folder.join("site.toml")).unwrap();
    let project = loaded("benches/workload/site.toml", &folder, INVENTORY, &playbook);
    let tasks = project.stages[0].tasks.values().next().unwrap();
    let count = |kind| tasks.iter().filter(|task| task.kind == kind).count();
    assert_eq!((count("directory"), count("template"), count("link")), (10, 15, 5));
}
