//! Huge pages: how fast look-ups are in a table that lies in them, as a store's does unless told
//! otherwise, beside one that does not; and what it adds if the allocator asks for them, too. Each has a
//! process of its own, which says what its pairs take.

use std::hint::black_box;

use harness::target::store::StoreTarget;
use harness::target::{Options, Target};

use crate::Session;
use crate::bytes;
use crate::child;
use crate::memory::resident;
use crate::pairs::{self, Law, Numbered as _};
use crate::rounds::{Series, ns_each};
use crate::row::{Row, median};

/// What glibc's allocator is told, to advise the system that it may use huge pages; and to be left as it is.
const ASK: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");
const DO_NOT_ASK: (&str, &str) = (ASK.0, "");
/// Below this they are not worth their memory.
const AT_LEAST: f64 = 1.0;
/// Look-ups that are timed.
const LOOKUPS: usize = 500_000;

const NUMBERS: &str = "gets_numbers";
const NUMBERS_SMALL: &str = "gets_numbers_small_pages";
const TOGETHER: &str = "gets_together";
const TOGETHER_SMALL: &str = "gets_together_small_pages";

/// A process: what it measures, and what its allocator is told.
type Run = (&'static str, (&'static str, &'static str));

/// What is compared, what with and what it is called.
const CASES: [(Run, Run, &str); 3] = [
    ((NUMBERS, DO_NOT_ASK), (NUMBERS_SMALL, DO_NOT_ASK), "the table, get, u64 -> u64"),
    (
        (TOGETHER, DO_NOT_ASK),
        (TOGETHER_SMALL, DO_NOT_ASK),
        "the table, get, 36-byte key -> 35 to 100 bytes, ByteStore",
    ),
    (
        (TOGETHER, ASK),
        (TOGETHER, DO_NOT_ASK),
        "records too (glibc's tunable), get, 36-byte key -> 35 to 100 bytes, ByteStore",
    ),
];

/// Whether `job` is for [`measure`].
pub(crate) fn measures(job: &str) -> bool {
    CASES.iter().any(|((with, _), (without, _), _)| [*with, *without].contains(&job))
}

pub(crate) fn rows(session: &Session) -> Result<Vec<Row>, String> {
    let rows = CASES.into_iter().map(|(with, without, what)| {
        let (mut series, mut sizes) = (Series::default(), [Vec::new(), Vec::new()]);
        let [sizes_with, sizes_without] = &mut sizes;
        for round in 0..session.costly_rounds {
            session.tell(&format!("pages: {what}, round {}", round + 1));
            series.round(
                round,
                |_| run(with, session, sizes_with),
                |_| run(without, session, sizes_without),
            )?;
        }
        let what = format!("huge pages for {what}, uniform, 1 thread: speed over none");
        let row = series.speed_row(what, AT_LEAST, "without")?;
        let [with, without] = [&sizes[0], &sizes[1]].map(|sizes| median(sizes));
        let aside = format!("{}; {with:.1} B an entry, without {without:.1} B", row.aside);
        Ok(row.aside(aside))
    });
    rows.collect()
}

/// What a look-up takes in a process of its own, in nanoseconds; its bytes an entry are put aside.
fn run((job, variable): Run, session: &Session, sizes: &mut Vec<f64>) -> Result<f64, String> {
    match child::figures(job, session.keys, &[], &[variable])?[..] {
        [ns, bytes] => {
            sizes.push(bytes);
            Ok(ns)
        }
        _ => Err(format!("{job}: two figures were expected")),
    }
}

/// Loads what `job` names and looks up some of it: nanoseconds a look-up, bytes an entry.
#[expect(clippy::cast_precision_loss, reason = "bytes of a machine are below 2^53")]
pub(crate) fn measure(job: &str, keys: u64) -> Result<Vec<f64>, String> {
    let numbers = Law::Uniform.draw(keys, LOOKUPS, &mut pairs::random("pages", 0));
    let small_pages = [NUMBERS_SMALL, TOGETHER_SMALL].contains(&job);
    let options = Options { small_pages, ..pairs::roomy(keys) };
    let before = resident()?;
    let (ns, after) = if [NUMBERS, NUMBERS_SMALL].contains(&job) {
        let store: StoreTarget<u64, u64> = pairs::filled(&options, keys, None)?;
        let after = resident()?;
        let ns = ns_each(&store, &[numbers], |store, key| {
            black_box(store.get(key, |value| *value));
        });
        (ns, after)
    } else {
        let store = bytes::filled(&options, keys)?;
        let after = resident()?;
        let keys = numbers.into_iter().map(Box::<str>::numbered).collect();
        let ns = ns_each(&store, &[Box::in_order_of_memory(keys)], |store, key| {
            black_box(store.read(&**key, |value| value.last().copied()));
        });
        (ns, after)
    };
    Ok(vec![ns, after.saturating_sub(before) as f64 / keys as f64])
}
