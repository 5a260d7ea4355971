/* hooks.h — the provider's webhooks on their way: signed, late, doubled, lost, forged, replayed; tried again until they
 * are taken. */
#ifndef TESTS_SIM_HOOKS_H
#define TESTS_SIM_HOOKS_H

#include "lineward/words.h"
#include "tests/sim/ground.h"

struct hook { /* one webhook */
    char id[40], timestamp[24], signature[64];
    char *body;
    unsigned tries;
    int account; /* at whose path it arrives */
    bool forged; /* or signed by another account, which is no better */
    bool astray;
    /* what it says, for the witness: a line's turn (line >= 0) or an opt-out */
    int line, conversation, job; /* job: its message; -1: none */
    enum reputation word;
    int64_t changed_ms;
    int64_t arrived_us; /* for the first time; 0: not yet */
    int wrote_on;       /* a recipient wrote on that line; -1: none did */
    bool flagged, closes, opts_out;
};

void hooks_begin(void);
void hooks_line_turned(int line, enum reputation before, enum reputation now, bool was_flagged, bool flagged);
void hooks_message_sent(int job, int conversation, int line, const char *key, const char *chat_id);
void hooks_message_received(int conversation, int line, const char *chat_id, bool stop);
void hooks_chat_health(int conversation, int line, const char *chat_id, enum chat_health health);
/* The receiver has answered; 0: it did not. */
void hooks_answered(struct hook *hook, int status);
/* One draw: an old one comes again, or a forged one. */
void hooks_mishap(struct stream *stream);
void hooks_heal(void);
extern const char *const hooks_secrets[2]; /* by account */

#endif
