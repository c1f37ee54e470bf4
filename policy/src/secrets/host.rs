//! How far a host can be reached from: a password for `localhost` is no leak.
//!
//! A host as it is written goes in, with or without a port; its reach comes out.

use super::template::is_template;
use super::words::{is_masked, is_stand_in};

/// Ordered by how much a password for such a host is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Host {
    /// `HOST`, `db.xxx.example`: stands for one.
    StandIn,
    /// Under a name that RFC 2606 or RFC 5737 keeps for examples.
    Example,
    /// This machine, or a socket.
    Loopback,
    /// A name without a dot: a compose service, a container.
    Service,
    /// An address of a private network, or a name of a local one.
    Private,
    /// Filled in elsewhere: may be any.
    Template,
    Public,
}

impl Host {
    /// Nobody outside can use a password for it.
    pub fn is_near(self) -> bool {
        matches!(self, Self::Loopback | Self::Service | Self::Private)
    }

    /// Of `host`, `host:port`, `[v6]:port`, or several of them after commas: the
    /// one that can be reached from farthest away.
    pub fn of(hosts: &str) -> Self {
        // SQL Server writes `tcp:host,port`.
        let hosts = hosts.strip_prefix("tcp:").unwrap_or(hosts);
        let is_port = |host: &&str| !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_digit());
        hosts
            .split(',')
            .filter(|host| !is_port(host))
            .map(|host| one(without_port(host.trim())))
            .max()
            .unwrap_or(Self::Loopback)
    }
}

/// `[::1]` of `[::1]:5432`.
pub(crate) fn without_port(host: &str) -> &str {
    if host.starts_with('[') {
        return host.find(']').and_then(|end| host.get(..=end)).unwrap_or(host);
    }
    match host.rsplit_once(':') {
        Some((before, _)) if !before.contains(':') || before.contains(['{', '<', '$']) => before,
        _ => host,
    }
}

fn one(host: &str) -> Host {
    let lower = host.to_ascii_lowercase();
    let host = lower.as_str();
    if host.is_empty() || host.starts_with('/') || host.starts_with("%2f") || host.starts_with('@') {
        return Host::Loopback;
    }
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'))
        && address.contains(':')
    {
        return v6(address);
    }
    if host.contains(':') && host.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.')
    {
        return v6(host);
    }
    // `${HOST:-localhost}` says where it goes when nobody says otherwise.
    if let Some(default) = host.strip_prefix("${").and_then(|host| host.strip_suffix('}')) {
        return default.split_once(":-").map_or(Host::Template, |(_, default)| one(default));
    }
    if host.contains(['<', '[']) || is_masked(host) {
        return Host::StandIn;
    }
    if is_template(host) || host.contains(['$', '{', '%']) {
        return Host::Template;
    }
    if let Some(octets) = v4(host) {
        return address(octets);
    }
    named(host)
}

fn named(host: &str) -> Host {
    const NEAR: &[&str] =
        &["localhost", "host.docker.internal", "localhost.localdomain", "ip6-localhost", "local"];
    const LOCAL: &[&str] = &[".local", ".lan", ".home", ".home.arpa", ".localdomain"];
    const EXAMPLE: &[&str] = &["example.com", "example.org", "example.net", "example.edu"];
    if NEAR.contains(&host) || host.ends_with(".localhost") {
        return Host::Loopback;
    }
    let Some((first, rest)) = host.split_once('.') else {
        return if is_stand_in(host) {
            Host::StandIn
        } else if host.contains("prod") || host.contains("live") {
            Host::Public
        } else {
            Host::Service
        };
    };
    if EXAMPLE
        .iter()
        .any(|domain| host == *domain || host.strip_suffix(domain).is_some_and(|sub| sub.ends_with('.')))
        || [".example", ".test", ".invalid"].iter().any(|ending| host.ends_with(ending))
    {
        return Host::Example;
    }
    if LOCAL.iter().any(|ending| host.ends_with(ending)) && !host.ends_with(".svc.cluster.local") {
        return Host::Private;
    }
    let stands_in = |label: &str| {
        let label = label.strip_suffix("-pooler").unwrap_or(label);
        is_stand_in(label)
            || is_filler(label)
            || label.split('-').any(|part| is_filler(part) || is_masked(part))
    };
    // `db.<ref>.supabase.co` has it second, `<name>.provider.com` first.
    let second = rest.split_once('.').map(|(second, _)| second);
    if stands_in(first) || second.is_some_and(stands_in) { Host::StandIn } else { Host::Public }
}

/// `abcdefgh`, `xyz`, `abc123`, `xxx`: typed along the alphabet.
fn is_filler(label: &str) -> bool {
    let bytes = label.as_bytes();
    if bytes.len() < 3 {
        return false;
    }
    let climbs = bytes.windows(2).all(|pair| pair[1] == pair[0] + 1);
    let letters = label.trim_end_matches(|c: char| c.is_ascii_digit());
    climbs
        || bytes.iter().all(|byte| *byte == b'x')
        || matches!(letters, "abc" | "abcd" | "abcdef" | "xyz" | "yourproject" | "yourref")
        || label.starts_with("abcdefghij")
}

fn v4(host: &str) -> Option<[u8; 4]> {
    let mut octets = [0; 4];
    let mut parts = host.split('.');
    for octet in &mut octets {
        *octet = parts.next()?.parse().ok()?;
    }
    parts.next().is_none().then_some(octets)
}

fn address(octets: [u8; 4]) -> Host {
    match octets {
        [127, ..] | [0, 0, 0, 0] => Host::Loopback,
        [10, ..] | [192, 168, ..] | [169, 254, ..] | [172, 16..=31, ..] | [100, 64..=127, ..] => {
            Host::Private
        }
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Host::Example,
        _ => Host::Public,
    }
}

fn v6(address: &str) -> Host {
    if matches!(address, "::1" | "::" | "0:0:0:0:0:0:0:1") {
        Host::Loopback
    } else if ["fc", "fd", "fe80"].iter().any(|start| address.starts_with(start)) {
        Host::Private
    } else if address.starts_with("2001:db8") {
        Host::Example
    } else {
        Host::Public
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_known_by_their_reach() {
        for (hosts, wanted) in [
            ("localhost:5432", Host::Loopback),
            ("127.0.0.1", Host::Loopback),
            ("[::1]:5432", Host::Loopback),
            ("", Host::Loopback),
            ("${DB_HOST:-localhost}:5432", Host::Loopback),
            ("%2Fvar%2Frun", Host::Loopback),
            ("db:5432", Host::Service),
            ("postgres", Host::Service),
            ("10.1.2.3:5432", Host::Private),
            ("nas.local", Host::Private),
            ("[fd00::1]", Host::Private),
            ("HOST", Host::StandIn),
            ("new-host:5432", Host::StandIn),
            ("db.xxx.supabase.co", Host::StandIn),
            ("db.[PROJECT-REF].supabase.co", Host::StandIn),
            ("<host>", Host::StandIn),
            ("ep-xxx-123.eu-central-1.aws.neon.tech", Host::StandIn),
            ("db.abcdefghijklmnop.supabase.co", Host::StandIn),
            ("db.example.com:5432", Host::Example),
            ("db.prod.example", Host::Example),
            ("203.0.113.7", Host::Example),
            ("${db.endpoint}", Host::Template),
            ("{host}:{port}", Host::Template),
            ("aws-1-eu-west-1.pooler.supabase.com:6543", Host::Public),
            ("shop-prod-1", Host::Public),
            ("8.8.4.4", Host::Public),
            ("localhost,db.shop.io:5432", Host::Public),
            ("[2a01:4f8::1]:5432", Host::Public),
            ("cluster0.ab1cd.mongodb.net", Host::Public),
        ] {
            assert_eq!(Host::of(hosts), wanted, "{hosts}");
        }
    }
}
