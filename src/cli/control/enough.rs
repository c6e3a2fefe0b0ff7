//! When a person has seen enough: Ctrl-C, or a request to end, told to who waits at the terminal.

use std::io;
use std::os::unix::net::UnixStream as Pair;

use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use tokio::net::UnixStream;

/// Waits for the signals that end a program at the terminal. Without it one would leave the
/// terminal as it is just then.
pub(super) struct Enough(UnixStream);

impl Enough {
    /// Listens from now on; needs a runtime.
    pub(super) fn listen() -> io::Result<Self> {
        let (read, write) = Pair::pair()?;
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            pipe::register(signal, write.try_clone()?)?;
        }
        read.set_nonblocking(true)?;
        Ok(Self(UnixStream::from_std(read)?))
    }

    /// Waits until one has come.
    pub(super) async fn came(&self) {
        // Where it cannot be waited for, it has come.
        let _ = self.0.readable().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_hang_up_is_enough_and_nothing_is_not() {
        let enough = Enough::listen().unwrap();
        assert!(timeout(Duration::from_millis(50), enough.came()).await.is_err());
        signal_hook::low_level::raise(SIGHUP).unwrap();
        assert!(timeout(Duration::from_secs(20), enough.came()).await.is_ok());
    }
}
