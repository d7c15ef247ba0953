//! The kinds on real servers: Debian 12 and 13 with systemd, sshd, sudo and apt, from `tests/lab`.
//!
//! `tests/run` brings the servers up and runs these one after the other; by hand: `tests/lab/lab up 7 --os 12,13`,
//! `tests/lab/lab cut srv3`, `cargo test --test servers -- --ignored --test-threads=1`. docs/testing.md says more.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod accounts;
mod bare;
mod begun;
mod check;
mod checkouts;
mod data;
mod detached;
mod files;
mod firewall;
mod lab;
mod leftovers;
mod packages;
mod python;
mod reboot;
mod releases;
mod services;
mod updates;
