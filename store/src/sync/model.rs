//! Runs the body of a model under the checker in force: real threads, loom or shuttle.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How far a model is explored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Model {
    pub(crate) name: &'static str,
    /// Threads, the one that starts the others among them.
    pub(crate) threads: usize,
    /// Whether loom would need minutes for all executions.
    #[cfg_attr(not(checker = "loom"), expect(dead_code, reason = "only loom asks"))]
    pub(crate) vast: Vast,
    /// Whether there are few enough schedules for shuttle to try each of them.
    #[cfg_attr(not(checker = "shuttle"), expect(dead_code, reason = "only shuttle asks"))]
    pub(crate) exhaustive: bool,
}

/// Where a model has too many executions to try each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vast {
    No,
    /// Over the real map, but not over the stand-in.
    OverTheMap,
    Everywhere,
}

impl Model {
    /// Explores `body`, and says on standard output how far.
    ///
    /// # Panics
    /// If `body` panics in any execution.
    pub(crate) fn explore(self, body: impl Fn() + Send + Sync + 'static) {
        let executions = std::sync::Arc::new(AtomicU64::new(0));
        let counted = std::sync::Arc::clone(&executions);
        let _told = ToldOnFailure(self.name, std::sync::Arc::clone(&executions));
        let began = Instant::now();
        let how = run(self, move || {
            counted.fetch_add(1, Ordering::SeqCst);
            body();
        });
        let (name, threads) = (self.name, self.threads);
        let executions = executions.load(Ordering::SeqCst);
        let took = Duration::from_millis(u64::try_from(began.elapsed().as_millis()).unwrap_or(0));
        println!("| {name} | {threads} | {how} | {executions} | {took:.2?} |");
    }
}

/// Says after how many executions a model failed.
struct ToldOnFailure(&'static str, std::sync::Arc<AtomicU64>);

impl Drop for ToldOnFailure {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let executions = self.1.load(Ordering::SeqCst);
            println!("\nfailed: {} at execution {executions}", self.0);
        }
    }
}

/// Waits until `done`, on real threads. A model has ended only once all its threads have, and
/// reports it if they cannot: there is nothing to wait for.
pub(crate) fn wait_until(done: impl Fn() -> bool) {
    while !cfg!(any(checker = "loom", checker = "shuttle")) && !done() {
        std::thread::yield_now();
    }
}

/// Real threads show little of what can happen, but they are the real thing.
#[cfg(not(any(checker = "loom", checker = "shuttle")))]
fn run(_model: Model, body: impl Fn() + Send + Sync + 'static) -> &'static str {
    for _ in 0..200 {
        body();
    }
    "real threads"
}

/// Two threads: every execution. More threads, or a model that is vast here: those with at
/// most two preemptions, or as many as the environment variable `LOOM_MAX_PREEMPTIONS` says.
#[cfg(checker = "loom")]
fn run(model: Model, body: impl Fn() + Send + Sync + 'static) -> String {
    let mut explorer = loom::model::Builder::new();
    explorer.max_branches = 1_000_000;
    let over_the_map = cfg!(not(table = "stand_in"));
    let vast = model.vast == Vast::Everywhere || model.vast == Vast::OverTheMap && over_the_map;
    if (model.threads > 2 || vast) && explorer.preemption_bound.is_none() {
        explorer.preemption_bound = Some(2);
    }
    let bound = explorer.preemption_bound.map_or("all".to_owned(), |n| format!("bound {n}"));
    explorer.check(body);
    bound
}

/// Schedules at random and by PCT with depth 3; each of them where that is feasible.
///
/// `SHUTTLE_ITERATIONS` sets how many of each, `SHUTTLE_REPLAY` names a file with a failing
/// schedule to run again.
#[cfg(checker = "shuttle")]
fn run(model: Model, body: impl Fn() + Send + Sync + 'static) -> &'static str {
    use shuttle::scheduler::{
        DfsScheduler, PctScheduler, RandomScheduler, Scheduler,
        UncontrolledNondeterminismCheckScheduler,
    };
    use shuttle::{Config, FailurePersistence, Runner};

    let body = std::sync::Arc::new(body);
    let run = |scheduler: Box<dyn Scheduler + Send>| {
        let body = std::sync::Arc::clone(&body);
        let mut config = Config::new();
        config.stack_size = 0x4_0000;
        config.failure_persistence = FailurePersistence::File(schedules());
        Runner::new(scheduler, config).run(move || body());
    };
    if let Ok(file) = std::env::var("SHUTTLE_REPLAY") {
        shuttle::replay_from_file(move || body(), file);
        return "replay";
    }
    let iterations = std::env::var("SHUTTLE_ITERATIONS").ok().and_then(|n| n.parse().ok());
    let iterations = iterations.unwrap_or(3_000);
    // The same choices must lead to the same steps, or no schedule could be replayed.
    run(Box::new(UncontrolledNondeterminismCheckScheduler::new(RandomScheduler::new(50))));
    run(Box::new(RandomScheduler::new(iterations)));
    run(Box::new(PctScheduler::new(3, iterations)));
    if model.exhaustive {
        run(Box::new(DfsScheduler::new(None, false)));
        return "random, PCT 3, all";
    }
    "random, PCT 3"
}

/// Where failing schedules are kept, if it can be written to.
#[cfg(checker = "shuttle")]
fn schedules() -> Option<std::path::PathBuf> {
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target-shuttle/schedules");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder)
}
