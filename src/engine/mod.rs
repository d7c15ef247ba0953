//! Running: fan-out over hosts, stages, waves, limits, cancellation.
