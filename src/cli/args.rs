//! The command line. The texts here are the help.

mod data;
mod init;
mod kept;
mod release;

use std::path::PathBuf;

use clap::{Args as Group, Parser, Subcommand, ValueEnum};

pub use crate::cli::args::data::{Backup, Backups, Restore};
pub use crate::cli::args::init::{Engine, Init};
pub use crate::cli::args::kept::{History, SecretCommand, Secrets, Show};
pub use release::{Application, Deploy, Resume, Rollback, Status, Unlock, Update};

/// Takes Python web applications to servers over plain SSH.
///
/// Reads an inventory of hosts and a playbook of tasks (TOML), works on all hosts at once, and says what it did.
/// Nothing is installed on the servers.
#[derive(Debug, Parser)]
#[command(name = "tow", version, max_term_width = 100, args_override_self = true, after_help = EXIT_CODES)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  all is well                   4  host not reached, or no access
  1  a bug in tow                  5  somebody else holds the lock
  2  arguments or files are wrong  6  state unknown: look at the host
  3  a task failed, problems       7  host key not trusted
 10  there are updates           130  interrupted

New here? `tow demo` shows everything on this machine, and leaves nothing behind;
`tow init`, in the checkout of your application, prepares its deployment.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look at an application, and write inventory, playbooks and templates for it
    ///
    /// Run it in the application's checkout, or name a repository with --repo. What it cannot know it asks for at a
    /// terminal; elsewhere everything is given by flags. It replaces nothing without asking.
    Init(Init),
    /// Run a playbook
    Run(Playbook),
    /// Show what `run` would do, and write nothing on any host
    Plan(Plan),
    /// Do what a saved plan says, exactly that, or refuse and say what moved
    Apply(Apply),
    /// Deploy a new release: prepare it, switch to it in waves, go back if it does not do well
    Deploy(Deploy),
    /// Go back to a release before
    Rollback(Rollback),
    /// Go on with a deploy or rollback that was interrupted or has failed, from any machine
    ///
    /// The hosts know what was begun: the same release on the same hosts, and what is done is found as done. Exit code 0
    /// when there is nothing to go on with.
    Resume(Resume),
    /// Show what each host serves and how it does, what is to come, and who is at work on it
    Status(Status),
    /// See whether there is something new, show what changes, and deploy it
    Update(Update),
    /// Say what differs on the hosts from what the last run left, and whether the hosts or the playbook have changed
    ///
    /// Changes nothing. Exit code 0: nothing differs; 3: something does.
    Drift(Drift),
    /// Take the lock away from a run that has ended
    Unlock(Unlock),
    /// Back up database and shared files on the hosts, and prove that the backup can be restored
    Backup(Backup),
    /// List the backups that can be restored
    Backups(Backups),
    /// Put the data of a backup in the place of what is there
    ///
    /// The application does not answer meanwhile. What is there is backed up first; where anything fails, it is back.
    Restore(Restore),
    /// Look at the hosts before anything is done: what is wrong, why it matters, what to do
    ///
    /// Changes nothing. Exit code 0: a run may begin (there may be warnings); 3: problems; 4: no access; 7: host key.
    Check(Check),
    /// Write a guide for this inventory: DNS records, what goes where, the commands in order, what to do when
    Guide(Guide),
    /// Run one command on many hosts
    ///
    /// The command's stdin is empty: what is piped into `tow exec` is not passed on.
    Exec(Exec),
    /// List the hosts that a selection matches
    Hosts(Hosts),
    /// List what was run from here
    History(History),
    /// Show what each host did and said in a run
    Show(Show),
    /// Keep passwords and keys encrypted beside the inventory (`secrets.age`)
    ///
    /// Playbooks use them as `{{secrets.NAME}}`. They are encrypted to the public keys in `secrets.recipients`, SSH or
    /// age, one a line; whoever has one of the private keys can read them.
    Secrets(Secrets),
    /// Deploy an example application to three SSH hosts inside this process
    Demo(Demo),
    /// Print completions for a shell
    Completions { shell: clap_complete::Shell },
}

#[derive(Debug, Group)]
pub struct Playbook {
    /// The playbook: a file, or the name of one in `playbooks/`
    #[arg(value_name = "PLAYBOOK")]
    pub file: PathBuf,
    #[command(flatten)]
    pub target: Target,
    /// Only tasks with one of these tags (and those tagged `always`)
    #[arg(short, long, value_delimiter = ',', value_name = "TAGS")]
    pub tags: Vec<String>,
    /// Leave out tasks with one of these tags
    #[arg(long, value_delimiter = ',', value_name = "TAGS")]
    pub skip_tags: Vec<String>,
    /// Set a variable, above all other places: `--set app.ref=main`
    #[arg(short, long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
    /// Show how the content of files changes while running (`plan` always does)
    #[arg(long)]
    pub diff: bool,
    #[command(flatten)]
    pub connection: Connection,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Group)]
pub struct Plan {
    #[command(flatten)]
    pub playbook: Playbook,
    /// Save the plan: `tow apply FILE` does it later, or somewhere else
    #[arg(short, long = "out", value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Group)]
pub struct Apply {
    /// What `tow plan -o FILE` has written; the playbook and all it uses must be there too
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub connection: Connection,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Group)]
pub struct Check {
    #[command(flatten)]
    pub wanted: Wanted,
    /// Warnings fail too
    #[arg(long)]
    pub strict: bool,
    /// Only reads and checks the files: no host is connected to, and no secret is needed
    #[arg(long, conflicts_with = "strict")]
    pub offline: bool,
    #[command(flatten)]
    pub connection: Connection,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Group)]
pub struct Drift {
    #[command(flatten)]
    pub wanted: Wanted,
    #[command(flatten)]
    pub connection: Connection,
    /// One JSON object a host
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Group)]
pub struct Guide {
    #[command(flatten)]
    pub wanted: Wanted,
    /// The file to write it to (default: stdout)
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Of which playbook and which hosts something is to be said.
#[derive(Clone, Debug, Group)]
pub struct Wanted {
    /// The playbook: a file, or the name of one in `playbooks/`
    #[arg(value_name = "PLAYBOOK", default_value = "site")]
    pub file: PathBuf,
    #[command(flatten)]
    pub target: Target,
    /// Set a variable, above all other places: `--set app.ref=main`
    #[arg(short, long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
}

#[derive(Debug, Group)]
pub struct Exec {
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub connection: Connection,
    #[command(flatten)]
    pub output: Output,
    /// The command: one word is a shell line, several are a program and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

#[derive(Debug, Group)]
pub struct Hosts {
    #[command(flatten)]
    pub target: Target,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Group)]
pub struct Demo {
    /// Check the pages and end, instead of serving until Ctrl-C
    #[arg(long)]
    pub once: bool,
    /// Leave the files where they are, to look at
    #[arg(long)]
    pub keep: bool,
    /// Where to put the demo's folder (default: the folder for temporary files)
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Clone, Debug, Group)]
pub struct Target {
    /// The inventory (default: `inventory.toml` here; without one, this machine)
    #[arg(short, long, value_name = "FILE")]
    pub inventory: Option<PathBuf>,
    /// Only these hosts: `web`, `web:&eu:!web3`, `web*`
    #[arg(short, long, value_name = "PATTERN")]
    pub limit: Option<String>,
}

#[derive(Clone, Debug, Group)]
pub struct Connection {
    /// Hosts to work on at the same time
    #[arg(short, long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub parallel: u16,
    /// Ask once for the password that sudo wants
    #[arg(short = 'K', long)]
    pub ask_become_pass: bool,
    /// Give up connecting to a host after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub connect_timeout: u64,
}

#[derive(Clone, Copy, Debug, Group)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// One JSON event a line on stdout
    #[arg(long)]
    pub json: bool,
    /// No live view, even at a terminal
    #[arg(long)]
    pub plain: bool,
    /// Only failures and the line with the result
    #[arg(short, long)]
    pub quiet: bool,
    /// More: tasks that had nothing to do, and at a terminal what commands say, line by line
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Colours (NO_COLOR is honoured)
    #[arg(long, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub color: Colour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    Auto,
    Always,
    Never,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE, such as app.ref=main".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::Args;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }
}
