/* feed_secrets.h — an account's files of secrets: the webhook secrets and the API key. */
#ifndef LINEWARD_FEED_SECRETS_H
#define LINEWARD_FEED_SECRETS_H

#include <stddef.h>

#include "lineward/conf.h"
#include "lineward/err.h"
#include "lineward/signature.h"

#define FEED_SECRETS_MAX 16 /* webhook secrets of one account: the current one and those it takes the place of */

struct feed_secrets {
    struct webhook_secret secrets[FEED_SECRETS_MAX];
    size_t count;
};

/* Reads `path`: one secret a line, empty lines skipped. NULL path: none. On error *problem names file and line, never
 * what stands there. */
enum err feed_secrets_read(struct feed_secrets *out, const char *path, struct conf_problem *problem);

/* Reads the API key and makes the whole request header of it. Free with feed_secret_free(). NULL: there is no key
 * that can stand in a header. */
char *feed_authorization_header(const char *api_key_file);
void feed_secret_free(char *text); /* erases it first; NULL is fine */

#endif
