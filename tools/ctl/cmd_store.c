/* cmd_store.c — looks into the store of a broker that does not run: check reads every byte, dump prints every
 * record. */
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "broker/store/record.h"
#include "broker/store/store.h"
#include "ctl.h"
#include "lineward/json.h"

static enum exit_code exit_of(enum err err)
{
    return err == ERR_NONE ? EXIT_DONE : EXIT_REFUSED;
}

static void print_check_json(const struct ctl *ctl, const struct store_check *check, enum err err,
                             const char *problem)
{
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = {
        {"segments", check->segments}, {"batches", check->batches}, {"records", check->records},
        {"bytes", check->bytes},       {"damaged", check->damaged}, {"torn_bytes", check->torn_bytes},
    };
    struct json_out out = {0};
    json_open(&out, '{');
    json_key(&out, "ok");
    json_put_bool(&out, err == ERR_NONE);
    json_key(&out, "problem");
    json_put_string(&out, err == ERR_NONE ? NULL : problem);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        json_key(&out, counts[i].name);
        json_put_int(&out, (int64_t)counts[i].value);
    }
    json_close(&out, '}');
    ctl_print_json(ctl, &out);
}

int command_store_check(const struct ctl *ctl, const struct args *args)
{
    struct store_check check = {0};
    struct store_problem problem = {""};
    enum err err =
        store_inspect(args->positional[0], record_kinds(), &check, NULL, NULL, ctl->json ? NULL : ctl->out, &problem);
    if (ctl->json) {
        print_check_json(ctl, &check, err, problem.text);
        return (int)exit_of(err);
    }
    if (err != ERR_NONE && err != ERR_DAMAGED)
        return ctl_fail(ctl, EXIT_REFUSED, err_name(err), "%s", problem.text);
    char records[32];
    char bytes[32];
    count_format((int64_t)check.records, records, sizeof records);
    count_format((int64_t)check.bytes, bytes, sizeof bytes);
    fprintf(ctl->out, "%s records in %" PRIu64 " batches, %" PRIu64 " segments, %s bytes", records, check.batches,
            check.segments, bytes);
    if (check.torn_bytes > 0)
        fprintf(ctl->out, "; %" PRIu64 " bytes of an unfinished commit at the end, never acknowledged",
                check.torn_bytes);
    fputc('\n', ctl->out);
    if (err == ERR_DAMAGED)
        return ctl_fail(ctl, EXIT_REFUSED, "damaged", "%" PRIu64 " places: %s", check.damaged, problem.text);
    fprintf(ctl->out, "the store is good\n");
    return EXIT_DONE;
}

/* ---- dump ---- */

struct dump {
    const struct ctl *ctl;
    const struct store_kind *kinds;
    bool sections;
    struct json_out out;
};

static void put_hex(struct json_out *out, const void *data, size_t bytes)
{
    char *hex = malloc(2 * bytes + 1);
    if (hex != NULL) {
        sodium_bin2hex(hex, 2 * bytes + 1, data, bytes);
        json_put_string(out, hex);
    } else {
        json_put_null(out);
    }
    free(hex);
}

/* Sections hold JSON or bytes: JSON is shown as it is, the rest in hexadecimal digits. */
static void put_section(struct json_out *out, const struct store_section *section)
{
    cJSON *json = section->bytes > 0 ? json_parse(section->data, section->bytes, NULL) : NULL;
    if (json != NULL)
        json_put_raw(out, section->data, section->bytes);
    else if (section->data == NULL)
        json_put_null(out);
    else
        put_hex(out, section->data, section->bytes);
    cJSON_Delete(json);
}

static void put_record(struct dump *dump, const struct store_record *record)
{
    struct json_out *out = &dump->out;
    const char *name = record->kind < STORE_KINDS_MAX ? dump->kinds[record->kind].name : NULL;
    char key[24];
    snprintf(key, sizeof key, "%" PRIu64, record->key); /* as text: beyond what JSON numbers carry */
    json_open(out, '{');
    json_key(out, "kind");
    json_put_string(out, name);
    json_key(out, "key");
    json_put_string(out, key);
    json_key(out, "seq");
    json_put_int(out, (int64_t)record->seq);
    json_key(out, "past");
    json_put_bool(out, record->past);
    json_key(out, "place");
    json_put_int(out, (int64_t)record->place);
    json_key(out, "head");
    put_hex(out, record->head, record->head_bytes);
    json_key(out, dump->sections ? "sections" : "section_bytes");
    json_open(out, '[');
    for (size_t i = 0; i < STORE_SECTIONS; i++) {
        if (dump->sections)
            put_section(out, &record->sections[i]);
        else
            json_put_int(out, (int64_t)record->sections[i].bytes);
    }
    json_close(out, ']');
    json_close(out, '}');
}

static bool dump_record(void *self, const struct store_record *record)
{
    struct dump *dump = self;
    json_out_clear(&dump->out);
    put_record(dump, record);
    fwrite(dump->out.text, 1, dump->out.bytes, dump->ctl->out);
    fputc('\n', dump->ctl->out);
    return !dump->out.failed && !ferror(dump->ctl->out); /* the reader may have gone */
}

int command_store_dump(const struct ctl *ctl, const struct args *args)
{
    struct dump dump = {.ctl = ctl, .kinds = record_kinds(), .sections = args_flag(args, "sections")};
    struct store_check check = {0};
    struct store_problem problem = {""};
    enum err err = store_inspect(args->positional[0], dump.kinds, &check, dump_record, &dump, ctl->err, &problem);
    json_out_free(&dump.out);
    return err == ERR_NONE ? EXIT_DONE : ctl_fail(ctl, EXIT_REFUSED, err_name(err), "%s", problem.text);
}
