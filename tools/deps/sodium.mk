# libsodium, of which only raw Poly1305 is used: without its configure, which
# would probe for the other ninety-nine hundredths. conf/sodium/glue.c closes
# the holes that remain.
package := libsodium
notice  := LICENSE
root    := src/libsodium
files   := $(addprefix $(root)/,crypto_onetimeauth/poly1305/*.c \
  crypto_onetimeauth/poly1305/donna/*.c crypto_onetimeauth/poly1305/sse2/*.c \
  crypto_verify/sodium/*.c sodium/runtime.c sodium/utils.c) conf/glue.c
headers := $(root)/include/sodium/*.h conf/version.h
top     := $(root)/include/sodium.h
folder  := sodium
cpu     := $(shell $(CC) $(TARGET_FLAGS) -dM -E -x c /dev/null | \
  sed -n 's/^#define \(__x86_64__\|__SIZEOF_INT128__\) .*/\1/p')
flags   := -Iconf -Isrc/$(root)/include/sodium -Isrc/$(root)/include -DCONFIGURED=1 \
  -DHAVE_WEAK_SYMBOLS=1 -DHAVE_C_VARARRAYS=1 -DHAVE_INLINE_ASM=1 -DHAVE_MMAP=1 \
  $(if $(filter __SIZEOF_INT128__,$(cpu)),-DHAVE_TI_MODE=1) \
  $(if $(filter __x86_64__,$(cpu)),-DHAVE_CPUID=1 -DHAVE_EMMINTRIN_H=1 -DHAVE_AMD64_ASM=1)
speed   := poly1305_donna poly1305_sse2
