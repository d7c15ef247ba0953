//! `tow check`: whether a run may begin.

use std::io::Write as _;

use crate::cli::Ended;
use crate::cli::args::Check;
use crate::cli::conduct::Conduct;
use crate::cli::playbook::{Ready, load_whole, load_without_secrets, say_where};
use crate::engine::Strictness;
use crate::words::event::Mode;
use crate::words::plural::count;

pub async fn run(args: &Check) -> Ended {
    if args.offline {
        return files_alone(args);
    }
    let Ready { project, keys } = load_whole(&args.wanted)?;
    say_where(&args.wanted.target, args.output);
    Conduct {
        strictness: Some(if args.strict { Strictness::Warnings } else { Strictness::Problems }),
        ..Conduct::new(Mode::Check, &args.connection, args.output, keys)
    }
    .run(&project)
    .await
}

/// Inventory, playbook and templates, as they are read and rendered for every host; mistakes end it before.
fn files_alone(args: &Check) -> Ended {
    let project = load_without_secrets(&args.wanted)?;
    let tasks = project.stages.iter().flat_map(|stage| stage.tasks.values()).map(Vec::len).sum();
    if !args.output.quiet && !args.output.json {
        let told = format!("{} on {}", count(tasks, "task"), count(project.hosts.len(), "host"));
        let _ = writeln!(std::io::stderr(), "the files are right: {told}; nothing was connected to");
    }
    Ok(0)
}
