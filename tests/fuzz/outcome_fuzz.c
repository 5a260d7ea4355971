/* Where an outcome webhook goes, and what its poster is told: a URL, an entry of outcome_hosts, then the bytes of a
 * message. The host that is judged must be the one that libcurl connects to. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <strings.h>

#include "broker/outcomes/outcomes.h"
#include "fuzz.h"
#include "lineward/outcome_target.h"

/* libcurl writes an IPv4 address that is oddly written as a plain one; to us that is a name, which is judged by the
 * address that it leads to. */
static bool is_plain_v4(const char *host)
{
    struct in_addr address;
    return inet_pton(AF_INET, host, &address) == 1;
}

static void check_host(const char *url, const struct outcome_target *target)
{
    char *host = NULL, *scheme = NULL, *user = NULL, bare[OUTCOME_HOST_MAX + 3];
    CURLU *parsed = curl_url();
    fuzz_check(parsed != NULL);
    if (curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK) {
        fuzz_check(curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK);
        fuzz_check(curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK);
        fuzz_check(curl_url_get(parsed, CURLUPART_USER, &user, 0) != CURLUE_OK);
        fuzz_check(target->plain == (strcmp(scheme, "http") == 0));
        snprintf(bare, sizeof bare, "%s%s%s", host[0] == '[' ? "[" : "", target->host, host[0] == '[' ? "]" : "");
        struct in6_addr a, b;
        bool same_v6 = host[0] == '[' && inet_pton(AF_INET6, target->host, &a) == 1;
        if (same_v6) {
            host[strlen(host) - 1] = '\0';
            same_v6 = inet_pton(AF_INET6, host + 1, &b) == 1 && memcmp(&a, &b, sizeof a) == 0;
        }
        fuzz_check(same_v6 || strcasecmp(host, bare) == 0 || is_plain_v4(host));
    }
    curl_free(host);
    curl_free(scheme);
    curl_free(user);
    curl_url_cleanup(parsed);
}

static void check_wire(const char *bytes, size_t count)
{
    static uint8_t packet[OUTCOME_PACKET_BYTES_MAX];
    struct outcome_post post;
    struct outcome_result result;
    uint8_t again[OUTCOME_RESULT_BYTES];
    if (outcome_post_decode((const uint8_t *)bytes, count, &post))
        fuzz_check(strpbrk(post.id, "\r\n ") == NULL && outcome_post_encode(&post, packet) == count);
    if (outcome_result_decode((const uint8_t *)bytes, count, &result))
        fuzz_check(outcome_result_encode(&result, again) == count && memcmp(again, bytes, count) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input input = {data, bytes};
    const char *url = input_text(input_line(&input));
    const char *entry = input_text(input_line(&input));
    const char *why = NULL;
    struct outcome_target target;
    bool valid = outcome_host_is_valid(entry, &why);
    fuzz_check(why != NULL);
    if (outcome_url_parse(url, &target, &why)) {
        check_host(url, &target);
        fuzz_check(!outcome_host_is_allowed(NULL, 0, &target));
        fuzz_check(valid || !outcome_host_is_allowed(&entry, 1, &target));
    }
    check_wire(input_copy(input), input.left);
    fuzz_forget();
    return 0;
}
