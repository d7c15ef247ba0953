//! `tow unlock`: takes the lock away from a run of that name, wherever it has it.

use crate::cli::Ended;
use crate::cli::args::Unlock;
use crate::cli::release::{alive, ask};
use crate::report::out;
use crate::task::releases::App;
use crate::task::releases::lock::{Claim, Holder, settled};
use crate::words::error::{Error, Kind};

pub async fn run(args: &Unlock) -> Ended {
    if args.run.is_empty() || !args.run.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Error::config(format!("{:?} is not the name of a run", args.run))
            .hint("see who has the lock: tow status")
            .into());
    }
    let claim = Claim { run: args.run.clone(), holder: alive::operator(), dead: vec![] };
    let answers = ask::everywhere(&args.app, None, &|app: &App| claim.unlock(app)).await?;
    let mut code = 0;
    for (host, said) in answers {
        let told = match said {
            Ok(said) => {
                let (told, kind) = told(&said);
                code = kind.map_or(0, Kind::exit_code).max(code);
                told
            }
            Err(error) => {
                code = error.kind.exit_code().max(code);
                error.to_string()
            }
        };
        out::write(&format!("{host}  {told}\n"));
    }
    Ok(code)
}

fn told(said: &str) -> (String, Option<Kind>) {
    let has = |line: &str| said.lines().any(|found| found == line);
    if let Some(holder) = Holder::parse(said) {
        return (format!("locked by another run: {} of {}", holder.run, holder.holder), Some(Kind::Locked));
    }
    let settled = settled(said).map(|settled| settled.told());
    match (has("unlocked=yes"), has("free=yes")) {
        (true, _) => {
            (settled.map_or_else(|| "unlocked".to_owned(), |settled| format!("unlocked; {settled}")), None)
        }
        (_, true) => ("was not locked".to_owned(), None),
        _ => ("did not say whether it is locked".to_owned(), Some(Kind::Unknown)),
    }
}
