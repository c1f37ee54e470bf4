//! A Compose file as a typed view over its YAML tree: what its services run, and
//! with which variables, files and folders.

use super::source::{Builder, Source};
use super::yaml::{Node, Value};
use crate::path;

const SHELLS: [&str; 5] = ["sh", "bash", "ash", "dash", "zsh"];

#[derive(Debug, Clone)]
pub struct Service<'n> {
    pub name: &'n str,
    pub node: &'n Node,
    pub image: Option<&'n Node>,
    pub entrypoint: Option<&'n Node>,
    pub command: Option<&'n Node>,
    pub healthcheck: Option<&'n Node>,
    pub environment: Vec<Variable<'n>>,
    pub env_files: Vec<&'n Node>,
    pub volumes: Vec<Volume<'n>>,
    pub restart: Option<&'n Node>,
}

/// `NAME: value`, `NAME=value` or `NAME` alone, which takes the caller's value.
#[derive(Debug, Clone, Copy)]
pub struct Variable<'n> {
    pub name: &'n str,
    pub value: Option<&'n str>,
    /// The scalar that holds the value; of a list, name and value.
    pub node: &'n Node,
}

#[derive(Debug, Clone, Copy)]
pub struct Volume<'n> {
    pub node: &'n Node,
    /// A folder of the host or a volume's name; None for an anonymous one.
    pub source: Option<&'n str>,
    pub target: &'n str,
    pub read_only: bool,
}

/// None where the tree has no `services`.
pub fn view(root: &Node) -> Option<Vec<Service<'_>>> {
    let services = root.get("services").filter(|node| matches!(node.value, Value::Mapping(_)))?;
    let service = |entry: &'_ super::yaml::Entry| entry.value.entries().is_empty();
    if services.entries().iter().all(service) {
        return None;
    }
    Some(services.entries().iter().filter_map(|entry| Some(of(entry.key.text()?, &entry.value))).collect())
}

fn of<'n>(name: &'n str, node: &'n Node) -> Service<'n> {
    let env_files = node.get("env_file").map(|files| {
        let path = |file: &'n Node| file.get("path").or_else(|| file.as_scalar().map(|_| file));
        files.one_or_many().filter_map(path).collect()
    });
    Service {
        name,
        node,
        image: node.get("image"),
        entrypoint: node.get("entrypoint"),
        command: node.get("command"),
        healthcheck: node.path(&["healthcheck", "test"]),
        environment: node.get("environment").map(variables).unwrap_or_default(),
        env_files: env_files.unwrap_or_default(),
        volumes: node
            .get("volumes")
            .map(|all| all.items().iter().filter_map(volume).collect())
            .unwrap_or_default(),
        restart: node.get("restart"),
    }
}

fn variables(node: &Node) -> Vec<Variable<'_>> {
    let mapped = node.entries().iter().filter_map(|entry| {
        Some(Variable { name: entry.key.text()?, value: entry.value.text(), node: &entry.value })
    });
    let listed = node.items().iter().filter_map(|node| {
        let text = node.text()?;
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        Some(Variable { name, value, node })
    });
    mapped.chain(listed).collect()
}

fn volume(node: &Node) -> Option<Volume<'_>> {
    if let Some(target) = node.get("target") {
        return Some(Volume {
            node,
            source: node.get("source").and_then(Node::text),
            target: target.text()?,
            read_only: node.get("read_only").and_then(Node::text) == Some("true"),
        });
    }
    let text = node.text()?;
    let (rest, read_only) = match text.rsplit_once(':') {
        Some((rest, mode))
            if mode.split(',').any(|mode| matches!(mode, "ro" | "rw" | "z" | "Z" | "cached")) =>
        {
            (rest, mode.split(',').any(|mode| mode == "ro"))
        }
        _ => (text, false),
    };
    Some(match rest.rsplit_once(':') {
        Some((source, target)) => Volume { node, source: Some(source), target, read_only },
        None => Volume { node, source: None, target: rest, read_only },
    })
}

impl Service<'_> {
    /// What the container runs, as a shell reads it; `document` is the text that was
    /// parsed. An entrypoint that is a shell with `-c` takes the command as its script.
    pub fn script(&self, document: &str) -> Option<Source<'static>> {
        let arguments = |node: Option<&Node>| -> Vec<Source<'static>> {
            let nodes = node.into_iter().flat_map(Node::one_or_many);
            nodes.map(|node| unescaped(&node.source(document))).collect()
        };
        let (entrypoint, command) = (arguments(self.entrypoint), arguments(self.command));
        // A text is split into words, a list is taken as it is.
        let is_list = |node: Option<&Node>| node.is_some_and(|node| matches!(node.value, Value::Sequence(_)));
        let runs_shell = |words: &[Source<'_>]| {
            words.first().is_some_and(|first| {
                let mut words = first.text().split_whitespace();
                let name = words.next().unwrap_or_default();
                SHELLS.contains(&path::name(name))
            })
        };
        let mut all = entrypoint;
        let list = is_list(self.entrypoint) || (self.entrypoint.is_none() && is_list(self.command));
        all.extend(command);
        if list && runs_shell(&all) {
            let option = all.iter().position(|word| {
                word.text().starts_with('-') && !word.text().starts_with("--") && word.text().ends_with('c')
            })?;
            return all.into_iter().nth(option + 1);
        }
        let mut builder = Builder::default();
        for (index, word) in all.iter().enumerate() {
            if index > 0 {
                builder.push_for(" ", word.span(0, 0));
            }
            builder.push_source(word);
        }
        (!all.is_empty()).then(|| builder.finish())
    }
}

/// Compose takes `$$` for a dollar that it leaves to the container.
fn unescaped(source: &Source<'_>) -> Source<'static> {
    let text = source.text();
    let mut builder = Builder::default();
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find("$$")) {
        builder.push_range(source, from, from + found + 1);
        from += found + 2;
    }
    builder.push_range(source, from, text.len());
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{shell, yaml};

    const COMPOSE: &str = r#"services:
  db:
    image: postgres:17
    environment:
      POSTGRES_PASSWORD: secret
      EMPTY:
    volumes:
      - data:/var/lib/postgresql/data
      - ./init:/init:ro
      - /anonymous
      - {type: bind, source: /b, target: /backups, read_only: true}
    restart: always
  backup:
    image: postgres:17
    env_file: [.env, {path: more.env}]
    environment: [PGHOST=db, INHERITED]
    entrypoint: ["/bin/sh", "-c"]
    command:
      - |
        while true; do
          pg_dump > /backups/$$(date +%F).sql
        done
  list:
    command: ["sh", "-ec", "pg_dump $$DB | gzip"]
  line:
    command: sh -c "pg_dump db"
  words:
    command: [pg_dump, db]
  none:
    image: x
"#;

    #[test]
    fn services_are_seen_through() {
        let documents = yaml::parse(COMPOSE).unwrap();
        let services = view(&documents[0]).unwrap();
        let [db, backup, ..] = services.as_slice() else { panic!("services") };
        let variables = |service: &Service<'_>| {
            service
                .environment
                .iter()
                .map(|v| format!("{}={}", v.name, v.value.unwrap_or("-")))
                .collect::<Vec<_>>()
        };
        assert_eq!(variables(db), ["POSTGRES_PASSWORD=secret", "EMPTY="]);
        assert_eq!(variables(backup), ["PGHOST=db", "INHERITED=-"]);
        let volumes: Vec<_> =
            db.volumes.iter().map(|v| (v.source.unwrap_or("-"), v.target, v.read_only)).collect();
        assert_eq!(
            volumes,
            [
                ("data", "/var/lib/postgresql/data", false),
                ("./init", "/init", true),
                ("-", "/anonymous", false),
                ("/b", "/backups", true),
            ]
        );
        assert_eq!(
            backup.env_files.iter().filter_map(|node| node.text()).collect::<Vec<_>>(),
            [".env", "more.env"]
        );
        assert_eq!(db.restart.unwrap().text(), Some("always"));
    }

    #[test]
    fn what_a_container_runs_is_a_script() {
        let documents = yaml::parse(COMPOSE).unwrap();
        let services = view(&documents[0]).unwrap();
        let script = |name: &str| {
            let service = services.iter().find(|service| service.name == name).unwrap();
            service.script(COMPOSE).map(|source| source.text().to_owned())
        };
        assert_eq!(script("backup").unwrap().lines().nth(1), Some("  pg_dump > /backups/$(date +%F).sql"));
        assert_eq!(script("list").as_deref(), Some("pg_dump $DB | gzip"));
        assert_eq!(script("line").as_deref(), Some("sh -c \"pg_dump db\""));
        assert_eq!(script("words").as_deref(), Some("pg_dump db"));
        assert_eq!(script("none"), None);
    }

    #[test]
    fn its_commands_lie_at_their_bytes() {
        let documents = yaml::parse(COMPOSE).unwrap();
        let services = view(&documents[0]).unwrap();
        let script = shell::parse_in(&services[1].script(COMPOSE).unwrap());
        let runs = script.commands(shell::Flags::default());
        let date = runs.iter().find(|run| run.simple.name().as_deref() == Some("date")).unwrap();
        assert_eq!(&COMPOSE[date.command.span.start..date.command.span.end], "date +%F");
    }

    #[test]
    fn what_has_no_services_is_no_compose_file() {
        for text in ["a: 1", "services: []", "services: {a: x}", "services:"] {
            assert!(view(&yaml::parse(text).unwrap()[0]).is_none(), "{text}");
        }
    }
}
