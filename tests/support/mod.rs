//! What several integration tests share.
#![allow(dead_code, reason = "every test binary uses its part of this")]

pub mod account;
pub mod sshd;
