/* commands.c — see commands.h: a command is an entry here, with its options above, and a function in the file of its kind. */
#include "commands.h"

#include <stddef.h>

#include "ctl.h"

/* An option of one name takes a value, or none, in all commands alike. */
const struct option_spec common_options[] = {
    {"admin", "URL", "admin API; default LINEWARD_ADMIN, else " CTL_ADMIN_DEFAULT},
    {"token-file", "FILE", "file whose first line is the token; default LINEWARD_TOKEN"},
    {"ca", "FILE", "PEM certificates to trust besides the system's"},
    {"if-match", "ETAG", "change only what still has this etag, as its view shows it (412 else)"},
    {"insecure", NULL, "allow plain http to another machine"},
    {"json", NULL, "answer in JSON"},
    {"help", NULL, "say what a command does"},
    {"version", NULL, "say which version this is"},
    {NULL, NULL, NULL},
};

static const struct option_spec jobs_options[] = {
    {"pool", "POOL", "only jobs of this pool"},
    {"line", "NUMBER", "only jobs on this line"},
    {"state", "STATE", "only jobs in this state"},
    {"reason", "REASON", "only jobs that wait for this reason"},
    {"to", "RECIPIENT", "only jobs to this recipient"},
    {"limit", "N", "at most so many; default 100"},
    {"after", "NEXT", "go on where an earlier answer stopped"},
    {NULL, NULL, NULL},
};

static const struct option_spec enqueue_options[] = {
    {"producers", "ENDPOINT", "over ZeroMQ, as tcp://127.0.0.1:7710, instead of the admin API"},
    {"curve-secret-key-file", "FILE", "with --producers: this client's secret key"},
    {"broker-public-key-file", "FILE", "with --producers: the broker's public key"},
    {"batch", "N", "jobs per request, 1 to 1024; default 512"},
    {"wait", "SPAN", "how long to wait for a broker that is busy or away; default 60s"},
    {"refused", "FILE", "write the refused lines to FILE"},
    {NULL, NULL, NULL},
};

static const struct option_spec campaigns_options[] = {
    {"pool", "POOL", "only campaigns of this pool"},
    {NULL, NULL, NULL},
};

static const struct option_spec pause_options[] = {
    {"reason", "TEXT", "why; kept with the pause (needed)"},
    {"for", "SPAN", "ends by itself after 90s, 30m, 2h, 1d; default: until resumed"},
    {NULL, NULL, NULL},
};

#define PAUSE_DETAILS                                                                                                \
    "WHAT is LINE, or line LINE, pool POOL, account ACCOUNT, campaign POOL NAME, conversation POOL TO (several\n"      \
    "recipients joined by commas), all or everything. A job's reason then says so; leases that were not begun are taken back."

static const struct option_spec resume_options[] = {
    {"pause", "PAUSE", "lift only this one; default: all that operators laid on it"},
    {NULL, NULL, NULL},
};

static const struct option_spec settle_options[] = {
    {"reason", "TEXT", "why you know; kept with the job (needed)"},
    {NULL, NULL, NULL},
};

static const struct option_spec reputation_options[] = {
    {"for", "SPAN", "how long, as 90s, 30m, 2h, 1d (needed)"},
    {"reason", "TEXT", "why; shown with the line (needed)"},
    {NULL, NULL, NULL},
};

static const struct option_spec drain_options[] = {
    {"mode", "MODE", "ramp, replace, fail or move (needed to begin one)"},
    {"pace", "N", "with ramp: at most so many a minute"},
    {"order", "ORDER", "with ramp: replies (first; the default), oldest, deadline or shares"},
    {"stop-errors", "PERCENT", "with ramp: stop when more of its latest tries fail (20; 0: never)"},
    {"watch", NULL, "show how far it is until it is over; alone: of the one under way"},
    {"dry-run", NULL, "only say what would go, and where to"},
    {"stop", NULL, "end the drain that is under way"},
    {NULL, NULL, NULL},
};

static const struct option_spec move_options[] = {
    {"reason", "TEXT", "why (needed)"},
    {NULL, NULL, NULL},
};

static const struct option_spec dead_options[] = {
    {"pool", "POOL", "only jobs of this pool"},
    {"code", "CODE", "only those that failed with this error code, as 2006 or outcome_unknown"},
    {"limit", "N", "at most so many; default 100"},
    {"after", "NEXT", "go on where an earlier answer stopped"},
    {NULL, NULL, NULL},
};

static const struct option_spec requeue_options[] = {
    {"all", NULL, "every dead letter that --pool and --code let through"},
    {"pool", "POOL", "with --all: only jobs of this pool"},
    {"code", "CODE", "with --all: only those that failed with this error code"},
    {"expires-at", "TIME", "a new expires_at, or `never`; needed where the old one has passed"},
    {"after", "NEXT", "with --all: go on where an earlier one stopped"},
    {NULL, NULL, NULL},
};

static const struct option_spec events_options[] = {
    {"after", "SEQ", "only events after this number; default 0"},
    {"topic", "PREFIX", "only topics that begin so, as job. or line.gate"},
    {"limit", "N", "at most so many; default 100, with --follow no limit"},
    {"follow", NULL, "go on with new events until interrupted"},
    {NULL, NULL, NULL},
};

static const struct option_spec audit_options[] = {
    {"since", "TIME|SPAN", "only from then on: a time, or so long ago as 90m, 24h"},
    {"until", "TIME|SPAN", "only before then"},
    {"by", "NAME", "only what this token did; system is the broker itself"},
    {"line", "NUMBER", "only what was about this line"},
    {"pool", "POOL", "only what was about this pool"},
    {"limit", "N", "at most so many; default: all"},
    {"newest", NULL, "the newest first"},
    {"export", "FILE|-", "write them to FILE, one JSON object a line, as they lie in the journal"},
    {NULL, NULL, NULL},
};

static const struct option_spec check_config_options[] = {
    {"set", "KEY=VALUE", "override one value, as broker.admin=127.0.0.1:9000; may be repeated"},
    {NULL, NULL, NULL},
};

static const struct option_spec backup_options[] = {
    {"config", "FILE", "the broker's configuration, which says where the store is"},
    {"store", "PATH", "the store's folder itself"},
    {NULL, NULL, NULL}};
static const struct option_spec restore_options[] = {
    {"to", "FOLDER", "the store's folder, as store.path names it"},
    {"key-life", "DURATION", "how long the provider remembers an idempotency key (default 24h)"},
    {"dry-run", NULL, "only say what the backup holds and what follows"},
    {NULL, NULL, NULL}};
static const struct option_spec dump_options[] = {
    {"sections", NULL, "with what the records hold on disk: recipients, message text"},
    {NULL, NULL, NULL},
};

static const struct option_spec token_options[] = {
    {"file", "FILE", "the broker's admin_tokens_file (needed); made if absent"},
    {NULL, NULL, NULL},
};

static const struct option_spec keygen_options[] = {
    {"show", NULL, "make nothing: print the public key of the secret key that FILE holds"},
    {NULL, NULL, NULL},
};

static const struct option_spec keys_options[] = {
    {"dir", "DIR", "the broker's authorized_keys_dir (needed); made if absent"},
    {NULL, NULL, NULL},
};

static const struct option_spec import_options[] = {
    {"from-provider", NULL, "read them from the provider: every chat of the account's lines"},
    {"config", "FILE", "with --from-provider: the broker's configuration file, for key and address"},
    {"account", "NAME", "with --from-provider: which account; default default"},
    {"api-key-file", "FILE", "with --from-provider: the key, instead of --config"},
    {"base-url", "URL", "with --from-provider: the provider's address"},
    {"line", "NUMBER", "with --from-provider: only this line; may be repeated"},
    {"state", "FILE", "with --from-provider: how far it has come; default linewardctl-import-ACCOUNT.json"},
    {"wait", "SPAN", "how long to wait for a broker or a provider that is busy or away; default 60s"},
    {NULL, NULL, NULL},
};

static const struct option_spec shape_options[] = {
    {"by", "WHAT", "line (default), pool, campaign or reason"},
    {"pool", "POOL", "only jobs of this pool"},
    {"line", "NUMBER", "only those of this line"},
    {"reason", "REASON", "only those that this stops"},
    {"limit", "N", "so many rows, the largest; default 100"},
    {NULL, NULL, NULL},
};

static const struct option_spec replies_options[] = {
    {"by", "WHAT", "line (default), class or campaign"},
    {"pool", "POOL", "only those of this pool"},
    {"below", "PERCENT", "only those of whose messages fewer were answered"},
    {"limit", "N", "so many rows, those with the most messages; default 100"},
    {NULL, NULL, NULL},
};

static const struct option_spec conversations_options[] = {
    {"health", "WORDS", "only those whose chat is so: AT_RISK, CRITICAL, HEALTHY, OPTED_OUT, joined by commas"},
    {"limit", "N", "at most so many; default 100"},
    {"after", "NEXT", "go on where an earlier answer stopped"},
    {NULL, NULL, NULL},
};

static const struct option_spec export_options[] = {
    {"pool", "POOL", "only conversations of this pool"},
    {"line", "NUMBER", "only those that live on this line"},
    {NULL, NULL, NULL},
};

static const struct option_spec erase_options[] = {
    {"yes", NULL, "do it; else only say what it would touch"},
    {"reason", "TEXT", "why; kept in the audit, without their name (needed with --yes)"},
    {"no-wait", NULL, "do not wait for its end"},
    {NULL, NULL, NULL},
};

static const struct option_spec suppress_options[] = {
    {"reason", "TEXT", "why; kept with it (needed)"},
    {"account", "NAME", "which account; default default"},
    {NULL, NULL, NULL},
};

static const struct option_spec top_options[] = {
    {"every", "SPAN", "look again after so long; default 2s"},
    {"sort", "ORDER", "held (default), rate, eta or line"},
    {"once", NULL, "one page, as off a terminal"},
    {NULL, NULL, NULL},
};

/* Which of the jobs that wait. */
#define TRIAGE_FILTERS                                                                                               \
    {"pool", "POOL", "only jobs of this pool"},                                                                      \
    {"line", "NUMBER", "only jobs on this line"},                                                                    \
    {"account", "NAME", "only jobs of this account's pools"},                                                        \
    {"campaign", "NAME", "only jobs of this campaign"},                                                              \
    {"class", "CLASS", "only reply, transactional, followup or campaign"},                                           \
    {"state", "STATE", "only scheduled, queued or held ones"},                                                       \
    {"waits-for", "REASON", "only jobs that wait for this reason"},                                                  \
    {"to", "RECIPIENT", "only jobs to this recipient"},                                                              \
    {"older-than", "WHEN", "accepted before a time, or longer ago than a span as 90m, 24h, 2d"},                      \
    {"younger-than", "WHEN", "accepted then or later"},                                                         \
    {"expires-before", "WHEN", "expiring before a time, or within 90m, 24h, 2d"},                            \
    {"expires-after", "WHEN", "expiring then or later, but not never"}

#define TRIAGE_UNTIL {"until", "MARK", "only what had come when an export, or another triage, said this mark"}

static const struct option_spec triage_options[] = {
    TRIAGE_FILTERS,
    {"reason", "TEXT", "with --yes: why; kept in the audit (needed)"},
    {"yes", NULL, "do it; else it is only said what would be done"},
    TRIAGE_UNTIL,
    {"after", "NEXT", "with --yes: go on where an earlier one stopped"},
    {NULL, NULL, NULL},
};

static const struct option_spec triage_export_options[] = {
    TRIAGE_FILTERS,
    TRIAGE_UNTIL,
    {NULL, NULL, NULL},
};

static const struct option_spec triage_import_options[] = {
    {"elsewhere", NULL, "another broker had these jobs: do not ask what became of them"},
    {"batch", "N", "jobs per request, 1 to 1024; default 512"},
    {"wait", "SPAN", "how long to wait for a broker that is busy or away; default 60s"},
    {"refused", "FILE", "write the refused lines to FILE"},
    {NULL, NULL, NULL},
};

static const struct option_spec triage_redate_options[] = {
    TRIAGE_FILTERS,
    {"send-after", "WHEN", "a new send_after: a time, a span from now, or `now`; of scheduled jobs only"},
    {"expires-at", "WHEN", "a new expires_at: a time, a span from now, or `never`"},
    {"reason", "TEXT", "with --yes: why; kept in the audit (needed)"},
    {"yes", NULL, "do it; else it is only said what would be done"},
    TRIAGE_UNTIL,
    {"after", "NEXT", "with --yes: go on where an earlier one stopped"},
    {NULL, NULL, NULL},
};

static const struct option_spec triage_move_options[] = {
    TRIAGE_FILTERS,
    {"to-pool", "POOL", "where to (needed)"},
    {"reason", "TEXT", "with --yes: why; kept in the audit (needed)"},
    {"yes", NULL, "do it; else it is only said what would be done"},
    TRIAGE_UNTIL,
    {"after", "NEXT", "with --yes: go on where an earlier one stopped"},
    {NULL, NULL, NULL},
};

#define TRIAGE_DETAILS                                                                                                 \
    "One option at least says which jobs, and all together count. What a worker has and what may have been sent is left\n"  \
    "alone. To say it again does no harm: what has ended is not ended again, and what came since it began is not touched."

static const struct option_spec no_options[] = {{NULL, NULL, NULL}};

const struct command commands[] = {
    {"status", "", 0, 0, "version, lines by gate, backlog by reason, workers", NULL, no_options, command_show,
     "/v1/status"},
    {"top", "", 0, 0, "lines and what they hold, live, on the whole terminal",
     "SENT/MIN is what went since the look before, ETA how long the backlog takes at the pace of now; none: it waits for\n"
     "more than time. Keys: q ends, s sorts otherwise, arrows and page keys move, space stands still.",
     top_options, command_top, NULL},
    {"pools", "", 0, 0, "the pools of lines", NULL, no_options, command_list, "/v1/pools"},
    {"lines", "", 0, 0, "every line: reputation, gate, what waits", NULL, no_options, command_list, "/v1/lines"},
    {"line", "NUMBER", 1, 1, "one line: reputation, gate, pauses, budgets, backlog", NULL, no_options, command_show,
     "/v1/lines/{}"},
    {"workers", "", 0, 0, "the workers that are connected", NULL, no_options, command_list, "/v1/workers"},
    {"jobs", "", 0, 0, "jobs that wait, by pool, line, state, reason or recipient", NULL, jobs_options, command_jobs,
     "/v1/jobs"},
    {"job", "ID", 1, 1, "one job: why it waits, and its history",
     "ID is a job number (j_...), a producer's id of pool `default`, or POOL/ID.", no_options, command_show,
     "/v1/jobs/{}"},
    {"shape", "", 0, 0, "how old the backlog is, by line, pool, campaign or reason",
     "A column for each age in minutes: jobs that wait for less than 5, 10, 20 ... and, last, for longer than 1280.",
     shape_options, command_shape, "/v1/shape"},
    {"replies", "", 0, 0, "how many of the last days' messages were answered, by line, class or campaign",
     "A message is answered by the first one that comes in after it and before the next goes out. A provider slows lines\n"
     "that few people answer: --below 15 shows which.",
     replies_options, command_replies, "/v1/replies"},
    {"why", "ID", 1, 1, "why a job waits: the rule, what it saw, what releases it, and when it goes", NULL, no_options,
     command_why, "/v1/jobs/{}"},
    {"why-line", "LINE", 1, 1, "why a line is not open, and what would open it", NULL, no_options, command_why_line,
     "/v1/lines/{}"},
    {"why-not", "ID LINE", 2, 2, "everything that keeps a job from going on that line now", NULL, no_options,
     command_why_not, "/v1/jobs/{}/why-not/{}"},
    {"would-send", "FILE.jsonl|-", 1, 1, "what would become of jobs, without enqueueing them",
     "Each is judged by itself, as if the others were not there, by the same rules as a real one: state, reason, the line\n"
     "that would take it now, and when it would go; or why it is refused (exit code 1 then). Nothing is changed.",
     no_options, command_would_send, "/v1/jobs?dry_run=1"},
    {"enqueue", "FILE.jsonl|-", 1, 1, "submit jobs, one JSON object a line",
     "Jobs are submitted in the order of the file, each batch after the one before was acknowledged. What is "
     "refused\n"
     "is reported with its line in the file; exit code 1 then. Jobs with an `id` may be submitted again safely.",
     enqueue_options, command_enqueue, "/v1/jobs"},
    {"cancel", "ID...", 1, ARGS_POSITIONAL_MAX, "cancel jobs", "A job that a worker has begun may still be sent.",
     no_options, command_cancel, "/v1/jobs/{}"},
    {"pause", "WHAT...", 1, 3, "hold a line, pool, account, campaign, conversation, or everything", PAUSE_DETAILS,
     pause_options, command_pause, NULL},
    {"resume", "WHAT...", 1, 3, "lift pauses; what a reputation holds stays held", PAUSE_DETAILS, resume_options,
     command_resume, NULL},
    {"settle", "ID sent|unsent", 2, 2, "end an unknown outcome: you know whether the message went out",
     "sent: the job ends as sent. unsent: it is tried again like any job, with the same idempotency key.", settle_options,
     command_settle, "/v1/jobs/{}/settle"},
    {"reputation set", "LINE HEALTHY|AT_RISK|CRITICAL", 2, 2, "your word on a line instead of the provider's, for a while",
     "Better than the provider's: admins only, and what opens goes through the ramp. Worse: it only ever tightens.",
     reputation_options, command_reputation_set, "/v1/lines/{}/reputation"},
    {"reputation end", "LINE", 1, 1, "the provider's word counts again", NULL, no_options, command_reputation_end,
     "/v1/lines/{}/reputation"},
    {"drain", "LINE", 1, 1, "do something with the backlog of a line",
     "ramp: let it go at a set pace, as reputation allows. replace: conversations never started on it go back to the\n"
     "pool. fail: what waits now goes to the dead letters. move (admins, for a line gone for good): all its\n"
     "conversations are placed anew as budgets allow, until --stop. A ramp stops by itself when the line closes or too\n"
     "much fails; a pause then keeps what is left until the next one. With --watch the exit code is 0 when it is done, and\n"
     "1 when it stopped or was ended; an interrupt ends the watching, not the drain.",
     drain_options, command_drain, "/v1/lines/{}/drain"},
    {"conversations move", "POOL TO LINE", 3, 3, "a conversation lives on another line from now on",
     "The chat is forgotten, for chats live on a line: the next message opens a new one there.", move_options,
     command_move, "/v1/conversations/{}/{}/line"},
    {"dead", "", 0, 0, "dead letters: jobs that failed for good", NULL, dead_options, command_jobs, "/v1/dead"},
    {"requeue", "[ID...]", 0, ARGS_POSITIONAL_MAX, "bring dead letters back, each with its number and idempotency key",
     "A requeued job takes its place behind what waits in its conversation, and is tried on the line where it was.",
     requeue_options, command_requeue, "/v1/dead/{}/requeue"},
    {"triage cancel", "", 0, 0, "cancel the waiting jobs that the options choose; without --yes only say which", TRIAGE_DETAILS,
     triage_options, command_triage_cancel, "/v1/triage/cancel"},
    {"triage expire", "", 0, 0, "likewise, but they end as expired", TRIAGE_DETAILS, triage_options, command_triage_expire,
     "/v1/triage/expire"},
    {"triage redate", "", 0, 0, "another send_after or expires_at for the waiting jobs that the options choose",
     "They keep id, number and place. What is due already has its place and gets no other send_after: it stays, as what a\n"
     "worker has and what may have been sent. Without --yes it is only said which jobs those are.",
     triage_redate_options, command_triage_redate, "/v1/triage/redate"},
    {"triage move", "", 0, 0, "waiting jobs that the options choose go to another pool, if they were never begun",
     "There each is a new job, whose id has the old one's number behind it; the old one ends as cancelled, superseded. What\n"
     "names its line, or of whose conversation something was tried or sent, stays, and so does what the other pool refuses.",
     triage_move_options, command_triage_move, "/v1/triage/move"},
    {"triage export", "FILE.jsonl|-", 1, 1, "write the waiting jobs that the options choose, one document a line",
     "In the order in which they were accepted, with recipients and messages: FILE is made with mode 0600 and never written\n"
     "over. Nothing is changed; cancel them next, with the --until that it tells: else what came since is cancelled, and in no\n"
     "file. Each line's id is the producer's with the job's number behind it.",
     triage_export_options, command_triage_export, "/v1/triage/export"},
    {"triage import", "FILE.jsonl|-", 1, 1, "submit exported jobs again, each once",
     "Only those whose job has been cancelled or has expired since: what was sent after all, or waits still, is refused and\n"
     "told with its line. It may be said again at any time: what is there already answers as a duplicate.",
     triage_import_options, command_triage_import, "/v1/jobs"},
    {"cordon", "LINE", 1, 1, "no new conversations on a line; those it has go on", NULL, no_options, command_cordon,
     "/v1/lines/{}/cordon"},
    {"uncordon", "LINE", 1, 1, "new conversations on the line again", NULL, no_options, command_cordon,
     "/v1/lines/{}/uncordon"},
    {"campaigns", "", 0, 0, "the campaigns: what became of their jobs, and which are paused", NULL, campaigns_options,
     command_list, "/v1/campaigns"},
    {"pauses", "", 0, 0, "the pauses in force", NULL, no_options, command_list, "/v1/pauses"},
    {"conversation", "POOL TO", 2, 2, "one conversation: where it lives, its chat's health, what waits",
     "Several recipients are joined by commas.", no_options, command_conversation, "/v1/conversations/{}/{}"},
    {"conversations of", "LINE", 1, 1, "the conversations that live on a line, by the health of their chats",
     "Those that are CRITICAL or AT_RISK are what to mend when the line is.", conversations_options, command_jobs,
     "/v1/lines/{}/conversations"},
    {"conversations import", "[FILE.csv|-]", 0, 1, "take over conversations that exist already",
     "They live on from now on where they lived, and cost no new-conversation budget. From a file: the columns pool, line,\n"
     "to, chat_id, last_out, last_in, health, health_at, in this order or as a first row names them; several recipients\n"
     "of a group are joined by semicolons. A bad row is reported with its line, the rest goes on; exit code 1 then.\n"
     "From the provider: every chat of every line of the account. It may be interrupted, and goes on where it was. To\n"
     "import something twice does no harm; what lives elsewhere is kept and reported as a conflict.",
     import_options, command_conversations_import, NULL},
    {"conversations export", "", 0, 0, "every conversation that lives on a line, as import takes it", NULL,
     export_options, command_conversations_export, "/v1/conversations"},
    {"suppressions", "[ACCOUNT]", 0, 1, "recipients that must not be sent to, and why", NULL, no_options, command_list,
     "/v1/suppressions/{}"},
    {"suppress", "TO", 1, 1, "send nothing to a recipient any more", "What waits for it ends as suppressed.",
     suppress_options, command_suppress, "/v1/suppressions/{}/{}"},
    {"unsuppress", "TO", 1, 1, "lift that, whatever the cause (admins only)",
     "Of a group (TO,TO,...): that it had opted out when one of its recipients was erased.", suppress_options,
     command_unsuppress, "/v1/suppressions/{}/{}"},
    {"erase", "TO|-", 1, 1, "erase a recipient from all that the broker has (admins only); without --yes only say what",
     "Their jobs end, their conversations are forgotten, groups with them too, and what names them in the store's files is\n"
     "overwritten. Until that is done no job to them is taken. A suppression is kept, so that nobody writes to them by\n"
     "mistake. `-` reads the recipient from standard input, where no list of processes shows it.",
     erase_options, command_erase, "/v1/erasures"},
    {"erasures", "", 0, 0, "who asked to be erased: how far each order is, without a name", NULL, no_options, command_list,
     "/v1/erasures"},
    {"events", "", 0, 0, "what happened, from the broker's journal", NULL, events_options, command_events,
     "/v1/events"},
    {"audit", "", 0, 0, "who changed what, when and why, with the state before and after",
     "Kept as long as history is. FILE is made with mode 0600 and never written over.", audit_options, command_audit,
     "/v1/audit"},
    {"backup", "FOLDER", 1, 1, "copy the store of a broker, which may run meanwhile",
     "FOLDER must be empty or new, and not within the store's. On the broker's machine, as its user: nothing goes over\n"
     "the network. The copy is the store as it was at one commit; every checksum of it is read back, and manifest.json\n"
     "says what it holds.",
     backup_options, command_backup, PATH_LOCAL},
    {"restore", "BACKUP", 1, 1, "make a store of a backup, and say what may be sent twice or not at all",
     "The folder must be empty or new; the broker is started on it afterwards, and finds everything paused. What waits in\n"
     "the backup may have been sent since: it goes out with the same idempotency key, or, if it may have been sent longer\n"
     "ago than --key-life, is held as outcome_unknown until a person settles it.",
     restore_options, command_restore, PATH_LOCAL},
    {"store check", "PATH", 1, 1, "read every byte of a stopped broker's store", NULL, no_options,
     command_store_check, PATH_LOCAL},
    {"store dump", "PATH", 1, 1, "every record of a stopped broker's store, a JSON line each", NULL, dump_options,
     command_store_dump, PATH_LOCAL},
    {"check-config", "FILE", 1, 1, "say what is wrong with a configuration file", NULL, check_config_options,
     command_check_config, PATH_LOCAL},
    {"token add", "NAME ROLE [POOLS]", 2, 3, "make a token for the admin API",
     "ROLE is producer, viewer, operator or admin; POOLS is * (default) or a comma list. The token is printed once;\n"
     "the file keeps only its hash. A running broker reads the file again on SIGHUP.",
     token_options, command_token_add, PATH_LOCAL},
    {"keygen", "FILE", 1, 1, "make a CURVE key: the secret into FILE, the public one printed",
     "FILE is made with mode 0600 and never written over.", keygen_options, command_keygen, PATH_LOCAL},
    {"authorize", "NAME PUBLIC-KEY ROLE [POOLS]", 3, 4, "let a client in by its public key",
     "ROLE is producer, worker or follower; POOLS is * or a comma list, and without it the key reaches none; a\n"
     "follower hears of all pools and takes no list. Keys\n"
     "hold signs that a shell takes for its own: put them between single quotes. A running broker reads the folder\n"
     "again on SIGHUP.",
     keys_options, command_authorize, PATH_LOCAL},
    {"revoke", "NAME", 1, 1, "shut out a client that was let in by that name",
     "After the broker's SIGHUP nothing that it says is heard, not even over a connection that stands.", keys_options,
     command_revoke, PATH_LOCAL},
    {"manual", "", 0, 0, "print the manual page: linewardctl manual | man -l -", NULL, no_options, command_manual,
     PATH_LOCAL},
    {"completion", "", 0, 0, "print the completion for bash: . <(linewardctl completion)", NULL, no_options,
     command_completion, PATH_LOCAL},
    {.name = NULL},
};
