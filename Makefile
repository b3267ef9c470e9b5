# garner. `make help` says what can be asked for.
#
# The files of the program are listed in src/*/Makefile, one word each, its
# options in the Kconfig beside that, a board's choice of them in
# boards/BOARD/defconfig. Everything built lies in build/.

VERSION := 0.1.0
PREFIX  ?= /usr/local

# As many jobs as processors, unless told otherwise or called by another make.
jobs := $(if $(filter 0,$(MAKELEVEL)),$(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc)))
MAKEFLAGS += -rR --no-print-directory $(jobs)
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
comma := ,
Q := $(if $(V),,@)

# ---- what is built: a board (what for) in a variant (how) -------------------
include boards/Makefile
BOARD   ?= $(board_here)
VARIANT ?= $(if $(filter system,$(DEPS)),system,musl)
O := build/$(if $(filter musl,$(VARIANT)),$(BOARD),$(VARIANT)$(if $(filter-out $(board_here),$(BOARD)),-$(BOARD)))
ifeq ($(wildcard boards/$(BOARD)/board.mk),)
$(error no board '$(BOARD)': make BOARD=NAME, one of $(boards))
endif
include boards/$(BOARD)/board.mk
MUSL := $(O)/deps/musl
include tools/deps/toolchain.mk

all: ## the static binary: build/BOARD/garner and, for this machine, build/garner

# ---- jobs that call this makefile again, and need nothing set up ------------
setups := setup-build setup-test setup-boards setup-bench
outer  := help clean dev fuzz boards check bench demo $(setups)

help: ## this list
	@echo 'make [GOAL] [BOARD=$(board_here)] [DEPS=system] [V=1], where GOAL is one of'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo 'boards: $(boards)'

dev: ## build/dev/garner: the host's libc, address and UB sanitizers
	@$(MAKE) VARIANT=dev garner

fuzz: setup-test ## build/fuzz/NAME: each tests/fuzz/NAME.c with libFuzzer
	@$(MAKE) VARIANT=fuzz fuzzers

boards: setup-boards ## all boards (BOARDS="a b": those), each binary tried
	@for b in $(BOARDS); do $(MAKE) BOARD=$$b VARIANT=musl try || exit 1; done
BOARDS ?= $(boards)

check: setup-test ## all tests, from headers to restic's opinion
	@tests/run

bench: setup-bench ## measurements
	@$(MAKE) all benches
	@tests/bench/run

demo: setup-build ## a guided first backup and restore in a scratch folder
	@$(MAKE) all
	@tools/demo

clean: ## remove build/ (the libraries' cache stays)
	rm -rf build

$(setups): setup-%:
	@tools/setup $*

.PHONY: $(outer)

ifneq ($(filter-out $(outer),$(or $(MAKECMDGOALS),all)),)

# ---- the configuration: defconfig -> .config -> auto.conf, autoconf.h -------
kconfigs := Kconfig boards/Kconfig $(wildcard src/*/Kconfig)
# In $(O), because conf litters the folder it runs in.
kconfig = cd $(O) && srctree=../.. KCONFIG_CONFIG=.config KCONFIG_AUTOCONFIG=auto.conf \
  KCONFIG_AUTOHEADER=autoconf.new KCONFIG_TRISTATE=tristate.conf $(1)

# keep COMMAND: what it prints becomes $@, whose time changes only with its text.
keep = @mkdir -p $(@D); $(1) >$@.new || { rm -f $@.new; exit 1; }; \
  if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(O)/defconfig: boards/$(BOARD)/defconfig FORCE
	$(call keep,cat $<)

# conf drops unknown symbols and numbers out of range without a word: every line
# of the defconfig must be found in what comes out.
$(O)/.config: $(O)/defconfig
	@command -v kconfig-conf >/dev/null || { echo 'kconfig-conf is missing: tools/setup' >&2; exit 1; }
	@if [ -f $@ ]; then echo "$(BOARD): its defconfig changed, $@ starts anew (the last one: $@.old)"; mv $@ $@.old; fi
	@$(call kconfig,kconfig-conf --defconfig=defconfig Kconfig) </dev/null >/dev/null
	@if grep '^CONFIG_\|^# CONFIG_' $< | grep -Fxv -f $@; then \
	  echo 'boards/$(BOARD)/defconfig: these lines did not take effect' >&2; rm -f $@ $<; exit 1; fi

$(O)/auto.conf: $(O)/.config $(kconfigs)
	@mkdir -p $(O)/include/config
	@$(call kconfig,kconfig-conf --olddefconfig Kconfig) </dev/null >/dev/null
	@$(call kconfig,kconfig-conf --silentoldconfig Kconfig) </dev/null >/dev/null
	@touch $@

$(O)/autoconf.h: $(O)/auto.conf
	@cmp -s $(O)/autoconf.new $@ || cp $(O)/autoconf.new $@

include $(O)/auto.conf

config: $(O)/autoconf.h
	@:
menuconfig: $(O)/auto.conf ## change build/BOARD/.config
	@$(call kconfig,kconfig-mconf Kconfig)
savedefconfig: $(O)/auto.conf ## make it the board's defconfig
	@$(call kconfig,kconfig-conf --savedefconfig=defconfig Kconfig) >/dev/null
	cp $(O)/defconfig boards/$(BOARD)/defconfig
	@touch $(O)/.config

# ---- the lists: what the folders say ----------------------------------------
folders := base crypto stream source store state repo archive run cli
define folder
obj-y :=
include src/$(1)/Makefile
objs += $$(obj-y:%=src/$(1)/%.o)
endef
objs := src/main.o
$(foreach f,$(folders),$(eval $(call folder,$f)))

# A face's kinds are objects too, and a table of them: type, header, path.
face-store  := store_kind store/store.h   src/store/
face-source := source_kind source/source.h src/source/
face-cmd    := cmd cli/cmd.h src/cli/cmd_
faces := $(foreach f,store source cmd,$(if $(wildcard src/$(word 2,$(face-$f))),$f))
objs  += $(foreach f,$(faces),$($f-y:%=$(word 3,$(face-$f))%.o) gen/table_$f.o)
objs  += gen/licenses.o
OBJS  := $(objs:%=$(O)/%)
libs  := $(sort $(lib-y))

$(O)/gen/table_%.c: tools/table.sh FORCE
	$(call keep,tools/table.sh $* $(wordlist 1,2,$(face-$*)) '$($*-y)' '$($*-)')

# What `garner version --licenses` shows; a system's libraries bring their own.
$(O)/gen/licenses.c: tools/licenses.sh LICENSE $(O)/deps.list
	$(call keep,tools/licenses.sh $(addprefix $(O)/deps/,$(if $(filter musl,$(VARIANT)),musl) $(if $(filter-out system,$(VARIANT)),$(libs))))

# ---- the libraries ----------------------------------------------------------
ifeq ($(VARIANT),system)
pc-sodium := libsodium
pc-zstd   := libzstd
pc-cjson  := libcjson
PKG_CONFIG ?= pkg-config
lib_cflags := $(foreach l,$(libs),$(if $(pc-$l),$(shell $(PKG_CONFIG) --cflags $(pc-$l))))
lib_files  := $(foreach l,$(libs),$(if $(pc-$l),$(shell $(PKG_CONFIG) --libs $(pc-$l)),-l$l))
$(O)/deps.list: FORCE
	$(call keep,echo '$(libs)')
else
lib_cflags := $(libs:%=-isystem $(O)/deps/%/include)
lib_files  := $(foreach l,$(libs),$(O)/deps/$l/lib/lib$l.a)
$(O)/deps.list: FORCE
	$(call keep,tools/deps/get $(O)/deps $(VARIANT) '$(TARGET)' '$(TARGET_FLAGS)' $(libs))
endif

# ---- our own code -----------------------------------------------------------
warnings := -Wall -Wextra -Wundef -Wshadow -Wvla -Wmissing-prototypes \
  $(if $(filter dev,$(VARIANT))$(CI),-Werror)
cppflags = $(tc_cppflags) -D_GNU_SOURCE -Isrc -Itests -include $(O)/autoconf.h \
  -DGARNER_VERSION='"$(VERSION)"' $(lib_cflags) $(CPPFLAGS)
# $(cflags-FOLDER) and $(cflags-FILE.o) are the folders' own words; a path never
# gets into the binary.
cflags = -std=c11 -g $(tc_size) $(tc_cflags) $(warnings) \
  -ffile-prefix-map=$(CURDIR)=. $(CFLAGS)
own_cflags = $(cflags-$(*D)) $(cflags-$*.o)

$(O)/cc.list: FORCE
	$(call keep,printf '%s\n' "`$(CC) --version | sed 1q`" '$(subst ','\'',$(cppflags) $(cflags))' \
	  $(foreach v,$(sort $(filter cflags-%,$(.VARIABLES))),'$v $($v)'))
$(O)/link.list: FORCE
	$(call keep,printf '%s\n' '$(objs)' '$(tc_ldflags) $(LDFLAGS)')

needs := $(O)/autoconf.h $(O)/cc.list $(O)/deps.list
compile = @echo 'cc      $<'; mkdir -p $(@D)
$(O)/%.o: %.c $(needs)
	$(compile)
	$(Q)$(CC) $(cppflags) $(cflags) $(own_cflags) -MMD -MP -c $< -o $@
$(O)/gen/%.o: $(O)/gen/%.c $(needs)
	$(compile)
	$(Q)$(CC) $(cppflags) $(cflags) -MMD -MP -c $< -o $@

# linked OBJECTS, ARCHIVE, MORE: into $@
link = @echo 'link    $@'; mkdir -p $(@D)
linked = $(Q)$(CC) $(tc_cflags) $(tc_ldflags) $(LDFLAGS) -o $@ $(tc_start) $(1) \
  -Wl,--start-group $(2) $(lib_files) -Wl,--end-group $(3) $(tc_end)

$(O)/garner.debug: $(OBJS) $(O)/link.list $(O)/deps.list
	$(link)
	$(call linked,$(OBJS),,-Wl$(comma)-Map=$(O)/garner.map)
# The sanitizers want their symbols. A rename, since one may be running.
$(O)/garner: $(O)/garner.debug
	$(Q)$(if $(filter dev fuzz,$(VARIANT)),cp $< $@.new,$(STRIP) -s -R .comment -o $@.new $<)
	@mv -f $@.new $@

garner: $(O)/garner
ifeq ($(O),build/$(board_here))
build/garner: $(O)/garner
	@cp $< $@.new && mv -f $@.new $@
all: build/garner
endif
all: garner
	@:

install: $(O)/garner ## into $(DESTDIR)$(PREFIX)/bin
	install -D -m 755 $< $(DESTDIR)$(PREFIX)/bin/garner

# Where this board and variant lie, for scripts.
where:
	@echo $(O)

try: $(O)/garner
	@echo 'try     $< selftest'
	@$(QEMU) $< selftest

# ---- programs of the tests: one file, and of the objects what it names -------
UNITS   := $(patsubst tests/unit/%.c,$(O)/unit/%,$(wildcard tests/unit/*/*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(O)/%,$(wildcard tests/fuzz/*.c))
BENCHES := $(patsubst tests/bench/%.c,$(O)/bench/%,$(wildcard tests/bench/*.c))
units: $(UNITS)
fuzzers: $(FUZZERS)
benches: $(BENCHES)
$(O)/parts.a: $(filter-out $(O)/src/main.o,$(OBJS)) $(O)/link.list
	@rm -f $@; $(AR) qcsD $@ $(filter %.o,$^)
# What the kinds of a face share: suites that each of them must pass.
FACES := $(patsubst %.c,$(O)/%.o,$(wildcard tests/faces/*.c))
$(O)/faces.a: $(FACES)
	@rm -f $@; $(AR) qcsD $@ $^
$(UNITS): $(O)/unit/%: $(O)/tests/unit/%.o $(O)/faces.a $(O)/parts.a
	$(link)
	$(call linked,$<,$(O)/faces.a $(O)/parts.a,-lcmocka)
$(FUZZERS): $(O)/%: $(O)/tests/fuzz/%.o $(O)/parts.a
	$(link)
	$(call linked,$<,$(O)/parts.a,-fsanitize=fuzzer)
$(BENCHES): $(O)/bench/%: $(O)/tests/bench/%.o $(O)/parts.a
	$(link)
	$(call linked,$<,$(O)/parts.a)
# A suite's tool that needs the program's objects; the others need only a cc.
forge: $(O)/tools/forge
$(O)/tools/forge: $(O)/tools/%: $(O)/tests/tools/%.o $(O)/parts.a
	$(link)
	$(call linked,$<,$(O)/parts.a)

.PHONY: all garner config menuconfig savedefconfig install where try units fuzzers \
  benches forge FORCE
# Kept: to look into, and to start from.
.PRECIOUS: $(O)/%.o $(O)/gen/table_%.c $(O)/gen/licenses.c
-include $(OBJS:.o=.d) $(patsubst tests/%.c,$(O)/tests/%.d,$(wildcard tests/unit/*/*.c tests/faces/*.c tests/fuzz/*.c tests/bench/*.c tests/tools/forge.c))
endif
