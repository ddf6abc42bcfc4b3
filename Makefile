# tcpmuxd: `make demo` to try it, `make check` to test it, `make help` for more.

BUILD	?= build
PREFIX	?= /usr/local
DESTDIR	?=
SBINDIR	= $(PREFIX)/sbin
BINDIR	= $(PREFIX)/bin
LIBEXECDIR = $(PREFIX)/libexec/tcpmuxd
MANDIR	= $(PREFIX)/share/man
VERSION	= 0.1.0

CC	= gcc
WARN	= -Wall -Wextra -Wconversion -Wshadow -Wvla -Wmissing-prototypes \
	  -Wstrict-prototypes -Werror
HARDEN	= -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
	  -fstack-clash-protection -fcf-protection=full \
	  -ftrivial-auto-var-init=zero
OPT	= -O2 -g
SANFLAGS =
ifeq ($(SANITIZE),1)
HARDEN	= -fstack-protector-strong
OPT	= -O1 -g -fno-omit-frame-pointer -DTCPMUXD_SANITIZE
SANFLAGS = -fsanitize=address,undefined -fno-sanitize-recover=undefined
endif
CPPFLAGS = -Isrc -D_GNU_SOURCE -DTCPMUXD_VERSION='"$(VERSION)"' \
	  -DTCPMUXD_LIBEXEC='"$(LIBEXECDIR)"'
CFLAGS	= -std=c11 $(OPT) -fPIE $(WARN) $(HARDEN) $(SANFLAGS)
LDFLAGS	= -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code \
	  -Wl,--as-needed $(SANFLAGS)
# parser and launcher live in an empty root: nothing to load at run time.
# A sanitizer's runtime cannot be linked statically, so there they are not.
ifeq ($(SANITIZE),1)
STATIC	= $(LDFLAGS)
else
STATIC	= -static-pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code
endif

# What runs is named, not shown; V=1 shows it.
ifeq ($(V),1)
Q	=
else
Q	= @echo "  $(if $(filter %.o,$@),CC,LD) $@";
endif

objs	= $(patsubst src/%.c,$(BUILD)/obj/%.o,$(wildcard src/$(1)/*.c))
CORE	= $(call objs,core)
SYS	= $(call objs,sys)
LIBS	= $(BUILD)/libsys.a $(BUILD)/libcore.a
SODIUM	= -Wl,-Bstatic -lsodium -Wl,-Bdynamic

PROGRAMS = $(BUILD)/tcpmuxd $(BUILD)/tcpmuxd-parser \
	  $(BUILD)/tcpmuxd-launcher $(BUILD)/tcpmux
UNIT	= $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,\
	  $(wildcard tests/unit/test_*.c))
TOOLS	= $(patsubst tests/tools/%.c,$(BUILD)/tests/tools/%,\
	  $(wildcard tests/tools/*.c))
BENCH	= $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,\
	  $(wildcard tests/bench/*.c))

.PHONY: all
all: $(PROGRAMS)			## build the four programs

$(BUILD)/obj/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libcore.a: $(CORE)
	@rm -f $@
	@ar rcs $@ $^

$(BUILD)/libsys.a: $(SYS)
	@rm -f $@
	@ar rcs $@ $^

$(BUILD)/tcpmuxd: $(BUILD)/obj/main.o $(call objs,parent) \
    $(call objs,loader) $(LIBS)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lcap-ng -lbsd $(SODIUM)

$(BUILD)/tcpmuxd-parser: $(call objs,parser) $(LIBS)
	$(Q)$(CC) $(STATIC) -o $@ $^ -lseccomp -lcap-ng

$(BUILD)/tcpmuxd-launcher: $(call objs,launcher) $(LIBS)
	$(Q)$(CC) $(STATIC) -o $@ $^ -lcap-ng

$(BUILD)/tcpmux: $(call objs,client) $(LIBS)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lseccomp

.PHONY: unit tools
unit: $(UNIT)				## build the unit tests
tools: $(TOOLS)				## build the programs the tests use

$(BUILD)/tests/unit/%: tests/unit/%.c $(LIBS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -Wno-missing-prototypes $(LDFLAGS) -MMD -MP \
	    -o $@ $< $(LIBS) -lcmocka -lseccomp -lcap-ng -lbsd $(SODIUM)

$(BUILD)/tests/tools/%: tests/tools/%.c $(LIBS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(LIBS) \
	    -lseccomp -lcap-ng

$(BUILD)/tests/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $<

.PHONY: clean
clean:					## remove everything built
	rm -rf $(BUILD)

.PHONY: help
help:					## list the targets
	@awk -F':.*## *' '/^[a-z-]+( [a-z-]+)*:.*##/ \
	    { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
