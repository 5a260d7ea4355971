/* control.h — what the calls of the controls have in common: one call under way, and how it is answered.
 *
 * control.c finds the call and holds the lock; control_lines.c, control_people.c and control_faults.c do what it
 * asks. Each answers at once; what it sets in motion (webhooks) goes its own way. */
#ifndef SANDBOX_CONTROL_H
#define SANDBOX_CONTROL_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "tools/sandbox/sandbox.h"

struct control {
    struct sandbox *sandbox;
    struct http_answer *answer;
    const struct http_request *request;
    const char *argument; /* the path's part after the call's name; "": none */
    const cJSON *body;    /* an object, or NULL when there was none */
    struct instant now;
};

/* ---- answers ---- */

void control_fail(struct control *control, int status, const char *code, const char *message);
/* 400: this member is unknown, or has no such value. */
void control_fail_field(struct control *control, const char *field);
/* 200 with the time, for calls that have nothing else to say. */
void control_done(struct control *control);

/* ---- calls ---- */

void control_line_post(struct control *control);
void control_line_delete(struct control *control);
void control_lines_get(struct control *control);
void control_preload_post(struct control *control);
void control_recipient_post(struct control *control);
void control_answer_post(struct control *control);
void control_chat_post(struct control *control);
void control_message_post(struct control *control);
void control_faults_get(struct control *control);
void control_faults_post(struct control *control);
void control_faults_delete(struct control *control);
void control_rules_get(struct control *control);
void control_rules_post(struct control *control);
void control_rules_delete(struct control *control); /* all, or the one named */
void control_listing_get(struct control *control);
void control_listing_post(struct control *control);
void control_model_get(struct control *control);
void control_model_post(struct control *control);
void control_webhook_faults_get(struct control *control);
void control_webhook_faults_post(struct control *control);
void control_webhook_faults_delete(struct control *control);
void control_webhooks_get(struct control *control);
void control_webhooks_post(struct control *control);

#endif
