//! Any bytes as requests, in any pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use server::interpret::interpret;

fuzz_target!(|received: (u8, &[u8])| {
    let (piece, received) = received;
    let whole = interpret(received, received.len()).expect("a server");
    assert_eq!(interpret(received, piece.into()).expect("a server"), whole);
});
