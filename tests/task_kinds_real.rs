//! Kinds whose truth is in other programs, against those programs: git, Python, pip, Supervisor, curl.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod real;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use real::{already, apply, converge, exists, must, plan, task};

fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("tow test ").tempdir().unwrap()
}

/// An environment in a fresh folder, without blanks in its name (pip's scripts have it in their first line).
fn venv() -> (tempfile::TempDir, String) {
    let folder = tempfile::Builder::new().prefix("tow-test-").tempdir().unwrap();
    let path = folder.path().join("v").display().to_string();
    (folder, path)
}

const COMMIT: &str = "git -c user.name=t -c user.email=t@example.com commit -q --allow-empty -m";

fn repository(at: &Path) -> String {
    must(&format!("git init -q -b main repo; cd repo; echo 1 >a; git add a; {COMMIT} one; git tag v1"), at);
    at.join("repo").display().to_string()
}

#[test]
fn git_clones_updates_and_guards_what_people_changed() {
    let folder = folder();
    let repo = repository(folder.path());
    let dest = folder.path().join("check out").display().to_string();
    let git = |more: &str| task("git", &format!("repo = '{repo}'\ndest = '{dest}'\n{more}"));
    let what = converge(&*git("ref = 'main'"));
    assert!(what[0].starts_with(&format!("clone {repo} at main (")), "{what:?}");

    must(&format!("cd repo; echo 2 >a; {COMMIT} two -a"), folder.path());
    let head = must("cd repo; git rev-parse HEAD", folder.path());
    assert!(converge(&*git(""))[0].contains(&format!("→ HEAD ({})", &head[..12])));
    assert_eq!(already(&*git(&format!("ref = '{head}'"))), format!("{dest} is at {}", &head[..12]));
    assert_eq!(already(&*git(&format!("ref = '{}'", &head[..8]))), format!("{dest} is at {}", &head[..12]));
    converge(&*git("ref = 'v1'"));
    assert_eq!(must("cat 'check out/a'", folder.path()), "1");

    must("echo mine >'check out/a'; echo new >'check out/untracked'", folder.path());
    let error = plan(&*git("ref = 'v1'")).unwrap_err();
    assert_eq!(error.causes, ["somebody changed files there"]);
    assert_eq!(error.output, [" M a"]);
    converge(&*git("ref = 'main'\nforce = true"));
    assert_eq!(must("cat 'check out/a' 'check out/untracked'", folder.path()), "2\nnew");

    let error = plan(&*git("ref = 'nowhere'")).unwrap_err();
    assert_eq!(error.causes, ["the repository has no branch and no tag of that name"]);
}

#[test]
fn git_moves_where_a_link_has_taken_a_folder() {
    let folder = folder();
    let repo = repository(folder.path());
    let dest = folder.path().join("dest").display().to_string();
    must(&format!("cd repo; mkdir media; echo 1 >media/m; git add media; {COMMIT} media"), folder.path());
    let git = || {
        task("git", &format!("repo = '{repo}'\ndest = '{dest}'\nref = 'main'\nlinked = ['media', 'none']"))
    };
    converge(&*git());
    let shared = "mkdir kept; cd dest; git ls-files -z media | git update-index -z --skip-worktree --stdin; rm -r media; ln -s ../kept media; echo own >media/m";
    must(shared, folder.path());
    already(&*git());
    assert_eq!(must("cat dest/media/m", folder.path()), "own");

    must(
        &format!("cd repo; echo 2 >media/m; echo 2 >media/n; git add media; {COMMIT} more -a"),
        folder.path(),
    );
    converge(&*git());
    assert_eq!(
        must("cd dest; cat media/m media/n ../kept/m; ls ../kept; git status --porcelain", folder.path()),
        "2\n2\nown\nm"
    );
}

#[test]
fn git_follows_a_new_address_takes_little_history_and_submodules() {
    let folder = folder();
    let repo = repository(folder.path());
    must(&format!("cp -r repo other; cd other; echo 3 >a; {COMMIT} three -a"), folder.path());
    let dest = folder.path().join("d").display().to_string();
    converge(&*task("git", &format!("repo = 'file://{repo}'\ndest = '{dest}'\ndepth = 1")));
    let other = folder.path().join("other").display().to_string();
    let what = converge(&*task(
        "git",
        &format!("repo = 'file://{other}'\ndest = '{dest}'\ndepth = 1\nsubmodules = true"),
    ));
    assert_eq!(what[0], format!("origin file://{repo} → file://{other}"));
    assert_eq!(must("cd d; git rev-list --count HEAD; cat a", folder.path()), "1\n3");
}

#[test]
fn git_says_why_it_cannot() {
    let folder = folder();
    must("mkdir full; echo x >full/x", folder.path());
    let (at, repo) = (folder.path().display(), repository(folder.path()));
    let error = plan(&*task("git", &format!("repo = '{repo}'\ndest = '{at}/full'"))).unwrap_err();
    assert_eq!(error.causes, ["something is there that is not a checkout"]);
    let error = plan(&*task("git", &format!("repo = '{at}/none'\ndest = '{at}/d'"))).unwrap_err();
    assert_eq!(error.what, format!("cannot reach {at}/none"));
}

/// A server that wants a password and answers nothing else; returns what it was sent as authorization.
#[test]
fn a_token_reaches_the_server_and_no_argument() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let mut seen = vec![];
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = [0; 4096];
            let n = stream.read(&mut bytes).unwrap();
            seen.push(String::from_utf8_lossy(&bytes[..n]).into_owned());
            stream.write_all(b"HTTP/1.1 401 x\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        }
        seen
    });
    let folder = folder();
    let git = task(
        "git",
        &format!(
            "repo = 'https://127.0.0.1:{port}/r'\ndest = '{}/d'\ntoken = 'canary-token'",
            folder.path().display()
        ),
    );
    let Some(towline::words::fact::Probe::Shell { script, .. }) = git.probes().into_iter().next() else {
        panic!()
    };
    // The same script towards a server without TLS: the helper is bound to the scheme as well.
    let output = real::sh(&["sh"], &script.replace("https://", "http://"), &[]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("failed fatal: Authentication failed"), "{said}");
    let seen = server.join().unwrap();
    assert!(!seen[0].contains("Authorization"));
    // base64 of x-access-token:canary-token
    assert!(seen[1].contains("Authorization: Basic eC1hY2Nlc3MtdG9rZW46Y2FuYXJ5LXRva2Vu"), "{seen:?}");
}

#[test]
fn a_deploy_key_is_in_an_agent_and_nowhere_else() {
    if !exists("ssh-agent") || !exists("ssh-keygen") {
        eprintln!("not shown: there is no ssh-agent here");
        return;
    }
    let folder = folder();
    must("ssh-keygen -q -t ed25519 -N '' -f key -C canary", folder.path());
    let git =
        format!("repo = 'ssh://git@127.0.0.1:1/r'\ndest = '{0}/d'\nkey = '{0}/key'", folder.path().display());
    let git = task("git", &git);
    let Some(towline::words::fact::Probe::Shell { script, .. }) = git.probes().into_iter().next() else {
        panic!()
    };
    // Instead of asking the remote: what the agent holds.
    let (start, end) = (script.find("git -c http").unwrap(), script.find("; } 2>&1 </dev/null").unwrap());
    let asking = format!("{}ssh-add -L'{}", &script[..start], &script[end..])
        .replace("echo reached", "echo \"$said\"");
    let output = real::sh(&["sh"], &asking, &[]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("ssh-ed25519") && said.contains("canary"), "{asking}\n{said}");
    let error = plan(&*git).unwrap_err();
    assert_eq!(error.what, "cannot reach ssh://git@127.0.0.1:1/r");
}

#[test]
fn venv_is_made_repaired_and_made_anew() {
    let (folder, path) = venv();
    let venv = task("venv", &format!("path = '{path}'"));
    assert!(converge(&*venv)[0].starts_with(&format!("make the virtual environment {path} with Python 3.")));
    must("rm v/bin/python; ln -s /nowhere/python3 v/bin/python", folder.path());
    let what = converge(&*venv);
    assert!(what[0].ends_with("its python does not run any more"), "{what:?}");
    must("sed -i.old 's/^version *=.*/version = 3.4.1/' v/pyvenv.cfg", folder.path());
    let what = converge(&*venv);
    assert!(what[0].contains("it was made for Python 3.4, which is now 3."), "{what:?}");
    let error = plan(&*task("venv", &format!("path = '{path}'\npython = 'python3.1'"))).unwrap_err();
    assert_eq!(error.causes, ["there is no python3.1 on this host"]);
    must("mkdir other; echo x >other/x", folder.path());
    let other = folder.path().join("other").display().to_string();
    let error = plan(&*task("venv", &format!("path = '{other}'"))).unwrap_err();
    assert_eq!(error.causes, ["something is there that is not a virtual environment"]);
}

/// Projects that need nothing of an index, so that this runs anywhere.
#[test]
fn pip_installs_what_is_asked_and_sees_every_difference() {
    let (folder, path) = venv();
    let at = folder.path().display();
    let wheel = "import sys, zipfile\nname, version, needs = sys.argv[1:]\ninfo = '%s-%s.dist-info/' % (name, version)\nwith zipfile.ZipFile('wheels/%s-%s-py3-none-any.whl' % (name, version), 'w') as z:\n    z.writestr(name + '.py', '')\n    z.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: %s\\nVersion: %s\\n%s' % (name, version, needs and 'Requires-Dist: %s\\n' % needs))\n    z.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n    z.writestr(info + 'RECORD', '')\n";
    std::fs::write(folder.path().join("wheel.py"), wheel).unwrap();
    must(
        "mkdir wheels; for w in 'one 1.0 two' 'two 1.0' 'two 2.0'; do set -- $w; python3 wheel.py $1 $2 \"$3\"; done",
        folder.path(),
    );
    let pip = |more: &str| task("pip", &format!("venv = '{path}'\nwheelhouse = '{at}/wheels'\n{more}"));

    let error = plan(&*pip("packages = 'one'")).unwrap_err();
    assert_eq!(error.causes, ["there is no virtual environment, or its python does not run"]);
    converge(&*task("venv", &format!("path = '{path}'")));
    assert_eq!(
        converge(&*pip("packages = 'two==1.0'")),
        [format!("install two==1.0 into {path}: two==1.0 not installed")]
    );

    must("mkdir r; echo one >r/base.txt; echo '-r base.txt' >r/requirements.txt", folder.path());
    let files = pip(&format!("requirements = '{at}/r/requirements.txt'"));
    assert!(converge(&*files)[0].ends_with("not installed by tow before"));
    assert_eq!(already(&*files), format!("{path} has {at}/r/requirements.txt"));
    must("echo '# x' >>r/base.txt", folder.path());
    assert!(converge(&*files)[0].ends_with("a file that it includes changed"));
    must("echo two==2.0 >>r/requirements.txt", folder.path());
    assert!(converge(&*files)[0].ends_with("r/requirements.txt changed"));
    must("v/bin/python -m pip uninstall -q -y two", folder.path());
    assert!(converge(&*files)[0].ends_with("two was changed or removed"));
    assert_eq!(
        converge(&*pip("packages = ['Two==1.0']"))[0],
        format!("install Two==1.0 into {path}: Two==1.0 not installed")
    );

    // With hashes every wheel has to have the right one.
    must(
        "h=$(python3 -c 'import hashlib; print(hashlib.sha256(open(\"wheels/two-2.0-py3-none-any.whl\", \"rb\").read()).hexdigest())'); echo \"two==2.0 --hash=sha256:$h\" >good.txt; echo 'two==2.0 --hash=sha256:00' >bad.txt; cp good.txt missing.txt; echo one >>missing.txt",
        folder.path(),
    );
    converge(&*pip(&format!("requirements = '{at}/good.txt'")));
    must("v/bin/python -m pip uninstall -q -y one two", folder.path());
    for file in ["bad.txt", "missing.txt"] {
        let said = apply(&plan(&*pip(&format!("requirements = '{at}/{file}'"))).unwrap()).unwrap_err();
        assert!(said.to_lowercase().contains("hash"), "{said}");
    }
    let error = plan(&*pip(&format!("requirements = '{at}/none.txt'"))).unwrap_err();
    assert_eq!(error.causes, [format!("there is no {at}/none.txt on the host")]);
    // What does not fit together is a failure, and is said.
    let said =
        apply(&plan(&*pip("packages = 'one'\nextra_args = ['--no-deps', '--force-reinstall']")).unwrap())
            .unwrap_err();
    assert!(said.contains("one 1.0 requires two, which is not installed"), "{said}");
}

#[test]
fn http_waits_for_the_answer_that_is_wanted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/h?x=1", listener.local_addr().unwrap());
    let (seen, requests) = std::sync::mpsc::channel();
    // Answers 503 at first; every shell asks once while planning.
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut bytes = [0; 4096];
            let n = stream.read(&mut bytes).unwrap();
            let status = if number < 8 { "503 x" } else { "200 OK" };
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 10\r\nConnection: close\r\n\r\nall * good")
                .unwrap();
            if seen.send(String::from_utf8_lossy(&bytes[..n]).into_owned()).is_err() {
                return;
            }
        }
    });
    let table = format!(
        "url = '{url}'\ncontains = 'll * g'\ninterval = '100ms'\ntimeout = '20s'\nheaders = {{ Host = 'shop.example', X-Secret = \"it's\" }}"
    );
    let http = task("http", &table);
    assert_eq!(converge(&*http), [format!("wait until {url} answers 200 with \"ll * g\"")]);
    assert_eq!(already(&*http), format!("{url} answers 200"));
    let wrong = task("http", &format!("url = '{url}'\ncontains = 'l*g'\ntimeout = '1s'\ninterval = '200ms'"));
    let said = apply(&plan(&*wrong).unwrap()).unwrap_err();
    assert!(said.contains("all * good") && said.contains("the last answer: status 200"), "{said}");
    // Of a name that leads nowhere, by curl and by Python.
    let away = url.replace("http://", "");
    let (address, path) = away.split_once('/').unwrap();
    let table = format!("url = 'http://nowhere.invalid/{path}'\nconnect = '{address}'");
    assert_eq!(already(&*task("http", &table)), format!("http://nowhere.invalid/{path} answers 200"));
    let (host, port) = address.rsplit_once(':').unwrap();
    let spec = format!(
        r#"{{"url": "http://nowhere.invalid/", "unix": null, "connect": ["{host}", "{port}"], "ca": null, "insecure": false, "method": "GET", "headers": []}}"#
    );
    let env = [("TOW_HTTP".to_owned(), spec), ("TOW_HTTP_LIMIT".to_owned(), "5".to_owned())];
    let said = real::sh(&["python3", "-I", "-B"], include_str!("../src/task/http/ask.py"), &env);
    assert!(said.stdout.ends_with(b"\n200\n"), "{said:?}");
    let request = requests.recv().unwrap();
    assert!(request.starts_with("GET /h?x=1 HTTP/1.1\r\n"), "{request}");
    assert!(
        request.contains("Host: shop.example\r\n") && request.contains("X-Secret: it's\r\n"),
        "{request}"
    );
}

#[test]
fn http_says_when_nobody_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let http = task("http", &format!("url = 'http://{address}/'\ntimeout = '100ms'\ninterval = '50ms'"));
    let said = apply(&plan(&*http).unwrap()).unwrap_err();
    assert!(said.contains("no answer") && said.to_lowercase().contains("connect"), "{said}");
}

/// Ends the daemon, also when the test fails.
struct Daemon {
    root: String,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let script = r#"p=$(cat "$R/supervisord.pid") && kill "$p"; while kill -0 "$p" 2>/dev/null; do sleep 0.1; done
            s=$(sed -n 's/^file = \(.*\)\/supervisor.sock/\1/p' "$R/supervisord.conf"); [ "$s" = "$R" ] || rmdir "$s""#;
        real::sh(&["sh"], script, &[("R".to_owned(), self.root.clone())]);
    }
}

/// Supervisor from the package index, into an environment that lives as long as the test.
#[test]
fn supervisor_runs_restarts_and_stops_a_program() {
    let (folder, path) = venv();
    let at = folder.path().display();
    converge(&*task("venv", &format!("path = '{path}'")));
    if apply(
        &plan(&*task("pip", &format!("venv = '{path}'\npackages = ['supervisor', 'setuptools<80']")))
            .unwrap(),
    )
    .is_err()
    {
        eprintln!("not shown: no package index is reachable");
        return;
    }
    let root = format!("{at}/deep/{}/s", "x".repeat(60));
    let common = format!("root = '{root}'\nprogram = 'web'\nbin = '{path}/bin'\nsettle = '500ms'\n");
    let described = |value: &str| {
        task(
            "supervisor",
            &format!(
                "{common}command = 'sleep 300'\ndirectory = '{at}'\nenvironment = {{ A = \"{value}\" }}"
            ),
        )
    };
    let _daemon = Daemon { root: root.clone() };
    let first = described(r#"it's \"x\" # 5%"#);
    let pid =
        || must(&format!("'{path}/bin/supervisorctl' -c '{root}/supervisord.conf' pid web"), folder.path());
    assert_eq!(converge(&*first).last().unwrap(), "start web");
    assert_eq!(already(&*first), "web is running");
    let before = pid();
    assert!(
        !std::path::Path::new(&format!("/proc/{before}/environ")).exists()
            || must(&format!("tr '\\0' '\\n' </proc/{before}/environ | grep ^A="), folder.path())
                == r#"A=it's "x" # 5%"#
    );
    assert_eq!(converge(&*described("y")), [format!("rewrite {root}/conf.d/web.sh"), "restart web".into()]);
    assert_ne!(pid(), before);
    let before = pid();
    apply(&plan(&*task("supervisor", &format!("{common}state = 'restarted'"))).unwrap()).unwrap();
    assert_ne!(pid(), before);

    // A program that ends at once: the error has its last words.
    let bad = task("supervisor", &format!("{common}command = 'echo last words >&2; exit 3'"));
    let said = apply(&plan(&*bad).unwrap()).unwrap_err();
    assert!(said.contains("last words"), "{said}");
    converge(&*described("y"));
    converge(&*task("supervisor", &format!("{common}state = 'stopped'")));
}
