//! Patterns of paths, as in a `.gitignore`: pattern and path in, yes or no out, in
//! time linear in both.

use crate::model::glob as part_matches;

/// Whether `path`, or a folder that it lies in, is meant.
///
/// A pattern without `/` means a name anywhere; others count from the root. `*` and
/// `?` stay inside one name, `**` stands for any number of folders.
pub fn matches(pattern: &str, path: &str) -> bool {
    let anchored = pattern.trim_end_matches('/').contains('/');
    let mut parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.is_empty() {
        return false;
    }
    if !anchored {
        parts.insert(0, "**");
    }
    // Which parts of the pattern may come next.
    let mut next = vec![false; parts.len() + 1];
    next[0] = true;
    skip_stars(&parts, &mut next);
    for name in path.split('/').filter(|name| !name.is_empty() && *name != ".") {
        let mut after = vec![false; parts.len() + 1];
        for (index, part) in parts.iter().enumerate().filter(|(index, _)| next[*index]) {
            if *part == "**" {
                after[index] = true;
                after[index + 1] |= index + 1 == parts.len();
            } else if part_matches(part, name) {
                after[index + 1] = true;
            }
        }
        skip_stars(&parts, &mut after);
        if after[parts.len()] {
            return true;
        }
        next = after;
    }
    false
}

/// A path seen from the folder that `folder` counts from; `..` is followed.
pub fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// `**` may stand for no folder at all.
fn skip_stars(parts: &[&str], next: &mut [bool]) {
    for (index, part) in parts.iter().enumerate() {
        // At the end it stands for what lies in the folder, and not for the folder.
        if *part == "**" && next[index] && index + 1 < parts.len() {
            next[index + 1] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined() {
        assert_eq!(join("", "./a/b"), "a/b");
        assert_eq!(join("sub", "../a"), "a");
        assert_eq!(join("sub", "../../a"), "../a");
    }

    #[test]
    fn patterns_mean_what_they_mean_to_git() {
        for (pattern, path, expected) in [
            ("docs", "docs/a.md", true),
            ("docs/", "app/docs/a.md", true),
            ("*.md", "a/b/c.md", true),
            ("*.md", "a/b/c.mdx", false),
            ("docs/*.md", "docs/a.md", true),
            ("docs/*.md", "docs/sub/a.md", false),
            ("docs/*.md", "app/docs/a.md", false),
            ("/docs", "docs/a.md", true),
            ("/docs", "app/docs/a.md", false),
            ("docs/**", "docs/sub/a.md", true),
            ("docs/**", "docs", false),
            ("**/fixtures/**", "a/fixtures/b/c", true),
            ("a/**/c", "a/c", true),
            ("a/**/c", "a/b/b/c", true),
            ("a/**/c", "a/b/d", false),
            ("./a", "a", true),
            ("", "a", false),
            ("/", "a", false),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
        assert!(!matches(&format!("{}b", "**/a*/".repeat(50)), &"a/".repeat(50_000)));
    }
}
