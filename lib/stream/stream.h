/*
 * Moving file trees from one agent to another: scan, differences, wire protocol. Knows nothing of Kubernetes, and nothing of B:
 * a receiver may as well be an archive writer one day.
 *
 * Three parties. A *sender* reads trees, a *receiver* writes them, both run in agents (cmd/agent) that a *driver* (os2os) controls
 * over a duplex byte stream, in practice the stdin and stdout of an exec. Sender and receiver talk over a channel of their own: TLS
 * straight from one to the other where a connection opens, else relayed by the driver.
 *
 *	driver -> B: listen(fingerprint of A)     B -> driver: listening(port)
 *	driver -> A: connect(addresses, port, fingerprint of B)   or the other way round; else relay() on both
 *	driver -> B: receive()                    driver -> A: send(final)
 *	A -> driver: sent(...)                    B -> driver: received(...)      both report progress meanwhile
 *	... more rounds ...
 *	driver -> A, B: digest()                  both: digest(root, entries, bytes)
 *
 * A round is a scan of the sender's trees. The sender remembers of every file what it sent: size, mode, owner, times, inode, ctime
 * and a SHA-256 a block. In the next round a file whose inode, size, mtime and ctime are as remembered is not read again (unless
 * its ctime lay so near the last scan that a later write may share it); of a file that changed, only the blocks whose
 * digests changed are sent; what is gone is removed at the receiver. A sender without memory asks the receiver first for an
 * inventory of what it has, so an interrupted transfer, or an older incarnation, costs one read instead of a transfer.
 *
 * What arrives is written in place, synced, and then read back from the disk, not from the page cache: the receiver's digests are of
 * what is durable.
 *
 * Carried: regular files (sparse stays sparse), directories, symbolic links, hard links within a tree, FIFOs, device nodes where the
 * rights suffice, owner, group, mode, mtime with nanoseconds, xattrs (user.*, security.capability, system.posix_acl_*). Sockets are left
 * out; so is lost+found at the root of a tree. The root directory itself is carried as far as the receiver may, and is not part of the
 * digest: it belongs to who made the volume. A block device is a tree of one file. In a round that is not final a file that changes
 * or vanishes while it is read is no error; in the final one it is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define O2_STREAM_VERSION 1
#define O2_STREAM_DIGEST_SIZE 65 /* hex SHA-256 and its NUL */

/* What a round came to. */
struct o2_stream_stats {
	uint64_t files;         /* regular files in the trees */
	uint64_t entries;       /* everything in the trees */
	uint64_t bytes;         /* sum of the sizes */
	uint64_t changed_files; /* of which content was sent or removed */
	uint64_t read_bytes;    /* read from the disk */
	uint64_t sent_bytes;    /* content put on the wire */
	uint64_t elapsed_us;
	uint64_t verify_us; /* receiver: of which reading back */
};

/* What an agent says to its driver. */
enum o2_stream_event_type {
	O2_STREAM_HELLO,     /* first of all: version, uid, fingerprint, trees */
	O2_STREAM_LISTENING, /* port */
	O2_STREAM_CONNECTED, /* the channel to the other agent is open (on both sides) */
	O2_STREAM_PROGRESS,  /* stats so far, at most four a second */
	O2_STREAM_SENT, /* stats: the round is over, and the receiver confirmed that it is durable */
	O2_STREAM_RECEIVED, /* stats */
	O2_STREAM_DIGEST,   /* digest of the trees as the agent knows them after the last round */
	O2_STREAM_LISTED,   /* one entry of a listing: path and its digest; an empty path ends it */
	O2_STREAM_RELAY,    /* bytes for the other agent */
	O2_STREAM_FAILED, /* error: the command failed; the session may go on unless it says otherwise */
	O2_STREAM_EVENT_COUNT
};
struct o2_stream_event {
	enum o2_stream_event_type type;
	int version, uid;
	const char *fingerprint; /* HELLO */
	uint64_t free_bytes;     /* HELLO: of the smallest tree's file system */
	int port;
	struct o2_stream_stats stats;
	const char *digest; /* hex; DIGEST, LISTED */
	const char *path;   /* LISTED: "tree/path" */
	const void *bytes;  /* RELAY */
	size_t len;
	struct o2_err error; /* FAILED: code and words as the agent had them */
};

/* --- the driver's end of a session -------------------------------------------------------------------------------------- */

/*
 * Transport-free: the caller feeds what arrives and sends what comes out.
 * write  takes the bytes (copies); must not block; a negative return is passed on by the function that wrote.
 * event  called from o2_stream_control_feed(); everything in the event is borrowed for the call.
 */
struct o2_stream_control;
typedef int o2_stream_write_fn(void *arg, const void *bytes, size_t len, struct o2_err *err);
typedef void o2_stream_event_fn(void *arg, const struct o2_stream_event *event);
struct o2_stream_control *o2_stream_control_new(o2_stream_write_fn *write,
						o2_stream_event_fn *event, void *arg);
void o2_stream_control_free(struct o2_stream_control *control);
/* Errors: O2_ECORRUPT (not this protocol, or another version). */
O2_MUST_CHECK int o2_stream_control_feed(struct o2_stream_control *control, const void *bytes,
					 size_t len, struct o2_err *err);
O2_MUST_CHECK int o2_stream_control_listen(struct o2_stream_control *control,
					   const char *peer_fingerprint, struct o2_err *err);
/* addresses: numeric, tried in order, `timeout_ms` each. */
O2_MUST_CHECK int o2_stream_control_connect(struct o2_stream_control *control,
					    const char *const *addresses, size_t count, int port,
					    const char *peer_fingerprint, int timeout_ms,
					    struct o2_err *err);
/* The channel to the other agent goes through the driver: RELAY events of one are given to the other by relay_bytes(), each event by
 * one call. At most 4 MiB a direction are under way, so the driver may hold them. */
O2_MUST_CHECK int o2_stream_control_relay(struct o2_stream_control *control, struct o2_err *err);
O2_MUST_CHECK int o2_stream_control_relay_bytes(struct o2_stream_control *control,
						const void *bytes, size_t len, struct o2_err *err);
O2_MUST_CHECK int o2_stream_control_send(struct o2_stream_control *control, bool final,
					 struct o2_err *err);
O2_MUST_CHECK int o2_stream_control_receive(struct o2_stream_control *control, struct o2_err *err);
O2_MUST_CHECK int o2_stream_control_digest(struct o2_stream_control *control, struct o2_err *err);
O2_MUST_CHECK int o2_stream_control_list(struct o2_stream_control *control, struct o2_err *err);
/* The agent ends. */
O2_MUST_CHECK int o2_stream_control_bye(struct o2_stream_control *control, struct o2_err *err);

/* --- the agent's end ---------------------------------------------------------------------------------------------------- */

struct o2_stream_tree {
	const char *name; /* the claim's, no '/' */
	const char *path; /* a directory, or a block device */
};
/*
 * The process ignores SIGPIPE from then on, and its limit of open files is raised as far as it may be.
 * Serve one driver on two descriptors until it says bye or its end is closed. Blocks. Returns 0 after a bye; an error that was told to the
 * driver already is returned too.
 */
O2_MUST_CHECK int o2_stream_session(const struct o2_stream_tree *trees, size_t count, int in_fd,
				    int out_fd, struct o2_err *err);
