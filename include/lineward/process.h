/* process.h — what a program asks of the system for itself, once, before it reads anything that is secret. */
#ifndef LINEWARD_PROCESS_H
#define LINEWARD_PROCESS_H

#include <stddef.h>
#include <sys/types.h>

/* Nobody but root may look into this process's memory, and no core is written of it: it holds keys, numbers and
 * messages. A child begins without, as exec() has it. */
void process_keep_secrets(void);
/* A standard file that was closed when the program began is empty from now on, and cannot be written: else the next file
 * that is opened would be it, and what is said on it would be written there. */
void process_hold_standard(void);
/* A connection, and a segment of the store, is a descriptor each: takes as many as the system allows. */
void process_take_files(void);
/* How many there may be. */
size_t process_files_max(void);
/* Sets some aside, which only process_open_file() gives out. */
#define PROCESS_FILES_RESERVE 32
void process_reserve_files(void);
/* As open(), also when connections have taken all other descriptors. From any thread. */
int process_open_file(const char *path, int flags, mode_t mode);
/* As close(); what was taken of the reserve goes back to it, before a connection can have it. */
int process_close_file(int file);

/* What a child that reads the open network does not need is given up, and its end is the broker's matter: it ends with the
 * thread that started it, and signals that ask a group to end are ignored. `files_max`: descriptors it may have. */
void process_become_child(size_t files_max);

#endif
