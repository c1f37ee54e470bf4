//! Entries in each of the forms, and that every command lies in the text.

use backstop_policy::parse::crontab::{self, Form};

pub fn read(text: &str) {
    for form in [Form::User, Form::System, Form::Guess] {
        for entry in crontab::parse(text, form).entries {
            assert!(text.get(entry.command_span.start..entry.command_span.end).is_some(), "{entry:?}");
        }
    }
}
