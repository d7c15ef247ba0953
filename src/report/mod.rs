//! Listeners to events: terminal, plain, JSON. They see events only.

pub mod above;
pub mod check;
pub mod choose;
pub mod exec;
pub mod frame;
pub mod github;
pub mod history;
pub mod hosts;
pub mod json;
pub mod lines;
pub mod look;
pub mod out;
pub mod plain;
pub mod plan;
pub mod plans;
pub mod private;
pub mod recap;
pub mod record;
pub mod result;
pub mod screen;
pub mod sink;
pub mod state;
pub mod tell;
pub mod terminal;
pub mod text;

pub use crate::report::choose::{Colour, Options, Reporters, choose, failures};
pub use crate::report::terminal::Pause;

#[cfg(test)]
mod sample;
