#include "base/id.h"

#include "base/hex.h"

char *
id_hex(const struct id *id, char ret[ID_HEX + 1])
{

	return (hex_encode(ret, id->b, ID_LEN));
}

bool
id_parse(struct id *ret, const char *s, size_t len)
{

	return (len == ID_HEX && hex_decode(ret->b, s, len));
}
