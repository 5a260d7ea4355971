/* ctl.h — linewardctl: one table of commands, each a small function over the admin API (PROTOCOL, Admin API).
 *
 * A command gets what the command line said (struct args) and what all commands share (struct ctl), writes its
 * answer to ctl->out and everything else (problems, progress) to ctl->err, and returns the program's exit code. */
#ifndef LINEWARDCTL_CTL_H
#define LINEWARDCTL_CTL_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "args.h"
#include "lineward/clock.h"
#include "lineward/json.h"
#include "view.h"

enum exit_code { /* PROTOCOL, Programs */
                 EXIT_DONE = 0,
                 EXIT_REFUSED = 1, /* refused or failed */
                 EXIT_USAGE = 2,
                 EXIT_UNREACHABLE = 3, /* can't reach the broker */
};

#define IF_MATCH_MAX      256 /* bytes of --if-match */
#define CTL_ADMIN_DEFAULT "http://127.0.0.1:7781"

struct ctl {
    FILE *out, *err;
    bool json;          /* the answer as JSON, nothing else on `out` */
    struct screen view; /* how `out` shows text */
    bool progress;      /* `err` is a terminal: a progress bar may be drawn on it */
    char admin[512];    /* base URL, without a slash at its end */
    char *token;        /* NULL: none */
    const char *ca;     /* PEM file to trust besides the system's; NULL: none */
    const char *if_match; /* an ETag, as views show it: changes are made only while it holds; NULL: none */
    bool insecure;      /* the token may go over plain http to another machine */
    const volatile sig_atomic_t *interrupted; /* once it is not 0, calls are given up; NULL: they never are */
};

/* Does what the command line asks. `argv` as in main(). Returns the exit code. */
int ctl_run(int argc, char **argv, FILE *out, FILE *err);

/* Says on ctl->err what is wrong (in JSON mode as {"error":{"code","message"}} on ctl->out) and returns `code`. */
int ctl_fail(const struct ctl *ctl, enum exit_code code, const char *word, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Prints the finished text and a line's end on ctl->out, and frees it. */
void ctl_print_json(const struct ctl *ctl, struct json_out *out);

/* Calls METHOD on the command's path for `name`; `body` NULL: none. On EXIT_DONE the answer is the caller's. */
struct http_answer;
int ctl_change(const struct ctl *ctl, const struct args *args, const char *method, const char *name,
               const struct json_out *body, struct http_answer *answer);

/* A time, or a span before (sign -1) or after (1) now; NULL leaves *out as it is. False: neither. */
bool ctl_moment(const struct ctl *ctl, const char *text, int sign, char out[TIME_TEXT_MAX]);

/* A new file that only its owner can read, for what may hold recipients; "-": ctl->out. NULL: it is there, or cannot be made. */
FILE *ctl_create(const struct ctl *ctl, const char *name);
/* What was made or renamed in it is there after a power cut. False: errno says why not. */
bool ctl_sync_folder(const char *folder);
bool ctl_sync_name(const char *path); /* the same of the folder that this file is in */

/* The commands, each in the file that its kind has. */
int command_show(const struct ctl *ctl, const struct args *args);    /* cmd_views.c: status, line, job */
int command_list(const struct ctl *ctl, const struct args *args);    /* cmd_views.c: pools, lines, workers, pauses ... */
int command_jobs(const struct ctl *ctl, const struct args *args);    /* cmd_views.c */
int command_shape(const struct ctl *ctl, const struct args *args); /* cmd_shape.c */
int command_replies(const struct ctl *ctl, const struct args *args); /* cmd_shape.c */
int command_why(const struct ctl *ctl, const struct args *args);        /* cmd_why.c */
int command_why_line(const struct ctl *ctl, const struct args *args);   /* cmd_why.c */
int command_why_not(const struct ctl *ctl, const struct args *args);    /* cmd_why.c */
int command_would_send(const struct ctl *ctl, const struct args *args); /* cmd_why.c */
int command_top(const struct ctl *ctl, const struct args *args);     /* cmd_top.c */
int command_cancel(const struct ctl *ctl, const struct args *args);  /* cmd_changes.c */
int command_pause(const struct ctl *ctl, const struct args *args);   /* cmd_pause.c */
int command_resume(const struct ctl *ctl, const struct args *args);  /* cmd_pause.c */
int command_settle(const struct ctl *ctl, const struct args *args);  /* cmd_operate.c */
int command_cordon(const struct ctl *ctl, const struct args *args);  /* cmd_operate.c: cordon, uncordon */
int command_reputation_set(const struct ctl *ctl, const struct args *args); /* cmd_operate.c */
int command_reputation_end(const struct ctl *ctl, const struct args *args); /* cmd_operate.c */
int command_drain(const struct ctl *ctl, const struct args *args); /* cmd_drain.c */
int command_move(const struct ctl *ctl, const struct args *args);  /* cmd_operate.c */
int command_requeue(const struct ctl *ctl, const struct args *args); /* cmd_dead.c */
int command_triage_cancel(const struct ctl *ctl, const struct args *args); /* cmd_triage.c */
int command_triage_expire(const struct ctl *ctl, const struct args *args); /* cmd_triage.c */
int command_triage_redate(const struct ctl *ctl, const struct args *args); /* cmd_triage.c */
int command_triage_move(const struct ctl *ctl, const struct args *args);   /* cmd_triage.c */
int command_triage_export(const struct ctl *ctl, const struct args *args); /* cmd_export.c */
int command_triage_import(const struct ctl *ctl, const struct args *args); /* cmd_export.c */
int command_erase(const struct ctl *ctl, const struct args *args); /* cmd_erase.c */
int command_audit(const struct ctl *ctl, const struct args *args);   /* cmd_audit.c */
int command_events(const struct ctl *ctl, const struct args *args);  /* cmd_events.c */
int command_enqueue(const struct ctl *ctl, const struct args *args); /* cmd_enqueue.c */
int command_conversation(const struct ctl *ctl, const struct args *args);         /* cmd_conversations.c */
int command_conversations_import(const struct ctl *ctl, const struct args *args); /* cmd_conversations.c */
int command_conversations_export(const struct ctl *ctl, const struct args *args); /* cmd_conversations.c */
int command_suppress(const struct ctl *ctl, const struct args *args);             /* cmd_conversations.c */
int command_unsuppress(const struct ctl *ctl, const struct args *args);           /* cmd_conversations.c */
int command_store_check(const struct ctl *ctl, const struct args *args);  /* cmd_store.c */
int command_store_dump(const struct ctl *ctl, const struct args *args);   /* cmd_store.c */
int command_backup(const struct ctl *ctl, const struct args *args);       /* cmd_backup.c */
int command_restore(const struct ctl *ctl, const struct args *args);      /* cmd_backup.c */
int command_check_config(const struct ctl *ctl, const struct args *args); /* cmd_local.c */
int command_token_add(const struct ctl *ctl, const struct args *args);    /* cmd_local.c */
int command_keygen(const struct ctl *ctl, const struct args *args);       /* cmd_keys.c */
int command_authorize(const struct ctl *ctl, const struct args *args);    /* cmd_keys.c */
int command_revoke(const struct ctl *ctl, const struct args *args);       /* cmd_keys.c */
int command_manual(const struct ctl *ctl, const struct args *args);       /* ctl.c */
int command_completion(const struct ctl *ctl, const struct args *args);   /* ctl.c */

#endif
