//! The whole program as a user runs it: the binary, a real OpenSSH server, this machine.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod accounts;
mod faults;
mod handlers;
mod output;
mod plans;
mod project;
mod results;
mod selection;
mod stages;
mod stop;
#[path = "../support/mod.rs"]
mod support;
