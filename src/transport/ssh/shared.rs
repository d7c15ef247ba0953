//! What all hosts of a run share: options, keys, the ssh configuration, known hosts, jump hosts, gates.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OnceCell, Semaphore};

use crate::transport::ssh::client::Session;
use crate::transport::ssh::config::{
    Answers, Inherited, Operator, Target, Wanted, ask_ssh, target, worth_asking,
};
use crate::transport::ssh::gate::Gates;
use crate::transport::ssh::keys::Keyring;
use crate::transport::ssh::known_hosts::Known;
use crate::transport::ssh::{Ask, Options, UnknownKey};
use crate::words::error::Result;

/// The hops, nearest first, and what they inherit.
type Chain = (Vec<String>, Inherited);
type Slot = Arc<tokio::sync::Mutex<Weak<Session>>>;

pub struct Shared {
    pub options: Options,
    pub keyring: Keyring,
    pub gates: Gates,
    /// Bounds the blocks of files that are in memory, over all hosts.
    pub blocks: Semaphore,
    pub unknown: Mutex<Vec<UnknownKey>>,
    operator: Operator,
    ask_config: bool,
    configs: Mutex<HashMap<Wanted, Arc<OnceCell<Answers>>>>,
    /// `ssh -G` is a process: a few at once.
    lookups: Semaphore,
    known: Mutex<HashMap<Vec<PathBuf>, Arc<Known>>>,
    jumps: Mutex<HashMap<Chain, Slot>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl Shared {
    pub fn new(options: Options, ask: Arc<dyn Ask>) -> Shared {
        let operator = Operator::of_this_process(options.agent, options.agent_socket.clone());
        Shared {
            keyring: Keyring::new(ask).knowing(&options.keys),
            gates: Gates::new(options.handshakes),
            blocks: Semaphore::new(256),
            unknown: Mutex::default(),
            ask_config: options.ssh_config && worth_asking(&operator.home),
            operator,
            configs: Mutex::default(),
            lookups: Semaphore::new(8),
            known: Mutex::default(),
            jumps: Mutex::default(),
            options,
        }
    }

    pub async fn resolve(&self, wanted: &Wanted) -> Result<Target> {
        if !self.ask_config {
            return target(wanted, &Answers::default(), &self.operator);
        }
        // What ssh answers depends on these three only.
        let question = Wanted { key: None, jump: None, known_hosts: None, ..wanted.clone() };
        let cell = {
            let mut configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(configs.entry(question.clone()).or_default())
        };
        let answers = cell.get_or_try_init(|| async {
            let _place = self.lookups.acquire().await.ok();
            Ok::<_, crate::words::error::Error>(ask_ssh(&question).await?.unwrap_or_default())
        });
        target(wanted, answers.await?, &self.operator)
    }

    /// The first one is where new keys go.
    pub fn known_files(&self, target: &Target) -> Vec<PathBuf> {
        match &target.known_hosts {
            None => self.options.known_hosts.clone(),
            Some(own) => own.iter().chain(self.options.known_hosts.iter().skip(1)).cloned().collect(),
        }
    }

    pub fn known(&self, target: &Target) -> Arc<Known> {
        let files = self.known_files(target);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(files).or_insert_with_key(|files| Arc::new(Known::read(files))))
    }

    /// The files have changed.
    pub fn forget_known(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// `~` in a path that the inventory names.
    pub fn expand(&self, path: &str) -> PathBuf {
        path.strip_prefix("~/").map_or_else(|| path.into(), |rest| self.operator.home.join(rest))
    }

    pub fn jump_slot(&self, chain: Chain) -> Slot {
        let mut jumps = self.jumps.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(jumps.entry(chain).or_default())
    }
}
