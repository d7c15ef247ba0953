//! Arguments of the commands about backups.

use std::path::PathBuf;

use clap::Args as Group;

use crate::cli::args::{Application, Output};

#[derive(Debug, Group)]
pub struct Backup {
    #[command(flatten)]
    pub app: Application,
    /// Bring it here as well, into this folder (default: `backups`)
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "backups")]
    pub fetch: Option<PathBuf>,
    /// Encrypt what is brought here to these public keys, one a line (default: `secrets.recipients`, where there is one)
    #[arg(long, value_name = "FILE", requires = "fetch")]
    pub recipients: Option<PathBuf>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Group)]
pub struct Backups {
    #[command(flatten)]
    pub app: Application,
    /// One JSON object a backup
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Group)]
pub struct Restore {
    /// The backup, as `tow backups` names it, or `latest`: the newest of each host, but for those that a restore took of what it replaced
    pub backup: String,
    #[command(flatten)]
    pub app: Application,
    /// Also where its schema is not the one that the release that serves was made for: `tow deploy` then migrates it
    #[arg(long)]
    pub other_schema: bool,
    /// The name of the application, instead of typing it when asked
    #[arg(long, value_name = "APP")]
    pub yes: Option<String>,
    #[command(flatten)]
    pub output: Output,
}
