//! Tokens that say by their prefix whose they are: length and alphabet, and the
//! checksum where there is one.

use super::scan::{Scan, is_word};
use super::words::is_masked;
use super::{Kind, Verdict, checksum};

struct Form {
    prefix: &'static str,
    kind: Kind,
    least: usize,
    most: usize,
    alphabet: Alphabet,
}

#[derive(Clone, Copy)]
enum Alphabet {
    Hex,
    Base62,
    /// With `_` and `-`.
    Url,
    /// With dots as well.
    Dotted,
}

impl Alphabet {
    fn holds(self, byte: u8) -> bool {
        match self {
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Base62 => byte.is_ascii_alphanumeric(),
            Self::Url => is_word(byte) || byte == b'-',
            Self::Dotted => is_word(byte) || byte == b'-' || byte == b'.',
        }
    }
}

const fn form(prefix: &'static str, kind: Kind, least: usize, most: usize, alphabet: Alphabet) -> Form {
    Form { prefix, kind, least, most, alphabet }
}

const FORMS: &[Form] = &[
    form("sbp_", Kind::SupabaseToken, 40, 40, Alphabet::Hex),
    form("sb_secret_", Kind::SupabaseServiceRole, 22, 60, Alphabet::Url),
    form("napi_", Kind::NeonToken, 32, 80, Alphabet::Base62),
    form("rnd_", Kind::RenderToken, 24, 40, Alphabet::Base62),
    form("vercel_blob_rw_", Kind::VercelToken, 30, 90, Alphabet::Url),
    form("vcp_", Kind::VercelToken, 24, 80, Alphabet::Base62),
    form("vck_", Kind::VercelToken, 24, 80, Alphabet::Base62),
    form("vci_", Kind::VercelToken, 24, 80, Alphabet::Base62),
    form("ghp_", Kind::GithubToken, 36, 36, Alphabet::Base62),
    form("gho_", Kind::GithubToken, 36, 36, Alphabet::Base62),
    form("ghu_", Kind::GithubToken, 36, 36, Alphabet::Base62),
    form("ghs_", Kind::GithubToken, 36, 36, Alphabet::Base62),
    form("ghr_", Kind::GithubToken, 36, 36, Alphabet::Base62),
    form("github_pat_", Kind::GithubToken, 82, 82, Alphabet::Url),
    form("glpat-", Kind::Token, 20, 64, Alphabet::Dotted),
    form("xoxb-", Kind::SlackToken, 30, 100, Alphabet::Url),
    form("xoxp-", Kind::SlackToken, 30, 100, Alphabet::Url),
    form("xoxa-", Kind::SlackToken, 30, 100, Alphabet::Url),
    form("xapp-", Kind::SlackToken, 30, 120, Alphabet::Url),
    form("SG.", Kind::Smtp, 66, 66, Alphabet::Dotted),
    form("AIza", Kind::GoogleApiKey, 35, 35, Alphabet::Url),
    form("GOCSPX-", Kind::Token, 28, 28, Alphabet::Url),
    form("npm_", Kind::Token, 36, 36, Alphabet::Base62),
    form("sk_live_", Kind::Token, 24, 110, Alphabet::Base62),
    form("rk_live_", Kind::Token, 24, 110, Alphabet::Base62),
    form("dop_v1_", Kind::Token, 64, 64, Alphabet::Hex),
    form("hvs.", Kind::Token, 24, 120, Alphabet::Url),
    form("dp.st.", Kind::Token, 40, 80, Alphabet::Dotted),
    form("dp.pt.", Kind::Token, 40, 80, Alphabet::Dotted),
    form("pscale_", Kind::Token, 32, 80, Alphabet::Dotted),
    form("AVNS_", Kind::Password, 16, 40, Alphabet::Url),
    form("HRKU-", Kind::Token, 30, 70, Alphabet::Url),
];

/// An anchor stands at `start`: the token that begins there, if it is one.
pub(super) fn detect(scan: &mut Scan<'_>, start: usize) {
    if scan.part(start + 1..start + 3).eq_ignore_ascii_case("q~") {
        azure_client_secret(scan, start);
        return;
    }
    let before = scan.before(start);
    if is_word(before) || before == b'.' {
        return;
    }
    let rest = scan.ahead(start, 16);
    let Some(form) = FORMS.iter().find(|form| rest.starts_with(form.prefix.as_bytes())) else { return };
    let body = start + form.prefix.len();
    let end = scan.run_end(body, form.most + 1, |byte| form.alphabet.holds(byte));
    let text = scan.part(body..end);
    let text = text.trim_end_matches(['.', '-']);
    let end = body + text.len();
    if text.len() < form.least || text.len() > form.most || !is_made(text) {
        return;
    }
    let sound = match form.prefix {
        // A newer form, longer, has no sum; these lengths have one.
        "ghp_" | "gho_" | "ghu_" | "ghs_" | "ghr_" => checksum::is_github(text),
        "SG." => text.as_bytes().get(22) == Some(&b'.'),
        _ => true,
    };
    if sound {
        scan.add(start..end, start..end, form.kind, Verdict::Leaked);
        scan.skip_to(end);
    }
}

/// Whether a value is judged here, by its prefix, and nowhere else.
pub(super) fn has_prefix(value: &str) -> bool {
    FORMS.iter().any(|form| value.starts_with(form.prefix) && value.len() >= form.prefix.len() + form.least)
}

/// Three characters, a digit with `Q~`, then 31 to 34 more.
fn azure_client_secret(scan: &mut Scan<'_>, digit: usize) {
    let holds = |byte: u8| is_word(byte) || b"~.-".contains(&byte);
    let start = scan.run_start(digit, 4, holds);
    let end = scan.run_end(digit + 3, 40, holds);
    let exact = scan.part(digit + 1..digit + 3) == "Q~";
    if exact && digit - start == 3 && (31..=34).contains(&(end - digit - 3)) && is_made(scan.part(start..end))
    {
        scan.add(start..end, start..end, Kind::AzureClientSecret, Verdict::Leaked);
    }
}

/// Letters and figures, and not what a person types to fill a field.
fn is_made(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    text.bytes().any(|byte| byte.is_ascii_alphabetic())
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && !is_masked(text)
        && !["example", "your", "abcdefgh", "12345678", "0123456"].iter().any(|filler| lower.contains(filler))
}

#[cfg(test)]
mod tests {
    use super::super::{Place, find};
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        find(text, Place::default()).iter().map(|secret| secret.kind).collect()
    }

    #[test]
    fn tokens_by_their_prefix() {
        let random = "7Kq2mzRv".repeat(12);
        let github = &random[..30];
        for (prefix, length, kind) in [
            ("napi_", 64, Kind::NeonToken),
            ("rnd_", 28, Kind::RenderToken),
            ("vercel_blob_rw_", 48, Kind::VercelToken),
            ("github_pat_", 82, Kind::GithubToken),
            ("xoxb-", 50, Kind::SlackToken),
            ("AIza", 35, Kind::GoogleApiKey),
            ("sb_secret_", 31, Kind::SupabaseServiceRole),
        ] {
            let token = format!("{prefix}{}", &random[..length]);
            assert_eq!(kinds(&format!("KEY={token}")), [kind], "{prefix}");
            assert_eq!(kinds(&format!("x{token}")), [], "{prefix} inside a word");
        }
        assert_eq!(kinds(&format!("sbp_{}", "0a1b2c3d".repeat(5))), [Kind::SupabaseToken]);
        assert_eq!(kinds(&format!("ghp_{github}{}", checksum::github_sum(github))), [Kind::GithubToken]);
        assert_eq!(kinds(&format!("ghp_{github}000000")), []);
        assert_eq!(kinds(&format!("GITHUB_TOKEN=ghp_{github}000000")), []);
        assert_eq!(kinds(&format!("abc8Q~{}", &random[..33])), [Kind::AzureClientSecret]);
    }

    #[test]
    fn what_fills_a_field_is_no_token() {
        for text in [
            "napi_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx1",
            "rnd_short1",
            "npm_config_registry",
            "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        ] {
            assert_eq!(kinds(text), [], "{text}");
        }
    }
}
