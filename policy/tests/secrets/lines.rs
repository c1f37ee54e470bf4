//! A table of lines as people write them (`lines.tsv`), in every language and shell
//! that a backup set-up has, with the verdict that a person would give.

use backstop_policy::secrets::{MASK, Place, Verdict, find, redact_found};

#[test]
fn every_line_has_its_verdict() {
    let mut wrong = Vec::new();
    let mut lines = 0;
    for line in include_str!("lines.tsv").lines().filter(|line| !line.starts_with('#')) {
        let [path, wanted, text] = line.splitn(3, '\t').collect::<Vec<_>>()[..] else {
            panic!("not three fields: {line}");
        };
        let text = text.replace("\\n", "\n");
        let found = find(&text, Place::of(path));
        let verdict = match found.iter().map(|secret| secret.verdict).max() {
            Some(Verdict::Leaked) => "leaked",
            Some(Verdict::Doubtful) => "doubtful",
            Some(Verdict::Development) => "development",
            None => "silent",
        };
        if verdict != wanted {
            wrong.push(format!("{verdict}, not {wanted}: {line}"));
        }
        // Every password in the table that leaks has this word in it.
        let masked = redact_found(&text, (0..text.len()).into(), &found);
        if verdict == "leaked" && text.contains("Kestrel") && masked.contains("Kestrel") {
            wrong.push(format!("not masked: {masked}"));
        }
        assert_eq!(masked.contains(MASK), verdict != "silent" || text.contains(MASK), "{line}");
        lines += 1;
    }
    assert!(wrong.is_empty(), "{} of {lines}:\n{}", wrong.len(), wrong.join("\n"));
}
