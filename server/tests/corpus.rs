//! Whatever arrives, and in whatever pieces, is carried out or refused alike, never with a panic.
//! `just fuzz requests` searches further, and `just fuzz snapshot` in snapshots.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use server::interpret::{interpret, packed, read_snapshot};

fn is_alike_in_pieces(received: &[u8]) {
    let whole = interpret(received, received.len()).expect("a server");
    for piece in [1, 7] {
        assert_eq!(interpret(received, piece).expect("a server"), whole, "in pieces of {piece}");
    }
}

#[test]
fn the_committed_corpus_is_carried_out_or_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/requests");
    let mut files = 0;
    for entry in fs::read_dir(&folder).expect("the corpus is committed") {
        let bytes = fs::read(entry.expect("it can be read").path()).expect("it can be read");
        is_alike_in_pieces(&bytes);
        for end in (0..bytes.len()).step_by(5) {
            is_alike_in_pieces(&bytes[..end]);
        }
        files += 1;
    }
    assert!(files >= 5, "{files}");
}

#[test]
fn the_committed_corpus_of_snapshots_is_read_or_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/snapshot");
    let (mut read, mut refused) = (0, 0);
    for entry in fs::read_dir(&folder).expect("the corpus is committed") {
        let bytes = fs::read(entry.expect("it can be read").path()).expect("it can be read");
        let as_text = packed(&bytes).expect("memory takes it");
        for snapshot in [bytes, as_text] {
            match read_snapshot(&snapshot).expect("a server") {
                Ok(_) => read += 1,
                Err(_) => refused += 1,
            }
        }
    }
    // Texts and what is packed; texts that are not packed, one without a checksum, one too long and
    // one too far away.
    assert_eq!((read, refused), (3, 9));
}

/// Bits of requests, whole and broken.
fn bit() -> impl Strategy<Value = Vec<u8>> {
    let bits: Vec<&[u8]> = vec![
        b"*1\r\n",
        b"*2\r\n",
        b"*3\r\n",
        b"$3\r\n",
        b"$1\r\n",
        b"$0\r\n",
        b"GET\r\n",
        b"SET\r\n",
        b"a\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"*",
        b"$",
        b"-1\r\n",
        b"*-1\r\n",
        b"*0\r\n",
        b"$-1\r\n",
        b"PING\r\n",
        b"SET a 'b c'\r\n",
        b"\"",
        b"\\x",
        b"\0",
        b" ",
        b"99999999999",
        b"KEYS *\r\n",
        b"*1048577\r\n",
        b"SCAN 0\r\n",
        b"HELLO 3\r\n",
        b"INFO\r\n",
        b"COMMAND\r\n",
    ];
    prop_oneof![
        9 => proptest::sample::select(bits).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 1..9),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]
    #[test]
    fn made_up_bytes_are_carried_out_or_refused(bits in proptest::collection::vec(bit(), 0..30)) {
        is_alike_in_pieces(&bits.concat());
    }
}
