/* model.h — how a provider's opinion of a line moves, and how people answer: the sandbox's guess of what nobody
 * publishes, good enough to rehearse against.
 *
 * PURE, and without memory of its own: the caller keeps a model_line for each line and a model_chat for each chat,
 * tells them what happened, and advances the lines. Same parameters, same seed, same calls: same course. All times
 * are the model's own, in ms, from any beginning; the sandbox lets them run faster than the clock if asked.
 *
 * What is known (linq-api.md 5) is that these move a reputation: many new conversations in a day, many different
 * recipients in a short window, jumps above the line's own level, few answers, opt-outs. How much, nobody says: all
 * numbers are parameters. Each driver is a pressure, 0 when there is nothing to complain of and 1 when that alone
 * would make the line AT_RISK; their sum is where the line's heat goes, fast when it rises and slowly when it falls.
 * Heat decides: AT_RISK, CRITICAL, and, a matter of chance while it is high, FLAGGED. */
#ifndef SANDBOX_MODEL_H
#define SANDBOX_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "lineward/words.h"

/* ---- parameters ---- */

/* name, default, smallest, largest: one table, for configuration and documentation. Times in ms. */
#define MODEL_PARAM_LIST(X)                                                                                          \
    X(step_ms, 60000, 100, 86400000)    /* lines are judged once in so long */                                       \
    X(new_chats_per_day, 50, 1, 1e6)    /* beyond these, pressure */                                                 \
    X(recipients_per_hour, 200, 1, 1e6) /* different ones */                                                         \
    X(growth_factor, 3, 1, 1000)        /* times the line's own recent day */                                        \
    X(growth_floor, 100, 1, 1e6)        /* a day's sends that are never a jump */                                    \
    X(memory_ms, 259200000, 1, 1e12)    /* how answers, sends and opt-outs fade */                                   \
    X(reply_floor, 0.15, 0, 1)          /* answers per send below which there is pressure */                         \
    X(reply_sends_min, 20, 1, 1e6)      /* of so many sends a ratio says something */                                \
    X(opt_outs_per_100, 2, 0.01, 100)   /* opt-outs per 100 sends */                                                 \
    X(after_opt_out_weight, 5, 0, 1000) /* a send to one who opted out counts as so many opt-outs */                 \
    X(weight_new_chats, 1, 0, 100)      /* what each driver counts in the sum */                                     \
    X(weight_recipients, 1, 0, 100)                                                                                  \
    X(weight_growth, 1, 0, 100)                                                                                      \
    X(weight_replies, 1.5, 0, 100)                                                                                   \
    X(weight_opt_outs, 1, 0, 100)                                                                                    \
    X(rise_ms, 1800000, 1, 1e12)  /* time constant of heat going up */                                               \
    X(fall_ms, 43200000, 1, 1e12) /* and down */                                                                     \
    X(at_risk_heat, 1, 0.01, 100)                                                                                    \
    X(critical_heat, 2, 0.01, 100)                                                                                   \
    X(recover_share, 0.6, 0, 1) /* below this share of its threshold a state is left */                              \
    X(flag_heat, 3, 0.01, 1000)                                                                                      \
    X(flags_per_day, 4, 0, 1e6) /* how often a line above flag_heat that goes on sending is */                       \
    X(flagged_ms, 86400000, 1, 1e12)                                                                                 \
    X(spread, 0.2, 0, 0.9)                 /* lines differ by up to this share in what they bear */                  \
    X(chat_at_risk_unanswered, 4, 1, 1000) /* unanswered in a row */                                                 \
    X(chat_critical_unanswered, 8, 1, 1000)                                                                          \
    X(chat_quiet_ms, 604800000, 1, 1e12) /* a chat left alone so long is a step better */                            \
    X(answer_share, 0.35, 0, 1)          /* of first messages that are answered */                                   \
    X(answer_fatigue, 0.5, 0, 1)         /* each unanswered one before: times this */                                \
    X(answer_ms, 600000, 0, 1e12)        /* median of the delay, which is log-normal */                              \
    X(opt_out_share, 0.01, 0, 1)         /* of answered messages: with a keyword */                                  \
    X(read_share, 0.7, 0, 1)                                                                                         \
    X(read_ms, 60000, 0, 1e12)                                                                                       \
    X(deliver_ms, 2000, 0, 1e12)                                                                                     \
    X(fail_share, 0.005, 0, 1) /* of messages: never delivered */                                                    \
    X(delay_spread, 1, 0, 4)   /* sigma of the delays' logarithm; 0: always the median */

/* No span is longer, whatever the parameters make of it: three of them and a time are still a number. */
#define MODEL_SPAN_MS_MAX 1e15

struct model_params {
    uint64_t seed;
#define X(name, fallback, min, max) double name;
    MODEL_PARAM_LIST(X)
#undef X
};

void model_params_init(struct model_params *params, uint64_t seed);
/* Sets one by its name. False: no such parameter, or out of its bounds; nothing changed. */
bool model_params_set(struct model_params *params, const char *name, double value);

/* ---- lines ---- */

enum model_driver { MODEL_NEW_CHATS, MODEL_RECIPIENTS, MODEL_GROWTH, MODEL_REPLIES, MODEL_OPT_OUTS, MODEL_DRIVERS };

#define MODEL_HOURS      24
#define MODEL_MINUTES    60
#define MODEL_DAY_MS     86400000
#define MODEL_LEVEL_DAYS 7 /* how slowly a line's own level follows its sends */

/* A line's past and state: plain data, copied freely, written by the functions here only. */
struct model_line {
    uint64_t number;                                     /* with the seed, what makes this line differ from others */
    int64_t at_ms;                                       /* judged up to here */
    uint32_t new_chats[MODEL_HOURS], sends[MODEL_HOURS]; /* rings by hour of the model's time */
    uint32_t recipients[MODEL_MINUTES];                  /* ring by minute: first sends to somebody within an hour */
    int64_t hour, minute;                                /* the newest places in use */
    double level;                                        /* sends a day, as the line is used to */
    double out, in, opt_outs;                            /* fading over memory_ms */
    double heat;
    double bears;             /* what this line's thresholds are multiplied with */
    int64_t flagged_until_ms; /* INT64_MIN: not flagged */
    bool sent_since_step;
    uint64_t steps;
    enum reputation reputation;
    enum service service;
};

/* A HEALTHY, ACTIVE line without a past, at `now_ms`. `daily_level` > 0: it has sent so many a day until now, and
 * been answered well. */
void model_line_init(struct model_line *line, const struct model_params *params, uint64_t number, double daily_level,
                     int64_t now_ms);
/* Somebody else (the person at the controls) says how the line is: heat follows. */
void model_line_set(struct model_line *line, const struct model_params *params, enum reputation reputation,
                    enum service service, int64_t now_ms);
/* Judges the line once for each step up to `now_ms`. True: reputation or service changed since the last call. */
bool model_line_advance(struct model_line *line, const struct model_params *params, int64_t now_ms);
/* When the next judgement is due. */
int64_t model_line_next_ms(const struct model_line *line, const struct model_params *params);
/* The pressures at the last moment judged; the sum decides where heat goes. For audits and explanations. */
void model_line_pressures(const struct model_line *line, const struct model_params *params,
                          double out[MODEL_DRIVERS]);
/* The provider's word for a driver: what its reputation audit calls it. */
const char *model_driver_name(enum model_driver driver);

/* ---- chats ---- */

struct model_chat {
    int64_t last_out_ms, last_in_ms; /* INT64_MIN: never */
    uint32_t sent;                   /* messages of ours */
    uint32_t unanswered;             /* sends since the last answer */
    bool opted_out;
};

void model_chat_init(struct model_chat *chat);
enum chat_health model_chat_health(const struct model_chat *chat, const struct model_params *params, int64_t now_ms);

/* ---- what happened ---- */

/* A message of ours was accepted. `opened`: the chat is new with it; `after_opt_out`: sent all the same. */
void model_sent(struct model_line *line, struct model_chat *chat, const struct model_params *params, bool opened,
                int64_t now_ms);
/* One of theirs came. */
void model_received(struct model_line *line, struct model_chat *chat, const struct model_params *params,
                    bool opts_out, int64_t now_ms);

/* ---- people ---- */

enum model_answer { MODEL_SILENT, MODEL_ANSWERS, MODEL_OPTS_OUT };

struct model_reaction {
    bool fails;
    int64_t deliver_ms, read_ms, answer_ms; /* after the send, in this order; read_ms -1: not read */
    enum model_answer answer;
};

/* What `recipient` (any number that is his own) makes of his `ordinal`th message. Depends on these, the chat and the
 * seed alone: not on what others do or when. Call before model_sent(). */
void model_react(const struct model_params *params, uint64_t recipient, uint64_t ordinal,
                 const struct model_chat *chat, struct model_reaction *out);

#endif
