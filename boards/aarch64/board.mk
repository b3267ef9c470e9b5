TARGET := aarch64-linux-gnu
# Atomics inline: one function call less, and every 64-bit ARM has them.
TARGET_FLAGS := -mno-outline-atomics
QEMU := qemu-aarch64-static
