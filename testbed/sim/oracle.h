/*
 * Who knows what must never happen, and what the end must look like: invariants I1 to I7 of PROTOCOL.md, looked at after every change
 * of any object, and the two good ends, as before and as after.
 *
 *	sim_oracle_begin(shape);          // the world as it is now is how it was before
 *	... the run ...
 *	sim_oracle_end();                 // everything has settled
 *	if (sim_oracle_violation()) ...
 *
 * Clients are part of it: ten times a second one writes a row through whichever way in is open. A row that was accepted and is not in
 * the volume that serves in the end is lost.
 */
#pragma once

#include "api.h"
#include "cluster.h"
#include "shapes.h"

void sim_oracle_begin(const struct sim_shape *shape);
/* Somebody else than os2os changed (or deleted) the object: that is how it was before, from now on. */
void sim_oracle_expect(struct sim_object *object);
/* The same of one change only: one more pod than before; a note among the annotations. */
void sim_oracle_expect_scaled(struct sim_object *object);
void sim_oracle_expect_edited(struct sim_object *object);
/*
 * A store becomes an old one: what happens meanwhile is nobody's doing, and records are read again afterwards. Behind the decision, or
 * behind the last look before it, nobody can promise a good end (the world is *torn*): then it counts only that commands end, and that no
 * data are deleted. So it is with a source that comes back frozen after it was given back, and with a second store that goes back.
 */
void sim_oracle_begin_restore(int side);
void sim_oracle_end_restore(int side);
bool sim_oracle_is_torn(void);
/* Did the side ever get an old store? */
bool sim_oracle_was_restored(int side);
/* What of A was kept frozen may go from now on; or it has to be gone. */
void sim_oracle_expect_retired(void);
void sim_oracle_see_retired(void);
/* A request of os2os is carried out: does it keep to U1? */
void sim_oracle_see_request(int side, const struct sim_request *request);
/* A process of os2os ended with this code and says so much about the world. */
void sim_oracle_see_exit(const char *verb, int exit_code);
/* The world has settled: is it as before, or as after? */
void sim_oracle_end(void);

/* Was any migration decided? Who starts A by hand after that wants both. */
bool sim_oracle_is_decided(void);

/* Remember a violation; the first one counts. */
void sim_violation(const char *fmt, ...) O2_PRINTF(1, 2);
/* NULL: there was none. */
const char *sim_oracle_violation(void);
/* For reports: "as before", "as after", and rows that clients wrote. */
const char *sim_oracle_outcome(void);
uint64_t sim_oracle_rows(void);
