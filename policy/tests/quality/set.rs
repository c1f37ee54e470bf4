//! The set by which rules are judged: files below `cases/<group>/<rule>.txt` in,
//! cases out, each with its documents and the lines on which its rule has to speak.
//!
//! A file holds one case after the other. `== bad: …` or `== good: …` begins one,
//! `@@ path` a document of it, and `!! 3 5` right below says on which of its lines the
//! rule has to report something. Everything else is the document's text.

use std::collections::BTreeSet;
use std::path::Path;

use backstop_policy::document::Document;
use backstop_policy::finding::Lines;
use backstop_policy::lint::{Options, lint};

/// A line of a document.
pub type Line = (String, usize);

#[derive(Debug, Clone)]
pub struct Case {
    pub group: String,
    pub rule: String,
    pub title: String,
    pub is_bad: bool,
    pub documents: Vec<Document>,
    pub labels: BTreeSet<Line>,
}

impl Case {
    /// Where its rule reports something.
    pub fn found(&self) -> BTreeSet<Line> {
        let report = lint(&self.documents, &Options::only(&self.rule));
        let line = |path: &str, at: usize| {
            let text = self.documents.iter().find(|document| document.path == path);
            text.map_or(0, |document| Lines::new(&document.text).position(at).line)
        };
        let places = report.findings.into_iter().map(|finding| {
            let line = line(&finding.path, finding.span.start);
            (finding.path, line)
        });
        places.collect()
    }
}

/// Every case there is, by group and rule.
pub fn cases() -> std::io::Result<Vec<Case>> {
    let mut cases = Vec::new();
    for group in entries(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/quality/cases")))? {
        for file in entries(&group)? {
            let name = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            cases.extend(read(&name(&group), &name(&file), &std::fs::read_to_string(&file)?));
        }
    }
    Ok(cases)
}

fn entries(folder: &Path) -> std::io::Result<Vec<std::path::PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}

fn read(group: &str, rule: &str, text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut texts: Vec<(String, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        let head = |sign: &str| line.strip_prefix(sign).map(|rest| rest.trim().to_owned());
        if let Some((kind, title)) = head("== ").as_deref().and_then(|head| head.split_once(": ")) {
            close(&mut cases, &mut texts);
            cases.push(Case {
                group: group.to_owned(),
                rule: rule.to_owned(),
                title: title.to_owned(),
                is_bad: kind == "bad",
                documents: Vec::new(),
                labels: BTreeSet::new(),
            });
        } else if let Some(path) = head("@@ ") {
            texts.push((path, String::new()));
        } else if let (Some(lines), Some((path, text)), Some(case)) =
            (head("!! "), texts.last(), cases.last_mut())
            && text.is_empty()
        {
            let lines = lines.split(' ').filter_map(|line| line.parse().ok());
            case.labels.extend(lines.map(|line| (path.clone(), line)));
        } else if let Some((_, text)) = texts.last_mut() {
            text.push_str(line);
        }
    }
    close(&mut cases, &mut texts);
    cases
}

fn close(cases: &mut [Case], texts: &mut Vec<(String, String)>) {
    if let Some(case) = cases.last_mut() {
        case.documents = texts.drain(..).map(|(path, text)| Document::new(path, text)).collect();
    }
}
