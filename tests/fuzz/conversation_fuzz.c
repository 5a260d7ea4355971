/* One conversation to be imported (POST /v1/conversations/import). */
#include <sodium.h>

#include "broker/edge/conversation_parse.h"
#include "fuzz.h"
#include "lineward/wire.h"

static const char conf_text[] = "accounts:\n  default:\n    api_key_file: key\n"
                                "pools:\n  default: {account: default, lines: all}\n"
                                "  eu.1: {account: default, lines: [\"+12025550109\"]}\n";

static void check_taken(const struct core_adopt *adopt)
{
    cJSON *to = json_parse(adopt->recipients.data, adopt->recipients.bytes, NULL);
    fuzz_check(cJSON_IsArray(to) && cJSON_GetArraySize(to) >= 1 && cJSON_GetArraySize(to) <= WIRE_RECIPIENTS_MAX);
    fuzz_check(adopt->line >= 10 && adopt->line < UINT64_C(1000000000000000));
    fuzz_check((adopt->chat_id.bytes > 0) == (adopt->chat_hash != 0));
    fuzz_check(adopt->chat_id.bytes <= 6 * CHAT_ID_BYTES_MAX + 2);
    cJSON_Delete(to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct conf *conf;
    static struct keyed_hash hash;
    struct conf_problem problem;
    if (conf == NULL) {
        fuzz_check(sodium_init() >= 0);
        fuzz_check(conf_parse(&conf, conf_text, sizeof conf_text - 1, "t.yaml", "/tmp", NULL, 0, &problem) == ERR_NONE);
    }
    struct conversation_parser parser = {.conf = conf, .hash = &hash, .pools = NULL};
    struct conversation_texts texts = {0};
    struct core_adopt adopt;
    struct job_refusal refusal = {0};
    cJSON *item = json_parse((const char *)data, bytes, NULL);
    if (item == NULL)
        return 0;
    if (conversation_parse(&parser, item, &adopt, &texts, &refusal))
        check_taken(&adopt);
    else
        fuzz_check(refusal.code != CODE_NONE && refusal.message[0] != '\0');
    conversation_texts_free(&texts);
    cJSON_Delete(item);
    return 0;
}
