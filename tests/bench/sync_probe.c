/* sync_probe.c — what the disk under the figures does: `sync_probe FOLDER` writes 4 kB into a file that is already
 * there and flushes it, for a second. Both queues pay this for every commit. Prints `p50_us` and `p99_us`. */
#include "bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define BLOCK_BYTES 4096
#define BLOCKS      1024
#define SAMPLES_MAX 100000

int main(int argc, char **argv)
{
    static int64_t samples[SAMPLES_MAX];
    static const char block[BLOCK_BYTES];
    char path[4096];
    if (argc != 2)
        die("usage: sync_probe FOLDER");
    snprintf(path, sizeof path, "%s/sync-probe", argv[1]);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        die("%s:", path);
    for (int i = 0; i < BLOCKS; i++)
        if (write(fd, block, sizeof block) != (ssize_t)sizeof block)
            die("%s:", path);
    fsync(fd);
    size_t count = 0;
    int64_t end = now_ns() + 1000000000;
    for (int64_t begin = now_ns(); begin < end && count < SAMPLES_MAX; begin = now_ns()) {
        if (pwrite(fd, block, sizeof block, (off_t)(count % BLOCKS * BLOCK_BYTES)) != (ssize_t)sizeof block ||
            fdatasync(fd) != 0)
            die("%s:", path);
        samples[count++] = now_ns() - begin;
    }
    close(fd);
    unlink(path);
    printf("p50_us %.1f\n", (double)quantile(samples, count, 0.50) / 1000);
    printf("p99_us %.1f\n", (double)quantile(samples, count, 0.99) / 1000);
    return 0;
}
