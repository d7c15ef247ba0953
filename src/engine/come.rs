//! How far a run has come through its stages, and who takes back what it has done provisionally.

use std::collections::BTreeSet;

use crate::engine::fleet::Fleet;
use crate::spec::model::{OnFailure, Stage};
use crate::words::names::HostName;

/// How far a run has come.
pub enum Come {
    ToTheEnd,
    /// It stops.
    Short,
    /// It stops, and what it did provisionally goes back on these.
    Back(BTreeSet<HostName>),
}

impl Come {
    /// Because of the hosts of `wave`.
    pub fn stopped(stage: &Stage, wave: &[HostName], fleet: &Fleet) -> Come {
        went_back(stage.on_failure, wave, fleet.keys()).map_or(Come::Short, Come::Back)
    }
}

/// Who takes back what was done provisionally, besides those that have failed.
fn went_back<'a>(
    on_failure: OnFailure,
    wave: &[HostName],
    all: impl Iterator<Item = &'a HostName>,
) -> Option<BTreeSet<HostName>> {
    match on_failure {
        OnFailure::Stop | OnFailure::Continue => None,
        OnFailure::RollbackWave => Some(wave.iter().cloned().collect()),
        OnFailure::Rollback => Some(all.cloned().collect()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::went_back;
    use crate::spec::model::OnFailure;
    use crate::words::names::HostName;

    #[test]
    fn who_goes_back_is_for_the_playbook_to_say() {
        let names = |text: &str| text.split_whitespace().map(|name| HostName::new(name).unwrap()).collect();
        let (wave, all): (Vec<HostName>, Vec<HostName>) = (names("b c"), names("a b c d"));
        let back = |on_failure| went_back(on_failure, &wave, all.iter());
        assert_eq!(back(OnFailure::Stop), None);
        assert_eq!(back(OnFailure::Continue), None);
        assert_eq!(back(OnFailure::RollbackWave), Some(wave.iter().cloned().collect()));
        assert_eq!(back(OnFailure::Rollback), Some(all.iter().cloned().collect::<BTreeSet<_>>()));
    }
}
