//! The remote runner: one `/bin/sh` a host that answers probes and performs actions as they stream in.
//!
//! Nothing is installed on the host: the script is sent, framed by markers that carry a random token on
//! stdout and on stderr (see `prelude.sh`). Blobs travel beside it, into a private folder of a random name.

mod answers;
mod batch;
mod blobs;
mod course;
mod detached;
mod frames;
mod layout;
mod left;
mod places;
mod script;

pub use batch::{Batch, Ending, Progress};
pub use left::Left;

use std::sync::Arc;
use std::time::Duration;

use crate::transport::runner::answers::Answer;
use crate::transport::runner::detached::Begins;
use crate::transport::runner::frames::{Piece, Splitter};
use crate::transport::{Chunk, Link, Opening, Shell, explain_sudo};
use crate::words::content::Digest;
use crate::words::error::{Error, Result};
use crate::words::event::Stream;
use crate::words::fact::{Fact, Facts, Probe};
use crate::words::secret::Mask;

/// Arguments of one process stay far below ARG_MAX.
const PATHS_AT_ONCE: usize = 500;
/// A host must say hello within this; probes may take longer (hashing large files).
const HELLO: Duration = Duration::from_secs(60);
const PROBES: Duration = Duration::from_secs(300);
/// Answers to probes larger than this are refused.
const MOST: usize = 64 << 20;

pub struct Runner {
    link: Arc<dyn Link>,
    shell: Shell,
    token: String,
    /// The token may have been seen by others: the next script brings a new one.
    worn: bool,
    out: Splitter,
    err: Splitter,
    pieces: std::collections::VecDeque<(Stream, Piece)>,
    /// The beginning of what the shell itself said on stderr, for when it ends too early.
    complaint: Vec<u8>,
    /// The shell's own process, to tell it to leave out what follows.
    pid: String,
    /// Where blobs may be put.
    tmp: String,
    /// The private folder, once there is one, and what it holds.
    folder: Option<String>,
    present: std::collections::HashSet<Digest>,
    /// Something was asked to be removed, and may be under way.
    cleaning: bool,
    /// Where an upload goes that has not ended.
    uploading: Option<String>,
    /// Whether commands can go on there without this connection.
    begins: Begins,
    /// Which start of the host this is, and when the shell began.
    boot: String,
    born: String,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Runner")
    }
}

impl Runner {
    /// Starts the shell with the first probes right behind it: one round trip for both.
    ///
    /// With `writes`, the way for files is opened at the same time. `mask` knows what must not be seen in the
    /// host's list of processes.
    pub async fn start(
        link: Arc<dyn Link>,
        probes: &[Probe],
        writes: bool,
        mask: &Mask,
    ) -> Result<(Runner, Facts)> {
        let way = link.clone();
        let way = async {
            if writes {
                let _ = tokio::time::timeout(HELLO, way.expect_upload()).await;
            }
        };
        let begun = Runner::begin(link, probes, mask);
        tokio::pin!(way, begun);
        // The shell first: a server that allows one channel shall give it to that. And its output is read while the
        // way is opened: unread, much of it would hold up the connection and with it the answer.
        tokio::select! {
            biased;
            begun = &mut begun => {
                if begun.is_ok() {
                    way.await;
                }
                begun
            }
            () = &mut way => begun.await,
        }
    }

    /// The shell, its greeting and the answers to the first probes.
    async fn begin(link: Arc<dyn Link>, probes: &[Probe], mask: &Mask) -> Result<(Runner, Facts)> {
        let token = random_hex();
        let first = format!("{}{}", script::prelude(&token), script::probes(probes, &token));
        // A program of another account could read the token there, and make up answers.
        let foreign = |probe: &Probe| matches!(probe, Probe::Shell { user: Some(_), .. });
        let public = !probes.iter().any(foreign) && (mask.is_empty() || mask.apply(&first) == first);
        let shell = link.shell(Opening { script: first.into_bytes(), public }).await?;
        let mut runner = Runner {
            link,
            shell,
            out: Splitter::new(&token),
            err: Splitter::new(&token),
            pieces: std::collections::VecDeque::new(),
            complaint: vec![],
            pid: String::new(),
            token,
            worn: true,
            tmp: "/tmp".into(),
            folder: None,
            present: std::collections::HashSet::new(),
            cleaning: false,
            uploading: None,
            begins: Begins::No,
            boot: String::new(),
            born: String::new(),
        };
        let hello = runner.collect("k", HELLO).await?;
        let greeting =
            hello.into_iter().find(|(mark, _)| mark == "h").map(|(_, data)| data).unwrap_or_default();
        let hello = answers::hello(&String::from_utf8_lossy(&greeting));
        runner.tmp = if hello.tmp.starts_with('/') { hello.tmp } else { "/tmp".into() };
        (runner.pid, runner.born, runner.boot) = (hello.pid, hello.born, hello.boot);
        if hello.detaches && runner.link.can_be_lost() {
            runner.begins = Begins::Yes;
        }
        let mut facts = Facts::new(hello.host);
        // From here on, stderr belongs to commands.
        runner.complaint.clear();
        let found = runner.collect("q", PROBES).await?;
        store(&mut facts, probes, answers::parse(probes, &found)?);
        Ok((runner, facts))
    }

    /// Asks `probes` in one round trip.
    pub async fn probe(&mut self, probes: &[Probe], facts: &mut Facts) -> Result<()> {
        if probes.is_empty() {
            return Ok(());
        }
        let fresh = self.fresh();
        self.send(format!("{fresh}{}", script::probes(probes, &self.token))).await?;
        let found = self.collect("q", PROBES).await?;
        store(facts, probes, answers::parse(probes, &found)?);
        Ok(())
    }

    /// Runs a short script ahead of whatever comes next, without waiting for it; nobody hears what it says.
    pub async fn ahead(&mut self, script: &str) -> Result<()> {
        self.send(format!("(\n{script}\n) </dev/null >/dev/null 2>&1\n")).await
    }

    /// Ends the shell, which removes its folder, and the connection.
    pub async fn close(self) {
        drop(self.shell.input);
        let mut output = self.shell.output;
        let drained = async { while output.recv().await.is_some() {} };
        if self.folder.is_some() || self.cleaning {
            // The folder is removed by the shell as it ends: give it the time.
            let _ = tokio::time::timeout(Duration::from_secs(5), drained).await;
        }
        self.link.close().await;
    }

    pub fn link(&self) -> &Arc<dyn Link> {
        &self.link
    }

    pub fn detaches(&self) -> bool {
        self.begins != Begins::No
    }

    /// The line that brings a new token, where the old one may have been seen.
    fn fresh(&mut self) -> String {
        if !std::mem::take(&mut self.worn) {
            return String::new();
        }
        self.token = random_hex();
        (self.out, self.err) = (Splitter::new(&self.token), Splitter::new(&self.token));
        format!("_T={}\n", self.token)
    }

    async fn send(&mut self, script: String) -> Result<()> {
        if self.shell.input.send(script.into_bytes()).await.is_err() {
            return Err(self.ended(None, None));
        }
        Ok(())
    }

    /// Reads until the marker `last` came; gives each marker with the data behind it.
    async fn collect(&mut self, last: &str, limit: Duration) -> Result<Vec<Answer>> {
        let mut answers: Vec<Answer> = vec![];
        let mut size = 0;
        loop {
            let piece = tokio::time::timeout(limit, self.piece()).await;
            let silent = || {
                Error::unreachable("the host does not answer")
                    .cause(format!("nothing came for {} s", limit.as_secs()))
                    .hint(SILENT)
            };
            let (stream, piece) = piece.map_err(|_| silent())??;
            if stream == Stream::Stdout {
                size += piece.size();
            }
            match (stream, piece) {
                (Stream::Stdout, Piece::Mark(mark)) if mark == last => return Ok(answers),
                (Stream::Stdout, Piece::Mark(mark)) => answers.push((mark, vec![])),
                (Stream::Stdout, Piece::Data(data)) => {
                    // What comes before the first marker is the noise of a login shell.
                    answers.last_mut().into_iter().for_each(|(_, behind)| behind.extend(&data));
                }
                (Stream::Stderr, _) => {}
            }
            if size > MOST {
                return Err(too_much());
            }
        }
    }

    /// The next marker or data of either stream, each stream in its own order.
    async fn piece(&mut self) -> Result<(Stream, Piece)> {
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                return Ok(piece);
            }
            let (stream, found) = match self.shell.output.recv().await {
                Some(Chunk::Out(bytes)) => (Stream::Stdout, self.out.push(&bytes)),
                Some(Chunk::Err(bytes)) => {
                    self.complaint.extend(bytes.iter().take(4096_usize.saturating_sub(self.complaint.len())));
                    (Stream::Stderr, self.err.push(&bytes))
                }
                Some(Chunk::End { code, why }) => return Err(self.ended(code, why)),
                None => return Err(self.ended(None, None)),
            };
            self.pieces.extend(found.into_iter().map(|piece| (stream, piece)));
        }
    }

    /// Why a shell that ended before its time did so.
    fn ended(&self, code: Option<i32>, why: Option<String>) -> Error {
        let stderr = String::from_utf8_lossy(&self.complaint);
        // Markers are no words of the host's.
        let said = stderr.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains('\u{1e}'));
        let said: Vec<String> = said.map(ToOwned::to_owned).collect();
        if let Some(error) = explain_sudo(&stderr, &self.link.user()) {
            return error;
        }
        let error = match (code, why) {
            (_, Some(why)) => Error::unreachable("the connection was lost")
                .cause(why)
                .hint("run the same command again: finished steps are not repeated"),
            (Some(code), None) => Error::unreachable(format!("the shell on the host ended with code {code}"))
                .hint("check that /bin/sh works there for this user: ssh HOST /bin/sh -c true"),
            (None, None) => Error::unreachable("the connection was lost")
                .hint("run the same command again: finished steps are not repeated"),
        };
        error.output(said.into_iter().rev().take(10).rev().collect())
    }
}

fn store(facts: &mut Facts, probes: &[Probe], found: Vec<Fact>) {
    for (probe, fact) in probes.iter().zip(found) {
        facts.insert(probe.clone(), fact);
    }
}

const SILENT: &str = "is the host busy, or its network slow? A start file of the account's shell (.bashrc) that reads \
     from standard input takes what is meant for tow: let it do so at a terminal only, behind `[ -t 0 ] &&`";

fn too_much() -> Error {
    Error::failed("the host's answers are larger than 64 MiB").hint("probe smaller folders")
}

fn random_hex() -> String {
    format!("{:032x}", rand::random::<u128>())
}
