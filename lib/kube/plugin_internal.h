/*
 * Credential plug-ins (client.authentication.k8s.io, "exec" in the kubeconfig).
 */
#pragma once

#include <stdint.h>

#include "kube/config.h"

struct o2_kube_plugin_answer {
	char *token;
	char *cert_pem, *key_pem;
	int64_t expires; /* seconds since 1970; 0: does not say */
};

/*
 * Run the plug-in and wait. Its stderr is ours; its stdin too if it may ask questions and ours is a terminal.
 *
 * Errors  O2_EAUTH (it failed, or says nothing of use), O2_ENOTFOUND (not installed; with its own hint), O2_ECANCELED, O2_ETRANSIENT
 *         (it took too long without being allowed to ask).
 */
O2_MUST_CHECK int o2_kube_plugin_run(const struct o2_kube_exec_plugin *plugin, const char *user,
				     struct o2_kube_plugin_answer *out, struct o2_err *err);
void o2_kube_plugin_answer_release(struct o2_kube_plugin_answer *answer);
