//! What the user wrote: inventory, playbook, variables, selection. Text in, checked types out.
//!
//! Nothing here reads the disk (a [`crate::words::content::Files`] is handed in) or knows of a connection.

mod args;
mod filters;
mod groups;
mod inventory;
pub mod mistake;
pub mod model;
mod range;
mod read;
mod secrets;
mod select;
pub mod source;
mod suggest;
mod template;
mod vars;
