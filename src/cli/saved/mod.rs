//! `tow plan -o FILE` and `tow apply FILE`: a plan that is done exactly, or not at all.

mod file;
mod ledger;
mod moved;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::args::{Apply, Connection, Output, Plan, Playbook, Target};
use crate::cli::conduct::Conduct;
use crate::cli::playbook::{self, Ready};
use crate::cli::saved::file::{From, Hosts, Saved};
use crate::cli::saved::ledger::Book;
use crate::cli::saved::moved::moved;
use crate::cli::{Ended, Stop};
use crate::words::error::{Error, Kind, Result};
use crate::words::event::Mode;

/// So many differences are told one by one.
const TOLD: usize = 20;

/// Plans as `tow plan` does, and writes the plan down.
pub async fn plan(plan: &Plan) -> Ended {
    let args = &plan.playbook;
    let Some(to) = &plan.out else { return playbook::plan(args).await };
    let from = From::of(args)?;
    let found = playbook::find(&args.file)?;
    let Ready { project, keys } = playbook::load(args, &found)?;
    playbook::say_where(&args.target, args.output);
    let salt = format!("{:032x}", rand::random::<u128>());
    let book = Arc::new(Book::new(salt.clone(), project.mask.clone()));
    let ledger = Some(book.clone() as Arc<_>);
    let code = Conduct { ledger, ..Conduct::new(Mode::Plan, &args.connection, args.output, keys) }
        .run(&project)
        .await?;
    let _ = std::io::stdout().flush();
    if code != 0 {
        let _ = writeln!(std::io::stderr(), "The plan is not saved, because not all of it could be planned.");
        return Ok(code);
    }
    Saved::new(from, salt, book.hosts()).write(to)?;
    let name = to.display();
    let _ = writeln!(
        std::io::stderr(),
        "Saved to {name}; `tow apply {name}` does exactly this, or says what moved."
    );
    Ok(0)
}

pub async fn apply(args: &Apply) -> Ended {
    let saved = Saved::read(&args.file)?;
    let wanted = saved.from.playbook(&args.connection, args.output);
    let found = playbook::find(&wanted.file)?;
    let Ready { project, keys } = playbook::load(&wanted, &found)?;
    let now = look(&saved, &wanted, &found, keys.clone()).await?;
    let differences = moved(&saved.hosts, &now);
    if !differences.is_empty() {
        return Err(refusal(&args.file, &differences).into());
    }
    let pending = playbook::pending(&found, &wanted.target);
    let run = Conduct { pending, ..Conduct::new(Mode::Run, &args.connection, args.output, keys) };
    run.run(&project).await
}

/// What would be planned now; nothing of it is shown but errors.
async fn look(
    saved: &Saved,
    wanted: &Playbook,
    found: &Path,
    keys: crate::transport::Unlocked,
) -> Result<Hosts, Stop> {
    // A plan of its own: what is predicted in it must not be there when the run begins.
    let Ready { project, .. } = playbook::load(wanted, found)?;
    let book = Arc::new(Book::new(saved.salt.clone(), project.mask.clone()));
    let ledger = Some(book.clone() as Arc<_>);
    let silent =
        Conduct { ledger, silent: true, ..Conduct::new(Mode::Plan, &wanted.connection, wanted.output, keys) };
    let code = silent.run(&project).await?;
    if code != 0 {
        let kind = [Kind::Unreachable, Kind::HostKey, Kind::Interrupted]
            .into_iter()
            .find(|kind| kind.exit_code() == code);
        let error =
            Error::new(kind.unwrap_or(Kind::Failed), "the plan cannot be looked at again on all hosts");
        return Err(error
            .hint("`tow plan` with the same playbook says what is wrong; nothing was changed")
            .into());
    }
    Ok(book.hosts())
}

fn refusal(file: &Path, differences: &[String]) -> Error {
    let mut lines: Vec<String> = differences.iter().take(TOLD).cloned().collect();
    if differences.len() > TOLD {
        lines.push(format!("and {} more", differences.len() - TOLD));
    }
    Error::failed(format!("{} does not fit any more; nothing was changed", file.display()))
        .cause(lines.join("\n"))
        .hint("plan again: `tow plan PLAYBOOK -o FILE`, look at it, and apply that")
}

impl From {
    fn of(args: &Playbook) -> Result<From> {
        let text = |path: &PathBuf| path.display().to_string();
        // These would stand in the file as they are.
        let secret = |name: &str| {
            ["pass", "secret", "token", "key"].iter().any(|word| name.to_ascii_lowercase().contains(word))
        };
        if let Some((name, _)) = args.set.iter().find(|(name, _)| secret(name)) {
            return Err(Error::config(format!("--set {name} would stand in the plan in the clear"))
                .hint(format!("put it where secrets are kept: `tow secrets set {name}`; docs/secrets.md")));
        }
        Ok(From {
            playbook: text(&args.file),
            inventory: args.target.inventory.as_ref().map(text),
            limit: args.target.limit.clone(),
            tags: args.tags.clone(),
            skip_tags: args.skip_tags.clone(),
            set: args.set.clone(),
        })
    }

    fn playbook(&self, connection: &Connection, output: Output) -> Playbook {
        Playbook {
            file: PathBuf::from(&self.playbook),
            target: Target {
                inventory: self.inventory.as_ref().map(PathBuf::from),
                limit: self.limit.clone(),
            },
            tags: self.tags.clone(),
            skip_tags: self.skip_tags.clone(),
            set: self.set.clone(),
            diff: false,
            connection: connection.clone(),
            output,
        }
    }
}
