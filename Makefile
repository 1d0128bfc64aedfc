# One Makefile for everything; `make help` lists the targets.
#
# A folder under lib/ is a module, built to build/lib/<module>.a. What a module may use stands in DEPS_<module> below and
# nowhere else: the linker gets exactly that, and `make layers` proves the #include lines against it.

SHELL   := /bin/bash
BUILD   ?= build
CC      ?= gcc
PREFIX  ?= /usr/local
VERSION := 0.1.0

# --- architecture -------------------------------------------------------------------------------------------------------
MODULES := report txn plan app record store kube http doc crypto base

DEPS_base   :=
DEPS_crypto := base
DEPS_doc    := base
DEPS_store  := base
DEPS_http   := base
DEPS_kube   := crypto doc http base
DEPS_record := kube crypto doc http base
DEPS_app    := kube crypto doc http base
DEPS_plan   := app record kube crypto doc http base
DEPS_report := txn plan app record store kube crypto doc http base
DEPS_txn    := plan app record store kube crypto doc http base
DEPS_cmd    := $(MODULES)

LIBS_crypto := libcrypto
LIBS_doc    := jansson yaml-0.1
LIBS_http   := libcurl
LIBS_store  := sqlite3
PACKAGES    := $(LIBS_http) libssl $(LIBS_crypto) $(LIBS_doc) $(LIBS_store)

# --- flags --------------------------------------------------------------------------------------------------------------
WARNINGS := -Wall -Wextra -Wshadow -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wswitch-enum \
            -Wjump-misses-init -Wnull-dereference -Wduplicated-branches -Wvla -Wundef
CPPFLAGS += -D_GNU_SOURCE -Ilib -include lib/base/banned.h -DO2_VERSION='"$(VERSION)"'
OPT      ?= -O2 -D_FORTIFY_SOURCE=2
CFLAGS   += -std=gnu17 -g $(OPT) $(WARNINGS) -fno-common -fstack-protector-strong -fstack-clash-protection -fPIE
LDFLAGS  += -pie -Wl,-z,relro,-z,now,-z,noexecstack
ifneq ($(CI)$(WERROR),)
CFLAGS   += -Werror
endif
PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES))
PKG_LIBS   = $(shell pkg-config --libs $(PACKAGES)) -lm

# --- sources ------------------------------------------------------------------------------------------------------------
lib_sources  = $(filter-out %_test.c %_fuzz.c,$(wildcard lib/$(1)/*.c))
lib_objects  = $(patsubst %.c,$(BUILD)/%.o,$(call lib_sources,$(1)))
lib_archives = $(patsubst %,$(BUILD)/lib/%.a,$(1))

CMD_SOURCES  := $(filter-out %_test.c,$(wildcard cmd/os2os/*.c))
TEST_SOURCES := $(wildcard lib/*/*_test.c cmd/os2os/*_test.c)
TESTS        := $(patsubst %.c,$(BUILD)/%,$(TEST_SOURCES))
ALL_SOURCES  := $(foreach m,$(MODULES),$(call lib_sources,$(m))) $(CMD_SOURCES)

.PHONY: all clean help unit check demo nightly bench-objects lint layers asan cov install print-layers print-cflags
.SECONDEXPANSION:
.SECONDARY:
.DELETE_ON_ERROR:

all: $(BUILD)/os2os ## build the command

$(BUILD)/os2os: $(patsubst %.c,$(BUILD)/%.o,$(CMD_SOURCES)) $(call lib_archives,$(DEPS_cmd))
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/lib/%.a: $$(call lib_objects,$$*)
	@mkdir -p $(@D)
	@rm -f $@
	ar rcsD $@ $^

# A test links its own module and what that module may use, and nothing above it.
module_of = $(word 2,$(subst /, ,$(1)))
$(BUILD)/lib/%_test: lib/%_test.c $$(call lib_archives,$$(call module_of,lib/$$*) $$(DEPS_$$(call module_of,lib/$$*)))
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $(filter %.c %.a,$^) -lcmocka $(PKG_LIBS)

$(BUILD)/cmd/os2os/%_test: cmd/os2os/%_test.c $$(filter-out $(BUILD)/cmd/os2os/main.o,$(patsubst %.c,$(BUILD)/%.o,$(CMD_SOURCES))) $(call lib_archives,$(DEPS_cmd))
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $(filter %.c %.o %.a,$^) -lcmocka $(PKG_LIBS)

# --- what a stranger runs ---------------------------------------------------------------------------------------------------
demo: ## two clusters, a sample application, a migration: everything is installed that it needs
	ci/deps build testbed
	. ci/env.sh && $(MAKE) -j2 all && testbed/demo

check: ## every test and check; a rotating sample of the scenarios that kill the program
	ci/check

nightly: ## the same with every scenario
	ci/check --all

bench-objects: all ## how fast objects are created, beside kubectl apply
	testbed/up && testbed/bench-objects

# --- checks -------------------------------------------------------------------------------------------------------------
unit: $(TESTS) ## build and run the unit tests
	ci/unit $(TESTS)

lint: ## every static check
	ci/lint

asan: ## unit tests under AddressSanitizer and UndefinedBehaviorSanitizer
	$(MAKE) BUILD=build-asan OPT='-O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer' unit

clean: ## remove what was built
	rm -rf build build-*

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

install: all ## install the command and its kubectl plugin name below PREFIX
	install -D -m 755 $(BUILD)/os2os $(DESTDIR)$(PREFIX)/bin/os2os
	ln -sf os2os $(DESTDIR)$(PREFIX)/bin/kubectl-os2os

print-layers:
	@$(foreach m,$(MODULES) cmd,echo "$(m): $(DEPS_$(m))";)

print-cflags: ; @: $(info $(CPPFLAGS) $(PKG_CFLAGS) $(filter-out -Werror,$(CFLAGS)))

-include $(patsubst %.c,$(BUILD)/%.d,$(ALL_SOURCES)) $(patsubst %,%.d,$(TESTS))
