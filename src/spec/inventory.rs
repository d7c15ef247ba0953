//! The inventory: hosts, ranges of hosts, groups of groups, and how to connect to each.

use std::sync::Arc;

use crate::spec::groups;
use crate::spec::hidden;
use crate::spec::mistake::{Mistake, Mistakes};
use crate::spec::model::{Host, Vars};
use crate::spec::range;
use crate::spec::read::{Reader, Word};
use crate::spec::secrets;
use crate::spec::set::Known;
use crate::spec::settings::{self, SETTINGS, Settings};
use crate::spec::source::{self, Entry, Node, Span, TextFile};
use crate::spec::vars::{Templates, check_reserved};
use crate::words::names::HostName;

const SECTIONS: &[&str] = &["defaults", "vars", "secrets", "groups", "hosts"];

#[derive(Debug)]
pub struct Inventory {
    pub file: Arc<TextFile>,
    pub vars: Option<Node>,
    pub secrets: Vec<Entry>,
    pub groups: Vec<Group>,
    pub hosts: Vec<Entity>,
    defaults: Settings,
}

#[derive(Debug)]
pub struct Group {
    pub name: String,
    pub children: Vec<Word>,
    pub hosts: Vec<Word>,
    pub vars: Option<Node>,
    pub settings: Settings,
}

impl Group {
    pub fn named(name: String) -> Group {
        Group { name, children: vec![], hosts: vec![], vars: None, settings: Settings::default() }
    }
}

/// A host as written; several share their variables when they come from one range.
#[derive(Debug)]
pub struct Entity {
    pub name: HostName,
    pub span: Span,
    pub address: String,
    /// As written, then resolved: every group it is in, outermost first.
    pub groups: Vec<Word>,
    pub member_of: Vec<usize>,
    pub vars: Option<Arc<Node>>,
    settings: Settings,
}

impl Inventory {
    /// The operator's own machine, for when no inventory is given.
    pub fn localhost() -> Inventory {
        let file = Arc::new(TextFile::new("(no inventory)", "[hosts.localhost]\nconnection = \"local\"\n"));
        Inventory::parse(&file, &mut Mistakes::default())
    }

    pub fn parse(file: &Arc<TextFile>, mistakes: &mut Mistakes) -> Inventory {
        let root = source::parse(file, mistakes);
        let mut inventory = Inventory {
            file: file.clone(),
            vars: None,
            secrets: vec![],
            groups: vec![],
            hosts: vec![],
            defaults: Settings::default(),
        };
        let mut reader = Reader { file, mistakes };
        for entry in root.entries() {
            inventory.section(entry, &mut reader);
        }
        groups::resolve(&mut inventory, &mut reader);
        inventory
    }

    fn section(&mut self, entry: &Entry, reader: &mut Reader<'_>) {
        reader.mistakes.hide(reader.file, hidden::misplaced(entry));
        if !SECTIONS.contains(&entry.key.as_str()) {
            return reader.unknown_key(entry, SECTIONS, "the inventory");
        }
        let Some(entries) = reader.table(entry) else { return };
        match entry.key.as_str() {
            "vars" => {
                check_reserved(entries, reader);
                self.vars = Some(entry.node.clone());
            }
            "secrets" => self.secrets = secrets::checked(entries, reader),
            "groups" => self.groups = entries.iter().filter_map(|entry| group(entry, reader)).collect(),
            "hosts" => entries.iter().for_each(|entry| self.host(entry, reader)),
            _ => {
                for entry in entries {
                    if !self.defaults.read(entry, reader) {
                        reader.unknown_key(entry, SETTINGS, "`[defaults]`");
                    }
                }
            }
        }
    }

    fn host(&mut self, entry: &Entry, reader: &mut Reader<'_>) {
        let Some(entries) = reader.table(entry) else { return };
        let (mut settings, mut address, mut groups, mut vars) = (Settings::default(), None, vec![], None);
        for key in entries {
            match key.key.as_str() {
                "address" => {
                    address = settings::address(key, reader).map(|text| (text, key.node.span.clone()));
                }
                "groups" => groups = reader.words(key),
                "vars" => vars = vars_table(key, reader).map(Arc::new),
                _ if settings.read(key, reader) => {}
                _ => {
                    let keys = [&["address", "groups", "vars"], SETTINGS].concat();
                    reader.unknown_key(key, &keys, &format!("host `{}`", entry.key));
                }
            }
        }
        let Some(names) = expanded(&entry.key, &entry.key_span, reader) else { return };
        let addresses = match address {
            Some((text, span)) => addresses(&text, &span, names.len(), reader),
            None => names.clone(),
        };
        for (name, address) in names.into_iter().zip(addresses) {
            let Some(name) = checked_name(name, &entry.key_span, reader) else { return };
            self.add(
                Entity {
                    name,
                    span: entry.key_span.clone(),
                    address,
                    groups: groups.clone(),
                    member_of: vec![],
                    vars: vars.clone(),
                    settings: settings.clone(),
                },
                reader,
            );
        }
    }

    fn add(&mut self, host: Entity, reader: &mut Reader<'_>) {
        if let Some(first) = self.hosts.iter().find(|known| known.name == host.name) {
            let line = self.file.line(first.span.start);
            reader.mistakes.push(
                Mistake::at(reader.file, host.span, format!("the host `{}` is there twice", host.name))
                    .label("again here")
                    .help(format!("the first one is in line {line}: keep one of them")),
            );
            return;
        }
        self.hosts.push(host);
    }

    /// The host as the run sees it: defaults, then its groups from the outermost, then its own settings.
    pub fn resolved(&self, host: &Entity) -> Host {
        let mut settings = self.defaults.clone();
        host.member_of.iter().for_each(|group| settings.overlay(&self.groups[*group].settings));
        settings.overlay(&host.settings);
        let connection = settings.connection(&host.address);
        Host { name: host.name.clone(), groups: self.group_names(host), connection, vars: Vars::default() }
    }

    /// Every variable of every host.
    pub fn known(&self, templates: &Templates) -> Known {
        let mut known = Known::default();
        let groups = self.groups.iter().map(|group| group.vars.as_ref());
        let hosts = self.hosts.iter().map(|host| host.vars.as_deref());
        let layers = std::iter::once(self.vars.as_ref()).chain(groups).chain(hosts);
        layers.flatten().for_each(|node| known.add(node, templates));
        known
    }

    pub fn group_names(&self, host: &Entity) -> Vec<String> {
        host.member_of.iter().map(|group| self.groups[*group].name.clone()).collect()
    }
}

fn group(entry: &Entry, reader: &mut Reader<'_>) -> Option<Group> {
    let entries = reader.table(entry)?;
    if entry.key == "all" {
        reader.mistake(
            &entry.key_span,
            "`all` already stands for every host",
            "for all hosts, use `[vars]` and `[defaults]`",
        );
        return None;
    }
    checked_name(entry.key.clone(), &entry.key_span, reader)?;
    let mut group = Group::named(entry.key.clone());
    for key in entries {
        match key.key.as_str() {
            "children" => group.children = reader.words(key),
            "hosts" => group.hosts = reader.words(key),
            "vars" => group.vars = vars_table(key, reader),
            _ if group.settings.read(key, reader) => {}
            _ => {
                let keys = [&["children", "hosts", "vars"], SETTINGS].concat();
                reader.unknown_key(key, &keys, &format!("group `{}`", entry.key));
            }
        }
    }
    Some(group)
}

pub fn expanded(pattern: &str, span: &Span, reader: &mut Reader<'_>) -> Option<Vec<String>> {
    match range::expand(pattern) {
        Ok(names) => Some(names),
        Err(why) => {
            reader.mistake(span, why, "expected a range such as web[01:20]");
            None
        }
    }
}

fn addresses(text: &str, span: &Span, hosts: usize, reader: &mut Reader<'_>) -> Vec<String> {
    // `[2001:db8::1]` is an address; a range never has two colons side by side.
    if text.contains("::") || !text.contains('[') {
        return vec![text.to_owned(); hosts];
    }
    let addresses = expanded(text, span, reader).unwrap_or_default();
    if !addresses.is_empty() && addresses.len() != hosts {
        let message = format!("the address stands for {} hosts, the name for {hosts}", addresses.len());
        reader.mistake(span, message, "expected a range of the same length");
    }
    addresses
}

pub fn checked_name(name: String, span: &Span, reader: &mut Reader<'_>) -> Option<HostName> {
    let checked = match name.as_str() {
        "all" => Err("`all` already stands for every host".to_owned()),
        _ => HostName::new(name),
    };
    checked.map_err(|why| reader.mistake(span, why, "expected a name such as web1")).ok()
}

fn vars_table(entry: &Entry, reader: &mut Reader<'_>) -> Option<Node> {
    let entries = reader.table(entry)?;
    check_reserved(entries, reader);
    Some(entry.node.clone())
}
