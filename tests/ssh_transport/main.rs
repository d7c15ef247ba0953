//! The SSH transport against a real OpenSSH server.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod accounts;
mod common;
mod files;
mod host_keys;
mod links;
mod login;
#[path = "../support/mod.rs"]
mod support;
