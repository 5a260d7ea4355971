/* members.h — reading the members of an object that a person wrote: the controls' bodies and the configuration.
 * Pure. Each reader leaves *out as it is when there is no such member. */
#ifndef SANDBOX_MEMBERS_H
#define SANDBOX_MEMBERS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first member that is not in `names` (ending with NULL), or NULL. */
const char *members_stranger(const cJSON *object, const char *const *names);
/* False: the member is there, and no such value. */
bool member_flag(const cJSON *object, const char *name, bool *out);
bool member_number(const cJSON *object, const char *name, int64_t min, int64_t max, int64_t *out);
bool member_share(const cJSON *object, const char *name, double *out); /* 0 to 1 */
/* One of `words` (`count` of them): its place. */
bool member_word(const cJSON *object, const char *name, const char *const *words, size_t count, int *out);
/* A text of less than `room` bytes; null empties it. */
bool member_text(const cJSON *object, const char *name, char *out, size_t room);

#endif
