use crate::finding::{Edit, Fix};
use crate::model::{Role, Scheme, Set, TransferTool};
use crate::rule::{Findings, rule};

const HEADER: &str = "s3:x-amz-server-side-encryption";

rule! {
    /// A bucket policy refuses every upload that does not name AES256.
    ///
    /// ## What
    /// `Deny` of `s3:PutObject` where the encryption header `StringNotEquals` `AES256`.
    /// The condition also holds where there is no header, and where it says `aws:kms`.
    ///
    /// ## Why
    /// A plain `aws s3 cp` sends no such header: it is refused with AccessDenied, and no
    /// backup arrives until somebody reads the log. S3 encrypts every object with AES256
    /// by itself, so the statement protects nothing.
    ///
    /// ## Bad
    /// ```json policy.json
    /// {"Version": "2012-10-17", "Statement": [{
    ///   "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::shop-backups/*",
    ///   "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"}}
    /// }]}
    /// ```
    ///
    /// ## Good
    /// ```json policy.json
    /// {"Version": "2012-10-17", "Statement": [{
    ///   "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::shop-backups/*",
    ///   "Condition": {"StringNotEqualsIfExists": {"s3:x-amz-server-side-encryption": ["AES256", "aws:kms"]}}
    /// }]}
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-encryption-faq.html>
    /// - <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>
    "bucket-policy-aes256-only" in Storage,
    severity: Error,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for unit in &set.units {
        let Some(policy) = unit.bucket_policy() else { continue };
        for statement in policy.statements.iter().filter(|it| it.denies() && it.acts_on("s3:PutObject")) {
            for condition in statement.conditions.iter().filter(|it| it.is("StringNotEquals", HEADER)) {
                let [value] = condition.values.as_slice() else { continue };
                if value.text() != Some("AES256") {
                    continue;
                }
                let bare = set.commands.iter().find(|command| match &command.role {
                    Role::Upload(transfer) => {
                        transfer.tool == TransferTool::Aws
                            && transfer.sse.is_none()
                            && transfer.destination.as_ref().is_some_and(|to| to.scheme == Scheme::S3)
                    }
                    _ => false,
                });
                let message =
                    "every upload without the header AES256 is refused: a plain `aws s3 cp`, and aws:kms";
                let mut report = findings.report(unit.place(value.span), message).help(
                    "S3 encrypts each object by itself since 2023: use StringNotEqualsIfExists and allow aws:kms, or drop it",
                );
                if let Some(command) = bare {
                    report = report.related(command.name_at, "this upload sends no such header");
                }
                let json = unit.text().trim_start().starts_with('{');
                // The operator is shared by the other keys of its block.
                let alone = statement
                    .conditions
                    .iter()
                    .filter(|other| other.operator.span == condition.operator.span)
                    .count()
                    == 1;
                let after = unit.text().get(value.span.end..).unwrap_or_default().trim_start();
                let listed = after.starts_with(']');
                let both = if listed { "\"AES256\", \"aws:kms\"" } else { "[\"AES256\", \"aws:kms\"]" };
                if json && alone {
                    report.fix(Fix::unsafe_(
                        "let uploads without the header and with aws:kms through",
                        vec![
                            Edit::replace(
                                unit.place(condition.operator.span).span,
                                "\"StringNotEqualsIfExists\"",
                            ),
                            Edit::replace(unit.place(value.span).span, both),
                        ],
                    ));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    fn found(statement: &str) -> String {
        let text = format!("{{\"Version\": \"2012-10-17\", \"Statement\": [{statement}]}}");
        check(&RULE, &[("policy.json", &text), ("b.sh", "pg_dump -f a shop\naws s3 cp a s3://b/\n")])
    }

    #[test]
    fn it_names_the_upload_that_is_refused() {
        insta::assert_snapshot!(found(r#"{"Effect": "Deny", "Principal": "*", "Action": ["s3:PutObject"], "Resource": "*", "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": ["AES256"]}}}"#), @r"
        policy.json:1:193: error[bucket-policy-aes256-only]: every upload without the header AES256 is refused: a plain `aws s3 cp`, and aws:kms
        help: S3 encrypts each object by itself since 2023: use StringNotEqualsIfExists and allow aws:kms, or drop it
          b.sh:2:1: this upload sends no such header
        ");
    }

    #[test]
    fn the_fix_lets_both_through() {
        let text = |operator: &str, value: &str| {
            format!(
                "{{\"Version\": \"2012-10-17\", \"Statement\": [{{\"Effect\": \"Deny\", \"Action\": \"s3:PutObject\", \"Condition\": {{{operator}: {{\"s3:x-amz-server-side-encryption\": {value}}}}}}}]}}\n"
            )
        };
        for value in ["\"AES256\"", "[\"AES256\"]"] {
            assert_eq!(
                fix(&RULE, "policy.json", &text("\"StringNotEquals\"", value)),
                text("\"StringNotEqualsIfExists\"", "[\"AES256\", \"aws:kms\"]")
            );
        }
    }

    #[test]
    fn it_stays_quiet_elsewhere() {
        for statement in [
            r#"{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*", "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"}}}"#,
            r#"{"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*", "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}}"#,
            r#"{"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*", "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": ["AES256", "aws:kms"]}}}"#,
            r#"{"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*", "Condition": {"StringNotEqualsIfExists": {"s3:x-amz-server-side-encryption": "AES256"}}}"#,
            r#"{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*", "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"}}}"#,
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}"#,
        ] {
            assert_eq!(found(statement), "", "{statement}");
        }
    }
}
