//! The verdict on a login: user, password and host together. `postgres:postgres`
//! is nothing at `localhost` and everything at a public address.

use super::Verdict;
use super::host::Host;
use super::words::{Class, classify, is_stand_in};

/// A password with the user and host that belong to it, where they are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Login<'t> {
    pub user: &'t str,
    pub password: &'t str,
    pub host: Option<Host>,
    /// The server itself is set up with this password (`POSTGRES_PASSWORD`).
    pub creates: bool,
}

impl Login<'_> {
    /// `None` where nobody is to be told.
    pub fn verdict(&self) -> Option<Verdict> {
        let near = self.host.is_some_and(Host::is_near);
        let stand_in_user = !self.user.is_empty() && is_stand_in(self.user);
        match classify(self.password) {
            // The documentation of images runs servers with it.
            Class::Instruction if self.creates && self.password == "example" => Some(Verdict::Development),
            Class::Template | Class::Instruction => None,
            // `user:password@localhost` is in every tutorial; `shop:password@localhost`
            // is somebody's database.
            Class::Placeholder => {
                let used = self.creates || (near && !stand_in_user && !self.user.is_empty());
                used.then_some(Verdict::Development)
            }
            // `u:p@h`: letters that stand for words.
            Class::Literal | Class::Default if self.password.chars().count() < 3 && !self.creates => None,
            Class::Default => match self.host {
                Some(Host::StandIn | Host::Example) => None,
                Some(Host::Public) => Some(Verdict::Leaked),
                _ => Some(Verdict::Development),
            },
            Class::Literal => {
                let same = !self.user.is_empty() && self.user.eq_ignore_ascii_case(self.password);
                match self.host {
                    Some(Host::StandIn) if same => None,
                    Some(host) if host.is_near() => Some(Verdict::Development),
                    None if same => Some(Verdict::Development),
                    _ => Some(Verdict::Leaked),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(user: &str, password: &str, host: Option<&str>) -> Option<Verdict> {
        Login { user, password, host: host.map(Host::of), creates: false }.verdict()
    }

    #[test]
    fn user_password_and_host_are_judged_together() {
        for (user, password, host, wanted) in [
            ("postgres.ref", "Blue@712", Some("aws-1-eu-west-1.pooler.supabase.com"), Some(Verdict::Leaked)),
            ("postgres", "postgres", Some("localhost"), Some(Verdict::Development)),
            ("postgres", "postgres", Some("db.shop.io"), Some(Verdict::Leaked)),
            ("postgres", "postgres", Some("HOST"), None),
            ("shop", "shop", Some("cluster0.ab1cd.mongodb.net"), Some(Verdict::Leaked)),
            ("shop", "shop", Some("db"), Some(Verdict::Development)),
            ("user", "pass", Some("host"), None),
            ("user", "password", Some("localhost"), None),
            ("shop", "password", Some("localhost"), Some(Verdict::Development)),
            ("postgres", "password", Some("db.xxx.supabase.co"), None),
            ("shop", "9fK2mQx7", Some("${HOST}"), Some(Verdict::Leaked)),
            ("shop", "9fK2mQx7", Some("db.example.com"), Some(Verdict::Leaked)),
            ("shop", "9fK2mQx7", Some("10.0.0.4"), Some(Verdict::Development)),
            ("shop", "9fK2mQx7", None, Some(Verdict::Leaked)),
            ("shop", "shop", None, Some(Verdict::Development)),
            ("a", "b", Some("c"), None),
        ] {
            assert_eq!(verdict(user, password, host), wanted, "{user}:{password}@{host:?}");
        }
    }
}
