/* Small files that say who may do what: tokens, authorised keys, key files, webhook secrets, an API key. What a reader
 * says of a bad one never holds what stood there. */
#include <sodium.h>
#include <unistd.h>

#include "broker/edge/tokens.h"
#include "broker/feed/feed_secrets.h"
#include "fuzz.h"
#include "lineward/keys.h"

static void check_tokens(const char *path)
{
    struct tokens *tokens = NULL;
    struct tokens_problem problem = {""};
    struct grant grant;
    bool made_first = false;
    if (tokens_open(&tokens, path, &made_first, &problem) != ERR_NONE) {
        fuzz_check(strncmp(problem.text, path, strlen(path)) == 0);
        return;
    }
    fuzz_check(!made_first);
    if (tokens_find(tokens, "secret", &grant)) {
        fuzz_check(name_is_valid(grant.name) && (unsigned)grant.role < ROLE_COUNT);
        fuzz_check(grant.pools == NULL || strlen(grant.pools) <= TOKEN_POOLS_BYTES_MAX);
        grant_free(&grant);
    }
    fuzz_check(tokens_prepare(tokens, path, &problem) == ERR_NONE);
    tokens_commit(tokens);
    tokens_free(&tokens);
}

static void check_keys(const char *path)
{
    struct key_ring *ring = NULL;
    struct key_pair pair;
    char public[KEY_TEXT_BYTES + 1];
    struct conf_problem problem = {""};
    if (key_ring_read(&ring, fuzz_folder(), &problem) == ERR_NONE) {
        fuzz_check(key_ring_count(ring) == 1);
        const struct key_grant *grant = key_ring_at(ring, 0);
        fuzz_check(strcmp(grant->name, "input") == 0 && key_ring_find(ring, grant->key) == grant);
        fuzz_check(grant->pools == NULL || strlen(grant->pools) <= KEY_POOLS_BYTES_MAX);
        key_ring_free(&ring);
    } else {
        fuzz_check(problem.text[0] != '\0');
    }
    if (key_pair_read(path, "worker.curve_secret_key_file", &pair, &problem) == ERR_NONE) {
        fuzz_check(key_text_is_valid(pair.secret) && key_text_is_valid(pair.public));
        key_pair_clear(&pair);
    }
    if (key_public_read(path, "worker.broker_public_key_file", public, &problem) == ERR_NONE)
        fuzz_check(key_text_is_valid(public));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const char *path = fuzz_file(data, bytes);
    struct feed_secrets secrets;
    struct conf_problem problem = {""};
    fuzz_check(sodium_init() >= 0);
    check_tokens(path);
    check_keys(path);
    if (feed_secrets_read(&secrets, path, &problem) == ERR_NONE)
        fuzz_check(secrets.count <= FEED_SECRETS_MAX);
    char *header = feed_authorization_header(path);
    fuzz_check(header == NULL || strpbrk(header, "\r\n") == NULL);
    feed_secret_free(header);
    return 0;
}
