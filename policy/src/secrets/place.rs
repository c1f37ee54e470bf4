//! What kind of file a text is from: it decides whether a word without quotes can
//! be a literal (`password = x` is one in an .env file and none in TypeScript).

use crate::document::{Document, Kind};
use crate::path;

/// Where a text comes from, as far as it changes what is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    pub syntax: Syntax,
    /// A CI definition: its service containers live as long as a job.
    pub ci: bool,
    /// A test or its data: keys and passwords there were made for it.
    pub test: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Syntax {
    /// Shell, .env, YAML, SQL, ini and whatever is not known: bare words are literals.
    #[default]
    Config,
    /// A programming language: literals have quotes.
    Code,
    /// Running text with examples in it.
    Prose,
    /// libpq's password file: every line is one.
    Pgpass,
    /// PgBouncer's users: `"name" "password"`, line by line.
    Userlist,
}

const CODE: &[&str] = &[
    "astro", "c", "cc", "cjs", "clj", "cpp", "cs", "css", "cts", "cxx", "dart", "elm", "erl", "ex", "exs",
    "fs", "go", "gradle", "groovy", "h", "hpp", "hs", "java", "jl", "js", "jsx", "kt", "kts", "lua", "m",
    "mjs", "ml", "mm", "mts", "nim", "php", "pl", "pm", "py", "r", "rb", "rs", "scala", "scss", "svelte",
    "swift", "ts", "tsx", "vb", "vim", "vue", "zig",
];
const PROSE: &[&str] = &["adoc", "htm", "html", "markdown", "md", "mdx", "org", "rst", "txt"];

impl Place {
    /// Judges by the kind, which somebody may have chosen, and by the path where that says more.
    pub fn of_document(document: &Document) -> Self {
        let place = Self::of(&document.path);
        let syntax = match document.kind {
            Kind::Pgpass => Syntax::Pgpass,
            Kind::TypeScript | Kind::Drizzle => Syntax::Code,
            // Most languages are `Text`, and what looks like Markdown may be YAML with comments.
            Kind::Text | Kind::Markdown => place.syntax,
            _ => Syntax::Config,
        };
        Self { syntax, ci: place.ci || document.kind == Kind::Workflow, ..place }
    }

    /// Judges by the path alone.
    pub fn of(path: &str) -> Self {
        let path = path.replace('\\', "/").to_ascii_lowercase();
        let name = path::name(&path);
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let syntax = if matches!(name, ".pgpass" | "pgpass.conf") || extension == "pgpass" {
            Syntax::Pgpass
        } else if name == "userlist.txt" {
            Syntax::Userlist
        } else if CODE.contains(&extension) || name == "jenkinsfile" {
            Syntax::Code
        } else if PROSE.contains(&extension) {
            Syntax::Prose
        } else {
            Syntax::Config
        };
        let ci = [".github/workflows/", ".circleci/", ".buildkite/", ".woodpecker/"]
            .iter()
            .any(|folder| path.contains(folder))
            || [".gitlab-ci", "azure-pipelines", "bitbucket-pipelines", "jenkinsfile", ".drone.", ".travis."]
                .iter()
                .any(|start| name.starts_with(start));
        Self { syntax, ci, test: is_test(&path, name) }
    }
}

fn is_test(path: &str, name: &str) -> bool {
    const FOLDERS: &[&str] = &[
        "__mocks__",
        "__tests__",
        "e2e",
        "fixtures",
        "mocks",
        "spec",
        "specs",
        "test",
        "test-data",
        "test_data",
        "testcases",
        "testdata",
        "testing",
        "tests",
    ];
    let folder = path.split('/').any(|part| part != name && FOLDERS.contains(&part));
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    folder
        || name.starts_with("test_")
        || ["_test", ".test", ".spec", "_spec", "_tests"].iter().any(|end| stem.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_which_syntax_it_is() {
        for (path, syntax, ci, test) in [
            ("/home/ada/.pgpass", Syntax::Pgpass, false, false),
            ("deploy/prod.env", Syntax::Config, false, false),
            ("drizzle.config.TS", Syntax::Code, false, false),
            ("docs/backup.md", Syntax::Prose, false, false),
            (".github/workflows/ci.yml", Syntax::Config, true, false),
            (".gitlab-ci.yml", Syntax::Config, true, false),
            ("Makefile", Syntax::Config, false, false),
            ("test", Syntax::Config, false, false),
            ("src/tests/key.pem", Syntax::Config, false, true),
            ("src/login_test.go", Syntax::Code, false, true),
            ("latest/backup.sh", Syntax::Config, false, false),
        ] {
            assert_eq!(Place::of(path), Place { syntax, ci, test }, "{path}");
        }
    }

    #[test]
    fn a_kind_counts_more_than_a_path() {
        for (path, kind, syntax, ci) in [
            ("untitled", Kind::Pgpass, Syntax::Pgpass, false),
            ("untitled", Kind::TypeScript, Syntax::Code, false),
            ("untitled", Kind::Workflow, Syntax::Config, true),
            ("README", Kind::Markdown, Syntax::Config, false),
            ("docs/backup.md", Kind::Markdown, Syntax::Prose, false),
            (".pgpass", Kind::Shell, Syntax::Config, false),
            ("backup.py", Kind::Text, Syntax::Code, false),
            (".github/workflows/ci.yml", Kind::Text, Syntax::Config, true),
        ] {
            let place = Place::of_document(&Document { kind, ..Document::new(path, "") });
            assert_eq!(place, Place { syntax, ci, test: false }, "{path} as {}", kind.as_str());
        }
    }
}
