//! A test that runs itself again in a process of its own, for what belongs to a
//! whole process: its environment, its memory, its mounts.

use std::process::{Command, Output};

const MARK: &str = "BACKSTOP_TEST_CHILD";

/// Whether this is the inner run.
pub fn is_child() -> bool {
    std::env::var_os(MARK).is_some()
}

/// The command that runs the test of this name alone, as the inner run.
/// `wrapper` goes in front of it, e.g. `unshare`.
pub fn again(test: &str, wrapper: &[&str]) -> Command {
    let this = std::env::current_exe().unwrap();
    let mut command = match wrapper {
        [] => Command::new(&this),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(&this);
            command
        }
    };
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env(MARK, "1").env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", "/nonexistent");
    command
}

/// Run it; it must have run exactly one test, and that well.
pub fn passed(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success() && stdout.contains("1 passed"), "the inner run failed\n{stdout}\n{stderr}");
    stdout.into_owned()
}
