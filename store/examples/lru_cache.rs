//! A cache of bounded size that lets the least recently used go, and loads what it misses once.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use store::{Eviction, RemovalCause, Store};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let evicted = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&evicted);
    let pages = Store::<u32, Arc<str>>::builder()
        .max_entries(3)
        // Leave it out for S3-FIFO, which takes no lock on a hit and withstands scans.
        .eviction(Eviction::Lru)
        .on_removal(move |number, _page, cause| {
            if cause == RemovalCause::Evicted {
                count.fetch_add(1, Ordering::SeqCst);
                println!("page {number} had to go");
            }
        })
        .build()?;

    let render = |number: u32| -> Arc<str> {
        println!("page {number} is rendered");
        format!("<h1>Page {number}</h1>").into()
    };
    for number in [1, 2, 3, 1, 4] {
        let page = pages.get_or_put_with(number, || render(number));
        assert_eq!(&*page, format!("<h1>Page {number}</h1>"));
    }
    // Page 1 was used again, so page 2 was the least recently used when page 4 came.
    assert_eq!([1, 2, 3, 4].map(|number| pages.contains(&number)), [true, false, true, true]);
    assert_eq!((pages.len(), evicted.load(Ordering::SeqCst)), (3, 1));

    // However many ask for it at once, a page is rendered once.
    let before = pages.stats().loads;
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| pages.get_or_put_with(9, || render(9)));
        }
    });
    let stats = pages.stats();
    assert_eq!(stats.loads - before, 1);
    println!("{} hits, {} misses, {} renderings", stats.hits, stats.misses, stats.loads);
    Ok(())
}
