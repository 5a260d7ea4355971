/* cache_say.h — what the script is told (cache.lua), written. */
#ifndef LINEWARD_CACHE_SAY_H
#define LINEWARD_CACHE_SAY_H

#include "broker/cache/cache_owed.h"
#include "broker/core/core.h"
#include "broker/core/merge.h"
#include "lineward/json.h"

/* What lies so much after now is of a clock that was wrong then; the script's AHEAD_MS. */
#define CACHE_AHEAD_MS 600000

/* `wall_ms`, here and below: the time of day. */
void cache_say_told(struct json_out *out, const struct core_line_fact *fact, int64_t wall_ms);
void cache_say_service(struct json_out *out, uint64_t number, bool flagged, int64_t at_ms);
/* `rules`: of the script that this broker runs. */
void cache_say_hold(struct json_out *out, const char *nonce, int64_t ms, const char *rules);
/* A part of a good list: begin, lines, what is missing (in the last part), end. */
void cache_say_poll_begin(struct json_out *out, const char *nonce, int64_t begun_ms, int64_t interval_ms, bool cached);
void cache_say_poll_line(struct json_out *out, uint64_t number, enum reputation reputation, enum service service);
void cache_say_poll_missed(struct json_out *out); /* from now on: cache_say_number() */
void cache_say_number(struct json_out *out, uint64_t number);
void cache_say_poll_end(struct json_out *out);
/* {"what":"people", and a list of them that is called `list`; end. */
void cache_say_people(struct json_out *out, const char *list, int64_t wall_ms);
void cache_say_people_end(struct json_out *out);
/* Members of one of them: why, since when; since when the hardest cause to lift holds, and the others (0: not known). */
void cache_say_cause(struct json_out *out, enum suppress cause, int64_t since_ms);
void cache_say_known_since(struct json_out *out, int64_t since_ms);
void cache_say_since(struct json_out *out, enum suppress cause, int64_t since_ms);
/* A recipient may be sent to again (OWED_ENDED): by what they wrote, or by an operator, who said so at told_ms. */
void cache_say_ended(struct json_out *out, const struct cache_owed_fact *owed, int64_t told_ms, int64_t wall_ms);
void cache_say_hidden(struct json_out *out, const char *id, int64_t wall_ms);
void cache_say_people_after(struct json_out *out, int64_t version, int64_t limit);
/* One line that this broker knows something worse of, since now if it has forgotten since when; `ahead_ms`: the shared
 * clock less ours. */
void cache_say_known(struct json_out *out, const struct line_words *words, struct instant now, int64_t ahead_ms);
/* When the line was flagged, or became worse, on the shared clock; 0 and NEVER_SAID: never. */
int64_t cache_say_flagged_at(const struct line_words *words, int64_t ahead_ms);
int64_t cache_say_tightened(const struct line_words *words, int64_t ahead_ms);

#endif
