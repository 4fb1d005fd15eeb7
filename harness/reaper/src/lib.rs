//! What survives a test process: a second process, that removes from the engine what the first
//! one has left there.
//!
//! One mechanism stands for every way a process ends without running its destructors: statics
//! at exit, an abort, Ctrl-C, SIGTERM, SIGKILL. The reaper is the same executable once more, in a
//! session of its own, with the read end of a pipe whose write end the test process keeps open
//! and never closes. The end of the pipe is the end of the process. No signal is handled in the
//! test process, and no image is needed.
//!
//! That the executable runs this code instead of its own `main` is a matter of a hook that runs
//! before `main` and looks for two things nobody else sets: an environment variable and the
//! program's name. A helper program would have to be built, found and shipped beside every test.

mod address;
mod identity;
mod kept;
mod leftovers;
mod orders;
mod program;
mod reaper;

pub use address::Address;
pub use identity::{Identity, LEASE, NODE, RUN, SHARE, parent, share_a_session};
pub use kept::{forget, is_kept, keep, kept};
pub use leftovers::Leftovers;
pub use orders::{Orders, Watch};
pub use program::{LEASE_FILE, REAPER_FILE, lease_is_held};
pub use reaper::{Reaper, ReaperError};

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the hook is in this executable. Without it a second run of it would be a second run
/// of the tests, so nothing is started then.
static HOOKED: AtomicBool = AtomicBool::new(false);

ctor::declarative::ctor! {
    // Before `main` the standard library promises nothing, and on Linux and macOS works: what it
    // sets up itself (ignoring SIGPIPE, the name of the main thread) the program does without.
    // In every process but the reaper this is one look at the environment.
    #[ctor(unsafe)]
    fn before_main() {
        HOOKED.store(true, Ordering::Relaxed);
        if program::is_asked_for() {
            program::run();
        }
    }
}
