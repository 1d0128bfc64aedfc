/*
 * Reading entries ahead, several at a time, in the order in which they are wanted.
 *
 * A cold disk answers many requests in the time of one, so a few threads open and read small files before their turn. Bounded: at most
 * O2_READER_AHEAD entries of at most O2_READER_SMALL bytes. Larger files are only opened; their reading is sequential anyway.
 *
 *	while (o2_reader_room(reader) && ... found the next ...)
 *		o2_reader_push(reader, job);
 *	job = o2_reader_pop(reader, tick, arg, err);       // the oldest; waits until it is read
 *	...
 *	o2_job_free(job);
 */
#pragma once

#include <stdbool.h>

#include "stream/content.h"
#include "stream/entry.h"
#include "stream/scan.h"

#define O2_READER_THREADS 8
#define O2_READER_AHEAD 64
#define O2_READER_SMALL ((size_t)64 << 10)

struct o2_job {
	struct o2_found found; /* taken; st is renewed when the file is opened */
	bool skip;             /* nothing is to be read: it only keeps its place */
	bool from_disk;        /* throw the page cache of it away first */
	bool open_up;          /* we may lend ourselves the right to read our own file */
	void *note;            /* the caller's; freed by free_note unless NULL */
	void (*free_note)(void *note);

	struct o2_entry entry;
	struct o2_block block; /* a small file's only block, if it has one */
	int fd;                /* a larger file's, else -1 */
	uint64_t read_bytes;
	bool sparse;  /* may have holes */
	bool gone;    /* vanished, or became something else */
	bool changed; /* while it was read */
	bool recent;  /* changed so lately that the next change may not show in its times */
	struct o2_err err;

	bool done;
};
struct o2_job *o2_job_new(void);
void o2_job_free(struct o2_job *job);
O2_DEFINE_FREEP(struct o2_job, o2_job_free)
/* Did the file change since job->found.st was taken? For who reads a larger file. */
bool o2_job_moved_on(const struct o2_job *job, int fd);

struct o2_reader;
/* tree_name: for messages; borrowed. */
struct o2_reader *o2_reader_new(void);
/* Ends the threads; jobs that are left are freed. */
void o2_reader_free(struct o2_reader *reader);
O2_DEFINE_FREEP(struct o2_reader, o2_reader_free)
bool o2_reader_room(const struct o2_reader *reader);
bool o2_reader_empty(const struct o2_reader *reader);
/* Takes the job. */
void o2_reader_push(struct o2_reader *reader, struct o2_job *job);
/*
 * The oldest job, when it is done; the caller frees it. Not when empty.
 * tick  called now and then while waiting; its failure ends the wait.
 */
O2_MUST_CHECK struct o2_job *o2_reader_pop(struct o2_reader *reader,
					   int (*tick)(void *arg, struct o2_err *err), void *arg,
					   struct o2_err *err);
