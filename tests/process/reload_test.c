/* reload_test.c — SIGHUP with real programs: what is taken over, what is refused whole, what is said to need a
 * restart; and no connection is dropped for it. */
#include <curl/curl.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "lineward/json.h"
#include "producer.h"

#define OTHER_SECRET "whsec_b3RoZXItc2VjcmV0LW90aGVyLXNlY3JldA=="

static struct rig rig;
static struct producer client;

static void path_of(char out[PROGRAM_PATH_MAX], const char *name)
{
    snprintf(out, PROGRAM_PATH_MAX, "%s/%s", rig.folder, name);
}

static void write_text(const char *name, const char *how, const char *text)
{
    char path[PROGRAM_PATH_MAX];
    path_of(path, name);
    FILE *file = fopen(path, how);
    MUST(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0 && chmod(path, 0600) == 0, "%s: %s", path,
         strerror(errno));
}

/* The configuration as it was at first, and these lines behind it. */
static char *first_conf;

static void configure(const char *more)
{
    char *text = NULL;
    MUST(asprintf(&text, "%s%s", first_conf, more) > 0, "out of memory");
    write_text("lineward.yaml", "w", text);
    free(text);
}

static size_t times(const struct program *program, const char *said)
{
    char *line = NULL;
    size_t room = 0, count = 0;
    FILE *file = fopen(program->log, "r");
    MUST(file != NULL, "%s: %s", program->log, strerror(errno));
    while (getline(&line, &room, file) > 0)
        count += strstr(line, said) != NULL;
    free(line);
    fclose(file);
    return count;
}

static void hup(const struct program *program, const char *said)
{
    size_t before = times(program, said);
    program_signal(program, SIGHUP);
    AWAIT(times(program, said) > before, "%s does not say %s", program->name, said);
}

static void begin(const char *more, size_t workers)
{
    rig_open(&rig, NULL);
    first_conf = rig_read(&rig, "lineward.yaml");
    configure(more);
    rig_start(&rig, workers);
    producer_open(&client, &rig, rig.port.producers, ZMQ_DEALER);
}

static void end(void)
{
    producer_close(&client);
    rig_close(&rig);
    free(first_conf);
}

static void enqueue(const char *pool, const char *id, int to, const char *state)
{
    char job[512], number[JOB_NUMBER_TEXT_MAX];
    snprintf(job, sizeof job,
             "{\"id\":\"%s\",\"pool\":\"%s\",\"to\":\"+1415708%04d\","
             "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"hello\"}]}}",
             id, pool, to);
    producer_enqueue(&client, job, number, state);
}

#define POOL(name, line) "  " name ": {lines: [\"+1202555010" line "\"]}\n"

/* covers: reason pool_paused; code unknown_pool */
START_TEST(pools_come_and_go_while_the_producer_stays_connected)
{
    char why[PROGRAM_PATH_MAX];
    begin("pools:\n" POOL("red", "1"), 1);
    enqueue("red", "a", 1, NULL);
    AWAIT(producer_is(&client, "red/a", "sent", NULL), "not sent");
    configure("pools:\n" POOL("blue", "2") POOL("red", "1"));
    hup(&rig.broker, "event=reloaded");
    enqueue("blue", "b", 2, NULL);
    enqueue("red", "c", 3, NULL);
    AWAIT(producer_is(&client, "blue/b", "sent", NULL) && producer_is(&client, "red/c", "sent", NULL), "not sent");
    cJSON_Delete(rig_ask(&rig, "POST", "/v1/pools/red/pause", "{}", NULL));
    enqueue("red", "d", 4, "held");
    configure("pools:\n" POOL("blue", "2"));
    hup(&rig.broker, "event=reloaded");
    cJSON_Delete(rig_ask(&rig, "POST", "/v1/pools/red/resume", NULL, NULL));
    MUST(producer_is(&client, "red/d", "held", "pool_paused"), "a job of a pool gone is not held");
    producer_refused(&client, "{\"pool\":\"red\",\"to\":\"+14157080009\",\"message\":{}}", "unknown_pool", "pool");
    cJSON *view = rig_ask(&rig, "GET", "/v1/jobs/red%2Fd", NULL, NULL);
    const char *rule = json_string(json_get(view, "why"), "rule");
    snprintf(why, sizeof why, "%s", rule == NULL ? "" : rule);
    cJSON_Delete(view);
    MUST(strncmp(why, "its pool is not in the configuration", 36) == 0, "why: %s", why);
    configure("pools:\n" POOL("blue", "2") POOL("red", "1"));
    hup(&rig.broker, "event=reloaded");
    AWAIT(producer_is(&client, "red/d", "sent", NULL), "it does not go when its pool is back");
    end();
}
END_TEST

START_TEST(a_bad_file_changes_nothing_and_is_named_with_its_line)
{
    begin("pools:\n" POOL("red", "1"), 1);
    configure("pools:\n" POOL("blue", "2") POOL("red", "1") "  third: {lines: [\"nonsense\"]}\n");
    write_text("tokens", "w", "");
    hup(&rig.broker, "event=not_reloaded");
    MUST(times(&rig.broker, "lineward.yaml:4") > 0, "the log does not name the line");
    producer_refused(&client, "{\"pool\":\"blue\",\"to\":\"+14157080009\",\"message\":{}}", "unknown_pool", "pool");
    long status = 0;
    cJSON_Delete(rig_ask(&rig, "GET", "/v1/status", NULL, &status));
    MUST(status == 200, "the tokens were taken over though the configuration was not");
    configure("pools:\n" POOL("red", "1"));
    write_text("tokens", "w", "nonsense\n");
    hup(&rig.broker, "event=not_reloaded");
    MUST(times(&rig.broker, "tokens:1: ") > 0, "the log does not name the tokens' line");
    write_text("webhook.secrets", "w", "no secret!\n");
    hup(&rig.broker, "event=not_reloaded");
    MUST(times(&rig.broker, "webhook.secrets:1: ") > 0, "the log does not name the secrets' line");
    cJSON_Delete(rig_ask(&rig, "GET", "/v1/status", NULL, &status));
    MUST(status == 200, "the tokens are no longer good");
    enqueue("red", "a", 1, NULL);
    AWAIT(producer_is(&client, "red/a", "sent", NULL), "not sent");
    end();
}
END_TEST

START_TEST(what_needs_a_restart_is_said)
{
    char *changed = NULL, *at;
    begin("pools:\n" POOL("red", "1"), 0);
    MUST(asprintf(&changed, "%spools:\n" POOL("red", "1"), first_conf) > 0, "out of memory");
    at = strstr(changed, "heartbeat_ms: 200");
    MUST(at != NULL, "no heartbeat");
    memcpy(at, "heartbeat_ms: 300", strlen("heartbeat_ms: 300"));
    write_text("lineward.yaml", "w", changed);
    free(changed);
    hup(&rig.broker, "event=needs_restart key=broker.heartbeat_ms");
    hup(&rig.broker, "event=needs_restart key=broker.heartbeat_ms"); /* and said again, as long as it is so */
    configure("pools:\n" POOL("red", "1"));
    hup(&rig.broker, "event=reloaded");
    MUST(times(&rig.broker, "event=needs_restart") == 2, "it is said though all is as it was");
    end();
}
END_TEST

/* ---- the feed child ---- */

static long post_signed(const char *secret)
{
    static int posts;
    char id[32], stamp[32], signed_text[256], header[3][256], mac64[64];
    unsigned char key[64], mac[32];
    size_t key_bytes = 0;
    const char *body = "{\"nothing\":1}";
    MUST(sodium_init() >= 0 && sodium_base642bin(key, sizeof key, secret + 6, strlen(secret + 6), NULL, &key_bytes,
                                                 NULL, sodium_base64_VARIANT_ORIGINAL) == 0,
         "the secret is none");
    snprintf(id, sizeof id, "msg_%d", ++posts);
    snprintf(stamp, sizeof stamp, "%lld", (long long)time(NULL));
    snprintf(signed_text, sizeof signed_text, "%s.%s.%s", id, stamp, body);
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key, key_bytes);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)signed_text, strlen(signed_text));
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_bin2base64(mac64, sizeof mac64, mac, sizeof mac, sodium_base64_VARIANT_ORIGINAL);
    snprintf(header[0], sizeof header[0], "webhook-id: %s", id);
    snprintf(header[1], sizeof header[1], "webhook-timestamp: %s", stamp);
    snprintf(header[2], sizeof header[2], "webhook-signature: v1,%s", mac64);
    const char *const headers[] = {header[0], header[1], header[2], NULL};
    return rig_post_webhook(&rig, "/webhooks/linq", body, headers);
}

/* covers: key accounts.webhook_secrets_file */
START_TEST(webhook_secrets_rotate_and_polls_go_on)
{
    begin("pools:\n" POOL("red", "1"), 0);
    AWAIT(post_signed(RIG_SECRET) == 400, "signed, but no event: that is 400");
    MUST(post_signed(OTHER_SECRET) == 401, "a secret that nobody listed");
    write_text("webhook.secrets", "w", RIG_SECRET "\n" OTHER_SECRET "\n");
    hup(&rig.broker, "event=reloaded");
    AWAIT(post_signed(OTHER_SECRET) == 400, "the new secret is not accepted");
    MUST(post_signed(RIG_SECRET) == 400, "the old secret is no longer accepted");
    write_text("webhook.secrets", "w", OTHER_SECRET "\n");
    hup(&rig.broker, "event=reloaded");
    AWAIT(post_signed(RIG_SECRET) == 401, "the old secret is still accepted");
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\"");
    AWAIT(rig_line_is(&rig, 0, "closed", NULL), "polls do not go on");
    MUST(times(&rig.broker, "event=feed_child_gone") == 0, "the child was started anew");
    end();
}
END_TEST

/* As a file is while somebody writes it anew. That nothing is to be believed is said by leaving the key out. */
START_TEST(an_emptied_secrets_file_is_refused_and_the_secrets_go_on)
{
    begin("pools:\n" POOL("red", "1"), 0);
    AWAIT(post_signed(RIG_SECRET) == 400, "signed, but no event: that is 400");
    write_text("webhook.secrets", "w", "\n");
    hup(&rig.broker, "event=not_reloaded");
    MUST(times(&rig.broker, "webhook.secrets: holds no secret any more") == 1, "the log does not say why");
    MUST(post_signed(RIG_SECRET) == 400, "the secret is no longer accepted");
    end();
}
END_TEST

/* What the broker refused, and what it has not been told to read, is no configuration of its child's either. */
START_TEST(a_feed_child_that_is_started_anew_has_the_configuration_that_is_in_force)
{
    begin("pools:\n" POOL("red", "1"), 0);
    AWAIT(post_signed(RIG_SECRET) == 400, "signed, but no event: that is 400");
    configure("pools:\n" POOL("red", "1") "  blue: {lines: [\"nonsense\"]}\n");
    hup(&rig.broker, "event=not_reloaded");
    size_t before = times(&rig.broker, "event=webhooks_ready");
    pid_t child = program_child(&rig.broker);
    MUST(child > 0 && kill(child, SIGKILL) == 0, "no child to kill");
    AWAIT(times(&rig.broker, "event=webhooks_ready") > before, "no child listens any more");
    MUST(post_signed(RIG_SECRET) == 400, "it does not know the secrets");
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\"");
    AWAIT(rig_line_is(&rig, 0, "closed", NULL), "polls do not go on");
    end();
}
END_TEST

/* The key that the sandbox accepts is one, so a wrong one in force shows. */
/* covers: key accounts.api_key_file; reason provider_down */
START_TEST(a_worker_takes_a_new_api_key)
{
    begin("pools:\n" POOL("red", "1"), 1);
    write_text("provider.key", "w", "wrong-key\n");
    hup(&rig.worker[0], "event=reloaded");
    enqueue("red", "a", 1, NULL);
    AWAIT(producer_is(&client, "red/a", "queued", "provider_down"), "the refused key does not stop the account");
    write_text("provider.key", "w", "");
    hup(&rig.worker[0], "event=not_reloaded");
    write_text("provider.key", "w", "process-test-key\n");
    hup(&rig.worker[0], "event=reloaded");
    AWAIT(producer_is(&client, "red/a", "sent", NULL), "the good key is not taken");
    end();
}
END_TEST

/* The first configuration, with other lines instead of the worker's time limit. */
static void limit_requests(const char *lines)
{
    static const char limit[] = "  slots: 16\n  request_timeout_ms: 1500\n";
    const char *at = strstr(first_conf, limit);
    char *text = NULL;
    MUST(at != NULL, "no time limit");
    MUST(asprintf(&text, "%.*s%s%spools:\n" POOL("red", "1"), (int)(at - first_conf), first_conf, lines,
                  at + strlen(limit)) > 0,
         "out of memory");
    write_text("lineward.yaml", "w", text);
    free(text);
}

START_TEST(a_worker_takes_a_new_request_timeout_and_says_what_needs_a_restart)
{
    rig_open(&rig, NULL);
    first_conf = rig_read(&rig, "lineward.yaml");
    limit_requests("  slots: 16\n  request_timeout_ms: 100\n");
    rig_start(&rig, 1);
    producer_open(&client, &rig, rig.port.producers, ZMQ_DEALER);
    rig_faults(&rig, "{\"rate_silence\":1}"); /* were it taken, a webhook would soon end the job */
    enqueue("red", "a", 1, NULL);
    AWAIT(producer_is(&client, "red/a", "queued", "outcome_unknown"), "its try does not end after 100 ms");
    rig_faults(&rig, "{\"rate_silence\":0,\"latency_ms\":400}");
    limit_requests("  slots: 7\n  request_timeout_ms: 1500\n");
    hup(&rig.worker[0], "event=needs_restart key=worker.slots");
    MUST(times(&rig.worker[0], "event=needs_restart") == 1, "all else is as it was, or taken");
    enqueue("red", "b", 2, NULL);
    AWAIT(producer_is(&client, "red/b", "sent", NULL), "not sent");
    cJSON *view = producer_ask(&client, "STATUS", "red/b");
    MUST(number_at(view, "attempts") == 1, "the old time limit is in force");
    cJSON_Delete(view);
    end();
}
END_TEST

/* ---- TLS ---- */

static void write_pem(const char *name, gnutls_datum_t *pem)
{
    char *text = strndup((const char *)pem->data, pem->size);
    MUST(text != NULL, "out of memory");
    write_text(name, "w", text);
    free(text);
    gnutls_free(pem->data);
}

/* A certificate that signs itself, for `localhost`, into admin.crt and admin.key. */
static void make_certificate(unsigned serial)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t crt;
    gnutls_datum_t pem;
    MUST(gnutls_x509_privkey_init(&key) == 0 && gnutls_x509_crt_init(&crt) == 0 &&
             gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
                                          0) == 0,
         "no key");
    gnutls_x509_crt_set_version(crt, 3);
    gnutls_x509_crt_set_serial(crt, &serial, sizeof serial);
    gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 86400);
    gnutls_x509_crt_set_dn(crt, "CN=localhost", NULL);
    gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, "localhost", 9, GNUTLS_FSAN_SET);
    gnutls_x509_crt_set_basic_constraints(crt, 1, -1);
    gnutls_x509_crt_set_key(crt, key);
    MUST(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0) == 0, "not signed");
    MUST(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem) == 0, "no certificate");
    write_pem("admin.crt", &pem);
    MUST(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem) == 0, "no key");
    write_pem("admin.key", &pem);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
}

static size_t drop(char *data, size_t size, size_t count, void *self)
{
    (void)data;
    (void)self;
    return size * count;
}

/* Trusts `ca` only. */
static CURL *browser(const char *ca)
{
    char url[64], path[PROGRAM_PATH_MAX];
    CURL *curl = curl_easy_init();
    snprintf(url, sizeof url, "https://localhost:%u/healthz", rig.port.admin);
    path_of(path, ca);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CAINFO, path);
    curl_easy_setopt(curl, CURLOPT_IPRESOLVE, CURL_IPRESOLVE_V4);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 10000L);
    return curl;
}

static bool fetches(CURL *curl, long *connects)
{
    long status = 0;
    if (curl_easy_perform(curl) != CURLE_OK)
        return false;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, connects);
    return status == 200;
}

static bool fetches_once(const char *ca)
{
    long connects = 0;
    CURL *curl = browser(ca);
    bool ok = fetches(curl, &connects);
    curl_easy_cleanup(curl);
    return ok;
}

static void copy_certificate(const char *to)
{
    char *text = rig_read(&rig, "admin.crt");
    write_text(to, "w", text);
    free(text);
}

/* The broker's start, and linewardctl's look at it over TLS. */
static int ctl_status(const char *ca, const char *out)
{
    char url[64], path[PROGRAM_PATH_MAX], token[PROGRAM_PATH_MAX];
    snprintf(url, sizeof url, "https://localhost:%u", rig.port.admin);
    path_of(path, ca);
    path_of(token, "tokens.first");
    const char *arguments[] = {"status", "--admin", url, "--ca", path, "--token-file", token, "--json", NULL};
    return rig_run(&rig, "linewardctl", out, arguments);
}

/* covers: key broker.admin_tls_cert_file, broker.admin_tls_key_file */
START_TEST(the_admin_port_speaks_tls_and_takes_a_new_certificate)
{
    static const char *const sets[] = {"broker.admin_tls_cert_file=admin.crt", "broker.admin_tls_key_file=admin.key",
                                       NULL};
    long connects = 0;
    rig_open(&rig, sets);
    make_certificate(1);
    copy_certificate("first.crt");
    rig_start_sandbox(&rig);
    rig_start_broker(&rig);
    AWAIT(fetches_once("first.crt"), "no TLS");
    MUST(ctl_status("first.crt", "ctl-1.txt") == 0, "linewardctl --ca");
    CURL *stays = browser("first.crt");
    MUST(fetches(stays, &connects) && connects == 1, "no connection");

    make_certificate(2);
    char *key = rig_read(&rig, "admin.key");
    write_text("admin.key", "w", "nonsense\n"); /* half a renewal: refused whole */
    hup(&rig.broker, "event=not_reloaded");
    MUST(times(&rig.broker, "admin.key") > 0, "the log does not name the file");
    MUST(fetches_once("first.crt"), "a bad key took effect");
    write_text("admin.key", "w", key);
    free(key);
    hup(&rig.broker, "event=reloaded");
    copy_certificate("second.crt");
    MUST(fetches_once("second.crt"), "the new certificate is not given");
    MUST(!fetches_once("first.crt"), "the old certificate is still given");
    MUST(fetches(stays, &connects) && connects == 0, "the connection that stood was dropped");
    MUST(ctl_status("first.crt", "ctl-2.txt") == 3, "linewardctl trusts what it does not know");
    curl_easy_cleanup(stays);
    rig_close(&rig);
}
END_TEST

START_TEST(a_certificate_without_its_key_stops_the_start)
{
    static const char *const sets[] = {"broker.admin_tls_cert_file=admin.crt", "broker.admin_tls_key_file=admin.key",
                                       NULL};
    char path[PROGRAM_PATH_MAX];
    rig_open(&rig, sets);
    rig_start_sandbox(&rig);
    make_certificate(1);
    char *key = rig_read(&rig, "admin.key");
    make_certificate(2);
    write_text("admin.key", "w", key);
    rig_start_broker(&rig);
    MUST(program_wait(&rig.broker, LIMIT_MS) == 1, "it starts with another key");
    MUST(times(&rig.broker, "is not the key of the first certificate") == 1, "the log does not say so");
    make_certificate(3);
    path_of(path, "admin.key");
    chmod(path, 0644);
    rig_start_broker(&rig);
    MUST(program_wait(&rig.broker, LIMIT_MS) == 1, "it starts with a key that all may read");
    free(key);
    rig_close(&rig);
}
END_TEST

int main(void)
{
    return RUN_TESTS("reload", 120, pools_come_and_go_while_the_producer_stays_connected,
                     a_bad_file_changes_nothing_and_is_named_with_its_line, what_needs_a_restart_is_said,
                     webhook_secrets_rotate_and_polls_go_on, an_emptied_secrets_file_is_refused_and_the_secrets_go_on,
                     a_feed_child_that_is_started_anew_has_the_configuration_that_is_in_force, a_worker_takes_a_new_api_key,
                     a_worker_takes_a_new_request_timeout_and_says_what_needs_a_restart,
                     the_admin_port_speaks_tls_and_takes_a_new_certificate,
                     a_certificate_without_its_key_stops_the_start);
}
