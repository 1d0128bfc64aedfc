/*
 * Backups of the stores, taken all the time, and what it is like when an API server comes back with an old one.
 *
 * Only the store goes back: disks keep what was written, and processes that the store knows nothing of are ended. Versions go on
 * growing, as they do where a restore bumps them: so nothing but the contents tells that the store is old.
 */
#pragma once

/* Take one of both sides every half second, for the first moments of a run. Forgets those of another world. */
void sim_backups_begin(void);
/* The side's store becomes one of its backups, by chance. */
void sim_backup_restore(int side);
