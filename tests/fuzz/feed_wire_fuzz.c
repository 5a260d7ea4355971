/* What the feed child tells the broker: the stream is cut into messages, and each says the same when told again. */
#include "broker/feed/feed.h"
#include "fuzz.h"

static void check_message(const struct feed_message *message)
{
    struct feed_buffer buffer = {0};
    struct feed_buffer once_more = {0};
    struct feed_message again = {0};
    size_t used = 0;
    fuzz_check((unsigned)message->kind < FEED_KIND_COUNT && message->line_count <= FEED_LINES_PER_MESSAGE);
    fuzz_check(feed_encode(&buffer, message) == ERR_NONE);
    fuzz_check(feed_decode(buffer.data, buffer.bytes, &used, &again) == ERR_NONE && used == buffer.bytes);
    fuzz_check(feed_encode(&once_more, &again) == ERR_NONE);
    fuzz_check(once_more.bytes == buffer.bytes && memcmp(once_more.data, buffer.data, buffer.bytes) == 0);
    feed_message_clear(&again);
    feed_buffer_free(&once_more);
    feed_buffer_free(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input input = {data, bytes};
    while (input.left > 0) {
        struct feed_message message = {0};
        /* Lengths are ours to write, so that the fuzzer has only the documents to find. */
        struct input document = input_line(&input);
        size_t used = 0;
        uint8_t *framed = (uint8_t *)malloc(document.left + 4);
        fuzz_check(framed != NULL);
        for (unsigned i = 0; i < 4; i++)
            framed[i] = (uint8_t)(document.left >> (24 - 8 * i));
        memcpy(framed + 4, document.at, document.left);
        enum err err = feed_decode(framed, document.left + 4, &used, &message);
        fuzz_check(err == ERR_NONE || err == ERR_BAD_INPUT);
        if (err == ERR_NONE) {
            fuzz_check(used == document.left + 4);
            check_message(&message);
            feed_message_clear(&message);
        }
        fuzz_check(feed_decode(framed, document.left / 2, &used, &message) != ERR_NONE);
        free(framed);
    }
    struct feed_message message = {0};
    size_t used = 0;
    if (feed_decode(data, bytes, &used, &message) == ERR_NONE)
        feed_message_clear(&message);
    return 0;
}
