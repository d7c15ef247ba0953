//! Looking up names with this machine's own resolver.

use std::collections::BTreeSet;
use std::net::IpAddr;

/// All addresses of a name, or why there is none.
pub async fn resolve(name: &str) -> Result<BTreeSet<IpAddr>, String> {
    let found = tokio::net::lookup_host((name, 0)).await.map_err(|error| error.to_string())?;
    Ok(found.map(|address| address.ip()).collect())
}
