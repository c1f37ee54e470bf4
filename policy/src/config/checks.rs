//! What can only be judged with the whole file in view. Most of it works on the
//! tree, so that it is reported beside errors that keep a section from being read.

use crate::finding::Span;
use crate::parse::yaml::{self, Node};
use crate::secrets;

use super::value::{Reader, Target, quote, similar};
use super::{Alerts, Config, database, template, tier};

/// Aliases and tags would make a value mean something else than what it says.
pub(super) fn refuse_indirection(node: &Node, reader: &mut Reader<'_>) {
    if let Some(tag) = node.tag {
        let message = "a tag means nothing here";
        reader.error_help(
            "yaml-tag",
            tag,
            message,
            "write the value itself; variables are written `${NAME}`",
        );
    }
    match &node.value {
        yaml::Value::Alias => {
            let message = "aliases are not supported in this file";
            reader.error_help("yaml-alias", node.span, message, "write the value out");
        }
        yaml::Value::Sequence(items) => items.iter().for_each(|item| refuse_indirection(item, reader)),
        yaml::Value::Mapping(entries) => {
            for entry in entries {
                refuse_indirection(&entry.key, reader);
                refuse_indirection(&entry.value, reader);
            }
        }
        yaml::Value::Scalar(_) => {}
    }
}

/// Passwords in URLs and private keys, wherever in the file they are.
pub(super) fn refuse_secrets(root: &Node, reader: &mut Reader<'_>) {
    let mut found = Vec::new();
    root.scalars(&mut |node, scalar| {
        if let Some(kind) = secrets::private_key(&scalar.text) {
            let help = "a backup needs the public key only (`age1…`); make a new pair with `backstop key \
                        generate`, since this one has been in a file that others read";
            found.push((
                "private-key-in-file",
                node.span,
                format!("{kind} written in the configuration"),
                help,
            ));
        } else if let Some(range) = secrets::password_in_url(&scalar.text)
            && !template::literal_part(scalar.text.get(range.clone()).unwrap_or_default()).is_empty()
        {
            let database = scalar.text.starts_with("postgres");
            let help = if database {
                "use `url: ${DATABASE_URL}`"
            } else {
                "leave it out of the URL: credentials come from the environment"
            };
            let span = node.locate(reader.text, range);
            found.push((
                "credential-in-file",
                span,
                "password written in the configuration".to_owned(),
                help,
            ));
        }
    });
    for (rule, span, message, help) in found {
        reader.error_help(rule, span, message, help);
    }
}

/// The entries of a top-level section whose keys are names, as they stand.
fn entries_of<'n>(root: &'n Node, section: &str) -> Vec<(&'n str, Span, &'n Node)> {
    let yaml::Value::Mapping(entries) = &root.value else { return Vec::new() };
    let found = entries.iter().find(|entry| entry.key.as_scalar().is_some_and(|key| key.text == section));
    let Some(yaml::Value::Mapping(entries)) = found.map(|entry| &entry.value.value) else {
        return Vec::new();
    };
    let entry = |entry: &'n yaml::Entry| Some((&*entry.key.as_scalar()?.text, entry.key.span, &entry.value));
    entries.iter().filter_map(entry).collect()
}

pub(super) fn references(root: &Node, reader: &mut Reader<'_>) {
    for reference in std::mem::take(&mut reader.references) {
        let (section, kind, rule) = match reference.target {
            Target::Store => ("stores", "store", "undefined-store"),
            Target::Tier => ("tiers", "tier", "undefined-tier"),
        };
        let names: Vec<&str> = entries_of(root, section).into_iter().map(|(name, ..)| name).collect();
        let name = &reference.name;
        if names.contains(&name.as_str()) {
            continue;
        }
        let help = match similar(name, names.iter().copied()) {
            Some(similar) => format!("did you mean `{similar}`?"),
            None => format!("define it under `{section}:`"),
        };
        reader.error_help(rule, name.span, format!("{kind} {} is not defined", quote(name)), help);
    }
}

/// Beside the tiers, a store holds two folders of its own.
pub(super) fn tier_names(root: &Node, reader: &mut Reader<'_>) {
    for (name, span, _) in entries_of(root, "tiers") {
        if matches!(name, "catalog" | "audit") {
            let message = format!("'{name}' cannot be the name of a tier: the store keeps its records there");
            reader.error("invalid-name", span, message);
        }
    }
}

/// One environment describes one database.
pub(super) fn environment(root: &Node, reader: &mut Reader<'_>) {
    let from_environment = |(_, _, node): &(&str, Span, &Node)| match &node.value {
        yaml::Value::Mapping(entries) => !entries.iter().any(|entry| {
            entry
                .key
                .as_scalar()
                .is_some_and(|key| database::SOURCES.iter().any(|keys| keys.contains(&&*key.text)))
        }),
        _ => false,
    };
    let databases = entries_of(root, "databases");
    let mut unsaid = databases.into_iter().filter(from_environment);
    if let (Some((first, ..)), Some((second, span, _))) = (unsaid.next(), unsaid.next()) {
        reader.error_help(
            "ambiguous-connection",
            span,
            format!(
                "{} and {} would both be the one database that the environment names",
                quote(first),
                quote(second)
            ),
            "give each its own `url: ${…}`",
        );
    }
}

/// What an override makes of a tier must make sense as a whole, too.
pub(super) fn overrides(config: &Config, reader: &mut Reader<'_>) {
    for (database, entry) in config.databases.iter() {
        for tier in entry.tiers.0.keys() {
            if let Some(merged) = config.tier(database, tier) {
                tier::check_consistency(&merged, reader);
            }
        }
    }
}

pub(super) fn alerts(config: &Config, root: &Node, reader: &mut Reader<'_>) {
    let Some(Alerts { min_size: Some(min), quota: Some(quota), .. }) = &config.alerts else { return };
    if min >= quota {
        let span = entries_of(root, "alerts").into_iter().find(|(name, ..)| *name == "min_size");
        let message = "'min_size' is not smaller than 'quota': every backup would raise one of the two";
        reader.error("invalid-value", span.map_or(root.span, |(_, span, _)| span), message);
    }
}
