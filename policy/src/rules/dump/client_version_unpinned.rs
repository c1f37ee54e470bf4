use crate::facts::{RUNNER_CLIENTS, runner_client};
use crate::finding::{Place, Severity};
use crate::model::{Arg, Command, DumpTool, Host, Pipeline, Set};
use crate::parse::workflow::{Job, Workflow};
use crate::parse::yaml::Node;
use crate::path;
use crate::rule::{Findings, rule};

rule! {
    /// A backup whose `pg_dump` is of whatever version happens to be there.
    ///
    /// ## What
    /// A set-up that dumps installs `postgresql-client` without a major version, runs
    /// `pg_dump` in the image `postgres` or `postgres:latest`, or takes what a GitHub
    /// runner has. An error where the document names a newer server.
    ///
    /// ## Why
    /// `pg_dump` refuses to dump a server that is newer than itself. When the server is
    /// upgraded, every backup fails from that night on; when the runner's image moves,
    /// the archive's format moves with it and an older `pg_restore` cannot read it.
    ///
    /// ## Bad
    /// ```yaml .github/workflows/backup.yml
    /// on:
    ///   schedule:
    ///     - cron: "17 2 * * *"
    /// jobs:
    ///   backup:
    ///     runs-on: ubuntu-latest
    ///     steps:
    ///       - run: sudo apt-get install -y postgresql-client
    ///       - run: pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// ```
    ///
    /// ## Good
    /// ```yaml .github/workflows/backup.yml
    /// on:
    ///   schedule:
    ///     - cron: "17 2 * * *"
    /// jobs:
    ///   backup:
    ///     runs-on: ubuntu-latest
    ///     steps:
    ///       - run: |
    ///           sudo /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y
    ///           sudo apt-get install -y postgresql-client-17
    ///       - run: /usr/lib/postgresql/17/bin/pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// ```
    ///
    /// ## Sources
    /// - <https://www.postgresql.org/docs/current/app-pgdump.html#PG-DUMP-NOTES>
    /// - <https://github.com/actions/runner-images> (2026-09)
    /// - <https://wiki.postgresql.org/wiki/Apt>
    "client-version-unpinned" in Dump,
    severity: Warning,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for pipeline in &set.pipelines {
        let Some((_, dump, of)) = pipeline.backup(set) else { continue };
        let is_client = matches!(of.tool, DumpTool::PgDump | DumpTool::PgDumpAll | DumpTool::PgBaseBackup);
        if !is_client || is_pinned(set, pipeline) {
            continue;
        }
        let Some(found) = installed(set, pipeline).or_else(|| preinstalled(set, pipeline, dump)) else {
            continue;
        };
        let server = server_major(set, pipeline);
        let client = runner(set, pipeline).and_then(|label| Some((label, runner_client(label)?)));
        let (message, severity) = match (client, server) {
            (Some((label, client)), Some((_, server))) if server > client => (
                format!(
                    "{} gives pg_dump {client} on {label} (as of {}), which refuses the server's version {server}: every backup fails",
                    found.what, RUNNER_CLIENTS.as_of
                ),
                Severity::Error,
            ),
            _ => (
                format!(
                    "{} gives whatever version is current: pg_dump refuses a server that is newer, and every backup fails from then on",
                    found.what
                ),
                Severity::Warning,
            ),
        };
        let report = findings.report(found.at, message).severity(severity);
        let report = report.help(
            "install postgresql-client-NN of the server's own major version, or dump in the image postgres:NN",
        );
        if let Some((place, _)) = server.filter(|_| severity == Severity::Error) {
            report.related(place, "the server's version");
        }
    }
}

struct Found {
    at: Place,
    what: String,
}

fn packages(command: &Command) -> impl Iterator<Item = &Arg> {
    let installs = matches!(
        command.name.as_str(),
        "apt-get" | "apt" | "apk" | "brew" | "yum" | "dnf" | "microdnf" | "zypper" | "pacman" | "aptitude"
    ) && command
        .args
        .iter()
        .any(|arg| matches!(arg.text.as_str(), "install" | "add" | "-S" | "-Sy"));
    command.args.iter().filter(move |_| installs)
}

/// A number in a package's or image's name, or in the folder of the program.
fn is_pinned(set: &Set<'_>, pipeline: &Pipeline) -> bool {
    let versioned = |text: &str| {
        let lower = text.to_ascii_lowercase();
        let is_client = ["postgres", "libpq"].iter().any(|name| lower.contains(name));
        is_client && (lower.contains(|c: char| c.is_ascii_digit()) || lower.contains("${"))
    };
    let folder = |text: &str| {
        ["postgresql/", "postgresql@", "pgsql-", "libpq@"].iter().any(|before| {
            text.match_indices(before).any(|(at, found)| {
                text.get(at + found.len()..)
                    .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '$'))
            })
        })
    };
    // A script that compares versions knows what it does.
    let compares = |command: &Command| {
        matches!(command.name.as_str(), "pg_dump" | "psql")
            && (command.has("--version") || command.has("-V"))
            && (command.nesting.substitution || command.pipes())
    };
    pipeline
        .commands(set)
        .any(|(_, command)| packages(command).any(|arg| versioned(&arg.text)) || compares(command))
        || pipeline
            .scripts
            .iter()
            .filter_map(|index| set.scripts.get(*index))
            .any(|it| folder(set.text(it.at)))
        || set.actions_of(pipeline.root).any(|action| action.name().contains("postgres"))
}

fn installed(set: &Set<'_>, pipeline: &Pipeline) -> Option<Found> {
    const PACKAGES: [&str; 5] = ["postgresql-client", "postgresql", "libpq", "postgres", "postgresql-libs"];
    pipeline.commands(set).find_map(|(_, command)| {
        let package = packages(command).find(|arg| PACKAGES.contains(&arg.text.as_str()))?;
        Some(Found { at: package.at, what: format!("'{}'", package.text) })
    })
}

/// An image without a version, or what a runner of GitHub has.
fn preinstalled(set: &Set<'_>, pipeline: &Pipeline, dump: &Command) -> Option<Found> {
    let image = |text: &str, at: Place| {
        let name = path::name(text);
        matches!(name, "postgres" | "postgres:latest" | "postgres:alpine")
            .then(|| Found { at, what: format!("image '{text}'") })
    };
    if let Some(wrapper) = dump.wrappers.iter().find(|wrapper| wrapper.name.ends_with(" run")) {
        return wrapper.args.last().and_then(|arg| image(&arg.text, arg.at));
    }
    let unit = set.units.get(set.script_of(dump)?.unit)?;
    match set.script_of(dump)?.host {
        Host::Container => unit.services().iter().find_map(|service| {
            let node = service.image?;
            let holds = unit.place(service.node.span).span;
            let inside = holds.start <= dump.at.span.start && dump.at.span.start < holds.end;
            image(node.text()?, unit.place(node.span)).filter(|_| inside)
        }),
        Host::Step { job, .. } => {
            let workflow = unit.workflow()?;
            let job = workflow.job_by_index(job)?;
            if let Some(node) = container(&job) {
                return image(node.text()?, unit.place(node.span));
            }
            let label = label(&job).filter(|label| runner_client(label).is_some())?;
            let may_install = pipeline.may_hide(&["install", "setup", "postgres", "client", "tool"]);
            (dump.wrappers.is_empty() && !may_install)
                .then(|| Found { at: dump.name_at, what: format!("the pg_dump of {label}") })
        }
        _ => None,
    }
}

fn container<'n>(job: &Job<'n>) -> Option<&'n Node> {
    let node = job.container?;
    node.get("image").or_else(|| node.as_scalar().map(|_| node))
}

fn label<'n>(job: &Job<'n>) -> Option<&'n str> {
    job.runs_on?.one_or_many().find_map(Node::text)
}

/// The label of the runner that dumps, without a container of its own.
fn runner<'s>(set: &'s Set<'_>, pipeline: &Pipeline) -> Option<&'s str> {
    let (_, dump, _) = pipeline.backup(set)?;
    let script = set.script_of(dump)?;
    let Host::Step { job, .. } = script.host else { return None };
    let workflow: Workflow<'s> = set.units.get(script.unit)?.workflow()?;
    let job = workflow.job_by_index(job)?;
    label(&job).filter(|_| job.container.is_none() && dump.wrappers.is_empty())
}

/// The highest version that is named for a server: by the text, or by a service.
fn server_major(set: &Set<'_>, pipeline: &Pipeline) -> Option<(Place, u32)> {
    let root = set.units.get(pipeline.root)?;
    let passages = set.passages.iter().filter(|passage| passage.at.document == root.document);
    let said = passages.filter_map(|passage| Some((passage.at, major(&passage.text)?)));
    let workflows = root.workflow();
    let services = workflows.iter().flat_map(Workflow::jobs).flat_map(|job| job.services);
    let services = services.filter_map(|service| {
        let image = service.image?;
        Some((root.place(image.span), major(image.text()?)?))
    });
    said.chain(services).max_by_key(|(_, major)| *major)
}

/// `PostgreSQL 17`, `Postgres v17.2`, `postgres:17-alpine`.
fn major(text: &str) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    lower.match_indices("postgres").find_map(|(at, found)| {
        let rest = lower.get(at + found.len()..)?;
        let rest = rest.strip_prefix("ql").unwrap_or(rest);
        let rest = rest.strip_prefix([' ', ':', '-'])?;
        let rest = rest.strip_prefix('v').unwrap_or(rest);
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok().filter(|major| (9..40).contains(major))
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn workflow(steps: &str) -> String {
        format!("on: push\njobs:\n  b:\n    runs-on: ubuntu-latest\n    steps:\n{steps}")
    }

    fn of(steps: &str) -> String {
        check(&RULE, &[(".github/workflows/b.yml", &workflow(steps))])
    }

    #[test]
    fn a_package_without_a_version_is_reported() {
        insta::assert_snapshot!(of("      - run: sudo apt-get update && sudo apt-get install -y postgresql-client gzip\n      - run: pg_dump $URL > a\n"), @r"
        .github/workflows/b.yml:6:61: warning[client-version-unpinned]: 'postgresql-client' gives whatever version is current: pg_dump refuses a server that is newer, and every backup fails from then on
        help: install postgresql-client-NN of the server's own major version, or dump in the image postgres:NN
        ");
    }

    #[test]
    fn what_is_there_already_has_no_version_either() {
        let found = of("      - run: pg_dump $URL > a\n");
        assert!(found.contains("the pg_dump of ubuntu-latest gives"), "{found}");
        let found =
            check(&RULE, &[("b.sh", "docker run --rm -e PGPASSWORD postgres:latest pg_dump x > a\n")]);
        assert!(found.contains("image 'postgres:latest' gives"), "{found}");
        let found = check(&RULE, &[("b.sh", "apk add --no-cache postgresql-client\npg_dump x > a\n")]);
        assert_eq!(found.matches("warning[").count(), 1, "{found}");
        let compose =
            "services:\n  backup:\n    image: postgres\n    command: pg_dump -h db -f /b/a.sql shop\n";
        let found = check(&RULE, &[("docker-compose.yml", compose)]);
        assert!(found.starts_with("docker-compose.yml:3:12: warning["), "{found}");
    }

    #[test]
    fn a_server_that_is_newer_makes_it_an_error() {
        let document = format!(
            "# Backup\n\nWe run PostgreSQL 17.\n\n```yaml\n{}```\n",
            workflow(
                "      - run: sudo apt-get install -y postgresql-client\n      - run: pg_dump $URL > a\n"
            )
        );
        let found = check(&RULE, &[("backup.md", &document)]);
        assert!(found.contains("error[") && found.contains("backup.md:3:1: the server's version"), "{found}");
        assert!(found.contains("16 on ubuntu-latest (as of 2026-09)"), "{found}");
        assert!(check(&RULE, &[("backup.md", &document.replace("17", "15"))]).contains("warning["));
    }

    #[test]
    fn a_version_anywhere_is_enough() {
        for steps in [
            "      - run: sudo apt-get install -y postgresql-client-17\n      - run: pg_dump $URL > a\n",
            "      - run: sudo apt-get install -y postgresql-client\n      - run: /usr/lib/postgresql/17/bin/pg_dump $URL > a\n",
            "      - run: sudo apt-get install -y \"postgresql-client-$PG\"\n      - run: pg_dump $URL > a\n",
            "      - run: docker run --rm postgres:17 pg_dump $URL > a\n",
            "      - run: docker exec db pg_dump x > a\n",
            "      - uses: tj-actions/install-postgresql@v3\n      - run: pg_dump $URL > a\n",
            "      - run: ./scripts/install-tools.sh\n      - run: pg_dump $URL > a\n",
            "      - run: test \"$(pg_dump --version | cut -d' ' -f3)\" = \"$WANTED\"\n      - run: pg_dump $URL > a\n",
            "      - run: apk add postgresql17-client\n      - run: pg_dump $URL > a\n",
            "      - run: sudo apt-get install -y postgresql-client\n      - run: psql $URL -c 'select 1'\n",
            "      - run: pg_dump -h localhost shop > a\n",
            "      - run: supabase db dump --data-only -f a\n",
        ] {
            assert_eq!(of(steps), "", "{steps}");
        }
        assert_eq!(check(&RULE, &[("b.sh", "pg_dump shop > a\n")]), "");
    }
}
