/* What producers and workers say on the broker's sockets. The input is a talk: lines are frames, a line "%%" ends a
 * message, and a message's first line says whose it is: P a producer's, W a worker's, R the same from a REQ socket, T none:
 * time passes. Every answer is one of the contract, and its JSON is whole. */
#define EDGE_RECORDS 2048
#define EDGE_ROOM    8192
#include "tests/unit/edge_rig.h"

#define MESSAGES_MAX 24
#define FRAMES_MAX   300
#define TICK_MS      500

static void *producer, *worker;

static bool is_json(struct frame frame)
{
    const char *why = NULL;
    cJSON *json = json_parse(frame.data, frame.bytes, &why);
    bool good = json != NULL || json_fault_of(why) == JSON_FAULT_VALUE; /* a zero byte that was asked of is echoed */
    cJSON_Delete(json);
    return good;
}

/* ACK, PONG, ERR: version, command, request id, JSON; READY and ERR to workers: version, command, JSON; JOB: leases and
 * JSON in turns. */
static void check_answer(const struct message *answer, bool to_worker)
{
    size_t first = message_frame(answer, 0).bytes == 0 ? 1 : 0;
    struct frame command = message_frame(answer, first + 1);
    fuzz_check(frame_is(message_frame(answer, first), WIRE_VERSION));
    size_t json = first + (to_worker ? 2 : 3), step = 1;
    if (to_worker && frame_is(command, "JOB")) {
        json++;
        step = 2;
    } else if (to_worker && (frame_is(command, "DONE") || frame_is(command, "REVOKE") || frame_is(command, "BEAT"))) {
        return;
    } else {
        fuzz_check(frame_is(command, "ERR") || (to_worker ? frame_is(command, "READY")
                                                          : frame_is(command, "ACK") || frame_is(command, "PONG")));
    }
    for (; json < message_frame_count(answer); json += step)
        fuzz_check(is_json(message_frame(answer, json)));
}

static void hear_all(void *socket, bool to_worker)
{
    static struct message *answer;
    answer = answer != NULL ? answer : message_new();
    while (message_receive(answer, socket) == ERR_NONE)
        check_answer(answer, to_worker);
}

static void look_up(int wait_ms)
{
    struct lookup_answer answer;
    struct pollfd waiting = {.fd = lookup_fd(edge.lookup), .events = POLLIN};
    while (poll(&waiting, 1, wait_ms) == 1)
        while (lookup_collect(edge.lookup, &answer))
            ingress_looked_up(edge.ingress, &answer, edge.now);
}

static void turn(void)
{
    while (ingress_read(edge.ingress, edge.store_full, edge.now, &edge.effects))
        edge_save();
    while (dispatch_read(edge.dispatch, edge.now, &edge.effects))
        edge_save();
    edge_settle();
    edge_tick();
    look_up(0);
    hear_all(producer, false);
    hear_all(worker, true);
}

static void say(void *socket, bool delimiter, struct input *input)
{
    struct frame frames[FRAMES_MAX + 1] = {{"", 0}};
    size_t count = delimiter ? 1 : 0, first = count;
    while (input->left > 0 && count < FRAMES_MAX) {
        struct input line = input_line(input);
        if (line.left == 2 && memcmp(line.at, "%%", 2) == 0)
            break;
        frames[count++] = (struct frame){input_copy(line), line.left};
    }
    if (count > first)
        (void)message_send(socket, frames, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input input = {data, bytes};
    edge_setup();
    producer = edge_connect("inproc://producers", "p");
    worker = edge_connect("inproc://workers", "w");
    for (unsigned i = 0; input.left > 0 && i < MESSAGES_MAX; i++) {
        struct input who = input_line(&input);
        char name = who.left > 0 ? (char)who.at[0] : 'T';
        if (name == 'T')
            edge.now = (struct instant){edge.now.wall_ms + TICK_MS, edge.now.mono_ms + TICK_MS};
        else
            say(name == 'W' ? worker : producer, name == 'R', &input);
        turn();
    }
    look_up(0);
    turn();
    zmq_close(producer);
    zmq_close(worker);
    edge_teardown();
    fuzz_forget();
    return 0;
}
