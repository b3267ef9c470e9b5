# cJSON: small documents as a tree.
package := cjson
files   := cJSON.c
headers := cJSON.h
folder  := cjson
flags   := -DCJSON_HIDE_SYMBOLS
