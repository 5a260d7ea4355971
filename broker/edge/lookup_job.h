/* lookup_job.h — what the records say of one job, gathered and rendered. Only for lookup*.c. */
#ifndef LINEWARD_EDGE_LOOKUP_JOB_H
#define LINEWARD_EDGE_LOOKUP_JOB_H

#include "broker/edge/lookup.h"
#include "broker/edge/view.h"

#define LOOKUP_HISTORY_MAX 128 /* entries shown of one job's history: the first ones */

struct job_records {
    struct job_facts facts;
    void *copies[SECTION_COUNT + 1]; /* what the facts' spans point into */
    struct json_out history;         /* entries with commas between them; only filled for LOOKUP_FULL */
    size_t history_count;
    bool with_history;
    bool failed; /* out of memory */
};

/* Gathers all that the archive knows of `job`. One that neither lives nor has an end is not known any more, if all ends
 * up to event `ended_seq` are durable; else (0: nobody can say) its end may be on its way to the disk. Free with
 * job_records_free() whatever comes. */
enum err job_records_read(const struct archive *archive, const struct lookup_job *job, uint64_t ended_seq,
                          bool with_history, bool with_message, struct job_records *out);
void job_records_free(struct job_records *records);

/* Only the envelope of job `number`; {NULL, 0} if it is not there. The bytes are the caller's (free()). */
enum err job_envelope_read(const struct archive *archive, uint64_t number, struct span *out);

/* Are all handles of the comma list `to` among the recipients? */
bool recipients_include(struct span recipients, const char *to);

/* `to` and `message` of the job, and the end of the object: its document. */
void job_document_end(struct json_out *out, const struct job_facts *facts);

/* lookup_export.c: a live job, as LOOKUP_EXPORT has it; false: not all of it was read. */
bool job_export(struct json_out *out, const struct job_facts *facts);

/* Renders one item of the request into `text`. One whose record is damaged is refused as `busy`; as a duplicate it is told
 * without its state. */
struct lookup_item job_item(const struct archive *archive, const struct lookup_request *request,
                            const struct lookup_job *job, struct json_out *text, enum err *err);

#endif
