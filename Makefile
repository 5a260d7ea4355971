# Lineward. `make help` lists what there is to type.
#
# Everything is built under $(BUILD), which may be overridden: builds of another kind (sanitizers, clang) live in
# folders of their own beside it. Each folder of sources becomes one archive; a program is its main.c and the
# archives it may know, so that the include rules hold for the linker too.

BUILD  ?= build/release
ifeq ($(origin CC),default)
CC = gcc
endif
PREFIX ?= /usr/local
DESTDIR ?=
SYSCONFDIR ?= /etc
# Debian's libraries for several machines lie beside each other; what is not Debian's does not.
LIBDIR ?= $(PREFIX)/lib$(if $(filter /usr,$(PREFIX)),$(addprefix /,$(shell $(CC) -print-multiarch 2>/dev/null)))
VERSION = $(shell sed -n 's/.*LINEWARD_VERSION "\(.*\)"/\1/p' include/lineward/version.h)

# ---- flags ---------------------------------------------------------------------------------------------------

PKGS = libzmq libcurl libcjson libmicrohttpd gnutls libsodium yaml-0.1 libxxhash hiredis
REDIS_PKGS = hiredis

WARN = -std=c11 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
       -Wformat=2 -Wundef -Wvla -Wno-unused-parameter

# Control-flow protection is named differently on each machine.
CONTROL_FLOW_x86_64  = -fcf-protection=full
CONTROL_FLOW_aarch64 = -mbranch-protection=standard
HARDEN = -fstack-protector-strong -fstack-clash-protection $(CONTROL_FLOW_$(shell uname -m))
PIC    = -fPIE

# Some distributions' compilers define _FORTIFY_SOURCE themselves; defining it twice is a warning.
DEBUG ?= -g
OPT ?= -O2 $(DEBUG) -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
SAN ?=
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

CPPFLAGS   += -D_GNU_SOURCE -Iinclude -I.
CFLAGS_ALL  = $(WARN) $(HARDEN) $(PIC) $(OPT) $(SAN) $(CFLAGS) -pthread
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed -pthread $(SAN) $(LDFLAGS)
# Asked when linking, not when reading this file: they may have been installed in between.
LIBS       = $(shell pkg-config --libs $(PKGS)) -lm
TEST_LIBS  = $(shell pkg-config --libs check)
REDIS_LIBS = $(shell pkg-config --libs $(REDIS_PKGS))

comma = ,

# What is being made, in a word; the commands themselves with V=1.
say = $(if $(V),,@echo '  $(1) $(2)';)

# ---- sources: a folder is a room, a room is an archive ---------------------------------------------------------

rooms = lib broker/core broker/store broker/feed broker/outcomes broker/cache broker/edge broker workers tools/ctl tools/sandbox/model tools/sandbox tools/demo

# Helpers of tests are rooms too: a test gets only those that it names.
test_rooms = tests/support tests/unit tests/model tests/process tests/bench tests/fuzz tests/powercut

# The simulation: its objects stand in the place of what they simulate, and the linker puts these calls' wraps there.
sim_src     := $(wildcard tests/sim/*.c)
sim_program  = $(BUILD)/tests/sim/sim
sim_wrapped  = pthread_create pthread_join pthread_mutex_lock pthread_cond_wait pthread_cond_timedwait \
               pthread_cond_signal pthread_cond_broadcast clock_gettime getrandom randombytes_buf getpid gethostname \
               __gethostname_chk epoll_wait poll __poll_chk write eventfd_write send socketpair posix_spawn waitpid \
               kill sigprocmask nice timerfd_create identity_open store_open conf_read_secret conf_load feed_secrets_read log_event

room_sources = $(filter-out %/main.c $(room_programs_$(1)),$(wildcard $(1)/*.c))
objects = $(patsubst %.c,$(BUILD)/%.o,$(1))
archive = $(BUILD)/lib$(subst /,_,$(patsubst lib,lineward,$(1))).a
archives = $(foreach room,$(1),$(call archive,$(room)))

mains = $(wildcard broker/main.c workers/main.c tools/*/main.c)
programs = $(BUILD)/lineward-broker $(BUILD)/lineward-worker $(BUILD)/linewardctl $(BUILD)/lineward-sandbox
demo_tool = $(BUILD)/lineward-demo

# Tests: a file with a main() is a program; in tests/unit, each NAME_test.c.
with_main = $(if $(1),$(shell grep -l '^int main\b' $(1)))
room_programs_tests/unit    := $(wildcard tests/unit/*_test.c)
room_programs_tests/model   := $(call with_main,$(wildcard tests/model/*.c))
room_programs_tests/process := $(call with_main,$(wildcard tests/process/*.c))
room_programs_tests/bench   := $(call with_main,$(wildcard tests/bench/*.c))
room_programs_tests/powercut := tests/powercut/inside.c
room_programs_tests/fuzz    := $(wildcard tests/fuzz/*_fuzz.c) tests/fuzz/replay.c
audit_src := $(wildcard tests/audit/*.c)

unit_tests    = $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(room_programs_tests/unit))
model_tests   = $(patsubst tests/model/%.c,$(BUILD)/tests/model/%,$(room_programs_tests/model))
process_tests = $(patsubst tests/process/%.c,$(BUILD)/tests/process/%,$(room_programs_tests/process))
fuzz_targets  = $(patsubst tests/fuzz/%_fuzz.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
bench_tools   = $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,$(room_programs_tests/bench))
powercut_tool = $(BUILD)/tests/powercut/inside
audit_tool    = $(if $(audit_src),$(BUILD)/lineward-audit)

all_src = $(foreach room,$(rooms),$(call room_sources,$(room))) $(mains)
test_src = $(foreach room,$(test_rooms),$(wildcard $(room)/*.c)) $(audit_src) $(sim_src)

# ---- what there is to type ---------------------------------------------------------------------------------------

.PHONY: all help deps demo estimates check compat test bench sim plants several soak storm man install uninstall clean objects tests bench-tools tidy cppcheck \
        list-unit list-model list-process print-sanitize
.DEFAULT_GOAL := all

all: $(programs) $(BUILD)/liblineward.a ## build the programs and liblineward.a

help: ## this list
	@echo 'make [BUILD=folder] [CC=gcc|clang] [V=1: show commands] TARGET'
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  \1\t\2/p' Makefile | expand -t 12

demo: all $(audit_tool) $(demo_tool) ## the whole path against the sandbox, audited, in under 90 seconds
	@BUILD=$(BUILD) $(demo_tool) $(DEMO)
estimates: all $(audit_tool) $(demo_tool) ## when jobs go against what their views said: the demo, without its accidents, and without its backlog
	@$(demo_tool) --estimates $(DEMO)
	@$(demo_tool) --estimates --calm $(DEMO)
	@$(demo_tool) --estimates --calm --spread $(DEMO)

check: ## everything a commit must pass: tests under sanitizers, static analysis, rules
	@deploy/install-deps --if-missing build check
	@tests/check-rules/all

compat: all ## the provider's own SDK, as npm has it, against the sandbox; the admin API beside docs/openapi.yaml
	@deploy/install-deps --if-missing compat
	@BUILD=$(BUILD) tests/compat/run

# From what the programs say themselves: --help, and linewardctl's table of commands.
man_pages = $(BUILD)/man/linewardctl.1 $(BUILD)/man/lineward-broker.8 $(BUILD)/man/lineward-worker.8
man: $(man_pages) $(BUILD)/man/linewardctl.bash ## manual pages and bash completion, into build/man
$(BUILD)/man/linewardctl.1: $(BUILD)/linewardctl
	@mkdir -p $(@D)
	@$< manual >$@
$(BUILD)/man/linewardctl.bash: $(BUILD)/linewardctl
	@mkdir -p $(@D)
	@$< completion >$@
$(BUILD)/man/%.8: $(BUILD)/%
	@deploy/install-deps --if-missing man
	@mkdir -p $(@D)
	@help2man --no-info --section=8 --source=Lineward --name='$(man_name_$*)' --output=$@ $<
man_name_lineward-broker = keep send jobs and decide which line sends when
man_name_lineward-worker = send what a Lineward broker gives out

test: tests ## the unit tests, in seconds
	@tests/check-rules/run-tests $(BUILD)/logs 2 $(unit_tests)

bench: all $(audit_tool) $(bench_tools) ## figures beside Redis Streams, on this machine in one run
	@deploy/install-deps --if-missing build bench
	BUILD=$(BUILD) tests/bench/run

soak: ## 1,000 deaths, 10,000 crash states; model and process tests with new seeds until SOAK_MINUTES (60) are over
	@deploy/install-deps --if-missing build check
	@tests/check-rules/soak $(or $(SOAK_MINUTES),60)

sim: $(sim_program) ## the whole in one thread, from seeds: SEEDS=1000 [FIRST=1]; or SEED=17 [PLAN='…'] [SHOW=1: all events]; or SHRINK=17
	@$(if $(SHOW),SIM_SHOW=1) $(if $(PLAN),SIM_PLAN='$(PLAN)') $(sim_program) \
	    $(if $(SHRINK),shrink $(SHRINK),$(or $(SEED),$(or $(FIRST),1) $(or $(SEEDS),1000)))

plants: ## does the simulation find planted bugs? PLANTS='names' (all), SEEDS=1000 each
	@deploy/install-deps --if-missing build
	@SEEDS=$(or $(SEEDS),1000) tests/sim/plants/run $(PLANTS)

.PHONY: fuzz fuzzers list-fuzz tsan alloc
alloc: all $(BUILD)/tests/process/alloc_test ## each allocation of the broker and of its child failing in turn, half an hour
	@BUILD=$(BUILD) tests/alloc/run

tsan: ## tests of what has threads under ThreadSanitizer
	@deploy/install-deps --if-missing build check fuzz
	@tests/check-rules/tsan

fuzz: ## each fuzz target for FUZZ_S (60) seconds, under the sanitizers; FUZZ="json conf" for some
	@deploy/install-deps --if-missing build check fuzz
	@tests/check-rules/fuzz $(or $(FUZZ_S),60) $(FUZZ)

storm: all $(audit_tool) $(BUILD)/tests/process/storm_test ## 10,000 conversations x 20 jobs amid errors and dying workers
	LINEWARD_STORM=$(or $(LINEWARD_STORM),10000) $(BUILD)/tests/process/storm_test

several: all $(BUILD)/tests/process/several_test ## three brokers in network namespaces, cut off, killed, failed over: CHANGES (100), ROUNDS (20); takes root
	LINEWARD_SEVERAL=$(or $(CHANGES),100),$(or $(ROUNDS),20),$(or $(ROUNDS),20),$(or $(ROUNDS),20) $(BUILD)/tests/process/several_test

powercut: all $(powercut_tool) ## CUTS (200) power cuts of a whole machine, with user-mode Linux
	@deploy/install-deps --if-missing powercut
	BUILD=$(BUILD) tests/powercut/run $(or $(CUTS),200) $(or $(SEED),1)

install: all man ## install under $(DESTDIR)$(PREFIX), configuration in $(DESTDIR)$(SYSCONFDIR)/lineward
	@BUILD=$(BUILD) VERSION=$(VERSION) DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) SYSCONFDIR=$(SYSCONFDIR) \
	    LIBDIR=$(LIBDIR) deploy/install $(if $(V),-v)

uninstall: all man ## remove what install put there, but for configuration, secrets and store
	@BUILD=$(BUILD) VERSION=$(VERSION) DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) SYSCONFDIR=$(SYSCONFDIR) \
	    LIBDIR=$(LIBDIR) deploy/install --remove

clean: ## remove build/
	rm -rf build $(if $(filter-out build build/%,$(BUILD)),$(BUILD))

# ---- for the targets above -------------------------------------------------------------------------------------

deps:
	@deploy/install-deps --if-missing build

tests: $(unit_tests) $(model_tests) $(process_tests) $(sim_program)
bench-tools: $(bench_tools)
objects: $(call objects,$(all_src) $(test_src))
list-unit:    ; @echo $(unit_tests)
list-model:   ; @echo $(model_tests)
fuzzers: $(fuzz_targets)
list-fuzz:    ; @echo $(fuzz_targets)
list-process: ; @echo $(process_tests) $(wildcard tests/process/*.sh)
print-sanitize: ; @echo $(SANITIZE)
tidy: $(patsubst %.c,$(BUILD)/tidy/%.ok,$(all_src))

cppcheck:
	@mkdir -p $(BUILD)/cppcheck
	@cppcheck --quiet -j2 --error-exitcode=1 --enable=warning,performance,portability --inline-suppr \
	    --cppcheck-build-dir=$(BUILD)/cppcheck --std=c11 --library=posix --library=tests/check-rules/cppcheck.cfg \
	    -D_GNU_SOURCE -D__linux__ -Iinclude -I. --suppressions-list=tests/check-rules/cppcheck.suppress $(all_src)

$(BUILD)/lineward-broker:  $(call objects,broker/main.c) \
                           $(call archives,broker broker/edge broker/outcomes broker/cache broker/feed broker/store broker/core lib)
$(BUILD)/lineward-worker:  $(call objects,workers/main.c) $(call archives,workers lib)
$(BUILD)/linewardctl:      $(call objects,tools/ctl/main.c) $(call archives,tools/ctl broker/store broker/core lib)
$(BUILD)/lineward-sandbox: $(call objects,tools/sandbox/main.c) $(call archives,tools/sandbox tools/sandbox/model lib)
$(BUILD)/lineward-demo:    $(call objects,tools/demo/main.c) $(call archives,tools/demo lib)
$(BUILD)/lineward-audit:   $(call objects,$(audit_src)) $(call archives,lib)

$(programs) $(audit_tool) $(demo_tool):
	@mkdir -p $(@D)
	$(call say,link,$@)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)

link_test = $(call say,link,$@)mkdir -p $(@D); \
    $(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(1) $(LIBS)

$(unit_tests): $(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(call archives,tests/unit tests/support $(rooms))
	$(call link_test,$(TEST_LIBS))

$(model_tests): $(BUILD)/tests/model/%: $(BUILD)/tests/model/%.o $(call archives,tests/model tests/support $(rooms))
	$(call link_test,$(TEST_LIBS))

$(process_tests): $(BUILD)/tests/process/%: $(BUILD)/tests/process/%.o \
    $(call archives,tests/process tests/support $(rooms)) | $(programs) $(audit_tool)
	$(call link_test,$(TEST_LIBS) $(REDIS_LIBS))

$(sim_program): $(call objects,$(sim_src)) \
    $(call archives,tests/support broker broker/edge broker/outcomes broker/cache broker/feed broker/store broker/core workers lib)
	$(call say,link,$@)mkdir -p $(@D); \
	$(CC) $(LDFLAGS_ALL) $(addprefix -Wl$(comma)--wrap=,$(sim_wrapped)) -o $@ $(filter %.o,$^) \
	    -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(filter-out -lzmq,$(LIBS))

$(powercut_tool): $(call objects,tests/powercut/inside.c) $(call archives,tests/process tests/support $(rooms))
	$(call link_test,$(TEST_LIBS))

$(bench_tools): $(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(call archives,tests/bench tests/support $(rooms))
	$(call link_test,$(REDIS_LIBS))

# A malloc that fails where it is told to, for alloc_test.
alloc_library = $(BUILD)/tests/alloc.so
$(process_tests): | $(alloc_library)
$(alloc_library): tests/alloc/alloc.c | deps
	@mkdir -p $(@D)
	$(call say,link,$@)$(CC) $(CPPFLAGS) -std=c11 -Wall -Wextra -Werror -O2 -g -fPIC -shared -o $@ $<

# libFuzzer brings a main of its own; where the compiler does not have it, replay.c is the main.
$(fuzz_targets): $(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%_fuzz.o $(BUILD)/tests/fuzz/replay.o \
    $(call archives,tests/fuzz tests/unit tests/support $(rooms))
	$(call say,link,$@)$(CC) $(LDFLAGS_ALL) $(if $(FUZZER),-fsanitize=fuzzer) -o $@ \
	    $(filter %_fuzz.o $(if $(FUZZER),,%/replay.o),$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)

# The rigs of the unit tests serve the fuzz targets too, with a check that aborts instead of Check's.
$(BUILD)/tests/fuzz/%.o: CPPFLAGS += -Itests/fuzz/rig

define room_archive
$(call archive,$(1)): $(call objects,$(call room_sources,$(1)))
	@mkdir -p $$(@D); rm -f $$@; ar rcs $$@ $$^
endef
$(foreach room,$(rooms) $(test_rooms),$(eval $(call room_archive,$(room))))

# The script that Redis runs, as a text in the program.
$(BUILD)/broker/cache/cache_script.o: broker/cache/cache.lua
	@mkdir -p $(@D)
	@{ echo 'extern const char cache_script[];'; echo 'const char cache_script[] ='; \
	    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/    "/' -e 's/$$/\\n"/' $<; echo ';'; } >$(@:.o=.c)
	$(call say,cc,$<)$(CC) $(CPPFLAGS) $(CFLAGS_ALL) -c -o $@ $(@:.o=.c)
$(call archive,broker/cache): $(BUILD)/broker/cache/cache_script.o

$(BUILD)/lib/%.o: PIC = -fPIC # others may link it into shared objects

$(BUILD)/%.o: %.c | deps
	@mkdir -p $(@D)
	$(call say,cc,$<)$(CC) $(CPPFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# Once more when a header changed: the object is newer then. TIDY_NODES: how many states of a function the analyzer looks
# at; its own default, 225,000, takes six times as long as the 20,000 of `make check`.
$(BUILD)/tidy/%.ok: %.c .clang-tidy $(BUILD)/%.o
	@mkdir -p $(@D)
	@clang-tidy --quiet --warnings-as-errors='*' $< -- $(CPPFLAGS) $(filter-out -Werror,$(WARN)) \
	    $(if $(TIDY_NODES),-Xclang -analyzer-config -Xclang max-nodes=$(TIDY_NODES)) >$@.log 2>&1 || \
	    { grep -A3 ' error: ' $@.log; echo 'all of it: $@.log'; exit 1; }
	@touch $@

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
