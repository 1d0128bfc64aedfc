/* What goes wrong: space, rights, dead peers, hostile peers, disks that lie. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/mount.h>

#include "stream/pair_test.h"
#include "stream/stream_internal.h"
#include "stream/world_test.h"

/* --- the disk --- */

static void a_full_receiver_is_told_to_both_and_the_session_goes_on(void **state)
{
	const struct world *world = *state;
	struct pair pair;

	if (mount("none", world->to, "tmpfs", 0, "size=4m") < 0) {
		print_message("skipped: a small file system needs the right to mount one\n");
		skip();
	}
	write_random(world, "fits", 0, MIB);
	write_random(world, "large", 0, 40 * MIB);
	open_pair(&pair, world, true);
	assert_false(pair_round(&pair, false));
	assert_int_equal(pair.a.error.code, -O2_ELIMIT);
	assert_int_equal(pair.b.error.code, -O2_ELIMIT);
	assert_non_null(strstr(pair.b.error.message, "data/large"));
	assert_non_null(strstr(pair.a.error.message, "data/large"));
	assert_non_null(strstr(pair.a.error.message, "No space left"));
	shell(world, "rm \"$FROM/large\"");
	assert_round(&pair, true);
	assert_true(pair_digests_agree(&pair));
	pair_end(&pair);
	assert_same(world);
	umount(world->to);
}

static void corruption_on_the_receivers_disk_is_found_and_mended(void **state)
{
	const struct world *world = *state;
	struct pair pair;

	write_random(world, "f", 0, 10 * MIB);
	open_pair(&pair, world, true);
	assert_round(&pair, false);
	shell(world, "touch -r \"$TO/f\" \"$TO.when\"; printf Y | dd of=\"$TO/f\" bs=1 "
		     "seek=5000000 conv=notrunc 2>/dev/null; "
		     "touch -r \"$TO.when\" \"$TO/f\"");
	pair_end(&pair);
	open_pair(&pair, world, true);
	assert_false(pair_digests_agree(&pair));
	assert_round(&pair, true);
	assert_int_equal(pair.a.stats.sent_bytes, MIB);
	assert_true(pair_digests_agree(&pair));
	pair_end(&pair);
	assert_same(world);
}

static void listings_name_the_difference(void **state)
{
	const struct world *world = *state;
	struct pair pair;

	shell(world, "for d in \"$FROM\" \"$TO\"; do echo same >$d/a; echo x >$d/b; touch -d "
		     "2001-01-01 $d/a $d/b; done; echo y >\"$TO/b\"; "
		     "touch -d 2001-01-01 \"$TO/b\"");
	pair_start(&pair, world->from, world->to, false);
	assert_int_equal(o2_stream_control_list(pair.a.control, NULL), 0);
	assert_int_equal(o2_stream_control_list(pair.b.control, NULL), 0);
	while (pair.a.seen[O2_STREAM_LISTED] < 3 || pair.b.seen[O2_STREAM_LISTED] < 3)
		(void)pair_wait(&pair,
				pair.a.seen[O2_STREAM_LISTED] < 3 ? O2_STREAM_LISTED
								  : O2_STREAM_EVENT_COUNT,
				pair.b.seen[O2_STREAM_LISTED] < 3 ? O2_STREAM_LISTED
								  : O2_STREAM_EVENT_COUNT);
	assert_non_null(strstr(pair.a.list.data, " data/a\n"));
	assert_memory_equal(pair.a.list.data, pair.b.list.data, 64 + strlen(" data/a\n"));
	assert_string_not_equal(pair.a.list.data, pair.b.list.data);
	pair_end(&pair);
}

static void *let_go_soon(void *fd)
{
	usleep(300 * 1000);
	flock(*(int *)fd, LOCK_UN);
	return NULL;
}

static void a_tree_has_one_writer_at_a_time(void **state)
{
	const struct world *world = *state;
	struct pair pair;
	pthread_t thread;
	int fd = open(world->to, O_RDONLY | O_DIRECTORY | O_CLOEXEC), other;

	shell(world, "echo x >\"$FROM/a\"");
	assert_int_equal(flock(fd, LOCK_EX), 0);
	pair_start(&pair, world->from, world->to, false);
	pair_connect(&pair, true);
	assert_int_equal(pthread_create(&thread, NULL, let_go_soon, &fd), 0);
	assert_true(pair_round(&pair, false));
	assert_true(pair.a.stats.elapsed_us > 200000);
	pthread_join(thread, NULL);
	/* Now it is the session's, until that ends. */
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
	pair_end(&pair);
	other = flock(fd, LOCK_EX | LOCK_NB);
	close(fd);
	assert_int_equal(other, 0);
}

/* --- rights --- */

static void start_as(struct pair *pair, const struct world *world, uid_t sender, uid_t receiver)
{
	side_start(&pair->a, world->from, true, sender);
	side_start(&pair->b, world->to, true, receiver);
	pair->a.other = &pair->b;
	pair->b.other = &pair->a;
	assert_true(pair_wait(pair, O2_STREAM_HELLO, O2_STREAM_HELLO));
	pair_connect(pair, true);
}

static bool is_root(void)
{
	if (geteuid() == 0)
		return true;
	print_message("skipped: only root can act for several users\n");
	return false;
}

static void a_receiver_that_may_not_give_away_says_what_it_needs(void **state)
{
	const struct world *world = *state;
	struct pair pair;

	if (!is_root())
		skip();
	shell(world,
	      "echo 1 >\"$FROM/mine\"; chown 1234:1234 \"$FROM/mine\"; chown 999:999 \"$TO\"");
	start_as(&pair, world, 0, 999);
	assert_false(pair_round(&pair, true));
	assert_int_equal(pair.b.error.code, -O2_EAUTH);
	assert_non_null(strstr(pair.b.error.message, "owner 1234:1234 of 'data/mine' as user 999"));
	assert_non_null(strstr(pair.a.error.message, "--mover-as-root"));
	pair_end(&pair);
}

static void an_owner_gets_along_without_root(void **state)
{
	const struct world *world = *state;
	struct pair pair;

	if (!is_root())
		skip();
	shell(world, "cd \"$FROM\"; mkdir -p shut/in; echo 1 >shut/in/f; echo 2 >locked; chmod "
		     "0400 locked shut/in/f; chmod 0500 shut/in; chmod 0555 shut; "
		     "chown -hR 999:999 .; chown 0:0 . \"$TO\"; chmod 0777 . \"$TO\"");
	start_as(&pair, world, 999, 999);
	assert_round(&pair, false);
	assert_true(pair_digests_agree(&pair));
	assert_same(world);
	shell(world, "cd \"$FROM\"; echo 3 >shut/in/f; echo 4 >shut/in/g; chown 999:999 shut/in/g; "
		     "rm locked");
	assert_round(&pair, false);
	assert_same(world);
	shell(world, "cd \"$FROM\"; rm -r shut");
	assert_round(&pair, true);
	assert_true(pair_digests_agree(&pair));
	pair_end(&pair);
	assert_same(world);
}

static void modes_that_shut_out_their_owner_are_written_by_him(void **state)
{
	const struct world *world = *state;
	struct pair pair;

	if (!is_root())
		skip();
	shell(world, "cd \"$FROM\"; mkdir -p none/below; echo 1 >none/below/f; echo 2 >zero; chmod "
		     "0000 zero none/below/f none/below none; "
		     "chown -hR 999:999 .; chown 999:999 \"$TO\"");
	start_as(&pair, world, 0, 999);
	assert_round(&pair, false);
	assert_true(pair_digests_agree(&pair));
	assert_same(world);
	pair_end(&pair);
	/* Without memory, the receiver has to read them again. */
	start_as(&pair, world, 0, 999);
	assert_round(&pair, true);
	assert_int_equal(pair.a.stats.sent_bytes, 0);
	pair_end(&pair);
	assert_same(world);
}

static void a_sender_that_may_not_read_says_so(void **state)
{
	const struct world *world = *state;
	struct pair pair;

	if (!is_root())
		skip();
	shell(world, "echo 1 >\"$FROM/secret\"; chmod 0600 \"$FROM/secret\"");
	start_as(&pair, world, 999, 0);
	assert_false(pair_round(&pair, true));
	assert_int_equal(pair.a.error.code, -O2_EAUTH);
	assert_non_null(strstr(pair.a.error.message, "data/secret"));
	assert_non_null(strstr(pair.b.error.message, "--mover-as-root"));
	pair_end(&pair);
}

/* --- peers that die, or are not who they should be --- */

static void kill_in_the_middle(const struct world *world, bool receiver)
{
	struct pair pair;
	int64_t start;

	write_random(world, "big", 0, 200 * MIB);
	pair_start(&pair, world->from, world->to, true);
	pair_connect(&pair, false);
	assert_int_equal(o2_stream_control_receive(pair.b.control, NULL), 0);
	assert_int_equal(o2_stream_control_send(pair.a.control, false, NULL), 0);
	(void)pair_wait(&pair, O2_STREAM_PROGRESS, O2_STREAM_EVENT_COUNT);
	start = o2_clock_ms();
	kill(receiver ? pair.b.pid : pair.a.pid, SIGKILL);
	assert_false(pair_wait(&pair, receiver ? O2_STREAM_SENT : O2_STREAM_EVENT_COUNT,
			       receiver ? O2_STREAM_EVENT_COUNT : O2_STREAM_RECEIVED));
	assert_int_equal((receiver ? &pair.a : &pair.b)->error.code, -O2_ETRANSIENT);
	assert_true(o2_clock_ms() - start < 10000);
	/* The one that lives still answers. */
	assert_int_equal(o2_stream_control_digest((receiver ? &pair.a : &pair.b)->control, NULL),
			 0);
	assert_true(pair_wait(&pair, receiver ? O2_STREAM_DIGEST : O2_STREAM_EVENT_COUNT,
			      receiver ? O2_STREAM_EVENT_COUNT : O2_STREAM_DIGEST));
	pair_end(&pair);
}

static void a_killed_receiver_fails_the_sender_at_once(void **state)
{
	kill_in_the_middle(*state, true);
}

static void a_killed_sender_fails_the_receiver_at_once(void **state)
{
	kill_in_the_middle(*state, false);
}

static void a_bye_ends_what_runs(void **state)
{
	const struct world *world = *state;
	struct pair pair;

	write_random(world, "big", 0, 200 * MIB);
	open_pair(&pair, world, true);
	assert_int_equal(o2_stream_control_receive(pair.b.control, NULL), 0);
	assert_int_equal(o2_stream_control_send(pair.a.control, false, NULL), 0);
	(void)pair_wait(&pair, O2_STREAM_PROGRESS, O2_STREAM_EVENT_COUNT);
	int64_t start = o2_clock_ms();
	pair_end(&pair);
	assert_true(o2_clock_ms() - start < 10000);
}

static void strangers_at_the_door_are_turned_away(void **state)
{
	static const char *const addresses[] = { "127.0.0.1" };
	const struct world *world = *state;
	struct sockaddr_in where = { .sin_family = AF_INET };
	struct pair pair;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	shell(world, "echo 1 >\"$FROM/f\"");
	pair_start(&pair, world->from, world->to, false);
	assert_int_equal(o2_stream_control_listen(pair.b.control, pair.a.fingerprint, NULL), 0);
	assert_true(pair_wait(&pair, O2_STREAM_EVENT_COUNT, O2_STREAM_LISTENING));
	where.sin_port = htons((uint16_t)pair.b.port);
	where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&where, sizeof(where)), 0);
	assert_int_equal(write(fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
	/* The right one, who takes the other for somebody else. */
	assert_int_equal(o2_stream_control_connect(pair.a.control, addresses, 1, pair.b.port,
						   pair.a.fingerprint, 3000, NULL),
			 0);
	assert_false(pair_wait(&pair, O2_STREAM_CONNECTED, O2_STREAM_EVENT_COUNT));
	assert_int_equal(pair.a.error.code, -O2_EAUTH);
	assert_int_equal(o2_stream_control_connect(pair.a.control, addresses, 1, pair.b.port,
						   pair.b.fingerprint, 5000, NULL),
			 0);
	assert_true(pair_wait(&pair, O2_STREAM_CONNECTED, O2_STREAM_CONNECTED));
	close(fd);
	assert_round(&pair, true);
	pair_end(&pair);
	assert_same(world);
}

static void nobody_there_is_a_failure_soon(void **state)
{
	static const char *const addresses[] = { "127.0.0.1", "not numeric" };
	const struct world *world = *state;
	struct pair pair;

	pair_start(&pair, world->from, world->to, false);
	assert_int_equal(o2_stream_control_connect(pair.a.control, addresses, 1, 1,
						   pair.b.fingerprint, 2000, NULL),
			 0);
	assert_false(pair_wait(&pair, O2_STREAM_CONNECTED, O2_STREAM_EVENT_COUNT));
	assert_int_equal(pair.a.error.code, -O2_ETRANSIENT);
	assert_non_null(strstr(pair.a.error.message, "127.0.0.1"));
	/* And a round without a connection. */
	assert_int_equal(o2_stream_control_send(pair.a.control, false, NULL), 0);
	assert_false(pair_wait(&pair, O2_STREAM_SENT, O2_STREAM_EVENT_COUNT));
	assert_int_equal(pair.a.error.code, -O2_ETRANSIENT);
	pair_end(&pair);
}

/* --- content that changes on its way --- */

static void a_changed_byte_is_not_confirmed(void **state)
{
	const struct world *world = *state;
	struct pair pair;

	write_random(world, "big", 0, 3 * MIB);
	open_pair(&pair, world, true);
	pair.a.corrupt_at = 2 * MIB;
	assert_false(pair_round(&pair, false));
	assert_int_equal(pair.a.error.code, -O2_EIO);
	assert_non_null(strstr(pair.b.error.message, "data/big"));
	assert_round(&pair, true);
	assert_int_equal(pair.a.stats.sent_bytes, MIB);
	assert_true(pair_digests_agree(&pair));
	pair_end(&pair);
	assert_same(world);
}

static void *keep_writing(void *arg)
{
	const struct world *world = arg;
	int64_t end = o2_clock_ms() + 1500;

	for (size_t i = 0; o2_clock_ms() < end; i++) {
		O2_AUTO(o2_freep) char *path = at(world, false, i % 2 ? "log" : "log2");
		O2_AUTO(o2_freep) char *other = at(world, false, "renamed");
		int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
		(void)!write(fd, path, 20);
		(void)!pwrite(fd, path, 20, (off_t)(i % 100) * 30000);
		if (i % 100 == 0)
			(void)!ftruncate(fd, 12345);
		close(fd);
		if (i % 50 == 0)
			(void)!rename(path, other);
	}
	return NULL;
}

static void a_tree_that_is_written_meanwhile_arrives_in_the_end(void **state)
{
	struct world *world = *state;
	pthread_t writer;
	struct pair pair;

	write_random(world, "log", 0, 2 * MIB);
	open_pair(&pair, world, true);
	assert_int_equal(pthread_create(&writer, NULL, keep_writing, world), 0);
	for (int i = 0; i < 5; i++)
		assert_round(&pair, false);
	pthread_join(writer, NULL);
	assert_round(&pair, true);
	assert_true(pair_digests_agree(&pair));
	pair_end(&pair);
	assert_same(world);
}

/* --- a hostile sender --- */

struct hostile {
	struct side b, nobody;
	struct o2_buf out; /* frames; a byte in front says that they are data */
};

static void hostile_send(struct hostile *hostile)
{
	assert_int_equal(o2_stream_control_relay_bytes(hostile->b.control, hostile->out.data,
						       hostile->out.len, NULL),
			 0);
	o2_buf_clear(&hostile->out);
	o2_wire_put_u8(&hostile->out, 0);
}

static void hostile_pump(struct hostile *hostile, unsigned wait_ms)
{
	struct pollfd wait = { .fd = hostile->b.fd, .events = POLLIN };

	if (poll(&wait, 1, (int)wait_ms) > 0)
		side_take(&hostile->b);
}

static void hostile_start(struct hostile *hostile, const struct world *world, uint32_t version)
{
	side_start(&hostile->b, world->to, false, 0);
	hostile->b.drop_after = 1; /* nobody reads what it answers */
	hostile->b.other = &hostile->b;
	o2_buf_init(&hostile->out, 2 * MIB);
	o2_wire_put_u8(&hostile->out, 0);
	assert_int_equal(o2_stream_control_relay(hostile->b.control, NULL), 0);
	assert_int_equal(o2_stream_control_receive(hostile->b.control, NULL), 0);
	size_t begin = o2_wire_begin(&hostile->out, O2_FRAME_BEGIN);
	o2_wire_put_u32(&hostile->out, version);
	o2_wire_put_u32(&hostile->out, 1);
	o2_buf_add(&hostile->out, "0123456789abcdef", 16);
	o2_wire_put_u16(&hostile->out, 1);
	o2_wire_put_text(&hostile->out, "data");
	o2_wire_put_u8(&hostile->out, 0);
	o2_wire_end(&hostile->out, begin);
	begin = o2_wire_begin(&hostile->out, O2_FRAME_TREE);
	o2_wire_put_u16(&hostile->out, 0);
	o2_wire_end(&hostile->out, begin);
	hostile_send(hostile);
}

static void hostile_entry(struct hostile *hostile, const char *path, size_t len, uint8_t type,
			  const char *target)
{
	struct o2_entry entry = { .type = type, .mode = 0644, .target = (char *)target };
	size_t begin = o2_wire_begin(&hostile->out, O2_FRAME_ENTRY);

	o2_buf_init(&entry.xattrs, 16);
	o2_wire_put_bytes(&hostile->out, path, len);
	o2_wire_put_u8(&hostile->out, 1);
	o2_entry_put(&hostile->out, &entry);
	o2_wire_end(&hostile->out, begin);
	o2_buf_release(&entry.xattrs);
}

/* The receiver has failed; it says so although the sender never hears it. */
static void hostile_end(struct hostile *hostile, int code)
{
	struct o2_err gave_up = { 0 };
	int64_t end = o2_clock_ms() + 10000;
	size_t begin = o2_wire_begin(&hostile->out, O2_FRAME_ERROR);

	o2_wire_put_u32(&hostile->out, 1);
	(void)!o2_fail(&gave_up, O2_EINTERNAL, "gave up");
	o2_error_put(&hostile->out, &gave_up);
	o2_wire_end(&hostile->out, begin);
	hostile_send(hostile);
	while (hostile->b.seen[O2_STREAM_FAILED] == 0 && o2_clock_ms() < end)
		hostile_pump(hostile, 1000);
	assert_int_equal(hostile->b.seen[O2_STREAM_FAILED], 1);
	if (code && hostile->b.error.code != -code)
		fail_msg("%s", hostile->b.error.message);
	(void)!o2_stream_control_bye(hostile->b.control, NULL);
	while (hostile->b.running)
		hostile_pump(hostile, 1000);
	side_end(&hostile->b);
	o2_buf_release(&hostile->out);
}

static void paths_that_lead_out_are_refused(void **state)
{
	static const struct {
		const char *path;
		size_t len;
	} paths[] = {
		{ "../x", 4 }, { "/x", 2 },   { "a/../../x", 9 }, { "a//x", 4 }, { "./x", 3 },
		{ "x/", 2 },   { "x\0y", 3 }, { "..", 2 },        { ".", 1 },
	};
	const struct world *world = *state;

	for (size_t i = 0; i < O2_COUNT(paths); i++) {
		struct hostile hostile;
		hostile_start(&hostile, world, O2_STREAM_VERSION);
		hostile_entry(&hostile, paths[i].path, paths[i].len, O2_ENTRY_FILE, NULL);
		hostile_end(&hostile, O2_ECORRUPT);
	}
	shell(world, "test \"$(ls -A \"${TO%/to}\" | tr '\\n' ' ')\" = 'from to '; test -z \"$(ls "
		     "-A \"$TO\")\"");
}

static void links_do_not_lead_out(void **state)
{
	const struct world *world = *state;
	struct hostile hostile;

	shell(world, "mkdir \"$TO.outside\"; echo safe >\"$TO.outside/kept\"");
	/* A link that the sender itself makes first. */
	hostile_start(&hostile, world, O2_STREAM_VERSION);
	hostile_entry(&hostile, "d", 1, O2_ENTRY_SYMLINK, "../to.outside");
	struct o2_entry link = { .type = O2_ENTRY_SYMLINK,
				 .mode = 0644,
				 .target = (char[]){ "../to.outside" } };
	unsigned char digest[O2_SHA256_BYTES];
	o2_buf_init(&link.xattrs, 16);
	o2_entry_digest(&link, NULL, 0, digest);
	o2_buf_release(&link.xattrs);
	size_t begin = o2_wire_begin(&hostile.out, O2_FRAME_ENTRY_END);
	o2_buf_add(&hostile.out, digest, sizeof(digest));
	o2_wire_end(&hostile.out, begin);
	hostile_entry(&hostile, "d/x", 3, O2_ENTRY_FILE, NULL);
	hostile_end(&hostile, O2_ENOTFOUND);
	/* A link that is put there under way. */
	shell(world, "test -L \"$TO/d\"; rm \"$TO/d\"");
	hostile_start(&hostile, world, O2_STREAM_VERSION);
	o2_clock_sleep_ms(300);
	shell(world, "ln -s ../to.outside \"$TO/d\"");
	begin = o2_wire_begin(&hostile.out, O2_FRAME_REMOVE);
	o2_wire_put_text(&hostile.out, "d/kept");
	o2_wire_end(&hostile.out, begin);
	hostile_entry(&hostile, "d/x", 3, O2_ENTRY_FILE, NULL);
	hostile_end(&hostile, O2_ENOTFOUND);
	/* A hard link to what is outside. */
	hostile_start(&hostile, world, O2_STREAM_VERSION);
	hostile_entry(&hostile, "z", 1, O2_ENTRY_HARDLINK, "d/kept");
	hostile_end(&hostile, O2_ENOTFOUND);
	shell(world, "test \"$(ls \"$TO.outside\")\" = kept; test \"$(cat \"$TO.outside/kept\")\" "
		     "= safe; ! test -e \"$TO/z\"");
}

static void another_version_is_refused(void **state)
{
	struct hostile hostile;

	hostile_start(&hostile, *state, O2_STREAM_VERSION + 1);
	hostile_end(&hostile, O2_EUNSUPPORTED);
}

/* Seeded, so that a failure comes again. */
static void random_frames_from_the_sender_are_survived(void **state)
{
	unsigned seed = 20;

	for (int i = 0; i < 60; i++) {
		struct hostile hostile;
		hostile_start(&hostile, *state, O2_STREAM_VERSION);
		for (int j = 0; j < 20; j++) {
			unsigned char bytes[64];
			size_t len = (size_t)rand_r(&seed) % sizeof(bytes);
			for (size_t k = 0; k < len; k++)
				bytes[k] = rand_r(&seed) % 4 ? 0 : (unsigned char)rand_r(&seed);
			if (rand_r(&seed) % 4 == 0)
				hostile_entry(&hostile, "a", 1, (uint8_t)(1 + rand_r(&seed) % 8),
					      "b");
			size_t begin = o2_wire_begin(&hostile.out,
						     (uint8_t)(1 + (unsigned)rand_r(&seed) % 7));
			o2_buf_add(&hostile.out, bytes, len);
			o2_wire_end(&hostile.out, begin);
		}
		hostile_end(&hostile, 0);
	}
}

/* --- a hostile receiver --- */

/* A sender whose receiver answers with this frame and noise. Returns how it failed. */
static int answer_sender(const struct world *world, uint8_t type, unsigned *seed)
{
	struct hostile hostile;
	uint32_t round = 0;

	side_start(&hostile.b, world->from, false, 0);
	side_start(&hostile.nobody, world->to, false, 0);
	hostile.b.other = &hostile.nobody; /* which was told nothing, and drops what it gets */
	hostile.b.keep_relayed = true;
	o2_buf_init(&hostile.out, 2 * MIB);
	o2_wire_put_u8(&hostile.out, 0);
	assert_int_equal(o2_stream_control_relay(hostile.b.control, NULL), 0);
	assert_int_equal(o2_stream_control_send(hostile.b.control, false, NULL), 0);
	while (hostile.b.relayed == 0)
		hostile_pump(&hostile, 1000);
	/* The round's number: behind the kind of message, the frame's header and the version. */
	memcpy(&round, hostile.b.kept + 1 + O2_WIRE_HEADER_BYTES + 4, 4);
	for (int i = 0; i < 20; i++) {
		size_t begin = o2_wire_begin(&hostile.out,
					     i == 0 ? type : (uint8_t)(8 + rand_r(seed) % 6));
		o2_buf_add(&hostile.out, &round, 4);
		for (int k = rand_r(seed) % 60; k > 0; k--)
			o2_wire_put_u8(&hostile.out, rand_r(seed) % 3 ? 0 : (uint8_t)rand_r(seed));
		o2_wire_end(&hostile.out, begin);
	}
	hostile_send(&hostile);
	while (hostile.b.seen[O2_STREAM_FAILED] == 0 && hostile.b.running)
		hostile_pump(&hostile, 1000);
	int code = hostile.b.error.code;
	(void)!o2_stream_control_bye(hostile.b.control, NULL);
	(void)!o2_stream_control_bye(hostile.nobody.control, NULL);
	while (hostile.b.running)
		hostile_pump(&hostile, 1000);
	side_end(&hostile.b);
	side_end(&hostile.nobody);
	o2_buf_release(&hostile.out);
	return code;
}

static void random_answers_of_a_receiver_are_survived(void **state)
{
	const struct world *world = *state;
	unsigned seed = 5;

	shell(world, "echo 1 >\"$FROM/f\"");
	for (int i = 0; i < 60; i++)
		assert_true(answer_sender(world, (uint8_t)(8 + i % 6), &seed) < 0);
}

static void a_driver_of_another_version_is_refused(void **state)
{
	const struct world *world = *state;
	struct side side;
	struct o2_buf hello;

	side_start(&side, world->from, false, 0);
	o2_buf_init(&hello, 256);
	size_t begin = o2_wire_begin(&hello, O2_COMMAND_HELLO);
	o2_wire_put_text(&hello, O2_DRIVER_MAGIC);
	o2_wire_put_u32(&hello, O2_STREAM_VERSION + 1);
	o2_wire_end(&hello, begin);
	assert_int_equal(side_write(&side, hello.data, hello.len, NULL), 0);
	o2_buf_release(&hello);
	while (side.running) {
		struct pollfd wait = { .fd = side.fd, .events = POLLIN };
		assert_int_equal(poll(&wait, 1, 10000), 1);
		side_take(&side);
	}
	assert_int_equal(side.error.code, -O2_EUNSUPPORTED);
	side_end(&side);
	assert_int_equal(side.rc, -O2_EUNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_full_receiver_is_told_to_both_and_the_session_goes_on),
		TEST(corruption_on_the_receivers_disk_is_found_and_mended),
		TEST(listings_name_the_difference),
		TEST(a_tree_has_one_writer_at_a_time),
		TEST(a_receiver_that_may_not_give_away_says_what_it_needs),
		TEST(an_owner_gets_along_without_root),
		TEST(modes_that_shut_out_their_owner_are_written_by_him),
		TEST(a_sender_that_may_not_read_says_so),
		TEST(a_killed_receiver_fails_the_sender_at_once),
		TEST(a_killed_sender_fails_the_receiver_at_once),
		TEST(a_bye_ends_what_runs),
		TEST(strangers_at_the_door_are_turned_away),
		TEST(nobody_there_is_a_failure_soon),
		TEST(a_changed_byte_is_not_confirmed),
		TEST(a_tree_that_is_written_meanwhile_arrives_in_the_end),
		TEST(paths_that_lead_out_are_refused),
		TEST(links_do_not_lead_out),
		TEST(another_version_is_refused),
		TEST(random_frames_from_the_sender_are_survived),
		TEST(random_answers_of_a_receiver_are_survived),
		TEST(a_driver_of_another_version_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
