/* ticker.h — the thread that lets the model's time pass: it sleeps until something is due. */
#ifndef SANDBOX_TICKER_H
#define SANDBOX_TICKER_H

#include "lineward/err.h"

struct sandbox;
struct ticker;

/* ERR_NO_MEMORY: no thread. */
enum err sandbox_ticker_start(struct ticker **out, struct sandbox *sandbox);
void sandbox_ticker_stop(struct ticker **ticker_p); /* without the lock */
/* With the lock held: something may be due earlier than the thread thinks. NULL is fine. */
void sandbox_ticker_wake(struct ticker *ticker);

#endif
