/* What the C client reads of owners: lines are results of a broker, jobs and names of jobs, at random. Whatever address it
 * would be led to is one, and of the scheme that it was made for. */
#include "fuzz.h"
#include "lib/client_owners.h"

static void check_address(const char *address)
{
    static const char *const homes[] = {"tcp://127.0.0.1:7710", "tcp://10.0.0.1:7710", "ipc:///run/a"};
    const char *why = NULL;
    fuzz_check(conf_address_is_valid(address, &why) && strlen(address) <= CONF_ADDRESS_MAX);
    for (size_t i = 0; i < sizeof homes / sizeof *homes; i++) {
        if (client_may_follow(homes[i], false, address))
            fuzz_check(strncmp(homes[i], address, 6) == 0 &&
                       (!conf_endpoint_is_local(homes[i]) || conf_endpoint_is_local(address)));
    }
}

static void check_pool(struct client_pool pool)
{
    fuzz_check(memchr(pool.name, '\0', sizeof pool.name) != NULL);
    fuzz_check(pool.name[0] == '\0' || name_is_valid(pool.name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input input = {data, bytes};
    while (input.left > 0) {
        struct input line = input_line(&input);
        char address[CONF_ADDRESS_MAX + 1];
        if (client_result_owner(input_copy(line), line.left, address) && address[0] != '\0')
            check_address(address);
        const char *text = input_text(line);
        check_pool(client_pool_of_job(text));
        check_pool(client_pool_of_id(text));
        (void)client_job_is_repeatable(text);
        fuzz_forget();
    }
    return 0;
}
