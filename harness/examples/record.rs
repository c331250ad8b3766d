//! Records the calls that threads make on a store, and says what was recorded.
//!
//! `cargo run --release -p harness --example record -- sessions.trace`, then
//! `harness trace info sessions.trace` and `harness trace replay sessions.trace`.

use std::error::Error;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use harness::output;
use harness::trace::summary::Summary;
use harness::trace::{Length, Options, Recorded, Recorder, Torn};
use store::{Store, Ttl};

/// What the service keeps. A trace never sees it, only how long it is.
#[derive(Clone)]
struct Session {
    user: u64,
    cart: Vec<u8>,
}

impl Length for Session {
    fn length(&self) -> usize {
        self.user.length() + self.cart.length()
    }
}

/// One thread of the service: looks sessions up, starts and ends them.
fn serve(
    sessions: &Recorded<String, Session>,
    thread: u64,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut state = thread + 1;
    for _ in 0..50_000 {
        // Any source of numbers will do; squaring makes low ones more popular.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let draw = (state >> 44) & 0xfff;
        let user = (draw * draw) >> 12;
        let key = format!("session:{user}");
        if state >> 58 == 0 {
            sessions.delete(&key);
        } else if sessions.get(&key).is_none() {
            let cart = vec![0; usize::try_from(state >> 48 & 0x1ff)?];
            let ttl = Ttl::After(Duration::from_secs(1_800));
            sessions.put_with_ttl(key, Session { user, cart }, ttl)?;
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let path =
        PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "sessions.trace".to_owned()));
    let recorder = Recorder::create(&path, Options::default())?;
    let sessions = Recorded::new(Store::new(), recorder.clone());
    thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let sessions = sessions.clone();
                scope.spawn(move || serve(&sessions, thread))
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
    })?;
    let written = recorder.finish()?;
    let (records, lost, bytes) = (written.records, written.lost, written.bytes);
    output::note(&format!("{}: {records} records, {lost} lost, {bytes} bytes", path.display()));
    output::print(&output::trace::render(&Summary::of_file(&path, Torn::Refuse)?));
    Ok(())
}
