# Two commands for a stranger: `make demo` shows a night, `make test` proves the program.
# Both install the Debian packages they need where they are missing (.ci/packages) and change nothing else.

CARGO ?= cargo

BUILD_PACKAGES := build-essential pkg-config libssl-dev libclang-dev
TEST_PACKAGES := $(BUILD_PACKAGES) openssh-server gnupg libxml2-utils systemd postgresql

.PHONY: demo test lint golden bench explain soak histories fuzz build-packages test-packages

demo: build-packages
	$(CARGO) run --release --locked -- demo

test: test-packages lint
	$(CARGO) test --locked

lint: build-packages
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items

# Writes the expected files of the fixtures and the help texts anew; read the difference before you commit it.
golden: test-packages
	UPDATE_GOLDEN=1 $(CARGO) test --locked --test golden
	UPDATE_GOLDEN=1 $(CARGO) test --locked --test cli help

# COUNT=1000000 make bench: another number of plastics.
bench: build-packages
	$(CARGO) bench --locked --bench night

# Writes docs/EXPLAIN.md anew: what PostgreSQL does with the statements of a night.
explain: test-packages
	EMBOSS_EXPLAIN=docs/EXPLAIN.md EMBOSS_EXPLAIN_CARDS=100000 $(CARGO) test --locked --test explain_postgres

# HOURS=8 CASES=100 make soak: random schedules of faults, so many to a round, rounds until the hours are over. Each
# round prints its seed; FAULT_SEED=... CASES=... HOURS=0 make soak plays that one round again.
HOURS ?= 1
CASES ?= 50
soak: test-packages
	@until=$$(($$(date +%s) + $(HOURS) * 3600)); \
	while FAULT_CASES=$(CASES) $(CARGO) test --locked --test faults schedules -- --nocapture; do \
	    [ $$(date +%s) -lt $$until ] || exit 0; \
	done; exit 1

# The same with random histories of cards: HISTORY_SEED=... CASES=... HOURS=0 make histories plays one round again.
histories: test-packages
	@until=$$(($$(date +%s) + $(HOURS) * 3600)); \
	while HISTORY_CASES=$(CASES) $(CARGO) test --locked --test histories random -- --nocapture; do \
	    [ $$(date +%s) -lt $$until ] || exit 0; \
	done; exit 1

# make fuzz TARGET=intake_line SECONDS=600: invents input for one parser, with cargo-fuzz; fuzz/README.md has the targets.
TARGET ?= intake_line
SECONDS ?= 600
fuzz: build-packages
	@mkdir -p fuzz/grown/$(TARGET) fuzz/findings/$(TARGET)
	$(CARGO) fuzz run --sanitizer none $(TARGET) fuzz/grown/$(TARGET) fuzz/corpus/$(TARGET) fuzz/findings/$(TARGET) -- \
	    -dict=fuzz/dictionaries/$(TARGET).dict -max_total_time=$(SECONDS) -timeout=10 -print_final_stats=1

build-packages:
	@.ci/packages $(BUILD_PACKAGES)

test-packages:
	@.ci/packages $(TEST_PACKAGES)
