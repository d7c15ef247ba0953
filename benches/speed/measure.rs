//! Whole processes, timed from outside: what a person at a terminal waits for.

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

pub type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// The first argument by which this program becomes the wrapper that [`peak_rss`] needs.
pub const WRAPPER: &str = "--peak-rss-of-child-to";

/// Runs to the end, with nothing on stdin and what it says in a file of `log`'s folder. Seconds taken.
pub fn timed(command: &mut Command, log: &Path) -> Result<f64> {
    let output = File::create(log)?;
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    let began = Instant::now();
    let status = command.status().map_err(|error| format!("cannot start {}: {error}", program(command)))?;
    let seconds = began.elapsed().as_secs_f64();
    if status.success() {
        return Ok(seconds);
    }
    let said = String::from_utf8_lossy(&std::fs::read(log)?).into_owned();
    let lines: Vec<&str> = said.lines().collect();
    let last = &lines[lines.len().saturating_sub(15)..];
    Err(format!("{} ended with {status}:\n    {}", program(command), last.join("\n    ")).into())
}

fn program(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

/// Largest resident size of `command`, in MiB.
pub fn peak_rss(command: &Command, log: &Path) -> Result<f64> {
    let answer = log.with_extension("rss");
    let mut wrapped = Command::new(std::env::current_exe()?);
    wrapped.arg(WRAPPER).arg(&answer).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    timed(&mut wrapped, log)?;
    Ok(std::fs::read_to_string(answer)?.trim().parse::<f64>()?)
}

/// The wrapper: the kernel counts a process's children together, so each one measured gets a parent of its own.
pub fn wrap(arguments: &[OsString]) -> ExitCode {
    let [answer, program, rest @ ..] = arguments else { return ExitCode::from(2) };
    let Ok(status) = Command::new(program).args(rest).status() else { return ExitCode::from(127) };
    let Ok(usage) = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN) else {
        return ExitCode::FAILURE;
    };
    let unit = if cfg!(target_os = "macos") { 1024.0 * 1024.0 } else { 1024.0 };
    #[expect(clippy::cast_precision_loss, reason = "sizes of processes are far below 2^52")]
    let size = usage.max_rss() as f64 / unit;
    match std::fs::write(answer, size.to_string()) {
        Ok(()) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// The middle of several measurements of one thing.
#[derive(Clone, Debug, Default)]
pub struct Sample(Vec<f64>);

impl Sample {
    pub fn add(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }
    pub fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        match self.0.len() {
            0 => f64::NAN,
            odd if odd % 2 == 1 => self.0[middle],
            _ => f64::midpoint(self.0[middle - 1], self.0[middle]),
        }
    }
    pub fn least(&self) -> f64 {
        self.0.first().copied().unwrap_or(f64::NAN)
    }
    pub fn most(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }
}
