/*
 * Service names in texts: what counts as one and, more important, what does not.
 */
#include "app/app_test.h"

struct row {
	const char *text;
	bool whole;
	const char *
		found; /* "service@namespace" of each in order; "*@shop": a namespace's own domain */
};

static const struct row rows[] = {
	{ "db", true, "db" },
	{ "db", false, "" },
	{ "db.shop", false, "db@shop" },
	{ "db.shop.svc", false, "db@shop" },
	{ "db.shop.svc.cluster.local", false, "db@shop" },
	{ "db.shop.svc.cluster.local.", false, "db@shop" },
	{ "ask db.shop. Or not", false, "db@shop" },
	{ "postgres://u@db:5432/x", false, "db" },
	{ "postgres://u:p%40s@db/x", false, "db" },
	{ "postgres://u:p@db.shop.svc:5432/x?sslmode=off", false, "db@shop" },
	{ "jdbc:postgresql://db:5432/x", false, "db" },
	{ "http://db", false, "db" },
	{ "http://db/path", false, "db" },
	{ "db:5432", false, "db" },
	{ "db:5432,web:80", false, "db web" },
	{ "a=1\nhost: db:5432\n", false, "db" },
	{ "host=db port=5432 dbname=x", false, "db" },
	{ "--db-host=db", true, "db" },
	{ "--x=y=db", true, "" },
	{ "server db.shop:80; proxy_pass http://web;", false, "db@shop web" },
	{ "db-0.db.shop.svc.cluster.local", false, "db@shop" },
	{ "db-0.db.shop", false, "db@shop" },
	{ "db-0.db:5432", false, "db" },
	{ "_pg._tcp.db.shop.svc.cluster.local", false, "db@shop" },
	{ ".shop.svc", false, "*@shop" },
	{ "shop.svc.cluster.local", false, "*@shop" },
	{ "db.other", false, "db@other" },
	{ "https://web.shop/", false, "web@shop" },

	{ "dashboard", true, "" },
	{ "mydb", true, "" },
	{ "db_backup", true, "" },
	{ "db-backup", true, "" },
	{ "adb.shop", false, "" },
	{ "db.shopping", false, "" },
	{ "db.shop.example.com", false, "" },
	{ "x.db.shop", false, "" },
	{ "/var/lib/db", true, "" },
	{ "the db is slow", true, "" },
	{ "db: 5432", false, "" },
	{ "db:latest", false, "" },
	{ "db:5432a", false, "" },
	{ "db:123456", false, "" },
	{ "http://dbx:80", false, "" },
	{ "http://db.example.com", false, "" },
	{ "db.nowhere.svc", false, "" },
	{ "nobody.shop.svc", false, "" },
	{ "DB", true, "" },
	{ "", true, "" },
	{ ".", true, "" },
	{ "...", true, "" },
	{ "db..shop", false, "" },
	{ "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.db.shop.svc", false, "" },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaa.shop",
	  false, "" },
};

struct found {
	const struct o2_app *app;
	const char *text;
	struct o2_buf out;
};

static void note_host(void *arg, size_t service, size_t at, size_t len)
{
	struct found *found = arg;

	o2_buf_addf(&found->out, "%s%s", found->out.len ? " " : "",
		    service == O2_APP_NO_ITEM ? "*" : found->app->items[service].view.name);
	if (len > 0)
		o2_buf_addf(&found->out, "@%.*s", (int)len, found->text + at);
}

static void test_rows(void **state)
{
	struct o2_app *app = test_app("shop,other", NULL);

	(void)state;
	test_add(app, "Service", "{metadata: {name: db}}");
	test_add(app, "Service", "{metadata: {name: web}}");
	test_add(app, "Service", "{metadata: {name: db, namespace: other}}");
	for (size_t i = 0; i < O2_COUNT(rows); i++) {
		struct found found = { .app = app, .text = rows[i].text };
		o2_buf_init(&found.out, 1024);
		o2_app_hosts_find(app, "shop", rows[i].text, rows[i].whole, note_host, &found);
		if (strcmp(found.out.data, rows[i].found) != 0)
			fail_msg("'%s': found '%s', not '%s'", rows[i].text, found.out.data,
				 rows[i].found);
		o2_buf_release(&found.out);
	}
	o2_app_free(app);
}

/* A program's name is no host, and neither is what a Secret holds in binary. */
static void test_where(void **state)
{
	struct o2_app *app = test_app("shop", NULL);

	(void)state;
	test_add(app, "Service",
		 "{metadata: {name: alias}, spec: {type: ExternalName, externalName: "
		 "redis.shop.svc}}");
	test_add(app, "Service", "{metadata: {name: redis}}");
	test_add(app, "Deployment",
		 "{metadata: {name: a}, spec: {template: {spec: {containers: [{command: [redis, "
		 "--save]}]}}}}");
	test_add(app, "Deployment",
		 "{metadata: {name: b}, spec: {template: {spec: {containers: [{command: [wait-for, "
		 "redis]}]}}}}");
	test_add(app, "Deployment",
		 "{metadata: {name: c}, spec: {template: {spec: {containers: [{name: redis, image: "
		 "'redis:7'}]}}}}");
	test_add(
		app, "Secret",
		"{metadata: {name: d}, data: {url: cmVkaXM6Ly9yZWRpczo2Mzc5}}"); /* redis://redis:6379 */
	test_add(app, "Secret",
		 "{metadata: {name: e}, data: {bin: AHJlZGlzOjYzNzk=, junk: '%%%', n: 5}}");
	o2_app_settle(app);
	assert_false(test_has_edge(app, "Deployment shop/a", "Service shop/redis", "host"));
	assert_true(test_has_edge(app, "Deployment shop/b", "Service shop/redis", "host"));
	assert_false(test_has_edge(app, "Deployment shop/c", "Service shop/redis", "host"));
	assert_true(test_has_edge(app, "Secret shop/d", "Service shop/redis", "host"));
	assert_true(test_has_edge(app, "Service shop/alias", "Service shop/redis", "host"));
	assert_false(test_has_edge(app, "Secret shop/e", "Service shop/redis", "host"));
	o2_app_free(app);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_where),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
