/* webhook_target.c — see its header. */
#include "tools/sandbox/webhook_target.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool webhook_url_is_valid(const char *url)
{
    return strlen(url) <= WEBHOOK_URL_BYTES_MAX &&
           (strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0);
}

struct webhook_target *webhook_target_new(const char *url, const char *secret)
{
    struct webhook_target *target = calloc(1, sizeof *target);
    if (target == NULL)
        return NULL;
    if (!webhook_url_is_valid(url) || !webhook_secret_parse(secret, &target->secret)) {
        free(target);
        return NULL;
    }
    snprintf(target->url, sizeof target->url, "%s", url);
    atomic_init(&target->keepers, 1);
    return target;
}

struct webhook_target *webhook_target_keep(struct webhook_target *target)
{
    if (target != NULL)
        atomic_fetch_add(&target->keepers, 1);
    return target;
}

void webhook_target_release(struct webhook_target **target_p)
{
    struct webhook_target *target = *target_p;
    *target_p = NULL;
    if (target == NULL || atomic_fetch_sub(&target->keepers, 1) > 1)
        return;
    sodium_memzero(&target->secret, sizeof target->secret);
    free(target);
}
