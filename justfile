# `just` alone lists what can be done here.

loom_flags := '--cfg checker="loom"'
shuttle_flags := '--cfg checker="shuttle"'
models := "test -p store --release --lib checks::models"
peers := "store,byte_store,scc,moka,quick_cache,dashmap,papaya,mini-moka,lru"
published := "workloads/10m_mixed.toml workloads/expiry_storm.toml workloads/capped.toml workloads/ycsb_a.toml workloads/ycsb_b.toml workloads/ycsb_c.toml"
alone := "--test-threads=1 --nocapture"

# List the recipes
default:
    @just --list --unsorted

# Replay workload files and write reports to results/ (`just bench workloads/10m_mixed.toml`)
bench +ARGS:
    cargo run --release --quiet -p harness -- bench {{ARGS}}

# Replay workload files against every peer too, interleaved by repeats; peers that lack what a file requires are skipped
bench-peers +ARGS:
    cargo run --release --quiet -p harness --features peers -- bench --target {{peers}} {{ARGS}}

# Run what the README's table shows against every peer (half an hour), and write the table
publish *ARGS:
    # Exit code 3: an objective was missed, by a peer if not by us; that is to be shown, too.
    just bench-peers --repeat 3 {{published}} {{ARGS}} || [ $? -eq 3 ]
    just peers

# Write the README's table anew from the committed reports (`--revision REV`)
peers *ARGS:
    cargo run --release --quiet -p harness -- peers --into README.md {{ARGS}}

# Find the highest rate at which a phase meets its objectives (`just capacity FILE --phase NAME`)
capacity FILE *ARGS:
    cargo run --release --quiet -p harness -- capacity {{FILE}} {{ARGS}}

# Check workload files without running them: effective form, digest, memory needed
check +FILES:
    cargo run --release --quiet -p harness -- check {{FILES}}

# Play traces through the store's policies and the peers', side by side; writes results/hit_ratio.md
hit-ratio *ARGS:
    cargo run --release --quiet -p harness --features peers -- hit_ratio --out results/hit_ratio.md {{ARGS}}

# Record calls on a store, say what a trace holds, replay it (`just trace record|info|replay`)
trace *ARGS:
    cargo run --release --quiet -p harness -- trace {{ARGS}}

# Show a saved report
show +ARGS:
    cargo run --release --quiet -p harness -- show {{ARGS}}

# Make a page of charts from saved reports (`just html results/smoke`, `--compare OLD NEW`)
html +ARGS:
    cargo run --release --quiet -p harness -- html {{ARGS}}

# Make results/README.md and its pictures anew from the committed reports
index:
    cargo run --release --quiet -p harness -- index

# Say whether B differs from A: reports, folders of them, or revisions whose results are committed
compare A B *ARGS:
    cargo run --release --quiet -p harness -- compare {{A}} {{B}} {{ARGS}}

# Build two revisions (`.`: as it is), let them take turns on a workload, say whether B differs
ab A B FILE *ARGS:
    cargo run --release --quiet -p harness -- ab {{A}} {{B}} {{FILE}} {{ARGS}}

# Measure this machine's noise and say what could be claimed here (`--seconds 60`)
doctor *ARGS:
    cargo run --release --quiet -p harness -- doctor {{ARGS}}

# Run every shipped workload in full, with reports that can be committed (over half an hour)
bench-all:
    just bench workloads/*.toml

# Serve the store at 127.0.0.1:6380 (`just serve --help`, `just serve --max-memory 1GiB`)
serve *ARGS:
    cargo run --release --quiet -p server -- {{ARGS}}

# The server beside redis-server: rates, processor time, latency, memory; and HTTP (`--quick`, `--rounds N`, `--out results/server.md`; Debian: redis-server redis-tools wrk)
bench-server *ARGS:
    cargo bench --quiet -p server --bench beside_redis -- {{ARGS}}

# Run all tests: units, semantics, tidiness, documentation, then the smoke workload
test:
    cargo test --workspace
    cargo run --quiet -p harness -- bench workloads/smoke.toml --quick

# Run the harness's tests that differ when all peers are built in
test-peers:
    cargo test -p harness --all-features --lib --test cli --test hit_ratio --test redis

# Test against real programs: redis-server beside ours, clients and tests that others made, several servers behind a proxy (Debian: redis-server redis-tools nutcracker tcl; then server/tests/fetch.sh: python3-venv curl)
test-interop:
    INTEROP=required cargo test -p server --test interop --test clients --test supported --test proxy --test snapshot_interop
    INTEROP=required cargo test -p harness --all-features --test interop

# Explore the models with loom, over the real map and over the stand-in
test-loom *NAMES:
    @echo '| model over scc | threads | explored | executions | time |'
    RUSTFLAGS='{{loom_flags}}' cargo {{models}} --target-dir target-loom -- {{alone}} {{NAMES}}
    @echo '| model over the stand-in | threads | explored | executions | time |'
    RUSTFLAGS='{{loom_flags}} --cfg table="stand_in"' cargo {{models}} --target-dir target-loom -- {{alone}} {{NAMES}}

# The same with three preemptions instead of two in models of three threads (long)
test-loom-long *NAMES:
    LOOM_MAX_PREEMPTIONS=3 just test-loom {{NAMES}}

# Explore models and histories with shuttle, over the real map: 100,000 schedules and more
test-shuttle *NAMES:
    @echo '| model | threads | explored | executions | time |'
    RUSTFLAGS='{{shuttle_flags}}' cargo test -p store --release --lib checks:: --target-dir target-shuttle -- {{alone}} {{NAMES}}

# The same for hours: a million schedules of each kind for each model
test-shuttle-long *NAMES:
    SHUTTLE_ITERATIONS=1000000 just test-shuttle {{NAMES}}

# Run one model under a schedule that failed (FILE is what shuttle printed)
replay-shuttle FILE NAME:
    SHUTTLE_REPLAY='{{absolute_path(FILE)}}' just test-shuttle {{NAME}}

# Run one model with loom over one TABLE (`scc`, `stand_in`), keeping the failing execution in target-loom/; again: from there
replay-loom NAME TABLE='scc':
    LOOM_CHECKPOINT_INTERVAL=1 LOOM_CHECKPOINT_FILE="$PWD/target-loom/{{NAME}}-{{TABLE}}.json" LOOM_LOG=info LOOM_LOCATION=1 \
    RUSTFLAGS='{{loom_flags}} {{ if TABLE == "stand_in" { "--cfg table=\"stand_in\"" } else { "" } }}' \
    cargo {{models}} --target-dir target-loom -- {{alone}} {{NAME}}

# Simulate the store in virtual time for a minute (SIMULATE_SECONDS), or one SEED again
simulate SEED='':
    SIMULATE_SEED='{{SEED}}' cargo test -p store --release --lib simulate -- --ignored --nocapture

# Make each planted bug (or only NAMES) and show which checks catch it; writes results/planted.md
test-planted *NAMES:
    PLANTED_ONLY='{{NAMES}}' RUSTFLAGS='--cfg planted' cargo test -p store --release --lib --target-dir target-planted -- --ignored --nocapture every_planted_bug_is_caught

# The same by the checks alone that must catch a bug, and without a page: NAMES in a few minutes
check-planted *NAMES:
    PLANTED_ONLY='{{NAMES}}' RUSTFLAGS='--cfg planted' cargo test -p store --release --lib --target-dir target-planted -- --ignored --nocapture planted_bugs_are_caught_by_their_owners

# Fuzz a parser (`workload`, `units`, `trace`, `recording`, `requests` or `snapshot`) for so many SECONDS (needs `cargo install cargo-fuzz`)
fuzz TARGET='workload' SECONDS='60':
    mkdir -p target/fuzz-corpus/{{TARGET}}
    cargo fuzz run --sanitizer none {{TARGET}} target/fuzz-corpus/{{TARGET}} fuzz/corpus/{{TARGET}} -- -max_total_time={{SECONDS}}

# The store's unit tests under Miri (needs a nightly toolchain with the component miri)
miri:
    cargo +nightly miri test -p store --lib -- expiry entry stats removed

# The stress test under ThreadSanitizer (needs a nightly toolchain with rust-src)
tsan:
    RUSTFLAGS=-Zsanitizer=thread cargo +nightly test -Zbuild-std --target x86_64-unknown-linux-gnu -p store --lib --target-dir target-tsan stress

# Formatting, clippy and documentation, with warnings denied
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo clippy -p harness --all-targets --all-features -- -D warnings
    RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items

# What a hit costs in a bounded store, against one without a bound
hit-cost:
    cargo bench --quiet -p store --bench hit_cost

# Measure every target beside what it is compared with, with a verdict each (`just bench-ratios --help`, `--quick`)
bench-ratios *ARGS:
    cargo bench --quiet -p harness --features dashmap,moka,quick_cache --bench ratios -- {{ARGS}}

# Memory and latency of the server with its values in memory and on disk (`--pairs`, `--value`, `--caches`, `--out results/values.md`)
bench-values *ARGS:
    cargo bench --quiet -p server --bench values_on_disk -- {{ARGS}}

# Licences, duplicate crates, sources and advisories (needs `cargo install cargo-deny`)
deny:
    cargo deny check

# Everything that must pass before a change lands
ci:
    bash .ci/run
