//! Which backups stay: the script's own function, given names and asked which go.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// A day of the 24 months from January 2026, all of which have 28 days here.
fn name(number: usize, day: usize, hour: usize) -> String {
    let (year, month) = (2026 + day / 336, day / 28 % 12 + 1);
    format!("{number}-{year}{month:02}{:02}T{hour:02}3000Z", day % 28 + 1)
}

/// Those that stay, of these in their order.
fn stay(backups: &[(String, &str)]) -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/backup.sh.hbs"));
    // What is rendered is about one host.
    let script: String =
        text.unwrap().lines().filter(|line| !line.contains("{{")).collect::<Vec<_>>().join("\n") + "\n";
    let mut child = Command::new("sh")
        .args(["-c", &script, "backup", "retain"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let listed: Vec<String> = backups.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
    let listed = listed.join("\n") + "\n";
    child.stdin.take().unwrap().write_all(listed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let gone = String::from_utf8(output.stdout).unwrap();
    let names = backups.iter().map(|(name, _)| name.clone());
    names.filter(|name| !gone.lines().any(|line| line == name)).collect()
}

fn every_night(days: usize) -> Vec<(String, &'static str)> {
    (0..days).map(|day| (name(day + 1, day, 3), "timer")).collect()
}

#[test]
fn seven_days_four_weeks_and_six_months_stay() {
    let mut kept: Vec<(String, &str)> = vec![];
    // As it goes: what has gone cannot be kept later.
    for backup in every_night(300) {
        kept.push(backup);
        let names = stay(&kept);
        kept.retain(|(name, _)| names.contains(name));
        assert!(kept.len() <= 17, "{kept:?}");
    }
    let days: Vec<String> =
        kept.iter().map(|(name, _)| name.split_once('-').unwrap().1[..8].to_owned()).collect();
    // Sundays end a week; the last one is a Friday.
    assert_eq!(
        days,
        [
            "20260628", "20260728", "20260828", "20260928", "20261028", "20261101", "20261108", "20261114",
            "20261115", "20261116", "20261117", "20261118", "20261119", "20261120",
        ],
    );
}

#[test]
fn the_newest_stays_however_old_it_is() {
    assert_eq!(stay(&[(name(1, 0, 3), "manual")]).len(), 1);
    assert_eq!(stay(&[]).len(), 0);
    // By its number: a clock that went back does not make it an old one.
    let mut all = every_night(30);
    all.push((name(31, 0, 5), "manual"));
    assert!(stay(&all).contains(&name(31, 0, 5)));
}

#[test]
fn all_of_the_last_day_stay_and_five_of_before_deploys() {
    let mut all: Vec<_> = (0..8).map(|at| (name(at + 1, 0, at + 9), "deploy")).collect();
    all.extend((0..20).map(|hour| (name(100 + hour, 300, hour), "restore")));
    let stays = stay(&all);
    assert_eq!(stays, all[3..].iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
}
