# `just` alone lists what can be done here.

loom_flags := '--cfg checker="loom"'
shuttle_flags := '--cfg checker="shuttle"'
models := "test -p store --release --lib checks::models"

# List the recipes
default:
    @just --list --unsorted

# Replay workload files and write reports to results/ (`just bench workloads/10m_mixed.toml`)
bench +ARGS:
    cargo run --release --quiet -p harness -- bench {{ARGS}}

# Check workload files without running them: effective form, digest, memory needed
check +FILES:
    cargo run --release --quiet -p harness -- check {{FILES}}

# Show a saved report
show +ARGS:
    cargo run --release --quiet -p harness -- show {{ARGS}}

# Run every shipped workload in full and commit-ready (over half an hour)
bench-all:
    just bench workloads/*.toml

# Run all tests: units, semantics, tidiness, documentation, then the smoke workload
test:
    cargo test --workspace
    cargo run --release --quiet -p harness -- bench workloads/smoke.toml --quick

# Explore the models with loom, over the real map
test-loom *ARGS:
    RUSTFLAGS='{{loom_flags}}' cargo {{models}} --target-dir target-loom -- --test-threads=1 --nocapture {{ARGS}}

# Explore the models with shuttle, over the real map
test-shuttle *ARGS:
    RUSTFLAGS='{{shuttle_flags}}' cargo {{models}} --target-dir target-shuttle -- --test-threads=1 --nocapture {{ARGS}}

# Formatting, clippy and documentation, with warnings denied
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items

# Licences, duplicate crates, sources and advisories (needs `cargo install cargo-deny`)
deny:
    cargo deny check

# Everything that must pass before a change lands
ci: test lint test-loom test-shuttle
