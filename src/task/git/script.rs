//! The shell of `git`: how to ask, how to update, with which credentials; and what the answer means.

use std::fmt::Write as _;

use crate::task::git::{Checkout, Git, Place, Remote};
use crate::words::shell::quote;

/// Looks at the checkout without as much as refreshing its index.
const LOOK: &str = r#"if [ -e "$dest/.git" ]; then
  echo 'place checkout'
  if said=$(git -C "$dest" rev-parse --git-dir 2>&1); then
    git -C "$dest" rev-parse -q --verify 'HEAD^{commit}' 2>/dev/null | sed 's/^/head /'
    git -C "$dest" config --get remote.origin.url | sed 's/^/origin /'
    git -C "$dest" status --porcelain --untracked-files=no --ignore-submodules=all 2>/dev/null | head -n 10 | sed 's/^/dirty /'
  else
    printf '%s\n' "$said" | sed 's/^/refused /'
  fi
elif [ -d "$dest" ]; then
  [ -z "$(ls -A "$dest" 2>/dev/null)" ] || echo 'place foreign'
elif [ -e "$dest" ] || [ -L "$dest" ]; then
  echo 'place foreign'
fi
"#;

/// The probe: lines of `key value`. A full commit that is checked out needs no network.
pub(crate) fn probe(git: &Git) -> String {
    let mut script = String::from("command -v git >/dev/null 2>&1 || exit 0\necho git\n");
    if git.key_text.is_some() {
        script += "command -v ssh-agent >/dev/null 2>&1 && echo agent\n";
    }
    let _ = write!(script, "dest={}\nexport GIT_OPTIONAL_LOCKS=0\n{LOOK}", quote(git.dest.as_str()));
    if git.submodules {
        script += "git -C \"$dest\" submodule status --recursive 2>/dev/null | grep -q '^[-+U]' && echo submodules-off\n";
    }
    if let Some(short) = git.short_commit() {
        let commit = quote(&format!("{short}^{{commit}}"));
        let _ = writeln!(script, "git -C \"$dest\" rev-parse -q --verify {commit} 2>/dev/null | sed 's/^/local /'");
    }
    if git.full_commit().is_some() {
        return script;
    }
    let patterns = match &git.reference {
        None => "HEAD".to_owned(),
        Some(name) => [format!("refs/heads/{name}"), format!("refs/tags/{name}"), format!("refs/tags/{name}^{{}}")]
            .map(|pattern| quote(&pattern))
            .join(" "),
    };
    for (name, value) in environment(git) {
        let _ = writeln!(script, "export {name}={}", quote(&value));
    }
    // What an unknown server says of itself is kept nowhere: a plan writes nothing.
    let _ = writeln!(script, "export GIT_SSH_COMMAND={}", quote(&ssh(git, true)));
    let ask = format!("git {}ls-remote -- {} {patterns}", credentials(git), quote(&git.repo));
    let _ = write!(script, "if said=$({{ {}; }} 2>&1 </dev/null); then\n  echo reached\n  printf '%s\\n' \"$said\" | grep -E '^[0-9a-f]{{40}}' | sed 's/^/remote /'\nelse\n  printf '%s\\n' \"$said\" | tail -n 10 | sed 's/^/failed /'\nfi\n",
        with_agent(git, &ask)
    );
    script
}

/// Brings the checkout to `target`; a short commit id is looked up once everything is fetched.
pub(crate) fn update(git: &Git, target: Option<&str>) -> String {
    let (dest, repo) = (quote(git.dest.as_str()), quote(&git.repo));
    let depth = git.depth.map_or_else(String::new, |depth| format!("--depth {depth} "));
    let with = credentials(git);
    let everything = format!("git {with}fetch {depth}--tags --force origin '+refs/heads/*:refs/remotes/origin/*'");
    let fetch = match target {
        // Servers may refuse to send a commit by its id; then every branch and tag is fetched.
        Some(commit) if git.depth.is_some() => format!("git {with}fetch {depth}origin {commit} || {everything}"),
        Some(commit) => format!("{everything}\ngit cat-file -e {commit}^{{commit}} 2>/dev/null || git {with}fetch origin {commit}"),
        None => everything,
    };
    let wanted = quote(target.or(git.reference.as_deref()).unwrap_or("HEAD"));
    let force = if git.force { "--force " } else { "" };
    let links: String = git.linked.iter().map(|path| unlink(path)).collect();
    let mut script = format!(
        "set -e\n\
         dest={dest}\n\
         mkdir -p -- \"$dest\"\n\
         cd -- \"$dest\"\n\
         [ -e .git ] || git init -q\n\
         git remote set-url origin {repo} 2>/dev/null || git remote add origin {repo}\n\
         {fetch}\n\
         commit=$(git rev-parse -q --verify {wanted}'^{{commit}}') || {{ echo {wanted}' is not in the repository any more' >&2; exit 1; }}\n\
         {links}\
         git -c advice.detachedHead=false checkout {force}--detach \"$commit\" --\n"
    );
    if git.submodules {
        let _ = write!(script, "git submodule sync --recursive\ngit {with}submodule update --init --recursive {force}{depth}\n",
        );
    }
    with_agent(git, &script)
}

/// Where a link is in the place of what git has, the latter comes back, and git looks at it again.
fn unlink(path: &str) -> String {
    let path = quote(path.trim_end_matches('/'));
    format!(
        "if [ -L ./{path} ]; then\n  \
           rm ./{path}\n  \
           if [ -n \"$(git --literal-pathspecs ls-files -- {path} | head -n 1)\" ]; then\n    \
             git --literal-pathspecs ls-files -z -- {path} | git update-index -z --no-skip-worktree --stdin\n    \
             git --literal-pathspecs checkout -q -- {path}\n  \
           fi\n\
         fi\n"
    )
}

/// What the script needs and nobody should see: none of it is an argument of any process.
pub(crate) fn environment(git: &Git) -> Vec<(&'static str, String)> {
    let mut env = vec![("GIT_TERMINAL_PROMPT", "0".to_owned()), ("GIT_SSH_COMMAND", ssh(git, false))];
    if let Some(key) = &git.key_text {
        env.push(("TOW_GIT_KEY", key.trim_end().to_owned()));
    }
    if let Some(token) = &git.token {
        env.push(("TOW_GIT_USER", git.token_user.clone()));
        env.push(("TOW_GIT_TOKEN", token.clone()));
    }
    if let Some(known) = &git.known_hosts {
        env.push(("TOW_KNOWN_HOSTS", known.trim_end().to_owned()));
    }
    env
}

fn ssh(git: &Git, only_asking: bool) -> String {
    let mut command = "ssh -o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=15".to_owned();
    if git.key_text.is_some() {
        // The agent's key and no other.
        command += " -o IdentityFile=none -o IdentitiesOnly=no";
    }
    command += match (&git.known_hosts, only_asking) {
        (Some(_), _) => {
            " -o StrictHostKeyChecking=yes -o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=/dev/null -o KnownHostsCommand='/usr/bin/printenv TOW_KNOWN_HOSTS'"
        }
        (None, true) => {
            " -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile='/dev/null ~/.ssh/known_hosts ~/.ssh/known_hosts2'"
        }
        (None, false) => " -o StrictHostKeyChecking=accept-new",
    };
    command
}

/// Options that make git ask our helper, which reads the environment, for this one server.
fn credentials(git: &Git) -> String {
    let stalled = "-c http.lowSpeedLimit=100 -c http.lowSpeedTime=30 ";
    if git.token.is_none() {
        return stalled.to_owned();
    }
    let server: String = git.repo.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    let helper = "!f() { test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' \"$TOW_GIT_USER\" \"$TOW_GIT_TOKEN\"; }; f";
    format!(
        "{stalled}-c credential.helper= -c {} ",
        quote(&format!("credential.{server}.helper={helper}"))
    )
}

/// Runs `script` with an agent that holds the deploy key. The agent ends with its command, however that ends.
fn with_agent(git: &Git, script: &str) -> String {
    if git.key_text.is_none() {
        return script.to_owned();
    }
    let inner = format!("printf '%s\\n' \"$TOW_GIT_KEY\" | ssh-add -q - || exit 1\nunset TOW_GIT_KEY\n{script}");
    format!("SSH_ASKPASS_REQUIRE=never ssh-agent /bin/sh -c {}", quote(&inner))
}

pub(crate) fn parse(stdout: &str) -> Checkout {
    let mut checkout = Checkout::default();
    let mut refs = vec![];
    let mut failed = vec![];
    let mut reached = false;
    for line in stdout.lines() {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        match key {
            "git" => checkout.has_git = true,
            "agent" => checkout.has_agent = true,
            "place" if value == "checkout" => checkout.place = Place::Checkout,
            "place" => checkout.place = Place::Foreign,
            "head" => checkout.head = Some(value.to_owned()),
            "origin" => checkout.origin = Some(value.to_owned()),
            "dirty" => checkout.dirty.push(value.to_owned()),
            "refused" => checkout.refused.push(value.to_owned()),
            "submodules-off" => checkout.submodules_off = true,
            "local" => checkout.local = Some(value.to_owned()),
            "reached" => reached = true,
            "remote" => refs.extend(value.split_once('\t').map(|(commit, name)| (name.to_owned(), commit.to_owned()))),
            "failed" => failed.push(value.to_owned()),
            _ => {}
        }
    }
    checkout.remote = match (reached, failed.is_empty()) {
        (true, _) => Remote::Refs(refs),
        (false, false) => Remote::Failed(failed),
        (false, true) => Remote::NotAsked,
    };
    checkout
}

/// The line of what git or ssh said that says why; its last ones are general advice.
pub(super) fn reason(output: &[String]) -> Option<&str> {
    const SIGNS: [&str; 4] = ["ERROR: ", "remote: ", "Permission denied", "fatal: "];
    let said = |sign: &&str| output.iter().find(|line| line.contains(*sign) && !line.contains("Could not read from remote"));
    SIGNS.iter().find_map(said).or(output.last()).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::{environment, parse, probe, update};
    use crate::task::git::{Git, Place, Remote};

    fn git(table: &str) -> Git {
        toml::from_str(table).unwrap()
    }

    #[test]
    fn reads_a_checkout_and_its_remote() {
        let checkout = parse(
            "git\nplace checkout\nhead 11aa\norigin git@x:y\ndirty  M a b.txt\nreached\nremote 22bb\trefs/heads/main\n",
        );
        assert_eq!(checkout.place, Place::Checkout);
        assert_eq!(checkout.head.as_deref(), Some("11aa"));
        assert_eq!(checkout.dirty, [" M a b.txt"]);
        assert_eq!(checkout.remote, Remote::Refs(vec![("refs/heads/main".into(), "22bb".into())]));
        assert_eq!(parse("git\nfailed fatal: no\n").remote, Remote::Failed(vec!["fatal: no".into()]));
    }

    #[test]
    fn updates_to_the_planned_commit() {
        let git = git("repo = 'https://x.example/a.git'\ndest = '/srv/a b'");
        let with = "-c http.lowSpeedLimit=100 -c http.lowSpeedTime=30";
        let script = format!(
            "set -e\ndest='/srv/a b'\nmkdir -p -- \"$dest\"\ncd -- \"$dest\"\n[ -e .git ] || git init -q\n\
             git remote set-url origin https://x.example/a.git 2>/dev/null || git remote add origin https://x.example/a.git\n\
             git {with} fetch --tags --force origin '+refs/heads/*:refs/remotes/origin/*'\n\
             git cat-file -e c0ffee^{{commit}} 2>/dev/null || git {with} fetch origin c0ffee\n\
             commit=$(git rev-parse -q --verify c0ffee'^{{commit}}') || {{ echo c0ffee' is not in the repository any more' >&2; exit 1; }}\n\
             git -c advice.detachedHead=false checkout --detach \"$commit\" --\n"
        );
        assert_eq!(update(&git, Some("c0ffee")), script);
    }

    #[test]
    fn secrets_are_in_the_environment_alone() {
        let mut git = git("repo = 'https://x.example/a.git'\ndest = '/srv/a'\ntoken = 'canary-token'");
        git.key_text = Some("canary-key".into());
        let script = update(&git, None);
        assert!(!script.contains("canary"), "{script}");
        assert!(script.contains("credential.https://x.example.helper="), "{script}");
        let probe = probe(&git);
        let lines: Vec<&str> = probe.lines().filter(|line| line.contains("canary")).collect();
        assert_eq!(lines, ["export TOW_GIT_KEY=canary-key", "export TOW_GIT_TOKEN=canary-token"]);
        assert!(environment(&git).contains(&("TOW_GIT_TOKEN", "canary-token".into())));
    }
}
