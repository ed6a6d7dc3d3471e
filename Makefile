# Crest: one Makefile, not recursive. `make help` lists the targets.
#
# MODE=release|asan|tsan|fuzz picks flags and folder (build/<mode>/); BUILD moves the whole build folder.
# WERROR=1 (lint, CI) turns warnings into errors. A room is a folder and becomes one archive; tests/lint/layers.awk
# says who may include whom. T=... narrows the tests, VERBOSE=1 names every one.
VERSION := 0.1.0
MODE ?= release
BUILD ?= build
OUT := $(BUILD)/$(MODE)
PREFIX ?= /usr/local
DESTDIR ?=
ifeq ($(origin CC),default)
CC := gcc
endif
PKG_CONFIG ?= pkg-config
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# ---- what the code stands on (packages.txt has every package with its reason) -----------------
PKGS := libmicrohttpd sqlite3 libcurl ncursesw zlib libzstd libbrotlidec libpcre2-8 libxml-2.0 yaml-0.1 jansson gnutls libcrypt snappy libxxhash
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null) -lm -lpthread

# Texts for people are bounded and cut on purpose (snprintf), tables leave out what is zero.
WARN := -Wall -Wextra -Wno-missing-field-initializers -Wno-format-truncation -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wvla -Wundef
CFLAGS_release := -O2 -g -fno-omit-frame-pointer -DNDEBUG
CFLAGS_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
CFLAGS_tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
CFLAGS_fuzz := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
CFLAGS_ALL = -std=c17 -D_GNU_SOURCE -I. -I$(OUT)/gen $(WARN) $(if $(WERROR),-Werror) -ffp-contract=off -fstack-protector-strong \
	$(CFLAGS_$(MODE)) $(PKG_CFLAGS) $(CFLAGS)
LDFLAGS_ALL = $(CFLAGS_$(MODE)) $(LDFLAGS)

# ---- rooms: who may include whom (DESIGN §3) ----------------------------------------------------
LIB_ROOMS := lib/base lib/metric lib/match lib/wire lib/httpd lib/db lib/chart lib/term
COLLECTOR_ROOMS := collector/http collector/view collector/event collector/insight collector/slo collector/notify collector/rules \
	collector/query collector/promql collector/store collector/template collector/state collector/live
LOADGEN_ROOMS := loadgen/workers loadgen/trial loadgen/compare loadgen/synthetic loadgen/limit loadgen/bottleneck loadgen/import loadgen/engine loadgen/hurl
ROOMS := $(LIB_ROOMS) agent $(COLLECTOR_ROOMS) collector $(LOADGEN_ROOMS) loadgen tui shop
PROGRAMS := agent collector loadgen tui shop

# Looked at once, and again when the list changes: a missing header is named with its cure, not as a compile error.
$(BUILD)/.packages: packages.txt
	@mkdir -p $(@D)
	@./packages.sh --check build || { echo "Run: make deps" >&2; exit 1; }
	@touch $@

# ---- version: one object of its own, so that a commit relinks the programs and rebuilds nothing else ----
VERSION_SOURCE := lib/base/version.c
VERSION_OBJECT := $(OUT)/obj/lib/base/version.o
VERSION_TEXT := $(VERSION)$(patsubst %, (%),$(shell git describe --always --dirty --abbrev=7 --match 'v*' 2>/dev/null))
$(OUT)/gen/crest_version.h: FORCE
	@mkdir -p $(@D)
	@echo '#define CREST_VERSION "$(VERSION_TEXT)"' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(VERSION_OBJECT): $(OUT)/gen/crest_version.h
.PHONY: FORCE
FORCE:

# ---- objects, archives, programs ----------------------------------------------------------------
# A room's own sources; main.c and a program's other entry points stay out of the archive.
subtree_rooms = $(filter $(1)/%,$(ROOMS))
sources_of = $(filter-out %/main.c $(VERSION_SOURCE) $(foreach r,$(call subtree_rooms,$(1)),$(wildcard $(r)/*.c $(r)/*/*.c)),$(wildcard $(1)/*.c $(1)/*/*.c))
archive = $(OUT)/lib$(subst /,-,$(1)).a
objects = $(patsubst %.c,$(OUT)/obj/%.o,$(1))

define room_rules
$(call archive,$(1)): $(call objects,$(call sources_of,$(1)))
	@rm -f $$@; mkdir -p $$(@D)
	@ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room_rules,$(r))))

# ---- the web app: dashboards/web and uPlot, compressed into byte arrays ---------------------------------
WEB_FILES := $(shell find dashboards/web -type f)
UPLOT := node_modules/uplot/dist/uPlot.iife.min.js
$(UPLOT):
	@echo "uPlot (the page's charts) is missing. Run: make deps" >&2; exit 1
$(OUT)/gen/web_assets.c: dashboards/embed.sh $(WEB_FILES) $(UPLOT)
	@mkdir -p $(@D)
	@dashboards/embed.sh $@
$(OUT)/obj/gen/web_assets.o: $(OUT)/gen/web_assets.c collector/http/assets.h
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS_ALL) -c -o $@ $<
$(call archive,collector/http): $(OUT)/obj/gen/web_assets.o

# ---- the ready mixes of the load generator ----------------------------------------------------------
MIX_FILES := $(wildcard loadgen/mix/*/*)
$(OUT)/gen/mix_files.c: loadgen/mix/embed.sh $(MIX_FILES)
	@mkdir -p $(@D)
	@loadgen/mix/embed.sh $(abspath $@)
$(OUT)/obj/gen/mix_files.o: $(OUT)/gen/mix_files.c loadgen/mix/mix.h
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS_ALL) -c -o $@ $<
$(call archive,loadgen): $(OUT)/obj/gen/mix_files.o

LIB_ARCHIVES := $(foreach r,$(LIB_ROOMS),$(call archive,$(r)))
program_archives = $(foreach r,$(1) $(call subtree_rooms,$(1)),$(call archive,$(r))) $(LIB_ARCHIVES)
BINARIES := $(foreach p,$(PROGRAMS),$(if $(wildcard $(p)/main.c),$(OUT)/crest-$(p)))

define program_rules
$(OUT)/crest-$(1): $(OUT)/obj/$(1)/main.o $(VERSION_OBJECT) $(call program_archives,$(1))
	@mkdir -p $$(@D)
	@echo "  LINK $$@"
	@$(CC) $$(LDFLAGS_ALL) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(PKG_LIBS)
	@$(if $(filter release,$(MODE)),ln -f $$@ $(BUILD)/crest-$(1))
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rules,$(p))))

# The demo drives the programs as a user would; it is not installed.
DEMO := $(if $(wildcard shop/demo/main.c),$(OUT)/crest-demo)
$(OUT)/crest-demo: $(OUT)/obj/shop/demo/main.o $(VERSION_OBJECT) $(call program_archives,shop)
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PKG_LIBS)

$(OUT)/obj/%.o: %.c | $(BUILD)/.packages
	@mkdir -p $(@D)
	@echo "  CC   $<"
	@$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

.PHONY: all demo
all: $(BINARIES) $(DEMO) ## build every program into build/
demo: deps ## install what the build needs, build, and run a sale (DEMO_SECONDS=90 ends by itself)
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@CREST_BIN=$(OUT) $(OUT)/crest-demo

# ---- tests: tests/unit mirrors the tree; one binary per file --------------------------------------
UNIT_SOURCES := $(sort $(shell find tests/unit -name 'test_*.c' 2>/dev/null))
E2E_SOURCES := $(sort $(wildcard tests/e2e/test_*.c))
FUZZ_SOURCES := $(sort $(filter-out tests/fuzz/replay.c,$(wildcard tests/fuzz/*.c)))
BENCH_SOURCES := $(sort $(wildcard tests/bench/*.c))
BROWSER_TESTS := $(sort $(wildcard tests/browser/*.test.mjs))
UNIT_BINARIES := $(patsubst %.c,$(OUT)/%,$(UNIT_SOURCES))
E2E_BINARIES := $(patsubst %.c,$(OUT)/%,$(E2E_SOURCES))
FUZZ_BINARIES := $(patsubst %.c,$(OUT)/%,$(FUZZ_SOURCES))
BENCH_BINARIES := $(patsubst %.c,$(OUT)/%,$(BENCH_SOURCES))
RUN := $(OUT)/tests/run/run

TEST_SUPPORT := $(OUT)/libtests-support.a
$(TEST_SUPPORT): $(patsubst %.c,$(OUT)/obj/%.o,$(wildcard tests/support/*.c))
	@rm -f $@; mkdir -p $(@D)
	@ar rcs $@ $^

# What is sanitized for its own sake are the programs; the tests around them take half the time to compile.
$(OUT)/obj/tests/%.o: CFLAGS_ALL += $(if $(filter asan,$(MODE)),-O0)

$(BUILD)/.packages-test: packages.txt
	@mkdir -p $(@D)
	@./packages.sh --check test || { echo "Run: make test-deps" >&2; exit 1; }
	@touch $@

$(patsubst %.c,$(OUT)/obj/%.o,$(UNIT_SOURCES) $(E2E_SOURCES) $(wildcard tests/support/*.c tests/fuzz/replay.c)): \
	| $(BUILD)/.packages-test

# link_test: the object of the same name, what tests share, and the rooms below test.
link_test = @mkdir -p $(@D) && $(CC) $(LDFLAGS_ALL) $(WRAPPED:%=-Wl,--wrap=%) -o $@ $(filter %.o,$^) $(VERSION_OBJECT) \
	-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PKG_LIBS) -lcmocka
ORDER_TEST := $(VERSION_OBJECT)

# tests/unit/collector/store/test_x.c links the collector's archives; tests/unit/lib/... only the library.
test_program = $(firstword $(subst /, ,$(patsubst tests/unit/%,%,$(1))))
define unit_rule
$(OUT)/$(patsubst %.c,%,$(1)): $(OUT)/obj/$(patsubst %.c,%.o,$(1)) $(TEST_SUPPORT) \
	$(if $(filter lib tests,$(call test_program,$(1))),$(LIB_ARCHIVES),$(call program_archives,$(call test_program,$(1)))) \
	| $(ORDER_TEST)
	$$(link_test)
endef
$(foreach t,$(UNIT_SOURCES),$(eval $(call unit_rule,$(t))))

# Calls between objects that a test puts itself in front of: to take notes, to let them fail, to plant a bug.
$(OUT)/tests/unit/collector/store/test_store_cut: WRAPPED := fsync unlink db_exec db_begin db_commit db_close db_sync_log store_put_extent headlog_add \
	store_save_histograms store_save_exemplars
$(OUT)/tests/unit/collector/store/test_store_fault: WRAPPED := fsync unlink malloc calloc realloc db_commit head_append

# Fuzz targets that answer for the disk: nothing that a fuzzed file names is opened or written.
$(OUT)/tests/fuzz/plan_file $(OUT)/tests/fuzz/access: WRAPPED := file_read
$(OUT)/tests/fuzz/worker_words: WRAPPED := file_write dir_make
$(OUT)/tests/fuzz/log_import: WRAPPED := file_read file_write dir_make

# The checks of the test runner itself.
$(OUT)/tests/unit/tests/run/test_results: $(OUT)/obj/tests/run/results.o
$(OUT)/tests/unit/tests/run/test_idle: $(OUT)/obj/tests/run/idle.o
$(OUT)/tests/unit/tests/run/test_run: | $(RUN)

$(E2E_BINARIES): $(OUT)/%: $(OUT)/obj/%.o $(TEST_SUPPORT) $(LIB_ARCHIVES) | $(ORDER_TEST)
	$(link_test)

# Benches and fuzz targets may look at any room.
ALL_ARCHIVES := $(foreach r,$(filter-out $(LIB_ROOMS),$(ROOMS)),$(call archive,$(r))) $(LIB_ARCHIVES)
$(BENCH_BINARIES): $(OUT)/%: $(OUT)/obj/%.o $(TEST_SUPPORT) $(ALL_ARCHIVES) | $(ORDER_TEST)
	$(link_test)
$(FUZZ_BINARIES): $(OUT)/%: $(OUT)/obj/%.o $(if $(filter fuzz,$(MODE)),,$(OUT)/obj/tests/fuzz/replay.o) $(TEST_SUPPORT) \
	$(ALL_ARCHIVES) | $(ORDER_TEST)
	$(link_test) $(if $(filter fuzz,$(MODE)),-fsanitize=fuzzer)

$(RUN): $(patsubst %.c,$(OUT)/obj/%.o,$(wildcard tests/run/*.c)) $(call archive,lib/base) | $(VERSION_OBJECT)
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ $(VERSION_OBJECT) -lm -lpthread

# Sanitized programs are slower: longer time-outs, not fewer tests.
SLOW := $(filter asan tsan,$(MODE))
run_tests = $(RUN) --bin $(OUT) --summary $(OUT)/summary $(if $(SLOW),--unit-timeout 6m --timeout 12m) \
	$(if $(VERBOSE),--verbose)

.PHONY: test test-deps test-build test-run unit e2e
test: test-deps ## install what build and tests need, build, run every test (MODE=asan: sanitized)
	@$(MAKE) --no-print-directory -j$(JOBS) test-build
	@$(MAKE) --no-print-directory test-run
test-build: $(BINARIES) $(DEMO) $(RUN) $(UNIT_BINARIES) $(E2E_BINARIES) $(FUZZ_BINARIES)
# Browser tests are for the release build: what they drive is the page, and the programs are sanitized in the others. They are the longest: first.
test-run: # what test-build built; no unit test of a sibling program is left out
	@$(if $(SLOW),,command -v node >/dev/null || echo "Browser tests are left out: node is missing" >&2)
	@$(run_tests) --second-chances 2 $(UNIT_BINARIES) $(FUZZ_BINARIES) $(if $(SLOW),,$(if $(shell command -v node),$(BROWSER_TESTS))) $(E2E_BINARIES)
test-deps: deps ## install the peers that tests compare with; none of them is started
	@./packages.sh test
	@./packages.sh --optional peer
	@[ -e node_modules/playwright-core ] || { ./packages.sh web && $(NPM_CI); }

# make unit T=lib/base runs the unit tests below tests/unit/lib/base only; make e2e T=name likewise
unit: $(filter $(OUT)/tests/unit/$(T)%,$(UNIT_BINARIES)) ## build and run unit tests (T=room narrows)
	@for t in $^; do echo "== $$t"; CREST_BIN=$(OUT) $$t || exit 1; done
e2e: $(BINARIES) $(DEMO) $(RUN) $(filter $(OUT)/tests/e2e/test_$(T)%,$(E2E_BINARIES)) ## build and run end-to-end tests (T=name narrows)
	@$(run_tests) --verbose $(filter $(OUT)/tests/e2e/%,$^)

# Long ones, not part of make test. DIFFERENTIAL_ROUNDS and NUMBER_ROUNDS change how long.
.PHONY: differential numbers
differential: export CREST_SEED ?= random
differential: export DIFFERENTIAL_ROUNDS ?= 20000
differential: $(BINARIES) $(RUN) $(OUT)/tests/e2e/test_differential ## random expressions against Debian's prometheus
	@$(RUN) --bin $(OUT) --summary $(OUT)/summary --timeout 24h --verbose $(OUT)/tests/e2e/test_differential
numbers: export CREST_SEED ?= random
numbers: export NUMBER_ROUNDS ?= 100000000
numbers: $(OUT)/tests/unit/lib/base/test_number ## 10^8 random bit patterns printed and read, against strtod and %.17g
	@$(OUT)/tests/unit/lib/base/test_number
.PHONY: model
SEEDS ?= random random random random
model: export CREST_MODEL_OPS ?= 500000
model: $(OUT)/tests/unit/collector/store/test_store_model ## the store against its twin: CREST_MODEL_OPS (500000) random operations for each of SEEDS, on disk and in memory
	@for n in $(SEEDS); do CREST_SEED=$$n $< || exit 1; done
.PHONY: honesty
honesty: export CREST_VALUES ?= 100000000
honesty: export CREST_HONESTY = 1
honesty: $(OUT)/tests/unit/loadgen/engine/test_series $(OUT)/tests/unit/loadgen/engine/test_traffic ## the load generator: 10^8 recorded values, a server frozen for 1.4 s at 2,000 a second
	@for t in $^; do $$t || exit 1; done

SHARED ?= $(or $(CREST_SHARED),../shared)
.PHONY: conformance
conformance: $(BINARIES) $(OUT)/tests/unit/collector/promql/test_conformance ## Prometheus's PromQL scripts against the engine, and over HTTP
	@tests/run/conformance.sh $(OUT) $(SHARED)

.PHONY: screens
screens: ## write docs/screens/: every view of the page, light and dark, at three widths
	@[ -e node_modules/playwright-core ] || { echo "playwright-core is missing. Run: make test-deps" >&2; exit 1; }
	@node tests/browser/screens.mjs docs/screens

# ---- benches and fuzzing: make bench-NAME, make fuzz-NAME ------------------------------------------
bench-%: $(OUT)/tests/bench/% $(BINARIES)
	@$(if $(filter release,$(MODE)),,echo "A bench of MODE=$(MODE) says nothing" >&2; exit 2;) CREST_BIN=$(OUT) $<

# All of them, also when one misses a must; each is also a bench of its own: make bench-store_peers.
STORE_BENCHES := store_peers store_pace store_million store_core store_rollup
.PHONY: bench-store
bench-store: $(STORE_BENCHES:%=$(OUT)/tests/bench/%) $(BINARIES) ## the store beside other stores, at half speed, with a million series, by itself
	@missed=0; for b in $(STORE_BENCHES); do $(MAKE) --no-print-directory bench-$$b || missed=1; done; exit $$missed

# What the load generator is compared with; artillery is a thousand packages, so only those who run this bench have it.
BENCH_PEERS := $(BUILD)/bench-peers/node_modules
$(BENCH_PEERS): tests/bench/peers.json
	@mkdir -p $(@D) && cp $< $(@D)/package.json
	@command -v npm >/dev/null || { echo "npm is missing: artillery and autocannon are left out" >&2; exit 0; }; \
		cd $(@D) && npm install --ignore-scripts --no-package-lock --no-audit --no-fund --loglevel=error && touch node_modules
bench-load: | $(BENCH_PEERS) ## the load generator's CPU per request beside wrk, hey, h2load, autocannon, artillery; memory; lag

# Long ones, not part of make test. ROUNDS, QUIET_SECONDS, SPIKE_SECONDS and LOAD_SECONDS change how long.
.PHONY: torture quiet tsan-collector
TORTURES := $(OUT)/tests/unit/collector/store/test_store_cut $(OUT)/tests/unit/collector/store/test_store_fault
torture: export CREST_SEED ?= random
torture: $(TORTURES) ## every power cut, failing write and failing allocation of the store's run; then kill -9 the collector ROUNDS (500) times under ingest
	@for t in $(TORTURES); do CREST_TORTURE=1 $$t || exit 1; done
	@$(MAKE) --no-print-directory bench-torture
quiet: export QUIET_SECONDS ?= 600
quiet: export SPIKE_SECONDS ?= 120
quiet: $(BINARIES) $(RUN) $(OUT)/tests/e2e/test_quiet ## ten quiet minutes and a spike: no rule may fire
	@$(RUN) --bin $(OUT) --summary $(OUT)/summary --timeout 24h --verbose $(OUT)/tests/e2e/test_quiet
# The test that drives it is not sanitized: what it does wrong is not the question here.
tsan-collector: export LOAD_SECONDS ?= 20
tsan-collector: $(OUT)/tests/e2e/test_collector_load ## the collector under ThreadSanitizer: 4 senders, 4 queriers, rules, reloads
	@$(MAKE) --no-print-directory -j$(JOBS) MODE=tsan $(BUILD)/tsan/crest-collector
	@CREST_BIN=$(BUILD)/tsan $<

FUZZ_SECONDS ?= 60
fuzz-%: ## fuzz-NAME: run tests/fuzz/NAME.c under libFuzzer for FUZZ_SECONDS; what it finds is kept in the corpus
	@command -v clang >/dev/null || { echo "clang is missing: ./packages.sh bench" >&2; exit 1; }
	@$(MAKE) --no-print-directory -j$(JOBS) MODE=fuzz CC=clang $(BUILD)/fuzz/tests/fuzz/$*
	@mkdir -p $(BUILD)/fuzz/corpus/$* tests/fuzz/corpus/$*
	$(BUILD)/fuzz/tests/fuzz/$* -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=tests/fuzz/corpus/$*/ \
		$(BUILD)/fuzz/corpus/$* tests/fuzz/corpus/$*

# ---- checks -----------------------------------------------------------------------------------------
FORMATTED = $(shell find $(wildcard $(PROGRAMS) lib tests) -name '*.[ch]')
# A folder of its own: what was built before without WERROR has kept its warnings. CI starts from nothing and uses one folder.
LINT_BUILD ?= $(BUILD)/lint
.PHONY: lint lint-deps lint-build format format-check layers coverage-check options-check docs
lint: lint-deps ## format, layers, warnings as errors, options against docs
	@$(MAKE) --no-print-directory format-check layers coverage-check
	@$(MAKE) --no-print-directory -j$(JOBS) BUILD=$(LINT_BUILD) WERROR=1 lint-build
	@$(MAKE) --no-print-directory BUILD=$(LINT_BUILD) options-check
	@echo "lint: clean"
lint-deps: deps
	@./packages.sh lint test
lint-build: $(BINARIES) $(DEMO) $(RUN) $(UNIT_BINARIES) $(E2E_BINARIES) $(FUZZ_BINARIES) $(BENCH_BINARIES)
format: ## format every C file in place
	@clang-format -i $(FORMATTED)
format-check:
	@clang-format --dry-run -Werror $(FORMATTED)
layers: ## who includes whom, third-party headers, forbidden calls and names
	@tests/lint/layers.sh
coverage-check: ## every test that docs/coverage.md names is there
	@tests/lint/coverage.sh
options-check: $(BINARIES) ## docs/commands.md is what --help says; no document names an unknown option
	@tests/lint/options.sh $(BINARIES)
docs: $(BINARIES) ## write docs/commands.md from --help
	@tests/lint/options.sh --write $(BINARIES)

# ---- dependencies, installation, cleaning ----------------------------------------------------------------
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
.PHONY: deps install clean help
# uPlot and what the browser tests use come through npm, checked against the hashes of package-lock.json.
NPM_CI := npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
deps: ## install what the build needs (asks first on a terminal; YES=1 answers)
	@./packages.sh build
	@[ -e $(UPLOT) ] || { ./packages.sh web && $(NPM_CI) --omit=dev; }

install: all ## DESTDIR=... PREFIX=/usr/local: programs and man pages
	@[ "$(MODE)" = release ] || { echo "install takes MODE=release" >&2; exit 2; }
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(BINARIES) $(DESTDIR)$(PREFIX)/bin
	@for p in $(notdir $(BINARIES)); do \
		echo "man page of $$p"; \
		$(OUT)/$$p --help-man >$(DESTDIR)$(PREFIX)/share/man/man1/$$p.1 || exit 1; \
	done

clean: ## remove the build folder
	rm -rf $(BUILD)
help: ## list the targets
	@grep -hE '^[a-z0-9%-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | \
		awk -F'\t' '{printf "  make %-16s %s\n", $$1, $$2}'

-include $(shell find $(OUT)/obj -name '*.d' 2>/dev/null)
