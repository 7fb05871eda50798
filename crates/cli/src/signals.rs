//! What asks a service to stop, on each platform.

use std::io;

#[cfg(unix)]
mod platform {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    pub(super) struct Requests {
        interrupt: Signal,
        terminate: Signal,
        /// The terminal is closed; `None` where that was to be survived (`nohup`).
        hangup: Option<Signal>,
        /// Taken over so that a limit of file sizes (`ulimit -f`) makes a write fail instead of ending the process.
        _file_size: Signal,
    }

    impl Requests {
        pub(super) fn new() -> std::io::Result<Self> {
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
                hangup: if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) },
                _file_size: signal(SignalKind::from_raw(libc::SIGXFSZ))?,
            })
        }

        pub(super) async fn next(&mut self) -> &'static str {
            tokio::select! {
                _ = self.interrupt.recv() => "Ctrl-C",
                _ = self.terminate.recv() => "SIGTERM",
                _ = hung_up(&mut self.hangup) => "SIGHUP",
            }
        }
    }

    async fn hung_up(hangup: &mut Option<Signal>) {
        match hangup {
            Some(hangup) => drop(hangup.recv().await),
            None => std::future::pending().await,
        }
    }

    /// Whether who started this process has it ignore SIGHUP. Only Linux tells without more ado; elsewhere SIGHUP keeps
    /// its action.
    fn ignores_hangup() -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_none_or(|mask| mask & (1 << (libc::SIGHUP - 1)) != 0)
    }
}

#[cfg(windows)]
mod platform {
    use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, CtrlShutdown};
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};

    /// The system ends the process some seconds after a close or shutdown event, whatever we do.
    pub(super) struct Requests {
        c: CtrlC,
        break_: CtrlBreak,
        close: CtrlClose,
        shutdown: CtrlShutdown,
    }

    impl Requests {
        pub(super) fn new() -> std::io::Result<Self> {
            Ok(Self { c: ctrl_c()?, break_: ctrl_break()?, close: ctrl_close()?, shutdown: ctrl_shutdown()? })
        }

        pub(super) async fn next(&mut self) -> &'static str {
            tokio::select! {
                _ = self.c.recv() => "Ctrl-C",
                _ = self.break_.recv() => "Ctrl-Break",
                _ = self.close.recv() => "the console closing",
                _ = self.shutdown.recv() => "the system shutting down",
            }
        }
    }
}

/// Requests to stop, from the moment it is made.
pub(crate) struct StopRequests(platform::Requests);

impl StopRequests {
    /// Takes the signals over from their default action. Needs a Tokio runtime.
    pub(crate) fn new() -> io::Result<Self> {
        platform::Requests::new().map(Self)
    }

    /// The next request, by name.
    pub(crate) async fn next(&mut self) -> &'static str {
        self.0.next().await
    }
}
