/* feed_notes.h — counts what the child refused or did not understand, and tells the broker at most once a second:
 * a flood of bad requests must not become a flood of messages. */
#ifndef LINEWARD_FEED_NOTES_H
#define LINEWARD_FEED_NOTES_H

#include "broker/feed/feed.h"
#include "lineward/clock.h"

/* Takes a message for the broker, copying it. False: the broker does not keep up, nothing was taken. */
typedef bool feed_emit(void *context, const struct feed_message *message);

struct feed_notes;

/* For the accounts of `conf`, which must outlive it. NULL if out of memory. */
struct feed_notes *feed_notes_new(const struct conf *conf, feed_emit *emit, void *context);
void feed_notes_free(struct feed_notes **notes_p);
/* Another configuration, in which the accounts that were there keep their index. ERR_NO_MEMORY: nothing changed. */
enum err feed_notes_follow(struct feed_notes *notes, const struct conf *conf);

/* `account` is an index into conf.accounts. */
void feed_notes_add(struct feed_notes *notes, size_t account, enum feed_note note, uint64_t count);

/* Hands on what has been counted, if the last time was a second ago. What the broker does not take is kept. */
void feed_notes_step(struct feed_notes *notes, struct instant now);
/* When feed_notes_step() has something to do, on the steady clock; TIME_NEVER: nothing is counted. */
int64_t feed_notes_due(const struct feed_notes *notes);

#endif
