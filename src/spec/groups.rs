//! Groups of groups: who is in which, outermost first, without cycles.

use std::collections::BTreeSet;

use crate::spec::inventory::{Group, Inventory, checked_name, expanded};
use crate::spec::mistake::Mistake;
use crate::spec::read::{Reader, Word};
use crate::spec::suggest::advice;

/// Fills `member_of` of every host. Parents come before children, siblings as in the file.
pub fn resolve(inventory: &mut Inventory, reader: &mut Reader<'_>) {
    undeclared(inventory, reader);
    let children = edges(inventory, reader);
    let children = acyclic(inventory, &children, reader);
    let depth = depths(&children);
    let mut direct: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); inventory.hosts.len()];
    for (host, groups) in inventory.hosts.iter().zip(&mut direct) {
        let known = host.groups.iter().filter_map(|word| find_group(inventory, word, reader));
        groups.extend(known);
        if inventory.groups.iter().any(|group| group.name == host.name.as_str()) {
            let message = format!("`{}` is a host and a group", host.name);
            reader.mistake(&host.span, message, "expected a name that no group has");
        }
    }
    listed(inventory, &mut direct, reader);
    for (host, mut groups) in inventory.hosts.iter_mut().zip(direct) {
        // Until nothing is added: a parent of every group that it is in.
        loop {
            let before = groups.len();
            for (parent, below) in children.iter().enumerate() {
                if below.iter().any(|(child, _)| groups.contains(child)) {
                    groups.insert(parent);
                }
            }
            if groups.len() == before {
                break;
            }
        }
        host.member_of = groups.into_iter().collect();
        host.member_of.sort_by_key(|group| (depth[*group], *group));
    }
}

/// Groups that only hosts name are there by that, unless the name looks like a slip of the pen: then it stays
/// unknown, and is reported as such.
fn undeclared(inventory: &mut Inventory, reader: &mut Reader<'_>) {
    let declared = inventory.groups.len();
    for word in inventory.hosts.iter().flat_map(|host| host.groups.clone()).collect::<Vec<_>>() {
        let known = inventory.groups.iter().any(|group| group.name == word.text);
        let slip = inventory.groups[..declared].iter().any(|group| is_slip(&word.text, &group.name));
        if !known && !slip && is_name(&word, reader) {
            inventory.groups.push(Group::named(word.text));
        }
    }
}

/// One letter differs. Names that differ in their numbers only are meant to.
fn is_slip(wrong: &str, name: &str) -> bool {
    let letters = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    wrong != name && strsim::damerau_levenshtein(wrong, name) == 1 && letters(wrong) != letters(name)
}

fn is_name(word: &Word, reader: &mut Reader<'_>) -> bool {
    checked_name(word.text.clone(), &word.span, reader).is_some()
}

/// Hosts that groups list themselves.
fn listed(inventory: &Inventory, direct: &mut [BTreeSet<usize>], reader: &mut Reader<'_>) {
    for (index, group) in inventory.groups.iter().enumerate() {
        for word in &group.hosts {
            for name in expanded(&word.text, &word.span, reader).unwrap_or_default() {
                match inventory.hosts.iter().position(|host| host.name.as_str() == name) {
                    Some(host) => {
                        direct[host].insert(index);
                    }
                    None => unknown_host(inventory, &name, word, reader),
                }
            }
        }
    }
}

type Edges = Vec<Vec<(usize, Word)>>;

fn edges(inventory: &Inventory, reader: &mut Reader<'_>) -> Edges {
    let child =
        |word: &Word, reader: &mut Reader<'_>| Some((find_group(inventory, word, reader)?, word.clone()));
    let below = inventory.groups.iter();
    below.map(|group| group.children.iter().filter_map(|word| child(word, reader)).collect()).collect()
}

fn find_group(inventory: &Inventory, word: &Word, reader: &mut Reader<'_>) -> Option<usize> {
    let found = inventory.groups.iter().position(|group| group.name == word.text);
    if found.is_none() {
        let help =
            advice(&word.text, inventory.groups.iter().map(|group| group.name.as_str()), "the groups are")
                .filter(|help| help.starts_with("did you mean"))
                .unwrap_or_else(|| format!("add `[groups.{}]`; it may be empty", word.text));
        reader.mistakes.push(
            Mistake::at(reader.file, word.span.clone(), format!("there is no group `{}`", word.text))
                .label("not a group of this inventory")
                .help(help),
        );
    }
    found
}

fn unknown_host(inventory: &Inventory, name: &str, word: &Word, reader: &mut Reader<'_>) {
    let help = advice(name, inventory.hosts.iter().map(|host| host.name.as_str()), "the hosts are")
        .filter(|help| help.starts_with("did you mean"))
        .unwrap_or_else(|| format!("add `[hosts.\"{}\"]`", word.text));
    reader.mistakes.push(
        Mistake::at(reader.file, word.span.clone(), format!("there is no host `{name}`"))
            .label("not a host of this inventory")
            .help(help),
    );
}

/// The edges without those that lead back up, each of which is reported.
fn acyclic(inventory: &Inventory, edges: &Edges, reader: &mut Reader<'_>) -> Edges {
    let mut kept: Edges = vec![vec![]; edges.len()];
    for (parent, below) in edges.iter().enumerate() {
        for (child, word) in below {
            if *child == parent || reaches(&kept, *child, parent) {
                let (above, name) = (&inventory.groups[parent].name, &word.text);
                let message = format!("the groups `{above}` and `{name}` contain each other");
                let message =
                    if child == &parent { format!("the group `{name}` contains itself") } else { message };
                reader.mistake(&word.span, message, "this closes the circle");
            } else {
                kept[parent].push((*child, word.clone()));
            }
        }
    }
    kept
}

fn reaches(edges: &Edges, from: usize, to: usize) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(group) = open.pop() {
        if group == to {
            return true;
        }
        if seen.insert(group) {
            open.extend(edges[group].iter().map(|(child, _)| *child));
        }
    }
    false
}

/// The longest way down to each group from one that no other contains.
fn depths(edges: &Edges) -> Vec<usize> {
    let mut depth = vec![0; edges.len()];
    // Without cycles, no way is longer than there are groups.
    for _ in 0..edges.len() {
        for (parent, below) in edges.iter().enumerate() {
            for (child, _) in below {
                depth[*child] = depth[*child].max(depth[parent] + 1);
            }
        }
    }
    depth
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::spec::inventory::Inventory;
    use crate::spec::mistake::Mistakes;
    use crate::spec::model::Connection;
    use crate::spec::source::TextFile;

    fn parse(text: &str) -> (Inventory, Vec<String>) {
        let mut mistakes = Mistakes::default();
        let inventory = Inventory::parse(&Arc::new(TextFile::new("inventory.toml", text)), &mut mistakes);
        (inventory, mistakes.list.into_iter().map(|mistake| mistake.message).collect())
    }

    #[test]
    fn parents_come_before_children_and_settings_follow() {
        let (inventory, mistakes) = parse(
            r#"
            defaults = { user = "a", port = 1 }
            [groups.leaf]
            user = "leaf"
            [groups.top]
            user = "top"
            port = 2
            children = ["mid"]
            [groups.mid]
            children = ["leaf"]
            hosts = ["m[1:2]"]
            [hosts."m[1:2]"]
            address = "10.0.0.[11:12]"
            [hosts.l]
            groups = ["leaf"]
            key = "~/.ssh/l"
            "#,
        );
        assert_eq!(mistakes, Vec::<String>::new());
        let [m1, m2, l] = inventory.hosts.as_slice() else { panic!("three hosts") };
        assert_eq!(inventory.group_names(l), ["top", "mid", "leaf"]);
        assert_eq!(inventory.group_names(m1), ["top", "mid"]);
        assert_eq!(m2.address, "10.0.0.12");
        let Connection::Ssh(ssh) = inventory.resolved(l).connection else { panic!("ssh") };
        assert_eq!((ssh.user.as_deref(), ssh.port, ssh.address.as_str()), (Some("leaf"), Some(2), "l"));
        assert_eq!(ssh.key.as_deref(), Some("~/.ssh/l"));
    }

    #[test]
    fn a_group_that_only_hosts_name_is_there_unless_it_looks_misspelt() {
        let (inventory, mistakes) = parse(
            r#"
            [groups.web]
            [groups.eu1]
            [groups.all-eu]
            children = ["eu2"]
            [hosts.x]
            groups = ["web", "db", "eu2"]
            [hosts.y]
            groups = ["wbe"]
            [hosts.z]
            groups = ["db", "all"]
            "#,
        );
        assert_eq!(inventory.group_names(&inventory.hosts[0]), ["web", "all-eu", "db", "eu2"]);
        assert_eq!(inventory.group_names(&inventory.hosts[2]), ["db"]);
        let [all, slip, ..] = mistakes.as_slice() else { panic!("{mistakes:#?}") };
        assert!(all.contains("`all`") && slip.contains("no group `wbe`"), "{mistakes:#?}");
    }

    #[test]
    fn circles_and_unknown_names_are_all_reported() {
        let (_, mistakes) = parse(
            r#"
            [groups.a]
            children = ["b", "bb2x"]
            [groups.b]
            children = ["a", "b"]
            [hosts.x]
            groups = ["aa"]
            [hosts."x[1:2]"]
            [hosts.x2]
            [groups.c]
            hosts = ["nobody"]
            "#,
        );
        let expected = [
            "no group `bb2x`",
            "contain each other",
            "contains itself",
            "no group `aa`",
            "no host `nobody`",
            "twice",
        ];
        for text in expected {
            assert!(mistakes.iter().any(|mistake| mistake.contains(text)), "{text}: {mistakes:#?}");
        }
        assert_eq!(mistakes.len(), expected.len(), "{mistakes:#?}");
    }
}
