/* locked.c — see locked.h. */
#include "locked.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

static void write_text(const struct locked *locked, const char *name, const char *how, mode_t mode, const char *text)
{
    char path[PROGRAM_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", locked->rig.folder, name);
    FILE *file = fopen(path, how);
    MUST(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0 && chmod(path, mode) == 0, "%s: %s", path,
         strerror(errno));
}

void locked_open(struct locked *locked, const char *worker_pools)
{
    static const char *const sets[] = {
        "broker.curve_secret_key_file=broker.secret", "broker.authorized_keys_dir=keys",
        "worker.curve_secret_key_file=sender.secret", "worker.broker_public_key_file=broker.pub", NULL};
    char text[512], keys[PROGRAM_PATH_MAX];
    struct key_pair sender;
    memset(locked, 0, sizeof *locked);
    rig_open(&locked->rig, sets);
    snprintf(keys, sizeof keys, "%s/keys", locked->rig.folder);
    MUST(mkdir(keys, 0755) == 0 && key_pair_make(&locked->broker), "%s: %s", keys, strerror(errno));
    write_text(locked, "broker.secret", "w", 0600, locked->broker.secret);
    write_text(locked, "broker.pub", "w", 0644, locked->broker.public);
    locked_key(locked, "sender", "worker", worker_pools == NULL ? "*" : worker_pools, &sender);
    snprintf(text, sizeof text, "pools:\n  red: {lines: [\"%s\", \"%s\"]}\n  blue: {lines: [\"%s\", \"%s\"]}\n",
             locked->rig.lines[0], locked->rig.lines[1], locked->rig.lines[2], locked->rig.lines[3]);
    write_text(locked, "lineward.yaml", "a", 0600, text);
}

void locked_close(struct locked *locked)
{
    rig_close(&locked->rig);
}

void locked_key(struct locked *locked, const char *name, const char *role, const char *pools, struct key_pair *out)
{
    char text[512], file[128];
    MUST(key_pair_make(out), "no CURVE");
    snprintf(file, sizeof file, "%s.secret", name);
    write_text(locked, file, "w", 0600, out->secret);
    if (role == NULL)
        return;
    snprintf(text, sizeof text, "%s %s %s\n", out->public, role, pools);
    locked_write_key(locked, name, text);
}

void locked_write_key(struct locked *locked, const char *name, const char *text)
{
    char file[128];
    snprintf(file, sizeof file, "keys/%s.key", name);
    write_text(locked, file, "w", 0644, text);
}

void locked_revoke(struct locked *locked, const char *name)
{
    char path[PROGRAM_PATH_MAX + 128];
    snprintf(path, sizeof path, "%s/keys/%s.key", locked->rig.folder, name);
    MUST(unlink(path) == 0, "%s: %s", path, strerror(errno));
}

void locked_token(struct locked *locked, const char *token, const char *role, const char *pools)
{
    unsigned char hash[32];
    char hex[65], line[512];
    crypto_generichash(hash, sizeof hash, (const unsigned char *)token, strlen(token), NULL, 0);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    snprintf(line, sizeof line, "%s %s %s %s\n", token, role, pools, hex);
    write_text(locked, "tokens", "a", 0600, line);
}

static size_t said_times(const struct program *program, const char *text)
{
    char *log = NULL;
    size_t room = 0, times = 0;
    FILE *file = fopen(program->log, "r");
    MUST(file != NULL, "%s: %s", program->log, strerror(errno));
    while (getline(&log, &room, file) > 0)
        times += strstr(log, text) != NULL;
    free(log);
    fclose(file);
    return times;
}

void locked_reload(struct locked *locked, bool good)
{
    const char *said = good ? "event=reloaded" : "event=not_reloaded";
    size_t before = said_times(&locked->rig.broker, said);
    program_signal(&locked->rig.broker, SIGHUP);
    AWAIT(said_times(&locked->rig.broker, said) > before, "the broker does not say %s", said);
}

void locked_connect(struct locked *locked, struct producer *client, uint16_t port, const struct key_pair *key)
{
    producer_open_with(client, &locked->rig, port, ZMQ_DEALER, key, locked->broker.public);
}
