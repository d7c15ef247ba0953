//! `tow guide`: what is to be done for this inventory, as a Markdown document.

use crate::cli::Ended;
use crate::cli::args::Guide;
use crate::cli::playbook::load_without_secrets;
use crate::preflight::guide::{Commands, document};
use crate::report::out;
use crate::words::error::Error;

pub fn run(args: &Guide) -> Ended {
    let project = load_without_secrets(&args.wanted)?;
    let inventory = args.wanted.target.inventory.as_ref().map(|path| path.display().to_string());
    let commands = Commands { playbook: args.wanted.file.display().to_string(), inventory };
    let text = project.mask.apply(&document(&project, &commands));
    match &args.output {
        Some(path) => std::fs::write(path, text)
            .map_err(|error| Error::config(format!("cannot write {}", path.display())).cause(error))?,
        None => out::write(&text),
    }
    Ok(0)
}
