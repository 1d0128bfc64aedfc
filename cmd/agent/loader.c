/*
 * os2os-agent-loader: joins the parts of the agent and becomes it.
 *
 * A ConfigMap holds at most 1 MiB, so the agent comes in parts, agent-0, agent-1 ..., in the folder where this program lies: one
 * projected volume of all the ConfigMaps. The pod's command is `/os2os/loader hold`, and whatever follows the program's
 * name goes to the agent.
 *
 * It runs in anybody's image: no libc, no shell, nothing writable, no rights. So it needs the kernel only: the parts are joined in
 * memory (a sealed memfd) and run from there. Where the node bars that, they are joined in a file in the folder that
 * OS2OS_AGENT_DIR names (an emptyDir), which is unlinked before it runs.
 *
 * Fails with one line on stderr and exit code 126.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>

#define PARTS_MAX 100
#define PATH_SIZE 4096
#define FILE_TRIES 100
#define EXIT_CANNOT_RUN 126
#define STDERR 2
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#endif
#define ALL_SEALS 0xf /* SEAL, SHRINK, GROW, WRITE */

void loader_main(const long *stack);

#if defined(__x86_64__)
__asm__(".globl _start\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call loader_main\n"
	"	hlt\n");

static long call(long number, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}
#else /* aarch64 */
__asm__(".globl _start\n"
	"_start:\n"
	"	mov x29, #0\n"
	"	mov x30, #0\n"
	"	mov x0, sp\n"
	"	bl loader_main\n"
	"	brk #1\n");

static long call(long number, long a, long b, long c, long d, long e)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
			 : "memory");
	return x0;
}
#endif

/* What the kernel put on the stack. */
struct start {
	char **argv;
	char **envp;
	const char *path; /* of this program, as it was named to execve() */
};

static unsigned char copied[64 << 10];

/* --- text --------------------------------------------------------------------------------------------------------------- */

static size_t length(const char *text)
{
	size_t len = 0;

	while (text[len] != '\0')
		len++;
	return len;
}

static void say(const char *text)
{
	call(SYS_write, STDERR, (long)text, (long)length(text), 0, 0);
}

static void say_number(long number)
{
	char digits[24];
	size_t at = sizeof(digits);

	digits[--at] = '\0';
	do
		digits[--at] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	say(digits + at);
}

/* `error`: 0, or a negative errno. */
static void __attribute__((noreturn)) fail(const char *what, const char *subject, long error)
{
	say("os2os-agent-loader: ");
	say(what);
	if (subject[0] != '\0') {
		say(" '");
		say(subject);
		say("'");
	}
	if (error < 0) {
		say(": errno ");
		say_number(-error);
	}
	say("\n");
	for (;;)
		call(SYS_exit_group, EXIT_CANNOT_RUN, 0, 0, 0, 0);
}

/* folder + "/" + name + number */
static void join(char out[PATH_SIZE], const char *folder, size_t folder_len, const char *name,
		 long number)
{
	size_t at = 0, divisor = 1;

	if (folder_len + length(name) + 24 > PATH_SIZE)
		fail("the path is too long", folder, 0);
	for (; at < folder_len; at++)
		out[at] = folder[at];
	out[at++] = '/';
	for (size_t i = 0; name[i] != '\0'; i++)
		out[at++] = name[i];
	while ((size_t)number / divisor >= 10)
		divisor *= 10;
	for (; divisor > 0; divisor /= 10)
		out[at++] = (char)('0' + (size_t)number / divisor % 10);
	out[at] = '\0';
}

static const char *find_env(char **envp, const char *name)
{
	size_t len = length(name);

	for (; *envp != NULL; envp++) {
		size_t i = 0;
		while (i < len && (*envp)[i] == name[i])
			i++;
		if (i == len && (*envp)[i] == '=' && (*envp)[i + 1] != '\0')
			return *envp + i + 1;
	}
	return NULL;
}

/* --- joining ------------------------------------------------------------------------------------------------------------ */

static void write_all(int to, size_t len, const char *subject)
{
	for (size_t at = 0; at < len;) {
		long done = call(SYS_write, to, (long)(copied + at), (long)(len - at), 0, 0);
		if (done == -EINTR)
			continue;
		if (done <= 0)
			fail("cannot join", subject, done);
		at += (size_t)done;
	}
}

/* false: there is no such part. */
static bool append_part(int to, const char *path)
{
	long from = call(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0);
	long len;

	if (from == -ENOENT)
		return false;
	if (from < 0)
		fail("cannot open", path, from);
	for (;;) {
		len = call(SYS_read, from, (long)copied, sizeof(copied), 0, 0);
		if (len == -EINTR)
			continue;
		if (len < 0)
			fail("cannot read", path, len);
		if (len == 0)
			break;
		write_all(to, (size_t)len, path);
	}
	call(SYS_close, from, 0, 0, 0, 0);
	return true;
}

/* The linker puts the section table at the end, so a part that is missing or cut shows in the size. */
static void check_whole(int fd, const char *folder)
{
	Elf64_Ehdr *head = (Elf64_Ehdr *)(void *)copied;
	long size = call(SYS_lseek, fd, 0, 2 /* SEEK_END */, 0, 0);
	long len = call(SYS_pread64, fd, (long)copied, sizeof(*head), 0, 0);

	if (len != sizeof(*head) || head->e_ident[0] != 0x7f || head->e_ident[1] != 'E' ||
	    (long)(head->e_shoff + (Elf64_Off)head->e_shnum * head->e_shentsize) != size)
		fail("the agent's parts are not complete beside", folder, 0);
}

static void join_parts(int to, const struct start *start)
{
	char path[PATH_SIZE];
	size_t folder_len = length(start->path);
	long part = 0;

	while (folder_len > 0 && start->path[folder_len - 1] != '/')
		folder_len--;
	const char *folder = folder_len > 0 ? start->path : ".";
	folder_len = folder_len > 0 ? folder_len - 1 : 1;
	for (; part < PARTS_MAX; part++) {
		join(path, folder, folder_len, "agent-", part);
		if (!append_part(to, path))
			break;
	}
	if (part == 0)
		fail("there is no", path, 0);
	check_whole(to, start->path);
}

/* --- running ------------------------------------------------------------------------------------------------------------ */

/* Returns only if it fails: a negative errno. */
static long run(int fd, const struct start *start)
{
	start->argv[0] = (char *)"os2os-agent";
	return call(SYS_execveat, fd, (long)"", (long)start->argv, (long)start->envp,
		    AT_EMPTY_PATH);
}

static long run_from_memory(const struct start *start)
{
	const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	long fd = call(SYS_memfd_create, (long)"os2os-agent", flags | MFD_EXEC, 0, 0, 0);

	/* Kernels before 6.3 don't know the flag, and always make it executable. */
	if (fd == -EINVAL)
		fd = call(SYS_memfd_create, (long)"os2os-agent", flags, 0, 0, 0);
	if (fd < 0)
		return fd;
	join_parts((int)fd, start);
	call(SYS_fcntl, fd, F_ADD_SEALS, ALL_SEALS, 0, 0);
	return run((int)fd, start);
}

static long run_from_folder(const struct start *start, const char *folder)
{
	const long flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
	char path[PATH_SIZE];
	long fd = -EEXIST;

	/* Several may start at once in a pod, each for itself. */
	for (long i = 0; fd == -EEXIST && i < FILE_TRIES; i++) {
		join(path, folder, length(folder), ".os2os-agent-", i);
		fd = call(SYS_openat, AT_FDCWD, (long)path, flags, 0700, 0);
	}
	if (fd < 0)
		fail("cannot write", path, fd);
	join_parts((int)fd, start);
	/* What is open for writing can't run. */
	long readable = call(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0);
	call(SYS_unlinkat, AT_FDCWD, (long)path, 0, 0, 0);
	call(SYS_close, fd, 0, 0, 0, 0);
	return readable < 0 ? readable : run((int)readable, start);
}

static void read_stack(const long *stack, struct start *start)
{
	char **word = (char **)(stack + 1 + *stack + 1);

	start->argv = (char **)(stack + 1);
	start->envp = word;
	start->path = start->argv[0] != NULL ? start->argv[0] : "";
	while (*word != NULL)
		word++;
	for (const Elf64_auxv_t *aux = (const Elf64_auxv_t *)(void *)(word + 1);
	     aux->a_type != AT_NULL; aux++)
		if (aux->a_type == AT_EXECFN)
			start->path =
				(const char *)aux->a_un.a_val; // NOLINT(performance-no-int-to-ptr)
}

__attribute__((used)) void loader_main(const long *stack)
{
	struct start start;

	read_stack(stack, &start);
	if (start.argv[0] == NULL)
		fail("started without a name", "", 0);
	long error = run_from_memory(&start);
	const char *folder = find_env(start.envp, "OS2OS_AGENT_DIR");
	if (folder == NULL)
		fail("the node does not let a program run from memory, and OS2OS_AGENT_DIR names "
		     "no folder",
		     "", error);
	error = run_from_folder(&start, folder);
	fail("cannot run the agent in", folder, error);
}
