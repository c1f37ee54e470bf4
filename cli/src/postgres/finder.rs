//! Which of PostgreSQL's programs are on this machine, and which of them suits a
//! server or an archive. A client older than its server is never chosen, because
//! pg_dump refuses one and the others silently miss what they do not know. Where
//! nothing suitable is installed, the pinned [`wheel`] stands in.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use futures::future::join_all;
use tokio::sync::OnceCell;

use super::account::Account;
use super::tools::{ClientTools, Error, ServerTools};
use super::wheel::{self, Wheel};

const CLIENT_PROGRAMS: &[&str] = &["pg_dump", "pg_dumpall", "pg_restore", "psql"];
const SERVER_PROGRAMS: &[&str] = &["postgres", "initdb", "pg_ctl"];
/// Directories in which packages put the programs of one major version each.
const PACKAGE_PLACES: &[(&str, &str)] = &[
    ("/usr/lib/postgresql/", "/bin"), // Debian, Ubuntu; Gentoo and Alpine alike
    ("/usr/pgsql-", "/bin"),          // PGDG on Red Hat
    ("/opt/homebrew/opt/postgresql@", "/bin"), // Homebrew on Apple silicon
    ("/usr/local/opt/postgresql@", "/bin"), // Homebrew on Intel
    ("/usr/local/pgsql", "/bin"),     // from source
];

/// Where programs are looked for, and what was found there, asked once.
pub struct Finder {
    places: Vec<PathBuf>,
    wheel: Wheel,
    clients: OnceCell<Vec<ClientTools>>,
    servers: OnceCell<Vec<ServerTools>>,
}

/// This process's own finder.
pub(super) static INSTALLED: LazyLock<Finder> = LazyLock::new(Finder::from_env);

impl Finder {
    /// `BACKSTOP_PG_BIN` (directories, `:` between them), the places that
    /// packages use, then `PATH`.
    pub fn from_env() -> Self {
        let listed = |name| {
            let value = std::env::var_os(name).unwrap_or_default();
            std::env::split_paths(&value).filter(|path| path.is_absolute()).collect::<Vec<_>>()
        };
        let mut places = listed("BACKSTOP_PG_BIN");
        places.extend(PACKAGE_PLACES.iter().flat_map(|(before, after)| numbered(before, after)));
        places.extend(listed("PATH"));
        Self::new(&places, Wheel::from_env())
    }

    /// Look only in `places`. Of two equally good finds the earlier one wins.
    pub fn new(places: &[PathBuf], wheel: Wheel) -> Self {
        let mut seen = Vec::new();
        for place in places.iter().filter_map(|place| place.canonicalize().ok()) {
            if !seen.contains(&place) {
                seen.push(place);
            }
        }
        Self { places: seen, wheel, clients: OnceCell::new(), servers: OnceCell::new() }
    }

    /// Every set of client programs, the oldest major first.
    pub async fn clients(&self) -> &[ClientTools] {
        let find = || async {
            let found = join_all(self.holding(CLIENT_PROGRAMS).map(|dir| ClientTools::at(dir.clone()))).await;
            let mut found: Vec<_> = found.into_iter().filter_map(Result::ok).collect();
            found.sort_by_key(|tools| tools.version.major);
            found
        };
        self.clients.get_or_init(find).await
    }

    /// Every set of server programs that may be run here, the oldest major first.
    pub async fn servers(&self) -> &[ServerTools] {
        let find = || async {
            // Root runs servers as somebody else, who has to reach the programs.
            let account = Account::for_servers().ok().flatten();
            let reached = |dir: &&PathBuf| account.is_none_or(|account| account.can_enter(dir));
            let candidates = self.holding(SERVER_PROGRAMS).filter(reached);
            let found = join_all(candidates.map(|dir| ServerTools::at(dir.clone()))).await;
            let mut found: Vec<_> = found.into_iter().filter_map(Result::ok).collect();
            found.sort_by_key(|tools| tools.version.major);
            found
        };
        self.servers.get_or_init(find).await
    }

    /// See [`ClientTools::for_server`].
    pub async fn client_for_server(&self, server_major: u32) -> Result<ClientTools, Error> {
        let clients = self.clients().await;
        if let Some(tools) = clients.iter().find(|tools| tools.version.major >= server_major) {
            return Ok(tools.clone());
        }
        let newest = clients.last().map(|tools| tools.version.major);
        let missing = |wheel| Error::NoClient { server: server_major, newest, wheel };
        if server_major > wheel::MAJOR {
            return Err(missing(None));
        }
        match self.wheel.programs().await {
            Ok(dir) => ClientTools::at(dir).await,
            Err(cause) => Err(missing(Some(cause))),
        }
    }

    /// See [`ClientTools::for_restore`].
    pub async fn client_for_restore(
        &self,
        oldest_major: u32,
        prefer_major: u32,
    ) -> Result<ClientTools, Error> {
        let wanted = oldest_major.max(prefer_major);
        let clients = self.clients().await;
        if let Some(tools) = clients.iter().find(|tools| tools.version.major >= wanted) {
            return Ok(tools.clone());
        }
        let newest = clients.last().map(|tools| tools.version.major);
        let missing = |wheel| Error::NoRestore { needed: wanted, newest, wheel };
        if wanted > wheel::MAJOR {
            return Err(missing(None));
        }
        match self.wheel.programs().await {
            Ok(dir) => ClientTools::at(dir).await,
            Err(cause) => Err(missing(Some(cause))),
        }
    }

    /// See [`ServerTools::for_major`].
    pub async fn server_for_major(&self, major: u32) -> Result<ServerTools, Error> {
        let servers = self.servers().await;
        if let Some(tools) = servers.iter().find(|tools| tools.version.major >= major) {
            return Ok(tools.clone());
        }
        let newest = servers.last().map(|tools| tools.version.major);
        let missing = |wheel| Error::NoServer { major, newest, wheel };
        if major > wheel::MAJOR {
            return Err(missing(None));
        }
        match self.wheel.programs().await {
            Ok(dir) => ServerTools::at(dir).await,
            Err(cause) => Err(missing(Some(cause))),
        }
    }

    /// The places that hold all of these programs. Debian's /usr/bin does not
    /// count: its pg_dump is pg_wrapper, which picks a version by its own rules.
    fn holding(&self, programs: &'static [&'static str]) -> impl Iterator<Item = &PathBuf> {
        let real = |program: &Path| {
            program.canonicalize().is_ok_and(|real| real.file_name().is_none_or(|name| name != "pg_wrapper"))
        };
        self.places.iter().filter(move |place| programs.iter().all(|program| real(&place.join(program))))
    }
}

/// Existing directories `<before><anything><after>`, the highest number first.
fn numbered(before: &str, after: &str) -> Vec<PathBuf> {
    let (parent, start) = before.rsplit_once('/').unwrap_or(("", before));
    let names = std::fs::read_dir(format!("{parent}/")).into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<_> = names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with(start))
        .map(|name| PathBuf::from(format!("{parent}/{name}{after}")))
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found.reverse();
    found
}

#[cfg(test)]
mod tests;
