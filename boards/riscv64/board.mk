TARGET := riscv64-linux-gnu
# Atomics smaller than a word are calls there.
TARGET_LIBS := libatomic.a
QEMU := qemu-riscv64-static
