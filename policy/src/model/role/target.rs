//! Which database a command speaks to, as far as its arguments say.

use crate::model::options::Options;
use crate::provider::{Address, Provider};

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
                Address::of(&url.text).is_some_and(|address| address.each().all(|(host, _)| local(host)))
            }
            (None, None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Place;
    use crate::model::Arg;

    #[test]
    fn what_is_local() {
        let is_local = |url: &str| {
            let said = Said { text: url.to_owned(), arg: Arg::plain(Place::default(), url) };
            Target { database: Some(said), ..Target::default() }.is_local()
        };
        for url in [
            "postgres://localhost/x",
            "postgres://u@127.0.0.1:5433/x",
            "postgres://u:p@[::1]/x",
            "postgres://u:p@[::1]:5432/x",
            "postgresql://u:p/w?y@localhost:5432/x",
            "postgresql://u:$PW@localhost,[::1]:5432/x",
        ] {
            assert!(is_local(url), "{url}");
        }
        for url in [
            "postgres://u:p@db.shop.io/localhost",
            "postgres://u:p/w@db.shop.io/x?host=localhost",
            "postgres://u:p@localhost,db.shop.io:5432/x",
            "postgres://u:p@[2a01:4f8::1]/x",
            "postgres://u:p@$HOST:5432/x",
            "localhost",
        ] {
            assert!(!is_local(url), "{url}");
        }
    }
}
