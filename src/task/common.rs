//! What several kinds share: comparing mode and owner, one-or-many values.

use serde::de::IntoDeserializer as _;
use serde::{Deserialize, Deserializer};

use crate::words::action::Owner;
use crate::words::fact::Stat;
use crate::words::names::{FileMode, UserName};

/// `"a"` or `["a", "b"]`.
pub fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}

/// `""` is none, so that a variable of the inventory can leave it out.
pub fn none_if_empty<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    match Option::<String>::deserialize(deserializer)? {
        Some(text) if !text.is_empty() => T::deserialize(text.into_deserializer()).map(Some),
        _ => Ok(None),
    }
}

/// The lines that say how mode and owner differ from what is wanted; empty when they do not.
pub fn attribute_changes(stat: &Stat, mode: Option<FileMode>, owner: &Owner) -> Vec<String> {
    let mut what = vec![];
    if let Some(mode) = mode.filter(|mode| *mode != stat.mode) {
        what.push(format!("mode {} → {mode}", stat.mode));
    }
    let differs =
        |wanted: &Option<UserName>, has: &str| wanted.as_ref().filter(|name| name.as_str() != has).cloned();
    if let Some(user) = differs(&owner.user, &stat.owner) {
        what.push(format!("owner {} → {user}", stat.owner));
    }
    if let Some(group) = differs(&owner.group, &stat.group) {
        what.push(format!("group {} → {group}", stat.group));
    }
    what
}

/// What a path will look like once `mode` and `owner` are given to it.
pub fn with_attributes(stat: &Stat, mode: Option<FileMode>, owner: &Owner) -> Stat {
    Stat {
        mode: mode.unwrap_or(stat.mode),
        owner: owner.user.as_ref().map_or_else(|| stat.owner.clone(), ToString::to_string),
        group: owner.group.as_ref().map_or_else(|| stat.group.clone(), ToString::to_string),
        ..stat.clone()
    }
}
