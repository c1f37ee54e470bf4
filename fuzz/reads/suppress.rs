//! Comments that allow findings: that each lies in the text with its rules, and speaks
//! of lines that are there.

use backstop_policy::document::Document;
use backstop_policy::suppress::Allows;

const PATHS: &[&str] = &["a.sh", "a.sql", "a.ts", "a.md", "a.txt", "a.service"];

pub fn read(text: &str) {
    let lines = text.split('\n').count();
    for path in PATHS {
        let allows = Allows::of(&Document::new(*path, text));
        for allow in &allows.all {
            assert!(text.get(allow.span.start..allow.span.end).is_some(), "{:?}", allow.span);
            for (id, span) in &allow.rules {
                assert_eq!(text.get(span.start..span.end), Some(id.as_str()));
                assert!(allow.reason.is_none() || allows.cover(id, *allow.lines.start()));
            }
            assert!(allow.lines.start() <= allow.lines.end() && *allow.lines.end() <= lines);
        }
    }
}
