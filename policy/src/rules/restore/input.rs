//! What a restore or a check reads: a dump that was followed there, or the file's
//! name with what the pipe before takes off.

use crate::model::{Artifact, Command, Format, Pipeline, Role, Set, Target, Wrap};

/// How the bytes lie that a command gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shape {
    pub encrypted: bool,
    pub packed: bool,
    pub format: Option<Format>,
}

#[derive(Debug, Clone, Default)]
pub struct Input<'s> {
    pub artifact: Option<&'s Artifact>,
    /// The file's name as it comes in; empty where nothing names it.
    pub name: String,
    /// Something was unpacked or decrypted on its way.
    unwrapped: bool,
}

impl<'s> Input<'s> {
    pub fn of(set: &'s Set<'_>, pipeline: &'s Pipeline, index: usize, command: &'s Command) -> Self {
        Self { artifact: pipeline.flow.read(index).next(), ..Self::named(set, command) }
    }

    /// Only what the names say.
    pub fn named(set: &Set<'_>, command: &Command) -> Self {
        let named = match &command.role {
            Role::Restore(restore) => restore.input.as_ref().map(|said| said.text.clone()),
            Role::Probe(probe) => probe.subject.as_ref().map(|said| said.text.clone()),
            _ => None,
        };
        let named = named.or_else(|| command.input().map(|arg| arg.text.clone()));
        let (name, unwrapped) = named.map_or_else(|| piped(set, command), |name| (name, false));
        Self { artifact: None, name, unwrapped }
    }

    /// Told by the artifact, or by the name's suffixes.
    pub fn shape(&self, set: &Set<'_>) -> Shape {
        match self.artifact {
            Some(artifact) => of_artifact(set, artifact),
            None => of_name(&self.name),
        }
    }

    /// One variable and nothing else: any file.
    pub fn is_any(&self) -> bool {
        self.artifact.is_none()
            && self.name.starts_with("${")
            && self.name.find('}') == Some(self.name.len() - 1)
    }

    /// Whether it is a dump, and no migration or seed.
    /// A file of SQL that may be a dump: not one that is called by what else it is.
    pub fn is_sql_file(&self) -> bool {
        const OTHERS: [&str; 10] =
            ["schema", "seed", "migrat", "init", "role", "grant", "fixture", "query", "check", "index"];
        let lower = self.name.to_ascii_lowercase();
        of_name(&lower).format == Some(Format::Plain) && !OTHERS.iter().any(|word| lower.contains(word))
    }

    pub fn is_dump(&self) -> bool {
        const NAMES: [&str; 6] = ["backup", "dump", "restore", "bak", "snapshot", "archive"];
        let lower = self.name.to_ascii_lowercase();
        let shape = of_name(&lower);
        self.artifact.is_some()
            || self.unwrapped
            || NAMES.iter().any(|name| lower.contains(name))
            || shape.packed
            || shape.encrypted
    }
}

/// A developer's own copy, by its name: nobody depends on what comes back there.
pub fn is_development(target: &Target) -> bool {
    const NAMES: [&str; 5] = ["dev", "local", "sandbox", "playground", "demo"];
    target.database.as_ref().is_some_and(|said| {
        let lower = said.text.to_ascii_lowercase();
        let mut words = lower.split(|c: char| !c.is_ascii_alphanumeric());
        !lower.contains("://") && words.any(|word| NAMES.contains(&word) || word == "development")
    })
}

pub fn of_artifact(set: &Set<'_>, artifact: &Artifact) -> Shape {
    // pg_dump -Z writes plain SQL through gzip by itself.
    let by_itself = artifact.made_by == artifact.dump
        && artifact.format == Format::Plain
        && set
            .commands
            .get(artifact.dump)
            .is_some_and(|command| matches!(&command.role, Role::Dump(dump) if dump.is_compressed()));
    Shape {
        encrypted: artifact.is_encrypted(),
        packed: by_itself || artifact.wraps.iter().any(|wrap| matches!(wrap, Wrap::Packed(_))),
        format: Some(artifact.format),
    }
}

const PACKED: [&str; 9] = [".gz", ".tgz", ".zst", ".xz", ".bz2", ".lz4", ".zip", ".7z", ".lzo"];
const ENCRYPTED: [&str; 6] = [".gpg", ".age", ".enc", ".asc", ".aes", ".pgp"];

pub fn of_name(name: &str) -> Shape {
    let mut shape = Shape::default();
    let mut rest = name;
    loop {
        if let Some(inner) = ENCRYPTED.iter().find_map(|suffix| rest.strip_suffix(suffix)) {
            shape.encrypted = true;
            rest = inner;
        } else if let Some(inner) = PACKED.iter().find_map(|suffix| rest.strip_suffix(suffix)) {
            shape.packed = true;
            rest = inner;
        } else {
            break;
        }
    }
    shape.format = match rest.rsplit_once('.').map(|(_, suffix)| suffix) {
        Some("sql" | "psql" | "pgsql") => Some(Format::Plain),
        Some("dump" | "custom" | "pgdump" | "backup") => Some(Format::Custom),
        Some("tar") => Some(Format::Tar),
        _ => None,
    };
    shape
}

/// Programs that are looked at before one in a pipe.
const BEFORE: usize = 8;

/// The name of what comes by the pipe: `gunzip -c a.sql.gz |` hands on `a.sql`.
fn piped(set: &Set<'_>, command: &Command) -> (String, bool) {
    let (mut name, mut unwrapped) = (String::new(), false);
    if command.pipe.index == 0 {
        return (name, unwrapped);
    }
    let pipe = set.script_of(command).map(|script| set.commands_in(script, command.pipe.span));
    let is_before = |other: &&Command| {
        other.pipe.span == command.pipe.span
            && other.pipe.index < command.pipe.index
            && command.pipe.index - other.pipe.index <= BEFORE
    };
    let before = pipe.unwrap_or_default().iter().filter(is_before);
    for other in before {
        let (input, unpacks, decrypts) = match &other.role {
            Role::Transform(transform) => {
                (transform.inputs.first().map(|said| said.text.clone()), transform.unpacks, false)
            }
            Role::Decrypt(cipher) => (cipher.input.as_ref().map(|said| said.text.clone()), false, true),
            Role::Download(transfer) => {
                (transfer.sources.first().map(|source| source.name().to_owned()), false, false)
            }
            _ => (
                other.args.iter().find(|arg| !arg.text.starts_with('-')).map(|arg| arg.text.clone()),
                false,
                false,
            ),
        };
        if let Some(input) = input.or_else(|| other.input().map(|arg| arg.text.clone()))
            && (name.is_empty() || !matches!(other.role, Role::Other | Role::Print))
        {
            name = input;
        }
        unwrapped |= unpacks || decrypts;
        let taken = |suffixes: &[&str]| {
            suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).map(str::to_owned)
        };
        let next = if unpacks {
            taken(&PACKED)
        } else if decrypts {
            taken(&ENCRYPTED)
        } else {
            None
        };
        name = next.unwrap_or(name);
    }
    (name, unwrapped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_what_is_around_a_dump() {
        let told = |name: &str| {
            let shape = of_name(name);
            (shape.encrypted, shape.packed, shape.format)
        };
        assert_eq!(told("a.sql.gz.enc"), (true, true, Some(Format::Plain)));
        assert_eq!(told("s3/a.dump"), (false, false, Some(Format::Custom)));
        assert_eq!(told("${FILE}.gz"), (false, true, None));
        assert_eq!(told("${FILE}"), (false, false, None));
    }

    #[test]
    fn a_developers_copy_is_known_by_its_name() {
        let is = |name: &str| {
            let database = crate::model::Said::from(&crate::model::Arg::of(name));
            is_development(&Target { database: Some(database), ..Target::default() })
        };
        assert!(is("app_dev") && is("${LOCAL_DATABASE}"));
        assert!(!is("devices") && !is("postgres://u@dev/x") && !is("shop"));
    }
}
