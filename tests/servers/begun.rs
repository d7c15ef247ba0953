//! `tow` while it goes on: waited for at a sign, and ended.

use std::io::{BufRead as _, BufReader};
use std::process::Child;

/// Waits until what was begun says `sign`.
pub fn until(mut child: Child, sign: &str) -> Child {
    let output = BufReader::new(child.stderr.take().unwrap());
    let mut said = vec![];
    for line in output.lines() {
        said.push(line.unwrap());
        if said.last().is_some_and(|line| line.contains(sign)) {
            return child;
        }
    }
    let ended = child.wait().unwrap();
    panic!("it never said {sign:?} ({ended}):\n{}", said.join("\n"));
}

pub fn signal(child: &Child, signal: nix::sys::signal::Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}
