//! Any bytes as a trace of our own, and as the records of one of its blocks, which a checksum keeps
//! from most damage otherwise.
#![no_main]

use harness::trace::summary::Summary;
use harness::trace::{Reader, Torn, format};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = Reader::new(bytes, Torn::Refuse).and_then(Summary::read);
    let kept = Reader::new(bytes, Torn::Keep).and_then(Summary::read);
    if let Ok(whole) = whole {
        assert_eq!(kept.map(|kept| kept.calls), Ok(whole.calls));
    }
    if let Some((records, rest)) = bytes.split_first()
        && let Ok(decoded) = format::decode(rest, 0, 0, u32::from(*records))
    {
        let (mut again, mut last_ns) = (Vec::new(), 0);
        for record in &decoded {
            format::encode(record, last_ns, &mut again);
            last_ns = record.at_ns;
        }
        // Numbers may be written longer than need be, so bytes may differ; records may not.
        assert_eq!(format::decode(&again, 0, 0, u32::from(*records)), Ok(decoded));
    }
});
