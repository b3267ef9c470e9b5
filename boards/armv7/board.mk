TARGET := arm-linux-gnueabihf
# Thumb-2: a quarter smaller.
TARGET_FLAGS := -march=armv7-a+fp -mthumb
QEMU := qemu-arm-static
