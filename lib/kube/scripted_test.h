/*
 * An API server that answers from a script, for tests only: see http/server_test.h.
 *
 *	struct scripted world;
 *	scripted_start(&world, replies, O2_COUNT(replies), NULL);   // discovery is answered besides
 *	... world.kube ...
 *	scripted_stop(&world);
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http/server_test.h"
#include "kube/kube_internal.h"

#define SCRIPTED_REPLIES 64

struct scripted {
	struct test_reply replies[SCRIPTED_REPLIES];
	struct test_server *server;
	struct o2_http *http;
	struct o2_kube *kube;
	int first; /* requests that discovery took */
};

/* "HTTP/1.1 <status> x", headers (each with its line break, may be ""), Content-Length and the body. Kept until the end. */
static inline const char *scripted_answer(int status, const char *headers, const char *body)
{
	static struct o2_strs kept;

	o2_strs_addf(&kept,
		     "HTTP/1.1 %d x\r\nContent-Type: application/json\r\n%sContent-Length: %zu"
		     "\r\n\r\n%s",
		     status, headers, strlen(body), body);
	return kept.items[kept.count - 1];
}

#define SCRIPTED_VERBS \
	"\"verbs\":[\"get\",\"list\",\"watch\",\"create\",\"update\",\"patch\",\"delete\"]"
#define SCRIPTED_KIND(kind, plural, scope) \
	"{\"resource\":\"" plural "\",\"responseKind\":{\"kind\":\"" kind "\"},\"scope\":\"" scope \
	"\"," SCRIPTED_VERBS "}"
#define SCRIPTED_API \
	"{\"kind\":\"APIGroupDiscoveryList\",\"items\":[{\"metadata\":{},\"versions\":[{" \
	"\"version\":\"v1\",\"resources\":[" SCRIPTED_KIND("ConfigMap", "configmaps", "Namespaced") "," SCRIPTED_KIND( \
		"Secret", "secrets", \
		"Namespaced") "," SCRIPTED_KIND("Pod", "pods", \
						"Namespaced") "," SCRIPTED_KIND("Namespace", \
										"namespaces", \
										"Cluster") "]}]}]" \
											   "}"
#define SCRIPTED_APIS "{\"kind\":\"APIGroupDiscoveryList\",\"items\":[]}"

/* `config`: what to open with, NULL for no credentials; its server is set here. */
static inline void scripted_start(struct scripted *world, const struct test_reply *replies,
				  size_t count, const struct o2_kube_config *config)
{
	struct o2_kube_config own = config ? *config : (struct o2_kube_config){ 0 };
	struct o2_err err = { 0 };

	assert_true(count + 2 <= SCRIPTED_REPLIES);
	*world = (struct scripted){ 0 };
	for (size_t i = 0; i < count; i++)
		world->replies[i] = replies[i];
	world->replies[count] =
		(struct test_reply){ .match = "GET /api ",
				     .bytes = scripted_answer(200, "", SCRIPTED_API),
				     .repeat = true };
	world->replies[count + 1] =
		(struct test_reply){ .match = "GET /apis ",
				     .bytes = scripted_answer(200, "", SCRIPTED_APIS),
				     .repeat = true };
	world->server = test_server_start(world->replies, count + 2);
	world->http = o2_http_new();
	own.server = o2_xasprintf("http://127.0.0.1:%d", world->server->port);
	world->kube = o2_kube_open(world->http, &own, "A", &err);
	free(own.server);
	if (world->kube == NULL)
		fail_msg("%s", err.message);
	world->first = world->server->seen->count;
}

static inline void scripted_stop(struct scripted *world)
{
	o2_kube_free(world->kube);
	o2_http_free(world->http);
	test_server_stop(world->server);
}

/* The requests after discovery: how many, and number `index` of them. */
static inline int scripted_count(const struct scripted *world)
{
	return world->server->seen->count - world->first;
}

static inline const char *scripted_request(const struct scripted *world, int index)
{
	return world->server->seen->requests[world->first + index];
}

static inline void expect_words(const char *text, const char *words)
{
	if (strstr(text, words) == NULL)
		fail_msg("'%s' is not in '%s'", words, text);
}
