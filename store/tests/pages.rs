//! What a builder says of huge pages reaches the table. Alone, since it looks at the process's memory.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::fs;
use store::Store;

/// Memory that is resident, in bytes.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).map(str::parse::<usize>);
    kib.expect("it is told").expect("it is a number") << 10
}

#[test]
fn a_store_with_room_has_its_memory_at_once_unless_told_otherwise() {
    const ROOM: usize = 1_500_000;
    let taken_by = |builder: store::Builder<u64, u64>| {
        let before = resident();
        let store = builder.capacity(ROOM).build().expect("there is room");
        assert!(store.capacity() >= ROOM);
        resident().saturating_sub(before)
    };
    let slots = ROOM * 24;
    let taken = taken_by(Store::builder());
    assert!(taken > slots, "{taken} bytes");
    let taken = taken_by(Store::builder().huge_pages(true));
    assert!(taken > slots, "{taken} bytes");
    let taken = taken_by(Store::builder().huge_pages(false));
    assert!(taken < slots / 4, "{taken} bytes");
}
