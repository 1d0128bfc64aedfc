#include "session.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cancel.h"
#include "base/log.h"

bool o2_session_named(const struct o2_args *args, enum o2_side side)
{
	const struct o2_cluster_args *own = &args->side[side];

	return own->context != NULL || own->kubeconfig != NULL || own->cluster != NULL ||
	       own->server != NULL;
}

/* The side's own word, else the one for both. */
static const char *either(const char *own, const char *both)
{
	return own != NULL ? own : both;
}

/* A file that is not there is a failure; a name that is not in a file was asked for wrongly. */
static bool is_missing(const char *path)
{
	return path != NULL && access(path, F_OK) != 0;
}

int o2_session_configure(struct o2_session *session, const struct o2_args *args, enum o2_side side,
			 struct o2_err *err)
{
	const struct o2_cluster_args *own = &args->side[side], *both = &args->both;
	struct o2_kube_overrides overrides = {
		.kubeconfig = either(own->kubeconfig, both->kubeconfig),
		.context = either(own->context, both->context),
		.cluster = either(own->cluster, both->cluster),
		.user = either(own->user, both->user),
		.server = either(own->server, both->server),
		.token_file = either(own->token_file, both->token_file),
		.tls_server_name = either(own->tls_server_name, both->tls_server_name),
		.certificate_authority =
			either(own->certificate_authority, both->certificate_authority),
		.client_certificate = either(own->client_certificate, both->client_certificate),
		.client_key = either(own->client_key, both->client_key),
		.proxy_url = either(own->proxy_url, both->proxy_url),
		.insecure_skip_tls_verify = own->insecure || both->insecure,
		.as = either(own->as, both->as),
		.as_uid = either(own->as_uid, both->as_uid),
		.as_groups = own->as_groups.count > 0 ? &own->as_groups : &both->as_groups,
	};
	session->config[side] = o2_kube_config_load(&overrides, err);
	if (session->config[side] == NULL) {
		session->usage = err->code == -O2_ENOTFOUND && !is_missing(overrides.kubeconfig);
		return o2_prefix(err, "%s", side == O2_SOURCE ? "source" : "target");
	}
	const char *context = session->config[side]->context;
	const char *name = either(own->context, both->context);
	if (name == NULL)
		name = context[0] != '\0' ? context : "in-cluster";
	session->name[side] = o2_xstrdup(name);
	return 0;
}

int o2_session_open(struct o2_session *session, const struct o2_args *args, enum o2_side side,
		    struct o2_err *err)
{
	if (session->config[side] == NULL) {
		int rc = o2_session_configure(session, args, side, err);
		if (rc < 0)
			return rc;
	}
	if (session->http == NULL)
		session->http = o2_http_new();
	o2_log_step(0, 0, "connecting to '%s'", session->name[side]);
	session->kube[side] =
		o2_kube_open(session->http, session->config[side], session->name[side], err);
	return session->kube[side] != NULL ? 0 : err->code;
}

int o2_exit_of(const struct o2_err *err, int otherwise)
{
	return err->code == -O2_ECANCELED && o2_cancel_signal() != 0
		       ? O2_EXIT_SIGNAL + o2_cancel_signal()
		       : otherwise;
}

int o2_session_exit(const struct o2_session *session, const struct o2_err *err)
{
	o2_log(O2_ERROR, "%s", err->message);
	return o2_exit_of(err, session->usage ? O2_EXIT_USAGE : O2_EXIT_FAILED);
}

void o2_session_namespaces(const struct o2_session *session, const struct o2_args *args,
			   struct o2_strs *out)
{
	const struct o2_strs *given =
		args->from_namespaces.count > 0 ? &args->from_namespaces : &args->namespaces;

	for (size_t i = 0; i < given->count; i++)
		o2_strs_add_unique(out, given->items[i]);
	if (out->count == 0)
		o2_strs_add(out, session->config[O2_SOURCE]->ns);
}

void o2_session_release(struct o2_session *session)
{
	for (int i = 0; i < O2_SIDE_COUNT; i++) {
		o2_kube_freep(&session->kube[i]);
		o2_kube_config_freep(&session->config[i]);
		o2_freep(&session->name[i]);
	}
	o2_http_freep(&session->http);
}
