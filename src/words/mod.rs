//! The vocabulary: types that every layer speaks. Nothing here does I/O.

pub mod action;
pub mod content;
pub mod error;
pub mod event;
pub mod fact;
pub mod finding;
pub mod names;
pub mod plural;
pub mod predict;
pub mod python;
pub mod secret;
pub mod shell;
pub mod step;
