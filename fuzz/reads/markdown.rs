//! A document, the text of its blocks, and that every span lies in it.

use backstop_policy::parse::markdown::{self, Kind};

pub fn read(text: &str) {
    for item in markdown::parse(text).items {
        assert!(text.get(item.span.start..item.span.end).is_some(), "{:?}", item.span);
        if let Kind::Fence(fence) = item.kind {
            let source = fence.source(text);
            let span = source.span(0, source.text().len());
            assert!(text.get(span.start..span.end).is_some(), "{span:?}");
        }
    }
}
