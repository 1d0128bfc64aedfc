/*
 * What of libc would look into the image that the agent runs in: a static program would still load the image's own name service
 * and its dynamic loader's libraries, of whatever version. The agent is given numeric addresses, and OpenSSL's engines are
 * not used; so these are never called on purpose, and refuse.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stddef.h>

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): libc's own are reserved names. */

int getaddrinfo(const char *restrict name, const char *restrict service,
		const struct addrinfo *restrict hints, struct addrinfo **restrict out)
{
	(void)name, (void)service, (void)hints, (void)out;
	return EAI_FAIL;
}

void freeaddrinfo(struct addrinfo *list)
{
	(void)list;
}

const char *gai_strerror(int code)
{
	(void)code;
	return "names are not resolved";
}

int getnameinfo(const struct sockaddr *restrict address, socklen_t address_len, char *restrict host,
		socklen_t host_len, char *restrict service, socklen_t service_len, int flags)
{
	(void)address, (void)address_len, (void)host, (void)host_len;
	(void)service, (void)service_len, (void)flags;
	return EAI_FAIL;
}

struct hostent *gethostbyname(const char *name)
{
	(void)name;
	return NULL;
}

struct servent *getservbyname(const char *name, const char *protocol)
{
	(void)name, (void)protocol;
	return NULL;
}

void *dlopen(const char *file, int mode)
{
	(void)file, (void)mode;
	return NULL;
}

void *dlsym(void *restrict handle, const char *restrict name)
{
	(void)handle, (void)name;
	return NULL;
}

int dlclose(void *handle)
{
	(void)handle;
	return 0;
}

char *dlerror(void)
{
	static char words[] = "nothing is loaded";

	return words;
}

int dladdr(const void *address, Dl_info *out)
{
	(void)address, (void)out;
	return 0;
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
