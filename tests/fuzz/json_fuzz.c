/* JSON documents: what is taken is written and read again the same; members are found where they are. */
#include "fuzz.h"
#include "lineward/json.h"

static unsigned depth_of(const cJSON *value)
{
    unsigned deepest = 0;
    for (const cJSON *child = value->child; child != NULL; child = child->next) {
        unsigned depth = depth_of(child);
        deepest = depth > deepest ? depth : deepest;
    }
    return cJSON_IsObject(value) || cJSON_IsArray(value) ? deepest + 1 : 0;
}

static void check_members(const char *text, size_t bytes, const cJSON *object)
{
    struct json_member member;
    size_t at = 0, count = 0;
    while (json_next_member(text, bytes, &at, &member)) {
        cJSON *value = json_parse(member.value, member.value_bytes, NULL);
        const cJSON *same = cJSON_GetArrayItem(object, (int)count++);
        fuzz_check(value != NULL && same != NULL && json_equal(value, same));
        cJSON_Delete(value);
    }
    fuzz_check(!cJSON_IsObject(object) || count == (size_t)cJSON_GetArraySize(object));
}

static void check_strings(const cJSON *value)
{
    if (cJSON_IsString(value)) {
        struct json_out out = {0};
        json_put_string(&out, value->valuestring);
        cJSON *again = json_parse(out.text, out.bytes, NULL);
        fuzz_check(cJSON_IsString(again) && strcmp(again->valuestring, value->valuestring) == 0);
        cJSON_Delete(again);
        json_out_free(&out);
    }
    for (const cJSON *child = value->child; child != NULL; child = child->next)
        check_strings(child);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const char *text = (const char *)data;
    const char *why = NULL;
    cJSON *json = json_parse(text, bytes, &why);
    if (json == NULL) {
        fuzz_check(why != NULL && json_fault_of(why) != JSON_FAULT_MEMORY);
        return 0;
    }
    fuzz_check(depth_of(json) <= JSON_DEPTH_MAX);
    struct json_out printed = {0};
    json_put_value(&printed, json);
    cJSON *again = json_parse(printed.text, printed.bytes, &why);
    fuzz_check(again != NULL);
    fuzz_check(json_equal(json, again) && json_equal(json, json));
    (void)json_has_big_integer(text, bytes);
    check_members(text, bytes, json);
    check_strings(json);
    cJSON_Delete(again);
    json_out_free(&printed);
    cJSON_Delete(json);
    return 0;
}
