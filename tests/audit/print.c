/* print.c — the report, for people and for programs. */
#include <inttypes.h>

#include "lineward/json.h"
#include "tests/audit/audit.h"

static const struct {
    const char *name, *words;
} checks[AUDIT_CHECK_COUNT] = {
#define X(id, name, words) {name, words},
    AUDIT_CHECK_LIST(X)
#undef X
};

static void row(FILE *out, const char *words, uint64_t count)
{
    fprintf(out, "  %-50s %10" PRIu64 "\n", words, count);
}

static void row_ms(FILE *out, const char *words, int64_t ms)
{
    if (ms < 0)
        fprintf(out, "  %-50s %10s\n", words, "none");
    else
        fprintf(out, "  %-50s %7" PRId64 " ms\n", words, ms);
}

static bool is_only_told_when_found(int check)
{
    return check == AUDIT_NOTHING || check == AUDIT_INCOMPLETE || check == AUDIT_FEW_HOLDS;
}

void audit_print_table(const struct audit_report *report, FILE *out)
{
    fputs("audit of the provider's log\n", out);
    row(out, "acked", report->acked);
    row(out, "sent", report->sent);
    row(out, "withdrawn (expired, cancelled, suppressed)", report->withdrawn);
    row(out, "requests that reached the provider", report->requests);
    row(out, "  accepted", report->accepted);
    row(out, "  duplicate keys absorbed", report->duplicates);
    row(out, "  refused", report->refused);
    row(out, "  hit by a fault", report->faulted);
    row(out, "  accepted without a marker", report->unmarked);
    row(out, "  accepted, no ack known", report->unacked);
    row(out, "line webhooks answered 2xx", report->status_webhooks);
    row(out, "times a line was held", report->holds);
    row_ms(out, "latest send begun on a held line after the 200", report->held_latest_ms);
    row_ms(out, "latest new conversation on a line not HEALTHY", report->new_latest_ms);
    fputs("must be 0\n", out);
    for (int check = 0; check < AUDIT_CHECK_COUNT; check++) {
        const struct audit_finding *finding = &report->findings[check];
        if (finding->count == 0 && is_only_told_when_found(check))
            continue;
        fprintf(out, "  %-50s %10" PRIu64 "  %s\n", checks[check].words, finding->count,
                finding->count == 0 ? "ok" : "VIOLATED");
        for (uint64_t i = 0; i < finding->count && i < AUDIT_EXAMPLES; i++)
            fprintf(out, "      %s\n", finding->examples[i]);
    }
    fputs(report->good ? "all hold\n" : "NOT all hold\n", out);
}

static void put_count(struct json_out *out, const char *name, uint64_t count)
{
    json_key(out, name);
    json_put_int(out, (int64_t)count);
}

static void put_ms(struct json_out *out, const char *name, int64_t ms)
{
    json_key(out, name);
    if (ms < 0)
        json_put_null(out);
    else
        json_put_int(out, ms);
}

static void put_examples(struct json_out *out, const struct audit_report *report)
{
    json_key(out, "examples");
    json_open(out, '{');
    for (int check = 0; check < AUDIT_CHECK_COUNT; check++) {
        const struct audit_finding *finding = &report->findings[check];
        if (finding->count == 0)
            continue;
        json_key(out, checks[check].name);
        json_open(out, '[');
        for (uint64_t i = 0; i < finding->count && i < AUDIT_EXAMPLES; i++)
            json_put_string(out, finding->examples[i]);
        json_close(out, ']');
    }
    json_close(out, '}');
}

void audit_print_json(const struct audit_report *report, FILE *out)
{
    struct json_out text = {0};
    json_open(&text, '{');
    json_key(&text, "ok");
    json_put_bool(&text, report->good);
    put_count(&text, "acked", report->acked);
    put_count(&text, "sent", report->sent);
    put_count(&text, "withdrawn", report->withdrawn);
    put_count(&text, "requests", report->requests);
    put_count(&text, "accepted", report->accepted);
    put_count(&text, "duplicates_absorbed", report->duplicates);
    put_count(&text, "refused", report->refused);
    put_count(&text, "faulted", report->faulted);
    put_count(&text, "unmarked", report->unmarked);
    put_count(&text, "unacked", report->unacked);
    put_count(&text, "status_webhooks", report->status_webhooks);
    put_count(&text, "holds", report->holds);
    put_ms(&text, "held_latest_ms", report->held_latest_ms);
    put_ms(&text, "new_unhealthy_latest_ms", report->new_latest_ms);
    for (int check = 0; check < AUDIT_CHECK_COUNT; check++)
        put_count(&text, checks[check].name, report->findings[check].count);
    put_examples(&text, report);
    json_close(&text, '}');
    fwrite(text.text, 1, text.bytes, out);
    fputc('\n', out);
    json_out_free(&text);
}
