//! The one pass over a text: where, and for whom, it is worth a closer look.

use std::sync::LazyLock;

use crate::words::{self, Words, automaton};

/// Who looks at the place that an anchor marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detector {
    Url,
    Name,
    Token,
    Pem,
    Age,
    Jwt,
    AwsKeyId,
    Signature,
    GoDsn,
    GetConnection,
    Oracle,
    PgpassLine,
    Command,
    Identified,
    Encoded,
}

/// Read without regard to case. Of two that start at one place the first counts,
/// so what is longer comes first.
#[rustfmt::skip]
const ANCHORS: &[(&str, Detector)] = &[
    ("://", Detector::Url), (":\\/\\/", Detector::Url),
    ("age-secret-key-1", Detector::Age), ("-----begin ", Detector::Pem), ("eyj", Detector::Jwt),
    ("mysqli(", Detector::GetConnection), ("mysqli_connect(", Detector::GetConnection),
    ("sshpass", Detector::Command), ("redis-cli", Detector::Command), ("valkey-cli", Detector::Command),
    ("mysql", Detector::Command), ("mariadb", Detector::Command), ("mongo", Detector::Command),
    ("openssl", Detector::Command), ("curl ", Detector::Command), ("wget ", Detector::Command),
    ("7z", Detector::Command), ("zip ", Detector::Command), ("mc alias", Detector::Command), ("sqlcmd", Detector::Command),
    ("identified by", Detector::Identified), ("getconnection(", Detector::GetConnection),
    ("new pdo(", Detector::GetConnection), ("new sequelize(", Detector::GetConnection),
    ("oracle:thin:", Detector::Oracle), ("@tcp(", Detector::GoDsn), ("@unix(", Detector::GoDsn),
    (":5432:", Detector::PgpassLine), (":6432:", Detector::PgpassLine), (":6543:", Detector::PgpassLine),
    (":*:", Detector::PgpassLine),
    ("sbp_", Detector::Token), ("sb_secret_", Detector::Token), ("napi_", Detector::Token), ("rnd_", Detector::Token),
    ("vercel_blob_rw_", Detector::Token), ("vcp_", Detector::Token), ("vck_", Detector::Token), ("vci_", Detector::Token),
    ("ghp_", Detector::Token), ("gho_", Detector::Token), ("ghu_", Detector::Token), ("ghs_", Detector::Token),
    ("ghr_", Detector::Token), ("github_pat_", Detector::Token), ("glpat-", Detector::Token),
    ("xoxb-", Detector::Token), ("xoxp-", Detector::Token), ("xoxa-", Detector::Token), ("xapp-", Detector::Token),
    ("sg.", Detector::Token), ("aiza", Detector::Token), ("gocspx-", Detector::Token), ("npm_", Detector::Token),
    ("sk_live_", Detector::Token), ("rk_live_", Detector::Token), ("dop_v1_", Detector::Token), ("hvs.", Detector::Token),
    ("dp.st.", Detector::Token), ("dp.pt.", Detector::Token), ("pscale_", Detector::Token), ("avns_", Detector::Token),
    ("8q~", Detector::Token), ("7q~", Detector::Token), ("hrku-", Detector::Token),
    ("akia", Detector::AwsKeyId), ("asia", Detector::AwsKeyId),
    ("sig=", Detector::Signature),
    ("cg9zdgdyzx", Detector::Encoded), ("bxlzcww6ly", Detector::Encoded), ("bw9uz29kyj", Detector::Encoded),
    ("bw9uz29kyi", Detector::Encoded), ("cmvkaxm6ly", Detector::Encoded), ("cmvkaxnzoi8v", Detector::Encoded),
    ("yw1xcdovl", Detector::Encoded), ("yw1xchm6ly", Detector::Encoded), ("ls0tls1crudjti", Detector::Encoded),
    ("qudflvnfq1jfvc1lrvkt", Detector::Encoded),
    ("pass", Detector::Name), ("pwd", Detector::Name), ("secret", Detector::Name), ("token", Detector::Name),
    ("senha", Detector::Name), ("masterauth", Detector::Name), ("api_key", Detector::Name), ("apikey", Detector::Name),
    ("api-key", Detector::Name), ("account_key", Detector::Name), ("account-key", Detector::Name),
    ("accountkey", Detector::Name), ("sharedaccesskey", Detector::Name), ("storage_key", Detector::Name),
    ("application_key", Detector::Name), ("applicationkey", Detector::Name), ("access_key", Detector::Name),
    ("accesskey", Detector::Name), ("encryption_key", Detector::Name), ("libsodium_key", Detector::Name),
    ("key-secret", Detector::Name),
];

static AUTOMATON: Words = LazyLock::new(|| {
    let anchors: Vec<&str> = ANCHORS.iter().map(|(anchor, _)| *anchor).collect();
    automaton(&anchors)
});

/// Every hit with its detector, in the order of the text.
pub(super) fn hits(text: &str) -> impl Iterator<Item = (std::ops::Range<usize>, Detector)> + '_ {
    words::hits(&AUTOMATON, text)
        .filter_map(|hit| Some((hit.range(), ANCHORS.get(hit.pattern().as_usize())?.1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_automaton_is_built_and_finds_without_regard_to_case() {
        let found: Vec<_> = hits("x PGPASSWORD=a Sb_Secret_1 AGE-SECRET-KEY-1 postgres://").collect();
        let detectors: Vec<_> = found.iter().map(|(_, detector)| *detector).collect();
        assert_eq!(detectors, [Detector::Name, Detector::Token, Detector::Age, Detector::Url]);
        assert_eq!(found[0].0, 4..8);
    }

    #[test]
    fn no_anchor_hides_behind_one_that_starts_it() {
        for (at, (anchor, _)) in ANCHORS.iter().enumerate() {
            assert_eq!(*anchor, anchor.to_ascii_lowercase());
            for (earlier, _) in &ANCHORS[..at] {
                assert!(
                    !anchor.starts_with(earlier),
                    "'{anchor}' is never found, since '{earlier}' comes first"
                );
            }
        }
    }
}
