//! The committed corpus of the fuzz targets, and small damage to it, on every test run: any text
//! gets cases or a message, never a panic. `just fuzz` searches further.

use harness::hit_ratio::file::{self, Format};
use harness::trace::summary::Summary;
use harness::trace::{Reader, Torn, format};
use harness::workload::load::{Overrides, Source, load};
use harness::workload::{slo, units};
use std::fs;
use std::path::{Path, PathBuf};

fn corpus_bytes(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths.iter().filter_map(|path| fs::read(path).ok()).collect()
}

fn corpus(target: &str) -> Vec<String> {
    let texts = corpus_bytes(target).into_iter();
    texts.filter_map(|bytes| String::from_utf8(bytes).ok()).collect()
}

/// The text itself, and with each line left out, doubled, or its last value damaged.
fn damaged(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut texts = vec![text.to_owned()];
    for (at, &line) in lines.iter().enumerate() {
        let with = |replacement: &[&str]| {
            [&lines[..at], replacement, &lines[at + 1..]].concat().join("\n")
        };
        texts.push(with(&[]));
        texts.push(with(&[line, line]));
        if let Some((key, _)) = line.split_once('=') {
            for value in ["-1", "0", "1e308", "\"\"", "[]", "{}", "true", "99999999999999999999"] {
                texts.push(with(&[&format!("{key}= {value}")]));
            }
        }
    }
    texts
}

#[test]
fn any_text_is_cases_or_a_message_that_names_the_file() {
    let texts: Vec<String> = corpus("workload").iter().flat_map(|text| damaged(text)).collect();
    assert!(texts.len() > 500, "the corpus is not where it should be");
    let mut refused = 0;
    for text in texts {
        let source = Source { label: "w.toml".to_owned(), text };
        if let Err(message) = load(&source, &Overrides::default()) {
            assert!(message.starts_with("w.toml"), "no place in: {message}");
            refused += 1;
        }
    }
    assert!(refused > 100, "hardly any damage was noticed");
}

#[test]
fn any_text_is_a_unit_or_refused() {
    let texts = corpus("units");
    assert!(texts.len() > 10, "the corpus is not where it should be");
    for text in texts {
        let _ = units::parse_duration_ns(&text);
        let _ = slo::parse("get", &text);
        for number in [units::parse_rate(&text), units::parse_bytes(&text)].into_iter().flatten() {
            assert!(number.is_finite(), "{text:?} is taken for {number}");
        }
    }
}

#[test]
fn any_bytes_are_a_trace_or_a_message() {
    let all = corpus_bytes("trace");
    assert!(all.len() >= 4, "the corpus is not where it should be");
    let (mut read, mut refused) = (0, 0);
    for bytes in &all {
        for len in 0..=bytes.len() {
            for format in [Format::Lines, Format::OracleGeneral] {
                match file::read(&bytes[..len], format) {
                    Ok(keys) => read += usize::from(!keys.is_empty()),
                    Err(message) => refused += usize::from(!message.is_empty()),
                }
            }
        }
    }
    assert!(read > 100 && refused > 100, "{read} read, {refused} refused");
}

#[test]
fn any_bytes_are_a_recording_or_a_damage() {
    let all = corpus_bytes("recording");
    assert!(all.len() >= 4, "the corpus is not where it should be");
    let (mut read, mut refused) = (0, 0);
    for bytes in &all {
        for len in 0..=bytes.len() {
            let bytes = &bytes[..len];
            match Reader::new(bytes, Torn::Refuse).and_then(Summary::read) {
                Ok(summary) => read += usize::from(summary.calls > 0),
                Err(damage) => refused += usize::from(!damage.what.is_empty()),
            }
            if let Ok(kept) = Reader::new(bytes, Torn::Keep).and_then(Summary::read) {
                assert!(kept.damage.is_some() || len == bytes.len());
            }
            for records in [1, 2, 5] {
                let _ = format::decode(bytes, 0, u64::MAX, records);
            }
        }
    }
    assert!(read >= 1 && refused > 100, "{read} read, {refused} refused");
}
