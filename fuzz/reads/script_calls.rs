//! Calls of programs, what they run, and that every span lies in the text.

use backstop_policy::parse::script_calls;
use backstop_policy::parse::shell::{Flags, Variables};

pub fn read(text: &str) {
    for call in script_calls::parse(text) {
        assert!(text.get(call.span.start..call.span.end).is_some(), "{:?}", call.span);
        let _ = Variables::of(&call.script);
        let _ = call.script.commands(Flags::default());
    }
}
