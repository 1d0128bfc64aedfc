/*
 * Two transactions begin on one application at once, and somebody runs a recovery that finds a lock without a record.
 *
 * Locks have a fixed name, one in A's namespace and one in B's. The one object of A stands for all that both would hold. Interleaving is at every
 * request. Features (variants): REVERSED (the second moves the application back, so it takes the locks in the other order). Planted
 * mistakes: BUG_x. README.md explains all of them.
 */

#define ABSENT 0
#define OPEN 1
#define COMMITTED 2
#define ABORTED 3
#define DONE 4

byte lock[2] = 0;       /* by whom */
byte r1[3] = ABSENT;    /* of transaction 1 and 2 */
bool write_set[3] = 0;
bool works[3] = 0;      /* between the locks and the end */
byte held = 0;          /* by whom A's object is held, */
byte note = 0;          /* and whose undo it bears */
byte seen = 0;          /* who has read it since it was written last */

#ifdef REVERSED
#define FIRST (me - 1)
#else
#define FIRST 0
#endif
#define SECOND (1 - FIRST)

/* CREATE: there already is ours, or it is somebody else's. */
#ifdef BUG_NO_LOCK
#define TAKE(n, otherwise) atomic { if :: lock[n] == 0 -> lock[n] = me :: else fi }
#else
#define TAKE(n, otherwise) atomic { if :: lock[n] == 0 -> lock[n] = me :: lock[n] == me :: else -> goto otherwise fi }
#endif
#ifdef BUG_UNLOCK_ANY
#define LET_GO(n) lock[n] = 0
#else
#define LET_GO(n) atomic { if :: lock[n] == me -> lock[n] = 0 :: else fi }
#endif

proctype Transaction(byte me)
{
	if :: true :: goto dead fi;
	TAKE(FIRST, busy);
	if :: true :: goto dead fi;
	TAKE(SECOND, busy);
	if :: true :: goto dead fi;
	write_set[me] = 1;
	if :: true :: goto dead fi;
	atomic { if :: r1[me] == ABSENT -> r1[me] = OPEN :: else -> goto discard fi };
	/* A lock that somebody took for a stray meanwhile is made again. */
#ifndef BUG_NO_SECOND_LOOK
	TAKE(FIRST, undo);
	TAKE(SECOND, undo);
#endif
	works[me] = 1;

hold:
	atomic { seen = seen | me; if :: held != 0 && held != me -> goto undo :: else fi };
	if :: r1[me] == OPEN :: else -> goto undo fi;
	atomic {
		if
		:: held == me -> goto decide
		:: (seen & me) && held == 0 -> held = me; note = me; seen = 0
		:: else
		fi };
	goto hold;
decide:
	if
	:: atomic { r1[me] == OPEN -> r1[me] = COMMITTED }
	:: goto undo
	fi;
	works[me] = 0;
	LET_GO(SECOND);
	LET_GO(FIRST);
	r1[me] = DONE;
	goto dead;

undo:
	r1[me] = ABORTED;
again:
	atomic { seen = seen | me };
	if
	:: held == me -> atomic { if :: (seen & me) && held == me -> held = 0; note = 0; seen = 0 :: else fi }; goto again
	:: else ->
		/* Touched, so that a late write finds another version. */
		atomic {
			if
			:: seen & me -> seen = 0
#ifdef BUG_TOUCH_TAKES_UNDO
				; note = 0
#endif
			:: else -> goto again
			fi }
	fi;
	works[me] = 0;
discard:
	write_set[me] = 0;
busy:
	LET_GO(SECOND);
	LET_GO(FIRST);
dead:
	skip
}

/* Recovery: R1 is absent, so the transaction died before its first effect, or has not got there yet; or another recovery ended it. */
proctype Recovery(byte me)
{
end:	atomic { (lock[0] == me || lock[1] == me) && (r1[me] == ABSENT || (r1[me] == ABORTED && !works[me])) };
#ifndef BUG_STRAY_UNMARKED
	/* A tombstone under R1's name: of two CREATEs one wins. */
	atomic { if :: r1[me] == ABSENT -> r1[me] = ABORTED :: r1[me] == ABORTED && !works[me] :: else -> goto end fi };
#endif
	write_set[me] = 0;
	LET_GO(1);
	LET_GO(0);
	goto end
}

#define ENDED(t) (r1[t] == ABSENT || r1[t] == ABORTED || r1[t] == DONE)

init
{
	atomic { run Transaction(1); run Transaction(2); run Recovery(1); run Recovery(2) };
	timeout;
	assert(ENDED(1) && ENDED(2));
	assert(lock[0] == 0 && lock[1] == 0);
	assert((held == 0) == (r1[1] != DONE && r1[2] != DONE))
}

#define ALONE (!works[1] || !works[2])
#define LOCKED(t) (!works[t] || (lock[0] == t && lock[1] == t))
#define KNOWN(t) (r1[t] != OPEN || !works[t] || write_set[t])
#define CAN_BE_UNDONE (held == note)
#if defined(SIGHT_DONE_AND_REFUSED)
#define REACHED (r1[1] == DONE && r1[2] == ABORTED)
#elif defined(SIGHT_STRAY)
#define REACHED (r1[1] == ABORTED && r1[2] == DONE && !write_set[1])
#else
#define REACHED false
#endif

active proctype Monitor()
{
end:	do
	:: atomic { REACHED -> assert(false) }
	:: atomic {
		!(ALONE && LOCKED(1) && LOCKED(2) && KNOWN(1) && KNOWN(2) && CAN_BE_UNDONE) ->
		assert(ALONE); assert(LOCKED(1) && LOCKED(2)); assert(KNOWN(1) && KNOWN(2)); assert(CAN_BE_UNDONE) }
	od
}
