//! What tasks predict, held against what the host answers once their actions are done: by real shells, on real files.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "case/files.rs"]
mod files;

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::watch;
use towline::spec::model::{Connection, Host};
use towline::task::{Task, parse};
use towline::transport::local;
use towline::transport::runner::{Batch, Ending, Runner};
use towline::words::fact::{Fact, Facts, NodeKind, PathFact, Probe, Stat};
use towline::words::names::{HostName, RemotePath};
use towline::words::step::Step;

/// Each kind's table, run one after the other below a fresh folder `@`. Later ones build on earlier ones.
const TASKS: &[(&str, &str)] = &[
    ("directory", r#"path = "@/a/b c", mode = "0750""#),
    ("file", r#"path = "@/a/b c/it's", content = "one\n", mode = "0600""#),
    ("file", r#"path = "@/a/b c/it's", content = "two\n""#),
    ("file", r#"path = "@/a/b c/it's", mode = "0640""#),
    ("line", r#"path = "@/a/b c/it's", line = "three", before = "two""#),
    ("line", r#"path = "@/a/hosts", line = "127.0.0.1 x", create = true, mode = "0644""#),
    ("env", r#"path = "@/a/.env", vars = { KEY = "it's", N = 1 }"#),
    ("link", r#"path = "@/a/now", target = "b c""#),
    ("link", r#"path = "@/a/now", target = ".env""#),
    ("link", r#"path = "@/a/hosts", target = "now", force = true"#),
    ("file", r#"path = "@/a/hosts", content = "a file again""#),
    ("template", r#"src = "x.hbs", dest = "@/a/x", mode = "0755""#),
    ("upload", r#"src = "site", dest = "@/site""#),
    ("file", r#"path = "@/site/run.sh", content = "other""#),
    ("file", r#"path = "@/site/css/mine", content = "other""#),
    ("upload", r#"src = "site", dest = "@/site", delete = true"#),
    ("upload", r#"src = "site", dest = "@/site", mode = "0640""#),
    ("upload", r#"src = "x.hbs", dest = "@/site/css/x""#),
    ("link", r#"path = "@/a/now", absent = true"#),
    ("file", r#"path = "@/a/x", absent = true"#),
    ("directory", r#"path = "@/site/css", absent = true"#),
    ("directory", r#"path = "@/a", absent = true"#),
];

const FILES: &str = r##"
"x.hbs" = "{{n}}\n"
"site/run.sh" = { content = "#!/bin/sh\n", executable = true }
"site/css/a.css" = "a{}"
"site/css/now" = { link = "a.css" }
"site/empty" = { dir = true }
"##;

fn tasks(folder: &str) -> Vec<(String, Box<dyn Task>)> {
    let files: BTreeMap<String, files::Entry> = toml::from_str(FILES).unwrap();
    let vars = toml::from_str("n = 1").unwrap();
    let ignored = BTreeSet::new();
    let local = files::Local { files: &files, vars: &vars, secrets: &[], ignored: &ignored };
    let read = |(kind, table): &(&str, &str)| {
        let text = format!("task = {{ {} }}", table.replace('@', folder));
        let table: toml::Table = toml::from_str(&text).unwrap();
        let mut task = parse(kind, table["task"].clone()).unwrap().unwrap();
        task.load(&local).unwrap();
        (format!("{kind} = {text}"), task)
    };
    TASKS.iter().map(read).collect()
}

/// How large a folder or link is, is the file system's own affair; and only of root it is known in which group it is.
fn comparable(fact: &Fact, user: &str) -> Fact {
    let Fact::Path(PathFact::Present(stat)) = fact else { return fact.clone() };
    let size = if stat.node == NodeKind::File { stat.size } else { 0 };
    let group = if user == "root" { stat.group.clone() } else { String::new() };
    Fact::Path(PathFact::Present(Stat { size, group, ..stat.clone() }))
}

/// What a symlink leads to is not predicted: no kind asks for it without having seen that it is one.
fn is_behind_a_link(probe: &Probe, facts: &Facts) -> bool {
    let (Probe::Digest(path) | Probe::Content(path)) = probe else { return false };
    facts.path(path).unwrap().is_some_and(|stat| matches!(stat.node, NodeKind::Link { .. }))
}

#[tokio::test]
async fn predictions_come_true() {
    let host = Host {
        name: HostName::new("localhost").unwrap(),
        groups: vec![],
        vars: towline::spec::model::Vars::default(),
        connection: Connection::Local { r#become: false },
    };
    let (mut runner, mut facts) =
        Runner::start(local::connect(&host).unwrap(), &[], true, &towline::words::secret::Mask::default())
            .await
            .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let tasks = tasks(folder.path().to_str().unwrap());
    let mut probes: Vec<Probe> = tasks.iter().flat_map(|(_, task)| task.probes()).collect();
    // And all that another task might ask of the same places.
    let paths: Vec<RemotePath> = probes
        .iter()
        .filter_map(|probe| if let Probe::Path(path) = probe { Some(path.clone()) } else { None })
        .collect();
    probes.extend(paths.iter().cloned().flat_map(|path| [Probe::Digest(path.clone()), Probe::Content(path)]));
    probes.sort();
    probes.dedup();
    runner.probe(&probes, &mut facts).await.unwrap();

    let (_keep, mut cancel) = watch::channel(false);
    for (label, task) in &tasks {
        let Step::Change(change) = task.plan(&facts).unwrap() else { panic!("nothing to do: {label}") };
        facts.apply(&change.predicts);
        assert!(matches!(task.plan(&facts).unwrap(), Step::Already { .. }), "{label}");

        let mut really = Facts::new(facts.host.clone());
        let batch = Batch { actions: &change.actions, then: &probes };
        let ending =
            runner.run(&batch, &mut really, &mut cancel, &mut |_| {}, &|| Box::pin(async {})).await.unwrap();
        assert_eq!(ending, Ending::Done, "{label}");

        let user = &facts.host.user;
        for probe in probes.iter().filter(|probe| !is_behind_a_link(probe, &really)) {
            let fact = |facts: &Facts| comparable(facts.raw(probe).unwrap(), user);
            assert_eq!(fact(&facts), fact(&really), "{probe:?} after {label}");
        }
    }
}
