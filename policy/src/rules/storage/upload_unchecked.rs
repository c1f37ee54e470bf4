use crate::document::Kind;
use crate::finding::{Edit, Fix, Span};
use crate::model::{ActionRole, Role, Scheme, Set, TransferTool};
use crate::rule::{Findings, rule};

rule! {
    /// An upload that fails, or sends nothing, looks like one that worked.
    ///
    /// ## What
    /// `curl` without `--fail`, which ends well when the server refuses; several files,
    /// or a pattern that becomes several, for `aws s3 cp`, which takes one; an artifact
    /// with `if-no-files-found: ignore`; a client whose `error` nobody looks at.
    ///
    /// ## Why
    /// The job is green and the copy is not there. It is found out when the disk that
    /// held the only other one is gone.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// pg_dump -Fc -f shop.dump shop
    /// curl -sS -T shop.dump https://files.shop.internal/backups/
    /// ```
    /// or
    /// ```bash backup.sh
    /// pg_dump -Fc -f "shop_$(date +%F).dump" shop
    /// aws s3 cp shop_*.dump s3://shop-backups/daily/
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// pg_dump -Fc -f shop.dump shop
    /// curl --fail -sS -T shop.dump https://files.shop.internal/backups/
    /// ```
    ///
    /// ## Sources
    /// - <https://curl.se/docs/manpage.html#-f>
    /// - <https://docs.aws.amazon.com/cli/latest/reference/s3/cp.html>
    "upload-unchecked" in Storage,
    severity: Warning,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    commands(set, findings);
    for action in &set.actions {
        let ActionRole::UploadArtifact { path: Some(path) } = &action.role else { continue };
        let Some(setting) = action.input("if-no-files-found") else { continue };
        let lower = path.text.to_ascii_lowercase();
        let name = action.input("name").map_or(String::new(), |arg| arg.text.to_ascii_lowercase());
        let report =
            ["verif", "evidence", "report", "log", "compar", "schema"].iter().any(|word| name.contains(word));
        let backup = !report && ["backup", "dump", ".sql"].iter().any(|word| lower.contains(word));
        if backup && matches!(setting.text.as_str(), "ignore" | "warn") {
            let edit = Edit::replace(setting.span(), "error");
            findings
                .report(setting.at, "when there is no dump, nothing is kept and the job stays green")
                .help("write `if-no-files-found: error`")
                .fix(Fix::safe("fail where there is no file", vec![edit]));
        }
    }
    for unit in set.units.iter().filter(|unit| matches!(unit.kind, Kind::TypeScript)) {
        for span in ignored_errors(unit.text()) {
            findings
                .report(unit.place(span), "a refused upload only fills `error`, and nobody looks at it")
                .help("`if (error) throw error`");
        }
    }
}

fn commands(set: &Set<'_>, findings: &mut Findings<'_>) {
    for pipeline in &set.pipelines {
        for (_, command) in pipeline.commands(set) {
            let Role::Upload(transfer) = &command.role else { continue };
            if transfer.tool == TransferTool::Curl && command.name == "curl" && !transfer.fails_on_refusal {
                // The answer may be looked at: `status=$(curl -w '%{http_code}' …)`.
                let judged = command.args.iter().any(|arg| arg.text.contains("http_code"));
                if judged {
                    continue;
                }
                let edit = Edit::insert(command.name_at.span.end, " --fail");
                findings
                    .report(
                        command.name_at,
                        "when the server refuses the file, curl still ends well: no copy, and no error",
                    )
                    .help("add `--fail` (or `--fail-with-body`, which also prints the answer)")
                    .fix(Fix::safe("let curl fail where the server refuses", vec![edit]));
            } else if transfer.tool == TransferTool::Aws && !transfer.recursive && command.has("cp") {
                let several = transfer.sources.len() > 1;
                let pattern = transfer.sources.iter().find(|it| it.scheme == Scheme::Local && it.arg.is_glob);
                if let Some(source) = pattern.or_else(|| transfer.sources.get(1).filter(|_| several)) {
                    findings
                        .report(
                            source.arg.at,
                            "`aws s3 cp` takes one file: with a second one it stops with \"Unknown options\"",
                        )
                        .help(
                            "`aws s3 cp DIR s3://… --recursive --exclude '*' --include 'NAME_*'`, or a loop",
                        );
                }
            }
        }
    }
}

/// `const { data, error } = await ….upload(…)` without another `error` behind it.
fn ignored_errors(text: &str) -> Vec<Span> {
    let mut found = Vec::new();
    let mut from = 0;
    let last = text.rfind("error").unwrap_or_default();
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(".upload(")).map(|at| from + at) {
        from = at + 1;
        let window = text.floor_char_boundary(at.saturating_sub(300));
        let before = text.get(window..at).unwrap_or_default();
        let statement = before.rfind("const {").filter(|start| !before[*start..].contains(';'));
        let Some(start) = statement.map(|start| window + start) else { continue };
        let head = text.get(start..at).unwrap_or_default();
        let named = head.find('}').and_then(|end| head.get(..end)).and_then(|names| names.find("error"));
        let Some(name) = named else { continue };
        // A name of its own, `{ error: uploadError }`, is another word to look for.
        let renamed = head.get(name + 5..).is_some_and(|rest| rest.trim_start().starts_with(':'));
        if !renamed && last < at {
            found.push(Span::new(start + name, start + name + 5));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    fn found(line: &str) -> String {
        check(&RULE, &[("b.sh", &format!("pg_dump -Fc -f a.dump shop\n{line}\n"))])
    }

    #[test]
    fn curl_ends_well_when_it_is_refused() {
        insta::assert_snapshot!(found("curl -s -X POST --data-binary @a.dump https://files.example.test/b"), @r"
        b.sh:2:1: warning[upload-unchecked]: when the server refuses the file, curl still ends well: no copy, and no error
        help: add `--fail` (or `--fail-with-body`, which also prints the answer)
        ");
        assert_eq!(
            fix(&RULE, "b.sh", "pg_dump -f a shop\ncurl -T a https://h/\n"),
            "pg_dump -f a shop\ncurl --fail -T a https://h/\n"
        );
    }

    #[test]
    fn every_form_of_it_fires() {
        for line in [
            "aws s3 cp backups/a_*.dump s3://b/x/ --sse AES256",
            "aws s3 cp a.dump b.dump s3://b/",
            "curl -T a.dump \"$PRESIGNED_URL\"",
        ] {
            assert!(found(line).contains("warning[upload-unchecked]"), "{line}");
        }
        let text = "# B\n\n```typescript\nconst { data, error } = await supabase.storage\n  .from('backups')\n  .upload(`x.gz`, file)\n```\n\n```bash\npg_dump shop > a\n```\n";
        assert!(check(&RULE, &[("b.md", text)]).starts_with("b.md:4:15: warning["));
    }

    #[test]
    fn it_stays_quiet_where_a_failure_shows() {
        for line in [
            "curl -f -T a.dump https://h/",
            "curl --fail-with-body -sS -F file=@a.dump https://h/",
            "curl -s https://h/hook -d '{\"text\": \"ok\"}'",
            "code=$(curl -s -o /dev/null -w '%{http_code}' -T a.dump https://h/)",
            "aws s3 cp a.dump s3://b/",
            "aws s3 cp backups/ s3://b/ --recursive",
            "aws s3 sync backups/ s3://b/",
        ] {
            assert_eq!(found(line), "", "{line}");
        }
        let checked = "const { error } = await s.storage.from('b').upload('x', f)\nif (error) throw error\n";
        assert_eq!(check(&RULE, &[("b.ts", checked)]), "");
    }

    #[test]
    fn an_artifact_without_files_is_an_error() {
        let text = |value: &str| {
            format!(
                "name: backup\non: push\njobs:\n  b:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: pg_dump \"$U\" > backup.sql\n      - uses: actions/upload-artifact@v4\n        with:\n          path: backup.sql\n          if-no-files-found: {value}\n"
            )
        };
        let path = ".github/workflows/b.yml";
        assert!(check(&RULE, &[(path, &text("warn"))]).contains("warning[upload-unchecked]"));
        assert_eq!(fix(&RULE, path, &text("ignore")), text("error"));
        assert_eq!(check(&RULE, &[(path, &text("error"))]), "");
    }
}
