//! `tow check`: whether a run may begin.

use crate::cli::Ended;
use crate::cli::args::Check;
use crate::cli::conduct::Conduct;
use crate::cli::playbook::{Ready, load_whole, say_where};
use crate::engine::Strictness;
use crate::words::event::Mode;

pub async fn run(args: &Check) -> Ended {
    let Ready { project, keys } = load_whole(&args.wanted)?;
    say_where(&args.wanted.target, args.output);
    Conduct {
        strictness: Some(if args.strict { Strictness::Warnings } else { Strictness::Problems }),
        ..Conduct::new(Mode::Check, &args.connection, args.output, keys)
    }
    .run(&project)
    .await
}
