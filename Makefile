# tcpmuxd: `make demo` to try it, `make check` to test it, `make help` for more.

VERSION	= 0.1.0

# A build of its own for what is built otherwise; no target mixes the two.
ifeq ($(SANITIZE),1)
BUILD	?= build/san
else
BUILD	?= build
endif

PREFIX	?= /usr/local
DESTDIR	?=
SBINDIR	= $(PREFIX)/sbin
BINDIR	= $(PREFIX)/bin
LIBEXECDIR = $(PREFIX)/libexec/tcpmuxd
MANDIR	= $(PREFIX)/share/man
DOCDIR	= $(PREFIX)/share/doc/tcpmuxd
BASHDIR	= $(PREFIX)/share/bash-completion/completions
UNITDIR	= $(PREFIX)/lib/systemd/system
SYSUSERSDIR = $(PREFIX)/lib/sysusers.d
CONFDIR	= /etc/tcpmuxd

CC	= gcc
PYTHON	?= /usr/bin/python3
PYTEST	?= /usr/bin/pytest-3
WARN	= -Wall -Wextra -Wconversion -Wshadow -Wvla -Wmissing-prototypes \
	  -Wstrict-prototypes -Werror
HARDEN	= -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
	  -fstack-clash-protection -ftrivial-auto-var-init=zero $(CF)
# Where jumps may lead, and returns: as the machine has it that it is made for.
TARGET_CPU := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine \
	  2>/dev/null)))
ifneq ($(filter x86_64 i%86,$(TARGET_CPU)),)
CF	= -fcf-protection=full
endif
ifeq ($(TARGET_CPU),aarch64)
CF	= -mbranch-protection=standard
endif
OPT	= -O2 -g
SANFLAGS =
ifeq ($(SANITIZE),1)
HARDEN	= -fstack-protector-strong
OPT	= -O1 -g -fno-omit-frame-pointer -DTCPMUXD_SANITIZE
# Its checks blind gcc to what bounds a value: two warnings see ghosts.
SANFLAGS = -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	  -Wno-format-truncation -Wno-maybe-uninitialized
endif
CPPFLAGS = -Isrc -D_GNU_SOURCE -DTCPMUXD_VERSION='"$(VERSION)"' \
	  -DTCPMUXD_LIBEXEC='"$(LIBEXECDIR)"'
# Where it was built is nobody's business: `make reproducible`.
CFLAGS	= -std=c11 $(OPT) -fPIE -ffile-prefix-map=$(CURDIR)=. $(WARN) $(HARDEN) \
	  $(SANFLAGS)
LDFLAGS	= -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code \
	  -Wl,--as-needed $(SANFLAGS)
# The parser lives in an empty root, the launcher copies itself for each
# service, and a builtin has next to no calls: nothing to load at run time.
# A sanitizer's runtime cannot be linked statically, so there they are not.
ifeq ($(SANITIZE),1)
STATIC	= $(LDFLAGS)
else
STATIC	= -static-pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code
# What a launch touches lies together, where the kernel maps it at once.
TOGETHER = -Wl,-z,max-page-size=65536 -Wl,-T,src/launcher/launch.ld
endif

# What runs is named, not shown; V=1 shows it.
ifeq ($(V),1)
Q	=
else
Q	= @echo "  $(if $(filter %.o,$@),CC,LD) $@";
endif
# For the targets that call make again: all processors, unless -j says less.
JOBS	= $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
AGAIN	= $(MAKE) --no-print-directory $(JOBS)

objs	= $(patsubst src/%.c,$(BUILD)/obj/%.o,$(sort $(wildcard src/$(1)/*.c)))
programs = $(patsubst %.c,$(BUILD)/%,$(wildcard $(1)))
CORE	= $(call objs,core)
SYS	= $(call objs,sys)
LIBS	= $(BUILD)/libsys.a $(BUILD)/libcore.a
SODIUM	= -Wl,-Bstatic -lsodium -Wl,-Bdynamic

PROGRAMS = $(BUILD)/tcpmuxd $(BUILD)/tcpmuxd-parser \
	  $(BUILD)/tcpmuxd-launcher $(BUILD)/tcpmuxd-builtin $(BUILD)/tcpmux
UNIT	= $(call programs,tests/unit/test_*.c)
TOOLS	= $(filter-out $(NOT_HERE),$(call programs,tests/tools/*.c))
PRELOADS = $(patsubst %.c,$(BUILD)/%.so,$(wildcard tests/tools/preload/*.c))
EVIL	= $(filter-out $(NOT_HERE),$(call programs,tests/evil-parser/*.c))
# They put calls into another's registers, and know those of x86-64 only.
ifneq ($(TARGET_CPU),x86_64)
NOT_HERE = $(BUILD)/tests/tools/room-inject \
	  $(BUILD)/tests/tools/builtin-inject $(BUILD)/tests/evil-parser/rider
endif
RECEIVER = $(BUILD)/contrib/pass/receiver
BENCH	= $(call programs,tests/bench/*.c)
# Tables that tests read as the loader does.
PROFILES = $(patsubst %,$(BUILD)/obj/loader/profile_%.o,default stdio offline)
FLAGS	= $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)
SOURCES	= $(wildcard src/*/*.c)
# The inputs of a link without the notes they also depend on.
INPUTS	= $(filter %.o %.a,$^)

.PHONY: all
all: $(PROGRAMS)			## build the five programs

# --- trying it ---------------------------------------------------------------

.PHONY: deps demo
deps:			## install what building, tests and lint need (root)
	@contrib/deps build check peers lint

demo:			## build, and run it here with three services to try
	@contrib/deps build
	@$(AGAIN) all
	@contrib/demo $(BUILD) $(DEMO_PORT)

# --- building ----------------------------------------------------------------

# Other flags (PREFIX is one) make other objects; a source file that went or
# came makes another library. Written only where they differ.
.PHONY: ALWAYS
$(BUILD)/flags: export NOTE = $(FLAGS)
$(BUILD)/sources: export NOTE = $(SOURCES)
$(BUILD)/flags $(BUILD)/sources: ALWAYS
	@mkdir -p $(@D)
	@printf '%s\n' "$$NOTE" | cmp -s - $@ || printf '%s\n' "$$NOTE" >$@

$(BUILD)/obj/%.o: src/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libcore.a: $(CORE) $(BUILD)/sources
	@rm -f $@
	@ar rcsD $@ $(INPUTS)

$(BUILD)/libsys.a: $(SYS) $(BUILD)/sources
	@rm -f $@
	@ar rcsD $@ $(INPUTS)

$(PROGRAMS): $(BUILD)/sources

$(BUILD)/tcpmuxd: $(BUILD)/obj/main.o $(call objs,parent) \
    $(call objs,loader) $(LIBS)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(INPUTS) -lseccomp -lcap-ng -lbsd $(SODIUM)

$(BUILD)/tcpmuxd-parser: $(call objs,parser) $(LIBS)
	$(Q)$(CC) $(STATIC) -o $@ $(INPUTS) -lseccomp -lcap-ng

$(BUILD)/tcpmuxd-launcher: $(call objs,launcher) $(LIBS) src/launcher/launch.ld
	$(Q)$(CC) $(STATIC) $(TOGETHER) -o $@ $(INPUTS) -lcap-ng

$(BUILD)/tcpmuxd-builtin: $(call objs,builtin) $(LIBS)
	$(Q)$(CC) $(STATIC) -o $@ $(INPUTS) -lseccomp

$(BUILD)/tcpmux: $(call objs,client) $(LIBS)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(INPUTS) -lseccomp

# --- testing -----------------------------------------------------------------

.PHONY: check unit tools
check:			## build, and run every test this user can run
	@contrib/deps build check
	@contrib/deps -o peers
	@$(AGAIN) all unit tools
	@BUILD=$(BUILD) SANITIZE=$(SANITIZE) PYTEST=$(PYTEST) tests/run $(UNIT)

unit: $(UNIT)				## build the unit tests
tools: $(TOOLS) $(PRELOADS) $(EVIL) $(RECEIVER) $(BUILD)/tests/bench/load	## build the programs the tests use

$(BUILD)/tests/unit/%: tests/unit/%.c $(PROFILES) $(LIBS) $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -Wno-missing-prototypes $(LDFLAGS) \
	    -MMD -MP -MF $@.d -MT $@ -o $@ $< $(PROFILES) $(LIBS) \
	    -lcmocka -lseccomp -lcap-ng -lbsd $(SODIUM)

$(BUILD)/tests/tools/preload/%.so: tests/tools/preload/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -shared -o $@ $<

# As people will build it: an example needs nothing of ours.
$(RECEIVER): contrib/pass/receiver.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 $(OPT) $(WARN) -o $@ $<

$(BUILD)/tests/tools/%: tests/tools/%.c $(PROFILES) $(LIBS) $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -MF $@.d -MT $@ \
	    -o $@ $< $(PROFILES) $(LIBS) -lseccomp -lcap-ng

# Parsers as they must not be, to see what the parent does then.
$(BUILD)/tests/evil-parser/%: tests/evil-parser/%.c $(LIBS) $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -MF $@.d -MT $@ \
	    -o $@ $< $(LIBS)

.PHONY: check-valgrind
check-valgrind:		## unit and end-to-end tests under valgrind (root, long)
	@contrib/deps build check
	@$(AGAIN) all unit tools
	@BUILD=$(BUILD) PYTEST=$(PYTEST) tests/valgrind $(UNIT)

.PHONY: lint
lint:			## format, warnings, layers, purity, manual pages, scripts
	@contrib/deps build check lint
	@$(AGAIN) all tools unit $(BENCH)
	@BUILD=$(BUILD) CPPFLAGS="$(subst ",\",$(CPPFLAGS))" WARN="$(WARN)" \
	    PYTHON=$(PYTHON) tests/lint/run

.PHONY: reproducible
reproducible:		## build twice, in two places and ways, and compare
	@contrib/deps build
	@tests/reproducible

.PHONY: bench
bench:			## against others, and the physical limits (root)
	@contrib/deps build check
	@contrib/deps -o peers bench
	@contrib/deps -x $(BUILD)/bench/peers xinetd inetutils-inetd
	@$(AGAIN) all $(BENCH)
	@TCPMUXD_BUILD=$(BUILD) PYTHONDONTWRITEBYTECODE=1 \
	    $(PYTHON) tests/bench/run.py $(ARGS)

.PHONY: bench-reload
bench-reload:		## 200 reloads among 50,000 connections (root)
	@contrib/deps build check
	@$(AGAIN) all tools
	@TCPMUXD_BUILD=$(BUILD) PYTHONDONTWRITEBYTECODE=1 \
	    $(PYTHON) tests/bench/reload.py $(ARGS)

.PHONY: bench-pass
bench-pass:		## how many sessions a second a server can be passed (root)
	@contrib/deps build check
	@$(AGAIN) all tools $(BENCH)
	@TCPMUXD_BUILD=$(BUILD) PYTHONDONTWRITEBYTECODE=1 \
	    $(PYTHON) tests/bench/pass.py $(ARGS)

.PHONY: bench-leftovers
bench-leftovers:	## what is left of 10,000 sessions that hide what they start (root)
	@contrib/deps build check
	@$(AGAIN) all tools
	@TCPMUXD_BUILD=$(BUILD) PYTHONDONTWRITEBYTECODE=1 \
	    $(PYTHON) tests/bench/leftovers.py $(ARGS)

.PHONY: bench-launch
bench-launch:		## how often a service is launched, and by others (root)
	@contrib/deps build check
	@$(AGAIN) all tools $(BENCH)
	@TCPMUXD_BUILD=$(BUILD) PYTHONDONTWRITEBYTECODE=1 \
	    $(PYTHON) tests/bench/launch.py $(ARGS)

.PHONY: bench-storm
bench-storm:		## how long others wait while services are launched (root)
	@contrib/deps build check
	@$(AGAIN) all tools $(BENCH)
	@TCPMUXD_BUILD=$(BUILD) PYTHONDONTWRITEBYTECODE=1 \
	    $(PYTHON) tests/bench/storm.py $(ARGS)

.PHONY: bench-flood
bench-flood:		## what a flood of who gets shut out costs others (root)
	@contrib/deps build check
	@$(AGAIN) all tools
	@TCPMUXD_BUILD=$(BUILD) PYTHONDONTWRITEBYTECODE=1 \
	    $(PYTHON) tests/bench/flood.py $(ARGS)

.PHONY: bench-evil
bench-evil:		## what others notice of a parser that does evil (root)
	@contrib/deps build check
	@$(AGAIN) all tools
	@TCPMUXD_BUILD=$(BUILD) PYTHONDONTWRITEBYTECODE=1 \
	    $(PYTHON) tests/bench/evil.py $(ARGS)

SECONDS	?= 60
SEED	?= 1
.PHONY: soak
soak:			## everybody at once, at random: SECONDS=60 SEED=1 (root)
	@contrib/deps build check
	@$(AGAIN) all tools
	@TCPMUXD_BUILD=$(BUILD) PYTHONDONTWRITEBYTECODE=1 $(PYTHON) \
	    tests/soak/chaos.py --seconds $(SECONDS) --seed $(SEED) $(ARGS)

.PHONY: mutants
mutants:		## leave out each defence, and see which test notices (root)
	@contrib/deps build check
	@contrib/deps -o peers
	@$(PYTHON) -B tests/mutants/sites.py --check
	@for what in --reach "$(ARGS)"; do \
	    BUILD=$(BUILD) PYTHONDONTWRITEBYTECODE=1 \
	        $(PYTHON) tests/mutants/run.py $$what || exit 1; done

$(BUILD)/tests/bench/%: tests/bench/%.c $(LIBS) $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -MF $@.d -MT $@ \
	    -o $@ $< $(LIBS)

$(BUILD)/tests/bench/nothing $(BUILD)/tests/bench/greet: \
    $(BUILD)/tests/bench/%: tests/bench/%.c tests/bench/bare.h $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -O2 $(WARN) -static -nostdlib -fno-stack-protector \
	    -o $@ $<

# --- fuzzing (fuzz/README.md) ------------------------------------------------

TARGET	=
SECONDS	= 600
FUZZ	= $(AGAIN) -f fuzz/Makefile BUILD=$(BUILD)

.PHONY: fuzz fuzz-smoke fuzz-cov fuzz-min
fuzz:			## fuzz TARGET (none: each in turn) for SECONDS
	@contrib/deps build fuzz
	@$(FUZZ) FLAVOUR=afl
	@$(FUZZ) FLAVOUR=san
	@fuzz/continuous -b $(BUILD) -s $(SECONDS) -n 1 $(TARGET)

fuzz-smoke:		## every seed and past crash through its harness
	@contrib/deps build
	@$(FUZZ) FLAVOUR=san
	@fuzz/smoke $(BUILD)

fuzz-cov:		## which branches of src/core the inputs reach
	@contrib/deps build
	@$(FUZZ) FLAVOUR=cov
	@fuzz/coverage $(BUILD) $(STATE)

fuzz-min:		## what fuzzing found, minimised, into fuzz/corpus
	@contrib/deps build fuzz
	@$(FUZZ) FLAVOUR=afl
	@fuzz/minimise $(BUILD) $(or $(STATE),$(BUILD)/fuzz/state) $(TARGET)

# --- installing --------------------------------------------------------------

D	= $(DESTDIR)
# Units and manual pages name the folders that were chosen.
FILL	= sed -e 's|@SBINDIR@|$(SBINDIR)|g' -e 's|@DOCDIR@|$(DOCDIR)|g'

.PHONY: install uninstall
install: all		## install below DESTDIR and PREFIX (/usr/local)
	install -d $(D)$(SBINDIR) $(D)$(BINDIR) $(D)$(LIBEXECDIR) \
	    $(D)$(MANDIR)/man1 $(D)$(MANDIR)/man5 $(D)$(MANDIR)/man8 \
	    $(D)$(DOCDIR)/policy.d $(D)$(DOCDIR)/pass $(D)$(DOCDIR)/services \
	    $(D)$(BASHDIR) $(D)$(UNITDIR) $(D)$(SYSUSERSDIR) \
	    $(D)$(CONFDIR)/policy.d
	install -m 755 $(BUILD)/tcpmuxd $(D)$(SBINDIR)
	install -m 755 $(BUILD)/tcpmux $(D)$(BINDIR)
	install -m 755 $(BUILD)/tcpmuxd-parser $(BUILD)/tcpmuxd-launcher \
	    $(BUILD)/tcpmuxd-builtin $(D)$(LIBEXECDIR)
	for page in man/*.[158]; do \
	    to=$(D)$(MANDIR)/man$${page##*.}/$${page##*/}; \
	    $(FILL) $$page >$$to && chmod 644 $$to || exit 1; \
	done
	install -m 644 policy/*.policy LICENSE $(wildcard *.md) $(D)$(DOCDIR)
	install -m 644 policy/policy.d/*.policy $(D)$(DOCDIR)/policy.d
	install -m 755 contrib/from-xinetd $(D)$(DOCDIR)
	install -m 644 contrib/pass/receiver.[cp]* $(D)$(DOCDIR)/pass
	install -m 755 contrib/services/*.p[ly] $(D)$(DOCDIR)/services
	for name in tcpmux tcpmuxd; do install -m 644 \
	    contrib/completions/$$name.bash $(D)$(BASHDIR)/$$name || exit 1; \
	done
	$(FILL) contrib/systemd/tcpmuxd.service >$(D)$(UNITDIR)/tcpmuxd.service
	chmod 644 $(D)$(UNITDIR)/tcpmuxd.service
	install -m 644 contrib/systemd/sysusers.d/tcpmuxd.conf $(D)$(SYSUSERSDIR)
	test -e $(D)$(CONFDIR)/tcpmuxd.policy || \
	    install -m 644 policy/default.policy $(D)$(CONFDIR)/tcpmuxd.policy

uninstall:		## remove what install put there, but the policy
	rm -f $(D)$(SBINDIR)/tcpmuxd $(D)$(BINDIR)/tcpmux \
	    $(D)$(BASHDIR)/tcpmux $(D)$(BASHDIR)/tcpmuxd $(D)$(UNITDIR)/tcpmuxd.service \
	    $(D)$(SYSUSERSDIR)/tcpmuxd.conf
	for page in man/*.[158]; do \
	    rm -f $(D)$(MANDIR)/man$${page##*.}/$${page##*/}; \
	done
	rm -rf $(D)$(LIBEXECDIR) $(D)$(DOCDIR)

# --- the rest ----------------------------------------------------------------

.PHONY: clean
clean:					## remove everything built
	rm -rf $(BUILD)

.PHONY: help
help:					## list the targets
	@awk -F':.*## *' '/^[a-z-]+( [a-z-]+)*:.*##/ \
	    { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

-include $(shell find $(BUILD) -path $(BUILD)/mutants -prune -o \
    -name '*.d' -type f -print 2>/dev/null)
