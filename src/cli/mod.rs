//! Arguments, wiring, exit codes.

pub mod demo;
