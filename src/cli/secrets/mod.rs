//! `tow secrets`: sets, shows, edits and lists what the project's encrypted file holds.

mod edit;
mod file;
mod keys;
mod other;
mod providers;
mod recipients;
mod trust;

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::cli::args::{SecretCommand, Secrets};
use crate::cli::playbook::inventory_path;
use crate::cli::prompt::Prompt;
use crate::cli::secrets::edit::Draft;
use crate::cli::secrets::file::VaultFile;
use crate::cli::{Ended, stop};
use crate::report::Pause;
use crate::report::out;
use crate::spec::vault::{Vault, check_name};
use crate::transport::{Ask as _, Keyring};
use crate::words::error::{Error, Result};
use crate::words::secret::{Mask, SHORTEST, Secret};

pub use edit::clear;
pub use providers::Edge;
pub use recipients::Recipients;

const MOST_BYTES: u64 = 256 << 10;

pub async fn run(args: &Secrets) -> Ended {
    // At Ctrl-C a prompt gives the terminal back as it was.
    drop(stop::listen());
    let inventory = inventory_path(args.inventory.as_deref());
    let file = VaultFile::beside(inventory);
    let prompt = Prompt::new(Pause::default(), Mask::default());
    let keyring = Keyring::new(Arc::new(prompt.clone()));
    match &args.command {
        SecretCommand::Set { name, refused } if refused.is_empty() => {
            set(&file, &keyring, &prompt, name).await?;
            warn(inventory, &file, name);
        }
        SecretCommand::Set { name, .. } => {
            return Err(Error::config("the value of a secret is no argument")
                .cause("everybody on this machine can read the arguments of programs, and the shell remembers them")
                .hint(format!("`tow secrets set {name}` asks for it, or reads it from standard input"))
                .into());
        }
        SecretCommand::Get { name } => {
            get(&file, &keyring, name).await?;
            warn(inventory, &file, name);
        }
        SecretCommand::Rm { name } => {
            let lock = file.lock()?;
            let opened = file.open(&keyring).await?;
            let vault = file.parse(opened.text.clone())?;
            let without = vault.without(name).ok_or_else(|| missing(&file, &vault, name))?;
            let to = file.replace(&opened, &without.map_err(|wrong| unwritable(&wrong))?, &lock)?;
            say(&format!("{}: {name} is gone; encrypted to {to}", file.name()));
        }
        SecretCommand::List => {
            let vault = file.parse(file.open(&keyring).await?.text)?;
            let names: Vec<String> = vault.entries().map(|(name, _)| format!("{name}\n")).collect();
            write(&names.iter().map(String::as_str).collect::<Vec<_>>());
        }
        SecretCommand::Edit => edit(&file, &keyring).await?,
    }
    Ok(0)
}

async fn set(file: &VaultFile, keyring: &Keyring, prompt: &Prompt, name: &str) -> Result<()> {
    check_name(name).map_err(Error::config)?;
    // Before anybody types anything.
    drop(file.lock()?);
    let value = value(name, prompt)?;
    let lock = file.lock()?;
    let opened = file.open_or_new(keyring).await?;
    let vault = file.parse(opened.text.clone())?;
    let vault = vault.with(name, &value).map_err(|wrong| unwritable(&wrong))?;
    let to = file.replace(&opened, &vault, &lock)?;
    say(&format!("{}: {name} is set; encrypted to {to}", file.name()));
    Ok(())
}

async fn get(file: &VaultFile, keyring: &Keyring, name: &str) -> Result<()> {
    let vault = file.parse(file.open(keyring).await?.text)?;
    let value = vault.value(name).ok_or_else(|| missing(file, &vault, name))?;
    let end = if value.reveal().ends_with('\n') { "" } else { "\n" };
    write(&[value.reveal(), end]);
    Ok(())
}

/// Where the inventory has that name from elsewhere, nothing follows from what is here.
fn warn(inventory: Option<&Path>, file: &VaultFile, name: &str) {
    if let Some(warning) = other::warning(inventory, &file.name(), name) {
        say(&warning);
    }
}

/// From a prompt that shows nothing, or from standard input without the line break at its end.
fn value(name: &str, prompt: &Prompt) -> Result<Secret> {
    let cannot =
        |why: &dyn std::fmt::Display| Error::config(format!("cannot set the secret `{name}`")).cause(why);
    let value = if std::io::stdin().is_terminal() {
        let asked = prompt.secret(&format!("value of {name}"));
        asked.ok_or_else(|| cannot(&"nothing was typed").hint("or pipe the value in"))?
    } else {
        let mut text = Zeroizing::new(String::new());
        let read = std::io::stdin().lock().take(MOST_BYTES + 1).read_to_string(&mut text);
        read.map_err(|error| cannot(&error))?;
        if text.len() as u64 > MOST_BYTES {
            return Err(cannot(&"it is larger than 256 KiB"));
        }
        let line =
            text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
        Secret::new(line.to_owned())
    };
    match value.reveal().len() {
        0 => Err(cannot(&"it is empty")),
        1..SHORTEST => {
            Err(cannot(&format!("it is shorter than {SHORTEST} characters, and could not be masked")))
        }
        _ => Ok(value),
    }
}

async fn edit(file: &VaultFile, keyring: &Keyring) -> Result<()> {
    drop(file.lock()?);
    let opened = file.open_or_new(keyring).await?;
    let begin = "# A secret a line, used as {{secrets.NAME}}:\n# db_password = \"…\"\n";
    let draft = Draft::new(if opened.text.is_empty() { begin } else { &opened.text })?;
    let vault = loop {
        let wrong = match Vault::parse(draft.edit().await?) {
            Ok(vault) => break vault,
            Err(wrong) => Error::config("this cannot be saved").cause(wrong.join("; ")),
        };
        say(&format!("error: {wrong}"));
        if !Prompt::agreed("Edit it again? [yes/no] ") {
            return Err(wrong.hint("nothing was changed; `tow secrets edit` begins again"));
        }
    };
    let to = file.replace(&opened, &vault, &file.lock()?)?;
    say(&format!("{}: saved; encrypted to {to}", file.name()));
    Ok(())
}

fn missing(file: &VaultFile, vault: &Vault, name: &str) -> Error {
    let near = vault.entries().map(|(known, _)| known).find(|known| strsim::osa_distance(known, name) <= 2);
    let hint = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`tow secrets list` shows the names".to_owned(),
    };
    Error::config(format!("there is no secret `{name}` in {}", file.name())).hint(hint)
}

fn unwritable(wrong: &[String]) -> Error {
    Error::bug("cannot write the secret").cause(wrong.join("; "))
}

fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn write(parts: &[&str]) {
    for part in parts {
        out::write(part);
    }
}
