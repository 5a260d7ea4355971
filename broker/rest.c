/* rest.c — see rest.h. */
#include "broker/rest.h"

bool rest_refused(struct rest *rest, int64_t took_us)
{
    rest->spent_us += took_us > 0 ? took_us : 0;
    return rest->spent_us >= REST_SPEND_US;
}

void rest_begin(struct rest *rest, int64_t now_us)
{
    if (rest->spent_us == 0)
        return;
    rest->until_us = now_us + (rest->spent_us < REST_MAX_US / REST_TIMES ? rest->spent_us * REST_TIMES : REST_MAX_US);
    rest->spent_us = 0;
}

int64_t rest_left_us(const struct rest *rest, int64_t now_us)
{
    int64_t left_us = rest->until_us - now_us;
    return left_us > 0 ? left_us : 0;
}
