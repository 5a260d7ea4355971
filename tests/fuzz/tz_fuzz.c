/* Files of time zones: the offsets that are taken are possible ones, in order of time. */
#include "broker/edge/tz_file.h"
#include "fuzz.h"

#define FROM_MS INT64_C(1795428000000)
#define TO_MS   (FROM_MS + INT64_C(4) * 365 * 86400000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct zone_rules rules;
    if (!tz_read(data, bytes, FROM_MS, TO_MS, &rules))
        return 0;
    fuzz_check(rules.count >= 1 && rules.count <= ZONE_CHANGES_MAX);
    for (unsigned i = 0; i < rules.count; i++) {
        fuzz_check(abs(rules.offset_s[i]) < 26 * 3600);
        fuzz_check(i == 0 || (rules.from_ms[i] > rules.from_ms[i - 1] && rules.from_ms[i] > FROM_MS &&
                              rules.from_ms[i] <= TO_MS));
    }
    return 0;
}
