/* submit_zmq.c — batches over ZeroMQ, with the C client: one request at a time, for between two requests order is
 * defined only when the second was sent after the first one's ACK. */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "lineward.h"
#include "lineward/json.h"
#include "lineward/keys.h"
#include "submit.h"

#define CONNECT_TIMEOUT_MS 5000
#define ANSWER_TIMEOUT_MS  20000

static void zmq_close_link(void *self)
{
    struct lineward *client = self;
    lineward_close(&client);
}

static bool read_results(const struct lineward *client, size_t count, struct submit_answer *out)
{
    out->results = cJSON_CreateArray();
    for (size_t i = 0; out->results != NULL && i < count; i++) {
        const char *text = lineward_result(client, i);
        cJSON *result = text != NULL ? json_parse(text, strlen(text), NULL) : NULL;
        if (result == NULL)
            return false;
        cJSON_AddItemToArray(out->results, result);
    }
    return out->results != NULL;
}

static bool read_error(const struct lineward *client, struct submit_answer *out)
{
    cJSON *body = json_parse(lineward_error(client), strlen(lineward_error(client)), NULL);
    out->error = cJSON_DetachItemFromObjectCaseSensitive(body, "error");
    cJSON_Delete(body);
    return cJSON_IsObject(out->error);
}

static enum submit_end zmq_submit(void *self, const struct job_line *jobs, size_t count, struct submit_answer *out)
{
    struct lineward *client = self;
    const char *texts[LINEWARD_BATCH_MAX] = {NULL};
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < count; i++)
        texts[i] = jobs[i].text;
    enum lineward_status status = lineward_enqueue(client, texts, count, ANSWER_TIMEOUT_MS);
    if (status == LINEWARD_OK && read_results(client, count, out))
        return SUBMIT_ANSWERED;
    if (status == LINEWARD_REFUSED && read_error(client, out))
        return SUBMIT_REFUSED;
    snprintf(out->problem, sizeof out->problem, "%.250s",
             status == LINEWARD_OK || status == LINEWARD_REFUSED ? "the broker's answer made no sense"
                                                                 : lineward_error(client));
    return status == LINEWARD_UNREACHABLE ? SUBMIT_AWAY : SUBMIT_LOST;
}

/* *out as lineward_connect() leaves it: NULL if it failed. */
static int connect_curve(const struct ctl *ctl, const struct submit_zmq_options *options, struct lineward **out,
                         enum lineward_status *status)
{
    struct key_pair own = {.secret = ""};
    char broker[KEY_TEXT_BYTES + 1];
    struct conf_problem problem;
    int code = EXIT_DONE;
    if (key_pair_read(options->secret_key_file, "--curve-secret-key-file", &own, &problem) != ERR_NONE ||
        key_public_read(options->broker_key_file, "--broker-public-key-file", broker, &problem) != ERR_NONE)
        code = ctl_fail(ctl, EXIT_USAGE, "key", "%s", problem.text);
    else
        *status = lineward_connect_curve(out, options->endpoint, own.secret, broker);
    key_pair_clear(&own);
    return code;
}

static int connect_client(const struct ctl *ctl, const struct submit_zmq_options *options, struct lineward **out)
{
    enum lineward_status status = LINEWARD_OK;
    int code = EXIT_DONE;
    if ((options->secret_key_file == NULL) != (options->broker_key_file == NULL))
        return ctl_fail(ctl, EXIT_USAGE, "usage",
                        "--curve-secret-key-file and --broker-public-key-file belong together");
    if (options->secret_key_file != NULL)
        code = connect_curve(ctl, options, out, &status);
    else
        status = lineward_connect(out, options->endpoint);
    if (status == LINEWARD_INVALID)
        code = ctl_fail(ctl, EXIT_USAGE, "usage", "%s is no endpoint of ZeroMQ", options->endpoint);
    else if (status != LINEWARD_OK)
        code = ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "");
    return code;
}

int submit_over_zmq(const struct ctl *ctl, const struct submit_zmq_options *options, struct submit_link *out)
{
    struct lineward *client = NULL;
    int code = connect_client(ctl, options, &client);
    if (code != EXIT_DONE)
        return code;
    if (lineward_ping(client, CONNECT_TIMEOUT_MS) != LINEWARD_OK) {
        code = ctl_fail(ctl, EXIT_UNREACHABLE, "unreachable", "%s", lineward_error(client));
        lineward_close(&client);
        return code;
    }
    *out = (struct submit_link){client, zmq_submit, zmq_close_link};
    return EXIT_DONE;
}
