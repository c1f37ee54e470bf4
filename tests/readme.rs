//! The texts of the tree are true: README's commands run as they are printed,
//! its configuration passes the check, its tables name every command and every
//! dependency; ARCHITECTURE's directions are those of the code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use backstop::commands::Cli;
use backstop::postgres::tools::ClientTools;
use clap::CommandFactory;

use crate::support::cluster::Server;
use crate::support::command::backstop;
use crate::support::sealing::{Keys, Sealing};
use crate::support::tools;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|cause| panic!("{path}: {cause}"))
}

/// What stands below a heading, up to the next of its rank.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let (_, below) =
        text.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no '{heading}'"));
    below.split("\n## ").next().unwrap()
}

/// The fenced blocks of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    text.split(opening.as_str()).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}

/// The words in backticks of a table's first column.
fn first_column(table: &str) -> BTreeSet<&str> {
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2)).collect()
}

#[test]
fn the_configuration_of_the_readme_passes_the_check() {
    let readme = read("README.md");
    let found = blocks(section(&readme, "Configuration"), "yaml");
    assert_eq!(found.len(), 1);
    let said = backstop(["config", "check"]).file("backstop.yml", found[0]).run().ended(0);
    assert_eq!(said.stderr, "backstop.yml: no errors\n");
}

#[test]
fn the_readme_names_every_command() {
    let readme = read("README.md");
    let expected: BTreeSet<String> =
        Cli::command().get_subcommands().map(|command| format!("backstop {}", command.get_name())).collect();
    let commands = section(&readme, "Commands");
    let commands = commands.split("\n\n").next().unwrap_or_default();
    let named: BTreeSet<String> = first_column(commands).into_iter().map(str::to_owned).collect();
    assert_eq!(named, expected);
}

#[test]
fn the_readme_gives_a_reason_for_every_dependency_and_for_no_other() {
    let mut expected = BTreeSet::new();
    for manifest in
        ["cli", "policy", "wasm", "wasm/bindgen"].map(|folder| read(&format!("{folder}/Cargo.toml")))
    {
        let mut among_dependencies = false;
        for line in manifest.lines() {
            if line.starts_with('[') {
                among_dependencies = line.ends_with("dependencies]");
            } else if let Some(name) = line.split([' ', '.', '=']).next().filter(|_| among_dependencies) {
                expected.insert(name.to_owned());
            }
        }
    }
    let page: serde_json::Value = serde_json::from_str(&read("wasm/package.json")).unwrap();
    expected.extend(page["devDependencies"].as_object().unwrap().keys().cloned());
    expected.retain(|name| !name.is_empty() && !name.starts_with('#') && name != "backstop-policy");
    for name in ["granit-parser", "nix", "wasm-bindgen-cli-support", "esbuild"] {
        assert!(expected.contains(name), "{expected:?}");
    }
    let readme = read("README.md");
    let table = section(&readme, "Dependencies");
    let named: BTreeSet<String> = first_column(table).into_iter().map(str::to_owned).collect();
    assert_eq!(named, expected);
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert!(cells.len() == 3 && cells.iter().all(|cell| !cell.is_empty()), "{row}");
    }
}

#[test]
fn every_path_and_link_that_the_texts_name_is_there() {
    for text in ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md"] {
        let content = read(text);
        let prose: String = content.split("```").step_by(2).collect();
        let linked = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let quoted = prose.split('`').skip(1).step_by(2).filter(|word| {
            let places = [
                "cli/",
                "policy/",
                "wasm/",
                "tests/",
                "scripts/",
                "examples/",
                "./scripts/",
                ".github/",
                ".ci/",
            ];
            places.iter().any(|place| word.starts_with(place)) && !word.contains(['<', '*', ' '])
        });
        for path in linked.filter(|link| !link.contains("://")).chain(quoted) {
            let path = path.split(['#', ':']).next().unwrap();
            assert!(root().join(path).exists(), "{text} names '{path}'");
        }
    }
}

/// The rooms of cli/src that each room uses outside its tests.
fn directions() -> BTreeMap<String, BTreeSet<String>> {
    fn files(at: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(at).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                files(&entry, found);
            } else if entry.extension().is_some_and(|end| end == "rs") {
                found.push(entry);
            }
        }
    }
    let source = root().join("cli/src");
    let mut paths = Vec::new();
    files(&source, &mut paths);
    let texts: BTreeMap<_, _> =
        paths.into_iter().map(|path| (path.clone(), fs::read_to_string(&path).unwrap())).collect();

    // Modules that only the tests have, wherever they are declared.
    let mut of_tests = BTreeSet::new();
    for (path, text) in &texts {
        let folder = match path.file_name().unwrap().to_str().unwrap() {
            "mod.rs" | "lib.rs" => path.parent().unwrap().to_owned(),
            _ => path.with_extension(""),
        };
        for rest in text.split("#[cfg(test)]\nmod ").skip(1) {
            if let Some((name, _)) = rest.split_once(';').filter(|(name, _)| !name.contains([' ', '\n'])) {
                of_tests.extend([folder.join(name), folder.join(format!("{name}.rs"))]);
            }
        }
    }

    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in &texts {
        if of_tests.iter().any(|test| path.starts_with(test)) {
            continue;
        }
        let room = path.strip_prefix(&source).unwrap().components().next().unwrap();
        let room = room.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let used = found.entry(room.clone()).or_default();
        for rest in code.split("crate::").skip(1) {
            let names = match rest.strip_prefix('{') {
                // One level is enough: a brace inside names what lies in a room.
                Some(list) => list.split("};").next().unwrap().split(", ").map(str::trim).collect(),
                None => vec![rest],
            };
            for name in names {
                let name = name.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap();
                if name != room
                    && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
                    && !name.is_empty()
                {
                    used.insert(name.to_owned());
                }
            }
        }
    }
    found.retain(|room, _| !matches!(room.as_str(), "main" | "lib"));
    let rooms: BTreeSet<String> = found.keys().cloned().collect();
    for used in found.values_mut() {
        used.retain(|name| rooms.contains(name));
    }
    found
}

#[test]
fn the_directions_between_the_rooms_are_those_of_the_code() {
    let text = read("ARCHITECTURE.md");
    let mut written = BTreeMap::new();
    for row in section(&text, "Rooms and directions").lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.trim_matches('|').split('|').collect();
        let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        for room in words(cells[0]) {
            written.insert(room, words(cells[2]).into_iter().collect::<BTreeSet<_>>());
        }
    }
    let code = directions();
    let show = |rooms: &BTreeMap<String, BTreeSet<String>>| {
        let line = |(room, uses): (&String, &BTreeSet<String>)| {
            format!("{room}: {}", uses.iter().map(String::as_str).collect::<Vec<_>>().join(" "))
        };
        rooms.iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(show(&written), show(&code));
}

/// Each in a repository of its own: it works, whatever it finds.
#[test]
fn every_lint_command_of_the_readme_runs() {
    let readme = read("README.md");
    let below = section(&readme, "Lint what you have");
    let [commands] = blocks(below, "sh")[..] else { panic!("one block is expected") };
    // The example is what is printed, the lines above it included.
    let example = below.split("```\n").find(|block| block.starts_with("backup.sh:2:1:")).unwrap();
    for command in commands.lines() {
        let run = backstop(["--version"])
            .file("backup.sh", "#!/bin/bash\npg_dump \"$DATABASE_URL\" | gzip > shop.sql.gz\n")
            .file("crontab", "0 2 * * * /opt/backup.sh\n");
        let script = format!(
            "set -eu
             git init --quiet --initial-branch=main; mkdir docs .github; echo '# Backups' > docs/BACKUP.md
             git add --all
             git -c user.name=a -c user.email=a@example commit --quiet --message x
             crontab() {{ cat crontab; }}
             backstop lint --select dump --format json > known.json || true
             {command}"
        );
        let said = run.shell(&script);
        assert!(matches!(said.status, Some(0 | 1)), "{command}\n{}\n{}", said.stdout, said.stderr);
        if command.starts_with("backstop lint  ") {
            assert!(said.stdout.contains(example.trim_end()), "{}", said.stdout);
        }
    }
}

/// What the demo ends with is a part of what the next test runs.
#[test]
fn the_demo_ends_with_the_readmes_commands() {
    let readme = read("README.md");
    let commands = |text: &str| {
        text.lines().map(|line| line.split(" #").next().unwrap().trim().to_owned()).collect::<Vec<_>>()
    };
    let printed = commands(blocks(section(&readme, "First backup"), "sh")[0]);
    let mut rest = printed.iter();
    for command in commands(backstop::demo::YOURS) {
        assert!(rest.any(|line| *line == command), "{command}\nis not, or not there, in\n{printed:#?}");
    }
}

/// First backup, disaster, and the way back with PostgreSQL's own programs on
/// another server: every command of the README, as it is printed.
#[tokio::test]
async fn the_commands_of_the_readme_work_as_printed() {
    let readme = read("README.md");
    let server = Server::start(15).await;
    server.create_shop("shop", 0.05).await;
    let keys = Keys::new();

    let [first] = blocks(section(&readme, "First backup"), "sh")[..] else { panic!("one block is expected") };
    let (url, first) = first.split_once('\n').unwrap();
    assert!(url.starts_with("export DATABASE_URL='postgresql://USER:PASSWORD@"), "{url}");
    let [by_age, by_gpg] = blocks(section(&readme, "Restore without backstop"), "sh")[..] else {
        panic!("two blocks are expected")
    };
    let printed = "ID=20261121T051846Z-1532b1";
    assert!(by_age.contains(printed));
    // What the store holds, and not what was printed as an example.
    let by_age = by_age.replace(printed, "ID=$(basename *.dump.age .dump.age)");

    let another = Server::start(15).await;
    let client = ClientTools::at(tools::postgres(15)).await.unwrap();
    let script = format!(
        "set -euo pipefail
         mkdir ~/shop; cd ~/shop
         {first}
         cp key.txt ~/key.txt
         export PATH={}:$PATH PGHOST={} PGUSER=postgres
         {by_age}
         psql -qXAt -d shop_again -c 'SELECT count(*) FROM order_items' > ~/rows
         dropdb shop_again
         cd ~/shop; backstop backup --tier migration --store file://$HOME/gpg --recipient {}
         cd ~/gpg/shop/migration; ID=$(basename *.dump.gpg .dump.gpg)
         {by_gpg}
         psql -qXAt -d shop_again -c 'SELECT count(*) FROM order_items' >> ~/rows
         cat ~/rows",
        client.dir.display(),
        another.cluster.socket_dir().display(),
        keys.recipient(Sealing::Openpgp)[1].display(),
    );
    let run = backstop(["--version"])
        .env(
            "DATABASE_URL",
            format!("postgresql://postgres@/shop?host={}", server.cluster.socket_dir().display()),
        )
        .env("GNUPGHOME", keys.gnupg_home());
    let said = run.shell(&script);
    assert_eq!(said.status, Some(0), "{}\n{}", said.stdout, said.stderr);
    assert!(
        said.stdout.contains(".dump.age: OK") && said.stdout.contains(".dump.gpg: OK"),
        "{}",
        said.stdout
    );
    assert!(said.stdout.ends_with("4500\n4500\n"), "{}", said.stdout);
    assert_eq!(
        another.sql("shop_again", "SELECT count(*) FROM pg_policies").await,
        server.sql("shop", "SELECT count(*) FROM pg_policies").await
    );
}
