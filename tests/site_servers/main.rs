//! From a bare server to HTTPS, on real ones: what `tow init`, `tow check` and `tow run site` promise, looked at from
//! outside. Five servers from `tests/lab` and its test CA; three Debian 12, two Debian 13.
//!
//! `tests/run` brings them up and runs these one after the other, in the order of their names. By hand:
//! `tests/lab/lab up 5 --os 12,13 --acme`, `cargo test --test site_servers -- --ignored --test-threads=1`.
//! docs/testing.md says more.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod bare;
mod browser;
mod checked;
mod deploy_key;
mod fleet;
mod inside;
#[expect(dead_code, reason = "the tests of single kinds use the rest of it")]
#[path = "../servers/lab.rs"]
mod lab;
mod mistakes;
mod offline;
mod outside;
mod releases;
mod site;
mod supervised;
mod uploads;
mod websockets;
