/*
 * Tree to YAML text, by the emitter of libyaml.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "doc/doc.h"
#include "doc/doc_internal.h"

static void write_value(yaml_emitter_t *emitter, json_t *json);

/* The emitter fails only without memory or on events in a wrong order. */
static void need(int ok)
{
	if (!ok)
		abort();
}

static int add_output(void *arg, unsigned char *bytes, size_t len)
{
	o2_buf_add(arg, bytes, len);
	return 1;
}

/* Line ends other than \n, tabs and control characters, which only double quotes carry safely. */
static bool has_special(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)text[i] < 0x20 && text[i] != '\n') || text[i] == 0x7f)
			return true;
	return strstr(text, "\xc2\x85") != NULL || strstr(text, "\xe2\x80\xa8") != NULL ||
	       strstr(text, "\xe2\x80\xa9") != NULL || strstr(text, "\xef\xbb\xbf") != NULL;
}

/* The emitter itself quotes what has a meaning in the grammar; it does not know other types. */
static yaml_scalar_style_t style_of(const char *text, size_t len, bool is_name)
{
	if (has_special(text, len) || o2_doc_yaml_is_ambiguous(text, len))
		return YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	if (memchr(text, '\n', len) == NULL)
		return YAML_PLAIN_SCALAR_STYLE;
	/* The indentation of a block is guessed from its first line. */
	if (is_name || text[0] == ' ' || text[0] == '\n')
		return YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	return YAML_LITERAL_SCALAR_STYLE;
}

static void write_scalar(yaml_emitter_t *emitter, const char *text, size_t len,
			 yaml_scalar_style_t style)
{
	yaml_event_t event;

	need(yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)len,
					  1, 1, style));
	need(yaml_emitter_emit(emitter, &event));
}

static void write_string(yaml_emitter_t *emitter, const char *text, size_t len, bool is_name)
{
	write_scalar(emitter, text, len, style_of(text, len, is_name));
}

static void write_object(yaml_emitter_t *emitter, json_t *json)
{
	yaml_event_t event;

	need(yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));
	need(yaml_emitter_emit(emitter, &event));
	for (void *at = json_object_iter(json); at != NULL; at = json_object_iter_next(json, at)) {
		write_string(emitter, json_object_iter_key(at), json_object_iter_key_len(at), true);
		write_value(emitter, json_object_iter_value(at));
	}
	need(yaml_mapping_end_event_initialize(&event));
	need(yaml_emitter_emit(emitter, &event));
}

static void write_array(yaml_emitter_t *emitter, json_t *json)
{
	yaml_event_t event;

	need(yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
						  YAML_BLOCK_SEQUENCE_STYLE));
	need(yaml_emitter_emit(emitter, &event));
	for (size_t i = 0; i < json_array_size(json); i++)
		write_value(emitter, json_array_get(json, i));
	need(yaml_sequence_end_event_initialize(&event));
	need(yaml_emitter_emit(emitter, &event));
}

static void write_real(yaml_emitter_t *emitter, double value)
{
	char text[O2_DOC_REAL_SIZE];

	o2_doc_real_text(value, text);
	/* YAML 1.1 takes 1e+21 for a string: its reals have a point. */
	char *exponent = strchr(text, 'e');
	if (exponent != NULL && strchr(text, '.') == NULL) {
		memmove(exponent + 2, exponent, strlen(exponent) + 1);
		memcpy(exponent, ".0", 2);
	}
	write_scalar(emitter, text, strlen(text), YAML_PLAIN_SCALAR_STYLE);
}

static void write_value(yaml_emitter_t *emitter, json_t *json)
{
	char text[O2_DOC_REAL_SIZE];

	if (json_is_object(json)) {
		write_object(emitter, json);
	} else if (json_is_array(json)) {
		write_array(emitter, json);
	} else if (json_is_string(json)) {
		write_string(emitter, json_string_value(json), json_string_length(json), false);
	} else if (json_is_real(json)) {
		write_real(emitter, json_real_value(json));
	} else {
		if (json_is_integer(json))
			snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT,
				 json_integer_value(json));
		else
			snprintf(text, sizeof(text), "%s",
				 json_is_true(json)    ? "true"
				 : json_is_false(json) ? "false"
						       : "null");
		write_scalar(emitter, text, strlen(text), YAML_PLAIN_SCALAR_STYLE);
	}
}

char *o2_doc_dump_yaml(const struct o2_doc *doc)
{
	yaml_emitter_t emitter;
	yaml_event_t event;
	struct o2_buf out;

	o2_buf_init(&out, O2_DOC_NO_MAX);
	need(yaml_emitter_initialize(&emitter));
	yaml_emitter_set_output(&emitter, add_output, &out);
	yaml_emitter_set_unicode(&emitter, 1);
	yaml_emitter_set_width(&emitter, -1);
	need(yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
	need(yaml_emitter_emit(&emitter, &event));
	need(yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
	need(yaml_emitter_emit(&emitter, &event));
	write_value(&emitter, o2_doc_json(doc));
	need(yaml_document_end_event_initialize(&event, 1));
	need(yaml_emitter_emit(&emitter, &event));
	need(yaml_stream_end_event_initialize(&event));
	need(yaml_emitter_emit(&emitter, &event));
	yaml_emitter_delete(&emitter);
	if (out.len == 0 || out.data[out.len - 1] != '\n')
		o2_buf_addc(&out, '\n');
	return out.data;
}
