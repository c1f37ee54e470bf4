//! Parse, run, exit.

use std::process::ExitCode;

use backstop::commands::{self, Cli, failure};
use backstop::error::ExitStatus;
use backstop::{github, scheduling, ui};
use clap::Parser;
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    github::begin();
    let status = match Cli::try_parse() {
        Ok(cli) => execute(cli),
        Err(cause) => refuse(&cause),
    };
    github::end();
    status
}

fn execute(cli: Cli) -> ExitCode {
    if cli.takes_rows() {
        scheduling::wait_for_ones_turn();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => {
            ui::complain(&format!("error: cannot start: {cause}"));
            return ExitStatus::Failed.into();
        }
    };
    let status = runtime.block_on(async {
        let stop = CancellationToken::new();
        cancel_on_signal(stop.clone());
        commands::run(cli, stop).await
    });
    // A thread that waits for a slow peer must not keep us.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match status {
        Ok(status) => status.into(),
        Err(cause) => {
            let message = failure::render(&cause);
            ui::complain(message.trim_end());
            tell_job(&message);
            ExitStatus::Failed.into()
        }
    }
}

/// Help, the version, or arguments that are wrong.
fn refuse(cause: &clap::Error) -> ExitCode {
    // Nobody is left to tell where the output is closed.
    let _ = cause.print();
    if !cause.use_stderr() {
        return ExitStatus::Clean.into();
    }
    let message = cause.to_string();
    // What follows the empty line tells how to call us, which no job can do.
    tell_job(message.split("\n\n").next().unwrap_or(&message));
    ExitStatus::Failed.into()
}

fn tell_job(message: &str) {
    let message = message.trim_end();
    if let Err(cause) = github::failed(message.strip_prefix("error: ").unwrap_or(message)) {
        ui::complain(&format!("warning: {cause}"));
    }
}

/// The first signal asks everything to stop and clean up; a second one does not
/// wait. Signals are caught once this returns, before there is anything to clean up.
fn cancel_on_signal(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    tokio::spawn(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        stop.cancel();
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        std::process::exit(130);
    });
}
