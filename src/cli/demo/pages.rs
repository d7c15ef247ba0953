//! Looks at the pages of the deployed application, as a visitor's browser would.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cli::demo::{Demo, DemoHost};
use crate::words::error::{Error, Result};

const PATIENCE: Duration = Duration::from_secs(10);
/// No page of the application is nearly as long.
const LONGEST: u64 = 1 << 20;

/// A page that answered as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub host: String,
    pub url: String,
    pub status: u16,
}

/// Path, status, and what the answer (head and body) must hold.
const EXPECTED: &[(&str, u16, &str)] = &[
    ("/", 200, "<h1>Newest posts</h1>"),
    ("/healthz", 200, "\"status\":\"ok\""),
    ("/register", 200, "name=\"csrf_token\""),
    ("/login", 200, "name=\"csrf_token\""),
    ("/dashboard", 302, "/login?next="),
    ("/api/v1/posts", 200, "\"posts\":["),
    ("/api/v1/posts/4711", 404, "\"error\":"),
    ("/static/style.css", 200, "text/css"),
];

/// Every page of every host; the first that is not as it should be is the error.
pub async fn check_pages(demo: &Demo) -> Result<Vec<Page>> {
    let hosts = demo.hosts.iter().map(check_host);
    let pages = futures::future::try_join_all(hosts).await?;
    Ok(pages.into_iter().flatten().collect())
}

async fn check_host(host: &DemoHost) -> Result<Vec<Page>> {
    let mut pages = Vec::new();
    for (path, status, text) in EXPECTED {
        let url = format!("{}{path}", host.url.trim_end_matches('/'));
        let wrong =
            |cause: String| Error::failed(format!("{}: {url} is not as expected", host.name)).cause(cause);
        let answer = fetch(host.web_port, path).await.map_err(wrong)?;
        if answer.status != *status {
            return Err(wrong(format!("it answers with status {}, not {status}", answer.status)));
        }
        if !answer.text.contains(text) {
            return Err(wrong(format!("the answer does not contain {text:?}")));
        }
        pages.push(Page { host: host.name.clone(), url, status: *status });
    }
    Ok(pages)
}

struct Answer {
    status: u16,
    /// Head and body.
    text: String,
}

async fn fetch(port: u16, path: &str) -> Result<Answer, String> {
    let bytes = tokio::time::timeout(PATIENCE, exchange(port, path)).await;
    let bytes = bytes.map_err(|_| format!("no answer in {} s", PATIENCE.as_secs()))?;
    let bytes = bytes.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| "the answer is not HTTP".to_owned())?;
    Ok(Answer { status, text })
}

/// HTTP/1.0: the end of the connection is the end of the answer.
async fn exchange(port: u16, path: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).await?;
    Ok(answer)
}
