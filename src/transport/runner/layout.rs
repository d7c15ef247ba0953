//! How the files of a batch are put in place: one by one, or a whole folder's at once, so that five hundred
//! small files cost a few processes and not a thousand. Pure.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::transport::runner::PATHS_AT_ONCE;
use crate::transport::runner::blobs::SMALL;
use crate::words::action::{Action, Owner};
use crate::words::content::Content;
use crate::words::names::{FileMode, RemotePath};

/// Fewer files than this in one folder are not worth a temporary folder.
const WORTH_IT: usize = 3;
/// Packed into one archive at most.
const MOST_PACKED: u64 = 32 << 20;

/// Files that go into one folder, with one owner.
#[derive(Debug)]
pub struct Folder<'a> {
    /// Names it among the folders of the batch.
    pub key: usize,
    pub parent: RemotePath,
    pub owner: &'a Owner,
    pub files: Vec<File<'a>>,
}

#[derive(Debug)]
pub struct File<'a> {
    /// The action's place in the batch.
    pub id: usize,
    pub name: &'a str,
    pub content: &'a Content,
    pub mode: FileMode,
}

/// Files that are alone, or nearly so, in their folders.
#[derive(Debug)]
pub struct Together<'a> {
    /// Names it among the archives of the batch.
    pub key: usize,
    pub files: Vec<Placed<'a>>,
}

#[derive(Debug)]
pub struct Placed<'a> {
    pub id: usize,
    pub path: &'a RemotePath,
    pub content: &'a Content,
    pub mode: FileMode,
    pub owner: &'a Owner,
}

/// Consecutive installs, and how each is done.
#[derive(Debug, Default)]
pub struct Group<'a> {
    pub folders: Vec<Folder<'a>>,
    pub together: Option<Together<'a>>,
    /// The others, by their places.
    pub single: Vec<usize>,
    pub first: usize,
    /// One behind the last.
    pub end: usize,
}

impl Group<'_> {
    /// The places of the files that travel in an archive of their own, not by their digests.
    pub fn in_archives(&self) -> impl Iterator<Item = usize> {
        let of_folders = self.folders.iter().flat_map(|folder| &folder.files).map(|file| file.id);
        of_folders.chain(self.together.iter().flat_map(|together| &together.files).map(|file| file.id))
    }
}

/// The groups of consecutive installs among `actions`.
pub fn groups(actions: &[Action]) -> Vec<Group<'_>> {
    let mut groups = vec![];
    let (mut at, mut room, mut key) = (0, MOST_PACKED, 0);
    while at < actions.len() {
        let run = actions[at..].iter().take_while(|action| matches!(action, Action::Install { .. })).count();
        if run == 0 {
            at += 1;
            continue;
        }
        groups.push(group(actions, at..at + run, &mut room, &mut key));
        at += run;
    }
    groups
}

fn group<'a>(actions: &'a [Action], places: Range<usize>, room: &mut u64, key: &mut usize) -> Group<'a> {
    let mut folders: Vec<Folder<'a>> = vec![];
    let (mut by_place, mut names) = (HashMap::new(), HashSet::new());
    for id in places.clone() {
        let Action::Install { path, content, mode, owner } = &actions[id] else { continue };
        let Some(parent) =
            path.parent().filter(|_| plain(*mode) && content.len <= SMALL && content.len <= *room)
        else {
            continue;
        };
        let file = File { id, name: path.file_name(), content, mode: mode.unwrap_or(FileMode(0o644)) };
        // Twice the same name: the second goes by itself, after the first.
        if !names.insert(path) {
            continue;
        }
        let at = by_place.entry((parent.clone(), owner_key(owner))).or_insert(usize::MAX);
        if folders.get(*at).is_none_or(|folder: &Folder<'_>| folder.files.len() >= PATHS_AT_ONCE) {
            *at = folders.len();
            folders.push(Folder { key: 0, parent, owner, files: vec![] });
        }
        let at = *at;
        *room -= content.len;
        folders[at].files.push(file);
    }
    folders.retain(|folder| folder.files.len() >= WORTH_IT);
    for folder in &mut folders {
        folder.key = *key;
        *key += 1;
    }
    let of_folders: HashSet<usize> =
        folders.iter().flat_map(|folder| &folder.files).map(|file| file.id).collect();
    let (first, end) = (places.start, places.end);
    let (together, single) = together(actions, places.filter(|id| !of_folders.contains(id)), room, key);
    Group { folders, together, single, first, end }
}

/// Those that go into one archive, and the places of the others.
fn together<'a>(
    actions: &'a [Action],
    places: impl Iterator<Item = usize>,
    room: &mut u64,
    key: &mut usize,
) -> (Option<Together<'a>>, Vec<usize>) {
    let (mut files, mut single) = (vec![], vec![]);
    for id in places {
        match &actions[id] {
            Action::Install { path, content, mode, owner }
                if plain(*mode) && content.len <= SMALL && content.len <= *room =>
            {
                *room -= content.len;
                let mode = mode.unwrap_or(FileMode(0o644));
                files.push(Placed { id, path, content, mode, owner });
            }
            _ => single.push(id),
        }
    }
    if files.len() < WORTH_IT {
        *room += files.iter().map(|file| file.content.len).sum::<u64>();
        single.extend(files.iter().map(|file| file.id));
        return (None, single);
    }
    *key += 1;
    (Some(Together { key: *key - 1, files }), single)
}

/// How many folders from this place on are alike, so that one process can make them.
pub fn alike(actions: &[Action], from: usize) -> usize {
    let about = |action: &'_ Action| match action {
        Action::MakeDir { mode, owner, .. } => Some((*mode, owner_key(owner))),
        _ => None,
    };
    let first = about(&actions[from]);
    let same = |action: &&Action| first.is_some() && about(action) == first;
    actions[from..].iter().take(PATHS_AT_ONCE).take_while(same).count()
}

/// Without setuid and its like, which a change of owner takes away.
fn plain(mode: Option<FileMode>) -> bool {
    mode.is_none_or(|mode| mode.0 & 0o7000 == 0)
}

fn owner_key(owner: &Owner) -> (Option<String>, Option<String>) {
    (owner.user.as_ref().map(ToString::to_string), owner.group.as_ref().map(ToString::to_string))
}

#[cfg(test)]
mod tests {
    use super::{alike, groups};
    use crate::words::action::{Action, Owner};
    use crate::words::content::Content;
    use crate::words::names::{FileMode, RemotePath};

    fn install(path: &str) -> Action {
        Action::Install {
            path: RemotePath::new(path).unwrap(),
            content: Content::text(path),
            mode: None,
            owner: Owner::default(),
        }
    }

    #[test]
    fn a_folder_with_several_files_is_one_unit_and_a_repeated_name_is_not_in_it() {
        let actions: Vec<Action> = ["/a/1", "/b/1", "/a/2", "/a/3", "/a/1"].map(install).into();
        let groups = groups(&actions);
        let [group] = &groups[..] else { panic!("{groups:?}") };
        assert_eq!(group.folders[0].files.iter().map(|file| file.id).collect::<Vec<_>>(), [0, 2, 3]);
        assert_eq!((group.single.as_slice(), group.end), (&[1, 4][..], 5));
    }

    #[test]
    fn files_of_many_folders_travel_together_and_large_ones_or_those_with_setuid_by_themselves() {
        let mut actions: Vec<Action> = ["/a/1", "/b/1", "/c/1", "/d/1"].map(install).into();
        if let Action::Install { mode, .. } = &mut actions[3] {
            *mode = Some(FileMode(0o4755));
        }
        let groups = groups(&actions);
        let [group] = &groups[..] else { panic!("{groups:?}") };
        assert_eq!(group.in_archives().collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(group.single, [3]);
    }

    #[test]
    fn folders_that_are_alike_are_made_by_one_process() {
        let make = |mode| Action::MakeDir {
            path: RemotePath::new("/x").unwrap(),
            mode: Some(FileMode(mode)),
            owner: Owner::default(),
        };
        let actions = [make(0o755), make(0o755), make(0o700), install("/a/1")];
        assert_eq!([0, 2, 3].map(|from| alike(&actions, from)), [2, 1, 0]);
    }

    #[test]
    fn what_is_not_an_install_divides() {
        let between = Action::Remove { path: RemotePath::new("/x").unwrap(), recursive: false };
        let actions = [install("/a/1"), between, install("/a/2")];
        assert_eq!(groups(&actions).iter().map(|group| group.first).collect::<Vec<_>>(), [0, 2]);
    }
}
