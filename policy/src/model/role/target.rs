//! Which database a command speaks to, as far as its arguments say.

use crate::model::options::Options;
use crate::provider::Provider;

use super::Said;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Target {
    /// A name, a URL, a connection string, or a variable with one of these.
    pub database: Option<Said>,
    pub host: Option<Said>,
    pub port: Option<Said>,
    pub user: Option<Said>,
}

impl Target {
    /// Of the options that PostgreSQL's programs share.
    pub fn read(options: &Options<'_>) -> Self {
        let said = |names: &[&str]| options.value(names).map(Said::from);
        let operand =
            options.operands().first().map(|arg| Said { text: arg.text.clone(), arg: (*arg).clone() });
        Self {
            database: said(&["d", "dbname"]).or(operand),
            host: said(&["h", "host"]),
            port: said(&["p", "port"]),
            user: said(&["U", "username"]),
        }
    }

    /// Whether both are written the same, so that they are the same database. Two
    /// targets that say nothing take both from the same environment.
    pub fn is_same(&self, other: &Self) -> bool {
        let text = |said: &Option<Said>| said.as_ref().map(|said| said.text.clone());
        text(&self.database) == text(&other.database)
            && text(&self.host) == text(&other.host)
            && text(&self.port) == text(&other.port)
    }

    /// The URL, where it is one.
    pub fn url(&self) -> Option<&Said> {
        self.database
            .as_ref()
            .filter(|said| said.text.starts_with("postgres://") || said.text.starts_with("postgresql://"))
    }

    /// Who hosts it, by URL or host.
    pub fn provider(&self) -> Option<Provider> {
        if let Some(url) = self.url() {
            return Provider::of_url(&url.text);
        }
        let port = self.port.as_ref().and_then(|port| port.text.parse().ok());
        let user = self.user.as_ref().map(|user| user.text.as_str());
        self.host.as_ref().map(|host| Provider::detect(&host.text, port, user))
    }

    /// This machine or a container beside it: what continuous integration starts.
    pub fn is_local(&self) -> bool {
        let local =
            |host: &str| matches!(host, "localhost" | "127.0.0.1" | "::1" | "[::1]") || host.starts_with('/');
        match (&self.host, self.url()) {
            (Some(host), _) => local(&host.text),
            (None, Some(url)) => {
                let rest = url.text.split_once("://").map_or("", |(_, rest)| rest);
                let authority = rest.split(['/', '?']).next().unwrap_or_default();
                let host = authority.rsplit('@').next().unwrap_or_default();
                local(host.rsplit_once(':').map_or(host, |(host, _)| host))
            }
            (None, None) => false,
        }
    }
}
