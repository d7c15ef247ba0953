//! `tow resume`: finds on the hosts what was begun and not ended well, and goes on with it from here.

use std::io::Write as _;

use crate::cli::args::Resume;
use crate::cli::files::DiskFiles;
use crate::cli::release::aim::Aim;
use crate::cli::release::ask::{self, Answers, Scripts};
use crate::cli::release::back::{Back, Schema};
use crate::cli::release::revision::{self, Revision};
use crate::cli::release::told::span;
use crate::cli::release::{Reader, SWITCH, application, first, run as go};
use crate::cli::{Ended, Stop};
use crate::report::out;
use crate::report::text::neutralise;
use crate::spec::model::{Host, Project};
use crate::task::releases::intent::{Command, Intent, States, Work, begun};
use crate::task::releases::look::is_commit;
use crate::task::releases::name::ReleaseName;
use crate::task::releases::state::State;
use crate::words::error::{Error, Result};
use crate::words::plural::list;

/// So much of a run's name is enough to mean it.
const SHORT: usize = 4;
const STATUS: &str = "see what there is: tow status";

pub async fn run(args: &Resume) -> Ended {
    let reader = Reader::new(args.app.clone(), vec![]).map_err(only_deploys)?;
    let all = reader.read(&[])?;
    let mut scripts = Scripts::new();
    for host in &all.project.hosts {
        scripts.insert(host.name.clone(), application(host)?.state_script());
    }
    let answers = ask::hosts(&all.project, &args.app.connection, &all.keys, scripts).await?;
    let (states, unseen) = heard(answers);
    let Some(intent) = chosen(&states, args.run.as_deref())? else {
        return Ok(nothing(&unseen));
    };
    let intent = intent.clone();
    may_go_on(&intent, &states, &all.project, &reader)?;
    if !args.output.json && !args.output.quiet {
        let _ = writeln!(std::io::stderr(), "{}", neutralise(&told(&intent)));
    }
    begin(args, intent, reader).await
}

/// A playbook without releases has nothing to go on with.
fn only_deploys(error: Error) -> Error {
    let hint = error.hint.clone().unwrap_or_default();
    error.hint(format!("{hint}; `tow resume` goes on with a deploy or rollback. Any other run is simply run again: what is done is not repeated, and handlers that wait run then"))
}

/// Those that could not be asked are told; they stand in the way only where they take part.
fn heard(answers: Answers) -> (States, Vec<Error>) {
    let (mut states, mut unseen) = (States::new(), vec![]);
    for (host, said) in answers {
        match said {
            Ok(said) => drop(states.insert(host, State::parse(&said))),
            Err(error) => {
                let _ = writeln!(
                    std::io::stderr(),
                    "{host} could not be asked: {}",
                    neutralise(&error.to_string())
                );
                unseen.push(error);
            }
        }
    }
    (states, unseen)
}

fn nothing(unseen: &[Error]) -> u8 {
    let code = unseen.iter().map(|error| error.kind.exit_code()).max().unwrap_or(0);
    let others = if unseen.is_empty() { "" } else { " that could be asked" };
    out::write(&format!(
        "there is nothing to go on with: no host{others} knows of a deploy or rollback that did not end well\n"
    ));
    code
}

/// The latest, or the one that is named.
fn chosen<'a>(states: &'a States, named: Option<&str>) -> Result<Option<&'a Intent>> {
    let all = begun(states);
    let Some(named) = named else { return Ok(all.first().copied()) };
    let is_meant =
        |intent: &&&Intent| intent.run == named || (named.len() >= SHORT && intent.run.starts_with(named));
    let found: Vec<&Intent> = all.iter().filter(is_meant).copied().collect();
    if let [one] = found[..] {
        return Ok(Some(one));
    }
    let known: Vec<&str> = all.iter().map(|intent| intent.run.as_str()).collect();
    let cause = match (found.is_empty(), known.is_empty()) {
        (false, _) => "more than one run begins like this".to_owned(),
        (true, true) => "all of them have ended well".to_owned(),
        (true, false) => format!("these have not ended well: {}", known.join(", ")),
    };
    Err(Error::failed(format!("there is no run {named:?} to go on with")).cause(cause).hint(STATUS))
}

/// `goes on with run 5f0c2e9a of ann@laptop, which began 12 min ago and was interrupted: deploy of 42-1a2b3c4 on web1`.
fn told(intent: &Intent) -> String {
    let how = match intent.ended.as_deref() {
        Some("failed") => " and failed",
        Some("interrupted") => " and was interrupted",
        Some("lost") => " and lost a host",
        _ => "",
    };
    let Intent { run, holder, age, .. } = intent;
    format!("goes on with run {run} of {holder}, which began {} ago{how}: {}", span(*age), intent.told())
}

fn cannot(intent: &Intent) -> Error {
    Error::config(format!("cannot go on with run {} ({})", intent.run, intent.told()))
}

/// All that can be known before the lock is asked for.
fn may_go_on(intent: &Intent, states: &States, all: &Project, reader: &Reader) -> Result<()> {
    let Work { command, playbook, release, hosts, set, .. } = &intent.work;
    if !command.may_go_on() {
        return Err(cannot(intent)
            .cause("it changes the database, and nobody can say here how far it has come")
            .hint(format!(
                "look at the application; then, where that is still wanted: tow {} --to {release}",
                command.told()
            )));
    }
    if *playbook != reader.playbook() {
        return Err(cannot(intent)
            .cause(format!("it was of the playbook {playbook}, not of {}", reader.playbook()))
            .hint("name it with --playbook"));
    }
    let known = |name: &str| all.hosts.iter().any(|host| host.name.as_str() == name);
    let strange: Vec<&str> = intent.hosts().into_iter().filter(|name| !known(name)).collect();
    if !strange.is_empty() {
        return Err(cannot(intent).cause(format!("the hosts here have no {}", list(&strange, "nor"))).hint(
            "leave --limit out, or take the inventory of that run (-i); without these hosts: tow deploy",
        ));
    }
    let given = reader.names();
    let missing: Vec<&str> = set.difference(&given).map(String::as_str).collect();
    if !missing.is_empty() {
        let again: Vec<String> = missing.iter().map(|name| format!("--set {name}=…")).collect();
        return Err(cannot(intent)
            .cause(format!(
                "it had {} from its command line, and only the names are known",
                list(&missing, "and")
            ))
            .hint(format!("give the same again: {}", again.join(" "))));
    }
    if ReleaseName::parse(release).is_none() || hosts.is_empty() {
        return Err(cannot(intent).cause("what the hosts know of it makes no sense").hint(STATUS));
    }
    match intent.overtaken(states) {
        Some(why) => {
            Err(Error::failed(cannot(intent).what).cause(why).hint("a new release for all: tow deploy"))
        }
        None => Ok(()),
    }
}

/// The same work on the same hosts.
async fn begin(args: &Resume, intent: Intent, whole: Reader) -> Ended {
    let tags = match intent.work.command {
        Command::Deploy => vec![],
        _ => vec![SWITCH.to_owned()],
    };
    let mut app = args.app.clone();
    let names = intent.hosts().join(":");
    let mut reader = Reader { tags, ..whole };
    let mut checked = reader.read(&[])?;
    if !is_just(&checked.project, &intent) {
        app.target.limit = Some(names);
        reader.app = app;
        checked = reader.read(&[])?;
    }
    if !is_just(&checked.project, &intent) {
        let hosts: Vec<&str> = checked.project.hosts.iter().map(|host| host.name.as_str()).collect();
        return Err(Stop::Error(
            cannot(&intent)
                .cause(format!("the playbook would work on {} now", list(&hosts, "and")))
                .hint("tow deploy makes a new release"),
        ));
    }
    let aim = match intent.work.command {
        Command::Deploy => {
            let revision = same(&intent, first(&checked.project)?, &DiskFiles::beside(&reader.file)).await?;
            Aim::Again(Box::new(intent), revision)
        }
        _ => Aim::Back(Back {
            to: Some(intent.work.release.clone()),
            schema: Schema::of(&checked.project.hosts),
            serving: checked.project.hosts.iter().map(|host| host.name.clone()).collect(),
        }),
    };
    go(reader, (args.output, args.plan), checked, aim).await
}

fn is_just(project: &Project, intent: &Intent) -> bool {
    let name = |host: &Host| host.name.clone();
    let mut hosts: Vec<_> = project.hosts.iter().map(name).collect();
    hosts.sort();
    hosts.iter().eq(intent.work.hosts.keys())
}

/// What is deployed has to be what was: a repository has every commit, a folder here only what it has now.
async fn same(intent: &Intent, host: &Host, files: &DiskFiles) -> Result<Revision> {
    let was = &intent.work.revision;
    let short = ReleaseName::parse(&intent.work.release).map(|name| name.revision().to_owned());
    let short = short.unwrap_or_default();
    let by_git = !host.vars.text("app.repo").unwrap_or_default().is_empty();
    if by_git && is_commit(was) {
        return Ok(Revision { short, whole: was.clone(), reference: Some(was.clone()) });
    }
    let here = revision::of(host, files).await?;
    if !by_git && here.whole == *was {
        return Ok(here);
    }
    let hint = if is_commit(was) {
        format!("git checkout {was}")
    } else {
        "it had changes that nobody had committed: only the folder it came from has them".to_owned()
    };
    Err(cannot(intent)
        .cause(format!("it was of revision {was}, and here is {}", here.whole))
        .hint(format!("{hint}; or make a new release of what is here: tow deploy")))
}

/// Behind a run that has left something.
pub fn advise(work: &Work, code: u8) {
    let Work { command, release, .. } = work;
    let line = match (command, code) {
        _ if !command.may_go_on() => return,
        (Command::Deploy, 3) => format!(
            "Mended in the application or its settings: `tow deploy` makes a new release.\n\
             Mended around it (network, disk, a host): `tow resume` goes on with {release}."
        ),
        _ => format!("`tow resume` goes on with the {} of {release}, from any machine", command.told()),
    };
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::{chosen, told};
    use crate::task::releases::intent::States;
    use crate::task::releases::state::State;
    use crate::words::names::HostName;

    fn states() -> States {
        let host = |name: &str, run: &str, age: u32| {
            let work = "{\"command\":\"rollback\",\"playbook\":\"deploy.toml\",\"release\":\"41-a\",\"revision\":\"a\",\"hosts\":{\"web1\":\"42-b\"},\"set\":[]}";
            let text = format!(
                "intent.run={run}\nintent.holder=ann@laptop\nintent.ended=interrupted\nintent.age={age}\nintent.work={work}\n"
            );
            (HostName::new(name).unwrap(), State::parse(&text))
        };
        [host("web1", "5f0c2e9a", 720), host("web2", "5f11aaaa", 9000)].into()
    }

    #[test]
    fn the_latest_run_is_meant_unless_one_is_named() {
        let states = states();
        let run = |named: Option<&str>| chosen(&states, named).map(|intent| intent.unwrap().run.clone());
        assert_eq!(run(None).unwrap(), "5f0c2e9a");
        assert_eq!(run(Some("5f11")).unwrap(), "5f11aaaa");
        assert_eq!(chosen(&States::new(), None).unwrap(), None);
        let error = run(Some("77b1d204")).unwrap_err();
        assert!(error.to_string().contains("5f0c2e9a, 5f11aaaa"), "{error}");
        assert!(run(Some("5f")).is_err());
    }

    #[test]
    fn what_it_is_about_to_do_is_said() {
        let said = told(chosen(&states(), None).unwrap().unwrap());
        assert_eq!(
            said,
            "goes on with run 5f0c2e9a of ann@laptop, which began 12 min ago and was interrupted: rollback of 41-a on web1"
        );
    }
}
