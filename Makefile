# What there is to do here. `make` alone says it.

CARGO ?= cargo
# How many days of two branches `make simulate` goes through.
SEEDS ?= 10000

# How long `make soak` runs, and what decides it.
MINUTES ?= 10
SEED ?= $(shell date +%s)

.DEFAULT_GOAL := help
.PHONY: help setup build test lint simulate soak demo clean

help: ## says what there is to do
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

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

demo: setup build ## shows it at work: a broker, head office, two branches; cleans up after itself
	@assets/demo.sh target/release/branchline

clean: ## removes what was built
	$(CARGO) clean
