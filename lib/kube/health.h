/*
 * Is an object ready? The rules of kstatus (sigs.k8s.io/cli-utils), and what they leave out: reasons that will not mend
 * themselves, found in a workload's pods.
 */
#pragma once

#include "base/buf.h"
#include "doc/doc.h"

enum o2_kube_health {
	O2_KUBE_HEALTH_PROGRESSING,
	O2_KUBE_HEALTH_READY,
	O2_KUBE_HEALTH_FAILED, /* will not become ready without a change */
	O2_KUBE_HEALTH_TERMINATING,
	O2_KUBE_HEALTH_COUNT
};

/* why: one line for people ("2 of 3 pods ready"), cleared first; may be NULL. */
enum o2_kube_health o2_kube_health(const struct o2_doc *object, struct o2_buf *why);

/* How many pods of a workload are ready, as its status says. */
int64_t o2_kube_ready_pods(const struct o2_doc *object);

/*
 * What keeps one pod from being ready, looking into container states: ErrImagePull, ImagePullBackOff, InvalidImageName,
 * CreateContainerConfigError, CrashLoopBackOff, unschedulable. FAILED only for what waiting can't mend soon (image, configuration);
 * CrashLoopBackOff and Unschedulable are PROGRESSING with the reason in `why`, since what they wait for may still come.
 */
enum o2_kube_health o2_kube_pod_health(const struct o2_doc *pod, struct o2_buf *why);
