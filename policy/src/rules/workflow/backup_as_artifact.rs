use super::paths::candidates;
use crate::finding::{Place, Severity};
use crate::model::{
    ActionRole, ActionUse, Artifact, Called, Contents, Pipeline, Role, Set, TransferTool, glob,
};
use crate::path;
use crate::rule::{Findings, rule};

rule! {
    /// A dump is kept as an artifact or a release of the repository.
    ///
    /// ## What
    /// `actions/upload-artifact` or a release gets a dump that nothing has encrypted.
    /// An encrypted one that goes nowhere else is a note.
    ///
    /// ## Why
    /// Whoever can read the repository can download the whole database; in a public one
    /// that is everybody with an account. An artifact ends after 90 days at the latest,
    /// and all of them go with the repository or its account: it is no second place.
    ///
    /// ## Bad
    /// ```yaml .github/workflows/backup.yml
    /// name: backup
    /// on:
    ///   schedule:
    ///     - cron: "17 3 * * *"
    /// jobs:
    ///   backup:
    ///     runs-on: ubuntu-24.04
    ///     steps:
    ///       - run: pg_dump "$DATABASE_URL" > shop.sql
    ///       - uses: actions/upload-artifact@v4
    ///         with:
    ///           name: shop
    ///           path: shop.sql
    /// ```
    ///
    /// ## Good
    /// ```yaml .github/workflows/backup.yml
    /// name: backup
    /// on:
    ///   schedule:
    ///     - cron: "17 3 * * *"
    /// jobs:
    ///   backup:
    ///     runs-on: ubuntu-24.04
    ///     steps:
    ///       - run: |
    ///           pg_dump -Fc -f shop.dump "$DATABASE_URL"
    ///           age -r "$RECIPIENT" -o shop.dump.age shop.dump
    ///           aws s3 cp shop.dump.age s3://shop-backups/daily/
    ///       - uses: actions/upload-artifact@v4
    ///         with:
    ///           path: shop.dump.age
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.github.com/en/actions/how-tos/manage-workflow-runs/download-workflow-artifacts>
    /// - <https://docs.github.com/en/organizations/managing-organization-settings/configuring-the-retention-period-for-github-actions-artifacts-and-logs-in-your-organization>
    "backup-as-artifact" in Workflow,
    severity: Error,
    fix: No,
    check: Set(check),
}

const HELP: &str = "encrypt it for a key that GitHub has not, and put it into a bucket of another account";

/// What a path of an upload holds.
enum Holds {
    Clear(Option<Place>),
    Encrypted,
    Nothing,
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for (pipeline, unit, workflow) in set.workflows() {
        let index = set.units.iter().position(|other| std::ptr::eq(other, unit)).unwrap_or_default();
        for action in set.actions_of(index) {
            let (path, release) = match &action.role {
                ActionRole::UploadArtifact { path: Some(path) } => (path, false),
                ActionRole::Release { files: Some(path) } => (path, true),
                _ => continue,
            };
            let holds = path
                .text
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty() && !line.starts_with('!'))
                .flat_map(|line| candidates(set, index, &workflow, action, line))
                .map(|line| holds(set, pipeline, &line));
            report(set, pipeline, findings, action.at(), holds, &until(action, release));
        }
    }
    for pipeline in &set.pipelines {
        for (index, command) in pipeline.commands(set) {
            let Role::Upload(upload) = &command.role else { continue };
            if upload.tool == TransferTool::Release {
                let holds = pipeline.flow.read(index).map(|artifact| of_artifact(set, pipeline, artifact));
                report(set, pipeline, findings, command.name_at, holds, "it stays for ever");
            }
        }
    }
}

fn report(
    set: &Set<'_>,
    pipeline: &Pipeline,
    findings: &mut Findings<'_>,
    at: Place,
    holds: impl Iterator<Item = Holds>,
    until: &str,
) {
    let mut encrypted = false;
    for found in holds {
        match found {
            Holds::Clear(dump) => {
                let message =
                    format!("whoever can read this repository can download the whole database, and {until}");
                let report = findings.report(at, message).help(HELP);
                if let Some(dump) = dump {
                    report.related(dump, "dumped here, and not encrypted on the way");
                }
                return;
            }
            Holds::Encrypted => encrypted = true,
            Holds::Nothing => {}
        }
    }
    let elsewhere = || {
        pipeline.any(set, |role| match role {
            Role::Upload(upload) => upload.tool != TransferTool::Release,
            _ => false,
        }) || pipeline.may_hide(&["upload", "push", "sync", "s3"])
    };
    if encrypted && !elsewhere() {
        findings
            .report(at, format!("the only copy goes with the repository or its account, and {until}"))
            .severity(Severity::Note)
            .help("put it into a bucket of another account as well");
    }
}

/// How long GitHub keeps it.
fn until(action: &ActionUse, release: bool) -> String {
    if release {
        return "it stays for ever".to_owned();
    }
    match action.input("retention-days").and_then(|days| days.text.parse::<u32>().ok()) {
        Some(days) if days > 0 => format!("it is gone after {days} days"),
        _ => "it is gone after 90 days at the latest".to_owned(),
    }
}

fn holds(set: &Set<'_>, pipeline: &Pipeline, path: &str) -> Holds {
    let path = path.trim_start_matches("./").trim_end_matches("/**").trim_end_matches("/*");
    let inside = |file: &str| {
        let file = file.trim_start_matches("./");
        let folder = path.trim_end_matches('/');
        file == path
            || (path.contains('*') && glob(path, file))
            || (!folder.is_empty() && file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
    };
    let is_there = |it: &&Artifact| !it.gone && it.file.as_ref().is_some_and(|file| inside(&file.text));
    let mut found: Vec<&Artifact> = pipeline.flow.artifacts.iter().filter(is_there).collect();
    if found.is_empty() {
        found.extend(pipeline.flow.find(path));
    }
    let mut encrypted = false;
    for artifact in &found {
        match of_artifact(set, pipeline, artifact) {
            Holds::Encrypted => encrypted = true,
            Holds::Nothing => {}
            clear @ Holds::Clear(_) => return clear,
        }
    }
    match (found.is_empty(), encrypted) {
        (_, true) => Holds::Encrypted,
        (true, false) if is_named_dump(path) && makes_backup(set, pipeline) => Holds::Clear(None),
        _ => Holds::Nothing,
    }
}

fn of_artifact(set: &Set<'_>, pipeline: &Pipeline, artifact: &Artifact) -> Holds {
    let Some(command) = set.commands.get(artifact.dump) else { return Holds::Nothing };
    let Role::Dump(dump) = &command.role else { return Holds::Nothing };
    let data = matches!(dump.contents, Contents::All | Contents::DataOnly);
    // A database that the workflow has started itself holds nobody's data.
    if !data || dump.target.is_local() || pipeline.backup(set).is_none() {
        return Holds::Nothing;
    }
    if artifact.is_encrypted() { Holds::Encrypted } else { Holds::Clear(Some(command.name_at)) }
}

/// `backup.sql.gz`, `*.dump`; no log, no digest, nothing that ends like a cipher.
fn is_named_dump(path: &str) -> bool {
    const DUMPS: [&str; 7] = [".sql", ".dump", ".pgdump", ".backup", ".bak", ".sql.gz", ".dump.gz"];
    let name = path::name(path).to_ascii_lowercase();
    let packed = [".gz", ".zst", ".xz", ".zip", ".bz2"].iter().find_map(|suffix| name.strip_suffix(suffix));
    let stem = packed.unwrap_or(&name);
    let schema = name.contains("schema") || path.contains("migrations");
    !schema && DUMPS.iter().any(|suffix| stem.ends_with(suffix))
}

fn makes_backup(set: &Set<'_>, pipeline: &Pipeline) -> bool {
    pipeline.backup(set).is_some() || pipeline.unseen.iter().any(Called::is_backup)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(steps: &str) -> String {
        let text = format!(
            "name: backup\non:\n  schedule:\n    - cron: '1 2 * * *'\njobs:\n  b:\n    runs-on: ubuntu-24.04\n    steps:\n{steps}"
        );
        check(&RULE, &[(".github/workflows/b.yml", &text)])
    }

    fn upload(dump: &str, path: &str) -> String {
        found(&format!(
            "      - run: {dump}\n      - uses: actions/upload-artifact@v4\n        with: {{path: \"{path}\"}}\n"
        ))
    }

    #[test]
    fn a_clear_dump_is_reported_with_its_end() {
        insta::assert_snapshot!(found("      - run: pg_dump \"$URL\" | gzip > b/a.sql.gz\n      - uses: actions/upload-artifact@v4\n        with:\n          path: b/\n          retention-days: 14\n"), @r"
        .github/workflows/b.yml:10:15: error[backup-as-artifact]: whoever can read this repository can download the whole database, and it is gone after 14 days
        help: encrypt it for a key that GitHub has not, and put it into a bucket of another account
          .github/workflows/b.yml:9:14: dumped here, and not encrypted on the way
        ");
    }

    #[test]
    fn every_way_to_name_it_fires() {
        for (dump, path) in [
            ("pg_dump $URL > a.sql", "a.sql"),
            ("pg_dump $URL > backup-$(date +%F).sql", "backup-*.sql"),
            ("pg_dump -Fc -f out/a.dump $URL", "out"),
            ("pg_dump $URL > a.sql && gzip a.sql", "*.gz"),
            ("supabase db dump -f data.sql --data-only", "./data.sql"),
            ("./scripts/backup.sh", "backup.sql.gz"),
            ("pg_dump $URL > \"${{ github.run_id }}.sql\"", "${{ github.run_id }}.sql"),
        ] {
            assert!(upload(dump, path).contains("error["), "{dump} {path}");
        }
        let outputs = "      - id: d\n        run: |\n          F=a-$(date +%F).sql\n          pg_dump $URL > $F\n          echo \"file=$F\" >> $GITHUB_OUTPUT\n      - uses: actions/upload-artifact@v4\n        with: {path: \"${{ steps.d.outputs.file }}\"}\n";
        assert!(found(outputs).contains("error["));
        let env = "      - run: |\n          pg_dump $URL > a.sql\n          echo \"F=a.sql\" >> $GITHUB_ENV\n      - uses: softprops/action-gh-release@v2\n        with: {files: \"${{ env.F }}\"}\n";
        assert!(found(env).contains("it stays for ever"));
        assert!(
            found("      - run: |\n          pg_dump $URL > a.sql\n          gh release upload v1 a.sql\n")
                .contains("error[")
        );
    }

    #[test]
    fn it_stays_quiet_where_no_data_is_in_it() {
        for (dump, path) in [
            ("pg_dump $URL > a.sql", "backup.log"),
            ("pg_dump $URL > a.sql", "report.json"),
            ("pg_dump --schema-only $URL > schema.sql", "schema.sql"),
            ("pg_dump postgres://postgres:postgres@localhost/test > a.sql", "a.sql"),
            ("pg_dump $URL > a.sql && rm a.sql", "out/"),
            ("npm test", "coverage/"),
            ("age -r age1x -o a.age a.sql && ./backup.sh", "a.sql.gz.age"),
        ] {
            assert_eq!(upload(dump, path), "", "{dump} {path}");
        }
    }

    #[test]
    fn an_encrypted_one_is_a_note_unless_it_goes_elsewhere() {
        let dump = "pg_dump $URL | age -r age1x > a.age";
        assert!(upload(dump, "a.age").contains("note["));
        assert_eq!(upload(&format!("{dump} && aws s3 cp a.age s3://b/"), "a.age"), "");
    }
}
