/* Pages of lists: how they are cut, and that several lists do not disturb each other. */
#include "kube/kube_internal.h"

#include "kube/scripted_test.h"

#define PAGE(resume, items) \
	"{\"kind\":\"ConfigMapList\",\"metadata\":{\"resourceVersion\":\"9\",\"continue\":" \
	"\"" resume "\"},\"items\":[" items "]}"
#define ITEM(name) "{\"metadata\":{\"name\":\"" name "\"}}"

/* How many items a text is cut into; -1: refused. */
static int cut(const char *text)
{
	static const struct o2_kube_kind kind = { .api_version = "v1", .kind = "ConfigMap" };
	O2_AUTO(o2_doc_freep) struct o2_doc *head = NULL;
	struct o2_kube_page page;
	int count = 0;

	if (o2_kube_page_cut(&page, text, strlen(text), &head, NULL) < 0)
		return -1;
	for (size_t i = 0; i < page.count && count >= 0; i++) {
		O2_AUTO(o2_doc_freep)
		struct o2_doc *item = o2_kube_page_item_parse(&page, i, &kind, NULL);
		count = item ? count + 1 : -1;
	}
	o2_kube_page_release(&page);
	return count;
}

static void test_a_page_is_cut_at_its_items(void **state)
{
	(void)state;
	assert_int_equal(cut("{\"items\":[]}"), 0);
	assert_int_equal(cut(" { \"items\" : [ ] , \"kind\" : \"L\" } "), 0);
	assert_int_equal(cut("{\"items\":null}"), 0);
	assert_int_equal(cut("{\"items\":[{},{}]}"), 2);
	assert_int_equal(cut("{\"metadata\":{\"items\":[1,2,3]},\"items\":[ "
			     "{\"a\":[\"]\",\"}\\\"],\"]} , {} ]}"),
			 2);
	assert_int_equal(cut("{\"x\\\"items\":[1],\"y\":\"items\",\"items\":[{\"items\":[{}]}]}"),
			 1);
}

static void test_what_is_not_json_is_refused(void **state)
{
	static const char *const bad[] = { "",
					   "{",
					   "[]x",
					   "{\"items\":[",
					   "{\"items\":[{}",
					   "{\"items\":[{}}",
					   "{\"items\":[{},]}",
					   "{\"items\":[,{}]}",
					   "{\"items\":[{}]",
					   "{\"items\":[{}]}x",
					   "{\"items\":[{]}]}",
					   "{\"items\":[\"a]}",
					   "{\"items\":[1]}",
					   "{items:[{}]}",
					   "{\"items\":[{}}]}",
					   "{\"items\":[{}],\"items\":[{}]}" };

	(void)state;
	for (size_t i = 0; i < O2_COUNT(bad); i++)
		if (cut(bad[i]) != -1)
			fail_msg("accepted: %s", bad[i]);
}

struct names {
	char text[256];
};

static int note_name(void *arg, const struct o2_kube_kind *kind, struct o2_doc *item)
{
	struct names *names = arg;
	size_t len = strlen(names->text);

	if (item) {
		assert_string_equal(o2_doc_str(item, "/kind", ""), kind->kind);
		assert_string_equal(o2_doc_str(item, "/apiVersion", ""), "v1");
	}
	snprintf(names->text + len, sizeof(names->text) - len, "%s ",
		 item ? o2_doc_str(item, "/metadata/name", "?") : "|");
	return 0;
}

static void test_each_list_has_its_own_failure(void **state)
{
	const struct test_reply script[] = {
		{ .match = "/secrets",
		  .bytes = scripted_answer(
			  403, "",
			  "{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"message\":\"no\"}") },
		{ .match = "/configmaps", .bytes = scripted_answer(200, "", PAGE("", ITEM("a"))) },
		{ .match = "/pods",
		  .bytes = scripted_answer(
			  200, "", "{\"items\":null,\"metadata\":{\"resourceVersion\":\"9\"}}") },
	};
	static const char *const kinds[] = { "Secret", "ConfigMap", "Pod" };
	static const int codes[] = { -O2_EAUTH, 0, 0 };
	struct scripted world;
	struct names names = { 0 };
	struct o2_err err = { 0 };
	struct o2_kube_list lists[3];

	(void)state;
	scripted_start(&world, script, O2_COUNT(script), NULL);
	for (int i = 0; i < 3; i++)
		lists[i] =
			(struct o2_kube_list){ .kind = o2_kube_kind_find(world.kube, "", kinds[i]),
					       .fn = note_name,
					       .arg = &names };
	assert_int_equal(o2_kube_list_many(world.kube, lists, 3, &err), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(lists[i].err.code, codes[i]);
		o2_kube_list_release(&lists[i]);
	}
	assert_string_equal(lists[0].err.message, "cannot list secrets in A: no (403 Forbidden)");
	assert_string_equal(names.text, "a ");
	scripted_stop(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_page_is_cut_at_its_items),
		cmocka_unit_test(test_what_is_not_json_is_refused),
		cmocka_unit_test(test_each_list_has_its_own_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
