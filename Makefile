# Lineward: `make help` lists what there is to type. Everything is built under $(BUILD).
BUILD ?= build/release
CC ?= gcc
PKGS = libzmq libcurl libcjson libmicrohttpd libsodium yaml-0.1 libxxhash
CPPFLAGS += -D_GNU_SOURCE -Iinclude -I.
WARN = -std=c11 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
       -Wformat=2 -Wundef -Wvla -Wno-unused-parameter
HARDEN = -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -fPIE
OPT ?= -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
SAN ?=
CFLAGS_ALL = $(WARN) $(HARDEN) $(OPT) $(SAN) $(CFLAGS) -pthread
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now,-z,noexecstack -pthread $(SAN) $(LDFLAGS)
LIBS = $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm

lib_src     := $(wildcard lib/*.c)
core_src    := $(wildcard broker/core/*.c)
store_src   := $(wildcard broker/store/*.c)
feed_src    := $(wildcard broker/feed/*.c)
edge_src    := $(wildcard broker/edge/*.c)
broker_src  := $(wildcard broker/*.c)
worker_src  := $(wildcard workers/*.c)
ctl_src     := $(wildcard tools/ctl/*.c)
sandbox_src := $(wildcard tools/sandbox/*.c)

objs = $(patsubst %.c,$(BUILD)/%.o,$(1))

programs = $(BUILD)/lineward-broker $(BUILD)/lineward-worker $(BUILD)/linewardctl $(BUILD)/lineward-sandbox

.PHONY: all
all: $(programs)

$(BUILD)/lineward-broker: $(call objs,$(broker_src) $(edge_src) $(feed_src) $(store_src) $(core_src) $(lib_src))
$(BUILD)/lineward-worker: $(call objs,$(worker_src) $(lib_src))
$(BUILD)/linewardctl: $(call objs,$(ctl_src) $(store_src) $(lib_src))
$(BUILD)/lineward-sandbox: $(call objs,$(sandbox_src) $(lib_src))

$(programs):
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
