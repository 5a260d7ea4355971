/* provider.h — the provider, as linq-api.md tells of it: lines with a reputation, chats, messages, keys, every error
 * code, webhooks to be delivered, a list of lines to be polled. It keeps what it did to show it to the witness. */
#ifndef TESTS_SIM_PROVIDER_H
#define TESTS_SIM_PROVIDER_H

#include "lineward/words.h"
#include "tests/sim/ground.h"

struct provider_reply {
    int status, code;
    char *body; /* malloc'ed */
    char retry_after[16];
};

void provider_begin(void);
/* A request has arrived. */
struct provider_reply provider_take(const char *key, const char *url, const char *body, size_t bytes);
/* The body of GET /v3/phone_numbers as it was some time ago. `without`: a line that is left out, -1: none. */
char *provider_list(int account, int64_t ago_us, int without);
bool provider_key_is_good(int account);

/* Something happens there (one draw): a line turns, a storm, a chat's health ... */
void provider_mishap(struct stream *stream);
void provider_heal(void);

/* What it really is, for the witness. */
bool provider_ever_answered(int job, int code); /* with that code */
bool provider_ever_lost_chat(int conversation); /* one of its chats is not there any more */
bool provider_has(int job);                     /* the message exists, or did */

#endif
