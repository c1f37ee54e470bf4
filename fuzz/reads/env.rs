//! Variables, and that every value lies in the text.

use backstop_policy::parse::env;

pub fn read(text: &str) {
    for entry in env::parse(text).entries {
        assert_eq!(text.get(entry.value_span.start..entry.value_span.end), Some(entry.value.as_str()));
    }
}
