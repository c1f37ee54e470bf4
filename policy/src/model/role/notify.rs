//! Commands that tell somebody who is elsewhere.

use crate::model::command::Arg;
use crate::model::options::{Options, Spec};

use super::Said;
use super::transfer::{CURL, curl_url};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// A timer elsewhere that expects a ping: it also sees that nothing ran.
    DeadManSwitch,
    /// Chat, mail, an issue, a page.
    Message,
    /// A metric that a monitoring system may watch.
    Metric,
    /// A request to an address that says nothing about what it is.
    Request,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Notify {
    pub means: Means,
    /// The address, where one is named.
    pub address: Option<Said>,
}

/// What an address or a variable's name says about who is told. Lower case.
const SWITCHES: [&str; 22] = [
    "hc-ping.com",
    "healthchecks",
    "healthcheck",
    "hc_",
    "hc-",
    "cronitor",
    "nosnch.in",
    "snitch",
    "heartbeat",
    "betteruptime",
    "betterstack",
    "uptime",
    "/api/push",
    "deadman",
    "dead_man",
    "dead-man",
    "ping_url",
    "ping-url",
    "pingurl",
    "sentry.io/api",
    "cronhub",
    "watchdog",
];
const MESSAGES: [&str; 20] = [
    "slack",
    "discord",
    "webhook",
    "hooks.",
    "telegram",
    "teams",
    "office.com",
    "ntfy",
    "pushover",
    "pagerduty",
    "opsgenie",
    "mattermost",
    "sendgrid",
    "mailgun",
    "resend.com",
    "twilio",
    "gotify",
    "zulip",
    "alert",
    "notify",
];

pub(crate) fn means_of(text: &str) -> Option<Means> {
    let lower = text.to_ascii_lowercase();
    let names = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if names(&SWITCHES) {
        return Some(Means::DeadManSwitch);
    }
    if names(&["pushgateway", "/metrics/job", "influx", "datadoghq"]) {
        return Some(Means::Metric);
    }
    names(&MESSAGES).then_some(Means::Message)
}

pub(super) fn classify(name: &str, args: &[Arg]) -> Option<Notify> {
    let words = || args.iter().map(|arg| arg.text.as_str());
    let message =
        |address: Option<&Arg>| Some(Notify { means: Means::Message, address: address.map(Said::from) });
    match name {
        "mail" | "mailx" | "sendmail" | "msmtp" | "mutt" | "ssmtp" | "swaks" | "s-nail" | "sendemail" => {
            message(args.last())
        }
        "curl" => {
            let options = Options::read(args, &CURL);
            let url = curl_url(&options)?;
            Some(request(url))
        }
        "wget" => {
            let options = Options::read(
                args,
                &Spec::gnu("OoPUTt", &["post-data", "header", "timeout", "tries", "output-document"]),
            );
            options.operands().iter().find(|arg| means_of(&arg.text).is_some()).map(|url| request(url))
        }
        "gh" if args.first().is_some_and(|arg| arg.text == "issue")
            && words().any(|word| matches!(word, "create" | "comment")) =>
        {
            message(None)
        }
        "aws" if words().any(|word| word == "publish" || word == "send-email") => message(None),
        "aws" if words().any(|word| word == "put-metric-data") => {
            Some(Notify { means: Means::Metric, address: None })
        }
        "ntfy" | "apprise" | "slack" | "telegram-send" | "pagerduty" | "pd" | "opsgenie" | "notify-send" => {
            message(None)
        }
        "sentry-cli" if words().any(|word| word == "monitors") => {
            Some(Notify { means: Means::DeadManSwitch, address: None })
        }
        "cronitor" | "runitor" | "healthchecks" => {
            Some(Notify { means: Means::DeadManSwitch, address: None })
        }
        // The convention of a script or a function of one's own.
        _ => means_of(name).filter(|means| *means == Means::Message).and_then(|_| message(None)),
    }
}

fn request(url: &Arg) -> Notify {
    // The names of variables say as much as the address.
    let means = means_of(&url.text).or_else(|| url.variables.iter().find_map(|name| means_of(name)));
    Notify { means: means.unwrap_or(Means::Request), address: Some(Said::from(url)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::role::Role;
    use crate::model::role::tests::role;

    fn means(line: &str) -> Option<Means> {
        match role(line) {
            Role::Notify(notify) => Some(notify.means),
            _ => None,
        }
    }

    #[test]
    fn who_is_told_shows_in_the_address() {
        assert_eq!(means("curl -fsS https://hc-ping.com/uuid"), Some(Means::DeadManSwitch));
        assert_eq!(means("curl -X POST -d {} $SLACK_WEBHOOK_URL"), Some(Means::Message));
        assert_eq!(means("curl -fsS https://api.example.test/x"), Some(Means::Request));
        assert_eq!(means("mail -s failed ops@example.test"), Some(Means::Message));
        assert_eq!(means("send_alert failed"), Some(Means::Message));
        assert_eq!(means("gh issue create -t x"), Some(Means::Message));
        assert_eq!(means("wget -q https://apt.postgresql.org/x.asc"), None);
        assert_eq!(means("mkdir x"), None);
    }
}
