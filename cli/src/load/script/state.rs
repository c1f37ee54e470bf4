//! Where in a text the filter stands, by psql's own rules (`psqlscan.l`).

#[derive(Debug, Clone, PartialEq)]
pub(super) enum State {
    Top,
    /// A `-` that may begin a comment.
    Dash,
    /// A `/` that may begin a comment.
    Slash,
    LineComment,
    BlockComment {
        depth: u32,
        last: u8,
    },
    /// In a string; with `escapes`, a backslash takes the next byte along.
    String {
        escapes: bool,
        escaped: bool,
    },
    /// After a quote that ends a string, unless another one follows at once.
    StringEnd {
        escapes: bool,
    },
    Name,
    /// After a `$`: a tag that may open a dollar quote.
    Dollar {
        tag: Vec<u8>,
    },
    DollarString {
        tag: Vec<u8>,
        matched: Option<usize>,
    },
    /// A backslash command: its word, then the rest of its line.
    Command {
        word: Vec<u8>,
        named: bool,
    },
    Copy(CopyLine),
}

/// How much of the end marker a line of COPY data has shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum CopyLine {
    Start,
    Backslash,
    Marker,
    /// psql takes one carriage return behind it, and no second one.
    MarkerReturn,
    Other,
}
