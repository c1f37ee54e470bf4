//! A script, everything that is asked of it, and that every span lies in the text.

use backstop_policy::parse::shell::{self, Invocation, Variables, Visitor, Word};

struct Spans<'t>(&'t str);

impl Visitor<'_> for Spans<'_> {
    fn word(&mut self, word: &Word) {
        assert!(self.0.get(word.span.start..word.span.end).is_some(), "{:?}", word.span);
        let _ = word.source();
    }
}

pub fn read(text: &str) {
    let script = shell::parse(text);
    shell::walk(&script, &mut Spans(text));
    let variables = Variables::of(&script);
    for run in script.commands(script.initial_flags()) {
        if let Some(invocation) = Invocation::of(run.simple, &variables) {
            let _ = invocation.options();
        }
    }
}
