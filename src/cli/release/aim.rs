//! What a run of an application is to do, and by whom.

use std::collections::BTreeSet;

use crate::cli::release::back::{Back, Schema};
use crate::cli::release::revision::Revision;
use crate::task::releases::intent::{Command, Intent};
use crate::task::releases::lock::Claim;

/// Which release.
#[derive(Debug)]
pub enum Aim {
    /// A new one, of this; or the one that an interrupted run has begun of the very same.
    Next(Revision),
    /// A new one in any case.
    Fresh(Revision),
    /// The one that a run has begun.
    Again(Box<Intent>, Revision),
    /// One that is there.
    Back(Back),
    /// What serves stays.
    Stay,
}

impl Aim {
    /// For people: what is done.
    pub fn told(&self) -> &'static str {
        match self {
            Aim::Next(_) | Aim::Fresh(_) | Aim::Again(..) => "deploy",
            Aim::Back(_) => "rollback",
            Aim::Stay => "restore",
        }
    }
}

/// What is to be done, by whom.
#[derive(Debug)]
pub struct Order {
    pub claim: Claim,
    pub aim: Aim,
    /// Looks only.
    pub plan: bool,
    /// The file name of the playbook.
    pub playbook: String,
    /// Names of variables of the command line.
    pub set: BTreeSet<String>,
}

impl Order {
    /// `None` for what is about no release.
    pub fn command(&self) -> Option<Command> {
        match &self.aim {
            Aim::Next(_) | Aim::Fresh(_) | Aim::Again(..) => Some(Command::Deploy),
            Aim::Back(back) => Some(match back.schema {
                Schema::Restored => Command::Restore,
                Schema::Down => Command::Down,
                Schema::Same | Schema::Compatible => Command::Rollback,
            }),
            Aim::Stay => None,
        }
    }
}
