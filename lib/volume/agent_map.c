/* The agent in ConfigMaps, each with a part that fits. */
#include "volume/volume_internal.h"

#include "crypto/crypto.h"
#include "volume/agent_image.h"

char *o2_volume_agent_name(const char *id, size_t part)
{
	return o2_xasprintf("os2os-agent-%s-%zu", id, part);
}

size_t o2_volume_agent_part_count(size_t agent_len)
{
	return (agent_len + o2_agent_part_bytes - 1) / o2_agent_part_bytes;
}

static void put_bytes(struct o2_doc *map, const char *key, const void *bytes, size_t len)
{
	O2_AUTO(o2_freep) char *text = o2_base64_encode(bytes, len);

	o2_doc_set_str(o2_doc_at(map, "/binaryData"), key, text);
}

static struct o2_doc *map_new(const char *id, const char *ns, size_t part)
{
	O2_AUTO(o2_freep) char *name = o2_volume_agent_name(id, part);
	struct o2_doc *map = o2_doc_object_new();

	o2_doc_put_str(map, "/apiVersion", "v1");
	o2_doc_put_str(map, "/kind", "ConfigMap");
	o2_doc_put_str(map, "/metadata/name", name);
	o2_doc_put_str(map, "/metadata/namespace", ns);
	o2_doc_put_str(map, "/metadata/labels/os2os.io~1helper", "agent");
	o2_doc_put_bool(map, "/immutable", true);
	o2_doc_put(map, "/binaryData", o2_doc_object_new());
	return map;
}

struct o2_doc *o2_volume_agent_maps_of(const char *id, const char *ns, const void *agent,
				       size_t agent_len, const void *loader, size_t loader_len)
{
	struct o2_doc *maps = o2_doc_array_new();

	for (size_t part = 0; part < o2_volume_agent_part_count(agent_len); part++) {
		size_t at = part * o2_agent_part_bytes, left = agent_len - at;
		struct o2_doc *map = map_new(id, ns, part);
		O2_AUTO(o2_freep) char *key = o2_xasprintf("agent-%zu", part);

		put_bytes(map, key, (const unsigned char *)agent + at,
			  left < o2_agent_part_bytes ? left : o2_agent_part_bytes);
		if (part == 0)
			put_bytes(map, "loader", loader, loader_len);
		o2_doc_append(maps, map);
	}
	return maps;
}

struct o2_doc *o2_volume_agent_maps(const char *id, const char *ns)
{
	size_t agent_len, loader_len;
	const unsigned char *agent = o2_agent_bytes(&agent_len);
	const unsigned char *loader = o2_agent_loader_bytes(&loader_len);

	return o2_volume_agent_maps_of(id, ns, agent, agent_len, loader, loader_len);
}
