#include "stream/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES ((size_t)256 << 10)
#define RECENT_S 2

struct o2_reader {
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	struct o2_job *jobs[O2_READER_AHEAD]; /* a ring */
	size_t first, count;
	size_t taken; /* of the count, from the first on, by threads */
	bool ending;
	pthread_t threads[O2_READER_THREADS];
	size_t thread_count;
};

struct o2_job *o2_job_new(void)
{
	struct o2_job *job = o2_xcalloc(1, sizeof(*job));

	job->fd = -1;
	return job;
}

void o2_job_free(struct o2_job *job)
{
	if (job == NULL)
		return;
	if (job->note && job->free_note)
		job->free_note(job->note);
	if (job->fd >= 0)
		close(job->fd);
	o2_found_release(&job->found);
	o2_entry_release(&job->entry);
	o2_block_release(&job->block);
	free(job);
}

/* --- reading one entry --- */

static bool is_gone(int code)
{
	return code == -O2_ENOTFOUND;
}

static bool moved_on(const struct stat *then, const struct stat *now)
{
	return then->st_ino != now->st_ino || then->st_size != now->st_size ||
	       then->st_mtim.tv_sec != now->st_mtim.tv_sec ||
	       then->st_mtim.tv_nsec != now->st_mtim.tv_nsec ||
	       then->st_ctim.tv_sec != now->st_ctim.tv_sec ||
	       then->st_ctim.tv_nsec != now->st_ctim.tv_nsec;
}

bool o2_job_moved_on(const struct o2_job *job, int fd)
{
	struct stat now;

	if (job->found.type == O2_ENTRY_DEVICE)
		return false;
	return fstat(fd, &now) < 0 || moved_on(&job->found.st, &now);
}

/* Not to change the time of access is a courtesy that only owners may show. */
static int open_quietly(int dir_fd, const char *name)
{
	int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd = openat(dir_fd, name, flags | O_NOATIME);

	if (fd >= 0 || errno != EPERM)
		return fd;
	return openat(dir_fd, name, flags);
}

static int open_file(const struct o2_job *job)
{
	const struct o2_found *found = &job->found;
	int fd = open_quietly(found->dir->fd, found->name);

	if (fd >= 0 || errno != EACCES || !job->open_up || found->st.st_uid != geteuid())
		return fd;
	if (o2_chmod_at(found->dir->fd, found->name, (found->st.st_mode & 07777) | 0400) != 0)
		return errno = EACCES, -1;
	fd = open_quietly(found->dir->fd, found->name);
	int failed = errno;
	(void)o2_chmod_at(found->dir->fd, found->name, found->st.st_mode & 07777);
	errno = failed;
	return fd;
}

static int read_small(struct o2_job *job)
{
	size_t size = (size_t)job->found.st.st_size;
	int rc;

	job->block.bytes = o2_xmalloc(size);
	rc = o2_block_read(job->fd, size, 0, job->sparse, &job->block, &job->read_bytes, &job->err);
	if (rc == 0)
		job->changed |= job->block.is_short || o2_job_moved_on(job, job->fd);
	return rc;
}

static bool is_small(const struct o2_job *job)
{
	return (size_t)job->found.st.st_size <= O2_READER_SMALL;
}

/* Open a file; read it if it is small. */
static int read_file(struct o2_job *job)
{
	struct stat *st = &job->found.st;
	struct stat now;
	int fd = job->fd = open_file(job);

	if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENXIO))
		return o2_fail(&job->err, O2_ENOTFOUND, "vanished");
	if (fd < 0 || fstat(fd, &now) < 0)
		return o2_fail_errno(&job->err, errno, "cannot open it as user %u",
				     (unsigned)geteuid());
	if (!S_ISREG(now.st_mode))
		return o2_fail(&job->err, O2_ENOTFOUND, "became something else");
	job->changed = now.st_ino != st->st_ino;
	*st = now;
	job->sparse = st->st_blocks * 512 < st->st_size;
	if (job->from_disk)
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (!is_small(job))
		return posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL), 0;
	return st->st_size > 0 ? read_small(job) : 0;
}

static int read_device(struct o2_job *job)
{
	job->fd = fcntl(job->found.dir->fd, F_DUPFD_CLOEXEC, 0);
	if (job->fd < 0)
		return o2_fail_errno(&job->err, errno, "cannot open the device");
	if (job->from_disk)
		(void)posix_fadvise(job->fd, 0, 0, POSIX_FADV_DONTNEED);
	return 0;
}

static void run(struct o2_job *job)
{
	struct timespec now;
	int rc = 0;

	clock_gettime(CLOCK_REALTIME, &now);
	if (job->found.type == O2_ENTRY_FILE)
		rc = read_file(job);
	else if (job->found.type == O2_ENTRY_DEVICE)
		rc = read_device(job);
	job->recent = job->found.st.st_ctim.tv_sec + RECENT_S >= now.tv_sec;
	o2_entry_init(&job->entry, job->found.type, &job->found.st);
	if (job->found.type == O2_ENTRY_HARDLINK)
		job->entry.target = o2_xstrdup(job->found.first_path);
	if (rc == 0)
		rc = o2_entry_read_links(&job->entry, job->fd, job->found.dir->fd, job->found.name,
					 &job->err);
	if (job->found.type == O2_ENTRY_FILE && job->fd >= 0 && is_small(job)) {
		close(job->fd);
		job->fd = -1;
	}
	if (is_gone(rc)) {
		job->gone = true;
		o2_err_clear(&job->err);
	}
}

/* --- threads --- */

static void *serve(void *arg)
{
	struct o2_reader *reader = arg;

	pthread_mutex_lock(&reader->lock);
	while (!reader->ending) {
		if (reader->taken == reader->count) {
			pthread_cond_wait(&reader->work, &reader->lock);
			continue;
		}
		struct o2_job *job =
			reader->jobs[(reader->first + reader->taken++) % O2_READER_AHEAD];
		if (job->done)
			continue;
		pthread_mutex_unlock(&reader->lock);
		run(job);
		pthread_mutex_lock(&reader->lock);
		job->done = true;
		pthread_cond_signal(&reader->done);
	}
	pthread_mutex_unlock(&reader->lock);
	return NULL;
}

struct o2_reader *o2_reader_new(void)
{
	struct o2_reader *reader = o2_xcalloc(1, sizeof(*reader));
	pthread_attr_t attributes;
	pthread_condattr_t clock;

	pthread_mutex_init(&reader->lock, NULL);
	pthread_cond_init(&reader->work, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&reader->done, &clock);
	pthread_condattr_destroy(&clock);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	while (reader->thread_count < O2_READER_THREADS &&
	       pthread_create(&reader->threads[reader->thread_count], &attributes, serve, reader) ==
		       0)
		reader->thread_count++;
	pthread_attr_destroy(&attributes);
	return reader;
}

void o2_reader_free(struct o2_reader *reader)
{
	if (reader == NULL)
		return;
	pthread_mutex_lock(&reader->lock);
	reader->ending = true;
	pthread_cond_broadcast(&reader->work);
	pthread_mutex_unlock(&reader->lock);
	for (size_t i = 0; i < reader->thread_count; i++)
		pthread_join(reader->threads[i], NULL);
	for (size_t i = 0; i < reader->count; i++)
		o2_job_free(reader->jobs[(reader->first + i) % O2_READER_AHEAD]);
	pthread_cond_destroy(&reader->work);
	pthread_cond_destroy(&reader->done);
	pthread_mutex_destroy(&reader->lock);
	free(reader);
}

bool o2_reader_room(const struct o2_reader *reader)
{
	return reader->count < O2_READER_AHEAD;
}

bool o2_reader_empty(const struct o2_reader *reader)
{
	return reader->count == 0;
}

void o2_reader_push(struct o2_reader *reader, struct o2_job *job)
{
	/* Where no thread could be had (a limit on processes), the caller reads. */
	if (!job->skip && reader->thread_count == 0)
		run(job);
	pthread_mutex_lock(&reader->lock);
	job->done = job->skip || reader->thread_count == 0;
	reader->jobs[(reader->first + reader->count++) % O2_READER_AHEAD] = job;
	if (!job->done)
		pthread_cond_signal(&reader->work);
	pthread_mutex_unlock(&reader->lock);
}

struct o2_job *o2_reader_pop(struct o2_reader *reader, int (*tick)(void *arg, struct o2_err *err),
			     void *arg, struct o2_err *err)
{
	struct o2_job *job;
	int rc = 0;

	pthread_mutex_lock(&reader->lock);
	job = reader->jobs[reader->first];
	while (!job->done && rc == 0) {
		struct timespec until;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec++;
		if (pthread_cond_timedwait(&reader->done, &reader->lock, &until) == ETIMEDOUT) {
			pthread_mutex_unlock(&reader->lock);
			rc = tick(arg, err);
			pthread_mutex_lock(&reader->lock);
		}
	}
	if (rc == 0) {
		reader->first = (reader->first + 1) % O2_READER_AHEAD;
		reader->count--;
		/* Done ones that no thread ever looked at stand at the front, too. */
		if (reader->taken > 0)
			reader->taken--;
	}
	pthread_mutex_unlock(&reader->lock);
	return rc == 0 ? job : NULL;
}
