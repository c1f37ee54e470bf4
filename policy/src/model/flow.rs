//! A dump on its way: from the command that writes it, through gzip, mv and
//! encryption, to the commands that upload, check or restore it.
//!
//! Files are followed by their names: two arguments that are written the same are
//! the same file. What cannot be followed has no artifact, and a rule that needs
//! one stays silent.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use crate::finding::Span;
use crate::path;

use super::command::{Arg, Command};
use super::location::Location;
use super::role::{CipherTool, Format, Layer, Role, Said};

/// What is around a dump's bytes, from the inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wrap {
    Packed(Layer),
    Encrypted(CipherTool),
}

/// A dump in one state, in one file or pipe.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    /// Index of the command that dumped it, in [`super::Set::commands`].
    pub dump: usize,
    /// Index of the command that made this state of it.
    pub made_by: usize,
    pub format: Format,
    pub wraps: Vec<Wrap>,
    /// Its file; none while it runs through a pipe.
    pub file: Option<Said>,
    /// It is gone: removed, or replaced by gzip.
    pub gone: bool,
}

impl Artifact {
    pub fn is_encrypted(&self) -> bool {
        self.wraps.iter().any(|wrap| matches!(wrap, Wrap::Encrypted(_)))
    }

    /// The compression around the dump, however often.
    pub fn packed(&self) -> impl Iterator<Item = Layer> {
        self.wraps.iter().filter_map(|wrap| match wrap {
            Wrap::Packed(layer) => Some(*layer),
            Wrap::Encrypted(_) => None,
        })
    }
}

/// The dumps of one pipeline.
#[derive(Debug, Clone, Default)]
pub struct Flow {
    /// In the order in which they are made.
    pub artifacts: Vec<Artifact>,
    made: HashMap<usize, usize>,
    read: HashMap<usize, Vec<usize>>,
    /// The latest artifact of a file; what a folder holds stands together.
    files: BTreeMap<String, usize>,
    names: HashMap<String, usize>,
    pipes: HashMap<(usize, Span), usize>,
}

impl Flow {
    /// Follows the commands with these indices, in the order in which they run.
    pub fn of(commands: &[Command], order: impl IntoIterator<Item = usize>) -> Self {
        let mut flow = Self::default();
        for index in order {
            if let Some(command) = commands.get(index) {
                flow.command(index, command, printed_by(commands, index, command));
            }
        }
        flow
    }

    /// What a command writes.
    pub fn made(&self, command: usize) -> Option<&Artifact> {
        self.artifacts.get(*self.made.get(&command)?)
    }

    /// What a command reads.
    pub fn read(&self, command: usize) -> impl Iterator<Item = &Artifact> {
        self.read.get(&command).into_iter().flatten().filter_map(|index| self.artifacts.get(*index))
    }

    /// The artifact in a file: by its path, or by a name that only one has.
    pub fn find(&self, path: &str) -> Option<&Artifact> {
        self.artifacts.get(self.index(path)?)
    }

    fn index(&self, path: &str) -> Option<usize> {
        let path = normal(path);
        if let Some(index) = self.files.get(path) {
            return Some(*index);
        }
        if path.contains(['*', '?']) {
            return self
                .artifacts
                .iter()
                .rposition(|it| it.file.as_ref().is_some_and(|file| glob(path, normal(&file.text))));
        }
        let folder = path.strip_suffix('/').unwrap_or(path);
        if !folder.is_empty()
            && folder != "."
            && let Some(latest) = self.inside(folder)
        {
            return Some(latest);
        }
        let name = path::name(path);
        self.names.get(name).filter(|_| name.len() > 2).copied()
    }

    /// The latest artifact in a folder.
    fn inside(&self, folder: &str) -> Option<usize> {
        let from = format!("{folder}/");
        let files = self.files.range::<str, _>((Bound::Included(from.as_str()), Bound::Unbounded));
        files.take_while(|(path, _)| path.starts_with(&from)).map(|(_, index)| *index).max()
    }

    /// `command` prints it, where it goes into a pipe.
    fn push(&mut self, artifact: Artifact, index: usize, command: &Command) {
        let at = self.artifacts.len();
        match &artifact.file {
            Some(file) => {
                let path = normal(&file.text);
                self.names.insert(path::name(path).to_owned(), at);
                self.files.insert(path.to_owned(), at);
            }
            None => {
                self.pipes.insert((command.script, command.pipe.span), at);
            }
        }
        self.made.insert(index, at);
        self.artifacts.push(artifact);
    }

    fn reads(&mut self, index: usize, artifact: usize) {
        self.read.entry(index).or_default().push(artifact);
    }

    /// What comes to a command that names no file: the pipe, or `<`.
    fn input(&self, command: &Command) -> Option<usize> {
        if let Some(file) = command.input() {
            return self.index(&file.text);
        }
        (command.pipe.index > 0)
            .then(|| self.pipes.get(&(command.script, command.pipe.span)).copied())
            .flatten()
    }

    /// `printer`: whose output the command's own one is.
    fn command(&mut self, index: usize, command: &Command, printer: &Command) {
        let redirected = || command.output(1).map(Said::from);
        match &command.role {
            Role::Dump(dump) => {
                let file = dump.file.clone().or_else(|| printer.output(1).map(Said::from));
                let artifact = Artifact {
                    dump: index,
                    made_by: index,
                    format: dump.format,
                    wraps: Vec::new(),
                    file,
                    gone: false,
                };
                self.push(artifact, index, printer);
            }
            Role::Transform(transform) => {
                let inputs = self.inputs(&transform.inputs, command);
                for input in inputs {
                    self.reads(index, input);
                    let Some(from) = self.artifacts.get(input).cloned() else { continue };
                    let mut wraps = from.wraps.clone();
                    if transform.unpacks {
                        for layer in transform.layers.iter().rev() {
                            if wraps.last() == Some(&Wrap::Packed(*layer)) {
                                wraps.pop();
                            }
                        }
                    } else {
                        wraps.extend(transform.layers.iter().map(|layer| Wrap::Packed(*layer)));
                    }
                    let file = moved(transform, &from).or_else(redirected);
                    if let Some(from) = self.artifacts.get_mut(input) {
                        from.gone |= transform.consumes && from.file.is_some();
                    }
                    self.push(Artifact { made_by: index, wraps, file, gone: false, ..from }, index, command);
                }
            }
            Role::Encrypt(cipher) | Role::Decrypt(cipher) => {
                let named: Vec<Said> = cipher.input.iter().cloned().collect();
                for input in self.inputs(&named, command) {
                    self.reads(index, input);
                    let Some(from) = self.artifacts.get(input).cloned() else { continue };
                    let mut wraps = from.wraps.clone();
                    if matches!(command.role, Role::Encrypt(_)) {
                        wraps.push(Wrap::Encrypted(cipher.tool));
                    } else if matches!(wraps.last(), Some(Wrap::Encrypted(_))) {
                        wraps.pop();
                    }
                    let file = cipher.output.clone().or_else(redirected);
                    self.push(Artifact { made_by: index, wraps, file, gone: false, ..from }, index, command);
                }
            }
            Role::Upload(transfer) | Role::RemoteCopy(transfer) => {
                let sources: Vec<Said> = transfer.sources.iter().map(of_location).collect();
                for input in self.inputs(&sources, command) {
                    self.reads(index, input);
                }
            }
            Role::Restore(restore) => {
                let named: Vec<Said> = restore.input.iter().cloned().collect();
                for input in self.inputs(&named, command) {
                    self.reads(index, input);
                }
            }
            Role::Probe(check) => {
                let named: Vec<Said> = check.subject.iter().cloned().collect();
                for input in self.inputs(&named, command) {
                    self.reads(index, input);
                }
            }
            Role::Delete(delete) => {
                for target in &delete.targets {
                    if let Some(found) = self.files.get(normal(&target.key)).copied() {
                        self.reads(index, found);
                        if let Some(artifact) = self.artifacts.get_mut(found) {
                            artifact.gone |= delete.age.is_none();
                        }
                    }
                }
            }
            Role::Digest | Role::Other | Role::Print | Role::Notify(_) | Role::Download(_) => {
                self.other(index, command);
            }
        }
    }

    /// Programs that pass on what they read, such as `pv`, `tee` and a filter.
    fn other(&mut self, index: usize, command: &Command) {
        let named: Vec<Said> =
            command.args.iter().filter(|arg| !arg.text.starts_with('-')).map(Said::from).collect();
        if matches!(command.role, Role::Digest) {
            for input in self.inputs(&named, command) {
                self.reads(index, input);
            }
            return;
        }
        let Some(input) = self.input(command) else { return };
        let Some(from) = self.artifacts.get(input).cloned() else { return };
        let file = match command.name.as_str() {
            "tee" => named.first().cloned().or_else(|| command.output(1).map(Said::from)),
            "dd" => command.args.iter().find_map(|arg| {
                let path = arg.text.strip_prefix("of=")?;
                Some(Said { text: path.to_owned(), arg: arg.clone() })
            }),
            "pv" | "sed" | "grep" | "awk" | "mbuffer" | "buffer" | "tr" | "split" | "cat" => {
                command.output(1).map(Said::from)
            }
            _ => return,
        };
        self.reads(index, input);
        self.push(Artifact { made_by: index, file, gone: false, ..from }, index, command);
    }

    /// The artifacts of the files that are named; of the pipe where none is.
    fn inputs(&self, named: &[Said], command: &Command) -> Vec<usize> {
        if named.iter().all(|said| said.text == "-" || said.text.is_empty() || said.text == "/dev/stdin") {
            return self.input(command).into_iter().collect();
        }
        let mut found: Vec<usize> = named.iter().filter_map(|said| self.index(&said.text)).collect();
        found.dedup();
        found
    }
}

/// Commands before one among which that is looked for which runs it.
const AROUND: usize = 256;

/// `docker exec db sh -c 'pg_dump shop' > file`, `ssh host pg_dump | gzip`: what a dump
/// in the script of another command prints, that one prints.
fn printed_by<'c>(commands: &'c [Command], index: usize, command: &'c Command) -> &'c Command {
    let is_inner = matches!(command.role, Role::Dump(_))
        && command.nesting.inline.is_some()
        && command.output(1).is_none()
        && !command.pipes();
    if !is_inner {
        return command;
    }
    let span = command.at.span;
    // Sorted by their beginnings: those around it come before it.
    let before = commands.get(..index).into_iter().flatten().rev().take(AROUND);
    let mut around = before.take_while(|other| other.script == command.script).filter(|other| {
        other.at.span.start <= span.start && span.end <= other.at.span.end && other.at != command.at
    });
    around.find(|other| other.output(1).is_some() || other.pipes()).unwrap_or(command)
}

fn moved(transform: &super::role::Transform, from: &Artifact) -> Option<Said> {
    let output = transform.output.clone()?;
    // Into a folder it keeps its name.
    if transform.layers.is_empty()
        && (output.text.ends_with('/') || transform.inputs.len() > 1)
        && let Some(name) = from.file.as_ref().map(|file| path::name(&file.text))
    {
        let folder = output.text.trim_end_matches('/');
        return Some(Said { text: format!("{folder}/{name}"), arg: output.arg });
    }
    Some(output)
}

fn of_location(location: &Location) -> Said {
    Said { text: location.key.clone(), arg: location.arg.clone() }
}

/// One spelling of a path.
fn normal(path: &str) -> &str {
    let mut path = path;
    for prefix in ["./", "${PWD}/", "$(pwd)/", "${{ github.workspace }}/", "${GITHUB_WORKSPACE}/"] {
        path = path.strip_prefix(prefix).unwrap_or(path);
    }
    path
}

/// `*` and `?` as in a shell, without folders: both sides may hold variables.
pub fn glob(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<char>, Vec<char>) = (pattern.chars().collect(), path.chars().collect());
    let (mut at, mut in_path) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while in_path < path.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, in_path));
                at += 1;
            }
            Some(letter) if *letter == '?' || path.get(in_path) == Some(letter) => {
                at += 1;
                in_path += 1;
            }
            _ => match star {
                Some((behind, from)) => {
                    at = behind + 1;
                    in_path = from + 1;
                    star = Some((behind, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|letter| *letter == '*')
}

/// The argument that a file or a redirection is written in.
pub fn written(artifact: &Artifact) -> Option<&Arg> {
    artifact.file.as_ref().map(|said| &said.arg)
}

#[cfg(test)]
mod tests {
    use crate::document::Document;
    use crate::model::Set;

    /// Every file that a dump of the script is in.
    fn files(text: &str) -> Vec<String> {
        let documents = [Document::new("backup.sh", text)];
        let set = Set::of(&documents);
        let artifacts = set.pipelines.iter().flat_map(|pipeline| &pipeline.flow.artifacts);
        artifacts.filter_map(|artifact| Some(artifact.file.as_ref()?.text.clone())).collect()
    }

    #[test]
    fn what_a_shell_elsewhere_prints_is_followed() {
        assert_eq!(files("docker exec db sh -c 'pg_dump shop' > a.sql\n"), ["a.sql"]);
        assert_eq!(files("ssh host 'pg_dump shop' | gzip > a.sql.gz\n"), ["a.sql.gz"]);
        assert_eq!(files("ssh host 'pg_dump shop > /b/a.sql'\n"), ["/b/a.sql"]);
        assert_eq!(files("pg_dump shop > a.sql\ngzip a.sql\n"), ["a.sql", "a.sql.gz"]);
        assert_eq!(files("ssh host 'pg_dump shop'\nls > b\n"), Vec::<String>::new());
    }
}
