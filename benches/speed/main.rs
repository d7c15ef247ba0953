//! `just bench`: `tow` beside `ssh host true`, as whole processes, against real OpenSSH servers on loopback.
//!
//! Every figure is measured in turns with what it is compared with, so that both see the same machine. With
//! `PEERS_VENV` naming a Python environment that has them, Ansible, Mitogen and pyinfra run the same workload.

mod fetch;
mod figure;
mod lab;
mod measure;
mod peers;
mod proxy;
mod rows;
mod workload;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::figure::{Figure, table};
use crate::lab::Lab;
use crate::measure::Result;
use crate::peers::Peers;
use crate::rows::{Bench, OTHERS, SITES};

/// Measures Towline; prints a Markdown table.
#[derive(Debug, Parser)]
#[command(name = "speed", bin_name = "just bench")]
struct Arguments {
    /// Three runs of each, and no more than ten hosts.
    #[arg(long)]
    quick: bool,
    /// Only rows whose name contains this; can be given several times.
    #[arg(long, value_name = "NAME")]
    row: Vec<String>,
    /// How often each thing is run; the figure is the median.
    #[arg(long, value_name = "N")]
    runs: Option<usize>,
    /// Another build of `tow` to measure.
    #[arg(long, value_name = "PROGRAM", default_value = env!("CARGO_BIN_EXE_tow"))]
    tow: PathBuf,
    /// Names the rows and ends.
    #[arg(long)]
    list: bool,
    /// How cargo says that it benchmarks.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Arguments {
    fn wants(&self, name: &str) -> bool {
        let large = matches!(name, "two-hundred-hosts-0ms" | "memory");
        if self.row.is_empty() {
            !(self.quick && large)
        } else {
            self.row.iter().any(|row| name.contains(row))
        }
    }
}

fn main() -> ExitCode {
    let all: Vec<std::ffi::OsString> = std::env::args_os().skip(1).collect();
    if all.first().is_some_and(|first| first == measure::WRAPPER) {
        return measure::wrap(&all[1..]);
    }
    if all.first().is_some_and(|first| first == fetch::CHILD) {
        return fetch::child(&all[1..]);
    }
    let arguments = Arguments::parse();
    if arguments.list {
        names().for_each(|name| println!("{name}"));
        return ExitCode::SUCCESS;
    }
    if !arguments.bench {
        // `cargo test --all-targets` calls benchmarks too.
        println!("this is a benchmark: run it with `just bench`");
        return ExitCode::SUCCESS;
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    SITES.iter().map(|site| site.name).chain(OTHERS.iter().map(|(name, _)| *name))
}

fn run(arguments: &Arguments) -> Result<()> {
    if !names().any(|name| arguments.wants(name)) {
        return Err(format!("no such row; there are {}", names().collect::<Vec<_>>().join(", ")).into());
    }
    let runs = arguments.runs.unwrap_or(if arguments.quick { 3 } else { 7 }).max(1);
    let bench = Bench { lab: Lab::new()?, tow: arguments.tow.canonicalize()?, runs };
    let mut figures: Vec<Figure> = vec![];
    let mut add = |name: &str, row: &mut dyn FnMut() -> Result<Vec<Figure>>| -> Result<()> {
        if arguments.wants(name) {
            eprintln!("{name} …");
            figures.extend(row().map_err(|error| format!("{name}: {error}"))?);
        }
        Ok(())
    };
    for site in SITES {
        add(site.name, &mut || bench.site(site))?;
    }
    for (name, row) in OTHERS {
        add(name, &mut || row(&bench))?;
    }
    println!("{}", table(&figures));
    match Peers::from_environment() {
        Some(peers) => print_peers(arguments, &bench, &peers),
        None => Ok(()),
    }
}

fn print_peers(arguments: &Arguments, bench: &Bench, peers: &Peers) -> Result<()> {
    println!("\n| peer | | nothing to do | first run |\n|---|---|---|---|");
    for site in SITES.into_iter().filter(|site| arguments.wants(site.name)) {
        eprintln!("{} with the peers …", site.name);
        peers.site(&bench.lab, site)?.iter().for_each(|line| println!("{line}"));
    }
    Ok(())
}
