use std::collections::{HashMap, HashSet};

use crate::document::Kind;
use crate::finding::{Place, Severity, Span};
use crate::model::{Command, Schedule, Script, Set, is_env_file};
use crate::parse::shell::{self, Expansion, Operator, Part, Variables, Visitor};
use crate::path;
use crate::rule::{Findings, rule};

rule! {
    /// A cron job counts on an environment that cron does not give it.
    ///
    /// ## What
    /// A crontab line whose script reads variables that neither the script, the crontab
    /// nor a file that they read ever sets; programs that are usually not in cron's
    /// `PATH` (`/usr/bin:/bin`); a relative path, since cron starts in the home folder.
    ///
    /// ## Why
    /// By hand it works: the shell has the variables of the profile. Under cron they are
    /// empty, `pg_dump -h $DB_HOST` becomes another command, and no backup is made from
    /// the first night on.
    ///
    /// ## Bad
    /// ```cron crontab
    /// 17 2 * * * /opt/backup.sh
    /// ```
    /// ```bash backup.sh
    /// set -e
    /// pg_dump -h "$DB_HOST" -U "$DB_USER" -Fc -f /backups/shop.dump shop
    /// ```
    /// or
    /// ```cron crontab
    /// 17 2 * * * cd /srv/shop && npm run db:backup
    /// ```
    ///
    /// ## Good
    /// ```cron crontab
    /// PATH=/usr/local/bin:/usr/bin:/bin
    /// 17 2 * * * set -a; . /etc/shop-backup.env; exec /opt/backup.sh
    /// ```
    /// ```bash backup.sh
    /// set -e
    /// pg_dump -h "$DB_HOST" -U "$DB_USER" -Fc -f /backups/shop.dump shop
    /// ```
    ///
    /// ## Sources
    /// - <https://man7.org/linux/man-pages/man5/crontab.5.html>
    "cron-env-missing" in Schedule,
    severity: Error,
    fix: No,
    check: Set(check),
}

/// What scripts read, by their index.
type Reading = HashMap<usize, Vec<(String, Span)>>;

/// What cron, a login or the shell itself sets.
const KNOWN: [&str; 27] = [
    "HOME",
    "PATH",
    "USER",
    "LOGNAME",
    "SHELL",
    "PWD",
    "OLDPWD",
    "HOSTNAME",
    "RANDOM",
    "SECONDS",
    "LINENO",
    "EUID",
    "UID",
    "PPID",
    "TMPDIR",
    "IFS",
    "OSTYPE",
    "HOSTTYPE",
    "MAILTO",
    "LANG",
    "LC_ALL",
    "TERM",
    "TZ",
    "FUNCNAME",
    "PIPESTATUS",
    "REPLY",
    "OPTARG",
];
/// Programs that installers put elsewhere than into /usr/bin.
const ELSEWHERE: [&str; 13] = [
    "aws", "npm", "npx", "node", "pnpm", "yarn", "bun", "deno", "gcloud", "gsutil", "supabase", "tsx",
    "wrangler",
];

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    let mut reads: Reading = HashMap::new();
    for schedule in &set.schedules {
        let Some(unit) = set.units.get(schedule.unit).filter(|unit| unit.kind == Kind::Crontab) else {
            continue;
        };
        let Some(line) = set.scripts.get(schedule.scripts.start) else { continue };
        if is_login(set, line) {
            continue;
        }
        variables(set, schedule, line, &mut reads, findings);
        // Debian's own /etc/crontab sets PATH at its top.
        let sets_path = set.sets(line, "PATH") || unit.path.as_deref() == Some("/etc/crontab");
        if !sets_path {
            programs(set, schedule, findings);
        }
        folder(set, line, findings);
        unread_file(set, schedule, line, findings);
    }
}

/// `bash -lc`, which reads the profile.
fn is_login(set: &Set<'_>, line: &Script) -> bool {
    let login = |text: &str| {
        text == "--login"
            || (text.starts_with('-') && !text.starts_with("--") && text.contains('l') && text.contains('c'))
    };
    let words = set.text(line.at);
    let shell = words.contains("bash ") || words.contains("zsh ");
    shell && words.split_whitespace().any(login)
}

/// Variables that are read and that nobody sets.
fn variables(
    set: &Set<'_>,
    schedule: &Schedule,
    line: &Script,
    reads: &mut Reading,
    findings: &mut Findings<'_>,
) {
    let scripts: Vec<&Script> =
        schedule.reach.scripts.iter().filter_map(|index| set.scripts.get(*index)).collect();
    let sources = |script: &&Script| {
        !script.sourced.is_empty() || set.commands_in(script, script.at.span).iter().any(loads_file)
    };
    if scripts.iter().any(sources) {
        return;
    }
    let mut given: HashSet<&str> = KNOWN.into_iter().collect();
    for script in &scripts {
        given.extend(script.assignments.iter().map(|setting| setting.name.as_str()));
        given.extend(
            set.commands_in(script, script.at.span).iter().flat_map(|it| &it.env).map(|it| it.name.as_str()),
        );
    }
    let started: Vec<&Script> = scripts.into_iter().filter(|script| !script.env.is_empty()).collect();
    let is_given = |name: &str| {
        given.contains(name) || started.iter().any(|script| set.given(script, name).next().is_some())
    };
    let mut missing: Vec<(String, Place)> = Vec::new();
    for index in &schedule.reach.scripts {
        let Some(script) = set.scripts.get(*index) else { continue };
        for (name, span) in reads.entry(*index).or_insert_with(|| unset(script)) {
            if !is_given(name) && !missing.iter().any(|(other, _)| other == name) {
                missing.push((name.clone(), script.place(*span)));
            }
        }
    }
    let Some(((first, at), rest)) = missing.split_first() else { return };
    let names = match rest {
        [] => first.clone(),
        [(second, _)] => format!("{first} and {second}"),
        [(second, _), more @ ..] => format!("{first}, {second} and {} more", more.len()),
    };
    let report = findings
        .report(
            schedule.at,
            format!("cron gives this no {names}: they are empty, and the backup fails every night"),
        )
        .help("read them from a file on the line: `set -a; . /etc/backup.env; exec …`");
    if at.span.start < line.at.span.start || at.document != line.at.document || at.span.end > line.at.span.end
    {
        report.related(*at, format!("{first} is read here"));
    }
}

/// `env $(cat .env)`, `export $(grep … .env)`, `dotenv`, `doppler run`.
fn loads_file(command: &Command) -> bool {
    matches!(
        command.name.as_str(),
        "dotenv" | "doppler" | "op" | "vault" | "infisical" | "chamber" | "sops" | "direnv"
    ) || (matches!(command.name.as_str(), "cat" | "grep" | "xargs" | "sed")
        && command.nesting.substitution
        && command.args.iter().any(|arg| is_env_file(&arg.text)))
}

/// What a script reads and does not set itself.
fn unset(script: &Script) -> Vec<(String, Span)> {
    let own = Variables::of(&script.tree);
    let mut reads = Reads(Vec::new());
    shell::walk(&script.tree, &mut reads);
    let mut seen = HashSet::new();
    reads.0.retain(|(name, _)| !own.sets(name) && !name.starts_with("BASH") && seen.insert(name.clone()));
    reads.0
}

/// Expansions without a default, of names that only an environment has.
struct Reads(Vec<(String, Span)>);

impl<'s> Visitor<'s> for Reads {
    fn expansion(&mut self, part: &'s Part, expansion: &'s Expansion) {
        let optional =
            matches!(expansion.operator, Some(Operator::Default | Operator::Assign | Operator::Alternative));
        let name = &expansion.name;
        let environment = name.len() > 1
            && name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
            && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        if !optional && environment && !expansion.indirect {
            self.0.push((name.clone(), part.span));
        }
    }
}

/// Programs that cron will not find; once a script.
fn programs(set: &Set<'_>, schedule: &Schedule, findings: &mut Findings<'_>) {
    for script in schedule.reach.scripts.iter().filter_map(|index| set.scripts.get(*index)) {
        if set.sets(script, "PATH") || !script.sourced.is_empty() {
            continue;
        }
        let strange = set.commands_in(script, script.at.span).iter().find(|command| {
            ELSEWHERE.contains(&command.name.as_str())
                && !set.text(command.name_at).contains('/')
                && command.asks_for_program().is_none()
                && command
                    .wrappers
                    .iter()
                    .all(|wrapper| !matches!(wrapper.name, "ssh" | "docker exec" | "docker run"))
        });
        if let Some(command) = strange {
            let message = format!(
                "cron's PATH is /usr/bin:/bin, where {} is usually not: the command is not found",
                command.name
            );
            findings
                .report(command.name_at, message)
                .severity(Severity::Warning)
                .help("set PATH at the top of the crontab, or write the program with its folder")
                .related(schedule.at, "started here");
        }
    }
}

/// `./backup.sh` without a `cd` before it.
fn folder(set: &Set<'_>, line: &Script, findings: &mut Findings<'_>) {
    for command in set.commands_in(line, line.at.span) {
        if command.name == "cd" {
            return;
        }
        let written = set.text(command.name_at).trim_matches(['"', '\'']);
        if written.contains('/') && !written.starts_with(['/', '~', '$', '<', '{']) {
            findings
                .report(command.name_at, format!("cron starts in the home folder: '{written}' is not there"))
                .help("write the whole path");
            return;
        }
    }
}

/// A file of variables that a service of the same document is given, and the same
/// script by cron is not.
fn unread_file(set: &Set<'_>, schedule: &Schedule, line: &Script, findings: &mut Findings<'_>) {
    let Some(called) = schedule.reach.unseen.first() else { return };
    if !line.sourced.is_empty() || !called.is_backup() {
        return;
    }
    let name = |path: &str| path::name(path).to_owned();
    let script = name(&called.arg().text);
    for unit in set.units.iter().filter(|unit| unit.document == schedule.at.document) {
        let Some(service) = &unit.systemd else { continue };
        let Some(file) = service.get("Service", "EnvironmentFile") else { continue };
        let starts = service
            .get("Service", "ExecStart")
            .is_some_and(|start| start.value.text().split_whitespace().any(|word| name(word) == script));
        if starts {
            let message = format!(
                "the service gives {script} the file {}, and cron does not: unless the script reads it itself, it runs without",
                file.value.text().trim_start_matches('-')
            );
            findings
                .report(schedule.at, message)
                .severity(Severity::Note)
                .help("read it on the line: `set -a; . FILE; exec …`")
                .related(Place { document: unit.document, span: file.span }, "the service is given it");
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(cron: &str, script: &str) -> String {
        check(&RULE, &[("crontab", cron), ("scripts/backup.sh", script)])
    }

    #[test]
    fn variables_that_nobody_sets_are_named_once() {
        insta::assert_snapshot!(found("0 2 * * * /opt/backup.sh\n", "pg_dump -h $DB_HOST -U \"$DB_USER\" ${DB_NAME} > /b/a\necho $DB_HOST\n"), @r#"
        crontab:1:1: error[cron-env-missing]: cron gives this no DB_HOST, DB_USER and 1 more: they are empty, and the backup fails every night
        help: read them from a file on the line: `set -a; . /etc/backup.env; exec …`
          scripts/backup.sh:1:12: DB_HOST is read here
        "#);
        assert!(
            check(&RULE, &[("crontab", "0 2 * * * pg_dump $DATABASE_URL > /b/a\n")])
                .contains("no DATABASE_URL")
        );
    }

    #[test]
    fn programs_and_folders_that_cron_does_not_find() {
        assert!(
            found("0 2 * * * /opt/backup.sh\n", "aws s3 cp /b/a s3://b/\n")
                .starts_with("scripts/backup.sh:1:1: warning[")
        );
        assert!(
            check(&RULE, &[("crontab", "0 2 * * * cd /app && npm run backup\n")])
                .contains("npm is usually not")
        );
        assert!(
            check(&RULE, &[("crontab", "0 2 * * * ./scripts/db-backup.sh\n")]).contains("the home folder")
        );
    }

    #[test]
    fn it_stays_quiet_where_everything_is_given() {
        let reads = "pg_dump -h $DB_HOST shop > /b/a\n";
        for (cron, script) in [
            ("DB_HOST=db\n0 2 * * * /opt/backup.sh\n", reads),
            ("0 2 * * * DB_HOST=db /opt/backup.sh\n", reads),
            ("0 2 * * * . /etc/b.env; /opt/backup.sh\n", reads),
            ("0 2 * * * /opt/backup.sh\n", "source /etc/b.env\npg_dump -h $DB_HOST shop > /b/a\n"),
            (
                "0 2 * * * /opt/backup.sh\n",
                "export $(grep -v '^#' /etc/app/.env | xargs)\npg_dump -h $DB_HOST shop\n",
            ),
            ("0 2 * * * /opt/backup.sh\n", "DB_HOST=${DB_HOST:-db}\npg_dump -h $DB_HOST ${X:-} > $HOME/a\n"),
            ("0 2 * * * bash -lc /opt/backup.sh\n", reads),
            (
                "0 2 * * * /opt/backup.sh\n",
                "while read -r LINE; do echo $LINE; done\nfor DB in a b; do pg_dump $DB > /b/a; done\n",
            ),
            ("PATH=/usr/local/bin:/bin\n0 2 * * * /opt/backup.sh\n", "aws s3 ls\n"),
            ("0 2 * * * /opt/backup.sh\n", "/usr/local/bin/aws s3 ls\nexport PATH=$PATH:/x\n"),
            ("0 2 * * * cd /srv && ./backup.sh\n", "pg_dump shop > /b/a\n"),
            ("0 2 * * * /opt/backup.sh\n", "pg_dump shop > /b/a # $DB_HOST\necho '$DB_HOST'\n"),
        ] {
            assert_eq!(found(cron, script), "", "{cron}{script}");
        }
        assert_eq!(check(&RULE, &[("scripts/backup.sh", reads)]), "", "no cron");
    }

    #[test]
    fn a_file_that_only_the_service_gets() {
        let text = "# Backup\n```cron\n0 2 * * * /opt/backup.sh\n```\n```ini\n[Unit]\nDescription=x\n[Service]\nEnvironmentFile=/etc/b.env\nExecStart=/opt/backup.sh\n```\n";
        assert!(check(&RULE, &[("a.md", text)]).contains("a.md:3:1: note["));
    }
}
