//! Arguments of the commands about releases.

use std::path::PathBuf;

use clap::Args as Group;

use crate::cli::args::{Connection, Output, Target, assignment};

/// What commands about releases have in common.
#[derive(Clone, Debug, Group)]
pub struct Application {
    /// The playbook that deploys: a file, or the name of one in `playbooks/`
    #[arg(long, value_name = "PLAYBOOK", default_value = "deploy")]
    pub playbook: PathBuf,
    #[command(flatten)]
    pub target: Target,
    /// Set a variable, above all other places: `--set app.domain=example.com`
    #[arg(short, long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Debug, Group)]
pub struct Deploy {
    #[command(flatten)]
    pub app: Application,
    /// The branch, tag or commit of `app.repo` to deploy, instead of `app.ref`
    #[arg(long = "ref", value_name = "REF")]
    pub reference: Option<String>,
    /// Make a new release, also where an interrupted deploy of the same could be gone on with
    #[arg(long)]
    pub fresh: bool,
    /// Show what it would do, and write nothing on any host
    #[arg(long)]
    pub plan: bool,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Group)]
pub struct Rollback {
    #[command(flatten)]
    pub app: Application,
    /// The release to go back to, by name, number or commit (default: the finished one before the one that serves)
    #[arg(long, value_name = "RELEASE")]
    pub to: Option<String>,
    /// Put the data back as well: from the backup that was made when that release was about to be replaced
    #[arg(long)]
    pub restore_backup: bool,
    /// Take back the migrations that release does not know: their downgrades run, behind a verified backup
    #[arg(long, conflicts_with = "restore_backup")]
    pub migrate_down: bool,
    /// Show what it would do, and write nothing on any host
    #[arg(long)]
    pub plan: bool,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Group)]
pub struct Resume {
    /// The run to go on with, as `tow status` names it (default: the latest that has not ended well)
    pub run: Option<String>,
    #[command(flatten)]
    pub app: Application,
    /// Show what it would do, and write nothing on any host
    #[arg(long)]
    pub plan: bool,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Group)]
pub struct Status {
    #[command(flatten)]
    pub app: Application,
    /// One JSON object a host
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Group)]
pub struct Update {
    #[command(flatten)]
    pub app: Application,
    /// The branch, tag or commit of `app.repo` to deploy, instead of `app.ref`
    #[arg(long = "ref", value_name = "REF")]
    pub reference: Option<String>,
    /// Only say what there is, for cron and CI: exit code 0 when nothing, 10 when there are updates
    #[arg(long, conflicts_with_all = ["plan", "yes"])]
    pub check: bool,
    /// Show what deploying it would do, and write nothing on any host
    #[arg(long)]
    pub plan: bool,
    /// Deploy without asking
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Group)]
pub struct Unlock {
    /// The run that holds the lock, as the refusal and `tow status` name it
    pub run: String,
    #[command(flatten)]
    pub app: Application,
}
