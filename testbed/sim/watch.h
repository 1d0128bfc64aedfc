/*
 * Watches: the changes of a collection after a version, an event a line, as the API server streams them.
 *
 *	if (sim_watch_asked(&address))
 *		watch = sim_watch_open(cluster, &address);
 *	while ((line = sim_watch_next(watch)) != NULL)
 *		...;
 *
 * A version of before the cluster kept its events is answered by one event ERROR (410 Expired) and the end. Without a version, or with 0,
 * what is there comes first. Bookmarks come only where they are asked for. The cluster must keep its events (sim_cluster_keep_events()).
 */
#pragma once

#include "address.h"

struct sim_watch;

/* Does the query of a GET say watch=true? */
bool sim_watch_asked(const struct sim_address *address);
struct sim_watch *sim_watch_open(struct sim_cluster *cluster, const struct sim_address *address);
/* The next line, with its newline; caller frees. NULL: nothing yet, or over. */
char *sim_watch_next(struct sim_watch *watch);
/* It has said all that it is going to say: an error, or its timeoutSeconds have passed. */
bool sim_watch_is_over(const struct sim_watch *watch);
void sim_watch_free(struct sim_watch *watch);
