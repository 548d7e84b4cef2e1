# `make` alone lists what there is. Everything that is installed goes to .venv, everything that is built to target.

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench fuzz differential capi install-capi clean
.DELETE_ON_ERROR:

VENV := $(CURDIR)/.venv
FUZZ := crates/transire-core/fuzz
SEEDS := $(CURDIR)/$(FUZZ)/corpus
# Seconds that each fuzz target runs.
SECONDS ?= 60
# Inputs that the reference is held against, and where their making begins.
COUNT ?= 1000000
SEED ?= 0
# The oldest Rust that builds the workspace, 1.x.
RUST_MINOR := $(shell sed -n 's/^rust-version = "1\.\([0-9]*\).*/\1/p' Cargo.toml)
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --quiet

CAPI := crates/transire-capi
PREFIX ?= /usr/local
# Where a distribution has them elsewhere: LIBDIR=/usr/lib64, LIBDIR=/usr/lib/x86_64-linux-gnu.
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
# Where cargo builds.
TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
ABI_MAJOR := $(shell sed -n 's/^constant TRANSIRE_ABI_MAJOR //p' $(CAPI)/abi.txt)
ABI := $(ABI_MAJOR).$(shell sed -n 's/^constant TRANSIRE_ABI_MINOR //p' $(CAPI)/abi.txt)

# rustup's own folder may not be on PATH yet, right after it was installed.
export PATH := $(VENV)/bin:$(PATH):$(HOME)/.cargo/bin
export VIRTUAL_ENV := $(VENV)
unexport CONDA_PREFIX PYTHONHOME PYTHONPATH

# Where there was no cargo, maturin's build backend brought one into the user's cache (package puccinialin).
WITH_RUST = command -v cargo >/dev/null || \
	for brought in "$${XDG_CACHE_HOME:-$$HOME/.cache}/puccinialin" "$$HOME/Library/Caches/puccinialin"; do \
		[ ! -x "$$brought/cargo/bin/cargo" ] || \
			export RUSTUP_HOME="$$brought/rustup" CARGO_HOME="$$brought/cargo" PATH="$$PATH:$$brought/cargo/bin"; \
	done;
# A linker and the C library's start files, which rustc needs, not only a program named cc.
WITH_CC = echo 'int main(void) { return 0; }' | cc -x c -o $(VENV)/.cc - 2>/dev/null || \
	{ echo 'missing: a C compiler that works (cc; on Debian: apt install gcc libc6-dev)' >&2; exit 1; };

# What the package is built from. The stamps below are in .venv and go with it.
SOURCES := $(shell find crates -path '$(FUZZ)' -prune -o -type f \( -path '*/src/*' -o -name Cargo.toml \) -print)
# A .venv whose Python is gone (moved, or its system upgraded) is made anew.
$(shell $(VENV)/bin/python -c '' 2>/dev/null || rm -f $(VENV)/.made*)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

demo: $(VENV)/.made-package ## a captured stream: inspected, judged, sealed, passed through the gate, damaged, refused
	@sh demo/run.sh

test: $(VENV)/.made-dev $(VENV)/.made-package ## all tests, of Rust and of Python
	@$(WITH_RUST) cargo test --workspace --exclude transire-python
	@pytest

lint: $(VENV)/.made-dev $(VENV)/.made-package ## format, lints, types, stubs and documentation; warnings are errors
	@$(WITH_RUST) for part in rustfmt clippy-driver; do \
		$$part --version >/dev/null 2>&1 || \
			{ echo "missing: $$part (rustup component add rustfmt clippy)" >&2; exit 1; }; \
	done
	@$(WITH_RUST) set -ex; \
	cargo fmt --all --check; \
	cargo fmt --manifest-path $(FUZZ)/Cargo.toml --check; \
	cargo clippy --locked --workspace --all-targets -- -D warnings; \
	cargo clippy --locked --package transire-core --no-default-features -- -D warnings; \
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps; \
	ruff check; \
	ruff format --check; \
	mypy; \
	MYPYPATH=python python -m mypy.stubtest --mypy-config-file pyproject.toml transire

format: $(VENV)/.made-dev ## bring Rust and Python sources into form
	@$(WITH_RUST) cargo fmt --all && cargo fmt --manifest-path $(FUZZ)/Cargo.toml
	@ruff check --fix --exit-zero
	@ruff format

bench: $(VENV)/.made-dev $(VENV)/.made-package ## benchmarks, of Rust and of Python; fills docs/benchmarks.md
	@$(WITH_RUST) python scripts/benchmarks.py

# New inputs go to target/fuzz, so that the seeds in the tree stay as they are. A sanitizer is a nightly flag, which a
# stable compiler takes when told to.
fuzz: $(VENV)/.made-fuzz ## each fuzz target for SECONDS (60); needs a C++ compiler
	@$(WITH_CC) c++ --version >/dev/null 2>&1 || \
		{ echo 'missing: a C++ compiler (c++; on Debian: apt install g++)' >&2; exit 1; }
	@$(WITH_RUST) command -v cargo >/dev/null || { echo 'missing: cargo (install Rust with rustup)' >&2; exit 1; }; \
	export RUSTC_BOOTSTRAP=1; \
	targets=$$(cargo fuzz list --fuzz-dir $(FUZZ)) || exit 1; \
	for target in $$targets; do \
		found="$(CURDIR)/target/fuzz/$$target"; \
		mkdir -p "$$found"; \
		set -- "$$found"; \
		[ ! -d "$(SEEDS)/$$target" ] || set -- "$$found" "$(SEEDS)/$$target"; \
		echo "fuzz $$target: $(SECONDS) s"; \
		cargo fuzz run --fuzz-dir $(FUZZ) "$$target" "$$@" -- \
			-max_total_time=$(SECONDS) -timeout=10 -verbosity=0 -print_final_stats=1 || exit 1; \
	done

differential: $(VENV)/.made-dev $(VENV)/.made-package ## the package against the reference, over COUNT inputs (1000000)
	@python scripts/differential.py --count $(COUNT) --seed $(SEED)

capi: ## the C library: built, installed below target/capi, and tested there
	@$(WITH_RUST) command -v cargo >/dev/null || { echo 'missing: cargo (install Rust with rustup)' >&2; exit 1; }; \
	cargo test --locked --package transire-capi
	@rm -rf $(TARGET)/capi && mkdir -p $(TARGET)/capi/scratch
	@$(MAKE) --no-print-directory install-capi PREFIX=$(TARGET)/capi/prefix DESTDIR=
	@$(MAKE) --no-print-directory install-capi PREFIX=/usr LIBDIR=/usr/lib64 \
		DESTDIR=$(TARGET)/capi/staged
	@sh $(CAPI)/tests/run.sh $(TARGET)/capi/prefix $(TARGET)/capi/staged $(TARGET)/capi/scratch

# Without the kind that is for Rust: beside it, cargo does not optimise across crates.
install-capi: ## libtransire.a, libtransire.so, transire.h and transire.pc into PREFIX (/usr/local) below DESTDIR
	@$(WITH_RUST) cargo rustc --locked --release --package transire-capi --lib --crate-type cdylib,staticlib
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR)
	install -m 644 $(TARGET)/release/libtransire.a $(DESTDIR)$(LIBDIR)/
	install -m 755 $(TARGET)/release/libtransire.so $(DESTDIR)$(LIBDIR)/libtransire.so.$(ABI)
	ln -sf libtransire.so.$(ABI) $(DESTDIR)$(LIBDIR)/libtransire.so.$(ABI_MAJOR)
	ln -sf libtransire.so.$(ABI_MAJOR) $(DESTDIR)$(LIBDIR)/libtransire.so
	install -m 644 $(CAPI)/include/transire.h $(DESTDIR)$(INCLUDEDIR)/
	sed -e 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|; s|@ABI@|$(ABI)|' \
		-e 's|@LIBDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIBDIR))|' \
		-e 's|@INCLUDEDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(INCLUDEDIR))|' \
		$(CAPI)/transire.pc.in >$(DESTDIR)$(LIBDIR)/pkgconfig/transire.pc

clean: ## remove what was built and installed
	rm -rf target $(VENV) dist $(FUZZ)/target .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find python tests benches demo -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
	rm -f python/transire/_native*.so

$(VENV)/.made:
	@rm -rf $(VENV); \
	for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 none; do \
		! $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || break; \
	done; \
	[ $$python != none ] || { echo 'missing: Python 3.11 or newer (python3)' >&2; exit 1; }; \
	$$python -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "missing: the module venv of $$python (on Debian: apt install python3-venv)" >&2; exit 1; }; \
	echo "making .venv with $$($$python --version)"; \
	$$python -m venv $(VENV)
	@$(PIP) install pip==26.3
	@touch $@

# Tools, from the dependency groups of pyproject.toml.
$(VENV)/.made-build $(VENV)/.made-dev $(VENV)/.made-fuzz: $(VENV)/.made-%: $(VENV)/.made pyproject.toml
	@echo 'installing tools: $*'
	@$(PIP) install --group $*
	@touch $@

$(VENV)/.made-package: $(VENV)/.made-build $(SOURCES) Cargo.toml Cargo.lock pyproject.toml
	@$(WITH_CC)
	@$(WITH_RUST) \
	if command -v cargo >/dev/null; then \
		minor=$$(rustc --version | sed -n 's/^rustc 1\.\([0-9]*\).*/\1/p'); \
		[ "$${minor:-0}" -ge $(RUST_MINOR) ] || \
			{ echo "missing: Rust 1.$(RUST_MINOR) or newer; $$(rustc --version) is too old (rustup update)" >&2; exit 1; }; \
		maturin develop --release; \
	else \
		echo 'no cargo on PATH: the build backend brings one, and builds (log: .venv/build.log)'; \
		$(PIP) install --editable . >$(VENV)/build.log 2>&1 && exit; \
		tail -n 20 $(VENV)/build.log >&2; \
		$(WITH_RUST) command -v cargo >/dev/null || \
			echo 'missing: cargo, and the build backend could not bring one (install Rust with rustup)' >&2; \
		exit 1; \
	fi
	@touch $@
