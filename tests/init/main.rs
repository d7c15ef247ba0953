//! `tow init`: small applications as one meets them, what is found in each, and that what is written is read unedited.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod local;
mod project;
mod said;
mod terminal;
mod written;
