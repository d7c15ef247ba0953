//! Asks every host of an application one thing, outside of any run.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;

use crate::cli::args::{Application, Connection};
use crate::cli::playbook::Ready;
use crate::cli::prompt::Prompt;
use crate::cli::release::{Reader, application};
use crate::cli::{Stop, keyfiles};
use crate::report::Pause;
use crate::spec::model::{Host, Project};
use crate::task::releases::App;
use crate::transport::runner::Runner;
use crate::transport::{Connector, Unlocked};
use crate::words::error::Result;
use crate::words::fact::Probe;
use crate::words::names::HostName;
use crate::words::secret::Mask;

pub type Answers = BTreeMap<HostName, Result<String>>;

/// Runs what `script` gives for the application of each host that has tasks, or tasks with this tag.
pub async fn everywhere(
    args: &Application,
    tag: Option<&str>,
    script: &dyn Fn(&App) -> String,
) -> std::result::Result<Answers, Stop> {
    let Ready { project, keys } =
        Reader::new(args.clone(), tag.map(str::to_owned).into_iter().collect())?.read(&[])?;
    let mut scripts = Scripts::new();
    for host in &project.hosts {
        scripts.insert(host.name.clone(), script(&application(host)?));
    }
    hosts(&project, &args.connection, &keys, scripts).await
}

/// What is to be asked of each host.
pub type Scripts = BTreeMap<HostName, String>;

/// Asks each of these hosts its own, one round trip each.
pub async fn hosts(
    project: &Project,
    connection: &Connection,
    keys: &Unlocked,
    mut scripts: Scripts,
) -> std::result::Result<Answers, Stop> {
    let connector =
        Arc::new(connection.connector(&Prompt::new(Pause::default(), project.mask.clone()), keys)?);
    keyfiles::check(&connector, &project.hosts).await?;
    let asked = project.hosts.iter().filter_map(|host| Some((host, scripts.remove(&host.name)?)));
    let asking: Vec<_> =
        asked.map(|(host, script)| one(connector.clone(), host, script, &project.mask)).collect();
    let parallel = usize::from(connection.parallel);
    Ok(futures::stream::iter(asking).buffer_unordered(parallel).collect().await)
}

async fn one(
    connector: Arc<Connector>,
    host: &Host,
    script: String,
    mask: &Mask,
) -> (HostName, Result<String>) {
    let probe = Probe::Shell { script, user: None };
    let asked = async {
        let link = connector.connect(host, &|_| {}).await?;
        let (runner, facts) = Runner::start(link, std::slice::from_ref(&probe), false, mask).await?;
        runner.close().await;
        facts.output(&probe).map(|output| output.stdout.clone())
    };
    (host.name.clone(), asked.await)
}
