//! How the benchmark beside redis-server reads what programs print. It has a `main` of its own, so its
//! units are tested from here.

#[path = "../benches/beside_redis/figures.rs"]
mod figures;

use figures::{Run, Spread, children_cpu_s, cpu_s, http_run, resident_bytes, run, spread};

const NAMES: &str = "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\
                     \"p50_latency_ms\",\"p95_latency_ms\",\"p99_latency_ms\",\"max_latency_ms\"";

#[test]
fn a_run_is_read_by_the_names_of_its_columns() {
    let figures = "\"GET\",\"142857.14\",\"0.220\",\"0.072\",\"0.199\",\"0.367\",\"1.031\",\"1.1\"";
    let expected = Run { rate: 142_857.14, p50_ms: 0.199, p99_ms: 1.031 };
    assert_eq!(run(&format!("{NAMES}\n{figures}\n")), Some(expected));
    let warned = format!("WARNING: Could not fetch server CONFIG\n{NAMES}\n{figures}\n");
    assert_eq!(run(&warned), Some(expected));
    let swapped = "\"p99_latency_ms\",\"p50_latency_ms\",\"rps\"\n\"3\",\"2\",\"1\"";
    assert_eq!(run(swapped), Some(Run { rate: 1.0, p50_ms: 2.0, p99_ms: 3.0 }));
}

#[test]
fn what_is_no_run_is_not_taken_for_one() {
    for text in ["", NAMES, &format!("{NAMES}\n\"GET\",\"1.0\""), "\"rps\"\n\"1.0\""] {
        assert_eq!(run(text), None, "{text}");
    }
    let nothing = "\"GET\",\"0.00\",\"0\",\"0\",\"0\",\"0\",\"0\",\"0\"";
    assert_eq!(run(&format!("{NAMES}\n{nothing}")), None);
    assert_eq!(run(&format!("{NAMES}\n{}", nothing.replace("0.00", "nan"))), None);
}

#[test]
fn a_run_over_http_is_read_and_refused_if_anything_failed() {
    let text = "Running 1s test @ http://127.0.0.1:1/x\n  Latency Distribution\n     \
                50%  230.50us\n     75%    1.00ms\n     90%    2.00ms\n     99%    1.20s \n  \
                1000 requests in 1.00s, 1.0MB read\nRequests/sec:  90123.45\nTransfer/sec: 1MB\n";
    let expected = Run { rate: 90_123.45, p50_ms: 0.2305, p99_ms: 1_200.0 };
    assert_eq!(http_run(text), Some(expected));
    assert_eq!(http_run(&format!("{text}  Non-2xx or 3xx responses: 3\n")), None);
    assert_eq!(http_run(&format!("{text}  Socket errors: connect 0, read 1\n")), None);
    assert_eq!(http_run(&text.replace("99%", "98%")), None);
}

#[test]
fn times_and_memory_are_read_whatever_the_program_is_called() {
    let stat = "7 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 150 50 13 14 20 0";
    assert_eq!(cpu_s(stat), Some(2.0));
    assert_eq!(children_cpu_s(stat), Some(0.27));
    assert_eq!(cpu_s("7 (server) S 1"), None);
    assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2_097_152.0));
    assert_eq!(resident_bytes("Name:\tx\n"), None);
}

#[test]
fn the_median_is_in_the_middle() {
    assert_eq!(spread([3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
    assert_eq!(spread([4.0, 1.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
    assert_eq!(spread([]), None);
}
