//! The operator's Python: which one the demo's hosts use, and the settings that pip needs to reach its index.

use std::ffi::OsString;
use std::path::Path;

use tokio::process::Command;

use crate::words::error::{Error, Result};

/// Prints the executable and the version, or the first module that is missing.
const ASK: &str = r#"
import sys
for module in ("venv", "ensurepip", "ssl", "sqlite3"):
    try:
        __import__(module)
    except ImportError:
        print("missing", module)
        break
else:
    print(getattr(sys, "_base_executable", None) or sys.executable)
print("%d.%d" % sys.version_info[:2])
"#;

const INSTALL: &str = "install it: `apt install python3 python3-venv` (Debian, Ubuntu), `dnf install python3` (Fedora), \
                       `brew install python` (macOS)";

/// The path of a Python 3.9 or newer that can make virtual environments.
pub async fn find() -> Result<String> {
    let output = Command::new("python3").args(["-I", "-c", ASK]).output().await.map_err(|error| {
        let cause = match error.kind() {
            std::io::ErrorKind::NotFound => "there is no python3 on this machine".to_owned(),
            _ => format!("python3 does not start: {error}"),
        };
        Error::failed("cannot run the demo").cause(cause).hint(INSTALL)
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).lines().map(str::to_owned).collect();
        return Err(Error::failed("cannot run the demo")
            .cause("python3 does not work")
            .output(said)
            .hint(INSTALL));
    }
    judge(&String::from_utf8_lossy(&output.stdout))
}

fn judge(answer: &str) -> Result<String> {
    let (first, version) = answer.trim().split_once('\n').unwrap_or_default();
    let mut numbers = version.split('.').map(|number| number.trim().parse::<u32>().unwrap_or(0));
    let version_is = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version_is < (3, 9) {
        return Err(Error::failed("cannot run the demo")
            .cause(format!("python3 is version {version}, and the application needs 3.9 or newer"))
            .hint("put a newer python3 first in PATH"));
    }
    match first.strip_prefix("missing ") {
        None => Ok(first.to_owned()),
        Some(module @ ("venv" | "ensurepip")) => Err(Error::failed("cannot run the demo")
            .cause(format!("python3 cannot make virtual environments: it has no module {module}"))
            .hint("install it: `apt install python3-venv` (Debian, Ubuntu)")),
        Some(module) => Err(Error::failed("cannot run the demo")
            .cause(format!("python3 was built without its module {module}"))
            .hint("install a python3 of your system's packages, and put it first in PATH")),
    }
}

/// The variables by which pip reaches its index from a host with another home folder, and a cache for all hosts.
pub fn pip_environment(folder: &Path) -> Vec<(OsString, OsString)> {
    let proxies = ["http_proxy", "https_proxy", "no_proxy", "all_proxy"];
    let certificates = ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"];
    // These would send the packages somewhere else than into the virtual environment.
    let strays = ["PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_CACHE_DIR"];
    let wanted = |name: &str| {
        proxies.contains(&name.to_ascii_lowercase().as_str())
            || certificates.contains(&name)
            || (name.starts_with("PIP_") && !strays.contains(&name))
    };
    let mut env: Vec<(OsString, OsString)> = vec![
        ("PIP_RETRIES".into(), "2".into()),
        ("PIP_NO_INPUT".into(), "1".into()),
        // Python compiles what it needs; three hosts share the cores of one machine.
        ("PIP_NO_COMPILE".into(), "1".into()),
        ("PIP_DISABLE_PIP_VERSION_CHECK".into(), "1".into()),
    ];
    if let Some(file) = user_configuration() {
        env.push(("PIP_CONFIG_FILE".into(), file));
    }
    env.extend(std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(wanted)));
    env.push(("PIP_CACHE_DIR".into(), folder.join("pip-cache").into()));
    env
}

/// Where the operator may have named an index of their own.
fn user_configuration() -> Option<OsString> {
    let home = directories::BaseDirs::new()?.home_dir().to_owned();
    let places = [".config/pip/pip.conf", ".pip/pip.conf", "Library/Application Support/pip/pip.conf"];
    places.iter().map(|place| home.join(place)).find(|path| path.is_file()).map(Into::into)
}

/// Adds what to do when pip failed because it could not reach its index.
pub fn explain(error: Error) -> Error {
    let signs = [
        "Failed to establish a new connection",
        "Temporary failure in name resolution",
        "NameResolutionError",
        "NewConnectionError",
        "Could not fetch URL",
        "Network is unreachable",
        "Read timed out",
        "ConnectTimeoutError",
        "No matching distribution found",
    ];
    let said = |text: &String| signs.iter().any(|sign| text.contains(sign));
    if !error.output.iter().chain(&error.causes).any(said) {
        return error;
    }
    error.hint(
        "the demo installs Flask and gunicorn from PyPI: it needs the internet, or an index of yours in \
         PIP_INDEX_URL, or a proxy in https_proxy",
    )
}

#[cfg(test)]
mod tests {
    use super::{explain, judge};
    use crate::words::error::Error;

    #[test]
    fn a_good_python_is_taken() {
        assert_eq!(judge("/usr/bin/python3\n3.13\n").unwrap(), "/usr/bin/python3");
    }

    #[test]
    fn what_is_missing_is_named_with_its_package() {
        let error = judge("missing ensurepip\n3.11\n").unwrap_err();
        assert!(error.to_string().contains("no module ensurepip"), "{error}");
        assert!(error.hint.unwrap().contains("apt install python3-venv"));
        let error = judge("/usr/bin/python3\n3.8\n").unwrap_err();
        assert!(error.to_string().contains("is version 3.8"), "{error}");
        assert!(judge("").is_err());
    }

    #[test]
    fn a_machine_without_internet_is_told_so() {
        let line = "WARNING: Retrying … Failed to establish a new connection: [Errno -2]";
        let offline = Error::failed("cannot install").output(vec![line.into()]);
        assert!(explain(offline).hint.unwrap().contains("needs the internet"));
        assert_eq!(explain(Error::failed("no space left")).hint, None);
    }
}
