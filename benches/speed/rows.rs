//! The rows: what is run, beside what, and how fast it shall be.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::fetch;
use crate::figure::{Figure, Target, Unit};
use crate::lab::{Fleet, Lab, quoted};
use crate::measure::{Result, Sample, peak_rss, timed};
use crate::workload::{self, noise, same_file, seen, stage_of_one, ten_times_the_site};

/// How many hosts are served at once, by `tow` and by the `ssh` beside it.
pub const PARALLEL: usize = 50;

#[derive(Debug)]
pub struct Bench {
    pub lab: Lab,
    pub tow: PathBuf,
    pub runs: usize,
}

/// The 30 tasks on some hosts over some link.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    pub name: &'static str,
    pub hosts: usize,
    pub rtt_ms: u64,
    /// At most, as ratios to `ssh true`: nothing to do, first run.
    pub targets: (f64, f64),
}

pub const SITES: [Site; 4] = [
    Site { name: "one-host-100ms", hosts: 1, rtt_ms: 100, targets: (1.0, 1.5) },
    Site { name: "one-host-0ms", hosts: 1, rtt_ms: 0, targets: (1.0, 2.0) },
    Site { name: "ten-hosts-50ms", hosts: 10, rtt_ms: 50, targets: (1.0, 1.5) },
    Site { name: "two-hundred-hosts-0ms", hosts: 200, rtt_ms: 0, targets: (0.5, 1.5) },
];

pub type Row = fn(&Bench) -> Result<Vec<Figure>>;

/// A row by its name.
pub const OTHERS: [(&str, Row); 6] = [
    ("three-hundred-tasks-100ms", Bench::many_tasks),
    ("memory", Bench::memory),
    ("small-files-100ms", Bench::small_files),
    ("big-file-up", Bench::big_file_up),
    ("big-file-down", Bench::big_file_down),
    ("version", Bench::version),
];

fn one_way(rtt_ms: u64) -> Duration {
    Duration::from_micros(rtt_ms * 500)
}

impl Bench {
    pub fn tow(&self, fleet: &Fleet, playbook: &Path) -> Command {
        let mut command = self.lab.command(&self.tow);
        command.arg("run").arg("-i").arg(fleet.inventory()).arg(playbook);
        command.args(["--parallel", &PARALLEL.to_string()]);
        command
    }

    fn apply(&self, fleet: &Fleet, playbook: &Path) -> Result<f64> {
        timed(&mut self.tow(fleet, playbook), &self.lab.log())
    }

    /// `ssh true` and `tow` in turns, so that a noisy minute hits both.
    pub fn site(&self, site: Site) -> Result<Vec<Figure>> {
        let fleet = self.lab.fleet(site.hosts, one_way(site.rtt_ms))?;
        let playbook = workload::folder().join("site.toml");
        let runs = if site.hosts > 50 { self.runs.min(3) } else { self.runs };
        let mut floor = Sample::default();
        fleet.ssh_true(PARALLEL)?;
        let measured =
            (0..runs).try_fold((Sample::default(), Sample::default()), |(mut noop, mut first), _| {
                floor.add(fleet.ssh_true(PARALLEL)?);
                fleet.wipe()?;
                first.add(self.apply(&fleet, &playbook)?);
                let made = fleet.hosts.iter().map(seen).collect::<Result<Vec<_>>>()?;
                floor.add(fleet.ssh_true(PARALLEL)?);
                noop.add(self.apply(&fleet, &playbook)?);
                let after = fleet.hosts.iter().map(seen).collect::<Result<Vec<_>>>()?;
                if made == after { Ok((noop, first)) } else { Err("the second run wrote files".into()) }
            });
        let (noop, first) = both(measured);
        let hosts = if site.hosts == 1 { "1 host".into() } else { format!("{} hosts", site.hosts) };
        let figure = |what: &str, tow, most| Figure {
            what: format!("{hosts}, {} ms RTT, {what}", site.rtt_ms),
            unit: Unit::Seconds,
            tow,
            against: Some(("`ssh true`".into(), floor.clone())),
            target: Target::Ratio(most),
        };
        Ok(vec![figure("nothing to do", noop, site.targets.0), figure("first run", first, site.targets.1)])
    }

    fn many_tasks(&self) -> Result<Vec<Figure>> {
        let fleet = self.lab.fleet(1, one_way(100))?;
        let few = workload::folder().join("site.toml");
        let many = self.lab.path("many.toml");
        fs::write(&many, ten_times_the_site())?;
        let (mut few_noop, mut few_first) = (Sample::default(), Sample::default());
        let measured =
            (0..self.runs).try_fold((Sample::default(), Sample::default()), |(mut noop, mut first), _| {
                fleet.wipe()?;
                few_first.add(self.apply(&fleet, &few)?);
                few_noop.add(self.apply(&fleet, &few)?);
                fleet.wipe()?;
                first.add(self.apply(&fleet, &many)?);
                noop.add(self.apply(&fleet, &many)?);
                Ok((noop, first))
            });
        let (noop, first) = both(measured);
        let figure = |what: &str, tow, few| Figure {
            what: format!("300 tasks, 100 ms RTT, {what}"),
            unit: Unit::Seconds,
            tow,
            against: Some(("30 tasks".into(), few)),
            target: Target::Ratio(1.5),
        };
        Ok(vec![figure("nothing to do", noop, few_noop), figure("first run", first, few_first)])
    }

    /// What another host costs, beyond the first.
    #[expect(clippy::unnecessary_wraps, reason = "a [`Row`] like the others")]
    fn memory(&self) -> Result<Vec<Figure>> {
        const HOSTS: u16 = 200;
        let playbook = workload::folder().join("site.toml");
        let most = |count: u16| -> Result<f64> {
            let fleet = self.lab.fleet(usize::from(count), Duration::ZERO)?;
            let mut command = self.tow(&fleet, &playbook);
            // All at work at the same time.
            command.args(["--parallel", &count.to_string()]);
            fleet.wipe()?;
            let first = peak_rss(&command, &self.lab.log())?;
            Ok(first.max(peak_rss(&command, &self.lab.log())?))
        };
        let one = most(1);
        let tow = one.and_then(|one| Ok((one, (most(HOSTS)? - one) / f64::from(HOSTS - 1))));
        let (one, each) = both(tow.map(|(one, each)| (single(one), single(each))));
        let figure = |what: &str, tow, most| Figure {
            what: what.into(),
            unit: Unit::Mib,
            tow,
            against: None,
            target: Target::Value(most),
        };
        Ok(vec![
            figure("memory with 1 host", one, 32.0),
            figure("memory for each further host of 200", each, 0.35),
        ])
    }

    fn small_files(&self) -> Result<Vec<Figure>> {
        let fleet = self.lab.fleet(1, one_way(100))?;
        let source = self.lab.path("tree");
        for number in 0..500_u32 {
            let folder = source.join(format!("d{}", number % 20));
            fs::create_dir_all(&folder)?;
            fs::write(folder.join(format!("f{number}.txt")), noise(4096, u64::from(number)))?;
        }
        let playbook = self.playbook("tree.toml", "upload", &source, "tree")?;
        let mut floor = Sample::default();
        let measured = (0..self.runs.min(3)).try_fold(
            (Sample::default(), Sample::default()),
            |(mut noop, mut first), _| {
                fleet.wipe()?;
                // `scp -r` waits for an answer to each file, which takes minutes here.
                floor.add(fleet.ssh_true(1)?);
                first.add(self.apply(&fleet, &playbook)?);
                noop.add(self.apply(&fleet, &playbook)?);
                Ok((noop, first))
            },
        );
        let (noop, first) = both(measured);
        let figure = |what: &str, tow| Figure {
            what: format!("500 files of 4 KB, 100 ms RTT, {what}"),
            unit: Unit::Seconds,
            tow,
            against: Some(("`ssh true`".into(), floor.clone())),
            target: Target::Value(2.0),
        };
        Ok(vec![figure("first run", first), figure("nothing to do", noop)])
    }

    fn big_file_up(&self) -> Result<Vec<Figure>> {
        let fleet = self.lab.fleet(1, Duration::ZERO)?;
        let source = self.big_file()?;
        let playbook = self.playbook("big.toml", "file", &source, "big")?;
        let root = &fleet.hosts[0].root;
        let remote = format!("{}@{}:{}", self.lab.user, fleet.hosts[0].address, root.join("scp").display());
        let mut floor = Sample::default();
        let tow = (0..self.runs).try_fold(Sample::default(), |mut sample, _| {
            fleet.wipe()?;
            fs::create_dir_all(root)?;
            floor.add(timed(fleet.openssh("scp").arg("-q").arg(&source).arg(&remote), &self.lab.log())?);
            sample.add(self.apply(&fleet, &playbook)?);
            same_file(&source, &root.join("big"))?;
            Ok(sample)
        });
        Ok(vec![beside_scp("200 MB to a host", tow, floor)])
    }

    fn big_file_down(&self) -> Result<Vec<Figure>> {
        let fleet = self.lab.fleet(1, Duration::ZERO)?;
        let host = &fleet.hosts[0];
        fs::create_dir_all(&host.root)?;
        let remote = host.root.join("big");
        fs::copy(self.big_file()?, &remote)?;
        let local = self.lab.path("fetched");
        let from = format!("{}@{}:{}", self.lab.user, host.address, remote.display());
        let copy = self.lab.path("scp-copy");
        let mut floor = Sample::default();
        let tow = (0..self.runs).try_fold(Sample::default(), |mut sample, _| {
            floor.add(timed(fleet.openssh("scp").arg("-q").arg(&from).arg(&copy), &self.lab.log())?);
            sample.add(timed(&mut fetch::command(&fleet, &remote, &local)?, &self.lab.log())?);
            same_file(&remote, &local)?;
            // Both write a new file every time.
            fs::remove_file(&local)?;
            fs::remove_file(&copy)?;
            Ok(sample)
        });
        Ok(vec![beside_scp("200 MB from a host", tow, floor)])
    }

    #[expect(clippy::unnecessary_wraps, reason = "a [`Row`] like the others")]
    fn version(&self) -> Result<Vec<Figure>> {
        let tow = (0..20).try_fold(Sample::default(), |mut sample, _| {
            sample.add(timed(self.lab.command(&self.tow).arg("--version"), &self.lab.log())?);
            Ok(sample)
        });
        let target = Target::Value(0.010);
        Ok(vec![Figure { what: "`tow --version`".into(), unit: Unit::Millis, tow, against: None, target }])
    }

    fn big_file(&self) -> Result<PathBuf> {
        let path = self.lab.path("big");
        if !path.exists() {
            fs::write(&path, noise(200 << 20, 1))?;
        }
        Ok(path)
    }

    /// A playbook of one task that puts `source` below the host's folder.
    fn playbook(&self, file: &str, kind: &str, source: &Path, name: &str) -> Result<PathBuf> {
        let path = self.lab.path(file);
        let target = if kind == "file" { "path" } else { "dest" };
        let task = format!("{kind} = {{ src = {}, {target} = \"{{{{root}}}}/{name}\" }}", quoted(source));
        fs::write(&path, stage_of_one(&task))?;
        Ok(path)
    }
}

fn beside_scp(what: &str, tow: Result<Sample>, scp: Sample) -> Figure {
    let against = Some(("`scp`".into(), scp));
    Figure { what: what.into(), unit: Unit::Seconds, tow, against, target: Target::Ratio(1.0) }
}

/// Two figures of one measurement; both know why it failed.
fn both(measured: Result<(Sample, Sample)>) -> (Result<Sample>, Result<Sample>) {
    match measured {
        Ok((one, other)) => (Ok(one), Ok(other)),
        Err(error) => {
            let said = error.to_string();
            (Err(error), Err(said.lines().next().unwrap_or_default().into()))
        }
    }
}

fn single(value: f64) -> Sample {
    let mut sample = Sample::default();
    sample.add(value);
    sample
}
