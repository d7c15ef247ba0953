//! `tow demo`: what a new user sees. The deployment is a run like any other, through the very same engine.

use std::fmt::Write as _;
use std::io::Write as _;

use tokio::sync::watch;

use crate::cli::args::{Connection, Demo as Args, Output, Playbook, Target};
use crate::cli::conduct::Conduct;
use crate::cli::demo::{Demo, Page, check_pages, make_folder, prepare};
use crate::cli::{Ended, playbook, stop};
use crate::report::out;
use crate::words::error::Kind;
use crate::words::event::Mode;

pub(in crate::cli) async fn run(args: &Args) -> Ended {
    let folder = make_folder(args.dir.as_deref())?;
    let cancel = stop::listen();
    let demo = match prepare(&folder).await {
        Ok(demo) => demo,
        Err(error) => {
            let _ = tokio::fs::remove_dir_all(&folder).await;
            return Err(error.into());
        }
    };
    say(&format!("Three SSH hosts in this process, with their files in {}\n", demo.folder.display()));
    let shown = show(args, &demo, cancel.clone()).await;
    let ended = demo.shutdown(args.keep).await;
    let code = shown?;
    ended?;
    Ok(code)
}

async fn show(args: &Args, demo: &Demo, mut cancel: watch::Receiver<bool>) -> Ended {
    say("\nFirst run: deploys examples/pythonweb to all three.\n");
    let code = deploy(args.output, demo, cancel.clone()).await?;
    if code != 0 {
        return Ok(code);
    }
    say("\nSecond run: the same again; nothing should change.\n");
    let code = deploy(args.output, demo, cancel.clone()).await?;
    if code != 0 {
        return Ok(code);
    }
    let pages = check_pages(demo).await?;
    tell(args, demo, &pages);
    if args.once {
        return Ok(0);
    }
    say("\nServing until Ctrl-C.\n");
    while !*cancel.borrow_and_update() {
        if cancel.changed().await.is_err() {
            break;
        }
    }
    say("\nStopping, and cleaning up.\n");
    Ok(0)
}

async fn deploy(output: Output, demo: &Demo, cancel: watch::Receiver<bool>) -> Ended {
    let connection = Connection { parallel: 8, ask_become_pass: false, connect_timeout: 10 };
    let args = Playbook {
        file: demo.playbook.clone(),
        target: Target { inventory: Some(demo.inventory.clone()), limit: None },
        tags: vec![],
        skip_tags: vec![],
        set: vec![],
        diff: false,
        connection,
        output,
    };
    let playbook::Ready { project, keys } = playbook::load(&args, &demo.playbook)?;
    let conduct = Conduct { recorded: false, ..Conduct::new(Mode::Run, &args.connection, output, keys) };
    let code = conduct.run_until(&project, cancel.clone()).await?;
    // Also when the Ctrl-C came too late for the run itself.
    if *cancel.borrow() {
        return Ok(Kind::Interrupted.exit_code());
    }
    Ok(code)
}

fn tell(args: &Args, demo: &Demo, pages: &[Page]) {
    let each = pages.len() / demo.hosts.len().max(1);
    let mut text = format!("\nServed, with {each} pages of each host checked:\n\n");
    for host in &demo.hosts {
        let _ = writeln!(text, "  {}  {}", host.name, host.url);
    }
    let (inventory, playbook) = (demo.inventory.display(), demo.playbook.display());
    // With `--once` these are gone in a moment.
    if args.keep || !args.once {
        let source = demo.source.display();
        let _ = write!(
            text,
            "\nWhat was written, to read and to change:\n\n  inventory  {inventory}\n  playbook   {playbook}\n  source     {source}\n",
        );
    }
    if !args.once {
        let tow = program();
        let _ = write!(
            text,
            "\nWhile it serves, from another terminal:\n\n  {tow} plan -i {inventory} {playbook}\n  {tow} exec -i {inventory} -- uptime\n",
        );
    }
    if args.output.json {
        // There, stdout is events and nothing else.
        return say(&text);
    }
    out::write(&text);
}

/// How to call this program again: by its path, where it is not in PATH (`cargo run`).
fn program() -> String {
    let called = std::env::args().next().unwrap_or_default();
    let path = std::env::current_exe().ok().filter(|_| called.contains('/'));
    path.map_or_else(|| "tow".to_owned(), |path| path.display().to_string())
}

/// Progress goes to stderr, like that of every run.
fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
