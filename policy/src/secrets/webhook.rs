//! Addresses that are secrets as a whole: whoever knows one can post to it.

use std::ops::Range;

use super::scan::Scan;
use super::template::is_template;
use super::words::is_masked;
use super::{Kind, Verdict};

/// Looks at an HTTP URL (`url` starts at its authority); says whether it was one.
pub(super) fn detect(scan: &mut Scan<'_>, start: usize, authority: usize, url: &str) -> bool {
    let (host, path) = match url.find(['/', '\\']) {
        Some(slash) => (url.get(..slash).unwrap_or_default(), url.get(slash..).unwrap_or_default()),
        None => return false,
    };
    // JSON may write `\/` for every slash.
    let parts: Vec<(usize, &str)> = pieces(path);
    let (kind, secret) = match host {
        "hooks.slack.com" | "hooks.slack-gov.com" => (Kind::SlackWebhook, slack(&parts)),
        "discord.com" | "discordapp.com" | "ptb.discord.com" | "canary.discord.com" => {
            (Kind::DiscordWebhook, discord(&parts))
        }
        "api.telegram.org" => (Kind::TelegramToken, telegram(&parts)),
        _ => return false,
    };
    if let Some(secret) = secret {
        let from = authority + host.len();
        let value = from + secret.start..from + secret.end;
        scan.add(start..value.end, value, kind, Verdict::Leaked);
    }
    true
}

/// The segments of a path, with their offsets in it.
fn pieces(path: &str) -> Vec<(usize, &str)> {
    let mut at = 0;
    path.split('/')
        .map(|piece| {
            let found = (at, piece.trim_end_matches('\\'));
            at += piece.len() + 1;
            found
        })
        .filter(|(_, piece)| !piece.is_empty())
        .take(8)
        .collect()
}

/// `/services/T…/B…/…` and `/workflows/…` alike: the last segment is the secret.
fn slack(parts: &[(usize, &str)]) -> Option<Range<usize>> {
    let [(_, "services" | "workflows" | "triggers"), (from, team), .., (last, secret)] = parts else {
        return None;
    };
    let secret = head(secret);
    let sound = team.len() >= 8
        && team.starts_with(['T', 'E'])
        && !is_filler(team)
        && secret.len() >= 16
        && is_token(secret);
    sound.then(|| *from..last + secret.len())
}

/// `/api/webhooks/<number>/<token>`.
fn discord(parts: &[(usize, &str)]) -> Option<Range<usize>> {
    let at = parts.iter().position(|(_, piece)| *piece == "webhooks")?;
    let (_, id) = parts.get(at + 1)?;
    let (from, token) = parts.get(at + 2)?;
    let token = head(token);
    let sound = id.len() >= 16
        && id.bytes().all(|byte| byte.is_ascii_digit())
        && token.len() >= 40
        && is_token(token);
    sound.then(|| *from..from + token.len())
}

/// `/bot<number>:<token>/method`.
fn telegram(parts: &[(usize, &str)]) -> Option<Range<usize>> {
    let (from, bot) = parts.first()?;
    let (id, token) = bot.strip_prefix("bot")?.split_once(':')?;
    let token = head(token);
    let sound =
        id.len() >= 6 && id.bytes().all(|byte| byte.is_ascii_digit()) && token.len() >= 30 && is_token(token);
    sound.then(|| from + 4 + id.len()..from + 4 + id.len() + token.len())
}

/// Without what the text around a URL adds to its end.
fn head(piece: &str) -> &str {
    let end = piece.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').unwrap_or(piece.len());
    piece.get(..end).unwrap_or_default()
}

fn is_token(text: &str) -> bool {
    !is_template(text) && !is_filler(text) && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// `XXXX…`, `T00000000`, `abcdefgh…`.
fn is_filler(text: &str) -> bool {
    let rest = text.get(1..).unwrap_or_default();
    is_masked(text)
        || (rest.len() >= 4 && rest.bytes().all(|byte| Some(&byte) == rest.as_bytes().first()))
        || text.to_ascii_lowercase().contains("example")
}
