//! Lifecycle configurations of S3 (`put-bucket-lifecycle-configuration`) and of
//! Google Cloud Storage (`gsutil lifecycle set`) as one typed view over their JSON.
//!
//! A view shows what was written, right or wrong; keys that the API does not know
//! are listed with what is there.

use super::yaml::{Entry, Node, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    S3,
    Gcs,
}

#[derive(Debug, Clone)]
pub struct Lifecycle<'n> {
    pub provider: Provider,
    pub rules: Vec<Rule<'n>>,
}

#[derive(Debug, Clone)]
pub struct Rule<'n> {
    pub node: &'n Node,
    /// S3: `ID`, or `Id` as people write it.
    pub id: Option<&'n Entry>,
    /// S3: `Status`.
    pub status: Option<&'n Node>,
    /// S3: `Filter`.
    pub filter: Option<&'n Entry>,
    /// S3: `Prefix` of the rule itself, the old form.
    pub old_prefix: Option<&'n Entry>,
    /// What the keys of its objects begin with; none where it is all of them.
    pub prefixes: Vec<&'n Node>,
    /// Tags, sizes, suffixes and the like: not all objects below the prefix.
    pub narrowed: bool,
    /// When current objects are deleted.
    pub expiration: Option<Age<'n>>,
    /// When versions that are not current are deleted.
    pub noncurrent_expiration: Option<Age<'n>>,
    pub transitions: Vec<Transition<'n>>,
    /// Keys that the API does not know, or knows in another case.
    pub unknown: Vec<&'n Node>,
}

/// A number of days, and where it is written.
#[derive(Debug, Clone, Copy)]
pub struct Age<'n> {
    /// None where it is a date, or no number.
    pub days: Option<u64>,
    pub node: &'n Node,
}

#[derive(Debug, Clone, Copy)]
pub struct Transition<'n> {
    pub after: Option<Age<'n>>,
    /// `GLACIER`, `NEARLINE`
    pub class: Option<&'n Node>,
}

const S3_KEYS: [&str; 10] = [
    "ID",
    "Status",
    "Filter",
    "Prefix",
    "Expiration",
    "Transitions",
    "NoncurrentVersionTransitions",
    "NoncurrentVersionExpiration",
    "AbortIncompleteMultipartUpload",
    "Transition",
];
const GCS_KEYS: [&str; 2] = ["action", "condition"];

impl Rule<'_> {
    /// S3 does nothing with a rule that is not enabled.
    pub fn is_enabled(&self) -> bool {
        self.status.and_then(Node::text).is_none_or(|status| status == "Enabled")
    }

    /// Whether the rule's objects are all those below a prefix.
    pub fn covers(&self, key: &str) -> bool {
        !self.narrowed
            && (self.prefixes.is_empty()
                || self.prefixes.iter().filter_map(|node| node.text()).any(|prefix| key.starts_with(prefix)))
    }
}

/// None where the tree is neither.
pub fn view(root: &Node) -> Option<Lifecycle<'_>> {
    if let Some(rules) = root.get("Rules").or_else(|| root.path(&["LifecycleConfiguration", "Rules"])) {
        let known = ["Expiration", "Transitions", "Transition", "Status", "NoncurrentVersionExpiration"];
        let rules: Vec<_> = rules.items().iter().filter(|rule| !rule.entries().is_empty()).collect();
        let is_lifecycle = rules.iter().any(|rule| known.iter().any(|key| rule.get(key).is_some()));
        return is_lifecycle
            .then(|| Lifecycle { provider: Provider::S3, rules: rules.into_iter().map(s3_rule).collect() });
    }
    let rules = root.path(&["lifecycle", "rule"]).or_else(|| root.get("rule"))?;
    let rules: Vec<_> = rules.items().iter().filter(|rule| rule.get("action").is_some()).collect();
    (!rules.is_empty())
        .then(|| Lifecycle { provider: Provider::Gcs, rules: rules.into_iter().map(gcs_rule).collect() })
}

fn s3_rule(node: &Node) -> Rule<'_> {
    let id = node.entries().iter().find(|entry| is_key(entry, "ID"));
    let filter = node.entry("Filter");
    let mut prefixes = Vec::new();
    let mut narrowed = false;
    let old_prefix = node.entry("Prefix");
    prefixes.extend(old_prefix.map(|entry| &entry.value));
    if let Some(filter) = filter {
        for entry in filter.value.get("And").unwrap_or(&filter.value).entries() {
            match entry.key.text() {
                Some("Prefix") => prefixes.push(&entry.value),
                _ => narrowed = true,
            }
        }
    }
    // An empty prefix is all objects.
    prefixes.retain(|prefix| prefix.text().is_none_or(|text| !text.is_empty()));
    let transitions = ["Transitions", "Transition"].into_iter().filter_map(|key| node.get(key));
    let transitions = transitions.flat_map(|node| match &node.value {
        Value::Sequence(items) => items.iter().collect(),
        _ => vec![node],
    });
    Rule {
        node,
        id,
        status: node.get("Status"),
        filter,
        old_prefix,
        prefixes,
        narrowed,
        expiration: node.get("Expiration").and_then(|value| age(value, &["Days", "Date"])),
        noncurrent_expiration: node
            .get("NoncurrentVersionExpiration")
            .and_then(|value| age(value, &["NoncurrentDays"])),
        transitions: transitions
            .map(|node| Transition { after: age(node, &["Days", "Date"]), class: node.get("StorageClass") })
            .collect(),
        unknown: unknown(node, &S3_KEYS),
    }
}

fn gcs_rule(node: &Node) -> Rule<'_> {
    let action = node.path(&["action", "type"]).and_then(Node::text);
    let condition = node.get("condition");
    let conditions = condition.map(Node::entries).unwrap_or_default();
    let prefixes = condition.and_then(|condition| condition.get("matchesPrefix"));
    let has = |key: &str| conditions.iter().any(|entry| entry.key.text() == Some(key));
    // Conditions about versions that are not current.
    let old_versions = has("numNewerVersions")
        || has("daysSinceNoncurrentTime")
        || condition.and_then(|condition| condition.get("isLive")).and_then(Node::text) == Some("false");
    let narrowed = conditions.iter().any(|entry| {
        !matches!(
            entry.key.text(),
            Some("age" | "matchesPrefix" | "isLive" | "daysSinceNoncurrentTime" | "createdBefore")
        )
    });
    let after = condition.and_then(|condition| {
        age(
            condition,
            if old_versions { &["daysSinceNoncurrentTime", "age"] } else { &["age", "createdBefore"] },
        )
    });
    let deletes = action == Some("Delete");
    let class = node.path(&["action", "storageClass"]);
    Rule {
        node,
        id: None,
        status: None,
        filter: node.entry("condition"),
        old_prefix: None,
        prefixes: prefixes.map(|node| node.one_or_many().collect()).unwrap_or_default(),
        narrowed,
        expiration: after.filter(|_| deletes && !old_versions),
        noncurrent_expiration: after.filter(|_| deletes && old_versions),
        transitions: if action == Some("SetStorageClass") {
            vec![Transition { after, class }]
        } else {
            Vec::new()
        },
        unknown: unknown(node, &GCS_KEYS),
    }
}

fn age<'n>(node: &'n Node, keys: &[&str]) -> Option<Age<'n>> {
    let node = keys.iter().find_map(|key| node.get(key))?;
    Some(Age { days: node.text().and_then(|text| text.parse().ok()), node })
}

fn is_key(entry: &Entry, key: &str) -> bool {
    entry.key.text().is_some_and(|text| text.eq_ignore_ascii_case(key))
}

fn unknown<'n>(node: &'n Node, known: &[&str]) -> Vec<&'n Node> {
    let keys = node.entries().iter().map(|entry| &entry.key);
    keys.filter(|key| key.text().is_some_and(|text| !known.contains(&text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::yaml;

    fn outline(text: &str) -> String {
        let documents = yaml::parse(text).unwrap();
        let Some(lifecycle) = view(&documents[0]) else { return "none".to_owned() };
        let days = |age: Option<Age<'_>>| age.map_or("-".to_owned(), |age| format!("{:?}", age.days));
        let rule = |rule: &Rule<'_>| {
            let id = rule.id.and_then(|id| id.value.text()).unwrap_or("-");
            let prefixes: Vec<_> = rule.prefixes.iter().filter_map(|node| node.text()).collect();
            let transitions: Vec<_> = rule
                .transitions
                .iter()
                .map(|step| {
                    format!("{} {}", days(step.after), step.class.and_then(Node::text).unwrap_or("-"))
                })
                .collect();
            let unknown: Vec<_> = rule.unknown.iter().filter_map(|key| key.text()).collect();
            format!(
                "{id} {prefixes:?}{}{} delete {} old {} {transitions:?} {unknown:?}",
                if rule.narrowed { " narrowed" } else { "" },
                if rule.is_enabled() { "" } else { " off" },
                days(rule.expiration),
                days(rule.noncurrent_expiration),
            )
        };
        let rules: Vec<_> = lifecycle.rules.iter().map(rule).collect();
        format!("{:?}\n{}", lifecycle.provider, rules.join("\n"))
    }

    #[test]
    fn rules_of_s3() {
        insta::assert_snapshot!(outline(r#"{"Rules": [
            {"Id": "daily", "Status": "Enabled", "Prefix": "daily/", "Expiration": {"Days": 7}},
            {"ID": "old", "Status": "Disabled", "Filter": {"Prefix": ""}, "Expiration": {"Date": "2030-01-01"},
             "NoncurrentVersionExpiration": {"NoncurrentDays": 30}},
            {"ID": "tagged", "Filter": {"And": {"Prefix": "m/", "Tags": []}}, "Comment": "x",
             "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}, {"Days": 90, "StorageClass": "DEEP_ARCHIVE"}]}
        ]}"#), @r#"
        S3
        daily ["daily/"] delete Some(7) old - [] ["Id"]
        old [] off delete None old Some(30) [] []
        tagged ["m/"] narrowed delete - old - ["Some(30) GLACIER", "Some(90) DEEP_ARCHIVE"] ["Comment"]
        "#);
    }

    #[test]
    fn rules_of_google() {
        insta::assert_snapshot!(outline(r#"{"lifecycle": {"rule": [
            {"action": {"type": "Delete"}, "condition": {"age": 365, "matchesPrefix": ["a/", "b/"]}},
            {"action": {"type": "SetStorageClass", "storageClass": "NEARLINE"}, "condition": {"age": 30}},
            {"action": {"type": "Delete"}, "condition": {"daysSinceNoncurrentTime": 14}},
            {"action": {"type": "Delete"}, "condition": {"age": 3, "numNewerVersions": 3, "isLive": false}}
        ]}}"#), @r#"
        Gcs
        - ["a/", "b/"] delete Some(365) old - [] []
        - [] delete - old - ["Some(30) NEARLINE"] []
        - [] delete - old Some(14) [] []
        - [] narrowed delete - old Some(3) [] []
        "#);
    }

    #[test]
    fn prefixes_cover_keys() {
        let documents =
            yaml::parse(r#"{"Rules": [{"Status": "Enabled", "Filter": {"Prefix": "daily/"}}]}"#).unwrap();
        let lifecycle = view(&documents[0]).unwrap();
        assert!(lifecycle.rules[0].covers("daily/x.dump") && !lifecycle.rules[0].covers("weekly/x.dump"));
    }

    #[test]
    fn other_documents_are_none() {
        for text in ["{}", r#"{"Rules": [{"From": 1}]}"#, r#"{"rule": [1]}"#, r#"{"Rules": 1}"#, "[]"] {
            assert_eq!(outline(text), "none", "{text}");
        }
    }
}
