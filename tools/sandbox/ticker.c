/* ticker.c — see its header. */
#include "tools/sandbox/ticker.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "tools/sandbox/sandbox.h"

struct ticker {
    struct sandbox *sandbox;
    pthread_t thread;
    pthread_cond_t changed; /* under the sandbox's lock */
    bool stopping;
};

static void wait_ms(struct ticker *ticker, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + ms % 1000 * 1000000;
    until.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
    until.tv_nsec = ns % 1000000000;
    pthread_cond_timedwait(&ticker->changed, &ticker->sandbox->lock, &until);
}

static void *tick(void *context)
{
    struct ticker *ticker = context;
    struct sandbox *sandbox = ticker->sandbox;
    pthread_mutex_lock(&sandbox->lock);
    while (!ticker->stopping) {
        struct instant now = clock_read();
        int64_t next = model_run_work(sandbox, now);
        if (next == TIME_NEVER)
            pthread_cond_wait(&ticker->changed, &sandbox->lock);
        else if (next > now.mono_ms)
            wait_ms(ticker, next - now.mono_ms);
    }
    pthread_mutex_unlock(&sandbox->lock);
    return NULL;
}

enum err sandbox_ticker_start(struct ticker **out, struct sandbox *sandbox)
{
    struct ticker *ticker = calloc(1, sizeof *ticker);
    if (ticker == NULL)
        return ERR_NO_MEMORY;
    ticker->sandbox = sandbox;
    pthread_condattr_t steady;
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&ticker->changed, &steady);
    pthread_condattr_destroy(&steady);
    if (pthread_create(&ticker->thread, NULL, tick, ticker) != 0) {
        pthread_cond_destroy(&ticker->changed);
        free(ticker);
        return ERR_NO_MEMORY;
    }
    *out = ticker;
    return ERR_NONE;
}

void sandbox_ticker_stop(struct ticker **ticker_p)
{
    struct ticker *ticker = *ticker_p;
    *ticker_p = NULL;
    if (ticker == NULL)
        return;
    pthread_mutex_lock(&ticker->sandbox->lock);
    ticker->stopping = true;
    pthread_cond_signal(&ticker->changed);
    pthread_mutex_unlock(&ticker->sandbox->lock);
    pthread_join(ticker->thread, NULL);
    pthread_cond_destroy(&ticker->changed);
    free(ticker);
}

void sandbox_ticker_wake(struct ticker *ticker)
{
    if (ticker != NULL)
        pthread_cond_signal(&ticker->changed);
}
