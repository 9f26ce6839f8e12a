//! SIGHUP: what a closed terminal sends, and by custom whoever wants a daemon to reload.

use std::mem::MaybeUninit;
use std::ptr;

/// Ignores SIGHUP from now on, in this process and in all that it starts.
pub fn ignore_hangup() {
    // SAFETY: SIG_IGN is no function that could be called, and SIGHUP is a signal that can be
    // ignored, so that the call only changes what the kernel does with it.
    unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
}

/// Whether this process ignores SIGHUP: since it was started so, or by [`ignore_hangup`].
#[must_use]
pub fn hangup_is_ignored() -> bool {
    let mut found = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action the call changes nothing, and it writes one action to `found`,
    // which has room for it and is this function's own.
    let asked = unsafe { libc::sigaction(libc::SIGHUP, ptr::null(), found.as_mut_ptr()) };
    // SAFETY: all bytes are zero, which is a value of each field, or the kernel's answer.
    let found = unsafe { found.assume_init() };
    asked == 0 && found.sa_sigaction == libc::SIG_IGN
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel says of this process.
    fn is_ignored() -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
        u64::from_str_radix(mask, 16).unwrap() & 1 == 1
    }

    #[test]
    fn a_hangup_that_is_ignored_ends_nothing() {
        assert_eq!(hangup_is_ignored(), is_ignored());
        ignore_hangup();
        assert!(hangup_is_ignored() && is_ignored());
        // It would end this process.
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::HUP)
            .unwrap();
    }
}
