//! What only a whole pipe tells: which files `xargs rm` deletes, what a psql
//! without a file reads.

use super::command::Command;
use super::role::{self, Delete, DeleteTool, Role};

/// Completes the roles of commands that stand in pipes. Sorted by place.
pub fn join(commands: &mut [Command]) {
    for at in 0..commands.len() {
        let (before, rest) = commands.split_at_mut(at);
        let Some(command) = rest.first_mut() else { continue };
        if command.pipe.index == 0 {
            idle_psql(command);
            continue;
        }
        let start = command.pipe.span.start;
        let near = before.iter().rev().take_while(|other| other.at.span.start >= start);
        let mut pipe: Vec<&Command> = near.filter(|other| other.pipe.span == command.pipe.span).collect();
        pipe.reverse();
        if let Role::Delete(delete) = &mut command.role
            && delete.tool == DeleteTool::Rm
            && command.wrappers.iter().any(|wrapper| wrapper.name == "xargs")
        {
            chosen(delete, &pipe);
        }
    }
}

/// `psql "$URL"` alone reads what a person types.
fn idle_psql(command: &mut Command) {
    if let Role::Restore(restore) = &command.role
        && restore.tool == role::RestoreTool::Psql
        && restore.input.is_none()
        && command.redirects.iter().all(|redirect| redirect.descriptor != 0)
    {
        command.role = Role::Other;
    }
}

/// `find … | xargs rm`, `ls -1t … | tail -n +8 | xargs rm`.
fn chosen(delete: &mut Delete, pipe: &[&Command]) {
    for command in pipe {
        match command.name.as_str() {
            "find" => {
                let found = role::read_find(&command.args);
                delete.targets.extend(found.targets);
                delete.pattern = found.pattern.or(delete.pattern.take());
                delete.age = found.age.or(delete.age.take());
                (delete.max_depth, delete.min_depth) = (found.max_depth, found.min_depth);
                delete.folders = found.folders;
            }
            "ls" => {
                let files = command.args.iter().filter(|arg| !arg.text.starts_with('-'));
                delete.targets.extend(files.map(super::location::Location::of));
            }
            // The first lines of a list that is sorted by time stay.
            "tail" | "sed" | "awk" | "head" => {
                let count =
                    command.args.iter().rev().find(|arg| {
                        arg.text.bytes().any(|byte| byte.is_ascii_digit()) || arg.text.contains('$')
                    });
                let skips = command.name != "tail" || command.args.iter().any(|arg| arg.text.contains('+'));
                delete.keeps_newest =
                    count.filter(|_| skips).map(role::Said::from).or(delete.keeps_newest.take());
            }
            _ => {}
        }
    }
}
