//! Arguments of `tow init`.

use clap::{Args as Group, ValueEnum};

#[derive(Debug, Group)]
pub struct Init {
    /// The server's address, also ADDRESS:PORT; several times for several servers
    #[arg(long, value_name = "ADDRESS")]
    pub host: Vec<String>,
    /// The account to log in as (root with --yes)
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// The site's domain; several times for more of them
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Vec<String>,
    /// Where the certificate authority may write to (empty with --yes)
    #[arg(long, value_name = "EMAIL")]
    pub email: Option<String>,
    /// The database (postgresql with --yes, when the application uses one)
    #[arg(long, value_enum, value_name = "ENGINE")]
    pub database: Option<Engine>,
    /// The address of another server that has the database
    #[arg(long, value_name = "ADDRESS")]
    pub db_host: Option<String>,
    /// What the application is called on the server (default: by its project or folder)
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// What gunicorn imports, instead of what is found: `wsgi:app`, `shop:create_app()`
    #[arg(long, value_name = "MODULE:NAME")]
    pub entry: Option<String>,
    /// The server takes the source from this git repository, instead of from this folder
    #[arg(long, value_name = "URL")]
    pub repo: Option<String>,
    /// Branch or tag of the repository (default: its own)
    #[arg(long = "ref", value_name = "NAME", requires = "repo")]
    pub reference: Option<String>,
    /// Only what development on this machine needs; nothing is asked
    #[arg(long)]
    pub local: bool,
    /// Take the default of whatever has one, instead of asking
    #[arg(short, long)]
    pub yes: bool,
    /// Replace files that differ
    #[arg(long)]
    pub force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    Postgresql,
    Sqlite,
    None,
}

impl Engine {
    pub const ALL: [Engine; 3] = [Engine::Postgresql, Engine::Sqlite, Engine::None];

    pub fn key(self) -> &'static str {
        match self {
            Engine::Postgresql => "postgresql",
            Engine::Sqlite => "sqlite",
            Engine::None => "none",
        }
    }
}
