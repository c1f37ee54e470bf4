//! Text in, trees with byte spans out; one file a language.

pub mod yaml;
