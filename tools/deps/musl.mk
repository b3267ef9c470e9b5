# The C library of the static binary.
package := musl
notice  := COPYRIGHT

# Debian's name of the ABI -> musl's.
musl_target := $(or $(musl_target.$(TARGET)),$(TARGET:-gnu=-musl))
musl_target.arm-linux-gnueabihf := arm-linux-musleabihf

# Its own configure takes a second and needs nothing. The empty archive is what
# says that this library, like any other, is there.
out/lib/libmusl.a:
	mkdir -p obj
	cd obj && CC=$(CC) CROSS_COMPILE=$(TARGET)- CFLAGS='-Os $(TARGET_FLAGS) -ffunction-sections -fdata-sections -fno-ident -ffile-prefix-map=$(CURDIR)=.' \
	  ../src/configure --target=$(musl_target) --prefix=/ --disable-shared --disable-wrapper
	$(MAKE) -C obj DESTDIR=$(CURDIR)/out install
	$(AR) rcD $@
