/* record.h — changes as versioned bytes: the head of a store record, and the table that tells the store how each kind
 * lives. The first byte of a head is its version; a newer one is refused by record_decode(). Numbers are LEB128
 * varints (7 bits a byte, low first), hashes eight bytes little-endian. A later version adds fields at the end: what
 * an older head does not have reads as 0. */
#ifndef LINEWARD_STORE_RECORD_H
#define LINEWARD_STORE_RECORD_H

#include "broker/core/change.h"
#include "broker/store/store.h"
#include "lineward/conf.h"

/* Raised with each field that a head gets (record_version_test: head_lengths): only an older version may lack it; and with
 * each value that a field gets: only of a newer version is what is not known here no damage. */
#define RECORD_VERSION 8

/* Room for the values that a decoded change points to. */
struct record_storage {
    union {
        struct change_start start;
        struct change_name name;
        struct change_line line;
        struct change_pause pause;
        struct change_orders orders;
        struct change_audit audit;
        struct change_outcomes outcomes;
        struct change_erasure erasure;
        struct suppression_text suppression;
    };
};

/* Writes the head; returns its bytes (<= STORE_HEAD_BYTES_MAX). Key, seq and sections are not part of it. */
size_t record_encode(const struct change *change, uint8_t out[STORE_HEAD_BYTES_MAX]);
/* Reads it back; *out points into *storage. False: a newer version, an unknown kind, or cut short. */
bool record_decode(unsigned kind, uint64_t key, uint64_t seq, const void *head, size_t head_bytes,
                   struct record_storage *storage, struct change *out);
/* Was a record that can't be read back written by a newer version? */
bool record_is_newer(unsigned kind, const void *head, size_t head_bytes);
/* Adds the change to a batch, with its sections, copies and release. */
enum err record_add(struct store_batch *batch, const struct change *change);
/* The same for a whole record as read from the store: sections point into it. */
bool record_as_change(const struct store_record *record, struct record_storage *storage, struct change *out);

const struct store_kind *record_kinds(void); /* [STORE_KINDS_MAX] */

#endif
