# How the compiler is called: for our own code and for the libraries alike.
#
# In:  VARIANT  musl (the product), dev, fuzz or system
#      TARGET, TARGET_FLAGS  of the board (musl), e.g. aarch64-linux-gnu
#      MUSL     the folder with musl's include/ and lib/ (musl)
# Out: CC AR STRIP, tc_cppflags tc_cflags tc_size tc_speed, and for linking
#      tc_ldflags tc_start tc_end.

gcc_file = $(shell $(CC) -print-file-name=$(1))

# ---- musl: Debian's (cross) gcc, told to see nothing of its own libc. No
# wrapper and no specs: what is linked stands in tc_start and tc_end.
ifeq ($(VARIANT),musl)
CC    := $(TARGET)-gcc
AR    := $(TARGET)-ar
STRIP := $(TARGET)-strip
tc_cppflags = -nostdinc -isystem $(MUSL)/include -isystem $(call gcc_file,include)
tc_cflags   = $(TARGET_FLAGS) -pthread -ffunction-sections -fdata-sections \
  -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-ident
tc_size    := -Os
tc_speed   := -O2
tc_ldflags  = -static -no-pie -nostdlib -nostartfiles -L$(MUSL)/lib \
  -Wl,--gc-sections,--build-id=none -Wl,-z,relro,-z,now,-z,noexecstack
tc_start    = $(MUSL)/lib/crt1.o $(MUSL)/lib/crti.o $(call gcc_file,crtbeginT.o)
tc_end      = -Wl,--start-group -lc -lgcc -lgcc_eh $(foreach f,$(TARGET_LIBS),$(call gcc_file,$f)) -Wl,--end-group \
  $(call gcc_file,crtend.o) $(MUSL)/lib/crtn.o
endif

# ---- dev, fuzz: the same sources on the host's libc, with the sanitizers. A
# finding ends the program, so that no test can pass over it.
ifneq ($(filter dev fuzz,$(VARIANT)),)
CC    := $(if $(filter fuzz,$(VARIANT)),clang,gcc)
AR    := ar
STRIP := strip
sanitize := address,undefined
tc_cppflags := -D_FILE_OFFSET_BITS=64
tc_cflags   := -g -fno-omit-frame-pointer -pthread -fno-sanitize-recover=all \
  -fsanitize=$(sanitize) $(if $(filter fuzz,$(VARIANT)),-fsanitize=fuzzer-no-link)
tc_size     := -O1
tc_speed    := -O1
tc_ldflags  := -pthread -fsanitize=$(sanitize)
endif

# ---- system: whatever toolchain and libraries a package build has set up.
ifeq ($(VARIANT),system)
ifneq ($(filter default undefined,$(origin CC)),)
CC    := $(CROSS_COMPILE)gcc
endif
STRIP ?= $(CROSS_COMPILE)strip
tc_cppflags  = -D_FILE_OFFSET_BITS=64
tc_cflags    = -pthread -ffunction-sections -fdata-sections
tc_size     := -Os
tc_speed    := -O2
tc_ldflags   = -pthread -Wl,--gc-sections -Wl,-z,relro,-z,now
endif
