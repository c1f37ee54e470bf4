use crate::finding::Severity;
use crate::model::{ActionRole, Contents, Dump, DumpTool, Pipeline, Role, Set};
use crate::rule::{Findings, rule};

use super::clear::{ciphers, is_clear, leaks};

rule! {
    /// A dump is stored or sent so that whoever gets the file can read it.
    ///
    /// ## What
    /// Nothing on the way of a dump encrypts it: no age, gpg, openssl, sops, no backup
    /// repository and no `--sse aws:kms`. An error where it goes into a mail, a release,
    /// git or an artifact of a workflow; a note where it only lies on the disk that made
    /// it. Reported once for each pipeline, at its first dump.
    ///
    /// ## Why
    /// A dump is the whole database without its permissions: one readable bucket or one
    /// copied disk is a breach of every row. Encryption at rest by the store opens it to
    /// everybody who may read the bucket.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// set -euo pipefail
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// aws s3 cp shop.dump s3://shop-backups/daily/
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// set -euo pipefail
    /// pg_dump -Fc "$DATABASE_URL" | age -r "$RECIPIENT" > shop.dump.age
    /// aws s3 cp shop.dump.age s3://shop-backups/daily/
    /// ```
    ///
    /// ## Sources
    /// - <https://age-encryption.org/>
    /// - <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingEncryption.html>
    "dump-unencrypted" in Encryption,
    severity: Warning,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for pipeline in &set.pipelines {
        // What encrypts, and is not on the way, is `encryption-not-wired`.
        let hidden = pipeline.unseen.iter().any(|called| {
            let name = called.arg().text.to_ascii_lowercase();
            ["crypt", "gpg", "secure"].iter().any(|word| name.contains(word))
        });
        if ciphers(set, pipeline).next().is_some() || hidden {
            continue;
        }
        let leaks = leaks(set, pipeline);
        let Some((index, command, _)) = readable_dump(set, pipeline) else {
            // A script that cannot be seen has dumped; the file's name says that it is clear.
            if let Some(leak) =
                leaks.iter().find(|leak| leak.dump.is_none() && leak.severity == Severity::Error)
            {
                let message =
                    format!("the dump goes into {} in clear: whoever gets the file has every row", leak.to);
                findings
                    .report(leak.at, message)
                    .severity(leak.severity)
                    .help("encrypt it before it is kept");
            }
            continue;
        };
        let known = leaks.iter().filter(|leak| leak.dump.is_some());
        if let Some(worst) = known.min_by_key(|leak| leak.severity) {
            let dump = worst.dump.filter(|dump| !same_file(pipeline, *dump, index)).unwrap_or(index);
            let dump = set.commands.get(dump).unwrap_or(command);
            let message =
                format!("the dump goes into {} in clear: whoever gets the file has every row", worst.to);
            findings
                .report(dump.name_at, message)
                .severity(worst.severity)
                .help("encrypt it on the way: `pg_dump … | age -r \"$RECIPIENT\" > FILE.age`")
                .related(worst.at, format!("it goes into {} here", worst.to));
        } else if stays(set, pipeline, index) {
            findings
                .report(
                    command.name_at,
                    "the dump lies on the disk in clear: whoever copies the disk has every row",
                )
                .severity(Severity::Note)
                .help("encrypt it on the way: `pg_dump … | age -r \"$RECIPIENT\" > FILE.age`");
        }
    }
}

/// The first dump that holds rows of a database worth it.
fn readable_dump<'s>(
    set: &'s Set<'_>,
    pipeline: &'s Pipeline,
) -> Option<(usize, &'s crate::model::Command, &'s Dump)> {
    let (first, ..) = pipeline.backup(set)?;
    let own = |tool: DumpTool| matches!(tool, DumpTool::Physical | DumpTool::Backstop);
    pipeline.dumps(set).find(|(index, _, dump)| {
        *index >= first
            && !own(dump.tool)
            && !matches!(dump.contents, Contents::SchemaOnly | Contents::RolesOnly)
    })
}

/// Two branches that dump into one file.
fn same_file(pipeline: &Pipeline, one: usize, other: usize) -> bool {
    let file = |dump| {
        let made = pipeline.flow.artifacts.iter().find(|artifact| artifact.made_by == dump);
        made.and_then(|artifact| artifact.file.as_ref()).map(|file| file.text.as_str())
    };
    file(one).is_some() && file(one) == file(other)
}

/// Whether the dump is still there in clear at the end, and nothing that cannot be
/// followed takes it.
fn stays(set: &Set<'_>, pipeline: &Pipeline, dump: usize) -> bool {
    let carried = pipeline.any(set, |role| matches!(role, Role::Upload(_) | Role::RemoteCopy(_)));
    let remote = |artifact: &crate::model::Artifact| {
        artifact.file.as_ref().is_none_or(|file| file.text == "/dev/null" || file.text == "-")
    };
    let mut left = pipeline.flow.artifacts.iter().filter(|artifact| artifact.dump == dump && !artifact.gone);
    !carried
        && !set.actions_of(pipeline.root).any(|action| {
            !matches!(action.role, ActionRole::Checkout | ActionRole::Notify(_) | ActionRole::Login)
        })
        && !pipeline.may_hide(&["crypt", "upload", "store"])
        && left.any(|artifact| is_clear(set, artifact) && !remote(artifact))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(text: &str) -> String {
        check(&RULE, &[("b.sh", text)])
    }

    fn workflow(steps: &str) -> String {
        let text = format!(
            "name: backup\non:\n  schedule:\n    - cron: '1 2 * * *'\njobs:\n  b:\n    runs-on: ubuntu-24.04\n    steps:\n{steps}"
        );
        check(&RULE, &[(".github/workflows/b.yml", &text)])
    }

    #[test]
    fn a_bucket_is_a_warning_at_the_dump() {
        insta::assert_snapshot!(found("pg_dump shop | gzip > a.gz\naws s3 cp a.gz s3://b/\n"), @r#"
        b.sh:1:1: warning[dump-unencrypted]: the dump goes into a bucket in clear: whoever gets the file has every row
        help: encrypt it on the way: `pg_dump … | age -r "$RECIPIENT" > FILE.age`
          b.sh:2:1: it goes into a bucket here
        "#);
    }

    #[test]
    fn it_is_worse_where_many_can_read_it() {
        for (steps, severity) in [
            (
                "      - run: pg_dump -f a.sql \"$U\"\n      - uses: actions/upload-artifact@v4\n        with: {name: x, path: a.sql}\n",
                "error",
            ),
            ("      - run: pg_dump -f a.sql \"$U\"\n      - run: gh release upload v1 a.sql\n", "error"),
            (
                "      - run: |\n          pg_dump -f a.sql \"$U\"\n          git add a.sql\n          git push\n",
                "error",
            ),
            (
                "      - run: |\n          pg_dump -f a.sql \"$U\"\n          rclone copy a.sql r2:b\n",
                "warning",
            ),
        ] {
            assert!(
                workflow(steps).contains(&format!("{severity}[dump-unencrypted]")),
                "{steps} {}",
                workflow(steps)
            );
        }
        assert!(found("pg_dump -f a.sql shop\nmutt -s x -a a.sql -- me@example.test\n").contains("error["));
        assert!(found("pg_dump -Fc -f /srv/dumps/a.dump shop\n").contains("note["));
        let handed = "      - run: |\n          F=a-$(date +%F).sql\n          pg_dump \"$U\" > $F\n          echo \"F=$F\" >> $GITHUB_ENV\n      - uses: softprops/action-gh-release@v2\n        with:\n          files: ${{ env.F }}\n";
        assert!(workflow(handed).contains("error[dump-unencrypted]: the dump goes into a release"));
        let unseen = "      - run: python3 scripts/backup.py\n      - uses: actions/upload-artifact@v4\n        with: {name: x, path: out/shop-*.sql.gz}\n";
        assert!(workflow(unseen).contains("error[dump-unencrypted]"));
    }

    #[test]
    fn it_stays_quiet_where_it_is_encrypted_or_holds_no_rows() {
        for text in [
            "pg_dump shop | age -r k > a.age\naws s3 cp a.age s3://b/\n",
            "pg_dump -f a shop\ngpg -e -r me a\nrm a\naws s3 cp a.gpg s3://b/\n",
            "pg_dump -f a shop\naws s3 cp a s3://b/ --sse aws:kms\n",
            "pg_dump shop | restic -r s3:x backup --stdin\n",
            "pg_dump --schema-only -f a.sql shop\naws s3 cp a.sql s3://b/\n",
            "pg_dumpall --globals-only -f a.sql\n",
            "pg_dump -f a shop\nrclone copy a crypt:b\n",
            "pg_dump -f a shop\n./encrypt.sh a\n",
            "pg_dump shop > /dev/null\n",
        ] {
            assert_eq!(found(text), "", "{text}");
        }
        let local = "      - run: pg_dump -h localhost -f a.sql shop\n      - uses: actions/upload-artifact@v4\n        with: {name: x, path: a.sql}\n";
        assert_eq!(workflow(local), "");
    }

    #[test]
    fn once_for_each_pipeline() {
        let text = "pg_dump -f a x\naws s3 cp a s3://b/\npg_dump -f c y\naws s3 cp c s3://b/\n";
        assert_eq!(found(text).matches("warning[").count(), 1);
    }
}
