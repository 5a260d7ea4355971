/* named.h — does a text name a certain recipient, who is known by a keyed hash alone? And taking the name out of it,
 * byte for byte, so that what the text is a part of keeps its form. Pure. */
#ifndef LINEWARD_EDGE_NAMED_H
#define LINEWARD_EDGE_NAMED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/core/core.h"
#include "broker/edge/keyed_hash.h"
#include "broker/edge/recipients.h"

/* Of a handle as handle_normalize() writes it, whichever account or pool. */
uint64_t named_person(const struct keyed_hash *hash, const char *handle);
/* Is that one of these (as recipients_write() wrote them)? */
bool named_among(const struct keyed_hash *hash, uint64_t person, struct span recipients);
/* How often the text names them: a number with or without its plus, or with 00 or 011 in its place, whatever usual
 * separators stand between its digits, one of North America without its country code too; an e-mail address in any case,
 * whatever marks touch it. With `masks` each such name, from its first character to its last, becomes as many stars. Takes
 * time in proportion to the text. */
size_t named_in(const struct keyed_hash *hash, uint64_t person, char *text, size_t bytes, bool masks);
/* Likewise in the strings of a JSON document, which stays one. */
size_t named_in_json(const struct keyed_hash *hash, uint64_t person, char *json, size_t bytes, bool masks);
/* Likewise everybody who is being erased, in what is said meanwhile: before it is kept or written. */
void named_hide(const struct core *core, const struct keyed_hash *hash, char *text);
/* And whose erasure was done since then (steady clock): what is written of a call that began before. */
void named_hide_json(const struct core *core, const struct keyed_hash *hash, int64_t since_mono_ms, char *json,
                     size_t bytes);
/* The handle, or NULL if it is one of those. NULL is fine. */
const char *named_unless_erased(const struct core *core, const struct keyed_hash *hash, const char *handle);
#define ERASED_TEXT "to: a recipient is being erased: not before that is done"
/* Is one of these being erased now? */
bool named_erased(const struct core *core, const struct keyed_hash *hash, const struct recipients *to);

#endif
