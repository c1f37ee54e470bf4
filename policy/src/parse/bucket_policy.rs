//! IAM policies of buckets as a typed view over their JSON: statements with their
//! lists and conditions in one form.

use super::yaml::{Entry, Node, Value};

#[derive(Debug, Clone)]
pub struct Policy<'n> {
    pub statements: Vec<Statement<'n>>,
}

#[derive(Debug, Clone)]
pub struct Statement<'n> {
    pub node: &'n Node,
    pub sid: Option<&'n Node>,
    /// `Allow` or `Deny`.
    pub effect: Option<&'n Node>,
    pub principal: Option<&'n Node>,
    /// `Action`, or `NotAction` with its meaning turned round.
    pub actions: Vec<&'n Node>,
    pub negated_actions: bool,
    pub resources: Vec<&'n Node>,
    pub conditions: Vec<Condition<'n>>,
}

/// `"StringNotEquals": {"s3:x-amz-server-side-encryption": ["AES256"]}`
#[derive(Debug, Clone)]
pub struct Condition<'n> {
    pub operator: &'n Node,
    pub key: &'n Node,
    pub values: Vec<&'n Node>,
}

impl Statement<'_> {
    pub fn denies(&self) -> bool {
        self.effect.and_then(Node::text) == Some("Deny")
    }

    /// Whether an action such as `s3:PutObject` is named, or matched by a pattern
    /// with a star at its end.
    pub fn acts_on(&self, action: &str) -> bool {
        let named = self.actions.iter().filter_map(|node| node.text()).any(|pattern| {
            match pattern.strip_suffix('*') {
                Some(prefix) => {
                    action.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
                }
                None => pattern.eq_ignore_ascii_case(action),
            }
        });
        named != self.negated_actions
    }
}

impl Condition<'_> {
    /// Operators and keys are the same in any case.
    pub fn is(&self, operator: &str, key: &str) -> bool {
        let same =
            |node: &Node, text: &str| node.text().is_some_and(|found| found.eq_ignore_ascii_case(text));
        same(self.operator, operator) && same(self.key, key)
    }
}

/// None where the tree is no policy: no `Statement` with an `Effect`.
pub fn view(root: &Node) -> Option<Policy<'_>> {
    let statement = root.get("Statement").or_else(|| root.path(&["Policy", "Statement"]))?;
    let nodes: Vec<&Node> = match &statement.value {
        Value::Sequence(items) => items.iter().collect(),
        _ => vec![statement],
    };
    let statements: Vec<_> = nodes.into_iter().filter(|node| node.get("Effect").is_some()).map(of).collect();
    (!statements.is_empty()).then_some(Policy { statements })
}

fn of(node: &Node) -> Statement<'_> {
    let list = |key: &str| node.get(key).map(|value| value.one_or_many().collect()).unwrap_or_default();
    let negated_actions = node.get("Action").is_none() && node.get("NotAction").is_some();
    let conditions = node.get("Condition").map(Node::entries).unwrap_or_default();
    Statement {
        node,
        sid: node.get("Sid"),
        effect: node.get("Effect"),
        principal: node.get("Principal"),
        actions: list(if negated_actions { "NotAction" } else { "Action" }),
        negated_actions,
        resources: list("Resource"),
        conditions: conditions.iter().flat_map(conditions_of).collect(),
    }
}

fn conditions_of(entry: &Entry) -> impl Iterator<Item = Condition<'_>> {
    entry.value.entries().iter().map(|inner| Condition {
        operator: &entry.key,
        key: &inner.key,
        values: inner.value.one_or_many().collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::yaml;

    const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [
        {"Sid": "Encrypt", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/*",
         "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": ["AES256", "aws:kms"]},
                       "Bool": {"aws:SecureTransport": "false"}}},
        {"Effect": "Allow", "NotAction": ["s3:DeleteObject"], "Resource": ["a", "b"]},
        {"Effect": "Allow", "Action": "s3:Get*"}
    ]}"#;

    #[test]
    fn statements_in_one_form() {
        let documents = yaml::parse(POLICY).unwrap();
        let policy = view(&documents[0]).unwrap();
        let [deny, most, read] = policy.statements.as_slice() else { panic!("three statements") };
        assert!(deny.denies() && deny.acts_on("s3:PutObject") && !deny.acts_on("s3:PutObjectAcl"));
        assert!(deny.conditions[0].is("stringnotequals", "s3:X-Amz-Server-Side-Encryption"));
        let values: Vec<_> = deny.conditions[0].values.iter().filter_map(|node| node.text()).collect();
        assert_eq!(values, ["AES256", "aws:kms"]);
        assert!(deny.conditions[1].is("Bool", "aws:SecureTransport"));
        assert!(most.acts_on("s3:PutObject") && !most.acts_on("s3:DeleteObject"));
        assert_eq!(most.resources.len(), 2);
        assert!(read.acts_on("s3:GetObject") && !read.acts_on("s3:PutObject"));
    }

    #[test]
    fn one_statement_needs_no_list() {
        let documents = yaml::parse(r#"{"Statement": {"Effect": "Deny", "Action": "*"}}"#).unwrap();
        assert!(view(&documents[0]).unwrap().statements[0].acts_on("s3:PutObject"));
        for text in ["{}", r#"{"Statement": "x"}"#, r#"{"Statement": [{}]}"#] {
            assert!(view(&yaml::parse(text).unwrap()[0]).is_none(), "{text}");
        }
    }
}
