//! Shells and files.

use std::path::Path;
use std::sync::Arc;

use towline::words::content::{Content, LocalFile};

use crate::common::{connect, connector, run, ssh, upload};
use crate::support::sshd::Sshd;

#[tokio::test]
async fn a_shell_runs_what_it_is_given() {
    let sshd = Sshd::start(&[]);
    let link = connect(&connector(&sshd), ssh(&sshd)).await.unwrap();
    let ended = run(&link, "echo out; echo err >&2; exit 7\n").await;
    assert_eq!((ended.out.as_str(), ended.err.as_str(), ended.code), ("out\n", "err\n", Some(7)));
    link.close().await;
}

#[tokio::test]
async fn files_arrive_whole() {
    let sshd = Sshd::start(&[]);
    let link = connect(&connector(&sshd), ssh(&sshd)).await.unwrap();
    let big: Vec<u8> = (0..20_000_003_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let source = sshd.path("big");
    std::fs::write(&source, &big).unwrap();
    let digest = Content::bytes(big.clone()).digest().clone();
    let modified = std::fs::metadata(&source).unwrap().modified().ok();
    let file = LocalFile { path: source, modified };
    let local = Content::local(file, big.len() as u64, Arc::new(digest.clone().into()));
    let mut files = vec![
        upload("big", local),
        upload("memory", Content::bytes(big.clone())),
        upload("none", Content::text("")),
    ];
    files.extend((0..300).map(|n| upload(&format!("small-{n}"), Content::text(format!("file {n}")))));
    let dir = sshd.path("staging");
    let sent = std::sync::atomic::AtomicU64::new(0);
    let count = |n| {
        sent.fetch_add(n, std::sync::atomic::Ordering::Relaxed);
    };
    link.upload(dir.to_str().unwrap(), &files, &count).await.unwrap();
    for file in &files {
        let bytes = std::fs::read(dir.join(&file.name)).unwrap();
        assert_eq!(Content::bytes(bytes).digest(), file.content.digest(), "{}", file.name);
    }
    assert_eq!(sent.into_inner(), files.iter().map(|file| file.content.len).sum::<u64>());
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(mode(&dir.join("small-1")), 0o600);
    let back = sshd.path("back");
    link.download(dir.join("big").to_str().unwrap(), &back).await.unwrap();
    assert_eq!(Content::bytes(std::fs::read(back).unwrap()).digest(), &digest);
    let error = link.upload(dir.to_str().unwrap(), &files[2..3], &|_| {}).await.unwrap_err();
    assert!(error.to_string().contains("cannot make the folder"), "{error}");
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}
