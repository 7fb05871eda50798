//! What asks a service to stop, on each platform.

use std::io;

#[cfg(unix)]
mod platform {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    pub(super) struct Requests {
        interrupt: Signal,
        terminate: Signal,
    }

    impl Requests {
        pub(super) fn new() -> std::io::Result<Self> {
            Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
        }

        pub(super) async fn next(&mut self) -> &'static str {
            tokio::select! {
                _ = self.interrupt.recv() => "Ctrl-C",
                _ = self.terminate.recv() => "SIGTERM",
            }
        }
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
