/* The file in which an import from the provider keeps how far it is: what is taken is written and read again the same. */
#include "fuzz.h"
#include "tools/ctl/import_state.h"

static struct import_state state_of(const char *path)
{
    return (struct import_state){.path = path, .account = "default", .base_url = "https://x"};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char problem[512] = "";
    struct import_state state = state_of(fuzz_file(data, bytes)), again = state_of(state.path);
    if (!import_state_read(&state, problem, sizeof problem)) {
        fuzz_check(problem[0] != '\0');
        import_state_free(&state);
        return 0;
    }
    fuzz_check(state.line[0] == '\0' || e164_is_valid(state.line));
    fuzz_check(state.cursor[0] == '\0' || state.line[0] != '\0');
    (void)import_state_has(&state, "+12025550101");
    fuzz_check(import_state_move(&state, "+12025550102", "next"));
    fuzz_check(import_state_read(&again, problem, sizeof problem));
    fuzz_check(strcmp(again.line, "+12025550102") == 0 && strcmp(again.cursor, "next") == 0);
    fuzz_check(json_equal(state.done, again.done));
    import_state_free(&again);
    fuzz_check(import_state_move(&state, "+12025550102", NULL) && import_state_has(&state, "+12025550102"));
    import_state_free(&state);
    return 0;
}
