//! How many handshakes go on at once: overall, and with one server, whose MaxStartups counts them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// sshd drops connections at random from ten that are not authenticated yet (MaxStartups 10:30:100).
const ONE_SERVER: usize = 12;
/// Once a server has turned somebody away.
const THROTTLED: usize = 5;

#[derive(Debug)]
pub struct Gates {
    overall: Arc<Semaphore>,
    servers: Mutex<HashMap<String, Arc<Gate>>>,
}

#[derive(Debug)]
pub struct Gate {
    places: Arc<Semaphore>,
    throttled: AtomicBool,
}

/// Held from connecting until logged in.
#[derive(Debug)]
pub struct Pass {
    _held: [Option<OwnedSemaphorePermit>; 2],
}

impl Gates {
    pub fn new(overall: usize) -> Gates {
        Gates { overall: Arc::new(Semaphore::new(overall.max(1))), servers: Mutex::default() }
    }

    pub fn of(&self, server: &str) -> Arc<Gate> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = servers.entry(server.to_owned()).or_insert_with(|| {
            let places = Arc::new(Semaphore::new(ONE_SERVER));
            Arc::new(Gate { places, throttled: AtomicBool::new(false) })
        });
        Arc::clone(gate)
    }

    /// The server's place first: waiting for it must not keep others from theirs.
    pub async fn enter(&self, gate: &Gate) -> Pass {
        let place = Arc::clone(&gate.places).acquire_owned().await.ok();
        let overall = Arc::clone(&self.overall).acquire_owned().await.ok();
        Pass { _held: [place, overall] }
    }
}

impl Gate {
    /// The server turned somebody away: fewer at once from now on.
    pub fn narrow(self: &Arc<Gate>) {
        if !self.throttled.swap(true, Ordering::Relaxed) {
            let gate = Arc::clone(self);
            tokio::spawn(async move {
                let surplus = u32::try_from(ONE_SERVER - THROTTLED).unwrap_or(0);
                if let Ok(permits) = gate.places.acquire_many(surplus).await {
                    permits.forget();
                }
            });
        }
    }
}
