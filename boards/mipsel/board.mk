TARGET := mipsel-linux-gnu
# The compiler's default is code for shared objects; ours is not: an eighth less.
TARGET_FLAGS := -fno-pic -mno-shared -mplt
# 64-bit atomics are calls there.
TARGET_LIBS := libatomic.a
QEMU := qemu-mipsel-static
