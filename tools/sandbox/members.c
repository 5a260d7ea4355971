/* members.c — see its header. */
#include "tools/sandbox/members.h"

#include <stdio.h>
#include <string.h>

#include "lineward/json.h"

const char *members_stranger(const cJSON *object, const char *const *names)
{
    const cJSON *member;
    cJSON_ArrayForEach(member, object)
    {
        const char *const *name = names;
        while (*name != NULL && strcmp(*name, member->string) != 0)
            name++;
        if (*name == NULL)
            return member->string;
    }
    return NULL;
}

bool member_flag(const cJSON *object, const char *name, bool *out)
{
    const cJSON *member = json_get(object, name);
    if (member == NULL)
        return true;
    if (!cJSON_IsBool(member))
        return false;
    *out = cJSON_IsTrue(member);
    return true;
}

bool member_number(const cJSON *object, const char *name, int64_t min, int64_t max, int64_t *out)
{
    int64_t value;
    if (json_get(object, name) == NULL)
        return true;
    if (!json_int(object, name, &value) || value < min || value > max)
        return false;
    *out = value;
    return true;
}

bool member_share(const cJSON *object, const char *name, double *out)
{
    const cJSON *member = json_get(object, name);
    if (member == NULL)
        return true;
    if (!cJSON_IsNumber(member) || !(member->valuedouble >= 0 && member->valuedouble <= 1))
        return false;
    *out = member->valuedouble;
    return true;
}

bool member_word(const cJSON *object, const char *name, const char *const *words, size_t count, int *out)
{
    const char *text = json_string(object, name);
    if (json_get(object, name) == NULL)
        return true;
    for (size_t i = 0; text != NULL && i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = (int)i;
            return true;
        }
    }
    return false;
}

bool member_text(const cJSON *object, const char *name, char *out, size_t room)
{
    const cJSON *member = json_get(object, name);
    if (member == NULL)
        return true;
    if (!cJSON_IsNull(member) && (!cJSON_IsString(member) || strlen(member->valuestring) >= room))
        return false;
    snprintf(out, room, "%s", cJSON_IsNull(member) ? "" : member->valuestring);
    return true;
}
