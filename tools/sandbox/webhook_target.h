/* webhook_target.h — where a subscription's events go: an address and a secret that never change, kept as long as
 * somebody needs them. Safe from any thread. */
#ifndef SANDBOX_WEBHOOK_TARGET_H
#define SANDBOX_WEBHOOK_TARGET_H

#include <stdatomic.h>

#include "lineward/signature.h"

#define WEBHOOK_URL_BYTES_MAX 2048

struct webhook_target {
    atomic_uint keepers;
    struct webhook_secret secret;
    char url[WEBHOOK_URL_BYTES_MAX + 1];
};

/* NULL: no http(s) URL, no such secret, or out of memory. */
struct webhook_target *webhook_target_new(const char *url, const char *secret);
struct webhook_target *webhook_target_keep(struct webhook_target *target); /* NULL is fine */
void webhook_target_release(struct webhook_target **target_p);             /* NULL is fine */

bool webhook_url_is_valid(const char *url);

#endif
