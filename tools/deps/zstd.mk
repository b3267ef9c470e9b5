# zstd: streaming compression and decompression, one thread, today's format only.
package := libzstd
notice  := LICENSE
files   := lib/common/*.c lib/compress/*.c lib/decompress/*.c lib/decompress/*.S
headers := lib/zstd.h lib/zstd_errors.h
flags   := -Isrc/lib -DXXH_NAMESPACE=ZSTD_ -DZSTD_LEGACY_SUPPORT=0 -DDEBUGLEVEL=0
# -O2 for these is all of the speed of -O2 for less than half of its size.
speed   := zstd_fast zstd_double_fast zstd_compress zstd_compress_sequences \
  huf_compress fse_compress zstd_decompress_block huf_decompress \
  entropy_common fse_decompress zstd_common xxhash hist
