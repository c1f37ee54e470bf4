//! Paths as texts, whatever they lead to: divided by `/`, and never looked at.

/// The last part: a file, or a program without its folder. Empty behind a last `/`.
pub fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// The folder that it lies in; empty where none is written.
pub fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_folder_and_a_name() {
        for (path, parts) in [
            ("/opt/b.sh", ("/opt", "b.sh")),
            ("b.sh", ("", "b.sh")),
            ("/b.sh", ("", "b.sh")),
            ("a/b/", ("a/b", "")),
            ("", ("", "")),
        ] {
            assert_eq!((folder(path), name(path)), parts, "{path}");
        }
    }
}
