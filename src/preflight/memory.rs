//! Memory and swap.

use crate::preflight::{Seen, Subject, Topic};
use crate::words::finding::Finding;

pub struct Memory;

const TOPIC: &str = "memory";
/// MiB. What is killed for want of memory mostly is pip, or the database.
const LEAST: u64 = 256;
const LITTLE: u64 = 900;

impl Topic for Memory {
    fn script(&self, _subject: &Subject) -> Option<String> {
        Some("sed -n 's/^\\(MemTotal\\|MemAvailable\\|SwapTotal\\|SwapFree\\): */\\1 /p' /proc/meminfo 2>/dev/null".into())
    }

    fn findings(&self, _subject: &Subject, seen: &Seen<'_>) -> Vec<Finding> {
        let mib = |key: &str| -> Option<u64> {
            let kib: u64 = seen.first(key)?.trim_end_matches(" kB").parse().ok()?;
            Some(kib >> 10)
        };
        let (Some(total), Some(free)) = (mib("MemTotal"), mib("MemAvailable")) else { return vec![] };
        let (swap, free_swap) = (mib("SwapTotal").unwrap_or(0), mib("SwapFree").unwrap_or(0));
        let with_swap = if swap > 0 { format!("{swap} MiB of swap") } else { "no swap".into() };
        let why = "when memory runs out the kernel kills a process: pip while it installs, or the database";
        let todo = "add swap: `fallocate -l 1G /swapfile && chmod 600 /swapfile && mkswap /swapfile && swapon /swapfile`, and the line `/swapfile none swap sw 0 0` in /etc/fstab; or take a larger server";
        vec![if free + free_swap < LEAST {
            Finding::problem(TOPIC, format!("only {} MiB of memory are free, with swap", free + free_swap))
                .why(why)
                .todo(todo)
        } else if total + swap < LITTLE {
            Finding::warning(TOPIC, format!("{total} MiB of memory and {with_swap}")).why(why).todo(todo)
        } else {
            Finding::ok(TOPIC, format!("{total} MiB of memory, {free} free, {with_swap}"))
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::Memory;
    use crate::preflight::sample::Sample;

    #[test]
    fn memory_counts_with_swap() {
        let sample = Sample::new(&Memory, &[]);
        let of = |total: u64, free: u64, swap: u64| {
            let kb = |mib: u64| mib << 10;
            sample.said(&format!(
                "MemTotal {} kB\nMemAvailable {} kB\nSwapTotal {} kB\nSwapFree {} kB\n",
                kb(total),
                kb(free),
                kb(swap),
                kb(swap)
            ))
        };
        assert_eq!(of(4096, 3000, 0), ["ok: 4096 MiB of memory, 3000 free, no swap"]);
        assert!(of(512, 400, 0)[0].starts_with("warning: 512 MiB of memory and no swap → add swap"));
        assert!(of(512, 400, 1024)[0].starts_with("ok"));
        assert!(of(4096, 100, 0)[0].starts_with("problem: only 100 MiB of memory are free"));
        assert!(sample.said("").is_empty(), "macOS");
    }
}
