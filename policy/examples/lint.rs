//! `cargo run -p backstop-policy --example lint -- FILE...`: the findings of some
//! files, as one set. The command `backstop lint` does the same, and more.

use backstop_policy::document::Document;
use backstop_policy::finding::Lines;
use backstop_policy::lint::{Options, lint};

#[expect(clippy::disallowed_methods, reason = "an example has to get its documents from somewhere")]
fn main() -> std::io::Result<()> {
    let mut documents = Vec::new();
    for path in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&path)?;
        documents.push(Document::new(path, text));
    }
    let report = lint(&documents, &Options::default());
    for document in &documents {
        let lines = Lines::new(&document.text);
        for finding in report.findings.iter().filter(|finding| finding.path == document.path) {
            print!("{}", finding.render(&lines));
            for label in &finding.related {
                let at = lines.position(label.place.span.start);
                println!("  {}:{}: {}", label.path, at.line, label.message);
            }
        }
    }
    println!("{} findings", report.findings.len());
    Ok(())
}
