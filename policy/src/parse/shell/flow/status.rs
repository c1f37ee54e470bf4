//! Whether a statement reads the status of the one before it.

use crate::parse::shell::{AssignedValue, Kind, Statement, Word};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    Status,
    Pipe,
}

/// Whether a statement reads the status of the one before it.
pub(super) fn asks_for_status(statement: &Statement) -> Option<Asks> {
    let command = statement.first.commands.first()?;
    let of_word = |word: &Word| {
        word.expansions().find_map(|(_, expansion)| match expansion.name.as_str() {
            "?" => Some(Asks::Status),
            "PIPESTATUS" => Some(Asks::Pipe),
            _ => None,
        })
    };
    match &command.kind {
        Kind::Simple(simple) => {
            let values =
                simple.assignments.iter().chain(&simple.declares).filter_map(|assignment| match &assignment
                    .value
                {
                    AssignedValue::Word(word) => of_word(word),
                    AssignedValue::Array(words) => words.iter().find_map(of_word),
                });
            values.chain(simple.words.iter().filter_map(of_word)).next()
        }
        Kind::If { arms, .. } => asks_for_status(arms.first()?.condition.first()?),
        Kind::Test(words) => words.iter().find_map(of_word),
        Kind::Arithmetic(word) => of_word(word),
        Kind::Case { subject, .. } => of_word(subject),
        _ => None,
    }
}
