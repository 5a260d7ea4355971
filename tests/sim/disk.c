/* disk.c — see disk.h. */
#include "tests/sim/disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/fiber.h"
#include "tests/sim/house.h"
#include "tests/support/store_sim.h"

#define ROOM_BYTES  (INT64_C(24) << 20) /* of the whole disk */
#define SEARCHED_MAX 64 /* bytes that are looked for */
#define TIGHT_BYTES (INT64_C(1) << 19)  /* left when it is full */

static struct {
    struct sim *files;
    struct store_io io;
    struct stream time, luck;
    int64_t slow_until_us;
    int64_t worst_us;
    enum sim_fault next_fault; /* of one call to come */
    enum sim_call fault_call;
    bool may_lie, lying, lied, ever_lied, deceived; /* in few worlds: what was promised then is not held against the broker */
    bool full;
    bool gives_back; /* a segment's name has gone, the folder is not synced yet */
    bool dying; /* no sync works any more; then the power goes */
    bool calm;
} disk;

/* ---- each call takes its time, and may be the last ---- */

static void take_time(int64_t least_us, int64_t most_us)
{
    int64_t for_us = draw_delay_us(&disk.time, least_us, most_us);
    if (now_us() < disk.slow_until_us)
        for_us += draw_delay_us(&disk.time, 0, 400 * US_MS);
    disk.worst_us = for_us > disk.worst_us ? for_us : disk.worst_us;
    if (for_us > 0 && fiber_current() != NULL)
        fiber_wait(now_us() + for_us);
}

static bool fails(enum sim_call call)
{
    if (disk.next_fault == SIM_FAULT_NONE || disk.fault_call != call)
        return false;
    disk.next_fault = SIM_FAULT_NONE;
    return true;
}

static const struct store_io *files(void)
{
    return &disk.files->io;
}

static int on_open(void *self, const char *path, bool create)
{
    (void)self;
    return files()->open(disk.files, path, create);
}

static int on_open_read(void *self, const char *path)
{
    (void)self;
    return files()->open_read(disk.files, path);
}

static int on_close(void *self, int file)
{
    (void)self;
    return files()->close(disk.files, file);
}

static int64_t on_pread(void *self, int file, void *out, size_t bytes, uint64_t offset)
{
    (void)self;
    return files()->pread(disk.files, file, out, bytes, offset);
}

static void mix_written(const struct iovec *parts, int count)
{
    for (int i = 0; i < count; i++)
        if (parts[i].iov_len > 0 && parts[i].iov_len < 65536)
            trace_mix(parts[i].iov_base, parts[i].iov_len);
}

static int64_t on_pwritev(void *self, int file, const struct iovec *parts, int count, uint64_t offset)
{
    (void)self;
    take_time(0, 60);
    if (fails(SIM_CALL_WRITE)) {
        if (chance(&disk.luck, 500)) {
            fault(FAULT_SHORT_WRITE);
            struct iovec first = parts[0];
            first.iov_len = first.iov_len > 1 ? first.iov_len / 2 : first.iov_len;
            return files()->pwritev(disk.files, file, &first, 1, offset);
        }
        fault(FAULT_WRITE_FAILED);
        note_world("disk: a write fails");
        return -EIO;
    }
    mix_written(parts, count);
    int64_t written = files()->pwritev(disk.files, file, parts, count, offset);
    house_may_die(FAULT_CRASH_IN_WRITE);
    return written;
}

static int on_sync(void *self, int file)
{
    (void)self;
    take_time(200, 6 * US_MS);
    house_may_die(FAULT_CRASH_IN_SYNC);
    if (disk.dying || fails(SIM_CALL_SYNC)) {
        fault(FAULT_SYNC_FAILED);
        note_world("disk: a sync fails");
        return -EIO;
    }
    if (disk.lying) {
        fault(FAULT_SYNC_LIED);
        disk.lied = disk.ever_lied = true;
        return 0;
    }
    return files()->sync(disk.files, file);
}

static int on_reserve(void *self, int file, uint64_t bytes)
{
    (void)self;
    take_time(20, US_MS);
    return files()->reserve(disk.files, file, bytes);
}

static int on_truncate(void *self, int file, uint64_t bytes)
{
    (void)self;
    return files()->truncate(disk.files, file, bytes);
}

static int64_t on_size(void *self, int file)
{
    (void)self;
    return files()->size(disk.files, file);
}

static int on_rename(void *self, const char *from, const char *to)
{
    (void)self;
    take_time(0, 100);
    house_may_die(FAULT_CRASH_IN_WRITE);
    disk.gives_back = disk.gives_back || (strstr(from, "/data-") != NULL && strstr(to, "/spare-") != NULL);
    return files()->rename(disk.files, from, to);
}

static int on_unlink(void *self, const char *path)
{
    (void)self;
    house_may_die(FAULT_CRASH_IN_WRITE);
    return files()->unlink(disk.files, path);
}

static int on_make_dir(void *self, const char *path)
{
    (void)self;
    return files()->make_dir(disk.files, path);
}

static int on_sync_dir(void *self, const char *path)
{
    (void)self;
    take_time(100, 3 * US_MS);
    house_may_die(FAULT_CRASH_IN_SYNC);
    if (disk.lying) {
        disk.lied = disk.ever_lied = true;
        return 0;
    }
    int error = files()->sync_dir(disk.files, path);
    if (disk.gives_back)
        house_may_die(FAULT_CRASH_IN_CLEANING);
    disk.gives_back = false;
    return error;
}

static int on_list_dir(void *self, const char *path, void (*visit)(void *context, const char *name), void *context)
{
    (void)self;
    return files()->list_dir(disk.files, path, visit, context);
}

static int on_lock(void *self, int file)
{
    (void)self;
    return files()->lock(disk.files, file);
}

static int64_t on_free_bytes(void *self, const char *path)
{
    (void)self;
    return files()->free_bytes(disk.files, path);
}

/* ---- life ---- */

void disk_begin(void)
{
    disk.files = sim_new();
    disk.files->quota = ROOM_BYTES;
    disk.time = stream_of("disk time");
    disk.luck = stream_of("disk luck");
    disk.may_lie = chance(&disk.luck, 80);
    sim_record(disk.files);
    disk.io = (struct store_io){.open = on_open,
                                .open_read = on_open_read,
                                .close = on_close,
                                .pread = on_pread,
                                .pwritev = on_pwritev,
                                .sync = on_sync,
                                .reserve = on_reserve,
                                .truncate = on_truncate,
                                .size = on_size,
                                .rename = on_rename,
                                .unlink = on_unlink,
                                .make_dir = on_make_dir,
                                .sync_dir = on_sync_dir,
                                .list_dir = on_list_dir,
                                .lock = on_lock,
                                .free_bytes = on_free_bytes};
}

struct sim *disk_copy(void)
{
    return sim_copy(disk.files);
}

const struct store_io *disk_io(void)
{
    return &disk.io;
}

void disk_closed(void)
{
    for (int i = 0; i < SIM_HANDLES_MAX; i++)
        disk.files->handles[i] = -1;
    for (int i = 0; i < disk.files->inode_count; i++)
        disk.files->inodes[i].locked_by = 0;
    disk.next_fault = SIM_FAULT_NONE;
}

void disk_cut(void)
{
    static const enum sim_cut kinds[] = {SIM_CUT_NONE, SIM_CUT_ALL, SIM_CUT_RANDOM, SIM_CUT_TORN};
    uint64_t mark = 0;
    enum sim_cut kind = kinds[draw(&disk.luck, 4)];
    if (kind == SIM_CUT_TORN)
        fault(FAULT_TORN_WRITE);
    disk.deceived = disk.deceived || disk.lied;
    disk.lied = disk.lying = false;
    struct sim *after =
        sim_after_cut(disk.files, SIZE_MAX, kind, false, draw(&disk.luck, UINT64_MAX), &mark);
    after->quota = disk.files->quota;
    sim_free(&disk.files);
    disk.files = after;
    disk.next_fault = SIM_FAULT_NONE;
    sim_record(disk.files);
}

static void dies(void *self, uint64_t arg)
{
    (void)self;
    (void)arg;
    if (disk.dying)
        house_cut_power();
    disk.dying = false;
}

void disk_mishap(struct stream *stream)
{
    uint64_t what = draw(stream, 100);
    if (disk.may_lie && what < 8) {
        note_world("disk: syncs do nothing from now on");
        disk.lying = true;
    } else if (what < 40) {
        fault(FAULT_DISK_SLOW);
        disk.slow_until_us = now_us() + draw_delay_us(stream, 100 * US_MS, 20 * US_S);
    } else if (what < 55) {
        disk.next_fault = SIM_FAULT_EIO;
        disk.fault_call = chance(stream, 500) ? SIM_CALL_WRITE : SIM_CALL_SYNC;
        if (disk.fault_call == SIM_CALL_SYNC && chance(stream, 300)) {
            note_world("disk: no sync works from now on");
            disk.dying = true;
            ground_in(draw_delay_us(stream, US_MS, 3 * US_S), dies, NULL, 0);
        }
    } else if (what < 85) {
        fault(FAULT_DISK_FULL);
        note_world("disk: full");
        disk.full = true;
        disk.files->quota = sim_bytes(disk.files) + TIGHT_BYTES;
    } else {
        note_world("disk: has room again");
        disk.full = false;
        disk.files->quota = ROOM_BYTES;
    }
}

void disk_heal(void)
{
    disk.calm = true;
    disk.full = false;
    disk.slow_until_us = 0;
    disk.next_fault = SIM_FAULT_NONE;
    disk.lying = disk.dying = false;
    disk.files->quota = ROOM_BYTES;
}

bool disk_is_full(void)
{
    return disk.full;
}

bool disk_has_lied(void)
{
    bool deceived = disk.deceived;
    disk.deceived = false;
    return deceived;
}

bool disk_has_ever_lied(void)
{
    return disk.ever_lied;
}

static bool file_holds(const struct sim_inode *file, const char *text, size_t bytes)
{
    static uint8_t window[SEARCHED_MAX + SIM_PAGE_BYTES]; /* what ends the page before, and a page */
    size_t kept = 0;
    for (size_t p = 0; p < file->page_count && p * SIM_PAGE_BYTES < file->size; p++) {
        if (file->pages[p] == NULL) {
            kept = 0;
            continue;
        }
        memcpy(window + kept, file->pages[p]->data, SIM_PAGE_BYTES);
        if (memmem(window, kept + SIM_PAGE_BYTES, text, bytes) != NULL)
            return true;
        memmove(window, window + kept + SIM_PAGE_BYTES - (bytes - 1), bytes - 1);
        kept = bytes - 1;
    }
    return false;
}

static bool files_hold(const struct sim *files_of, const char *text, size_t bytes, char where[DISK_NAME_MAX])
{
    for (int i = 0; i < files_of->name_count; i++) {
        if (!file_holds(&files_of->inodes[files_of->names[i].inode], text, bytes))
            continue;
        snprintf(where, DISK_NAME_MAX, "%s", files_of->names[i].name);
        return true;
    }
    return false;
}

bool disk_holds(const char *text, size_t bytes, char where[DISK_NAME_MAX])
{
    uint64_t mark = 0;
    if (files_hold(disk.files, text, bytes, where))
        return true;
    struct sim *after = sim_after_cut(disk.files, SIZE_MAX, SIM_CUT_NONE, false, 0, &mark);
    bool holds = files_hold(after, text, bytes, where);
    if (holds)
        strncat(where, " after a power cut", DISK_NAME_MAX - strlen(where) - 1);
    sim_free(&after);
    return holds;
}

int64_t disk_worst_us(void)
{
    int64_t worst = disk.worst_us;
    disk.worst_us = 0;
    return worst;
}
