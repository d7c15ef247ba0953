//! The private keys that the inventory names, looked at before the first connection.

use crate::cli::Stop;
use crate::cli::playbook::stop;
use crate::spec::mistake::{Mistake, Mistakes};
use crate::spec::model::{Connection, Host};
use crate::transport::Connector;
use crate::words::error::Error;
use crate::words::secret::Mask;

/// A key that cannot be used stops all of it: else it would be found when other hosts have been changed.
pub async fn check(connector: &Connector, hosts: &[Host]) -> Result<(), Stop> {
    let mut mistakes = Mistakes::default();
    for host in hosts {
        if let Some(fault) = connector.key_fault(host).await {
            mistakes.push(told(host, fault));
        }
    }
    mistakes.finish(hosts.len(), &Mask::default()).or(()).map_err(|mistakes| stop(&mistakes))
}

fn told(host: &Host, fault: Error) -> Mistake {
    let place = match &host.connection {
        Connection::Ssh(ssh) => ssh.key_at.as_ref(),
        Connection::Local { .. } => None,
    };
    let mistake = match place {
        Some(place) => Mistake::at(&place.file, place.span.clone(), fault.to_string()),
        None => Mistake::argument(fault.to_string()),
    };
    mistake.maybe_help(fault.hint).on(&host.name)
}
