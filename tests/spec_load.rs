//! From inventory and playbook to the project that the engine runs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::time::Duration;

use towline::spec::mistake::Mistakes;
use towline::spec::model::{Body, Connection, Live, MaxFailures, OnFailure, Project, Registered, TaskSpec};
use towline::spec::source::TextFile;
use towline::spec::{Request, exec_project, load, load_inventory};
use towline::words::action::{Action, Program};
use towline::words::content::{Content, Files, TreeEntry};
use towline::words::fact::{Facts, HostFacts};
use towline::words::names::HostName;

/// The operator's files, for tests.
struct Disk(Vec<(&'static str, &'static str)>);

impl Files for Disk {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let found = self.0.iter().find(|(name, _)| *name == path);
        found.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(|| format!("there is no file {path}"))
    }
    fn content(&self, path: &str) -> Result<Content, String> {
        self.read(path).map(Content::bytes)
    }
    fn tree(&self, path: &str) -> Result<Vec<TreeEntry>, String> {
        Err(format!("there is no folder {path}"))
    }
}

fn request(inventory: &str, playbook: &str) -> Request {
    Request {
        inventory: (!inventory.is_empty()).then(|| TextFile::new("inventory.toml", inventory)),
        playbook: TextFile::new("site.toml", playbook),
        limit: None,
        tags: vec![],
        skip_tags: vec![],
        set: vec![],
    }
}

fn try_load(request: &Request) -> Result<Project, Mistakes> {
    let files: Arc<dyn Files + Send + Sync> = Arc::new(Disk(vec![("secrets/db", "hunter22\n")]));
    load(request, &files, &|name: &str| (name == "TOKEN").then(|| "tok-12345".to_owned()))
}

fn loaded(request: &Request) -> Project {
    try_load(request).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(100, false)))
}

fn wrong(request: &Request) -> String {
    try_load(request).map(|_| ()).unwrap_err().render(100, false)
}

fn on<'p>(project: &'p Project, stage: usize, host: &str) -> &'p [TaskSpec] {
    &project.stages[stage].tasks[&HostName::new(host).unwrap()]
}

/// The shell line or argv that a command task runs.
fn line(spec: &TaskSpec, live: &Live) -> String {
    let task = match &spec.body {
        Body::Ready(task) => task.clone(),
        Body::Late(late) => late.render(live).unwrap_or_else(|error| panic!("{error}")),
    };
    let step = task.plan(&Facts::default()).unwrap();
    match &step.change().unwrap().actions[0] {
        Action::Run(command) => match &command.program {
            Program::Shell(script) => script.clone(),
            Program::Argv(argv) => argv.join("|"),
            Program::Script { .. } => panic!("a script"),
        },
        other => panic!("{other:?}"),
    }
}

const INVENTORY: &str = r#"
[defaults]
user = "deploy"
become = true
[vars]
app = { name = "shop", ref = "main" }
root = "/srv/{{app.name}}"
[secrets]
db = { file = "secrets/db" }
token = { env = "TOKEN" }
absent = { env = "NOBODY_SET_THIS" }
[groups.web]
vars = { workers = 2, app = { ref = "stable" } }
[groups.eu]
children = ["web"]
vars = { workers = 1, region = "eu" }
[hosts."web[1:3]"]
address = "203.0.113.[11:13]"
groups = ["web"]
vars = { mine = "{{host.name}}-{{workers}}" }
[hosts.me]
connection = "local"
"#;

#[test]
fn variables_are_layered_and_rendered_for_each_host() {
    let mut request = request(
        INVENTORY,
        r#"
        [vars]
        tail = "{{app.ref}}!"
        [defaults]
        region = "nowhere"
        app = { ref = "nothing", limit = "{{tail}}" }
        [[stages]]
        name = "go"
        hosts = "web"
        waves = [1, "100%"]
        max_failures = "50%"
        on_failure = "continue"
        [[stages.tasks]]
        command = "echo {{mine}} {{root}} {{tail}} {{region}} {{host.address}} {{groups.web.1.name}} {{app.limit}}"
        [[stages.tasks]]
        command = ["echo", "{{hosts.me.name}}"]
        when = '(eq host.name "web2")'
        [[stages.tasks]]
        directory = { path = "/srv/x", mode = "0755" }
        when = false
        "#,
    );
    request.set = vec![("app.ref".into(), "v1.10".into())];
    let project = loaded(&request);
    assert_eq!(project.stages[0].waves, [1, 2]);
    assert_eq!(project.stages[0].max_failures, MaxFailures::Percent(50));
    assert_eq!(project.stages[0].on_failure, OnFailure::Continue);
    assert_eq!(project.hosts.len(), 3, "`me` takes no part");
    let Connection::Ssh(ssh) = &project.hosts[1].connection else { panic!("ssh") };
    assert_eq!(
        (ssh.address.as_str(), ssh.user.as_deref(), ssh.r#become),
        ("203.0.113.12", Some("deploy"), true)
    );
    let live = Live::default();
    let tasks = on(&project, 0, "web2");
    assert_eq!(line(&tasks[0], &live), "echo web2-2 /srv/shop v1.10! eu 203.0.113.12 web2 v1.10!");
    assert_eq!(line(&tasks[1], &live), "echo|me");
    assert_eq!(tasks[1].name, "command echo me");
    assert_eq!(tasks[0].origin.as_ref(), "site.toml:14");
    assert_eq!(tasks[2].name, "directory /srv/x");
    assert_eq!(tasks[2].skip.as_deref(), Some("when false is false"));
    let skipped = &on(&project, 0, "web1")[1];
    assert_eq!(skipped.skip.as_deref(), Some(r#"when (eq host.name "web2") is false"#));
}

#[test]
fn equal_tasks_of_hosts_are_one_task() {
    let project = loaded(&request(
        INVENTORY,
        "[[stages]]\nhosts = \"web\"\n[[stages.tasks]]\ncommand = \"echo {{app.name}}\"\n[[stages.tasks]]\ncommand = \"echo {{mine}}\"\n",
    ));
    let task = |host: &str, index: usize| match &on(&project, 0, host)[index].body {
        Body::Ready(task) => task.clone(),
        Body::Late(_) => panic!("late"),
    };
    assert!(Arc::ptr_eq(&task("web1", 0), &task("web3", 0)));
    assert!(!Arc::ptr_eq(&task("web1", 1), &task("web3", 1)));
}

#[test]
fn what_only_the_run_knows_waits_and_is_never_rendered_again() {
    let project = loaded(&request(
        "",
        r#"
        [[tasks]]
        command = "uname"
        register = "uname"
        changed_when = '(contains result.stdout "x")'
        [[tasks]]
        command = "echo {{os.family}} {{quote uname.stdout}} {{item}}"
        for_each = ["a", "b"]
        [[tasks]]
        command = "true"
        when = '(and (eq os.family "debian") uname.changed)'
        "#,
    ));
    let tasks = on(&project, 0, "localhost");
    assert_eq!(tasks.len(), 4);
    let Body::Late(late) = &tasks[2].body else { panic!("late") };
    assert_eq!(late.needs(), ["uname"]);
    let result = Registered { stdout: "{{secrets.db}}".into(), changed: true, ..Registered::default() };
    let mut live = Live {
        os: HostFacts { family: "debian".into(), ..HostFacts::default() },
        registered: [("uname".to_owned(), result)].into(),
        result: None,
    };
    assert_eq!(line(&tasks[2], &live), "echo debian '{{secrets.db}}' b");
    assert!(tasks[3].when.as_ref().unwrap().holds(&live).unwrap());
    live.os.family = "redhat".into();
    assert!(!tasks[3].when.as_ref().unwrap().holds(&live).unwrap());
    live.result = Some(Registered { stdout: "xyz".into(), ..Registered::default() });
    assert!(tasks[0].changed_when.as_ref().unwrap().holds(&live).unwrap());
    live.registered.clear();
    assert!(tasks[3].when.as_ref().unwrap().holds(&live).is_err(), "missing, not false");
}

#[test]
fn items_once_and_common_keys() {
    let project = loaded(&request(
        INVENTORY,
        r#"
        [vars]
        users = [{ name = "ann" }, { name = "bob" }]
        [[stages]]
        hosts = "web"
        [[stages.tasks]]
        name = "user {{item.name}}"
        command = "echo {{index}} {{item.name}}"
        for_each = "users"
        creates = "/home/{{item.name}}"
        as = "root"
        timeout = "1m30s"
        retries = 3
        delay = 2
        notify = "restart"
        [[stages.tasks]]
        command = "echo {{item.key}}={{item.value}}"
        for_each = { a = 1 }
        once = true
        [[stages.handlers]]
        name = "restart"
        command = "true"
        "#,
    ));
    let tasks = on(&project, 0, "web1");
    assert_eq!(tasks.len(), 3);
    assert_eq!(tasks[1].name, "user bob");
    assert_eq!(tasks[1].creates.as_ref().unwrap().as_str(), "/home/bob");
    assert_eq!(tasks[1].user.as_ref().unwrap().as_str(), "root");
    assert_eq!((tasks[1].timeout, tasks[1].retries), (Some(Duration::from_secs(90)), 3));
    assert_eq!(
        (tasks[1].delay, tasks[1].notify.as_slice()),
        (Duration::from_secs(2), &["restart".to_owned()][..])
    );
    assert_eq!(line(&tasks[2], &Live::default()), "echo a=1");
    assert_eq!(tasks[2].skip, None);
    assert!(on(&project, 0, "web2")[2].once.is_some() && on(&project, 0, "web2")[1].once.is_none());
    assert_eq!(project.stages[0].handlers[&HostName::new("web3").unwrap()].len(), 1);
}

#[test]
fn secrets_are_masked_and_only_missing_where_used() {
    let playbook = |what: &str| format!("[[stages]]\nhosts = \"web1\"\n[[stages.tasks]]\n{what}\n");
    let project = loaded(&request(INVENTORY, &playbook("command = \"echo {{secrets.db}}\"")));
    assert_eq!(project.mask.apply("it is hunter22 and tok-12345"), "it is ••• and •••");
    assert_eq!(on(&project, 0, "web1")[0].name, "command echo •••");
    let shown = wrong(&request(INVENTORY, &playbook("command = \"echo {{secrets.absent}}\"")));
    assert!(shown.contains("NOBODY_SET_THIS is not set"), "{shown}");
    let shown = wrong(&request(INVENTORY, &playbook("directory = { path = \"{{secrets.db}}\" }")));
    assert!(!shown.contains("hunter22") && shown.contains("•••"), "{shown}");
}

#[test]
fn tags_and_limits_select() {
    let playbook = r#"
        [[stages]]
        name = "one"
        hosts = "web"
        [[stages.tasks]]
        command = "a"
        tags = ["code"]
        [[stages.tasks]]
        command = "b"
        tags = "always"
        [[stages.tasks]]
        command = "c"
        [[stages]]
        name = "two"
        hosts = "me"
        [[stages.tasks]]
        command = "{{not_rendered_when_left_out}}"
        tags = ["never"]
    "#;
    let mut asked = Request { tags: vec!["code".into()], ..request(INVENTORY, playbook) };
    let project = loaded(&asked);
    assert_eq!(project.stages.len(), 1);
    let lines = |project: &Project| {
        on(project, 0, "web1").iter().map(|spec| line(spec, &Live::default())).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(lines(&project), "a b");
    asked = Request {
        skip_tags: vec!["code".into()],
        limit: Some("eu:!web3".into()),
        ..request(INVENTORY, playbook)
    };
    let project = loaded(&asked);
    assert_eq!(lines(&project), "b c");
    assert_eq!(project.hosts.len(), 2);
    asked.tags = vec!["cod".into()];
    assert!(wrong(&asked).contains("did you mean `code`?"));
    asked = Request { limit: Some("me".into()), ..request(INVENTORY, playbook) };
    assert!(wrong(&asked).contains("none in common"));
    asked.limit = Some("wbe1".into());
    assert!(wrong(&asked).contains("did you mean `web1`?"));
}

#[test]
fn a_task_without_a_kind_lists_the_kinds() {
    let shown = wrong(&request("", "[[tasks]]\nname = \"nothing\"\n"));
    assert!(shown.contains("does not say what to do") && shown.contains("the kinds are: "), "{shown}");
}

#[test]
fn exec_and_hosts() {
    let inventory = TextFile::new("inventory.toml", INVENTORY);
    let hosts = load_inventory(Some(&inventory), Some("web:!web2")).unwrap();
    assert_eq!(hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>(), ["web1", "web3"]);
    assert_eq!(hosts[0].groups, ["eu", "web"]);
    let project = exec_project(Some(&inventory), Some("web1"), &["echo {{x}} | cat".into()]).unwrap();
    assert_eq!(line(&on(&project, 0, "web1")[0], &Live::default()), "echo {{x}} | cat");
    let project = exec_project(None, None, &["echo".into(), "a b".into()]).unwrap();
    assert_eq!(line(&on(&project, 0, "localhost")[0], &Live::default()), "echo|a b");
    assert!(exec_project(None, Some("nope"), &["x".into()]).is_err());
}

#[test]
fn many_hosts_and_tasks_load() {
    use std::fmt::Write as _;
    let inventory =
        "[vars]\napp = { name = 'shop' }\n[groups.web]\n[hosts.'web[001:200]']\ngroups = ['web']\n";
    let playbook = (0..300).fold(String::new(), |mut text, n| {
        let mention = if n % 2 == 0 { "{{app.name}}" } else { "{{host.name}}" };
        let _ = write!(text, "[[tasks]]\ndirectory = {{ path = \"/srv/{mention}/{n}\", mode = \"0755\" }}\n");
        text
    });
    let request = request(inventory, &playbook);
    let project = loaded(&request);
    assert_eq!(on(&project, 0, "web200").len(), 300);
}

#[test]
fn the_example_inventory_is_right() {
    let text = include_str!("../inventory.example.toml");
    let hosts = load_inventory(Some(&TextFile::new("inventory.example.toml", text)), None);
    let hosts = hosts.unwrap_or_else(|mistakes| panic!("{}", mistakes.render(100, false)));
    assert!(hosts.len() > 3);
}

#[test]
fn tasks_without_a_name_say_what_they_are_about() {
    let project = loaded(&request(
        "",
        r#"
        [[tasks]]
        assert = { that = "{{eq 1 2}}", message = "no" }
        [[tasks]]
        pip = { venv = "/v", requirements = "/srv/requirements.txt" }
        [[tasks]]
        pip = { venv = "/v", packages = ["flask", "gunicorn"] }
        [[tasks]]
        firewall = { allow = ["80/tcp"] }
        [[tasks]]
        command = "true"
        notify = "again"
        [[handlers]]
        name = "again"
        command = "true"
        "#,
    ));
    let names: Vec<&str> = on(&project, 0, "localhost").iter().map(|task| task.name.as_str()).collect();
    assert_eq!(
        names,
        ["assert", "pip /srv/requirements.txt", "pip flask gunicorn", "firewall 80/tcp", "command true"]
    );
    assert_eq!(project.stages[0].handlers[&HostName::new("localhost").unwrap()].len(), 1);
}

#[test]
fn a_secret_in_the_inventory_itself_is_refused_without_a_playbook_too() {
    let file = TextFile::new("inventory.toml", "[secrets]\nx = \"plain\"\n[hosts.a]\n");
    let mistakes = load_inventory(Some(&file), None).unwrap_err();
    assert!(mistakes.list[0].message.contains("must say where it comes from"));
    let both = wrong(&request(
        "[secrets]\nx = \"plain\"\n[hosts.a]\n",
        "[[tasks]]\ncommand = \"echo {{secrets.x}}\"",
    ));
    assert!(both.contains("1 mistake in inventory.toml") || !both.contains("mistakes"), "{both}");
}

#[test]
fn files_of_secrets_are_beside_the_inventory() {
    let mut request = request(
        "[secrets]\nx = { file = \"db\" }\n[hosts.a]\n",
        "[[tasks]]\ncommand = \"echo {{secrets.x}}\"",
    );
    request.inventory = request.inventory.map(|file| file.in_folder("secrets"));
    loaded(&request);
}
