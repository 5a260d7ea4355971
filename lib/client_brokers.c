/* client_brokers.c — the brokers that the C client is connected to: the one that it was made for, and those that it was
 * led to. */
#include <stdlib.h>
#include <string.h>

#include "client_part.h"

static void broker_free(struct broker **broker_p)
{
    if (*broker_p == NULL)
        return;
    client_link_free(&(*broker_p)->link);
    free(*broker_p);
    *broker_p = NULL;
}

enum lineward_status client_broker_open(struct lineward *client, unsigned at, const char *endpoint)
{
    struct broker *broker = calloc(1, sizeof *broker);
    if (broker == NULL)
        return LINEWARD_NO_MEMORY;
    enum lineward_status status = client_link_open(&broker->link, client->context, endpoint, &client->keys);
    if (status == LINEWARD_OK)
        client->brokers[at] = broker;
    else
        broker_free(&broker);
    return status;
}

/* A place for one more: a free one, else that of the one not used for longest. CLIENT_HOME: none, for this call needs all. */
static unsigned free_place(struct lineward *client)
{
    unsigned oldest = CLIENT_HOME;
    for (unsigned at = CLIENT_HOME + 1; at < CLIENT_BROKERS_MAX; at++) {
        if (client->brokers[at] == NULL)
            return at;
        if (client->brokers[at]->used != client->calls &&
            (oldest == CLIENT_HOME || client->brokers[at]->used < client->brokers[oldest]->used))
            oldest = at;
    }
    if (oldest != CLIENT_HOME) {
        client_owners_forget(&client->owners, oldest);
        broker_free(&client->brokers[oldest]);
    }
    return oldest;
}

bool client_broker_at(struct lineward *client, const char *address, unsigned *out)
{
    for (unsigned at = CLIENT_HOME; at < CLIENT_BROKERS_MAX; at++) {
        if (client->brokers[at] == NULL || strcmp(client_link_endpoint(client->brokers[at]->link), address) != 0)
            continue;
        *out = at;
        return true;
    }
    *out = free_place(client);
    return *out != CLIENT_HOME && client_broker_open(client, *out, address) == LINEWARD_OK;
}

void client_brokers_close(struct lineward *client)
{
    for (unsigned at = CLIENT_HOME; at < CLIENT_BROKERS_MAX; at++)
        broker_free(&client->brokers[at]);
}
