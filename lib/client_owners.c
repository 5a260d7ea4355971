/* client_owners.c — see client_owners.h. */
#include "client_owners.h"

#include <string.h>

#include "json_scan.h"
#include "lineward/json.h"

/* A JSON string without escapes, as names and addresses are. False: it is none, or does not fit. */
static bool plain_text(const char *value, size_t bytes, char *out, size_t room)
{
    if (bytes < 2 || *value != '"' || bytes - 2 >= room || memchr(value, '\\', bytes) != NULL)
        return false;
    memcpy(out, value + 1, bytes - 2);
    out[bytes - 2] = '\0';
    return true;
}

bool client_job_is_repeatable(const char *job)
{
    const char *value = NULL;
    size_t bytes = strlen(job), value_bytes = 0;
    if (json_scan_fault(job, bytes) != NULL || *json_skip_blanks(job, job + bytes) != '{')
        return true;
    return json_raw_member(job, bytes, "id", &value, &value_bytes) && *value == '"';
}

struct client_pool client_pool_of_job(const char *job)
{
    struct client_pool pool = {"default"};
    size_t bytes = strlen(job), value_bytes = 0;
    const char *value = NULL;
    if (json_scan_fault(job, bytes) != NULL || *json_skip_blanks(job, job + bytes) != '{')
        return (struct client_pool){""};
    if (!json_raw_member(job, bytes, "pool", &value, &value_bytes) || *value == 'n')
        return pool;
    if (!plain_text(value, value_bytes, pool.name, sizeof pool.name) || !name_is_valid(pool.name))
        pool.name[0] = '\0';
    return pool;
}

struct client_pool client_pool_of_id(const char *id)
{
    struct client_pool pool = {""};
    size_t bytes = strcspn(id, "/");
    if (id[bytes] == '\0' || bytes > NAME_MAX_BYTES)
        return pool;
    memcpy(pool.name, id, bytes);
    pool.name[bytes] = '\0';
    if (!name_is_valid(pool.name))
        pool.name[0] = '\0';
    return pool;
}

bool client_result_owner(const char *result, size_t bytes, char out[CONF_ADDRESS_MAX + 1])
{
    static const char code[] = "\"not_owner\"";
    const char *error = NULL, *value = NULL, *why = NULL;
    size_t error_bytes = 0, value_bytes = 0;
    out[0] = '\0';
    if (memmem(result, bytes, code, sizeof code - 1) == NULL) /* nearly always: no need to read it */
        return false;
    if (json_scan_fault(result, bytes) != NULL || *json_skip_blanks(result, result + bytes) != '{' ||
        !json_raw_member(result, bytes, "error", &error, &error_bytes) || *error != '{' ||
        !json_raw_member(error, error_bytes, "code", &value, &value_bytes) || value_bytes != sizeof code - 1 ||
        memcmp(value, code, value_bytes) != 0)
        return false;
    if (json_raw_member(error, error_bytes, "owner", &value, &value_bytes) &&
        (!plain_text(value, value_bytes, out, CONF_ADDRESS_MAX + 1) || !conf_address_is_valid(out, &why)))
        out[0] = '\0';
    return true;
}

bool client_may_follow(const char *home, bool has_keys, const char *address)
{
    static const char *const schemes[] = {"tcp://", "ipc://"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t bytes = strlen(schemes[i]);
        if (strncmp(home, schemes[i], bytes) == 0 && strncmp(address, schemes[i], bytes) == 0)
            return has_keys || !conf_endpoint_is_local(home) || conf_endpoint_is_local(address);
    }
    return false;
}

unsigned client_owners_find(const struct client_owners *owners, const struct client_pool *pool, bool *doubted)
{
    *doubted = false;
    for (size_t i = 0; pool->name[0] != '\0' && i < owners->count; i++) {
        if (strcmp(owners->pools[i].name, pool->name) != 0)
            continue;
        *doubted = owners->doubted[i];
        return owners->brokers[i];
    }
    return 0;
}

void client_owners_learn(struct client_owners *owners, const struct client_pool *pool, unsigned broker)
{
    size_t at = 0;
    if (pool->name[0] == '\0')
        return;
    while (at < owners->count && strcmp(owners->pools[at].name, pool->name) != 0)
        at++;
    if (at == CLIENT_POOLS_MAX) {
        at = owners->oldest;
        owners->oldest = (owners->oldest + 1) % CLIENT_POOLS_MAX;
    } else if (at == owners->count) {
        owners->count++;
    }
    owners->pools[at] = *pool;
    owners->brokers[at] = broker;
    owners->doubted[at] = false;
}

void client_owners_doubt(struct client_owners *owners, unsigned broker)
{
    for (size_t i = 0; i < owners->count; i++)
        owners->doubted[i] = owners->doubted[i] || owners->brokers[i] == broker;
}

void client_owners_forget(struct client_owners *owners, unsigned broker)
{
    size_t kept = 0;
    for (size_t i = 0; i < owners->count; i++) {
        if (owners->brokers[i] == broker)
            continue;
        owners->pools[kept] = owners->pools[i];
        owners->doubted[kept] = owners->doubted[i];
        owners->brokers[kept++] = owners->brokers[i];
    }
    owners->count = kept;
    if (owners->oldest >= kept)
        owners->oldest = 0;
}
