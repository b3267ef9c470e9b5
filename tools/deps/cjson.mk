# cJSON: small documents as a tree. As elsewhere, both <cJSON.h> and
# <cjson/cJSON.h> find it.
package := cjson
notice  := LICENSE
files   := cJSON.c
headers := cJSON.h
folder  := cjson
top     := cJSON.h
flags   := -DCJSON_HIDE_SYMBOLS
