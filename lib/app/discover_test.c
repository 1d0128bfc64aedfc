/*
 * Discovery against a scripted API server: what is asked for, and what becomes of refusals.
 */
#include "app/app_test.h"
#include "http/http.h"
#include "http/server_test.h"

#define VERBS "[\"get\",\"list\",\"create\",\"patch\",\"delete\"]"
#define RESOURCE(kind, name, scope) \
	"{\"resource\":\"" name "\",\"responseKind\":{\"kind\":\"" kind "\"},\"scope\":\"" scope \
	"\",\"verbs\":" VERBS "}"
#define GROUP(name, version, resources) \
	"{\"metadata\":{\"name\":\"" name "\"},\"versions\":[{\"version\":\"" version \
	"\",\"freshness\":\"Current\",\"resources\":[" resources "]}]}"
#define DISCOVERY(groups) \
	"{\"kind\":\"APIGroupDiscoveryList\",\"apiVersion\":\"apidiscovery.k8s.io/" \
	"v2\",\"items\":[" groups "]}"

static const char core[] = DISCOVERY(GROUP(
	"", "v1",
	RESOURCE("Namespace", "namespaces", "Cluster") "," RESOURCE("Service", "services", "Namespaced") "," RESOURCE(
		"ConfigMap", "configmaps",
		"Namespaced") "," RESOURCE("Secret", "secrets",
					   "Namespaced") "," RESOURCE("Event", "events",
								      "Namespaced") "," RESOURCE("P"
												 "o"
												 "d"
												 "T"
												 "e"
												 "m"
												 "p"
												 "l"
												 "a"
												 "t"
												 "e",
												 "p"
												 "o"
												 "d"
												 "t"
												 "e"
												 "m"
												 "p"
												 "l"
												 "a"
												 "t"
												 "e"
												 "s",
												 "N"
												 "a"
												 "m"
												 "e"
												 "s"
												 "p"
												 "a"
												 "c"
												 "e"
												 "d")));
static const char groups[] = DISCOVERY(GROUP("apps", "v1", RESOURCE("Deployment", "deployments", "Namespaced")) "," GROUP(
	"example.com", "v1",
	RESOURCE(
		"Widget", "widgets",
		"Namespaced")) "," GROUP("scheduling.k8s.io", "v1",
					 RESOURCE(
						 "PriorityClass", "priorityclasses",
						 "Cluster")) "," GROUP("rbac.authorization.k8s.io",
								       "v1",
								       RESOURCE("ClusterRole", "clusterroles", "Cluster") "," RESOURCE(
									       "ClusterRoleBinding",
									       "clusterrolebinding"
									       "s",
									       "Cluster")));

struct script {
	struct test_reply replies[64];
	size_t count;
};

static void add(struct script *script, const char *match, const char *status, const char *body)
{
	script->replies[script->count++] = (struct test_reply){
		.match = match,
		.repeat = true,
		.bytes = o2_xasprintf(
			"HTTP/1.1 %s\r\nContent-Type: "
			"application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList\r\n"
			"Content-Length: %zu\r\n\r\n%s",
			status, strlen(body), body),
	};
}

static void add_items(struct script *script, const char *match, const char *items)
{
	O2_AUTO(o2_freep)
	char *body =
		o2_xasprintf("{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[%s]}", items);
	add(script, match, "200 OK", body);
}

static void add_refusal(struct script *script, const char *match, const char *status,
			const char *reason)
{
	O2_AUTO(o2_freep)
	char *body = o2_xasprintf("{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"%s\","
				  "\"message\":\"the server says %s\",\"code\":%.3s}",
				  reason, reason, status);
	add(script, match, status, body);
}

static void begin(struct script *script)
{
	*script = (struct script){ 0 };
	add(script, "GET /api ", "200 OK", core);
	add(script, "GET /apis ", "200 OK", groups);
}

/* The rest of what a server has: nothing. */
static void add_rest(struct script *script)
{
	add(script, "GET /api/v1/namespaces/shop ", "200 OK",
	    "{\"metadata\":{\"name\":\"shop\",\"labels\":{\"team\":\"x\"}},\"status\":{\"phase\":"
	    "\"Active\"}}");
	add_items(script, "/namespaces/shop/", "");
	add_items(script, "/clusterrolebindings", "");
}

/* What a test holds; the application's kinds are the server's. */
struct world {
	struct o2_http *http;
	struct o2_kube *kube;
	struct o2_app *app;
};

static struct world discover(struct script *script, struct o2_err *err)
{
	struct test_server *server = test_server_start(script->replies, script->count);
	O2_AUTO(o2_freep) char *url = o2_xasprintf("http://127.0.0.1:%d", server->port);
	struct o2_kube_config config = { .context = "", .server = url, .ns = "default" };
	struct o2_app_selection selection = { 0 };
	struct world world = { .http = o2_http_new() };

	world.kube = o2_kube_open(world.http, &config, "A", err);
	if (!world.kube)
		fail_msg("%s", err->message);
	o2_strs_add(&selection.namespaces, "shop");
	world.app = o2_app_discover(world.kube, &selection, err);
	for (int i = 0; i < server->seen->count; i++)
		assert_null(strstr(server->seen->requests[i], "/events"));
	o2_strs_release(&selection.namespaces);
	test_server_stop(server);
	for (size_t i = 0; i < script->count; i++)
		free((char *)script->replies[i].bytes);
	return world;
}

static void end(struct world *world)
{
	o2_app_free(world->app);
	o2_kube_free(world->kube);
	o2_http_free(world->http);
}

static void test_all(void **state)
{
	struct script script;
	struct o2_err err = { 0 };

	(void)state;
	begin(&script);
	add_items(&script, "/namespaces/shop/services",
		  "{\"metadata\":{\"name\":\"db\",\"namespace\":\"shop\",\"uid\":\"s\"},\"spec\":{}"
		  "}");
	add_items(
		&script, "/namespaces/shop/deployments",
		"{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\",\"uid\":\"d\"},\"spec\":{"
		"\"template\":{\"spec\":{\"priorityClassName\":\"high\",\"containers\":[{\"env\":[{"
		"\"name\":\"A\",\"value\":\"db\"}]}]}}}}");
	add_refusal(&script, "/namespaces/shop/secrets", "403 Forbidden", "Forbidden");
	add_refusal(&script, "/namespaces/shop/podtemplates", "403 Forbidden", "Forbidden");
	add_items(&script, "/clusterrolebindings",
		  "{\"metadata\":{\"name\":\"b\",\"uid\":\"b\"},\"roleRef\":{\"apiGroup\":\"rbac."
		  "authorization.k8s.io\",\"kind\":\"ClusterRole\",\"name\":\"r\"},\"subjects\":[{"
		  "\"kind\":\"ServiceAccount\",\"name\":\"default\",\"namespace\":\"shop\"}]},"
		  "{\"metadata\":{\"name\":\"other\",\"uid\":\"o\"},\"subjects\":[]}");
	add_refusal(&script, "/clusterroles/r", "403 Forbidden", "Forbidden");
	add(&script, "/priorityclasses/high", "200 OK",
	    "{\"metadata\":{\"name\":\"high\",\"uid\":\"p\"},\"value\":5}");
	add_rest(&script);
	struct world world = discover(&script, &err);
	struct o2_app *app = world.app;
	if (!app)
		fail_msg("%s", err.message);
	assert_int_equal(o2_app_count(app), 4);
	assert_true(test_has_edge(app, "Deployment shop/web", "Service shop/db", "host"));
	assert_true(
		test_has_edge(app, "Deployment shop/web", "PriorityClass high", "priorityClass"));
	assert_true(o2_app_object(app, test_need(app, "ClusterRoleBinding b"))->by_reference);
	assert_true(test_noted(app, "Secret in shop", "can't be listed"));
	assert_true(test_noted(app, "ClusterRole r", "can't be read"));
	assert_int_equal(o2_app_note_count(app), 3);
	for (size_t i = 0; i < o2_app_note_count(app); i++)
		assert_int_equal(o2_app_note(app, i)->blocks,
				 strcmp(o2_app_note(app, i)->subject, "Secret in shop") == 0);
	struct o2_doc *ns = o2_app_target_namespace(app, 0);
	assert_string_equal(o2_doc_str(ns, "/metadata/labels/team", ""), "x");
	o2_doc_free(ns);
	end(&world);
}

static void expect_failure(struct script *script, int code, const char *text)
{
	struct o2_err err = { 0 };
	struct world world = discover(script, &err);

	assert_null(world.app);
	end(&world);
	if (err.code != code || !strstr(err.message, text))
		fail_msg("%d %s: not %d with '%s'", err.code, err.message, code, text);
}

static void test_no_namespace(void **state)
{
	struct script script;

	(void)state;
	begin(&script);
	add_refusal(&script, "GET /api/v1/namespaces/shop ", "404 Not Found", "NotFound");
	add_items(&script, "GET /api/v1/namespaces", "{\"metadata\":{\"name\":\"shops\"}}");
	expect_failure(&script, -O2_ENOTFOUND, "there are: shops");
}

static void test_nothing(void **state)
{
	struct script script;

	(void)state;
	begin(&script);
	add_rest(&script);
	expect_failure(&script, -O2_ENOTFOUND, "nothing to carry in shop");
	begin(&script);
	add_refusal(&script, "GET /api/v1/namespaces/shop ", "403 Forbidden", "Forbidden");
	add_refusal(&script, "/namespaces/shop/", "403 Forbidden", "Forbidden");
	add_rest(&script);
	expect_failure(&script, -O2_EAUTH, "nothing can be seen in shop");
}

/* A custom resource's server that is away blocks; the cluster's own ends the reading. */
static void test_away(void **state)
{
	struct script script;
	struct o2_err err = { 0 };

	(void)state;
	begin(&script);
	add_refusal(&script, "/namespaces/shop/widgets", "503 Service Unavailable",
		    "ServiceUnavailable");
	add_items(&script, "/namespaces/shop/configmaps",
		  "{\"metadata\":{\"name\":\"c\",\"namespace\":\"shop\",\"uid\":\"c\"}}");
	add_rest(&script);
	struct world world = discover(&script, &err);
	struct o2_app *app = world.app;
	if (!app)
		fail_msg("%s", err.message);
	assert_true(test_noted(app, "Widget.example.com in shop", "can't be listed"));
	assert_true(o2_app_note(app, 0)->blocks);
	end(&world);
	begin(&script);
	add_refusal(&script, "/namespaces/shop/configmaps", "500 Internal Server Error",
		    "InternalError");
	add_rest(&script);
	expect_failure(&script, -O2_ETRANSIENT, "InternalError");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_no_namespace),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_away),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
