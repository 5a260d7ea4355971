/* owners_redis_test.c — brokers that share a Redis tell each other which pools they own and where they are: found though the
 * configuration says something else, found again when a pool has moved, and a pool with two owners is told of. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward.h"
#include "redis.h"
#include "second.h"

#define CALL_MS 1000

static struct redis redis;
static struct rig rig;
static struct second other, heir;
static struct lineward *client;

/* Pool b is at an address where nobody is, for whoever is not told otherwise. */
static void begin(void)
{
    static char address[128], own[64];
    char text[512];
    redis_start(&redis);
    snprintf(address, sizeof address, "cache.redis=redis+unix://%s", redis.socket);
    const char *const sets[] = {"cache.kind=redis", address, NULL};
    rig_open(&rig, sets);
    snprintf(own, sizeof own, "broker.producers_address=tcp://127.0.0.1:%u", rig.port.producers);
    snprintf(text, sizeof text,
             "pools:\n"
             "  a: {owner: \"tcp://127.0.0.1:%u\", lines: [\"%s\", \"%s\"]}\n"
             "  b: {owner: \"tcp://127.0.0.1:%u\", lines: [\"%s\", \"%s\"]}\n",
             rig.port.producers, rig.lines[0], rig.lines[1], rig_free_port(), rig.lines[2], rig.lines[3]);
    rig_configure(&rig, text);
    second_open(&other, &rig, "other");
    second_open(&heir, &rig, "heir");
    struct second *both[] = {&other, &heir};
    for (size_t i = 0; i < 2; i++) {
        second_set(both[i], "broker.producers_address=tcp://127.0.0.1:%u", both[i]->rig.port.producers);
        second_set(both[i], "pools.b.owner=tcp://127.0.0.1:%u", both[i]->rig.port.producers);
    }
    rig.sets[rig.set_count++] = own;
    rig_start(&rig, 0);
    second_start(&other);
    rig_await_ready(&other.rig);
    snprintf(text, sizeof text, "tcp://127.0.0.1:%u", rig.port.producers);
    MUST(lineward_connect(&client, text) == LINEWARD_OK, "no client");
}

static void end(void)
{
    lineward_close(&client);
    second_close(&other);
    second_close(&heir);
    rig_close(&rig);
    redis_end(&redis);
}

static bool is_taken(const char *job)
{
    return lineward_enqueue(client, &job, 1, CALL_MS) == LINEWARD_OK &&
           strstr(lineward_result(client, 0), "\"job\":\"j_") != NULL;
}

#define JOB(id)                                                                                                      \
    "{\"id\":\"" id "\",\"pool\":\"b\",\"to\":\"+14157030001\",\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"x\"}]}}"

START_TEST(the_owner_is_found_by_what_it_says_itself_also_where_it_has_moved)
{
    begin();
    AWAIT(is_taken(JOB("1")), "%s", lineward_error(client));
    program_signal(&redis.program, SIGSTOP); /* what is known stands */
    AWAIT(program_said(&rig.broker, "event=cache_away"), "Redis is not missed");
    lineward_close(&client);
    char text[64];
    snprintf(text, sizeof text, "tcp://127.0.0.1:%u", rig.port.producers);
    MUST(lineward_connect(&client, text) == LINEWARD_OK && is_taken(JOB("2")), "%s", lineward_error(client));
    program_signal(&redis.program, SIGCONT);
    program_kill(&other.rig.broker);
    MUST(rename(other.store, heir.store) == 0, "the store does not move");
    second_start(&heir); /* and nobody else is told */
    rig_await_ready(&heir.rig);
    AWAIT(is_taken(JOB("3")), "it is not found where it has moved: %s", lineward_error(client));
    MUST(is_taken(JOB("1")) && strstr(lineward_result(client, 0), "\"state\":\"duplicate\"") != NULL,
         "it knows nothing of what it was given before: %s", lineward_result(client, 0));
    MUST(!program_said(&heir.rig.broker, "pool_owned_twice"), "a dead broker's last word counts as one that goes on");
    end();
}
END_TEST

START_TEST(a_pool_that_two_brokers_call_their_own_is_told_of_by_both)
{
    begin();
    second_start(&heir); /* with a store of its own */
    AWAIT(program_said(&other.rig.broker, "event=pool_owned_twice pool=b") &&
              program_said(&heir.rig.broker, "event=pool_owned_twice pool=b"),
          "nobody says so");
    AWAIT(program_said(&rig.broker, "event=pool_claimed_twice pool=b"), "the one that asks either says nothing");
    MUST(!program_said(&rig.broker, "pool_owned_twice"), "one to which it is nothing says so");
    end();
}
END_TEST

int main(void)
{
    return RUN_TESTS("owners_redis", 120, the_owner_is_found_by_what_it_says_itself_also_where_it_has_moved,
                     a_pool_that_two_brokers_call_their_own_is_told_of_by_both);
}
