/* The file of `linewardctl enqueue`: each line that is given as good is a JSON object, and lines are counted right. */
#include "fuzz.h"
#include "lineward/json.h"
#include "lineward/wire.h"
#include "tools/ctl/job_lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct job_reader reader = {.file = bytes > 0 ? fmemopen((void *)(uintptr_t)data, bytes, "re") : NULL};
    struct job_line line;
    const char *code = NULL, *why = NULL;
    uint64_t last = 0;
    enum job_read read;
    if (reader.file == NULL)
        return 0;
    while ((read = job_reader_next(&reader, &line, &code, &why)) == JOB_READ_GOOD || read == JOB_READ_BAD) {
        fuzz_check(line.number > last && line.bytes <= WIRE_JOB_BYTES_MAX);
        last = line.number;
        if (read == JOB_READ_GOOD) {
            cJSON *job = json_parse(line.text, line.bytes, NULL);
            fuzz_check(cJSON_IsObject(job));
            cJSON_Delete(job);
        } else {
            fuzz_check(code != NULL && why != NULL);
        }
        job_line_free(&line);
    }
    fuzz_check(read == JOB_READ_END && reader.bytes == (int64_t)bytes);
    fclose(reader.file);
    return 0;
}
