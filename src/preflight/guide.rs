//! `tow guide`: what is to be done for this inventory, as a Markdown document. From the playbook's own tasks.

use crate::spec::model::Project;

/// How the commands of the document are to be called.
#[derive(Debug)]
pub struct Commands {
    pub playbook: String,
    pub inventory: Option<String>,
}

pub fn document(_project: &Project, _commands: &Commands) -> String {
    String::new()
}
