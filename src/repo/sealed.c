#include "repo/sealed.h"

#include <string.h>

#include "crypto/sha256.h"

/* Takes the stored bytes as they come: hash, IV, MAC, spill, tag. */
struct intake {
	struct sealed *s;
	const struct seal_key *key;
	struct sha256 sha;
	bool hashing;
	uint8_t iv[SEAL_IV];
	uint8_t tail[SEAL_TAG]; /* the last bytes so far: the tag in the end */
	size_t n_iv, n_tail;
};

/* Ciphertext that certainly is not the tag. */
static int
intake_body(struct intake *in, const uint8_t *p, size_t len, struct err *e)
{

	unseal_mac(&in->s->seal, p, len);
	return (spill_push(&in->s->bytes, p, len, e));
}

static int
intake_sink(void *cookie, const void *bytes, size_t len, struct err *e)
{
	struct intake *in = cookie;
	const uint8_t *p = bytes;
	uint8_t joint[2 * SEAL_TAG];
	size_t n;
	int rc;

	if (in->hashing)
		sha256_update(&in->sha, p, len);
	if (in->n_iv < SEAL_IV) {
		n = SEAL_IV - in->n_iv < len ? SEAL_IV - in->n_iv : len;
		memcpy(in->iv + in->n_iv, p, n);
		in->n_iv += n;
		p += n;
		len -= n;
		if (in->n_iv < SEAL_IV)
			return (0);
		unseal_begin(&in->s->seal, in->key, in->iv);
	}
	if (len >= SEAL_TAG) {
		if ((rc = intake_body(in, in->tail, in->n_tail, e)) != 0 ||
		    (rc = intake_body(in, p, len - SEAL_TAG, e)) != 0)
			return (rc);
		memcpy(in->tail, p + len - SEAL_TAG, SEAL_TAG);
		in->n_tail = SEAL_TAG;
		return (0);
	}
	memcpy(joint, in->tail, in->n_tail);
	memcpy(joint + in->n_tail, p, len);
	n = in->n_tail + len;
	len = n > SEAL_TAG ? n - SEAL_TAG : 0;
	if (len > 0 && (rc = intake_body(in, joint, len, e)) != 0)
		return (rc);
	in->n_tail = n - len;
	memcpy(in->tail, joint + len, in->n_tail);
	return (0);
}

int
sealed_fetch(struct sealed *s, struct repo *r, const char *name, uint64_t off,
    uint64_t len, size_t window, struct id *ret_sha, struct err *e)
{
	struct intake in = { .s = s, .key = &r->key };
	int rc;

	memset(s, 0, sizeof(*s));
	rc = spill_open(&s->bytes, r->state->scratch, window, e);
	if (rc != 0)
		return (rc);
	if (ret_sha != NULL) {
		in.hashing = true;
		sha256_begin(&in.sha);
	}
	rc = store_get(r->store, name, off, len, intake_sink, &in, e);
	if (rc != 0)
		return (rc);
	if (ret_sha != NULL)
		sha256_end(&in.sha, ret_sha);
	if (in.n_iv == 0)
		return (err_set(e, ERR_CORRUPT, "%s is damaged: it is empty",
		    name));
	if (in.n_tail < SEAL_TAG || !unseal_check(&s->seal, in.tail))
		return (err_set(e, ERR_CORRUPT,
		    "%s is damaged: its seal does not hold", name));
	return (0);
}

int
sealed_next(struct sealed *s, void *p, size_t cap, size_t *ret, struct err *e)
{
	uint64_t left = spill_top(&s->bytes) - s->at;
	int rc;

	if (cap > left)
		cap = (size_t)left;
	if ((rc = spill_read(&s->bytes, s->at, p, cap, e)) != 0)
		return (rc);
	unseal_run(&s->seal, p, cap);
	s->at += cap;
	*ret = cap;
	return (0);
}

void
sealed_close(struct sealed *s)
{

	spill_close(&s->bytes);
}
