use crate::finding::{Edit, Fix, Place, Span};
use crate::model::{Arg, Command, Known, RestoreTool, Role, Set, Target};
use crate::provider::{Address, Provider, project_of};
use crate::rule::{Findings, rule};

rule! {
    /// A dump or restore through a pooler that keeps no session.
    ///
    /// ## What
    /// `pg_dump`, `pg_restore` or `psql` with a dump connects to Supabase's transaction
    /// pooler (port 6543), to Neon's pooled host (`-pooler`), or with `pgbouncer=true`:
    /// by a URL, by options, by `PGPORT`, or by a variable that a `.env` file sets.
    ///
    /// ## Why
    /// Such a pooler hands out a server session for one transaction at a time. A dump
    /// sets `search_path`, time-outs and a snapshot for its whole session: they get
    /// lost, or come from another client, and the dump breaks off or is wrong.
    /// An application's own URL is right there and is not reported.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// pg_dump -Fc -f shop.dump \
    ///   "postgresql://postgres.abcdefghijklmnopqrst:${PGPASSWORD}@aws-0-eu-west-1.pooler.supabase.com:6543/postgres"
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// pg_dump -Fc -f shop.dump \
    ///   "postgresql://postgres.abcdefghijklmnopqrst:${PGPASSWORD}@aws-0-eu-west-1.pooler.supabase.com:5432/postgres"
    /// ```
    ///
    /// ## Sources
    /// - <https://supabase.com/docs/guides/database/connecting-to-postgres> (2026-11)
    /// - <https://neon.com/docs/connect/connection-pooling> (2026-11)
    /// - <https://www.pgbouncer.org/features.html>
    "transaction-pooler" in Dump,
    severity: Error,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for command in &set.commands {
        let (target, dumps) = match &command.role {
            Role::Dump(dump) if dump.is_logical() => (&dump.target, true),
            Role::Restore(restore) if restore.tool != RestoreTool::Other => (&restore.target, false),
            _ => continue,
        };
        let Some(found) = pooler(set, command, target) else { continue };
        let what = match found.provider {
            Some(Provider::Neon { .. }) => "Neon's pooled host",
            Some(_) => "Supabase's transaction pooler (port 6543)",
            None => "a transaction pooler",
        };
        let then = if dumps {
            "the dump breaks off or runs under other clients' settings"
        } else {
            "its settings get lost, and the restore breaks off half-way"
        };
        let message = format!("{} needs one session, and {what} keeps none: {then}", command.name);
        let help = match found.provider {
            Some(Provider::Neon { .. }) => "take the host without '-pooler' (as of 2026-11)",
            Some(_) if found.is_own => {
                "take port 5432 of the same host, the direct connection, or without IPv6 port 5432 of the session pooler's host (as of 2026-11)"
            }
            Some(_) => "take port 5432 of the same host, the session pooler (as of 2026-11)",
            None => "connect to the server itself, or to a pool in session mode",
        };
        let at = found.arg.as_ref().map_or(command.name_at, |arg| arg.at);
        let fix = found.arg.as_ref().and_then(|arg| fix(set, command, arg));
        let mut report = findings.report(at, message).help(help);
        if let Some(place) = found.setting {
            report = report.related(place, "the pooler is named here");
        }
        if let Some(fix) = fix {
            report.fix(fix);
        }
    }
}

struct Pooler {
    provider: Option<Provider>,
    /// The argument that leads there.
    arg: Option<Arg>,
    /// The setting that leads there.
    setting: Option<Place>,
    /// Whether it is the one of a Supabase project alone, beside the server itself.
    is_own: bool,
}

fn pooler(set: &Set<'_>, command: &Command, target: &Target) -> Option<Pooler> {
    let arg = target.database.as_ref().or(target.host.as_ref()).map(|said| said.arg.clone());
    if let Some(provider) = target.provider().filter(Provider::is_transaction_pooler) {
        let at = target.url().or(target.host.as_ref()).map_or("", |said| said.text.as_str());
        return Some(Pooler { provider: Some(provider), arg, setting: None, is_own: is_own(at) });
    }
    if let Some(database) = &target.database {
        if is_pooler(&database.text) {
            return Some(Pooler::at(&database.text, arg, None));
        }
        // A variable alone: what a file of settings says, if all of them agree.
        let name = database.text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        let values = name.map(|name| set.settings(command, name)).unwrap_or_default();
        if let Some(Known { text, at }) = values.first()
            && values.iter().all(|known| is_pooler(&known.text))
        {
            return Some(Pooler::at(text, arg, *at));
        }
        // Set in a function or a branch, once: that is what it is where it is set.
        if let Some(name) = name
            && let Some(script) = set.script_of(command)
        {
            let mut assigned = script.assigned(name);
            if let (Some(setting), None) = (assigned.next(), assigned.next())
                && is_pooler(&setting.value.text)
            {
                return Some(Pooler::at(&setting.value.text, arg, Some(setting.value.at)));
            }
        }
        if target.url().is_some() {
            return None;
        }
    }
    let variable = |name: &str| set.variable(command, name);
    let port = match &target.port {
        Some(port) => Known { text: port.text.clone(), at: None },
        None => variable("PGPORT").unwrap_or(Known { text: String::new(), at: None }),
    };
    let host = match &target.host {
        Some(host) => Known { text: host.text.clone(), at: None },
        None => variable("PGHOST").unwrap_or(Known { text: String::new(), at: None }),
    };
    let provider = Provider::detect(&host.text, port.text.parse().ok(), None);
    let is_transaction = provider.is_transaction_pooler();
    let is_one = is_transaction || port.text == "6543";
    let arg = target.port.as_ref().or(target.host.as_ref()).map(|said| said.arg.clone());
    is_one.then(|| Pooler {
        // A host that nobody knows may be anybody's.
        provider: Some(provider).filter(|_| is_transaction),
        arg,
        setting: port.at.or(host.at),
        is_own: is_own(&host.text),
    })
}

impl Pooler {
    /// The one that a URL or a connection string leads to. A host that nobody knows may be
    /// anybody's.
    fn at(text: &str, arg: Option<Arg>, setting: Option<Place>) -> Self {
        let provider = Provider::of_url(text).filter(Provider::is_transaction_pooler);
        Self { provider, arg, setting, is_own: is_own(text) }
    }
}

/// Of a URL or a host.
fn is_own(text: &str) -> bool {
    let host = Address::of(text).and_then(|address| address.each().last()).map_or(text, |(host, _)| host);
    project_of(host).is_some()
}

/// By a URL or a connection string.
fn is_pooler(text: &str) -> bool {
    Provider::of_url(text).is_some_and(|provider| provider.is_transaction_pooler())
        || text.contains("pgbouncer=true")
        || text.contains(":6543/")
        || text.contains("port=6543")
}

/// The other port of the same host, or the host without its pooler, where it is written.
fn fix(set: &Set<'_>, command: &Command, arg: &Arg) -> Option<Fix> {
    const SUPABASE: &str = ".pooler.supabase.com:6543";
    let script = set.script_of(command)?;
    let assigned = arg.variables.iter().flat_map(|name| script.assigned(name));
    let places = std::iter::once(arg.at).chain(assigned.map(|setting| setting.value.at));
    let mut places = places.filter(|place| place.document == command.at.document);
    places.find_map(|place| {
        let text = set.text(place);
        let edit = |start: usize, end: usize, text: &str| {
            Edit::replace(Span::new(place.span.start + start, place.span.start + end), text)
        };
        if let Some(at) = text.find(SUPABASE) {
            let end = at + SUPABASE.len();
            return Some(Fix::safe("use the session pooler, port 5432", vec![edit(end - 4, end, "5432")]));
        }
        let at = text.find("-pooler.").filter(|_| text.contains(".neon.tech"))?;
        Some(Fix::safe("use the direct host", vec![edit(at, at + "-pooler".len(), "")]))
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    const POOLER: &str = "aws-0-eu-west-1.pooler.supabase.com";

    #[test]
    fn a_dump_by_a_pooler_is_reported_at_its_url() {
        let text = format!("pg_dump -Fc 'postgres://postgres.x:pw@{POOLER}:6543/postgres' > a\n");
        insta::assert_snapshot!(check(&RULE, &[("b.sh", &text)]), @r"
        b.sh:1:13: error[transaction-pooler]: pg_dump needs one session, and Supabase's transaction pooler (port 6543) keeps none: the dump breaks off or runs under other clients' settings
        help: take port 5432 of the same host, the session pooler (as of 2026-11)
        ");
    }

    #[test]
    fn a_pooler_of_the_project_s_own_has_no_session_pooler_beside_it() {
        const OWN: &str = "db.abcdefghijklmnopqrst.supabase.co";
        let help = "take port 5432 of the same host, the direct connection, or without IPv6";
        for text in [
            format!("pg_dump 'postgres://postgres:p@{OWN}:6543/x' > a\n"),
            format!("pg_dump -h {OWN} -p 6543 x > a\n"),
            format!("export PGHOST={OWN} PGPORT=6543\npg_dump x > a\n"),
            format!("if a; then U=postgres://postgres:p@{OWN}:6543/x; fi\npg_dump \"$U\" > a\n"),
        ] {
            let found = check(&RULE, &[("b.sh", &text)]);
            assert!(found.contains(help) && !found.contains("the session pooler ("), "{text}: {found}");
            assert_eq!(fix(&RULE, "b.sh", &text), text);
        }
    }

    #[test]
    fn every_way_to_a_pooler() {
        for text in [
            format!("URL='postgres://u:p@{POOLER}:6543/x'\npg_dump \"$URL\" > a\n"),
            format!("pg_dump -h {POOLER} -p 6543 -U u x > a\n"),
            format!("pg_dump -h {POOLER} -p \"${{DB_PORT:-6543}}\" x > a\n"),
            format!("export PGHOST={POOLER} PGPORT=6543\npg_dump x > a\n"),
            format!("supabase db dump --data-only --db-url 'postgres://u:p@{POOLER}:6543/x' -f a\n"),
            "pg_dump 'postgres://u:p@ep-a-b-pooler.eu-central-1.aws.neon.tech/x' > a\n".to_owned(),
            "pg_dump 'postgres://u:p@pool.example:6432/x?pgbouncer=true' > a\n".to_owned(),
            "pg_dump -d 'host=db port=6543 dbname=x' > a\n".to_owned(),
            format!(
                "c() {{\n  if true; then\n    local port=${{P:-6543}}\n    U=\"postgres://u:$W@{POOLER}:$port/x\"\n  fi\n}}\nb() {{\n  pg_dump \"$U\" > a\n}}\nc\nb\n"
            ),
            format!("gunzip -c a.sql.gz | psql 'postgres://u:p@{POOLER}:6543/x'\n"),
        ] {
            let found = check(&RULE, &[("b.sh", &text)]);
            assert_eq!(found.matches("error[").count(), 1, "{text}: {found}");
        }
    }

    #[test]
    fn a_file_of_settings_says_where_a_variable_leads() {
        let pooled = format!("DATABASE_URL=postgres://u:p@{POOLER}:6543/x\n");
        let direct = format!("DATABASE_URL=postgres://u:p@{POOLER}:5432/x\n");
        let script = "pg_dump \"$DATABASE_URL\" > a\n";
        let found = check(&RULE, &[(".env", &pooled), ("scripts/b.sh", script)]);
        assert!(found.starts_with("scripts/b.sh:1:9: error["), "{found}");
        assert!(found.contains(".env:1:14: the pooler is named here"), "{found}");
        assert_eq!(check(&RULE, &[("web/.env", &pooled), ("ops/b.sh", script)]), "");
        assert_eq!(check(&RULE, &[(".env.example", &pooled), (".env", &direct), ("b.sh", script)]), "");
        assert_eq!(check(&RULE, &[(".env", &pooled), ("b.sh", "pg_dump \"$DIRECT_URL\" > a\n")]), "");
    }

    #[test]
    fn other_connections_are_silent() {
        for text in [
            format!("pg_dump 'postgres://u:p@{POOLER}:5432/x' > a\n"),
            "pg_dump -h db.abcdefghijklmnopqrst.supabase.co -p 5432 x > a\n".to_owned(),
            "pg_dump 'postgres://u:p@ep-a-b.eu-central-1.aws.neon.tech/x' > a\n".to_owned(),
            format!("psql 'postgres://u:p@{POOLER}:6543/x' -c 'select 1'\npg_dump x > a\n"),
            "if [[ $DATABASE_URL == *:6543/* ]]; then exit 1; fi\npg_dump \"$DATABASE_URL\" > a\n".to_owned(),
            format!("DATABASE_URL='postgres://u:p@{POOLER}:6543/x' npm start\n"),
            "echo 'use port 5432, not 6543'\npg_dump x > a\n".to_owned(),
        ] {
            assert_eq!(check(&RULE, &[("b.sh", &text)]), "", "{text}");
        }
    }

    #[test]
    fn the_fix_changes_the_url_where_it_is_written() {
        let text = format!("URL=\"postgres://u:$PW@{POOLER}:6543/x\"\npg_dump \"$URL\" > a\n");
        assert_eq!(fix(&RULE, "b.sh", &text), text.replace("6543", "5432"));
        let text = "pg_dump 'postgres://u:p@ep-a-b-pooler.eu-central-1.aws.neon.tech/x' > a\n";
        assert_eq!(fix(&RULE, "b.sh", text), text.replace("-pooler", ""));
    }
}
