//! The variables that a command is started with, as far as the documents tell: on its
//! own line, in its script, in what starts the script, in a file of settings.

use std::collections::HashMap;

use crate::document::Kind;
use crate::finding::Place;
use crate::parse::env;

use super::Set;
use super::command::Command;
use super::unit::Unit;

/// The value of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub text: String,
    /// Where it is written, if that is known.
    pub at: Option<Place>,
}

impl Set<'_> {
    /// What the command's line, its script, or what starts that, sets.
    pub fn variable(&self, command: &Command, name: &str) -> Option<Known> {
        let known = |setting: &super::command::Setting| Known {
            text: setting.value.text.clone(),
            at: Some(setting.value.at),
        };
        if let Some(setting) = command.env.iter().find(|setting| setting.name == name) {
            return Some(known(setting));
        }
        let script = self.script_of(command)?;
        let before = |setting: &&super::command::Setting| setting.value.at.span.start < command.at.span.start;
        let set = script.assigned(name).rfind(before).map(known);
        set.or_else(|| {
            let (_, value) = script.env.iter().rfind(|(set, _)| set == name)?;
            Some(Known { text: value.clone()?, at: None })
        })
    }

    /// What files of settings say: those of its document, and `.env` files beside the
    /// script or above it.
    pub fn settings(&self, command: &Command, name: &str) -> Vec<&Known> {
        let folder = |document: usize| {
            let path = self.documents.get(document).map_or("", |document| document.path.as_str());
            path.rsplit_once('/').map_or("", |(folder, _)| folder)
        };
        let own = folder(command.at.document);
        let near = |document: usize| {
            let above = folder(document);
            document == command.at.document
                || above.is_empty()
                || own == above
                || own.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
        };
        let known = self.settings.get(name).map(Vec::as_slice).unwrap_or_default();
        known.iter().filter(|known| known.at.is_some_and(|place| near(place.document))).collect()
    }
}

/// What every file of settings says, by the variable.
pub fn settings(units: &[Unit<'_>]) -> HashMap<String, Vec<Known>> {
    let mut settings: HashMap<String, Vec<Known>> = HashMap::new();
    for unit in units.iter().filter(|unit| unit.kind == Kind::Env) {
        for entry in env::parse_in(&unit.source).entries {
            let at = Place { document: unit.document, span: entry.value_span };
            settings.entry(entry.name).or_default().push(Known { text: entry.value, at: Some(at) });
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;

    #[test]
    fn the_nearest_value_holds() {
        let documents = [
            Document::new("ops/.env", "PGPORT=1\n"),
            Document::new("web/.env", "PGPORT=9\n"),
            Document::new("ops/db/a.sh", "PGPORT=2\nPGPORT=3 pg_dump a\npg_dump b\nPGPORT=4\npsql c -f d\n"),
        ];
        let set = Set::of(&documents);
        let port = |index: usize| {
            set.variable(&set.commands[index], "PGPORT").map(|known| known.text).unwrap_or_default()
        };
        assert_eq!([port(0), port(1), port(2)], ["3", "2", "4"]);
        let settings = set.settings(&set.commands[0], "PGPORT");
        assert_eq!(settings.iter().map(|known| known.text.as_str()).collect::<Vec<_>>(), ["1"]);
        assert_eq!(set.variable(&set.commands[0], "PGHOST"), None);
    }
}
