//! Where a statement is the body of an SQL function, whose `;` do not end it: told
//! by psql's own rule (`psqlscan.l`, since 14), and not by a better one, because
//! only what psql takes for the end matters.

/// The words of one statement.
#[derive(Debug, Default)]
pub(super) struct Routine {
    /// The first words, where they are some of `CREATE OR REPLACE FUNCTION`.
    first: [Option<u8>; 4],
    words: usize,
    /// `BEGIN ATOMIC`, and `CASE` inside of it.
    blocks: u32,
}

impl Routine {
    /// A word outside of quotes, in upper case.
    pub(super) fn word(&mut self, word: &[u8], parentheses: u32) {
        if matches!(word, b"CREATE" | b"OR" | b"REPLACE" | b"FUNCTION" | b"PROCEDURE")
            && let Some(first) = self.first.get_mut(self.words)
        {
            *first = word.first().copied();
        }
        self.words = self.words.saturating_add(1);
        let is_routine = matches!(
            self.first,
            [Some(b'C'), Some(b'F' | b'P'), ..] | [Some(b'C'), Some(b'O'), Some(b'R'), Some(b'F' | b'P')]
        );
        if !is_routine || parentheses > 0 {
            return;
        }
        match word {
            b"BEGIN" => self.blocks += 1,
            b"CASE" if self.blocks > 0 => self.blocks += 1,
            b"END" => self.blocks = self.blocks.saturating_sub(1),
            _ => {}
        }
    }

    /// Whether a `;` ends the statement.
    pub(super) fn is_complete(&self) -> bool {
        self.blocks == 0
    }
}
