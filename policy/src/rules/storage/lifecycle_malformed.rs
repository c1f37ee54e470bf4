use crate::finding::{Edit, Fix, Severity, Span};
use crate::model::{Set, Unit};
use crate::parse::lifecycle::{Lifecycle, Provider, Rule as BucketRule};
use crate::parse::yaml::Node;
use crate::rule::{Findings, rule};

rule! {
    /// The store refuses these lifecycle rules, so none of them is active.
    ///
    /// ## What
    /// Keys that the API does not have (`Id` for `ID`), a rule with neither `Filter` nor
    /// `Prefix`, without `Status`, or with an age that is no whole number of days. The
    /// old form, `Prefix` beside `Filter`'s place, still works and is a note.
    ///
    /// ## Why
    /// `put-bucket-lifecycle-configuration` takes all rules or none. The call fails once,
    /// on the day of the set-up; the file stays, and everybody believes that it holds.
    ///
    /// ## Bad
    /// ```json lifecycle.json
    /// {"Rules": [{"Id": "old", "Status": "Enabled", "Expiration": {"Days": 35}}]}
    /// ```
    ///
    /// ## Good
    /// ```json lifecycle.json
    /// {"Rules": [{"ID": "old", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 35}}]}
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html>
    /// - <https://docs.aws.amazon.com/cli/latest/reference/s3api/put-bucket-lifecycle-configuration.html>
    "lifecycle-malformed" in Storage,
    severity: Error,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for (unit, _, lifecycle) in set.lifecycles() {
        if lifecycle.provider == Provider::S3 {
            misnamed(unit, &lifecycle, findings);
            unfiltered(unit, &lifecycle, findings);
            for rule in &lifecycle.rules {
                incomplete(unit, rule, findings);
            }
            old_form(unit, &lifecycle, findings);
        } else {
            for rule in &lifecycle.rules {
                unknown(unit, rule, findings);
            }
        }
    }
}

/// `Id`: told once, with every other one in the fix.
fn misnamed(unit: &Unit<'_>, lifecycle: &Lifecycle<'_>, findings: &mut Findings<'_>) {
    let known = ["ID", "Status", "Filter", "Prefix", "Expiration", "Transitions"];
    let mut edits = Vec::new();
    let mut first: Option<(&Node, &str)> = None;
    for rule in &lifecycle.rules {
        for key in &rule.unknown {
            let Some(text) = key.text() else { continue };
            let Some(right) = known.into_iter().find(|known| known.eq_ignore_ascii_case(text)) else {
                unknown_key(unit, key, text, findings);
                continue;
            };
            let span = unit.place(key.span).span;
            let quote = usize::from(span.end - span.start == text.len() + 2);
            let inner = span.part(quote..quote + text.len());
            edits.push(Edit::replace(inner, right));
            first = first.or(Some((key, right)));
        }
    }
    let Some((key, right)) = first else { return };
    let wrong = key.text().unwrap_or_default();
    findings
        .report(
            unit.place(key.span),
            format!(
                "the whole configuration is refused, and nothing ever expires: '{wrong}' is spelled '{right}'"
            ),
        )
        .help(format!("write `{right}`"))
        .fix(Fix::safe("spell the keys as the API does", edits));
}

fn unknown(unit: &Unit<'_>, rule: &BucketRule<'_>, findings: &mut Findings<'_>) {
    for key in &rule.unknown {
        unknown_key(unit, key, key.text().unwrap_or_default(), findings);
    }
}

fn unknown_key(unit: &Unit<'_>, key: &Node, text: &str, findings: &mut Findings<'_>) {
    findings
        .report(
            unit.place(key.span),
            format!("the whole configuration is refused: lifecycle rules know no '{text}'"),
        )
        .help("remove it");
}

fn unfiltered(unit: &Unit<'_>, lifecycle: &Lifecycle<'_>, findings: &mut Findings<'_>) {
    let without: Vec<&BucketRule<'_>> =
        lifecycle.rules.iter().filter(|rule| rule.filter.is_none() && rule.old_prefix.is_none()).collect();
    let Some(first) = without.first() else { return };
    // Before the first key of each rule, in its own column.
    let edit = |rule: &&BucketRule<'_>| {
        let key = unit.place(rule.node.entries().first()?.key.span).span.start;
        let json = unit.text().trim_start().starts_with('{');
        let text = unit.source.text();
        let inner = rule.node.entries().first()?.key.span.start;
        let indent = crate::fix::indent(text, inner);
        let alone =
            text.get(crate::fix::line_start(text, inner)..inner).is_some_and(|line| line.trim().is_empty());
        let gap = if alone { format!("\n{indent}") } else { " ".to_owned() };
        json.then(|| Edit::insert(key, format!("\"Filter\": {{}},{gap}")))
    };
    let edits: Option<Vec<Edit>> = without.iter().map(edit).collect();
    let report = findings
        .report(
            unit.place(Span::new(first.node.span.start, first.node.span.start + 1)),
            "the whole configuration is refused, and nothing ever expires: this rule has no Filter",
        )
        .help("add `\"Filter\": {}` for all objects, or `\"Filter\": {\"Prefix\": \"daily/\"}`");
    if let Some(edits) = edits {
        report.fix(Fix::unsafe_("let the rule be for all objects", edits));
    }
}

fn incomplete(unit: &Unit<'_>, rule: &BucketRule<'_>, findings: &mut Findings<'_>) {
    let start = rule.node.entries().first().map_or(rule.node.span, |entry| entry.key.span);
    let status = rule.status.and_then(Node::text);
    if status.is_none_or(|status| !matches!(status, "Enabled" | "Disabled")) {
        findings
            .report(
                unit.place(rule.status.map_or(start, |node| node.span)),
                "the whole configuration is refused: a rule's Status is `Enabled` or `Disabled`",
            )
            .help("add `\"Status\": \"Enabled\"`");
    }
    let does = ["Expiration", "Transitions", "Transition", "NoncurrentVersionExpiration"]
        .into_iter()
        .chain(["NoncurrentVersionTransitions", "AbortIncompleteMultipartUpload"])
        .any(|key| rule.node.get(key).is_some());
    if !does {
        findings
            .report(unit.place(start), "the whole configuration is refused: this rule does nothing")
            .help("add an `Expiration`, or remove the rule");
    }
    let ages = [rule.expiration, rule.noncurrent_expiration].into_iter().flatten();
    for age in ages.chain(rule.transitions.iter().filter_map(|step| step.after)) {
        let is_date = age.node.text().is_some_and(|text| text.contains('-') && text.len() >= 10);
        if age.days.is_none() && !is_date {
            findings
                .report(
                    unit.place(age.node.span),
                    "the whole configuration is refused: an age is a whole number of days",
                )
                .help("write for example `35`");
        }
    }
    let expires = rule.expiration.and_then(|age| age.days);
    for step in &rule.transitions {
        let after = step.after.and_then(|age| age.days);
        if let (Some(after), Some(expires), Some(at)) = (after, expires, step.after)
            && after >= expires
        {
            let message = format!(
                "the configuration is refused: moved after {after} days, but deleted after {expires}"
            );
            findings.report(unit.place(at.node.span), message).help("move it earlier, or keep it longer");
        }
    }
}

/// `Prefix` of the rule itself, once.
fn old_form(unit: &Unit<'_>, lifecycle: &Lifecycle<'_>, findings: &mut Findings<'_>) {
    let old = lifecycle.rules.iter().find_map(|rule| rule.old_prefix.filter(|_| rule.filter.is_none()));
    if let Some(prefix) = old {
        findings
            .report(
                unit.place(prefix.key.span),
                "a rule's own Prefix is the old form, which newer options refuse",
            )
            .severity(Severity::Note)
            .help("write `\"Filter\": {\"Prefix\": \"…\"}`");
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    fn found(rules: &str) -> String {
        check(&RULE, &[("l.json", &format!("{{\"Rules\": [{rules}]}}"))])
    }

    #[test]
    fn a_wrong_key_is_told_once() {
        let rule =
            r#"{"Id": "a", "Status": "Enabled", "Filter": {"Prefix": "a/"}, "Expiration": {"Days": 7}}"#;
        insta::assert_snapshot!(found(&format!("{rule}, {rule}")), @r"
        l.json:1:13: error[lifecycle-malformed]: the whole configuration is refused, and nothing ever expires: 'Id' is spelled 'ID'
        help: write `ID`
        ");
    }

    #[test]
    fn each_defect_is_named() {
        for (rule, message) in [
            (r#"{"ID": "a", "Status": "Enabled", "Expiration": {"Days": 7}}"#, "has no Filter"),
            (r#"{"Id": "a", "Status": "Enabled", "Expiration": {"Days": 7}}"#, "has no Filter"),
            (r#"{"ID": "a", "Filter": {}, "Expiration": {"Days": 7}}"#, "Status is"),
            (r#"{"ID": "a", "Status": "enabled", "Filter": {}, "Expiration": {"Days": 7}}"#, "Status is"),
            (
                r#"{"ID": "a", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": "7 days"}}"#,
                "whole number",
            ),
            (
                r#"{"ID": "a", "Status": "Enabled", "Filter": {}}, {"Status": "Enabled", "Filter": {}, "Expiration": {"Days": 7}}"#,
                "does nothing",
            ),
            (
                r#"{"ID": "a", "Status": "Enabled", "Filter": {}, "Comment": "x", "Expiration": {"Days": 7}}"#,
                "know no 'Comment'",
            ),
            (
                r#"{"ID": "a", "Status": "Enabled", "Filter": {}, "Transitions": [{"Days": 90, "StorageClass": "GLACIER"}], "Expiration": {"Days": 30}}"#,
                "moved after 90 days",
            ),
            (
                r#"{"ID": "a", "Status": "Enabled", "Prefix": "x/", "Expiration": {"Days": 7}}"#,
                "note[lifecycle-malformed]: a rule's own Prefix",
            ),
        ] {
            assert!(found(rule).contains(message), "{rule}: {}", found(rule));
        }
    }

    #[test]
    fn good_ones_are_silent() {
        for rule in [
            r#"{"ID": "a", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 7}}"#,
            r#"{"Status": "Disabled", "Filter": {"Prefix": ""}, "Expiration": {"Date": "2030-01-01T00:00:00Z"}}"#,
            r#"{"Status": "Enabled", "Filter": {"And": {"Prefix": "a/", "Tags": []}}, "NoncurrentVersionExpiration": {"NoncurrentDays": 30}}"#,
        ] {
            assert_eq!(found(rule), "", "{rule}");
        }
        let google = r#"{"lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": {"age": 30}}]}}"#;
        assert_eq!(check(&RULE, &[("l.json", google)]), "");
    }

    #[test]
    fn the_fix_is_what_the_api_takes() {
        let text = "{\n  \"Rules\": [\n    {\n      \"Id\": \"old\",\n      \"Status\": \"Enabled\",\n      \"Expiration\": {\"Days\": 35}\n    }\n  ]\n}\n";
        insta::assert_snapshot!(fix(&RULE, "l.json", text), @r#"
        {
          "Rules": [
            {
              "Filter": {},
              "ID": "old",
              "Status": "Enabled",
              "Expiration": {"Days": 35}
            }
          ]
        }
        "#);
    }
}
