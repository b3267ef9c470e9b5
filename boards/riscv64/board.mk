TARGET := riscv64-linux-gnu
QEMU := qemu-riscv64-static
