//! Programs that an inventory names run on the operator's machine: nobody's do so before the operator has said yes, and
//! not after they have changed.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::cli::prompt::Prompt;
use crate::cli::state;
use crate::report::private::{private_file, private_folder};
use crate::report::text::neutralise;
use crate::words::content::Digest;
use crate::words::error::{Error, Result};
use crate::words::shell::join;

/// Set where every checkout that comes by is trusted, as in CI.
pub const VARIABLE: &str = "TOW_TRUST_COMMANDS";

/// Passes when this program, in this folder, with these files of the checkout, was trusted before, is trusted by the
/// environment, or is now.
pub fn ask(argv: &[String], folder: &str) -> Result<()> {
    if std::env::var(VARIABLE).is_ok_and(|value| value == "1") {
        return Ok(());
    }
    let own = own_files(argv, Path::new(folder));
    let digests: String = own.iter().flat_map(|(_, digest)| ["\n", digest]).collect();
    let line = Digest::of(format!("{folder}\n{}{digests}", join(argv)).as_bytes()).as_str().to_owned();
    let file = file();
    let known = file.as_ref().and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
    if known.lines().any(|other| other == line) {
        return Ok(());
    }
    let answer = Prompt::ask(&format!(
        "\nThe inventory in {folder} takes a secret from a program on this machine:\n\n  {}\n\nRun it, now and from now on{}? [yes/no] ",
        neutralise(&join(argv)),
        match &own[..] {
            [] => String::new(),
            files => {
                let names: Vec<String> = files.iter().map(|(name, _)| neutralise(name)).collect();
                format!(", until {} changes", names.join(" or "))
            }
        }
    ));
    match answer {
        Some(answer) if answer.trim().eq_ignore_ascii_case("yes") => {
            if let Some(file) = file {
                // Where it cannot be written down, it is asked again the next time.
                let _ = remember(&file, &line);
            }
            Ok(())
        }
        _ => Err(Error::config(format!("`{}` is not trusted", join(argv)))
            .cause("a secret of this inventory comes from it, and nobody has said yet that it may run here")
            .hint(format!(
                "say yes at a terminal, or set {VARIABLE}=1 where you trust the checkout, as in CI"
            ))),
    }
}

/// What comes with the inventory and is the program, or one of its arguments; and what that holds now.
fn own_files<'a>(argv: &'a [String], folder: &Path) -> Vec<(&'a str, String)> {
    let digest = |word: &'a String| {
        let path = folder.join(word);
        // What is installed elsewhere is the operator's own business.
        let is_own = path.starts_with(folder) && path.is_file();
        let held =
            || std::fs::read(&path).map_or_else(|e| e.to_string(), |b| Digest::of(&b).as_str().to_owned());
        is_own.then(|| (word.as_str(), held()))
    };
    argv.iter().filter_map(digest).collect()
}

fn file() -> Option<PathBuf> {
    Some(state::folder()?.join("trusted-commands"))
}

fn remember(file: &Path, line: &str) -> std::io::Result<()> {
    private_folder(file.parent().unwrap_or(Path::new(".")))?;
    drop(private_file(file)?);
    writeln!(std::fs::OpenOptions::new().append(true).open(file)?, "{line}")
}
