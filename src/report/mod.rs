//! Listeners to events: terminal, plain, JSON. They see events only.

pub mod exec;
pub mod frame;
pub mod github;
pub mod hosts;
pub mod json;
pub mod lines;
pub mod look;
pub mod plain;
pub mod plan;
pub mod recap;
pub mod record;
pub mod screen;
pub mod sink;
pub mod state;
pub mod terminal;
pub mod text;

#[cfg(test)]
mod sample;
