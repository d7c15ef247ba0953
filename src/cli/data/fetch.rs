//! Brings backups from the hosts here: checked by their digest, and encrypted where there is somebody to encrypt to.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use age::Encryptor;
use sha2::{Digest as _, Sha256};

use crate::cli::args::{self, Application};
use crate::cli::playbook::{Ready, inventory_path};
use crate::cli::prompt::Prompt;
use crate::cli::release::application;
use crate::cli::secrets::Recipients;
use crate::cli::{Ended, keyfiles};
use crate::report::Pause;
use crate::report::out;
use crate::report::private::private_folder;
use crate::spec::model::Host;
use crate::task::releases::backup::Backups;
use crate::transport::runner::Runner;
use crate::transport::{Connector, Link};
use crate::words::content::Digest;
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, Output, Probe};
use crate::words::secret::Mask;

pub struct Fetch {
    folder: PathBuf,
    recipients: Option<Recipients>,
}

impl Fetch {
    pub fn new(args: &args::Backup, folder: &Path) -> Result<Fetch> {
        let inventory = inventory_path(args.app.target.inventory.as_deref());
        let beside = inventory.and_then(Path::parent).unwrap_or(Path::new("")).join("secrets.recipients");
        let named = args.recipients.clone().or_else(|| beside.is_file().then_some(beside));
        let recipients = named.map(|path| Recipients::read(&path)).transpose()?;
        Ok(Fetch { folder: folder.to_owned(), recipients })
    }

    /// One host after the other: it is the line to here that takes the time.
    pub async fn run(&self, app: &Application, ready: &Ready) -> Ended {
        private_folder(&self.folder).map_err(|error| self.cannot(&error))?;
        let prompt = Prompt::new(Pause::default(), ready.project.mask.clone());
        let connector = Arc::new(app.connection.connector(&prompt, &ready.keys)?);
        keyfiles::check(&connector, &ready.project.hosts).await?;
        let mut code = 0;
        for host in &ready.project.hosts {
            match self.of(&connector, host, &ready.project.mask).await {
                Ok(None) => {}
                Ok(Some(path)) => out::write(&format!("{}  {}\n", host.name, path.display())),
                Err(error) => {
                    code = error.kind.exit_code().max(code);
                    let _ = writeln!(std::io::stderr(), "{}: {error}", host.name);
                }
            }
        }
        if code == 0 && self.recipients.is_none() {
            let hint =
                "not encrypted: there is no secrets.recipients beside the inventory, and no --recipients";
            let _ = writeln!(std::io::stderr(), "{hint}");
        }
        Ok(code)
    }

    fn cannot(&self, error: &dyn std::fmt::Display) -> Error {
        Error::failed(format!("cannot write into {}", self.folder.display())).cause(error)
    }

    /// The newest of a host; `None` where it has none.
    async fn of(&self, connector: &Connector, host: &Host, mask: &Mask) -> Result<Option<PathBuf>> {
        let app = application(host)?;
        let link = connector.connect(host, &|_| {}).await?;
        let list = shell(app.saver(&["list"]));
        let (mut runner, facts) = Runner::start(link, std::slice::from_ref(&list), false, mask).await?;
        let found = Backups::parse(&facts.output(&list)?.stdout);
        let Some(newest) = found.find("latest") else {
            runner.close().await;
            return Ok(None);
        };
        let link = runner.link().clone();
        let given = ask(
            &mut runner,
            &facts,
            format!("exec 2>&1\n{}", app.saver(&["give", &newest.name, &link.user()])),
        )
        .await?;
        let value =
            |key: &str| given.stdout.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        let (Some(path), Some(digest)) = (value("path"), value("digest")) else {
            let why = given.stdout.lines().last().unwrap_or("it did not say why").to_owned();
            return Err(Error::failed(format!("cannot read the backup {}", newest.name)).cause(why));
        };
        let name = format!("{}-{}-{}.tar", app.name, host.name, newest.name);
        let fetched = self.bring(link.as_ref(), (path, digest), &name).await;
        let _ = ask(&mut runner, &facts, app.saver(&["taken", path])).await;
        runner.close().await;
        fetched.map(Some)
    }

    async fn bring(&self, link: &dyn Link, (path, digest): (&str, &str), name: &str) -> Result<PathBuf> {
        let place = tempfile::Builder::new().prefix(".fetch-").tempdir_in(&self.folder);
        let place = place.map_err(|error| self.cannot(&error))?;
        let plain = place.path().join("plain");
        link.download(path, &plain).await?;
        let got = digest_of(&plain).map_err(|error| self.cannot(&error))?;
        if got.as_str() != digest {
            return Err(
                Error::failed(format!("{name} did not arrive as it was sent")).hint("run the command again")
            );
        }
        let (from, to) = match &self.recipients {
            None => (plain, self.folder.join(name)),
            Some(recipients) => {
                let sealed = place.path().join("sealed");
                encrypt(recipients, &plain, &sealed).map_err(|error| self.cannot(&error))?;
                (sealed, self.folder.join(format!("{name}.age")))
            }
        };
        let moved =
            File::open(&from).and_then(|file| file.sync_all()).and_then(|()| std::fs::rename(from, &to));
        moved.map_err(|error| self.cannot(&error))?;
        Ok(to)
    }
}

fn digest_of(path: &Path) -> std::io::Result<Digest> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path)?;
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(Digest::finish(hasher)),
            length => hasher.update(&piece[..length]),
        }
    }
}

fn shell(script: String) -> Probe {
    Probe::Shell { script, user: None }
}

async fn ask(runner: &mut Runner, facts: &Facts, script: String) -> Result<Output> {
    let probe = shell(script);
    let mut facts = Facts::new(facts.host.clone());
    runner.probe(std::slice::from_ref(&probe), &mut facts).await?;
    facts.output(&probe).cloned()
}

fn encrypt(recipients: &Recipients, from: &Path, to: &Path) -> std::io::Result<()> {
    let encryptor = Encryptor::with_recipients(recipients.iter()).map_err(std::io::Error::other)?;
    let mut writer = encryptor.wrap_output(File::create(to)?)?;
    std::io::copy(&mut File::open(from)?, &mut writer)?;
    writer.finish().map(drop)
}
