//! Files, folders and links as shell: several at once where that costs fewer processes. Pure.

use std::fmt::Write as _;
use std::ops::Range;

use crate::transport::runner::PATHS_AT_ONCE;
use crate::transport::runner::blobs::SMALL;
use crate::transport::runner::layout::{Folder, Group, Together};
use crate::words::action::{Action, Owner};
use crate::words::content::{Content, Digest};
use crate::words::names::{FileMode, RemotePath};
use crate::words::shell::{join, quote};

/// Folders that are filled at the same time.
const AT_ONCE: usize = 16;

/// Consecutive installs: everything is prepared under temporary names, made durable, and only then renamed.
pub fn install_group(out: &mut String, actions: &[Action], group: &Group<'_>, tag: &str) {
    for (number, folder) in group.folders.iter().enumerate() {
        let _ = writeln!(out, "_g {}", folder_words(folder, tag, Some(&owner_words(folder.owner))));
        if (number + 1) % AT_ONCE == 0 || number + 1 == group.folders.len() {
            out.push_str("_y\n");
        }
    }
    let mut renames = vec![];
    if let Some(together) = &group.together {
        extract(out, together, tag);
        renames.extend(together.files.iter().map(|file| (file.id, file.path)));
    }
    for &id in &group.single {
        let Action::Install { path, content, mode, owner } = &actions[id] else { continue };
        let temporary = quote(&temporary(path, tag, id));
        let (mode, owner) = (mode.unwrap_or(FileMode(0o644)), quote(&owner_words(owner)));
        let how = if moves(actions, content) { "_l" } else { "_i" };
        let _ = writeln!(out, "{how} {id} {} {temporary} {mode} {owner}", content.digest().as_str());
        renames.push((id, path));
    }
    // Of two with the same name, the later one counts.
    renames.sort_by_key(|(id, _)| *id);
    let names = |(id, path): &(usize, &RemotePath)| quote(&temporary(path, tag, *id));
    for renames in renames.chunks(PATHS_AT_ONCE) {
        let all = renames.iter().map(names).collect::<Vec<_>>().join(" ");
        let _ = writeln!(out, "[ $_F != 0 ] || sync {all} 2>/dev/null </dev/null");
    }
    for folder in &group.folders {
        let _ = writeln!(out, "_h {}", folder_words(folder, tag, None));
    }
    for (id, path) in &renames {
        let _ = writeln!(out, "_j {id} {} {}", names(&(*id, path)), quote(path.as_str()));
    }
    let _ = writeln!(out, "_n {} {}", group.first, group.end);
}

/// The words that tell a function of the prelude of a folder: who is blamed, the archive, where, whose, which files.
fn folder_words(folder: &Folder<'_>, tag: &str, owner: Option<&str>) -> String {
    let names = join(folder.files.iter().map(|file| format!("./{}", file.name)));
    let owner = owner.map_or_else(String::new, |owner| format!(" {}", quote(owner)));
    let (key, parent) = (archive_name(tag, folder.key), quote(folder.parent.as_str()));
    format!("{} {key} {parent}{owner} {names}", folder.files[0].id)
}

/// Files of many folders, each under its temporary name, by one process; then their owners, by one for each owner.
fn extract(out: &mut String, together: &Together<'_>, tag: &str) {
    let mut owners: Vec<(String, Vec<String>)> = vec![];
    let mut all = String::new();
    for file in &together.files {
        let temporary = quote(&temporary(file.path, tag, file.id));
        let _ = write!(all, " {} {temporary}", file.id);
        let owner = owner_words(file.owner);
        match owners.iter_mut().find(|(known, _)| *known == owner) {
            Some((_, files)) => files.push(temporary),
            None => owners.push((owner, vec![temporary])),
        }
    }
    let _ = writeln!(out, "_x {}{all}", archive_name(tag, together.key));
    let blamed = together.files[0].id;
    for (owner, files) in owners.iter().filter(|(owner, _)| !owner.is_empty()) {
        for files in files.chunks(PATHS_AT_ONCE) {
            let (owner, files) = (quote(owner), files.join(" "));
            let _ = writeln!(out, "[ $_F != 0 ] || chown -h {owner} -- {files} </dev/null || _f $? {blamed}");
        }
    }
}

/// Consecutive folders that are alike.
pub fn make_folders(out: &mut String, actions: &[Action], places: Range<usize>) {
    let Action::MakeDir { mode, owner, .. } = &actions[places.start] else { return };
    let paths = actions[places.clone()].iter().filter_map(|action| match action {
        Action::MakeDir { path, .. } => Some(path.as_str()),
        _ => None,
    });
    let (mode, owner) = (mode.unwrap_or(FileMode(0o755)), quote(&owner_words(owner)));
    let _ = writeln!(out, "_d {} {} {mode} {owner} {}", places.start, places.end, join(paths));
}

/// Of an archive inside of the uploaded one, and, with a dot, of a folder beside the files that it will replace.
pub fn archive_name(tag: &str, key: usize) -> String {
    format!("tow-{}", unguessable(tag, &format!("folder-{key}")))
}

/// Who has seen one temporary name must not know the next: it could be taken before us.
fn unguessable(tag: &str, what: &str) -> String {
    Digest::of(format!("{tag} {what}").as_bytes()).as_str()[..32].to_owned()
}

/// A large file that only one action of the batch needs is moved out of the private folder, not copied.
pub fn moves(actions: &[Action], content: &Content) -> bool {
    let users =
        || actions.iter().flat_map(Action::contents).filter(|other| *other == content).take(2).count();
    content.len > SMALL && users() == 1
}

/// In the folder of `path`, so that the rename stays on one file system.
pub fn temporary(path: &RemotePath, tag: &str, id: usize) -> String {
    let parent =
        path.parent().map_or_else(String::new, |parent| parent.as_str().trim_end_matches('/').to_owned());
    format!("{parent}/.tow-{}", unguessable(tag, &id.to_string()))
}

fn owner_words(owner: &Owner) -> String {
    let user = owner.user.as_ref().map_or("", AsRef::as_ref);
    match &owner.group {
        Some(group) => format!("{user}:{group}"),
        None => user.to_owned(),
    }
}

/// An action that is over in a moment and needs no process group of its own.
pub fn small(action: &Action, tag: &str, id: usize) -> String {
    match action {
        Action::MakeDir { path, mode, owner } => {
            let mode = mode.unwrap_or(FileMode(0o755));
            let mkdir = format!("mkdir -m {mode} -- {}", quote(path.as_str()));
            chown(owner, path).map_or(mkdir.clone(), |chown| format!("{mkdir} && {chown}"))
        }
        Action::Link { path, target } => {
            let temporary = quote(&temporary(path, tag, id));
            format!("_k {} {temporary} {}", quote(target), quote(path.as_str()))
        }
        Action::SetAttributes { path, mode, owner } => {
            let quoted = quote(path.as_str());
            let chmod = mode.map(|mode| format!("[ ! -L {quoted} ] && chmod {mode} -- {quoted}"));
            let parts: Vec<String> = chown(owner, path).into_iter().chain(chmod).collect();
            if parts.is_empty() { "true".to_owned() } else { parts.join(" && ") }
        }
        Action::Remove { path, recursive } => {
            format!("rm {} -- {}", if *recursive { "-rf" } else { "-f" }, quote(path.as_str()))
        }
        Action::Install { .. } | Action::Run(_) => "true".to_owned(),
    }
}

fn chown(owner: &Owner, path: &RemotePath) -> Option<String> {
    (!owner.is_none()).then(|| format!("chown -h {} -- {}", quote(&owner_words(owner)), quote(path.as_str())))
}
