/* import_test.c — an account that is switched over: what its lines have talked about before is imported from the provider,
 * and nothing of it is ever begun anew.
 *
 * LINEWARD_IMPORT_CHATS=50000 imports that many instead of a few thousand, and tells how long it took. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lineward/json.h"
#include "rig.h"

#define CHATS_FEW    4000
#define SAMPLE_MAX   4000 /* conversations that are then written to */
#define FRESH_LIMIT  5    /* new conversations a line may begin in a day: far fewer than that */
#define IMPORT_LIMIT 180000
#define ROW_MAX      512

static struct rig rig;

static const char *const few_fresh[] = {"policies.default.new_conversations_per_day=5", NULL};

static int chats_wanted(void)
{
    const char *text = getenv("LINEWARD_IMPORT_CHATS");
    int count = text != NULL ? (int)strtol(text, NULL, 10) : 0;
    return count > 0 ? count : CHATS_FEW;
}

/* ---- linewardctl ---- */

struct ctl_run {
    struct program program;
    char admin[64], token[PROGRAM_PATH_MAX], state[PROGRAM_PATH_MAX];
    const char *arguments[32];
};

static void ctl_start(struct ctl_run *run, const char *log, const char *const *words)
{
    size_t count = 0;
    *run = (struct ctl_run){.program.name = "linewardctl"};
    snprintf(run->program.log, sizeof run->program.log, "%s/%s", rig.folder, log);
    snprintf(run->admin, sizeof run->admin, "http://127.0.0.1:%u", rig.port.admin);
    snprintf(run->token, sizeof run->token, "%s/tokens.first", rig.folder);
    for (; *words != NULL; words++)
        run->arguments[count++] = *words;
    run->arguments[count++] = "--admin";
    run->arguments[count++] = run->admin;
    run->arguments[count++] = "--token-file";
    run->arguments[count++] = run->token;
    run->arguments[count] = NULL;
    unlink(run->program.log);
    program_start(&run->program, run->arguments);
}

/* Its exit code; the log stays. */
static int ctl_end(struct ctl_run *run)
{
    int code = program_wait(&run->program, IMPORT_LIMIT);
    program_forget(&run->program);
    return code;
}

static int ctl(const char *log, const char *const *words)
{
    struct ctl_run run;
    ctl_start(&run, log, words);
    return ctl_end(&run);
}
#define CTL(log, ...) ctl(log, (const char *const[]){__VA_ARGS__, NULL})

/* The report of an import, which was asked for as JSON. It may stand behind lines of progress. */
static cJSON *report(const char *log)
{
    char *text = rig_read(&rig, log);
    const char *at = strchr(text, '{');
    cJSON *json = at != NULL ? cJSON_Parse(at) : NULL;
    MUST(json != NULL, "%s is no report:\n%s", log, text);
    free(text);
    return json;
}

static void expect_report(const char *log, int imported, int known)
{
    cJSON *json = report(log);
    MUST(number_at(json, "imported") == imported && number_at(json, "known") == known &&
             number_at(json, "conflicts") == 0 && number_at(json, "skipped") == 0,
         "%lld imported (not %d), %lld known (not %d), %lld conflicts, %lld skipped",
         (long long)number_at(json, "imported"), imported, (long long)number_at(json, "known"), known,
         (long long)number_at(json, "conflicts"), (long long)number_at(json, "skipped"));
    cJSON_Delete(json);
}

static char state_file[PROGRAM_PATH_MAX];

static int import_from_provider(const char *log)
{
    return CTL(log, "conversations", "import", "--from-provider", "--config", rig.config, "--state", state_file,
               "--json");
}

/* ---- the past ---- */

static void begin(const char *const *sets, size_t workers)
{
    rig_open(&rig, sets);
    rig_start(&rig, workers);
    snprintf(state_file, sizeof state_file, "%s/import.json", rig.folder);
}

static void preload(int chats)
{
    char body[128];
    snprintf(body, sizeof body, "{\"count\":%d,\"group\":0.02,\"critical\":0.02,\"opted_out\":0.02}", chats);
    cJSON *answer = rig_control(&rig, "POST", "/chats/preload", body);
    MUST(number_at(answer, "made") == chats, "%lld chats were made", (long long)number_at(answer, "made"));
    cJSON_Delete(answer);
}

/* How many rows an export has, and whether each has a line and a chat. */
static int export_rows(const char *log)
{
    char path[PROGRAM_PATH_MAX];
    char row[ROW_MAX];
    int count = 0;
    MUST(CTL(log, "conversations", "export") == 0, "the export failed");
    snprintf(path, sizeof path, "%s/%s", rig.folder, log);
    FILE *file = fopen(path, "r");
    MUST(file != NULL && fgets(row, sizeof row, file) != NULL, "%s cannot be read", path);
    MUST(strncmp(row, "pool,line,to,chat_id,", 21) == 0, "the header is: %s", row);
    while (fgets(row, sizeof row, file) != NULL) {
        MUST(strncmp(row, "default,+1202555010", 19) == 0, "a row without its line: %s", row);
        count++;
    }
    fclose(file);
    return count;
}

static int64_t fresh_used(void)
{
    int64_t used = 0;
    const cJSON *line;
    cJSON *view = rig_ask(&rig, "GET", "/v1/lines", NULL, NULL);
    cJSON_ArrayForEach(line, json_get(view, "lines"))
        used += number_at(line, "budgets.new_conversations_per_day.used");
    cJSON_Delete(view);
    return used;
}

/* ---- jobs to a sample of them ---- */

struct row {
    char line[16], to[64], chat_id[64];
};
static struct row *rows; /* of healthy chats */
static int row_count;
static struct row critical, opted_out; /* one of each */

/* Every so-many-th row of an export. */
static void read_sample(const char *log, int all)
{
    char path[PROGRAM_PATH_MAX];
    char text[ROW_MAX];
    int step = all > SAMPLE_MAX ? all / SAMPLE_MAX : 1;
    rows = calloc(SAMPLE_MAX, sizeof *rows);
    MUST(rows != NULL, "out of memory");
    row_count = 0;
    snprintf(path, sizeof path, "%s/%s", rig.folder, log);
    FILE *file = fopen(path, "r");
    MUST(file != NULL, "%s cannot be read", path);
    for (int n = -1; fgets(text, sizeof text, file) != NULL && row_count < SAMPLE_MAX; n++) {
        struct row *row = &rows[row_count];
        if (n < 0 || n % step != 0)
            continue;
        MUST(sscanf(text, "default,%15[^,],%63[^,],%63[^,],", row->line, row->to, row->chat_id) == 3, "row: %s", text);
        bool is_direct = strchr(row->to, ';') == NULL;
        if (strstr(text, ",CRITICAL,") != NULL)
            critical = *row;
        else if (strstr(text, ",OPTED_OUT,") == NULL)
            row_count++;
        else if (is_direct)
            opted_out = *row;
    }
    fclose(file);
}

static void write_jobs(const char *name)
{
    char path[PROGRAM_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", rig.folder, name);
    FILE *file = fopen(path, "w");
    MUST(file != NULL, "%s cannot be written", path);
    for (int i = 0; i < row_count; i++) {
        fprintf(file, "{\"id\":\"s%d\",\"to\":[", i);
        const char *between = "";
        for (const char *at = rows[i].to; *at != '\0'; between = ",") {
            int bytes = (int)strcspn(at, ";");
            fprintf(file, "%s\"%.*s\"", between, bytes, at);
            at += bytes + (at[bytes] == ';');
        }
        /* A link, which no first message may have. */
        fprintf(file, "],\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"see https://example.com/%d\"}]}}\n", i);
    }
    MUST(fclose(file) == 0, "%s cannot be written", path);
}

/* The answer to one job to this conversation: its `state`, or the code of its refusal. */
static void expect_answer(const struct row *to, const char *what)
{
    char body[256];
    long status = 0;
    MUST(to->to[0] != '\0', "no chat to be answered %s", what);
    snprintf(body, sizeof body, "{\"to\":\"%s\",\"message\":{\"parts\":[]}}", to->to);
    cJSON *answer = rig_ask(&rig, "POST", "/v1/jobs", body, &status);
    char *text = cJSON_PrintUnformatted(answer);
    MUST(text != NULL && strstr(text, what) != NULL, "%s is not in: %s", what, text);
    cJSON_free(text);
    cJSON_Delete(answer);
}

static int sends, anew, elsewhere;

static int compare_rows(const void *a, const void *b)
{
    return strcmp(((const struct row *)a)->chat_id, ((const struct row *)b)->chat_id);
}

/* Each send must go into the chat that was there, on its line. */
static void judge_send(void *self, const cJSON *send)
{
    struct row key;
    const char *chat = json_string(send, "chat");
    const char *line = json_string(send, "line");
    (void)self;
    sends++;
    anew += json_bool(send, "new_chat", true) || strcmp(json_string(send, "path"), "/v3/chats") == 0;
    snprintf(key.chat_id, sizeof key.chat_id, "%s", chat != NULL ? chat : "");
    const struct row *row = bsearch(&key, rows, (size_t)row_count, sizeof *rows, compare_rows);
    elsewhere += row == NULL || line == NULL || strcmp(row->line, line) != 0;
}

static int64_t memory_kb(pid_t pid)
{
    char path[64];
    char line[128];
    long kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmRSS: %ld", &kb) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return kb;
}

START_TEST(a_switched_over_account_begins_none_of_its_conversations_anew)
{
    int chats = chats_wanted();
    char path[PROGRAM_PATH_MAX];
    begin(few_fresh, 2);
    preload(chats);
    int64_t before_kb = memory_kb(rig.broker.pid);
    int64_t began_ms = mono_ms();
    MUST(import_from_provider("import.json.log") == 0, "the import failed");
    int64_t took_ms = mono_ms() - began_ms;
    printf("%d conversations imported in %lld ms (%lld/s), broker %lld KiB before, %lld KiB after\n", chats,
           (long long)took_ms, (long long)(chats * INT64_C(1000) / (took_ms > 0 ? took_ms : 1)), (long long)before_kb,
           (long long)memory_kb(rig.broker.pid));
    expect_report("import.json.log", chats, 0);
    MUST(import_from_provider("again.json.log") == 0, "the second import failed");
    expect_report("again.json.log", 0, chats);

    program_kill(&rig.broker); /* what was acknowledged is there after any restart */
    rig_start_broker(&rig);
    rig_await_ready(&rig);
    AWAIT(rig_workers_there(&rig) == 2, "the workers do not come back");
    MUST(export_rows("export.csv") == chats, "not all are there after the restart");

    read_sample("export.csv", chats);
    write_jobs("jobs.jsonl");
    snprintf(path, sizeof path, "%s/jobs.jsonl", rig.folder);
    MUST(CTL("enqueue.log", "enqueue", path, "--json") == 0, "not all jobs were accepted");
    expect_answer(&opted_out, "opted_out");
    if (strchr(critical.to, ';') == NULL)
        expect_answer(&critical, "conversation_critical");
    AWAIT_FOR(IMPORT_LIMIT, rig_accepted(&rig) == row_count, "%lld of %d jobs are sent", (long long)rig_accepted(&rig),
              row_count);
    MUST(fresh_used() == 0, "%lld new conversations were counted", (long long)fresh_used());

    snprintf(path, sizeof path, "%s/export.csv", rig.folder);
    MUST(CTL("csv.json.log", "conversations", "import", path, "--json") == 0, "the export is not taken again");
    expect_report("csv.json.log", 0, chats);
    program_end(&rig.sandbox);
    sends = anew = elsewhere = 0;
    qsort(rows, (size_t)row_count, sizeof *rows, compare_rows);
    rig_each_send(&rig, judge_send, NULL);
    MUST(sends == row_count && anew == 0 && elsewhere == 0, "%d sends, %d of them anew, %d elsewhere", sends, anew,
         elsewhere);
    printf("%d jobs to imported conversations: %d placed anew, %d elsewhere, new-conversation budget used 0\n", sends,
           anew, elsewhere);
    free(rows);
    rig_close(&rig);
}
END_TEST

static int64_t conversations(void)
{
    cJSON *status = rig_ask(&rig, "GET", "/v1/status", NULL, NULL);
    int64_t count = status != NULL ? number_at(status, "conversations") : 0;
    cJSON_Delete(status);
    return count;
}

START_TEST(an_import_outlives_the_brokers_death_and_its_own)
{
    struct ctl_run run;
    const char *const words[] = {"conversations", "import",   "--from-provider", "--config", rig.config,
                                 "--state",       state_file, "--json",          NULL};
    begin(NULL, 0);
    preload(CHATS_FEW);
    rig_faults(&rig, "{\"on\":\"reads\",\"rate_429\":0.05,\"retry_after_s\":0,\"rate_500\":0.02,\"latency_ms\":3}");
    ctl_start(&run, "first.json.log", words);
    AWAIT(conversations() > CHATS_FEW / 8, "nothing is imported");
    program_kill(&rig.broker); /* the import waits for it */
    rig_start_broker(&rig);
    rig_await_ready(&rig);
    AWAIT(conversations() > CHATS_FEW / 4, "the import does not go on");
    program_kill(&run.program); /* and now the import itself */
    program_forget(&run.program);
    int64_t there = conversations();
    MUST(there < CHATS_FEW, "it was over too soon to be interrupted");
    MUST(access(state_file, F_OK) == 0, "it does not remember how far it came");

    rig_faults(&rig, NULL);
    MUST(import_from_provider("second.json.log") == 0, "the second import failed");
    cJSON *json = report("second.json.log");
    MUST(number_at(json, "imported") + number_at(json, "known") < CHATS_FEW, "it began at the beginning");
    MUST(number_at(json, "conflicts") == 0, "%lld conflicts", (long long)number_at(json, "conflicts"));
    cJSON_Delete(json);
    MUST(access(state_file, F_OK) != 0, "its state is still there");
    MUST(export_rows("export.csv") == CHATS_FEW, "not all are there");
    rig_close(&rig);
}
END_TEST

int main(void)
{
    return RUN_TESTS("import", 120, a_switched_over_account_begins_none_of_its_conversations_anew,
                     an_import_outlives_the_brokers_death_and_its_own);
}
