//! Arguments of what is kept on the operator's side: secrets and the history.

use std::path::PathBuf;

use clap::{Args as Group, Subcommand};

#[derive(Debug, Group)]
pub struct History {
    /// The newest so many
    #[arg(short, long, value_name = "N", default_value_t = 20)]
    pub limit: u32,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Group)]
pub struct Show {
    /// The run, by its id or the beginning of it (default: the last one)
    pub run: Option<String>,
    /// Only this host
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// The run's events, as `--json` printed them
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Group)]
pub struct Secrets {
    #[command(subcommand)]
    pub command: SecretCommand,
    /// Beside this inventory (default: `inventory.toml` here)
    #[arg(short, long, value_name = "FILE", global = true)]
    pub inventory: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Set a secret; asks for the value, or reads it from a pipe
    Set {
        name: String,
        #[arg(hide = true)]
        refused: Vec<String>,
    },
    /// Print a secret
    Get { name: String },
    /// Change all of them in your editor; encrypts anew for the recipients
    Edit,
    /// Print the names, never the values
    List,
    /// Remove a secret
    Rm { name: String },
}
