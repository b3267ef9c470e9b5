# BearSSL: SHA-256, HMAC, AES.
package := bearssl
notice  := LICENSE.txt
files   := $(addprefix src/,settings.c codec/*.c hash/*.c kdf/*.c mac/*.c symcipher/*.c)
headers := inc/*.h
# The unaligned loads are deliberate, but a sanitizer cannot know.
flags   := -Isrc/inc -Isrc/src $(if $(filter musl,$(VARIANT)),,-DBR_LE_UNALIGNED=0 -DBR_BE_UNALIGNED=0)
# What runs over every byte of a backup.
speed   := aes_x86ni_ctr aes_ct64_ctr aes_ct_ctr aes_ct64 aes_ct sha2small
