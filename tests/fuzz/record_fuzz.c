/* Heads of records as they lie on disk: kind, key and seq, then the head. What is taken is written and read again the
 * same, however it was written first. */
#include "broker/store/record.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input input = {data, bytes};
    unsigned kind = input_byte(&input) % (CHANGE_KIND_COUNT + 1);
    uint64_t key = input_number(&input, 4), seq = input_number(&input, 4);
    static struct record_storage first_storage, second_storage;
    struct change first, second;
    static uint8_t head[STORE_HEAD_BYTES_MAX], again[STORE_HEAD_BYTES_MAX];
    if (input.left > STORE_HEAD_BYTES_MAX)
        return 0;
    if (record_decode(kind, key, seq, input_copy(input), input.left, &first_storage, &first)) {
        size_t head_bytes = record_encode(&first, head);
        fuzz_check(head_bytes <= STORE_HEAD_BYTES_MAX);
        fuzz_check(record_decode(kind, change_key(&first), seq, head, head_bytes, &second_storage, &second));
        fuzz_check(change_key(&second) == change_key(&first));
        fuzz_check(record_encode(&second, again) == head_bytes && memcmp(head, again, head_bytes) == 0);
    }
    fuzz_forget();
    return 0;
}
