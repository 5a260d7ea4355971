/* http_ask.c — `http_ask METHOD URL [BODY]` prints the answer, exit 0 if it is a 2xx; `http_ask await URL SECONDS`
 * asks again and again until it is one. */
#include "bench.h"
#include "http.h"

#include <stdio.h>
#include <string.h>

#define PAUSE_NS 5000000

static bool is_good(const struct http_reply *reply)
{
    return reply->status >= 200 && reply->status < 300;
}

int main(int argc, char **argv)
{
    static struct http_reply reply;
    if (argc < 3 || argc > 4)
        die("usage: http_ask METHOD URL [BODY], http_ask await URL SECONDS");
    if (strcmp(argv[1], "await") != 0) {
        http_call(argv[1], argv[2], argc > 3 ? argv[3] : NULL, &reply);
        puts(reply.text);
        return is_good(&reply) ? 0 : 1;
    }
    int64_t end = now_ns() + number_argument(argc > 3 ? argv[3] : "", "SECONDS", 1, 3600) * 1000000000;
    for (;;) {
        http_call("GET", argv[2], NULL, &reply);
        if (is_good(&reply))
            return 0;
        if (now_ns() > end)
            die("%s: still %ld %s", argv[2], reply.status, reply.text);
        wait_until_ns(now_ns() + PAUSE_NS);
    }
}
