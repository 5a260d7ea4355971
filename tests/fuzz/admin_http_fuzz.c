/* Calls of the admin API over HTTP: "METHOD TARGET", a line that says whose token (a admin, o operator, e operator of one
 * pool, v viewer, p producer, anything else none) and whether the lines behind it up to "%%" are headers; then the body up
 * to "%%%" and the next call. Every answer has a status; an error says what; and what is JSON is whole. */
#include <netinet/in.h>

#pragma GCC diagnostic ignored "-Wunused-function" /* of the rig */
#define RIG_RECORDS 2048
#include "tests/unit/admin_rig.h"

#define CALLS_MAX 8

static const char *token_of(char who)
{
    switch (who) {
    case 'a':
        return "admin-token";
    case 'o':
        return "operator-token";
    case 'e':
        return "operator-eu-token";
    case 'v':
        return "viewer-token";
    case 'p':
        return "producer-eu-token";
    default:
        return NULL;
    }
}

static bool is_end(struct input line, const char *end)
{
    return line.left == strlen(end) && memcmp(line.at, end, line.left) == 0;
}

/* What of a line can stand in a request's head. */
static void put_clean(FILE *out, struct input line)
{
    for (size_t i = 0; i < line.left; i++)
        if (line.at[i] > ' ' && line.at[i] < 127)
            fputc(line.at[i], out);
}

static struct input take_body(struct input *input)
{
    struct input body = *input;
    while (input->left > 0) {
        const uint8_t *begin = input->at;
        if (is_end(input_line(input), "%%%")) {
            body.left = (size_t)(begin - body.at);
            return body;
        }
    }
    return body;
}

static void put_call(FILE *out, struct input *input)
{
    struct input first = input_line(input), who = input_line(input);
    size_t method = 0;
    while (method < first.left && first.at[method] != ' ')
        method++;
    struct input verb = input_take(&first, method);
    input_take(&first, 1);
    put_clean(out, verb);
    fputs(" /", out);
    if (first.left > 0 && first.at[0] == '/')
        input_take(&first, 1);
    put_clean(out, first);
    fputs(" HTTP/1.1\r\nHost: rig\r\nConnection: close\r\n", out);
    const char *token = token_of(who.left > 0 ? (char)who.at[0] : ' ');
    if (token != NULL)
        fprintf(out, "Authorization: Bearer %s\r\n", token);
    for (bool headers = who.left > 1; headers && input->left > 0;) {
        struct input line = input_line(input);
        if ((headers = !is_end(line, "%%") && line.left > 0)) {
            put_clean(out, line);
            fputs("\r\n", out);
        }
    }
    struct input body = take_body(input);
    fprintf(out, "Content-Length: %zu\r\n\r\n", body.left);
    if (body.left > 0)
        fwrite(body.at, 1, body.left, out);
}

static void check_answer(char *text, size_t bytes)
{
    int status = 0;
    char *body = strstr(text, "\r\n\r\n");
    if (bytes == 0) /* libmicrohttpd closes what is no HTTP to it */
        return;
    fuzz_check(sscanf(text, "HTTP/1.1 %d", &status) == 1 && status >= 100 && status <= 599);
    if (body == NULL || strstr(text, "application/json") == NULL || strstr(text, "chunked") != NULL)
        return;
    body += 4;
    cJSON *json = json_parse(body, strlen(body), NULL);
    bool is_head = *body == '\0';
    fuzz_check(json != NULL || is_head);
    if (status >= 400 && !is_head && json_get(json, "results") == NULL)
        fuzz_check(json_string(json_get(json, "error"), "code") != NULL &&
                   json_string(json_get(json, "error"), "message") != NULL);
    cJSON_Delete(json);
}

/* Who closes first is left with the port for a minute; so it is we, by a reset, as soon as all is there. */
static bool is_whole(const char *text, size_t bytes)
{
    const char *body = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\nContent-Length: ");
    if (body == NULL)
        return false;
    if (strstr(text, "text/event-stream") != NULL) /* it has no end */
        return true;
    return length != NULL && length < body && (size_t)(body + 4 - text) + strtoul(length + 18, NULL, 10) <= bytes;
}

static void call(struct input *input)
{
    struct linger at_once = {1, 0};
    static char heard[1 << 20];
    char *request = NULL;
    size_t bytes = 0, got = 0;
    FILE *out = open_memstream(&request, &bytes);
    put_call(out, input);
    fclose(out);
    int fd = rig_connect();
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    rig_send(fd, request, bytes);
    free(request);
    heard[0] = '\0';
    while (got < sizeof heard - 1 && !is_whole(heard, got) && rig_wait(fd)) {
        ssize_t there = recv(fd, heard + got, sizeof heard - 1 - got, MSG_DONTWAIT);
        if (there <= 0)
            break;
        got += (size_t)there;
        heard[got] = '\0';
    }
    close(fd);
    check_answer(heard, got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input input = {data, bytes};
    rig_setup();
    for (unsigned i = 0; input.left > 0 && i < CALLS_MAX; i++) {
        call(&input);
        rig_serve();
    }
    rig_teardown();
    return 0;
}
