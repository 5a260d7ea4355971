/* store_sim.c — see store_sim.h. */
#include "tests/support/store_sim.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *memory)
{
    assert(memory != NULL);
    return memory;
}

static uint64_t next_random(uint64_t *seed)
{
    uint64_t x = *seed += 0x9e3779b97f4a7c15ull;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

/* ---- files ---- */

static bool all_zero(const uint8_t *data, size_t bytes)
{
    return bytes > 0 && data[0] == 0 && memcmp(data, data + 1, bytes - 1) == 0;
}

static int inode_new(struct sim *sim)
{
    sim->inodes = must(realloc(sim->inodes, (size_t)(sim->inode_count + 1) * sizeof *sim->inodes));
    sim->inodes[sim->inode_count] = (struct sim_inode){0};
    return sim->inode_count++;
}

static void page_drop(struct sim_page *page)
{
    if (page != NULL && --page->refs == 0)
        free(page);
}

/* The page as one that is only this file's. */
static struct sim_page *page_own(struct sim_inode *inode, size_t i)
{
    struct sim_page *page = inode->pages[i];
    if (page != NULL && page->refs == 1)
        return page;
    struct sim_page *own = must(malloc(sizeof *own));
    own->refs = 1;
    if (page != NULL)
        memcpy(own->data, page->data, sizeof own->data);
    else
        memset(own->data, 0, sizeof own->data);
    page_drop(page);
    inode->pages[i] = own;
    return own;
}

/* `data` NULL: zeros. */
static void pages_put(struct sim_inode *inode, uint64_t offset, const uint8_t *data, size_t bytes)
{
    while (bytes > 0) {
        size_t i = (size_t)(offset / SIM_PAGE_BYTES), in = (size_t)(offset % SIM_PAGE_BYTES);
        size_t step = SIM_PAGE_BYTES - in < bytes ? SIM_PAGE_BYTES - in : bytes;
        if (data == NULL && step == SIM_PAGE_BYTES) {
            page_drop(inode->pages[i]);
            inode->pages[i] = NULL;
        } else if (data != NULL) {
            memcpy(page_own(inode, i)->data + in, data, step);
        } else if (inode->pages[i] != NULL) {
            memset(page_own(inode, i)->data + in, 0, step);
        }
        offset += step;
        bytes -= step;
        data = data != NULL ? data + step : NULL;
    }
}

static void inode_resize(struct sim_inode *inode, size_t size)
{
    size_t pages = (size + SIM_PAGE_BYTES - 1) / SIM_PAGE_BYTES;
    if (pages > inode->page_count) {
        inode->pages = must(realloc(inode->pages, pages * sizeof *inode->pages));
        for (size_t i = inode->page_count; i < pages; i++)
            inode->pages[i] = NULL;
        inode->page_count = pages;
    }
    if (size < inode->size) /* what comes back later is zero */
        pages_put(inode, size, NULL, inode->size - size);
    inode->size = size;
}

static void inode_put(struct sim_inode *inode, uint64_t offset, const uint8_t *data, size_t bytes)
{
    if (offset + bytes > inode->size)
        inode_resize(inode, (size_t)offset + bytes);
    pages_put(inode, offset, data, bytes);
}

static void inode_get(const struct sim_inode *inode, uint64_t offset, uint8_t *out, size_t bytes)
{
    while (bytes > 0) {
        const struct sim_page *page = inode->pages[offset / SIM_PAGE_BYTES];
        size_t in = (size_t)(offset % SIM_PAGE_BYTES);
        size_t step = SIM_PAGE_BYTES - in < bytes ? SIM_PAGE_BYTES - in : bytes;
        if (page != NULL)
            memcpy(out, page->data + in, step);
        else
            memset(out, 0, step);
        offset += step;
        out += step;
        bytes -= step;
    }
}

static void inode_share(struct sim_inode *inode, const struct sim_inode *from)
{
    inode_resize(inode, from->size);
    for (size_t i = 0; i * SIM_PAGE_BYTES < from->size; i++) {
        inode->pages[i] = from->pages[i];
        if (inode->pages[i] != NULL)
            inode->pages[i]->refs++;
    }
}

static void inode_drop(struct sim_inode *inode)
{
    for (size_t i = 0; i < inode->page_count; i++)
        page_drop(inode->pages[i]);
    free(inode->pages);
}

static struct sim_name *name_find(const struct sim *sim, const char *name)
{
    for (int i = 0; i < sim->name_count; i++)
        if (strcmp(sim->names[i].name, name) == 0)
            return &sim->names[i];
    return NULL;
}

static void name_set(struct sim *sim, const char *name, int inode)
{
    struct sim_name *found = name_find(sim, name);
    if (found != NULL) {
        found->inode = inode;
        return;
    }
    sim->names = must(realloc(sim->names, (size_t)(sim->name_count + 1) * sizeof *sim->names));
    sim->names[sim->name_count++] = (struct sim_name){must(strdup(name)), inode};
}

static void name_drop(struct sim *sim, const char *name)
{
    struct sim_name *found = name_find(sim, name);
    if (found == NULL)
        return;
    free(found->name);
    *found = sim->names[--sim->name_count];
}

static void name_rename(struct sim *sim, const char *from, const char *to)
{
    struct sim_name *found = name_find(sim, from);
    if (found == NULL)
        return;
    int inode = found->inode;
    name_drop(sim, from);
    name_set(sim, to, inode);
}

static const char *base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* ---- the record ---- */

static void record(struct sim *sim, struct sim_event event, const uint8_t *data, const char *name, const char *other)
{
    if (!sim->recording)
        return;
    if (sim->event_count == sim->event_room) {
        sim->event_room = sim->event_room * 2 + 256;
        sim->events = must(realloc(sim->events, sim->event_room * sizeof *sim->events));
    }
    if (data != NULL)
        event.data = memcpy(must(malloc(event.bytes + 1)), data, event.bytes);
    event.name = name != NULL ? must(strdup(name)) : NULL;
    event.other = other != NULL ? must(strdup(other)) : NULL;
    sim->events[sim->event_count++] = event;
}

void sim_record(struct sim *sim)
{
    sim->recording = true;
    for (int i = 0; i < sim->name_count; i++) {
        int inode = sim->names[i].inode;
        const struct sim_inode *file = &sim->inodes[inode];
        record(sim, (struct sim_event){.what = SIM_CREATE, .inode = inode}, NULL, sim->names[i].name, NULL);
        uint8_t *data = sim_read(file);
        record(sim, (struct sim_event){.what = SIM_WRITE, .inode = inode, .bytes = file->size},
               all_zero(data, file->size) ? NULL : data, NULL, NULL);
        free(data);
        record(sim, (struct sim_event){.what = SIM_SYNC, .inode = inode}, NULL, NULL, NULL);
    }
    record(sim, (struct sim_event){.what = SIM_SYNC_DIR}, NULL, NULL, NULL);
    sim->record_begins = sim->event_count;
}

void sim_mark(struct sim *sim, uint64_t value)
{
    pthread_mutex_lock(&sim->lock);
    record(sim, (struct sim_event){.what = SIM_MARK, .offset = value}, NULL, NULL, NULL);
    pthread_mutex_unlock(&sim->lock);
}

void sim_set_quota(struct sim *sim, uint64_t bytes)
{
    pthread_mutex_lock(&sim->lock);
    sim->quota = bytes;
    pthread_mutex_unlock(&sim->lock);
}

uint64_t sim_calls(struct sim *sim, enum sim_call call)
{
    pthread_mutex_lock(&sim->lock);
    uint64_t calls = sim->calls[call];
    pthread_mutex_unlock(&sim->lock);
    return calls;
}

/* ---- faults; the lock is held ---- */

static enum sim_fault fault(struct sim *sim, enum sim_call call)
{
    uint64_t n = ++sim->calls[call];
    if (sim->fault == SIM_FAULT_NONE || sim->fault_call != call || n < sim->fault_at)
        return SIM_FAULT_NONE;
    if (sim->fault_once && n > sim->fault_at)
        return SIM_FAULT_NONE;
    return sim->fault;
}

static int fault_errno(enum sim_fault fault)
{
    return fault == SIM_FAULT_ENOSPC ? -ENOSPC : -EIO;
}

static uint64_t bytes_of_all(const struct sim *sim)
{
    uint64_t sum = 0;
    for (int i = 0; i < sim->name_count; i++)
        sum += sim->inodes[sim->names[i].inode].size;
    return sum;
}

static bool fits(const struct sim *sim, const struct sim_inode *inode, uint64_t size)
{
    return sim->quota == 0 || size <= inode->size || bytes_of_all(sim) + size - inode->size <= sim->quota;
}

/* ---- struct store_io ---- */

static int handle_new(struct sim *sim, int inode)
{
    for (int i = 0; i < SIM_HANDLES_MAX; i++) {
        if (sim->handles[i] >= 0)
            continue;
        sim->handles[i] = inode;
        return i;
    }
    return -EMFILE;
}

static int sim_open(void *self, const char *path, bool create)
{
    struct sim *sim = self;
    pthread_mutex_lock(&sim->lock);
    struct sim_name *found = name_find(sim, base(path));
    int handle;
    enum sim_fault failing = fault(sim, SIM_CALL_OPEN);
    if (failing != SIM_FAULT_NONE) {
        handle = fault_errno(failing);
    } else if (found != NULL) {
        handle = handle_new(sim, found->inode);
    } else if (!create) {
        handle = -ENOENT;
    } else {
        int inode = inode_new(sim);
        name_set(sim, base(path), inode);
        record(sim, (struct sim_event){.what = SIM_CREATE, .inode = inode}, NULL, base(path), NULL);
        handle = handle_new(sim, inode);
    }
    pthread_mutex_unlock(&sim->lock);
    return handle;
}

static int sim_open_read(void *self, const char *path)
{
    struct sim *sim = self;
    pthread_mutex_lock(&sim->lock);
    const struct sim_name *found = name_find(sim, base(path));
    int handle = found != NULL ? handle_new(sim, found->inode) : -ENOENT;
    pthread_mutex_unlock(&sim->lock);
    return handle;
}

static int sim_close(void *self, int file)
{
    struct sim *sim = self;
    pthread_mutex_lock(&sim->lock);
    struct sim_inode *inode = &sim->inodes[sim->handles[file]];
    sim->handles[file] = -1;
    if (inode->locked_by == file + 1)
        inode->locked_by = 0;
    pthread_mutex_unlock(&sim->lock);
    return 0;
}

static int64_t sim_pread(void *self, int file, void *out, size_t bytes, uint64_t offset)
{
    struct sim *sim = self;
    pthread_mutex_lock(&sim->lock);
    const struct sim_inode *inode = &sim->inodes[sim->handles[file]];
    size_t left = offset < inode->size ? inode->size - (size_t)offset : 0;
    size_t got = bytes < left ? bytes : left;
    if (got > 0)
        inode_get(inode, offset, out, got);
    pthread_mutex_unlock(&sim->lock);
    return (int64_t)got;
}

static int64_t sim_pwritev(void *self, int file, const struct iovec *parts, int count, uint64_t offset)
{
    struct sim *sim = self;
    size_t bytes = 0;
    for (int i = 0; i < count; i++)
        bytes += parts[i].iov_len;
    uint8_t *data = must(malloc(bytes + 1));
    for (size_t at = 0, i = 0; i < (size_t)count; at += parts[i].iov_len, i++)
        if (parts[i].iov_len > 0)
            memcpy(data + at, parts[i].iov_base, parts[i].iov_len);
    pthread_mutex_lock(&sim->lock);
    int at = sim->handles[file];
    struct sim_inode *inode = &sim->inodes[at];
    enum sim_fault failing = fault(sim, SIM_CALL_WRITE);
    int64_t answer = (int64_t)bytes;
    if (failing == SIM_FAULT_SHORT && bytes > 1)
        answer = (int64_t)(bytes / 2);
    else if (failing != SIM_FAULT_NONE && failing != SIM_FAULT_SHORT)
        answer = fault_errno(failing);
    else if (!fits(sim, inode, offset + bytes))
        answer = -ENOSPC;
    if (answer > 0) {
        const uint8_t *kept = all_zero(data, (size_t)answer) ? NULL : data;
        inode_put(inode, offset, kept, (size_t)answer);
        record(sim, (struct sim_event){.what = SIM_WRITE, .inode = at, .offset = offset, .bytes = (size_t)answer},
               kept, NULL, NULL);
    }
    pthread_mutex_unlock(&sim->lock);
    free(data);
    return answer;
}

static int sim_sync(void *self, int file)
{
    struct sim *sim = self;
    pthread_mutex_lock(&sim->lock);
    enum sim_fault failing = fault(sim, SIM_CALL_SYNC);
    if (failing == SIM_FAULT_NONE)
        record(sim, (struct sim_event){.what = SIM_SYNC, .inode = sim->handles[file]}, NULL, NULL, NULL);
    pthread_mutex_unlock(&sim->lock);
    return failing == SIM_FAULT_NONE ? 0 : fault_errno(failing);
}

static int set_size(struct sim *sim, int file, uint64_t bytes)
{
    inode_resize(&sim->inodes[sim->handles[file]], (size_t)bytes);
    record(sim, (struct sim_event){.what = SIM_SIZE, .inode = sim->handles[file], .offset = bytes}, NULL, NULL, NULL);
    return 0;
}

static int sim_reserve(void *self, int file, uint64_t bytes)
{
    struct sim *sim = self;
    int answer = 0;
    pthread_mutex_lock(&sim->lock);
    const struct sim_inode *inode = &sim->inodes[sim->handles[file]];
    enum sim_fault failing = fault(sim, SIM_CALL_RESERVE);
    if (failing != SIM_FAULT_NONE)
        answer = fault_errno(failing);
    else if (!fits(sim, inode, bytes))
        answer = -ENOSPC;
    else if (bytes > inode->size)
        answer = set_size(sim, file, bytes);
    pthread_mutex_unlock(&sim->lock);
    return answer;
}

static int sim_truncate(void *self, int file, uint64_t bytes)
{
    struct sim *sim = self;
    pthread_mutex_lock(&sim->lock);
    int answer = set_size(sim, file, bytes);
    pthread_mutex_unlock(&sim->lock);
    return answer;
}

static int64_t sim_size(void *self, int file)
{
    struct sim *sim = self;
    pthread_mutex_lock(&sim->lock);
    int64_t size = (int64_t)sim->inodes[sim->handles[file]].size;
    pthread_mutex_unlock(&sim->lock);
    return size;
}

static int sim_rename(void *self, const char *from, const char *to)
{
    struct sim *sim = self;
    pthread_mutex_lock(&sim->lock);
    enum sim_fault failing = fault(sim, SIM_CALL_RENAME);
    if (failing == SIM_FAULT_NONE) {
        assert(name_find(sim, base(from)) != NULL);
        name_rename(sim, base(from), base(to));
        record(sim, (struct sim_event){.what = SIM_RENAME}, NULL, base(from), base(to));
    }
    pthread_mutex_unlock(&sim->lock);
    return failing == SIM_FAULT_NONE ? 0 : fault_errno(failing);
}

static int sim_unlink(void *self, const char *path)
{
    struct sim *sim = self;
    pthread_mutex_lock(&sim->lock);
    bool found = name_find(sim, base(path)) != NULL;
    enum sim_fault failing = found ? fault(sim, SIM_CALL_UNLINK) : SIM_FAULT_NONE;
    if (failing == SIM_FAULT_NONE) {
        name_drop(sim, base(path));
        record(sim, (struct sim_event){.what = SIM_UNLINK}, NULL, base(path), NULL);
    }
    pthread_mutex_unlock(&sim->lock);
    return !found ? -ENOENT : failing == SIM_FAULT_NONE ? 0 : fault_errno(failing);
}

static int sim_make_dir(void *self, const char *path)
{
    struct sim *sim = self;
    bool made = sim->folder_made;
    sim->folder_made = true;
    return made ? -EEXIST : 0;
}

static int sim_sync_dir(void *self, const char *path)
{
    struct sim *sim = self;
    pthread_mutex_lock(&sim->lock);
    record(sim, (struct sim_event){.what = SIM_SYNC_DIR}, NULL, NULL, NULL);
    pthread_mutex_unlock(&sim->lock);
    return 0;
}

static int sim_list_dir(void *self, const char *path, void (*visit)(void *context, const char *name), void *context)
{
    struct sim *sim = self;
    pthread_mutex_lock(&sim->lock);
    for (int i = 0; i < sim->name_count; i++)
        visit(context, sim->names[i].name);
    pthread_mutex_unlock(&sim->lock);
    return 0;
}

static int sim_lock_file(void *self, int file)
{
    struct sim *sim = self;
    pthread_mutex_lock(&sim->lock);
    struct sim_inode *inode = &sim->inodes[sim->handles[file]];
    bool locked = inode->locked_by != 0;
    if (!locked)
        inode->locked_by = file + 1;
    pthread_mutex_unlock(&sim->lock);
    return locked ? -EWOULDBLOCK : 0;
}

static int64_t sim_free_bytes(void *self, const char *path)
{
    struct sim *sim = self;
    if (sim->quota == 0)
        return INT64_MAX / 2;
    pthread_mutex_lock(&sim->lock);
    uint64_t used = bytes_of_all(sim);
    pthread_mutex_unlock(&sim->lock);
    return used < sim->quota ? (int64_t)(sim->quota - used) : 0;
}

struct sim *sim_new(void)
{
    struct sim *sim = must(calloc(1, sizeof *sim));
    pthread_mutex_init(&sim->lock, NULL);
    for (int i = 0; i < SIM_HANDLES_MAX; i++)
        sim->handles[i] = -1;
    sim->io = (struct store_io){.self = sim,
                                .open = sim_open,
                                .open_read = sim_open_read,
                                .close = sim_close,
                                .pread = sim_pread,
                                .pwritev = sim_pwritev,
                                .sync = sim_sync,
                                .reserve = sim_reserve,
                                .truncate = sim_truncate,
                                .size = sim_size,
                                .rename = sim_rename,
                                .unlink = sim_unlink,
                                .make_dir = sim_make_dir,
                                .sync_dir = sim_sync_dir,
                                .list_dir = sim_list_dir,
                                .lock = sim_lock_file,
                                .free_bytes = sim_free_bytes};
    return sim;
}

void sim_free(struct sim **sim_p)
{
    struct sim *sim = *sim_p;
    if (sim == NULL)
        return;
    for (int i = 0; i < sim->inode_count; i++)
        inode_drop(&sim->inodes[i]);
    for (int i = 0; i < sim->name_count; i++)
        free(sim->names[i].name);
    for (size_t i = 0; i < sim->event_count; i++) {
        free(sim->events[i].data);
        free(sim->events[i].name);
        free(sim->events[i].other);
    }
    free(sim->inodes);
    free(sim->names);
    free(sim->events);
    pthread_mutex_destroy(&sim->lock);
    free(sim);
    *sim_p = NULL;
}

struct sim_inode *sim_file(struct sim *sim, const char *name)
{
    const struct sim_name *found = name_find(sim, name);
    return found != NULL ? &sim->inodes[found->inode] : NULL;
}

uint8_t sim_peek(const struct sim_inode *file, uint64_t at)
{
    uint8_t byte;
    inode_get(file, at, &byte, 1);
    return byte;
}

uint8_t *sim_read(const struct sim_inode *file)
{
    uint8_t *data = must(malloc(file->size + 1));
    inode_get(file, 0, data, file->size);
    return data;
}

void sim_flip(struct sim_inode *file, uint64_t at, uint8_t bits)
{
    uint8_t byte = sim_peek(file, at) ^ bits;
    inode_put(file, at, &byte, 1);
}

void sim_fill(struct sim_inode *file, uint64_t from, uint8_t byte)
{
    size_t bytes = file->size - (size_t)from;
    uint8_t *data = memset(must(malloc(bytes + 1)), byte, bytes);
    inode_put(file, from, byte != 0 ? data : NULL, bytes);
    free(data);
}

void sim_resize(struct sim_inode *file, uint64_t size)
{
    inode_resize(file, (size_t)size);
}

int sim_name_count(const struct sim *sim)
{
    return sim->name_count;
}

const char *sim_name_at(const struct sim *sim, int i)
{
    return sim->names[i].name;
}

uint64_t sim_bytes(struct sim *sim)
{
    pthread_mutex_lock(&sim->lock);
    uint64_t bytes = bytes_of_all(sim);
    pthread_mutex_unlock(&sim->lock);
    return bytes;
}

struct sim *sim_copy(const struct sim *sim)
{
    struct sim *copy = sim_new();
    copy->folder_made = sim->folder_made;
    for (int i = 0; i < sim->name_count; i++) {
        const struct sim_inode *from = &sim->inodes[sim->names[i].inode];
        int inode = inode_new(copy);
        inode_share(&copy->inodes[inode], from);
        name_set(copy, sim->names[i].name, inode);
    }
    return copy;
}

/* ---- power cuts ---- */

struct cut {
    const struct sim *recorded;
    struct sim *disk;
    enum sim_cut how;
    uint64_t seed;
    size_t *waiting; /* events that no sync covers yet, in order */
    size_t waiting_count;
};

static bool is_name_change(enum sim_what what)
{
    return what == SIM_CREATE || what == SIM_RENAME || what == SIM_UNLINK;
}

static void apply(struct sim *disk, const struct sim_event *event)
{
    switch (event->what) {
    case SIM_WRITE:
        inode_put(&disk->inodes[event->inode], event->offset, event->data, event->bytes);
        break;
    case SIM_SIZE:
        inode_resize(&disk->inodes[event->inode], (size_t)event->offset);
        break;
    case SIM_CREATE:
        name_set(disk, event->name, event->inode);
        break;
    case SIM_RENAME:
        name_rename(disk, event->name, event->other);
        break;
    case SIM_UNLINK:
        name_drop(disk, event->name);
        break;
    case SIM_SYNC:
    case SIM_SYNC_DIR:
    case SIM_MARK:
        break;
    }
}

/* Some of its sectors arrive, others do not. */
static void apply_torn(struct cut *cut, const struct sim_event *event)
{
    uint64_t at = event->offset, end = event->offset + event->bytes;
    while (at < end) {
        uint64_t next = (at / SIM_SECTOR_BYTES + 1) * SIM_SECTOR_BYTES;
        next = next < end ? next : end;
        if (next_random(&cut->seed) % 2 == 0)
            inode_put(&cut->disk->inodes[event->inode], at,
                      event->data != NULL ? event->data + (at - event->offset) : NULL, (size_t)(next - at));
        at = next;
    }
}

/* All that waits and is covered by this sync reaches the disk. */
static void settle(struct cut *cut, const struct sim_event *sync)
{
    size_t kept = 0;
    for (size_t i = 0; i < cut->waiting_count; i++) {
        const struct sim_event *event = &cut->recorded->events[cut->waiting[i]];
        bool covered = is_name_change(event->what) ? sync->what == SIM_SYNC_DIR
                                                   : sync->what == SIM_SYNC && event->inode == sync->inode;
        if (covered)
            apply(cut->disk, event);
        else
            cut->waiting[kept++] = cut->waiting[i];
    }
    cut->waiting_count = kept;
}

/* What waits when the power goes. */
static void settle_the_rest(struct cut *cut)
{
    bool names_go_on = true;
    for (size_t i = 0; i < cut->waiting_count; i++) {
        const struct sim_event *event = &cut->recorded->events[cut->waiting[i]];
        bool coin = next_random(&cut->seed) % 2 == 0;
        if (is_name_change(event->what)) {
            names_go_on &= cut->how == SIM_CUT_ALL || (cut->how != SIM_CUT_NONE && coin);
            if (names_go_on)
                apply(cut->disk, event);
        } else if (cut->how == SIM_CUT_TORN && event->what == SIM_WRITE) {
            apply_torn(cut, event);
        } else if (cut->how == SIM_CUT_ALL || (cut->how != SIM_CUT_NONE && coin)) {
            apply(cut->disk, event);
        }
    }
}

struct sim *sim_after_cut(const struct sim *recorded, size_t events, enum sim_cut how, bool syncs_lie, uint64_t seed,
                          uint64_t *last_mark)
{
    struct cut cut = {.recorded = recorded, .disk = sim_new(), .how = how, .seed = seed};
    pthread_mutex_t *lock = &((struct sim *)(uintptr_t)recorded)->lock; /* its store may still be open */
    pthread_mutex_lock(lock);
    if (events > recorded->event_count)
        events = recorded->event_count;
    cut.waiting = must(calloc(events + 1, sizeof *cut.waiting));
    cut.disk->folder_made = true;
    *last_mark = 0;
    for (int i = 0; i < recorded->inode_count; i++)
        inode_new(cut.disk);
    for (size_t i = 0; i < events; i++) {
        const struct sim_event *event = &recorded->events[i];
        if (event->what == SIM_MARK)
            *last_mark = event->offset;
        else if (event->what == SIM_SYNC_DIR || (event->what == SIM_SYNC && !syncs_lie))
            settle(&cut, event);
        else if (event->what != SIM_SYNC)
            cut.waiting[cut.waiting_count++] = i;
    }
    settle_the_rest(&cut);
    pthread_mutex_unlock(lock);
    free(cut.waiting);
    return cut.disk;
}
