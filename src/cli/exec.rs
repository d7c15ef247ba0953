//! `tow exec`: one command on many hosts.

use crate::cli::Ended;
use crate::cli::args::Exec;
use crate::cli::conduct::Conduct;
use crate::cli::playbook::{inventory, stop};
use crate::spec;
use crate::transport::Unlocked;
use crate::words::event::Mode;

pub async fn run(args: &Exec) -> Ended {
    let inventory = inventory(&args.target)?;
    let project = spec::exec_project(inventory.as_ref(), args.target.limit.as_deref(), &args.command)
        .map_err(|mistakes| stop(&mistakes))?;
    Conduct::new(Mode::Exec, &args.connection, args.output, Unlocked::default()).run(&project).await
}
