//! What several integration tests share.
#![allow(dead_code, reason = "every test binary uses its part of this")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

pub mod account;
pub mod project;
pub mod sshd;
