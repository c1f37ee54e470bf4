//! Parse, run, exit.

use std::process::ExitCode;

use backstop::commands::{self, Cli, failure};
use backstop::error::ExitStatus;
use backstop::ui;
use clap::Parser;
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => {
            ui::complain(&format!("error: cannot start: {cause}"));
            return ExitStatus::Failed.into();
        }
    };
    let status = runtime.block_on(async {
        let stop = CancellationToken::new();
        tokio::spawn(cancel_on_signal(stop.clone()));
        commands::run(cli, stop).await
    });
    // A thread that waits for a slow peer must not keep us.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match status {
        Ok(status) => status.into(),
        Err(cause) => {
            ui::complain(failure::render(&cause).trim_end());
            ExitStatus::Failed.into()
        }
    }
}

/// The first signal asks everything to stop and clean up; a second one does not wait.
async fn cancel_on_signal(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    stop.cancel();
    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    std::process::exit(130);
}
