//! A visitor who comes by the domain's name, trusts the test CA, and keeps cookies.

use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::lab::{Lab, text};
use crate::site::Site;

pub struct Browser<'a> {
    lab: &'a Lab,
    domain: String,
    address: String,
    cookies: NamedTempFile,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub location: String,
    pub body: String,
}

impl Site<'_> {
    /// Of the first server.
    pub fn browser(&self) -> Browser<'_> {
        self.browser_of(self.domain, self.servers[0])
    }

    pub fn browser_of(&self, domain: &str, server: &str) -> Browser<'_> {
        let cookies = NamedTempFile::new().unwrap();
        Browser { lab: self.lab, domain: domain.to_owned(), address: self.lab.address(server), cookies }
    }
}

impl Browser<'_> {
    /// Whatever is wrong with the certificate is a failure here.
    fn ask(&self, scheme: &str, path: &str, arguments: &[&str]) -> Result<Answer, String> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "30", "--cookie-jar"]).arg(self.cookies.path());
        curl.arg("--cookie").arg(self.cookies.path());
        curl.arg("--cacert").arg(self.lab.state.join("acme/issuer.pem"));
        for port in [80, 443] {
            curl.args(["--resolve", &format!("{}:{port}:{}", self.domain, self.address)]);
        }
        curl.args(["--write-out", "\n%{http_code} %{redirect_url}"]).args(arguments);
        let output =
            curl.arg(format!("{scheme}://{}{path}", self.domain)).stdin(Stdio::null()).output().unwrap();
        if !output.status.success() {
            return Err(text(&output.stderr));
        }
        let said = text(&output.stdout);
        let (body, last) = said.rsplit_once('\n').unwrap();
        let (status, location) = last.split_once(' ').unwrap();
        Ok(Answer { status: status.parse().unwrap(), location: location.to_owned(), body: body.to_owned() })
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("https", path, &[]).unwrap_or_else(|why| panic!("https://{}{path}: {why}", self.domain))
    }

    /// With these headers.
    pub fn get_as(&self, path: &str, headers: &[&str]) -> Answer {
        let headers: Vec<&str> = headers.iter().flat_map(|header| ["--header", header]).collect();
        self.ask("https", path, &headers).unwrap()
    }

    pub fn get_plain(&self, path: &str) -> Answer {
        self.ask("http", path, &[]).unwrap_or_else(|why| panic!("http://{}{path}: {why}", self.domain))
    }

    /// Whether the start page comes with this header, which is written in lower case.
    pub fn is_told(&self, header: &str) -> bool {
        let answer = self.ask("https", "/", &["--include"]).unwrap();
        answer.body.lines().any(|line| line.trim_end().to_ascii_lowercase() == header)
    }

    /// What is wrong for a visitor, if anything: the page, the health, the way from HTTP.
    pub fn trouble(&self) -> Option<String> {
        for path in ["/", "/healthz"] {
            match self.ask("https", path, &[]) {
                Ok(answer) if answer.status == 200 => {}
                other => return Some(format!("https://{}{path}: {other:?}", self.domain)),
            }
        }
        None
    }

    pub fn is_served(&self) {
        assert_eq!(self.trouble(), None);
        assert_eq!(self.get("/healthz").json()["status"], "ok");
        let answer = self.get_plain("/some/page?a=b");
        assert_eq!((answer.status, answer.location), (301, format!("https://{}/some/page?a=b", self.domain)));
    }

    /// Publishes a post by the API; `token` is what the application asks for, if anything.
    pub fn publish(&self, title: &str, token: Option<&str>) {
        let body = json!({ "title": title, "body": "Written by a visitor." }).to_string();
        let authorization = format!("Authorization: Bearer {}", token.unwrap_or_default());
        let headers = ["--header", "Content-Type: application/json", "--header", &authorization];
        let answer =
            self.ask("https", "/api/v1/posts", &[&headers[..], &["--data", &body]].concat()).unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    /// The newest first.
    pub fn titles(&self) -> Vec<String> {
        let posts = self.get("/api/v1/posts").json();
        let posts = posts["posts"].as_array().unwrap();
        posts.iter().map(|post| post["title"].as_str().unwrap().to_owned()).collect()
    }

    /// An account of pythonweb's, made by its forms, and the token that its dashboard shows.
    pub fn register(&self) -> String {
        // Nobody else's, also when the database is from an earlier run.
        let name = self.cookies.path().file_name().unwrap().to_string_lossy().replace('.', "");
        let mail = format!("email={name}@example.com");
        let fields = ["name=Ann", mail.as_str(), "password=correct horse", "repeat=correct horse"];
        let answer = self.submit("/register", "/register", &fields);
        assert_eq!(answer.status, 302, "{answer:?}");
        let answer = self.submit("/dashboard", "/token", &[]);
        let (_, rest) = answer.body.split_once("<code>").unwrap_or_else(|| panic!("{answer:?}"));
        rest.split_once("</code>").unwrap().0.to_owned()
    }

    /// Opens a page, takes its CSRF token, and sends a form as a browser does.
    fn submit(&self, page: &str, path: &str, fields: &[&str]) -> Answer {
        let form = self.get(page).body;
        let (_, rest) = form.split_once("name=\"csrf_token\"").unwrap_or_else(|| panic!("{form}"));
        let token = rest.split_once("value=\"").unwrap().1.split('"').next().unwrap();
        let (referer, token) = (format!("https://{}{page}", self.domain), format!("csrf_token={token}"));
        let mut arguments = vec!["--referer", &referer, "--data-urlencode", &token];
        arguments.extend(fields.iter().flat_map(|field| ["--data-urlencode", field]));
        self.ask("https", path, &arguments).unwrap()
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }
}
