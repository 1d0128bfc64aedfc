/*
 * YAML text to tree, from the events of libyaml.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "doc/doc.h"
#include "doc/doc_internal.h"

/* Nodes that aliases may add: far above what people write, far below what a "billion laughs" makes.
 */
#define MAX_ALIAS_NODES 100000

#define TAG "tag:yaml.org,2002:"

struct reader {
	yaml_parser_t parser;
	json_t *anchors; /* of the current document: name to value */
	json_t *pending; /* stands for the value of an anchor while it is being read */
	size_t alias_nodes;
	struct o2_err *err;
};

static json_t *read_node(struct reader *reader, const yaml_event_t *event, size_t depth);

static void fail_at(struct reader *reader, const yaml_mark_t *mark, enum o2_code code,
		    const char *what)
{
	o2_fail(reader->err, code, "invalid YAML at line %zu, column %zu: %s", mark->line + 1,
		mark->column + 1, what);
}

/* The next event; the caller deletes it. */
static bool next(struct reader *reader, yaml_event_t *event)
{
	yaml_parser_t *parser = &reader->parser;

	if (yaml_parser_parse(parser, event))
		return true;
	if (parser->error == YAML_MEMORY_ERROR)
		abort();
	/* Where the bytes are no text, only the place that was reached is known. */
	fail_at(reader, parser->error == YAML_READER_ERROR ? &parser->mark : &parser->problem_mark,
		O2_EINVALID, parser->problem != NULL ? parser->problem : "unreadable");
	return false;
}

/* The part of a standard tag behind "tag:yaml.org,2002:", "" without a tag, NULL for a foreign one.
 */
static const char *short_tag(const yaml_char_t *tag)
{
	const char *text = (const char *)tag;

	if (text == NULL)
		return "";
	if (strcmp(text, "!") == 0)
		return text;
	return strncmp(text, TAG, strlen(TAG)) == 0 ? text + strlen(TAG) : NULL;
}

static bool is_string_tag(const char *tag)
{
	return strcmp(tag, "!") == 0 || strcmp(tag, "str") == 0 || strcmp(tag, "timestamp") == 0;
}

static bool has_tagged_type(const char *tag, json_t *json)
{
	return (strcmp(tag, "int") == 0 && json_is_integer(json)) ||
	       (strcmp(tag, "float") == 0 && json_is_number(json)) ||
	       (strcmp(tag, "bool") == 0 && json_is_boolean(json)) ||
	       (strcmp(tag, "null") == 0 && json_is_null(json));
}

static json_t *read_scalar(struct reader *reader, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	const char *tag = short_tag(event->data.scalar.tag);
	const char *problem = NULL;
	json_t *json = NULL;

	if (memchr(text, '\0', len) != NULL)
		problem = "a NUL in a string";
	else if (tag == NULL)
		problem = "an unknown tag";
	else if (is_string_tag(tag) ||
		 (*tag == '\0' && event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE))
		json = o2_doc_json_string(text, len);
	else if ((json = o2_doc_yaml_plain(text, len)) == NULL)
		problem = "a number that JSON has no form for";
	else if (*tag != '\0' && !has_tagged_type(tag, json))
		problem = "a tag that is unknown or does not fit its value";
	if (problem == NULL)
		return json;
	json_decref(json);
	fail_at(reader, &event->start_mark, O2_EINVALID, problem);
	return NULL;
}

static json_t *read_alias(struct reader *reader, const yaml_event_t *event, size_t depth)
{
	json_t *value = json_object_get(reader->anchors, (const char *)event->data.alias.anchor);

	if (value == NULL || value == reader->pending) {
		fail_at(reader, &event->start_mark, O2_EINVALID,
			value == NULL ? "an alias without an anchor"
				      : "an alias inside its anchor");
		return NULL;
	}
	if (depth + o2_doc_depth(o2_doc_of(value)) > O2_DOC_MAX_DEPTH) {
		fail_at(reader, &event->start_mark, O2_ELIMIT, "too many levels");
		return NULL;
	}
	reader->alias_nodes += o2_doc_nodes(o2_doc_of(value));
	if (reader->alias_nodes > MAX_ALIAS_NODES) {
		fail_at(reader, &event->start_mark, O2_ELIMIT, "aliases expand to too much");
		return NULL;
	}
	return o2_doc_json(o2_doc_copy(o2_doc_of(value)));
}

static json_t *read_sequence(struct reader *reader, size_t depth)
{
	O2_AUTO(json_decrefp) json_t *array = json_array();

	for (;;) {
		O2_AUTO(yaml_event_delete) yaml_event_t event = { 0 };
		if (!next(reader, &event))
			return NULL;
		if (event.type == YAML_SEQUENCE_END_EVENT)
			return O2_STEAL(array);
		json_t *value = read_node(reader, &event, depth);
		if (value == NULL)
			return NULL;
		json_array_append_new(array, value);
	}
}

/* A member's name as JSON has it; NULL if it can't be one. `number` is room for it. */
static const char *name_of(json_t *key, char number[O2_DOC_REAL_SIZE])
{
	if (json_is_string(key))
		return json_string_value(key);
	if (json_is_boolean(key))
		return json_is_true(key) ? "true" : "false";
	if (json_is_integer(key))
		snprintf(number, O2_DOC_REAL_SIZE, "%" JSON_INTEGER_FORMAT,
			 json_integer_value(key));
	else if (json_is_real(key))
		o2_doc_real_text(json_real_value(key), number);
	else
		return NULL;
	return number;
}

/* An object while it is read. */
struct mapping {
	json_t *object;
	json_t *merged; /* names that came by "<<" and may still be overridden; NULL: none */
	bool has_merge;
};

static void mapping_release(struct mapping *mapping)
{
	json_decref(mapping->object);
	json_decref(mapping->merged);
}

/* Members that are there already win, be they the mapping's own or of an earlier source. */
static bool merge_one(struct mapping *mapping, json_t *source)
{
	if (!json_is_object(source))
		return false;
	if (mapping->merged == NULL)
		mapping->merged = json_object();
	for (void *at = json_object_iter(source); at != NULL;
	     at = json_object_iter_next(source, at)) {
		const char *name = json_object_iter_key(at);
		if (json_object_get(mapping->object, name) != NULL)
			continue;
		json_object_set(mapping->object, name, json_object_iter_value(at));
		json_object_set_new(mapping->merged, name, json_true());
	}
	return true;
}

static const char *merge(struct mapping *mapping, json_t *value)
{
	bool ok = true;

	if (mapping->has_merge)
		return "a second '<<' in one mapping";
	mapping->has_merge = true;
	if (json_is_array(value))
		for (size_t i = 0; ok && i < json_array_size(value); i++)
			ok = merge_one(mapping, json_array_get(value, i));
	else
		ok = merge_one(mapping, value);
	return ok ? NULL : "'<<' needs a mapping or a list of mappings";
}

static const char *add_member(struct mapping *mapping, json_t *key, json_t *value)
{
	char number[O2_DOC_REAL_SIZE];
	const char *name = name_of(key, number);

	if (name == NULL)
		return "a key that is neither text, number nor truth value";
	if (json_object_get(mapping->object, name) != NULL &&
	    (mapping->merged == NULL || json_object_del(mapping->merged, name) < 0))
		return "a duplicate key";
	json_object_set(mapping->object, name, value);
	return NULL;
}

static bool is_merge_key(const yaml_event_t *event)
{
	if (event->type != YAML_SCALAR_EVENT ||
	    strcmp((const char *)event->data.scalar.value, "<<") != 0)
		return false;
	const char *tag = short_tag(event->data.scalar.tag);
	return tag != NULL &&
	       (strcmp(tag, "merge") == 0 ||
		(*tag == '\0' && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE));
}

/* One key and its value. */
static bool read_member(struct reader *reader, const yaml_event_t *key_event,
			struct mapping *mapping, size_t depth)
{
	O2_AUTO(yaml_event_delete) yaml_event_t event = { 0 };
	O2_AUTO(json_decrefp) json_t *key = NULL;
	O2_AUTO(json_decrefp) json_t *value = NULL;
	bool merges = is_merge_key(key_event);

	if (!merges && (key = read_node(reader, key_event, depth)) == NULL)
		return false;
	if (!next(reader, &event) || (value = read_node(reader, &event, depth)) == NULL)
		return false;
	const char *problem = merges ? merge(mapping, value) : add_member(mapping, key, value);
	if (problem != NULL)
		fail_at(reader, &key_event->start_mark, O2_EINVALID, problem);
	return problem == NULL;
}

static json_t *read_mapping(struct reader *reader, size_t depth)
{
	O2_AUTO(mapping_release) struct mapping mapping = { .object = json_object() };

	for (;;) {
		O2_AUTO(yaml_event_delete) yaml_event_t event = { 0 };
		if (!next(reader, &event))
			return NULL;
		if (event.type == YAML_MAPPING_END_EVENT)
			return O2_STEAL(mapping.object);
		if (!read_member(reader, &event, &mapping, depth))
			return NULL;
	}
}

static json_t *read_collection(struct reader *reader, const yaml_event_t *event, size_t depth)
{
	bool is_map = event->type == YAML_MAPPING_START_EVENT;
	const char *tag =
		short_tag(is_map ? event->data.mapping_start.tag : event->data.sequence_start.tag);

	if (tag == NULL ||
	    (*tag != '\0' && strcmp(tag, "!") != 0 && strcmp(tag, is_map ? "map" : "seq") != 0)) {
		fail_at(reader, &event->start_mark, O2_EINVALID, "an unknown tag");
		return NULL;
	}
	if (depth >= O2_DOC_MAX_DEPTH) {
		fail_at(reader, &event->start_mark, O2_ELIMIT, "too many levels");
		return NULL;
	}
	return is_map ? read_mapping(reader, depth + 1) : read_sequence(reader, depth + 1);
}

static const char *anchor_of(const yaml_event_t *event)
{
	if (event->type == YAML_SCALAR_EVENT)
		return (const char *)event->data.scalar.anchor;
	if (event->type == YAML_MAPPING_START_EVENT)
		return (const char *)event->data.mapping_start.anchor;
	return (const char *)event->data.sequence_start.anchor;
}

/* The value that begins with `event`, inside of `depth` containers; NULL on failure. */
static json_t *read_node(struct reader *reader, const yaml_event_t *event, size_t depth)
{
	if (event->type == YAML_ALIAS_EVENT)
		return read_alias(reader, event, depth);
	const char *anchor = anchor_of(event);
	if (anchor != NULL)
		json_object_set(reader->anchors, anchor, reader->pending);
	json_t *json = event->type == YAML_SCALAR_EVENT ? read_scalar(reader, event)
							: read_collection(reader, event, depth);
	/* An anchor of the same name inside of this value comes later and stands. */
	if (json != NULL && anchor != NULL &&
	    json_object_get(reader->anchors, anchor) == reader->pending)
		json_object_set(reader->anchors, anchor, json);
	return json;
}

static bool read_stream(struct reader *reader, json_t *docs)
{
	for (;;) {
		O2_AUTO(yaml_event_delete) yaml_event_t event = { 0 };
		if (!next(reader, &event))
			return false;
		if (event.type == YAML_STREAM_END_EVENT)
			return true;
		if (event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_END_EVENT)
			continue;
		if (event.type == YAML_DOCUMENT_START_EVENT) {
			json_object_clear(reader->anchors);
			continue;
		}
		json_t *root = read_node(reader, &event, 0);
		if (root == NULL)
			return false;
		if (json_is_null(root))
			json_decref(root);
		else
			json_array_append_new(docs, root);
	}
}

struct o2_doc *o2_doc_parse_yaml(const char *text, size_t len, struct o2_err *err)
{
	struct reader reader = { .err = err };
	O2_AUTO(json_decrefp) json_t *docs = json_array();

	if (!yaml_parser_initialize(&reader.parser))
		abort();
	reader.anchors = json_object();
	reader.pending = json_object();
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)(len > 0 ? text : ""),
				     len);
	bool ok = read_stream(&reader, docs);
	yaml_parser_delete(&reader.parser);
	json_decref(reader.anchors);
	json_decref(reader.pending);
	return ok ? o2_doc_of(O2_STEAL(docs)) : NULL;
}
