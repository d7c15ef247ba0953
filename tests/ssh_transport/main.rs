//! The SSH transport against a real OpenSSH server.

mod accounts;
mod common;
mod files;
mod host_keys;
mod links;
mod login;
#[path = "../support/mod.rs"]
mod support;
