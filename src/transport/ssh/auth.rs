//! Logging in: which identities are offered, in which order, and what is said when none was accepted.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use russh::MethodKind;
use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey};
use tokio::net::UnixStream;

use crate::transport::ssh::client::{Client, Seen, explain};
use crate::transport::ssh::config::{Identities, Target};
use crate::transport::ssh::keys::{Keyring, Loaded, certificate_of, missing};
use crate::transport::ssh::pen::{Pen, PenError};
use crate::words::error::{Error, Result};

/// Something to offer.
enum Identity {
    Key(Arc<PrivateKey>),
    Certified(Arc<PrivateKey>, Box<Certificate>),
    Agent(Box<AgentIdentity>),
}

struct Offer {
    identity: Identity,
    shown: String,
}

/// What the identities' files hold.
#[derive(Default)]
struct Files<'a> {
    ready: Vec<Offer>,
    /// Encrypted, with the public half where it can be known.
    locked: Vec<(&'a PathBuf, Option<Arc<PublicKey>>)>,
    configured: Vec<KeyData>,
}

/// Why logging in failed; a connection that just broke off may be tried again.
pub enum Denied {
    Lost,
    For(Error),
}

pub struct Login<'a> {
    pub target: &'a Target,
    pub keyring: &'a Keyring,
    pub handle: &'a mut Handle<Client>,
    pub seen: &'a Seen,
    pub patience: Duration,
}

type Agent = AgentClient<UnixStream>;

impl Login<'_> {
    pub async fn run(mut self) -> Result<(), Denied> {
        let identities = self.target.identities.clone();
        let mut agent = self.agent(&identities).await;
        let held = match &mut agent {
            Some(agent) => agent.request_identities().await.unwrap_or_default(),
            None => vec![],
        };
        let mut tried = Vec::new();
        let offers = self.offers(&identities, held, &mut tried).await.map_err(Denied::For)?;
        let mut hash = None;
        for offer in offers {
            let patience = self.patience;
            let attempt = self.attempt(&offer.identity, agent.as_mut(), &mut hash);
            let Ok(outcome) = tokio::time::timeout(patience, attempt).await else {
                return Err(Denied::For(self.failed(&tried).cause("the server does not answer")));
            };
            tried.push(offer.shown);
            match outcome {
                Ok(AuthResult::Success) => return Ok(()),
                Ok(AuthResult::Failure { remaining_methods, partial_success }) => {
                    if !remaining_methods.contains(&MethodKind::PublicKey) {
                        return Err(self.no_more(&tried, partial_success, &remaining_methods));
                    }
                }
                Err(why) => {
                    if let Some(last) = tried.last_mut() {
                        *last = format!("{last} ({why})");
                    }
                }
            }
        }
        Err(Denied::For(self.failed(&tried).hint(self.hint())))
    }

    async fn agent(&self, identities: &Identities) -> Option<Agent> {
        let mut agent = Agent::connect_uds(identities.agent.as_ref()?).await.ok()?;
        if let Some(binding) = self.handle.agent_session_binding() {
            // Agents that do not know the extension refuse it; then nothing there is bound to a destination.
            let _ = agent.bind_session(binding, false).await;
        }
        Some(agent)
    }

    /// The agent's keys first, then files; an encrypted file only where nothing else is there.
    async fn offers(
        &self,
        identities: &Identities,
        held: Vec<AgentIdentity>,
        passed: &mut Vec<String>,
    ) -> Result<Vec<Offer>> {
        let files = self.files(identities, passed).await?;
        let mut offers: Vec<Offer> = held
            .into_iter()
            .filter(|identity| !identities.only || files.configured.contains(public(identity)))
            .map(Offer::from)
            .collect();
        let in_agent = |offers: &[Offer], key: &KeyData| {
            offers.iter().any(|o| matches!(&o.identity, Identity::Agent(held) if public(held) == key))
        };
        // What a file and the agent both hold is offered once.
        let twice = |offer: &Offer| matches!(&offer.identity, Identity::Key(key) if in_agent(&offers, key.public_key().key_data()));
        let more: Vec<Offer> = files.ready.into_iter().filter(|offer| !twice(offer)).collect();
        offers.extend(more);
        for (file, public_half) in files.locked {
            if public_half.is_some_and(|half| in_agent(&offers, half.key_data())) {
                continue;
            }
            if offers.is_empty() {
                let key = self.keyring.unlock(file).await?;
                offers.extend(of_file(file, key, identities));
            } else {
                passed.push(format!("not {}: it is encrypted and not in the agent", file.display()));
            }
        }
        Ok(offers)
    }

    async fn files<'a>(&self, identities: &'a Identities, passed: &mut Vec<String>) -> Result<Files<'a>> {
        let mut files = Files::default();
        for file in &identities.files {
            let shown = file.display();
            match self.keyring.load(file).await {
                Loaded::Ready(key) => {
                    files.configured.push(key.public_key().key_data().clone());
                    files.ready.extend(of_file(file, key, identities));
                }
                Loaded::Locked(public) => {
                    files.configured.extend(public.as_ref().map(|public| public.key_data().clone()));
                    files.locked.push((file, public));
                }
                Loaded::Unusable(error) if identities.explicit => return Err(error),
                Loaded::Unusable(error) => passed.push(format!("not {shown}: {}", error.causes.join(": "))),
                Loaded::Missing if identities.explicit => return Err(missing(file)),
                Loaded::Missing => {}
            }
        }
        Ok(files)
    }

    async fn attempt(
        &mut self,
        identity: &Identity,
        agent: Option<&mut Agent>,
        hash: &mut Option<HashAlg>,
    ) -> Result<AuthResult, String> {
        let user = self.target.user.clone();
        let rsa = if is_rsa(identity) { self.rsa_hash(hash).await } else { None };
        match identity {
            Identity::Key(key) => {
                let key = PrivateKeyWithHashAlg::new(Arc::clone(key), rsa);
                self.handle.authenticate_publickey(user, key).await.map_err(|error| explain(&error))
            }
            Identity::Certified(key, certificate) => {
                let mut pen = Pen { key: Arc::clone(key) };
                let certificate = (**certificate).clone();
                let signed = self.handle.authenticate_certificate_with(user, certificate, rsa, &mut pen);
                signed.await.map_err(|PenError(why)| why)
            }
            Identity::Agent(identity) => {
                let Some(agent) = agent else { return Err("the agent is gone".into()) };
                let signed = match &**identity {
                    AgentIdentity::PublicKey { key, .. } => {
                        self.handle.authenticate_publickey_with(user, key.clone(), rsa, agent).await
                    }
                    AgentIdentity::Certificate { certificate, .. } => {
                        let certificate = certificate.clone();
                        self.handle.authenticate_certificate_with(user, certificate, rsa, agent).await
                    }
                };
                signed.map_err(|error| format!("the agent did not sign: {error}"))
            }
        }
    }

    /// SHA-1 is never used; servers that do not say what they know get SHA-512.
    async fn rsa_hash(&self, cached: &mut Option<HashAlg>) -> Option<HashAlg> {
        if cached.is_none() {
            let best = self.handle.best_supported_rsa_hash().await.ok().flatten().flatten();
            *cached = Some(best.unwrap_or(HashAlg::Sha512));
        }
        *cached
    }

    fn no_more(&self, tried: &[String], partial: bool, remaining: &russh::MethodSet) -> Denied {
        if let Some(why) = self.seen.lost().filter(|why| why.contains("authentication failures")) {
            let error = self.failed(tried).cause(why);
            return Denied::For(error.hint(
                "the server counts every key (MaxAuthTries): name the right one as `key` in the inventory",
            ));
        }
        if remaining.is_empty() {
            return Denied::Lost;
        }
        let left: Vec<&str> = remaining.iter().map(Into::into).collect();
        let left = left.join(", ");
        let why = if partial {
            format!("the key was accepted, but the server wants {left} as well")
        } else {
            format!("the server takes {left} only")
        };
        Denied::For(self.failed(tried).cause(why).hint("tow logs in by key: allow that for this account"))
    }

    fn failed(&self, tried: &[String]) -> Error {
        let Target { user, host, .. } = self.target;
        let error = Error::unreachable(format!("cannot log in as {user} on {host}"));
        if tried.is_empty() {
            return error.cause("there is no key to offer");
        }
        error.cause(format!("no key was accepted (tried: {})", tried.join("; ")))
    }

    fn hint(&self) -> String {
        let Target { user, host, port, .. } = self.target;
        let port = if *port == 22 { String::new() } else { format!(" -p {port}") };
        format!("`ssh-copy-id{port} {user}@{host}` installs a key; `key` in the inventory names another one")
    }
}

fn of_file(file: &Path, key: Arc<PrivateKey>, identities: &Identities) -> Vec<Offer> {
    let shown = file.display().to_string();
    let mut certificates: Vec<Certificate> = certificate_of(file).into_iter().collect();
    let named = identities.certificates.iter().filter_map(|file| Certificate::read_file(file).ok());
    certificates.extend(named);
    certificates.retain(|certificate| certificate.public_key() == key.public_key().key_data());
    certificates.dedup();
    let mut offers: Vec<Offer> = certificates
        .into_iter()
        .map(|certificate| Offer {
            identity: Identity::Certified(Arc::clone(&key), Box::new(certificate)),
            shown: format!("the certificate of {shown}"),
        })
        .collect();
    offers.push(Offer { identity: Identity::Key(key), shown });
    offers
}

fn public(identity: &AgentIdentity) -> &KeyData {
    match identity {
        AgentIdentity::PublicKey { key, .. } => key.key_data(),
        AgentIdentity::Certificate { certificate, .. } => certificate.public_key(),
    }
}

fn is_rsa(identity: &Identity) -> bool {
    match identity {
        Identity::Key(key) | Identity::Certified(key, _) => key.algorithm().is_rsa(),
        Identity::Agent(identity) => public(identity).algorithm().is_rsa(),
    }
}

impl From<AgentIdentity> for Offer {
    fn from(identity: AgentIdentity) -> Offer {
        let comment = match &identity {
            AgentIdentity::PublicKey { comment, .. } | AgentIdentity::Certificate { comment, .. } => comment,
        };
        let shown = if comment.is_empty() {
            format!("{} of the agent", public(&identity).fingerprint(HashAlg::Sha256))
        } else {
            format!("{comment} of the agent")
        };
        Offer { identity: Identity::Agent(Box::new(identity)), shown }
    }
}
