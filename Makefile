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
MODULES := report txn plan volume app record stream store kube http doc crypto base

DEPS_base   :=
DEPS_crypto := base
DEPS_doc    := base
DEPS_store  := base
DEPS_stream := crypto base
DEPS_http   := base
DEPS_kube   := crypto doc http base
DEPS_record := kube crypto doc http base
DEPS_volume := record kube stream doc crypto http base
DEPS_app    := kube crypto doc http base
DEPS_plan   := volume app record kube stream crypto doc http base
DEPS_report := txn plan volume app record store kube stream crypto doc http base
DEPS_txn    := plan volume app record store kube stream crypto doc http base
DEPS_cmd    := $(MODULES)
DEPS_agent  := stream crypto base

LIBS_crypto := libssl libcrypto
LIBS_doc    := jansson yaml-0.1
LIBS_http   := libcurl
LIBS_store  := sqlite3
PACKAGES    := $(LIBS_http) $(LIBS_crypto) $(LIBS_doc) $(LIBS_store)

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

# The agent runs in anybody's image, so it brings everything along; it is the same whatever the rest is built with.
AGENT_OPT     := -O2 -D_FORTIFY_SOURCE=2
AGENT_CFLAGS  := $(subst $(OPT),$(AGENT_OPT),$(CFLAGS)) -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables
AGENT_LDFLAGS := -static-pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,pack-relative-relocs -Wl,--gc-sections,--no-warnings -s
LOADER_FLAGS  := -std=gnu17 -Os $(WARNINGS) -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-pie \
                 -no-pie -static -nostdlib -Wl,-z,noexecstack,-z,noseparate-code -Wl,--build-id=none,--gc-sections -s

# --- sources ------------------------------------------------------------------------------------------------------------
lib_sources  = $(filter-out %_test.c %_fuzz.c,$(wildcard lib/$(1)/*.c))
lib_objects  = $(patsubst %.c,$(BUILD)/%.o,$(call lib_sources,$(1))) $(patsubst %.S,$(BUILD)/%.o,$(wildcard lib/$(1)/*.S))
lib_archives = $(patsubst %,$(BUILD)/lib/%.a,$(1))

CMD_SOURCES  := $(filter-out %_test.c,$(wildcard cmd/os2os/*.c))
AGENT_SOURCES := $(filter-out %_test.c %/loader.c,$(wildcard cmd/agent/*.c))
TEST_SOURCES := $(wildcard lib/*/*_test.c cmd/*/*_test.c testbed/sim/*_test.c)
TESTS        := $(patsubst %.c,$(BUILD)/%,$(TEST_SOURCES))
ALL_SOURCES  := $(foreach m,$(MODULES),$(call lib_sources,$(m))) $(CMD_SOURCES) $(AGENT_SOURCES)
AGENT_TESTED := $(patsubst %.c,$(BUILD)/%.o,$(filter-out %/main.c %/libc.c,$(AGENT_SOURCES)))
AGENT_LINKED := $(patsubst %.c,$(BUILD)/agent/%.o,$(AGENT_SOURCES) $(foreach m,$(DEPS_agent),$(call lib_sources,$(m))))
AGENT_PATHS  := -DO2_AGENT='"$(BUILD)/os2os-agent"' -DO2_LOADER='"$(BUILD)/os2os-agent-loader"'

.PHONY: all clean help unit check demo nightly battery coverage mutants model sim-check bench-objects lint layers asan cov install print-layers print-cflags
.SECONDEXPANSION:
.SECONDARY:
.DELETE_ON_ERROR:

all: $(BUILD)/os2os $(BUILD)/os2os-agent $(BUILD)/os2os-agent-loader ## build the command

$(BUILD)/os2os: $(patsubst %.c,$(BUILD)/%.o,$(CMD_SOURCES)) $(call lib_archives,$(DEPS_cmd))
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(BUILD)/os2os-agent: $(AGENT_LINKED) $(BUILD)/agent/libssl.a $(BUILD)/agent/libcrypto.a
	$(CC) $(AGENT_CFLAGS) $(AGENT_LDFLAGS) -o $@ $^

# Nothing is ever unwound through OpenSSL, and the tables for it were an eighth of the agent.
$(BUILD)/agent/%.a:
	@mkdir -p $(@D)
	objcopy --remove-section=.eh_frame --remove-section=.rela.eh_frame $(shell $(CC) -print-file-name=$(@F)) $@

$(BUILD)/os2os-agent-loader: cmd/agent/loader.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(LOADER_FLAGS) -o $@ $<

$(BUILD)/agent/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(AGENT_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/lib/volume/agent_image_data.o: lib/volume/agent_image_data.S $(BUILD)/os2os-agent $(BUILD)/os2os-agent-loader
	@mkdir -p $(@D)
	$(CC) $(AGENT_PATHS) -c -o $@ $<

# ci/coverage counts the branches of these two; -O0, or what it says would be of the optimizer's branches.
ifneq ($(COVERAGE),)
$(BUILD)/lib/txn/%.o $(BUILD)/lib/record/%.o: private CFLAGS += --coverage -O0 -U_FORTIFY_SOURCE
$(BUILD)/testbed/sim/battery.o: private CPPFLAGS += -DO2_COVERAGE
LDFLAGS += --coverage
endif

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

$(BUILD)/cmd/agent/%_test: cmd/agent/%_test.c $$(AGENT_TESTED) $(call lib_archives,$(DEPS_agent))
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $(filter %.c %.o %.a,$^) -lcmocka $(PKG_LIBS)

SHIPPED_TESTS := $(BUILD)/cmd/agent/loader_test $(BUILD)/cmd/agent/session_test
$(SHIPPED_TESTS): private CPPFLAGS += $(AGENT_PATHS)
$(SHIPPED_TESTS): $(BUILD)/os2os-agent $(BUILD)/os2os-agent-loader

$(BUILD)/cmd/os2os/%_test: cmd/os2os/%_test.c $$(filter-out $(BUILD)/cmd/os2os/main.o,$(patsubst %.c,$(BUILD)/%.o,$(CMD_SOURCES))) $(call lib_archives,$(DEPS_cmd))
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $(filter %.c %.o %.a,$^) -lcmocka $(PKG_LIBS)

# --- the simulator ------------------------------------------------------------------------------------------------------------
# The program itself, on a machine of the world (testbed/sim/machine.h): objects that come before an archive take the place of its members.
SIM_PROGRAMS := testbed/sim/battery.c testbed/sim/serve.c
SIM_SOURCES  := $(filter-out %_test.c $(SIM_PROGRAMS),$(wildcard testbed/sim/*.c))
SIM_LINKED   := $(patsubst %.c,$(BUILD)/%.o,$(SIM_SOURCES) $(filter-out %/main.c,$(CMD_SOURCES)) cmd/agent/watchdog.c cmd/agent/orders.c) \
                $(BUILD)/testbed/sim/program.o $(call lib_archives,$(DEPS_cmd))
# The clusters alone, over sockets (testbed/sim/serve.c): without what os2os runs on, what strikes, and what judges.
SIM_SERVED   := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(patsubst %,testbed/sim/%.c,agent channel direct drill ends fault machine oracle \
                strike task watchdog),$(SIM_SOURCES)))
SIM_LDFLAGS  := -Wl,--wrap=o2_file_read
N            ?= 10000
SEED         ?= 1
SAMPLE       ?= 200

$(BUILD)/testbed/sim/%: private CPPFLAGS += -Itestbed/sim

$(BUILD)/testbed/sim/program.o: $(BUILD)/cmd/os2os/main.o
	@mkdir -p $(@D)
	objcopy --redefine-sym main=o2_main $< $@

$(BUILD)/battery: $(BUILD)/testbed/sim/battery.o $(SIM_LINKED)
	$(CC) $(CFLAGS) $(LDFLAGS) $(SIM_LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(BUILD)/testbed/sim/%_test: testbed/sim/%_test.c $(SIM_LINKED)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) $(SIM_LDFLAGS) -o $@ $(filter %.c %.o %.a,$^) -lcmocka $(PKG_LIBS)

$(BUILD)/sim-server: $(BUILD)/testbed/sim/serve.o $(SIM_SERVED) $(call lib_archives,crypto doc base)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lmicrohttpd $(PKG_LIBS)

sim-check: $(BUILD)/os2os $(BUILD)/sim-server $(BUILD)/battery ## the simulator against a real API server's recorded answers, and os2os against it over sockets
	testbed/sim/compare --against testbed/sim/fidelity/recorded.json
	testbed/sim/socket_check
	testbed/sim/points_check

# --- what a stranger runs ---------------------------------------------------------------------------------------------------
demo: ## two clusters, a sample application, a migration: everything is installed that it needs
	ci/deps build testbed
	. ci/env.sh && $(MAKE) -j2 all && testbed/demo

check: ## every test and check; a rotating sample of the scenarios that kill the program
	ci/check

nightly: ## the same with every scenario
	ci/check --all

battery: $(BUILD)/battery ## N=10000 SEED=1: strikes at every point of a migration between two simulated clusters
	$(BUILD)/battery --runs $(N) --seed $(SEED)

coverage: ## branches of lib/txn and lib/record that the unit tests and a share of the battery take
	ci/coverage

mutants: ## SAMPLE=200 SEED=1: would anybody notice if a line of lib/txn or lib/record were another? SAMPLE=0 tries all
	testbed/sim/mutants --sample $(SAMPLE) --seed $(SEED)

model: ## the protocol's model with its planted mistakes
	testbed/model/run

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
	@$(foreach m,$(MODULES) cmd agent,echo "$(m): $(DEPS_$(m))";)

print-cflags: ; @: $(info $(CPPFLAGS) $(AGENT_PATHS) $(PKG_CFLAGS) $(filter-out -Werror,$(CFLAGS)))

-include $(patsubst %.c,$(BUILD)/%.d,$(ALL_SOURCES) $(SIM_SOURCES) $(SIM_PROGRAMS)) $(AGENT_LINKED:.o=.d) $(patsubst %,%.d,$(TESTS))
