//! Security properties, each as a test. docs/security.md says which is which.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bench;
mod captured;
mod exposure;
mod hostile;
mod links;
mod modes;
mod operator;
mod options;
mod quoting;
#[path = "../support/mod.rs"]
mod support;
mod terminal;
