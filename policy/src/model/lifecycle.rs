//! Lifecycle rules of a bucket, S3's and Google's, as one thing: which objects,
//! after how many days, to which class or to nothing.

use crate::finding::Span;
use crate::parse::yaml::{Node, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    S3,
    Gcs,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Lifecycle {
    pub dialect: Dialect,
    pub span: Span,
    pub rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub span: Span,
    /// `ID`, or what stands for it.
    pub id: Option<Text>,
    pub enabled: bool,
    /// Which objects; none where the rule names neither prefix nor filter.
    pub filter: Filter,
    /// Days until the object is gone.
    pub expires: Option<Days>,
    /// Days until an object that was overwritten or deleted is gone.
    pub noncurrent: Option<Days>,
    pub transitions: Vec<Transition>,
    /// The rule as it stands, for checks of its shape.
    pub node: Node,
}

/// Which objects a rule matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Every object of the bucket: an empty prefix, or no filter at all.
    All,
    Prefixes(Vec<Text>),
    /// Tags, sizes, suffixes: nobody knows here.
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    pub text: String,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    pub count: u32,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    pub days: Option<Days>,
    pub class: Text,
}

impl Transition {
    /// Whether an object has to be restored for hours before it can be read.
    pub fn is_archive(&self) -> bool {
        matches!(self.class.text.as_str(), "GLACIER" | "DEEP_ARCHIVE")
    }
}

impl Rule {
    /// Whether an object with this key, or below this folder, is matched.
    pub fn matches(&self, key: &str) -> bool {
        self.enabled
            && match &self.filter {
                Filter::All => true,
                Filter::Prefixes(prefixes) => prefixes.iter().any(|prefix| key.starts_with(&prefix.text)),
                Filter::Other => false,
            }
    }
}

impl Lifecycle {
    /// Of a JSON or YAML tree; none where it holds no such rules.
    pub fn read(root: &Node) -> Option<Self> {
        // The answer of `get-…`, `gcloud storage buckets describe`, Terraform's JSON.
        let s3 = get(root, "Rules").or_else(|| get(get(root, "LifecycleConfiguration")?, "Rules"));
        if let Some(rules) = s3 {
            let rules = items(rules).iter().map(s3_rule).collect();
            return Some(Self { dialect: Dialect::S3, span: root.span, rules });
        }
        let lifecycle = get(root, "lifecycle").or_else(|| get(root, "lifecycle_config")).unwrap_or(root);
        let rules = get(lifecycle, "rule")?;
        let rules = items(rules).iter().map(gcs_rule).collect();
        Some(Self { dialect: Dialect::Gcs, span: root.span, rules })
    }
}

fn get<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    node.get(key)
}

fn items(node: &Node) -> &[Node] {
    match &node.value {
        Value::Sequence(items) => items,
        _ => std::slice::from_ref(node),
    }
}

fn text(node: &Node) -> Option<Text> {
    node.as_scalar().map(|scalar| Text { text: scalar.text.clone(), span: node.span })
}

fn days(node: &Node) -> Option<Days> {
    let count = node.as_scalar()?.text.parse().ok()?;
    Some(Days { count, span: node.span })
}

fn s3_rule(node: &Node) -> Rule {
    let filter = match (get(node, "Filter"), get(node, "Prefix")) {
        (Some(filter), _) => s3_filter(filter),
        (None, Some(prefix)) => of_prefix(prefix),
        (None, None) => Filter::All,
    };
    let transition = |node: &Node| {
        let class = get(node, "StorageClass").and_then(text)?;
        Some(Transition { days: get(node, "Days").and_then(days), class })
    };
    let list = get(node, "Transitions").or_else(|| get(node, "Transition")).map_or(&[][..], items);
    Rule {
        span: node.span,
        id: get(node, "ID").or_else(|| get(node, "Id")).and_then(text),
        enabled: get(node, "Status").and_then(text).is_none_or(|status| status.text == "Enabled"),
        filter,
        expires: get(node, "Expiration").and_then(|node| get(node, "Days")).and_then(days),
        noncurrent: get(node, "NoncurrentVersionExpiration")
            .and_then(|node| get(node, "NoncurrentDays"))
            .and_then(days),
        transitions: list.iter().filter_map(transition).collect(),
        node: node.clone(),
    }
}

fn of_prefix(node: &Node) -> Filter {
    match text(node) {
        Some(prefix) if prefix.text.is_empty() => Filter::All,
        Some(prefix) => Filter::Prefixes(vec![prefix]),
        None => Filter::Other,
    }
}

fn s3_filter(filter: &Node) -> Filter {
    let Value::Mapping(entries) = &filter.value else { return Filter::All };
    match (get(filter, "Prefix"), get(filter, "And")) {
        (Some(prefix), None) => of_prefix(prefix),
        // Tags narrow it further: what it leaves out is not known.
        (_, Some(_)) => Filter::Other,
        (None, None) if entries.is_empty() => Filter::All,
        (None, None) => Filter::Other,
    }
}

fn gcs_rule(node: &Node) -> Rule {
    let action = get(node, "action");
    let kind = action.and_then(|action| get(action, "type")).and_then(text);
    let is = |wanted: &str| kind.as_ref().is_some_and(|kind| kind.text == wanted);
    let condition = get(node, "condition");
    let age = condition.and_then(|condition| get(condition, "age")).and_then(days);
    let noncurrent = condition.and_then(|condition| get(condition, "daysSinceNoncurrentTime")).and_then(days);
    let filter = match condition {
        Some(condition) => match get(condition, "matchesPrefix") {
            Some(prefixes) => Filter::Prefixes(items(prefixes).iter().filter_map(text).collect()),
            None if ["matchesSuffix", "isLive", "numNewerVersions"]
                .iter()
                .any(|key| get(condition, key).is_some()) =>
            {
                Filter::Other
            }
            None => Filter::All,
        },
        None => Filter::All,
    };
    let class = action
        .and_then(|action| get(action, "storageClass"))
        .and_then(text)
        .filter(|_| is("SetStorageClass"));
    Rule {
        span: node.span,
        id: None,
        enabled: true,
        filter,
        expires: age.filter(|_| is("Delete")),
        noncurrent: noncurrent.filter(|_| is("Delete")),
        transitions: class.map(|class| Transition { days: age, class }).into_iter().collect(),
        node: node.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Lifecycle> {
        Lifecycle::read(crate::parse::yaml::parse(text).ok()?.first()?)
    }

    #[test]
    fn rules_of_s3_are_read() {
        let it = parse(
            r#"{"Rules": [
            {"ID": "a", "Status": "Enabled", "Filter": {"Prefix": "daily/"}, "Expiration": {"Days": 7}},
            {"Id": "b", "Status": "Disabled", "Prefix": "", "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}]},
            {"Status": "Enabled", "Filter": {"Tag": {"Key": "x"}}, "NoncurrentVersionExpiration": {"NoncurrentDays": 3}}
            ]}"#,
        )
        .unwrap();
        assert_eq!(it.rules[0].expires.map(|days| days.count), Some(7));
        assert!(it.rules[0].matches("daily/x") && !it.rules[0].matches("weekly/x"));
        assert!(
            !it.rules[1].enabled
                && it.rules[1].transitions[0].is_archive()
                && it.rules[1].filter == Filter::All
        );
        assert_eq!(it.rules[2].filter, Filter::Other);
        assert_eq!(it.rules[2].noncurrent.map(|days| days.count), Some(3));
    }

    #[test]
    fn rules_of_google_are_read() {
        let it = parse(
            r#"{"lifecycle": {"rule": [
            {"action": {"type": "Delete"}, "condition": {"age": 30, "matchesPrefix": ["daily/", "hourly/"]}},
            {"action": {"type": "SetStorageClass", "storageClass": "COLDLINE"}, "condition": {"age": 90}}]}}"#,
        )
        .unwrap();
        assert_eq!(it.dialect, Dialect::Gcs);
        assert_eq!(it.rules[0].expires.map(|days| days.count), Some(30));
        assert!(it.rules[0].matches("hourly/x"));
        assert_eq!(it.rules[1].transitions[0].class.text, "COLDLINE");
        assert_eq!(it.rules[1].expires, None);
    }

    #[test]
    fn other_json_is_none() {
        assert_eq!(parse("{\"a\": [1]}"), None);
        assert_eq!(parse("{"), None);
    }
}
