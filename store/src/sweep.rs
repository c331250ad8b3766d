//! The sweeper: who reclaims what has expired, and when it is at work.

use crate::error::BuildError;
use crate::planted::{Bug, planted};
use crate::sync::{Arc, StopSignal, thread};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Who reclaims expired pairs that nobody touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Sweeper {
    /// A thread of the store's own, which looks as each tick ends and works in small steps.
    #[default]
    Thread,
    /// Nobody, until [`Store::sweep`](crate::Store::sweep) or [`Store::clean`](crate::Store::clean)
    /// is called. Callers never see an expired value all the same.
    Manual,
}

/// What one step of sweeping did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Swept {
    /// Pairs reclaimed.
    pub removed: usize,
    /// Whether more is due already.
    pub more: bool,
}

/// Nodes the sweeper's thread looks at between two looks at its stop signal.
const STEP: usize = 1_024;

/// The sweeper's thread, stopped and joined when this is dropped.
pub(crate) struct SweeperThread {
    signal: Arc<StopSignal>,
    /// Taken when it is joined.
    thread: Option<thread::JoinHandle<()>>,
}

impl SweeperThread {
    /// Starts a thread that calls `step` until it says that nothing is left, then rests as long as
    /// `rest` says, and so on.
    ///
    /// A panic in `step` ends that step only; `panicked` is then called.
    pub(crate) fn start(
        rest: impl Fn() -> Duration + Send + 'static,
        step: impl Fn(usize) -> Swept + Send + 'static,
        panicked: impl Fn() + Send + 'static,
    ) -> Result<Self, BuildError> {
        let signal = Arc::new(StopSignal::new());
        let heard = Arc::clone(&signal);
        let run = move || {
            while !heard.wait(rest()) {
                while !heard.is_raised() {
                    match catch_unwind(AssertUnwindSafe(|| step(STEP))) {
                        Ok(swept) if swept.more => {}
                        Ok(_) => break,
                        Err(_) if planted(Bug::SweeperDiesOfPanic) => return,
                        Err(panic) => {
                            // What panics each time must not keep a processor busy, nor may what it
                            // carries panic once more.
                            std::mem::forget(panic);
                            panicked();
                            break;
                        }
                    }
                }
            }
        };
        let thread = thread::start("store-sweeper", run).map_err(BuildError::Sweeper)?;
        Ok(Self { signal, thread: Some(thread) })
    }
}

impl Drop for SweeperThread {
    fn drop(&mut self) {
        self.signal.raise();
        if let Some(thread) = self.thread.take() {
            // User code that the sweeper runs may hold the last handle: a thread that joined
            // itself would wait for ever. It ends on its own, having seen the signal.
            let itself = thread.thread().id() == thread::current().id();
            if !itself || planted(Bug::SweeperJoinsItself) {
                // A panic that escaped has been reported by the panic hook already.
                let _ = thread.join();
            }
        }
    }
}
