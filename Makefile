# Crest: one Makefile, not recursive. `make help` lists the targets.
#
# MODE=release|asan|tsan picks flags and folder (build/<mode>/); BUILD moves the whole build folder.
# WERROR=1 (lint, CI) turns warnings into errors. A room is a folder; each room becomes one archive, and the
# INCLUDES table below says which rooms it may include: it is the link order and what `make layers` checks.
VERSION := 0.1.0
MODE ?= release
BUILD ?= build
OUT := $(BUILD)/$(MODE)
PREFIX ?= /usr/local
DESTDIR ?=
CC ?= gcc
PKG_CONFIG ?= pkg-config
DEFAULT_GOAL := all
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# ---- what the code stands on ------------------------------------------------------------------
PKGS := libmicrohttpd sqlite3 libcurl ncursesw zlib libzstd libbrotlidec libpcre2-8 libxml-2.0 yaml-0.1 jansson gnutls libcrypt
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null) -lsnappy -lxxhash -lm -lpthread

WARN := -Wall -Wextra -Wno-missing-field-initializers -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wvla -Wundef
CFLAGS_release := -O2 -g -fno-omit-frame-pointer -DNDEBUG
CFLAGS_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
CFLAGS_tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
CFLAGS_ALL = -std=c17 -D_GNU_SOURCE -I. -I$(OUT)/gen $(WARN) $(if $(WERROR),-Werror) -ffp-contract=off -fstack-protector-strong \
	$(CFLAGS_$(MODE)) $(PKG_CFLAGS) $(CFLAGS)
LDFLAGS_ALL = $(CFLAGS_$(MODE)) $(LDFLAGS)

# ---- rooms: who may include whom (DESIGN §3) ----------------------------------------------------
LIB_ROOMS := lib/base lib/metric lib/match lib/wire lib/httpd lib/db lib/chart lib/term
COLLECTOR_ROOMS := collector/http collector/event collector/insight collector/slo collector/notify collector/rules \
	collector/query collector/promql collector/store collector/template collector/state collector/live
LOADGEN_ROOMS := loadgen/import loadgen/engine loadgen/hurl
ROOMS := $(LIB_ROOMS) agent $(COLLECTOR_ROOMS) collector $(LOADGEN_ROOMS) loadgen tui shop
PROGRAMS := agent collector loadgen tui shop

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

$(OUT)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC   $<"
	@$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

.PHONY: all
all: $(BINARIES) ## build every program into build/

# ---- tests: tests/unit mirrors the tree; one binary per file --------------------------------------
UNIT_SOURCES := $(sort $(shell find tests/unit -name 'test_*.c' 2>/dev/null))
E2E_SOURCES := $(sort $(wildcard tests/e2e/test_*.c))
UNIT_BINARIES := $(patsubst %.c,$(OUT)/%,$(UNIT_SOURCES))
E2E_BINARIES := $(patsubst %.c,$(OUT)/%,$(E2E_SOURCES))
TEST_SUPPORT := $(patsubst %.c,$(OUT)/obj/%.o,$(filter-out $(E2E_SOURCES),$(wildcard tests/support/*.c)))

# tests/unit/collector/store/test_x.c links the collector's archives; tests/unit/lib/... only the library.
test_program = $(firstword $(subst /, ,$(patsubst tests/unit/%,%,$(1))))
define unit_rule
$(OUT)/$(patsubst %.c,%,$(1)): $(OUT)/obj/$(patsubst %.c,%.o,$(1)) $(TEST_SUPPORT) \
	$(if $(filter lib,$(call test_program,$(1))),$(LIB_ARCHIVES),$(call program_archives,$(call test_program,$(1)))) | $(VERSION_OBJECT)
	@mkdir -p $$(@D)
	@$(CC) $$(LDFLAGS_ALL) -o $$@ $$(filter %.o,$$^) $(VERSION_OBJECT) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(PKG_LIBS) -lcmocka
endef
$(foreach t,$(UNIT_SOURCES),$(eval $(call unit_rule,$(t))))

$(E2E_BINARIES): $(OUT)/%: $(OUT)/obj/%.o $(TEST_SUPPORT) $(LIB_ARCHIVES) | $(VERSION_OBJECT)
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(VERSION_OBJECT) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(PKG_LIBS) -lcmocka

# make unit T=lib/base runs the unit tests below tests/unit/lib/base only
.PHONY: unit
unit: $(filter $(OUT)/tests/unit/$(T)%,$(UNIT_BINARIES)) ## build and run unit tests (T=room narrows)
	@for t in $^; do echo "== $$t"; $$t || exit 1; done

.PHONY: clean help
clean: ## remove the build folder
	rm -rf $(BUILD)
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  make %-16s %s\n", $$1, $$2}'

-include $(shell find $(OUT)/obj -name '*.d' 2>/dev/null)
