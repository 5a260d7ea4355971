/* accounts.c — see accounts.h. */
#include "accounts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct account {
    char name[NAME_MAX_BYTES + 1];
    char *base_url; /* without a slash at its end */
    struct sender_route *route;
};

struct accounts {
    struct account *all;
    size_t count;
    struct accounts *before;
};

/* Blanks or control bytes in the key would end the header and begin another. */
static bool key_is_usable(const char *key)
{
    for (const char *at = key; *at != '\0'; at++) {
        if (*at <= ' ' || *at >= 0x7f)
            return false;
    }
    return key[0] != '\0';
}

static enum err fail(struct conf_problem *problem, const struct conf_account *conf, const char *what)
{
    snprintf(problem->text, sizeof problem->text, "accounts.%s: %s", conf->name, what);
    return ERR_BAD_INPUT;
}

static enum err open_account(struct account *account, const struct conf_account *conf, struct conf_problem *problem)
{
    bool local = conf_endpoint_is_local(conf->base_url);
    if (conf->api_key_file == NULL)
        return fail(problem, conf, "api_key_file: must name the file with the API key");
    char *key = conf_read_secret(conf->api_key_file);
    if (key == NULL) {
        snprintf(problem->text, sizeof problem->text, "accounts.%s.api_key_file: %s: %s", conf->name,
                 conf->api_key_file, strerror(errno));
        return ERR_IO;
    }
    if (!key_is_usable(key)) {
        free(key);
        return fail(problem, conf, "api_key_file: the first line must be the key, printable and without blanks");
    }
    memcpy(account->name, conf->name, sizeof account->name);
    account->base_url = strdup(conf->base_url);
    account->route = sender_route_new(key, local);
    free(key);
    if (account->base_url == NULL || account->route == NULL)
        return ERR_NO_MEMORY;
    for (size_t end = strlen(account->base_url); end > 0 && account->base_url[end - 1] == '/'; end--)
        account->base_url[end - 1] = '\0';
    return ERR_NONE;
}

enum err accounts_open(struct accounts **out, const struct conf *conf, struct conf_problem *problem)
{
    enum err err = ERR_NO_MEMORY;
    struct accounts *accounts = calloc(1, sizeof *accounts);
    if (accounts == NULL || (accounts->all = calloc(conf->account_count + 1, sizeof *accounts->all)) == NULL)
        goto fail;
    for (; accounts->count < conf->account_count; accounts->count++) {
        err = open_account(&accounts->all[accounts->count], &conf->accounts[accounts->count], problem);
        if (err != ERR_NONE)
            goto fail;
    }
    *out = accounts;
    return ERR_NONE;
fail:
    if (err == ERR_NO_MEMORY)
        snprintf(problem->text, sizeof problem->text, "out of memory");
    accounts_free(&accounts);
    return err;
}

void accounts_free(struct accounts **accounts_p)
{
    struct accounts *accounts = *accounts_p;
    if (accounts == NULL)
        return;
    for (size_t i = 0; accounts->all != NULL && i <= accounts->count; i++) { /* the last may be half open */
        free(accounts->all[i].base_url);
        sender_route_free(&accounts->all[i].route);
    }
    free(accounts->all);
    accounts_free(&accounts->before);
    free(accounts);
    *accounts_p = NULL;
}

void accounts_follow(struct accounts **accounts_p, struct accounts **next_p)
{
    (*next_p)->before = *accounts_p;
    *accounts_p = *next_p;
    *next_p = NULL;
}

void accounts_settle(struct accounts *accounts)
{
    accounts_free(&accounts->before);
}

const struct sender_route *accounts_find(const struct accounts *accounts, const char *name, const char **base_url)
{
    for (size_t i = 0; i < accounts->count; i++) {
        if (strcmp(accounts->all[i].name, name) == 0) {
            *base_url = accounts->all[i].base_url;
            return accounts->all[i].route;
        }
    }
    return NULL;
}
