//! Towline: takes Python web applications to servers over plain SSH.
//!
//! Layers, top to bottom; an import only ever points down (`tests/architecture.rs` holds it):
//! `cli` → `report` → `engine` → `transport` → `plan` → `preflight` → `spec` → `task` → `words`.
//! From `plan` down nothing does I/O: text and facts in, values out.

pub mod cli;
pub mod engine;
pub mod plan;
pub mod preflight;
pub mod report;
pub mod spec;
pub mod task;
pub mod transport;
pub mod words;
