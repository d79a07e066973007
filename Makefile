# What there is to do here. `make` alone says it.

CARGO ?= cargo
# How many days of two branches `make simulate` goes through.
SEEDS ?= 10000
# How long `make fuzz` goes on.
FUZZ_SECONDS ?= 60

# How long `make soak` runs, and what decides it.
MINUTES ?= 10
SEED ?= $(shell date +%s)

.DEFAULT_GOAL := help
.PHONY: help setup build test lint simulate soak bench bench-full fuzz demo clean

help: ## says what there is to do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## installs what is missing here (RabbitMQ, for one); starts no service
	@assets/setup.sh

build: ## builds the program: target/release/branchline
	$(CARGO) build --release --locked

test: setup ## formatting, lints, documentation and all tests, on a broker of their own
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --locked
	$(CARGO) test --locked

lint: ## checks that need tools of their own: cargo-deny, cargo-machete, typos; skips what is not installed
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny check; else echo "cargo-deny is not installed"; fi
	@if command -v cargo-machete >/dev/null; then $(CARGO) machete; else echo "cargo-machete is not installed"; fi
	@if command -v typos >/dev/null; then typos; else echo "typos is not installed"; fi

simulate: ## simulates two branches and head office with every fault: SEEDS=10000
	BRANCHLINE_SEEDS=$(SEEDS) $(CARGO) test --release --locked --test it simulation::many_seeds -- --nocapture

soak: setup ## twenty branches and head office under random faults, all real: MINUTES=10 SEED=7
	BRANCHLINE_SOAK_MINUTES=$(MINUTES) BRANCHLINE_SOAK_SEED=$(SEED) $(CARGO) test --release --locked --test it faults::soak -- --nocapture

bench: setup ## measures the real program on a broker of its own, prints a table, writes target/bench/bench.json; under ten minutes once built
	$(CARGO) bench --locked --bench end_to_end
	$(CARGO) bench --locked --bench micro

bench-full: setup ## the same with ten million sales and longer cuts: an hour or so
	BRANCHLINE_BENCH_FULL=1 $(CARGO) bench --locked --bench end_to_end

fuzz: ## feeds the codec with bytes that nobody sent, for a time: FUZZ_SECONDS=60; needs cargo-fuzz and a nightly toolchain
	@command -v cargo-fuzz >/dev/null || { echo "cargo-fuzz is not installed: \`cargo install cargo-fuzz\` and \`rustup toolchain install nightly\` are what it needs"; exit 1; }
	$(CARGO) +nightly fuzz run codec -- -max_total_time=$(FUZZ_SECONDS) -max_len=65536

demo: setup build ## shows it at work: a broker, head office, two branches; cleans up after itself
	@assets/demo.sh target/release/branchline

clean: ## removes what was built
	$(CARGO) clean
