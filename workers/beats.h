/* beats.h — the BEATs of one connection, and what their echoes prove (PROTOCOL, Workers). Pure.
 *
 * An echo shows that broker and worker could hear each other when its BEAT was sent, not when the echo came: it may
 * have lain in a queue while either of them slept. So what counts is when the newest answered BEAT was sent. */
#ifndef LINEWARD_BEATS_H
#define LINEWARD_BEATS_H

#include <stdbool.h>
#include <stdint.h>

#define BEATS_KEPT       16 /* echoes of older ones prove nothing any more */
#define BEATS_FRESH      3  /* heartbeats for which a proof holds */
#define BEAT_TEXT_MAX    24
#define HEARTBEAT_MIN_MS 10
#define HEARTBEAT_MAX_MS 60000

struct beats { /* zeroed with `number` 1 and `heartbeat_ms` set: none sent */
    int64_t heartbeat_ms;
    uint64_t number;                  /* of the next BEAT */
    int64_t sent_mono_ms[BEATS_KEPT]; /* of the last ones, by number */
    int64_t next_mono_ms;             /* when it is due */
    int64_t proof_mono_ms;            /* when the newest answered one, or READY, was sent */
    int64_t doubted_mono_ms;          /* proofs from before this no longer count */
};

/* READY, said at `asked_mono_ms`, is answered: as good as an echo. The next BEAT is due now. */
void beats_restart(struct beats *beats, int64_t asked_mono_ms, int64_t now_mono_ms);
/* The number of the BEAT to send now. */
void beats_number(const struct beats *beats, char out[BEAT_TEXT_MAX]);
/* That BEAT went out (`sent`), or could not: the next is due a heartbeat later. */
void beats_sent(struct beats *beats, bool sent, int64_t now_mono_ms);
/* An echo. What is no number, or none of a BEAT still kept, is passed over. */
void beats_echoed(struct beats *beats, const char *number);
/* The process was stopped until now: what the broker said meanwhile (a REVOKE) may still be on its way, so nothing
 * begins until a BEAT sent from now on is answered. It is due at once. */
void beats_doubt(struct beats *beats, int64_t now_mono_ms);
bool beats_are_fresh(const struct beats *beats, int64_t now_mono_ms);

#endif
