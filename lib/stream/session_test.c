/* Whole rounds between two real agents, on real files. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "stream/pair_test.h"
#include "stream/world_test.h"

static void round_and_compare(const struct world *world, bool relay)
{
	struct pair pair;

	open_pair(&pair, world, relay);
	assert_round(&pair, true);
	assert_true(pair_digests_agree(&pair));
	pair_end(&pair);
	assert_int_equal(pair.a.rc, 0);
	assert_int_equal(pair.b.rc, 0);
	assert_same(world);
}

static void an_empty_tree_arrives(void **state)
{
	round_and_compare(*state, true);
}

static const char every_kind[] =
	"cd \"$FROM\"; mkdir -p d/e/f empty; echo hello >d/hello; : >d/nothing; ln d/hello "
	"d/e/again; ln d/hello z; "
	"ln -s ../outside d/link; ln -s /etc/passwd absolute; mkfifo fifo; "
	"printf x >\"$(printf 'new\\nline')\"; printf y >\"$(printf 'bad\\377utf8')\"; "
	"touch \"$(printf '%0255d' 0)\"; chmod 4755 d/nothing; chmod 1777 empty; chmod 0000 "
	"\"$(printf 'new\\nline')\"; "
	"truncate -s 5000000 sparse; printf end >>sparse; truncate -s 9000000 sparse; head -c "
	"3000000 /dev/urandom >big; "
	"touch -h -d '2001-02-03 04:05:06.123456789' d/link big d/e empty; touch -d '1969-12-31 "
	"12:00' fifo; "
	"if [ \"$(id -u)\" = 0 ]; then chown 999:998 big d; chown -h 5:6 d/link; mknod node c 1 3; "
	"mknod disk b 7 99; fi; "
	"chmod 0555 d/e/f; touch -d 2011-11-11 d";

static void every_kind_of_entry_arrives_over_the_relay(void **state)
{
	shell(*state, every_kind);
	round_and_compare(*state, true);
}

static void every_kind_of_entry_arrives_over_tls(void **state)
{
	shell(*state, every_kind);
	round_and_compare(*state, false);
}

/* user:123 may read and write; as the kernel stores it. */
static const unsigned char acl[] = { 2,    0,    0,    0, 1,    0,    6,    0,    0xff,
				     0xff, 0xff, 0xff, 2, 0,    6,    0,    123,  0,
				     0,    0,    4,    0, 4,    0,    0xff, 0xff, 0xff,
				     0xff, 0x10, 0,    6, 0,    0xff, 0xff, 0xff, 0xff,
				     0x20, 0,    4,    0, 0xff, 0xff, 0xff, 0xff };

static void put_xattr(const struct world *world, const char *name, const char *attribute,
		      const void *value, size_t len)
{
	O2_AUTO(o2_freep) char *path = at(world, false, name);

	assert_int_equal(lsetxattr(path, attribute, value, len, 0), 0);
}

static bool has_xattr(const struct world *world, const char *name, const char *attribute,
		      const void *value, size_t len)
{
	O2_AUTO(o2_freep) char *path = at(world, true, name);
	char found[65536];

	return lgetxattr(path, attribute, found, sizeof(found)) == (ssize_t)len &&
	       memcmp(found, value, len) == 0;
}

static void extended_attributes_and_acls_arrive_and_go(void **state)
{
	const struct world *world = *state;
	struct pair pair;

	shell(world,
	      "mkdir \"$FROM/d\"; echo 1 >\"$FROM/d/f\"; mkdir \"$TO/d\"; echo 1 >\"$TO/d/f\"");
	put_xattr(world, "d/f", "user.colour", "blue", 4);
	put_xattr(world, "d/f", "user.empty", "", 0);
	put_xattr(world, "d/f", "system.posix_acl_access", acl, sizeof(acl));
	put_xattr(world, "d", "system.posix_acl_default", acl, sizeof(acl));
	open_pair(&pair, world, true);
	assert_round(&pair, false);
	assert_true(has_xattr(world, "d/f", "user.colour", "blue", 4));
	assert_true(has_xattr(world, "d/f", "user.empty", "", 0));
	assert_true(has_xattr(world, "d/f", "system.posix_acl_access", acl, sizeof(acl)));
	assert_true(has_xattr(world, "d", "system.posix_acl_default", acl, sizeof(acl)));
	O2_AUTO(o2_freep) char *file = at(world, false, "d/f");
	assert_int_equal(removexattr(file, "user.colour"), 0);
	put_xattr(world, "d/f", "user.empty", "full", 4);
	/* A file made below a default ACL must not keep what it inherits there. */
	shell(world, "cd \"$FROM\"; echo 2 >x; mv x d/x");
	assert_round(&pair, true);
	assert_int_equal(pair.a.stats.sent_bytes, 2);
	assert_false(has_xattr(world, "d/f", "user.colour", "blue", 4));
	assert_true(has_xattr(world, "d/f", "user.empty", "full", 4));
	assert_false(has_xattr(world, "d/x", "system.posix_acl_access", acl, sizeof(acl)));
	assert_true(pair_digests_agree(&pair));
	pair_end(&pair);
	assert_same(world);
}

static uint64_t disk_bytes(const struct world *world, bool to, const char *name)
{
	O2_AUTO(o2_freep) char *path = at(world, to, name);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static void holes_stay_holes_and_become_holes(void **state)
{
	const struct world *world = *state;
	struct pair pair;

	write_random(world, "f", 100 * MIB, 4096);
	write_random(world, "f", 300 * MIB, 3 * MIB);
	open_pair(&pair, world, true);
	assert_round(&pair, false);
	assert_true(pair.a.stats.sent_bytes < 4 * MIB);
	assert_true(pair.a.stats.read_bytes < 4 * MIB);
	assert_int_equal(disk_bytes(world, true, "f"), disk_bytes(world, false, "f"));
	shell(world, "fallocate -p -o $((301 << 20)) -l $((1 << 20)) \"$FROM/f\"");
	assert_round(&pair, true);
	assert_int_equal(disk_bytes(world, true, "f"), disk_bytes(world, false, "f"));
	assert_int_equal(pair.a.stats.sent_bytes, 0);
	assert_true(pair_digests_agree(&pair));
	pair_end(&pair);
	assert_same(world);
}

static void an_unchanged_round_reads_and_sends_nothing(void **state)
{
	const struct world *world = *state;
	struct pair pair;

	shell(world, every_kind);
	let_it_age();
	open_pair(&pair, world, true);
	assert_round(&pair, false);
	assert_true(pair.a.stats.read_bytes > 3000000);
	assert_round(&pair, false);
	assert_int_equal(pair.a.stats.read_bytes, 0);
	assert_int_equal(pair.a.stats.sent_bytes, 0);
	assert_int_equal(pair.a.stats.changed_files, 0);
	assert_int_equal(pair.b.stats.read_bytes, 0);
	pair_end(&pair);
}

static void of_a_changed_file_only_the_changed_block_is_sent(void **state)
{
	const struct world *world = *state;
	struct pair pair;

	write_random(world, "big", 0, 20 * MIB + 1234);
	write_random(world, "other", 0, 5 * MIB);
	let_it_age();
	open_pair(&pair, world, false);
	assert_round(&pair, false);
	assert_int_equal(pair.a.stats.sent_bytes, 25 * MIB + 1234);
	write_random(world, "big", 7 * MIB + 77, 5);
	assert_round(&pair, true);
	assert_int_equal(pair.a.stats.sent_bytes, MIB);
	assert_int_equal(pair.a.stats.read_bytes, 20 * MIB + 1234);
	assert_int_equal(pair.a.stats.changed_files, 1);
	assert_true(pair_digests_agree(&pair));
	pair_end(&pair);
	assert_same(world);
}

static void rounds_follow_every_change(void **state)
{
	static const char *const changes[] = {
		"rm -r d/e; echo more >>d/hello",
		"rm z; mkdir z; echo in >z/file",
		"rm -r z; ln -s nowhere z; rm d/hello; mkdir d/hello; touch d/hello/deep",
		"mv big moved; truncate -s 1500000 moved; truncate -s 20 sparse",
		"head -c 2500000 /dev/urandom >>moved; printf 12345 >sparse",
		"chmod 600 moved; touch -d 2005-05-05 sparse",
		"ln moved moved.too; ln moved a.first",
		"rm a.first; cp moved copy; mv copy moved",
		"rm -rf -- * ; echo again >only",
	};
	const struct world *world = *state;
	struct pair pair;

	shell(world, every_kind);
	open_pair(&pair, world, true);
	assert_round(&pair, false);
	for (size_t i = 0; i < O2_COUNT(changes); i++) {
		O2_AUTO(o2_freep) char *script = o2_xasprintf("cd \"$FROM\"; %s", changes[i]);
		shell(world, script);
		assert_round(&pair, false);
		if (!pair_digests_agree(&pair))
			fail_msg("digests differ after: %s", changes[i]);
		assert_same(world);
	}
	pair_end(&pair);
}

static void what_the_receiver_held_before_is_used(void **state)
{
	const struct world *world = *state;
	struct pair pair;

	shell(world, every_kind);
	write_random(world, "large", 0, 10 * MIB);
	shell(world,
	      "cp -a \"$FROM/.\" \"$TO/\"; echo junk >\"$TO/junk\"; mkdir \"$TO/d/hello.d\"; "
	      "printf X | dd of=\"$TO/large\" bs=1 seek=3333333 conv=notrunc 2>/dev/null");
	open_pair(&pair, world, false);
	assert_round(&pair, true);
	assert_int_equal(pair.a.stats.sent_bytes, MIB);
	assert_true(pair_digests_agree(&pair));
	pair_end(&pair);
	assert_same(world);
}

static void a_deep_tree_arrives(void **state)
{
	const struct world *world = *state;
	int fd = open(world->from, O_RDONLY | O_DIRECTORY);
	char name[200];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (int i = 0; i < 200; i++) {
		assert_int_equal(mkdirat(fd, name, 0755), 0);
		int next = openat(fd, name, O_RDONLY | O_DIRECTORY);
		close(fd);
		fd = next;
	}
	int file = openat(fd, "file", O_WRONLY | O_CREAT, 0644);
	assert_int_equal(write(file, "deep", 4), 4);
	close(file);
	close(fd);
	struct pair pair;
	open_pair(&pair, world, true);
	assert_round(&pair, true);
	assert_int_equal(pair.a.stats.entries, 201);
	assert_true(pair_digests_agree(&pair));
	pair_end(&pair);
}

static void start_devices(struct pair *pair, const char *from, const char *to)
{
	pair_start(pair, from, to, false);
	pair_connect(pair, true);
}

/* A loop device for a file, or false where there are none to be had. */
static bool attach(const struct world *world, const char *file, char *out, size_t size)
{
	O2_AUTO(o2_freep)
	char *script = o2_xasprintf("losetup -f --show \"${FROM%%/from}/%s\" "
				    ">\"${FROM%%/from}/%s.loop\" 2>/dev/null || :",
				    file, file);
	O2_AUTO(o2_freep) char *answer = o2_xasprintf("%s/%s.loop", world->base, file);

	shell(world, script);
	int fd = open(answer, O_RDONLY);
	ssize_t len = read(fd, out, size - 1);
	close(fd);
	if (len < 2)
		return false;
	out[len - 1] = '\0';
	return true;
}

static void a_block_device_arrives_block_by_block(void **state)
{
	const struct world *world = *state;
	char from[64], to[64];
	struct pair pair;

	shell(world, "cd \"${FROM%/from}\"; head -c 5000000 /dev/urandom >one; truncate -s 8388608 "
		     "one; head -c 8388608 /dev/urandom >two");
	if (!attach(world, "one", from, sizeof(from)) || !attach(world, "two", to, sizeof(to))) {
		print_message("skipped: there are no loop devices\n");
		skip();
	}
	start_devices(&pair, from, to);
	assert_round(&pair, false);
	assert_int_equal(pair.a.stats.sent_bytes, 8 * MIB);
	assert_int_equal(pair.a.stats.files, 1);
	int fd = open(from, O_WRONLY);
	assert_int_equal(pwrite(fd, "changed", 7, 6 * MIB + 5), 7);
	close(fd);
	assert_round(&pair, true);
	assert_int_equal(pair.a.stats.sent_bytes, MIB);
	assert_true(pair_digests_agree(&pair));
	pair_end(&pair);
	shell(world, "cd \"${FROM%/from}\"; cmp \"$(cat one.loop)\" \"$(cat two.loop)\"; losetup "
		     "-d \"$(cat one.loop)\"; losetup -d \"$(cat two.loop)\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_empty_tree_arrives, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_kind_of_entry_arrives_over_the_relay, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(every_kind_of_entry_arrives_over_tls, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(extended_attributes_and_acls_arrive_and_go, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(holes_stay_holes_and_become_holes, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(an_unchanged_round_reads_and_sends_nothing, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(of_a_changed_file_only_the_changed_block_is_sent,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(rounds_follow_every_change, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_the_receiver_held_before_is_used, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_deep_tree_arrives, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_block_device_arrives_block_by_block, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
