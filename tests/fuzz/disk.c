/* disk.c — see disk.h. */
#include "disk.h"

#include <xxhash.h>

#include "broker/store/index.h"
#include "tests/unit/store_model.h"

#define SEGMENT_BYTES (1u << 20)
#define CHANGES_MAX   16
#define PLACES_MAX    4096
#define SLICES_MAX    50
#define NOW_MS        (INT64_C(1700000000000) + INT64_C(86400000))

/* ---- a good one ---- */

static void turns(struct model *model, unsigned count, unsigned changes)
{
    while (count-- > 0) {
        model_wall_ms += 500;
        fuzz_check(model_turn(model, changes) && model_settle(model));
    }
}

static struct sim *make(enum disk_size size)
{
    struct store_problem problem;
    struct sim *sim = sim_new();
    struct model *model = model_new(7);
    model->body_max = size == DISK_SMALL ? 60 : 4000;
    model->alive_max = size == DISK_SMALL ? 400 : 60;
    fuzz_check(model_open(model, sim, SIM_FOLDER, SEGMENT_BYTES, &problem) == ERR_NONE);
    turns(model, size == DISK_SMALL ? 16 : 80, size == DISK_SMALL ? 3 : 25);
    fuzz_check(size == DISK_SMALL || model_clean(model, model_wall_ms));
    model_close(model);
    model_free(&model);
    return sim;
}

struct sim *disk_new(enum disk_size size)
{
    static struct sim *made[2];
    if (made[size] == NULL)
        made[size] = make(size);
    return sim_copy(made[size]);
}

/* ---- changing ---- */

static bool ends_in(const char *name, const char *ending)
{
    size_t bytes = strlen(name), wanted = strlen(ending);
    return bytes >= wanted && strcmp(name + bytes - wanted, ending) == 0;
}

/* The `index`th file with that ending, counted around. NULL: there is none. */
static struct sim_inode *pick(struct sim *disk, const char *ending, unsigned index)
{
    int count = 0;
    for (int i = 0; i < sim_name_count(disk); i++)
        count += ends_in(sim_name_at(disk, i), ending);
    for (int i = 0, at = count > 0 ? (int)(index % (unsigned)count) : 0; i < sim_name_count(disk); i++)
        if (ends_in(sim_name_at(disk, i), ending) && at-- == 0)
            return sim_file(disk, sim_name_at(disk, i));
    return NULL;
}

static void get(const struct sim_inode *file, uint64_t at, void *out, size_t bytes)
{
    uint8_t *to = out;
    for (size_t done = 0; done < bytes;) {
        size_t i = (size_t)((at + done) / SIM_PAGE_BYTES), in = (size_t)((at + done) % SIM_PAGE_BYTES);
        size_t step = SIM_PAGE_BYTES - in < bytes - done ? SIM_PAGE_BYTES - in : bytes - done;
        const struct sim_page *page = i < file->page_count ? file->pages[i] : NULL;
        if (page != NULL)
            memcpy(to + done, page->data + in, step);
        else
            memset(to + done, 0, step);
        done += step;
    }
}

/* Small parts, or such as differ in little from what is there. */
static void put(struct sim_inode *file, uint64_t at, const void *data, size_t bytes)
{
    static uint8_t old[FRAME_PAYLOAD_MAX];
    const uint8_t *from = data;
    get(file, at, old, bytes);
    for (size_t i = 0; i < bytes && at + i < file->size; i++)
        if (old[i] != from[i])
            sim_flip(file, at + i, (uint8_t)(old[i] ^ from[i]));
}

static const struct sim_inode *changed[CHANGES_MAX];
static unsigned changed_count;

static bool is_changed(const struct sim_inode *file)
{
    for (unsigned i = 0; i < changed_count; i++)
        if (changed[i] == file)
            return true;
    return false;
}

void disk_change(struct sim *disk, const char *ending, struct input *input)
{
    changed_count = 0;
    for (unsigned changes = 0; input->left > 0 && changes < CHANGES_MAX; changes++) {
        unsigned what = input_byte(input);
        struct sim_inode *file = pick(disk, ending, what >> 2);
        uint64_t at = input_number(input, what & 1 ? 4 : 2);
        struct input bytes = input_take(input, input_byte(input));
        if (file == NULL || file->size == 0)
            return;
        changed[changed_count++] = file;
        if (what & 2 && bytes.left == 0)
            sim_resize(file, at % (file->size + 4096));
        else
            put(file, at % file->size, bytes.at, bytes.left);
    }
}

/* ---- sealing ---- */

static void seal_records(uint8_t *payload, size_t bytes, uint64_t seed)
{
    for (size_t at = 0; at + RECORD_HEADER_BYTES <= bytes;) {
        struct record *record = (struct record *)(payload + at);
        if (!record_is_sane(record, bytes - at))
            return;
        record_seal(record, seed);
        at += record_room(record);
    }
}

static void seal_segment(struct sim_inode *file)
{
    static uint8_t payload[FRAME_PAYLOAD_MAX] __attribute__((aligned(8)));
    struct segment_header header;
    get(file, 0, &header, sizeof header);
    header.check = XXH3_64bits(&header, offsetof(struct segment_header, check));
    put(file, 0, &header, sizeof header);
    uint64_t seed = segment_seed(header.id, (enum segment_type)header.type, header.number);
    for (uint64_t at = SEGMENT_HEADER_BYTES; at + FRAME_HEADER_BYTES <= file->size;) {
        struct frame frame;
        get(file, at, &frame, sizeof frame);
        if (frame.first == 0 && frame.payload_bytes == 0 && frame.magic == 0)
            return;
        if (frame.payload_bytes > file->size - at - FRAME_HEADER_BYTES)
            return;
        get(file, at + FRAME_HEADER_BYTES, payload, frame.payload_bytes);
        seal_records(payload, frame.payload_bytes, seed);
        put(file, at + FRAME_HEADER_BYTES, payload, frame.payload_bytes);
        frame.payload_check = XXH3_64bits_withSeed(payload, frame.payload_bytes, seed);
        frame_seal(&frame, seed);
        put(file, at, &frame, sizeof frame);
        at += FRAME_HEADER_BYTES + frame.payload_bytes;
    }
}

static uint64_t check_of(const struct sim_inode *file, uint64_t at, uint64_t bytes, uint64_t seed)
{
    static uint8_t part[2 * SEGMENT_BYTES];
    if (at > file->size || bytes > file->size - at || bytes > sizeof part)
        return 0;
    get(file, at, part, (size_t)bytes);
    return XXH3_64bits_withSeed(part, (size_t)bytes, seed);
}

static void seal_index(struct sim_inode *file)
{
    struct index_header header;
    get(file, 0, &header, sizeof header);
    uint64_t seed = segment_seed(header.id, (enum segment_type)header.type, header.number);
    header.heads_check = check_of(file, sizeof header, header.heads_bytes, seed);
    header.finder_check = check_of(file, index_finder_offset(&header), header.finder_count * sizeof(struct finder_entry), seed);
    header.event_check = check_of(file, index_event_offset(&header), header.event_count * sizeof(struct event_entry), seed);
    header.check = XXH3_64bits_withSeed(&header, offsetof(struct index_header, check), seed);
    put(file, 0, &header, sizeof header);
}

void disk_seal(struct sim *disk)
{
    for (int i = 0; i < sim_name_count(disk); i++) {
        struct sim_inode *file = sim_file(disk, sim_name_at(disk, i));
        if (!is_changed(file))
            continue;
        if (ends_in(sim_name_at(disk, i), ".idx"))
            seal_index(file);
        else if (ends_in(sim_name_at(disk, i), ".seg") && file->size >= SEGMENT_HEADER_BYTES)
            seal_segment(file);
    }
}

/* ---- using ---- */

static struct {
    struct {
        unsigned kind;
        uint64_t key;
        store_place place;
    } known[PLACES_MAX];
    size_t count;
} owner;

/* What is given is there to be read, every byte of it. */
static void read_bytes(const void *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        (void)((const volatile uint8_t *)data)[i];
}

static enum err replay(void *self, unsigned kind, uint64_t key, uint64_t seq, bool past, const void *head,
                       size_t head_bytes, store_place place)
{
    read_bytes(head, head_bytes);
    if (kind == MODEL_JOB && !past && owner.count < PLACES_MAX) {
        owner.known[owner.count].kind = kind;
        owner.known[owner.count].key = key;
        owner.known[owner.count++].place = place;
    }
    return ERR_NONE;
}

static bool is_live(void *self, unsigned kind, uint64_t key, store_place place)
{
    for (size_t i = 0; i < owner.count; i++)
        if (owner.known[i].place == place && owner.known[i].key == key && owner.known[i].kind == kind)
            return true;
    return false;
}

static void moved(void *self, unsigned kind, uint64_t key, store_place from, store_place to)
{
    for (size_t i = 0; i < owner.count; i++)
        if (owner.known[i].place == from && owner.known[i].key == key && owner.known[i].kind == kind)
            owner.known[i].place = to;
}

static void renew(void *self, unsigned kind, uint64_t key, struct store_batch *batch)
{
    uint32_t value = 1;
    fuzz_check(store_batch_add(batch, kind, key, 0, &value, sizeof value, NULL) == ERR_NONE);
}

static int64_t wall_ms(void)
{
    return NOW_MS;
}

static bool visit(void *self, const struct store_record *record)
{
    read_bytes(record->head, record->head_bytes);
    for (int s = 0; s < STORE_SECTIONS; s++)
        read_bytes(record->sections[s].data, record->sections[s].bytes);
    return true;
}

static void use(struct store *store)
{
    struct store_record record;
    uint64_t durable, oldest;
    uint32_t value = 5;
    struct store_batch *batch = store_batch_new();
    fuzz_check(batch != NULL);
    for (size_t i = 0; i < owner.count && i < 64; i++) {
        if (store_read(store, owner.known[i].place, &record) == ERR_NONE) {
            visit(NULL, &record);
            store_record_free(&record);
        }
    }
    (void)store_find(store, MODEL_END, 3, visit, NULL);
    (void)store_events(store, 0, 1000, &oldest, visit, NULL);
    fuzz_check(store_batch_add(batch, MODEL_VALUE, 1, 0, &value, sizeof value, NULL) == ERR_NONE);
    store_submit(store, batch);
    for (unsigned i = 0; i < SLICES_MAX; i++) {
        bool more = store_clean(store, batch, NOW_MS + i * 2000, 1000);
        store_submit(store, batch);
        if (store_collect(store, &durable) != ERR_NONE || !more)
            break;
    }
    store_batch_free(&batch);
}

void disk_use(struct sim *disk)
{
    struct store *store = NULL;
    struct store_opened opened = {0};
    struct store_problem problem = {""};
    struct store_options options = {.path = SIM_FOLDER,
                                    .segment_bytes = SEGMENT_BYTES,
                                    .history_retention_ms = INT64_C(3600000),
                                    .kinds = model_kinds,
                                    .owner = {NULL, replay, is_live, moved, renew, NULL},
                                    .io = &disk->io,
                                    .wall_ms = wall_ms,
                                    .wake_fd = -1};
    owner.count = 0;
    disk->quota = sim_bytes(disk); /* nothing is prepared then, and opening takes less */
    enum err err = store_open(&store, &options, &opened, &problem);
    if (err == ERR_NONE)
        use(store);
    else
        fuzz_check(problem.text[0] != '\0');
    store_close(&store);
}
