//! The variables that a command is started with, as far as the documents tell: on its
//! own line, in its script, in what starts the script, in a file of settings.

use std::collections::HashMap;

use crate::document::Kind;
use crate::finding::Place;
use crate::parse::env;
use crate::path;

use super::Set;
use super::command::Command;
use super::script::Script;
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
            let value = self.given(script, name).next_back()??;
            Some(Known { text: value.to_owned(), at: None })
        })
    }

    /// What a script is started with, as far as that is written down: the last holds.
    /// None inside: set to something unknown.
    pub fn given<'s>(
        &'s self,
        script: &'s Script,
        name: &str,
    ) -> impl DoubleEndedIterator<Item = Option<&'s str>> {
        self.environment.values(&script.env, name)
    }

    /// Whether the script gives the variable a value, or is started with it.
    pub fn sets(&self, script: &Script, name: &str) -> bool {
        script.assigned(name).next().is_some() || self.given(script, name).next().is_some()
    }

    /// What files of settings say: those of its document, and `.env` files beside the
    /// script or above it.
    pub fn settings(&self, command: &Command, name: &str) -> Vec<&Known> {
        let folder = |document: usize| {
            let path = self.documents.get(document).map_or("", |document| document.path.as_str());
            path::folder(path)
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

    /// What each dump is given as A.
    fn given(path: &str, text: &str) -> Vec<String> {
        let documents = [Document::new(path, text)];
        let set = Set::of(&documents);
        let dumps = set.commands.iter().filter(|command| command.name.ends_with("pg_dump"));
        let value = |command| set.variable(command, "A").map_or_else(|| "-".to_owned(), |known| known.text);
        dumps.map(value).collect()
    }

    #[test]
    fn a_script_is_started_with_what_is_set_before_it() {
        let crontab = "0 1 * * * pg_dump a\nA=1\n0 2 * * * pg_dump a\nB=0\nA=2\n0 3 * * * pg_dump a\n";
        assert_eq!(given("crontab", crontab), ["-", "1", "2"]);
        let service = "[Unit]\n[Service]\nEnvironment=A=1 B=2 \"A=3\"\nExecStart=/bin/pg_dump a\nExecStartPre=/bin/pg_dump b\n";
        assert_eq!(given("a.service", service), ["3", "3"]);
    }

    #[test]
    fn of_a_workflow_the_innermost_holds() {
        let hand = "echo \"A=handed\" >> \"$GITHUB_ENV\"";
        let text = format!(
            "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: pg_dump 1\n      - run: {hand}\n      - run: pg_dump 2\n  b:\n    runs-on: x\n    env: {{A: job}}\n    steps:\n      - run: {hand}\n      - run: pg_dump 3\n      - run: pg_dump 4\n        env: {{A: step}}\n"
        );
        assert_eq!(given(".github/workflows/a.yml", &text), ["-", "handed", "job", "step"]);
        let text = format!("env: {{A: all}}\n{text}");
        assert_eq!(given(".github/workflows/a.yml", &text), ["all", "all", "job", "step"]);
    }
}
