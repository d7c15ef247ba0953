//! How the files of a batch are put in place: one by one, or a whole folder's at once, so that five hundred
//! small files cost a few processes and not a thousand. Pure.

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

/// Consecutive installs, and how each is done.
#[derive(Debug, Default)]
pub struct Group<'a> {
    pub folders: Vec<Folder<'a>>,
    /// The others, by their places.
    pub single: Vec<usize>,
    pub first: usize,
    /// One behind the last.
    pub end: usize,
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

fn group<'a>(
    actions: &'a [Action],
    places: std::ops::Range<usize>,
    room: &mut u64,
    key: &mut usize,
) -> Group<'a> {
    let mut folders: Vec<Folder<'a>> = vec![];
    let mut by_place = std::collections::HashMap::new();
    for id in places.clone() {
        let Action::Install { path, content, mode, owner } = &actions[id] else { continue };
        let Some(parent) =
            path.parent().filter(|_| plain(*mode) && content.len <= SMALL && content.len <= *room)
        else {
            continue;
        };
        let file = File { id, name: path.file_name(), content, mode: mode.unwrap_or(FileMode(0o644)) };
        let at = *by_place.entry((parent.clone(), owner_key(owner))).or_insert_with(|| {
            folders.push(Folder { key: 0, parent, owner, files: vec![] });
            folders.len() - 1
        });
        // Twice the same name: the second goes by itself, after the first.
        if folders[at].files.iter().any(|known| known.name == file.name) {
            continue;
        }
        *room -= content.len;
        folders[at].files.push(file);
    }
    folders.retain(|folder| folder.files.len() >= WORTH_IT);
    for folder in &mut folders {
        folder.key = *key;
        *key += 1;
    }
    let together: std::collections::HashSet<usize> =
        folders.iter().flat_map(|folder| &folder.files).map(|file| file.id).collect();
    let single = places.clone().filter(|id| !together.contains(id)).collect();
    Group { folders, single, first: places.start, end: places.end }
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
    use super::groups;
    use crate::words::action::{Action, Owner};
    use crate::words::content::Content;
    use crate::words::names::RemotePath;

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
    fn what_is_not_an_install_divides() {
        let between = Action::Remove { path: RemotePath::new("/x").unwrap(), recursive: false };
        let actions = [install("/a/1"), between, install("/a/2")];
        assert_eq!(groups(&actions).iter().map(|group| group.first).collect::<Vec<_>>(), [0, 2]);
    }
}
