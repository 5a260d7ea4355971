/* cmd_local.c — commands that need no broker: check-config, token add. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "ctl.h"
#include "lineward/conf.h"
#include "lineward/ids.h"
#include "lineward/json.h"

/* ---- check-config ---- */

#define FILES_MAX (2 * CONF_ACCOUNTS_MAX + 16) /* more are not told */

/* A file that the configuration names and that this user cannot read on this machine. */
struct unreadable {
    char key[NAME_MAX_BYTES + 64];
    const char *file;
    int why;
};

static void look_at(struct unreadable *list, size_t *count, const char *section, const char *key, const char *file)
{
    if (file == NULL || *count == FILES_MAX || access(file, R_OK) == 0)
        return;
    snprintf(list[*count].key, sizeof list->key, "%s.%s", section, key);
    list[*count].file = file;
    list[(*count)++].why = errno;
}

/* Not the tokens: the broker makes them. That one cannot be read here proves nothing: a configuration may be checked
 * where it is written, so it is told and not refused. */
static size_t look_at_files(const struct conf *conf, struct unreadable list[FILES_MAX])
{
    const struct conf_broker *broker = &conf->broker;
    size_t count = 0;
    look_at(list, &count, "broker", "curve_secret_key_file", broker->curve_secret_key_file);
    look_at(list, &count, "broker", "authorized_keys_dir", broker->authorized_keys_dir);
    look_at(list, &count, "broker", "admin_tls_cert_file", broker->admin_tls_cert_file);
    look_at(list, &count, "broker", "admin_tls_key_file", broker->admin_tls_key_file);
    look_at(list, &count, "cache", "redis_password_file", conf->cache.redis_password_file);
    look_at(list, &count, "cache", "sentinel_password_file", conf->cache.sentinel_password_file);
    look_at(list, &count, "cache", "secret_file", conf->cache.secret_file);
    look_at(list, &count, "worker", "curve_secret_key_file", conf->worker.curve_secret_key_file);
    look_at(list, &count, "worker", "broker_public_key_file", conf->worker.broker_public_key_file);
    for (size_t i = 0; i < conf->account_count; i++) {
        const struct conf_account *account = &conf->accounts[i];
        char section[NAME_MAX_BYTES + 16];
        snprintf(section, sizeof section, "accounts.%s", account->name);
        look_at(list, &count, section, "api_key_file", account->api_key_file);
        look_at(list, &count, section, "webhook_secrets_file", account->webhook_secrets_file);
    }
    for (size_t i = 0; i < conf->pool_count; i++) {
        char section[NAME_MAX_BYTES + 16];
        snprintf(section, sizeof section, "pools.%s", conf->pools[i].name);
        look_at(list, &count, section, "outcome_secrets_file", conf->pools[i].outcome_secrets_file);
    }
    return count;
}

static void put_files(struct json_out *out, const struct unreadable *list, size_t count)
{
    json_key(out, "unreadable");
    json_open(out, '[');
    for (size_t i = 0; i < count; i++) {
        json_open(out, '{');
        json_key(out, "key");
        json_put_string(out, list[i].key);
        json_key(out, "file");
        json_put_string(out, list[i].file);
        json_key(out, "message");
        json_put_string(out, strerror(list[i].why));
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void print_config_json(const struct ctl *ctl, const char *problem, const char *const *idle, size_t idle_count,
                              const struct unreadable *files, size_t file_count)
{
    struct json_out out = {0};
    json_open(&out, '{');
    json_key(&out, "ok");
    json_put_bool(&out, problem == NULL);
    json_key(&out, "problem");
    json_put_string(&out, problem);
    json_key(&out, "idle_keys");
    json_open(&out, '[');
    for (size_t i = 0; i < idle_count; i++)
        json_put_string(&out, idle[i]);
    json_close(&out, ']');
    put_files(&out, files, file_count);
    json_close(&out, '}');
    ctl_print_json(ctl, &out);
}

int command_check_config(const struct ctl *ctl, const struct args *args)
{
    const char *sets[ARGS_OPTIONS_MAX];
    size_t set_count = 0;
    int at = 0;
    for (const char *set = args_next(args, "set", &at); set != NULL; set = args_next(args, "set", &at))
        sets[set_count++] = set;
    struct conf *conf = NULL;
    struct conf_problem problem;
    const char *const *idle = NULL;
    if (conf_load(&conf, args->positional[0], sets, set_count, &problem) != ERR_NONE) {
        if (ctl->json)
            print_config_json(ctl, problem.text, NULL, 0, NULL, 0);
        else
            fprintf(ctl->err, "%s\n", problem.text);
        return EXIT_REFUSED;
    }
    size_t idle_count = conf_idle_keys(conf, &idle);
    struct unreadable files[FILES_MAX];
    size_t file_count = look_at_files(conf, files);
    if (ctl->json) {
        print_config_json(ctl, NULL, idle, idle_count, files, file_count);
    } else {
        for (size_t i = 0; i < idle_count; i++)
            fprintf(ctl->out, "%s: accepted, but does nothing yet\n", idle[i]);
        for (size_t i = 0; i < file_count; i++)
            fprintf(ctl->out, "%s: %s: %s\n", files[i].key, files[i].file, strerror(files[i].why));
        fprintf(ctl->out, "%s: good%s\n", args->positional[0],
                file_count > 0 ? ", but this machine or user cannot read what is named above" : "");
    }
    conf_free(&conf);
    return EXIT_DONE;
}

/* ---- token add ---- */

#define TOKEN_RANDOM_BYTES 32
#define TOKEN_HASH_BYTES   32 /* PROTOCOL, Admin API: BLAKE2b-256 */
#define TOKEN_TEXT_MAX     64

static bool role_is_valid(const char *role)
{
    return strcmp(role, "producer") == 0 || strcmp(role, "viewer") == 0 || strcmp(role, "operator") == 0 ||
           strcmp(role, "admin") == 0;
}

/* "*", or names with commas between. */
static bool pools_are_valid(const char *pools)
{
    if (strcmp(pools, "*") == 0)
        return true;
    if (strlen(pools) > TOKEN_POOLS_BYTES_MAX)
        return false;
    for (;;) {
        char name[NAME_MAX_BYTES + 1];
        size_t bytes = strcspn(pools, ",");
        if (bytes >= sizeof name)
            return false;
        memcpy(name, pools, bytes);
        name[bytes] = '\0';
        if (!name_is_valid(name))
            return false;
        if (pools[bytes] == '\0')
            return true;
        pools += bytes + 1;
    }
}

static void token_make(char token[TOKEN_TEXT_MAX], char hash_hex[2 * TOKEN_HASH_BYTES + 1])
{
    unsigned char random[TOKEN_RANDOM_BYTES];
    unsigned char hash[TOKEN_HASH_BYTES];
    randombytes_buf(random, sizeof random);
    memcpy(token, "lw_", 3);
    sodium_bin2base64(token + 3, TOKEN_TEXT_MAX - 3, random, sizeof random, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    crypto_generichash(hash, sizeof hash, (const unsigned char *)token, strlen(token), NULL, 0);
    sodium_bin2hex(hash_hex, 2 * TOKEN_HASH_BYTES + 1, hash, sizeof hash);
    sodium_memzero(random, sizeof random);
}

struct token_file {
    bool found;         /* the name that was looked for */
    bool needs_newline; /* its last line has no end */
    size_t tokens;
};

static void scan_lines(FILE *file, const char *name, struct token_file *out)
{
    size_t room = 0, name_bytes = strlen(name);
    char *line = NULL;
    for (ssize_t bytes; (bytes = getline(&line, &room, file)) > 0;) {
        const char *word = line + strspn(line, " \t");
        size_t word_bytes = strcspn(word, " \t\r\n#");
        out->found = out->found || (word_bytes == name_bytes && memcmp(word, name, name_bytes) == 0);
        out->tokens += word_bytes > 0;
        out->needs_newline = line[bytes - 1] != '\n';
    }
    free(line);
}

/* The descriptor stays open, and appends wherever it has been read to. False: errno says. */
static bool scan_tokens(int fd, const char *name, struct token_file *out)
{
    int again = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    FILE *file = again < 0 ? NULL : fdopen(again, "r");
    if (file == NULL && again >= 0)
        close(again);
    if (file == NULL)
        return false;
    scan_lines(file, name, out);
    bool good = !ferror(file);
    (void)fclose(file);
    return good;
}

struct token_line { /* PROTOCOL, Admin API: `name role pools blake2b-256-hex` */
    const char *name, *role, *pools, *hash;
};

static int append_token(const struct ctl *ctl, const char *file, const struct token_line *line)
{
    struct token_file before = {0};
    int fd = open(file, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return ctl_fail(ctl, EXIT_REFUSED, "file", "%s: %s", file, strerror(errno));
    int code = EXIT_DONE;
    if (flock(fd, LOCK_EX) != 0 || !scan_tokens(fd, line->name, &before))
        code = ctl_fail(ctl, EXIT_REFUSED, "file", "%s: %s", file, strerror(errno));
    else if (before.found)
        code =
            ctl_fail(ctl, EXIT_REFUSED, "exists", "%s has a token named %s; remove its line first", file, line->name);
    else if (before.tokens >= TOKENS_MAX)
        code = ctl_fail(ctl, EXIT_REFUSED, "full", "%s has %zu tokens, and a broker takes %d: remove a line first",
                        file, before.tokens, TOKENS_MAX);
    else if (dprintf(fd, "%s%s %s %s %s\n", before.needs_newline ? "\n" : "", line->name, line->role, line->pools,
                     line->hash) < 0 ||
             fsync(fd) != 0 || !ctl_sync_name(file))
        code = ctl_fail(ctl, EXIT_REFUSED, "file", "%s: %s", file, strerror(errno));
    close(fd);
    return code;
}

static void print_token(const struct ctl *ctl, const struct token_line *line, const char *token)
{
    if (!ctl->json) {
        fprintf(ctl->out, "%s\n", token);
        fprintf(ctl->err, "%s (%s, pools %s): keep it, it is not shown again; the broker reads its file on SIGHUP\n",
                line->name, line->role, line->pools);
        return;
    }
    struct json_out out = {0};
    const char *const pairs[][2] = {
        {"name", line->name}, {"role", line->role}, {"pools", line->pools}, {"token", token}};
    json_open(&out, '{');
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        json_key(&out, pairs[i][0]);
        json_put_string(&out, pairs[i][1]);
    }
    json_close(&out, '}');
    ctl_print_json(ctl, &out);
}

int command_token_add(const struct ctl *ctl, const struct args *args)
{
    const char *file = args_option(args, "file");
    char token[TOKEN_TEXT_MAX];
    char hash[2 * TOKEN_HASH_BYTES + 1];
    struct token_line line = {.name = args->positional[0],
                              .role = args->positional[1],
                              .pools = args->count > 2 ? args->positional[2] : "*",
                              .hash = hash};
    if (file == NULL)
        return ctl_fail(ctl, EXIT_USAGE, "usage", "--file says where: the broker's admin_tokens_file");
    if (!name_is_valid(line.name))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "a name is 1 to 64 of A-Z a-z 0-9 _ . -");
    if (!role_is_valid(line.role))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "a role is producer, viewer, operator or admin");
    if (!pools_are_valid(line.pools))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "pools are * or names with commas between, %d bytes at most",
                        TOKEN_POOLS_BYTES_MAX);
    if (sodium_init() < 0)
        return ctl_fail(ctl, EXIT_REFUSED, "random", "no source of randomness");
    token_make(token, hash);
    int code = append_token(ctl, file, &line);
    if (code == EXIT_DONE)
        print_token(ctl, &line, token);
    sodium_memzero(token, sizeof token);
    return code;
}
