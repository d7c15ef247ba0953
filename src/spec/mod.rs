//! What the user wrote: inventory, playbook, variables, selection. Text in, checked types out.
//!
//! Nothing here reads the disk (a [`crate::words::content::Files`] is handed in) or knows of a connection.

pub mod model;
