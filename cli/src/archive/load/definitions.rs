//! The definitions of an archive as an archive of their own: its table of contents
//! flows in, the same without any data flows out. `pg_restore` takes from it what
//! comes before and after the rows, with `--jobs` too, for which it wants a file.

use crate::archive::Error;
use crate::archive::frame::Coding;
use crate::archive::head::Head;
use crate::archive::toc::Toc;

/// `head` are the archive's bytes before its first data block.
pub fn definitions(toc: &Toc, head: &[u8]) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(head.len());
    Head { coding: Coding::None, minor: toc.header.version.1, key: None }.write(toc, head, &mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::fixtures;

    #[test]
    fn pg_restore_prints_the_same_definitions() {
        let list = |bytes: &[u8]| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), bytes).unwrap();
            let mut command = std::process::Command::new("pg_restore");
            let output = command.args(["--schema-only", "--file=-"]).arg(file.path()).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(fixtures::without_comments(&output.stdout)).unwrap()
        };
        for archive in [fixtures::ZOO_15_GZIP, fixtures::ZOO_15_NONE] {
            let (toc, head) = fixtures::toc(archive);
            let alone = definitions(&toc, &head).unwrap();
            assert_eq!(alone.len(), head.len());
            assert!(list(archive).lines().count() > 100);
            assert_eq!(list(&alone), list(archive));
        }
    }
}
