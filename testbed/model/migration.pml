/*
 * One migration: R1 in A decides, R2 in B mirrors it, two workloads on A are held one after another, B is inert, closed or open.
 *
 * Interleaving is at every request. A coordinator may be slow for ever between any two of them, so a crash needs no statement of its own: it
 * is a run in which the process does not move again. `Recover` begins at any moment and does not crash; what must hold at the end is
 * asked when it is through, and from then on, whatever the slow one still does.
 *
 * A resourceVersion is modelled as a reservation: reading an object sets the reader's bit, every write of the object clears all
 * bits, and a compare and swap needs the bit. That is exact, needs no counters, and knows no ABA.
 *
 * Features (variants): GHOST RIVAL WATCHDOG LOSE_B BLIND RESTORED GUARD PINGPONG. Planted mistakes: BUG_x. README.md explains all of them.
 */

/* R1 and R2 */
#define OPEN 1
#define COMMITTED 2
#define ABORTED 3
#define DONE 4
/* a workload of A; in ENDING its pods are told to end and still write; BACK runs again and bears the marks of the hold */
#define RUN 0
#define ENDING 1
#define HELD 2
#define BACK 3
/* B's workload with its way in */
#define ABSENT 0
#define INERT 1
#define CLOSED 2
#define OPENED 3
/* what B's volume holds, if not a version of A's data */
#define DIRTY 7 /* written by a B that ran and was stopped */
#define WRONG 8 /* a mover erred */
#define NOTHING 9

#define MIGRATE 1 /* reservation bits, and what R1 calls its holder */
#define RIVAL_BIT 2
#define RECOVER 4
#define GHOST_BIT 8

#ifdef RESTORED
byte r1 = OPEN, r2 = COMMITTED, b = OPENED, b_data = 0, a[2] = HELD;
bool referred = 0;
#else
byte r1 = OPEN, r2 = OPEN, b = ABSENT, b_data = NOTHING, a[2] = RUN;
bool referred = 0;      /* B's objects refer to the owner */
#endif
byte holder = MIGRATE;
byte r1_seen = 0, a_seen[2] = 0, b_seen = 0;
byte a_data = 0;
bool owner = 1;
byte pod = 0;           /* B's mover, by who made it */
byte session = 0;       /* whose round is on its way */
byte session_data = 0;
byte decisions = 0;     /* 1 COMMITTED was written, 2 ABORTED was */
bool recovered = 0;     /* Recover is through */
bool given_back = 0;    /* an abort has seen A serve */
bool finalized = 0;
bool dog = 0, guard = 0, b_up = 1;
byte old = 1;           /* what B had before: 1 kept, 0 gone, 2 changed */

#define WORKS(i) (a[i] != HELD)
#define A_WORKS (WORKS(0) || WORKS(1))

/* Remembered only where somebody wants to see it. */
#ifdef SIGHT
bool resumed = 0, woken = 0, parted = 0;
#define SEE(what) what = 1
#else
#define SEE(what) skip
#endif

/* --- writes, each one step; `bit` names who reserved ------------------------------------------------------------------ */

#define WRITE_R1(state) \
	r1 = state; r1_seen = 0; \
	if :: r1 == COMMITTED -> decisions = decisions | 1 :: r1 == ABORTED -> decisions = decisions | 2 :: else fi

#define SWAP_HOLD(bit, i) \
	if :: (a_seen[i] & bit) && a[i] == RUN -> a[i] = ENDING; a_seen[i] = 0 :: else fi
#define SWAP_BACK(bit, i) \
	if :: (a_seen[i] & bit) && (a[i] == HELD || a[i] == ENDING) -> a[i] = BACK; a_seen[i] = 0 :: else fi
#define SWAP_START(bit) \
	if :: (b_seen & bit) && b == INERT -> b = CLOSED; b_seen = 0 :: else fi
#define SWAP_OPEN(bit) \
	if :: (b_seen & bit) && b == CLOSED -> b = OPENED; b_seen = 0 :: else fi
#define REMOVE_B \
	if :: b >= CLOSED -> b_data = DIRTY :: else fi; \
	b = ABSENT; b_seen = 0; referred = 0
#define END_MOVERS pod = 0; session = 0; session_data = 0
#ifdef BUG_MOVERS_SHARED
#define IS_MY_POD pod
#else
#define IS_MY_POD (pod == me)
#endif
#define BEGIN_ROUND \
	if :: IS_MY_POD && session == 0 -> session = me; session_data = a_data :: else -> goto abort fi
#define SWAP_STOP(bit) \
	if :: (b_seen & bit) && b != ABSENT -> REMOVE_B :: else fi
#define SWAP_COMMIT(bit) \
	if :: (r1_seen & bit) && r1 == OPEN -> WRITE_R1(COMMITTED) :: else fi
#define SWAP_ABORT(bit) \
	if :: (r1_seen & bit) && r1 == OPEN -> WRITE_R1(ABORTED) :: else fi

/* --- the request whose answer was lost: it lands late, or never; one a run --------------------------------------------- */

#define G_HOLD 1
#define G_BACK 2
#define G_START 3
#define G_OPEN 4
#define G_COMMIT 5
#define G_ABORT 6
#define G_STOP 7
#ifdef GHOST
byte ghost = 0, ghost_i = 0;
bool ghost_was = 0;
#define OR_LOST(what, i, seen) \
	:: atomic { !ghost_was -> \
		ghost_was = 1; ghost = what; ghost_i = i; \
		if :: (seen & me) -> seen = seen | GHOST_BIT :: else fi }

active proctype Ghost()
{
end:	atomic { ghost != 0 ->
		if
		:: ghost == G_HOLD -> SWAP_HOLD(GHOST_BIT, ghost_i)
		:: ghost == G_BACK -> SWAP_BACK(GHOST_BIT, ghost_i)
		:: ghost == G_START -> SWAP_START(GHOST_BIT)
		:: ghost == G_OPEN -> SWAP_OPEN(GHOST_BIT)
		:: ghost == G_COMMIT -> SWAP_COMMIT(GHOST_BIT)
		:: ghost == G_ABORT -> SWAP_ABORT(GHOST_BIT)
		:: ghost == G_STOP -> SWAP_STOP(GHOST_BIT)
		:: true
		fi;
		ghost = 0; ghost_i = 0;
		a_seen[0] = a_seen[0] & 7; a_seen[1] = a_seen[1] & 7; b_seen = b_seen & 7; r1_seen = r1_seen & 7 }
}
#else
#define OR_LOST(what, i, seen)
#endif

/* --- the world ---------------------------------------------------------------------------------------------------------- */

active proctype Application()
{
end:	atomic { A_WORKS && a_data == 0 -> a_data = 1 }
}

active proctype Kubelet()
{
end:	do
	:: atomic { a[0] == ENDING -> a[0] = HELD }
	:: atomic { a[1] == ENDING -> a[1] = HELD }
	od
}

/* The agents finish a round; one may have erred. */
active proctype Agents()
{
end:	do
	:: atomic { session != 0 ->
		assert(b != CLOSED && b != OPENED); /* I3: nobody writes below a B that runs */
		b_data = session_data; session = 0; session_data = 0 }
	:: atomic { session != 0 ->
		assert(b != CLOSED && b != OPENED);
		b_data = WRONG; session = 0; session_data = 0 }
	od
}

active proctype Collector()
{
end:	do
	:: atomic { !owner && referred && b != ABSENT -> REMOVE_B }
	:: atomic { !owner && pod -> END_MOVERS }
#ifdef WATCHDOG
	:: atomic { !owner && dog -> dog = 0 }
#endif
#ifdef GUARD
	:: atomic { !owner && guard -> guard = 0 }
#endif
	od
}

#ifdef WATCHDOG
/* At any moment once it is there; it knows nothing but its requests. */
active proctype Watchdog()
{
end:	atomic { dog && !recovered ->
#ifdef BUG_WATCHDOG_NO_SWAP
		skip };
#else
		if :: r1 == OPEN -> SEE(woken); WRITE_R1(ABORTED) :: else -> goto out fi };
#endif
	atomic { if :: a[1] == HELD || a[1] == ENDING -> a[1] = BACK; a_seen[1] = 0 :: else fi };
	atomic { if :: a[0] == HELD || a[0] == ENDING -> a[0] = BACK; a_seen[0] = 0 :: else fi };
out:	skip
}
#endif

#ifdef LOSE_B
active proctype Network()
{
end:	atomic { b_up -> SEE(parted); b_up = 0 };
	if :: b_up = 1 :: true fi /* it comes back, or never */
}
#endif

#ifdef GUARD
/* Somebody on A who scales up what is held: without the guard its pods start. */
bool lifted = 0; /* by the end of the migration */
active proctype Somebody()
{
end:	atomic { !guard && !lifted && a[0] == HELD -> a[0] = BACK; a_seen[0] = 0 }
}
#endif

#ifdef BLIND
/* A recovery that does not reach A: R2's COMMITTED is final, so B is opened. */
active proctype Blind()
{
end:	r2 == COMMITTED;
	atomic { b_seen = b_seen | RIVAL_BIT };
	atomic { SWAP_OPEN(RIVAL_BIT) };
	if :: atomic { r2 == COMMITTED || r2 == DONE -> referred = 0 } fi
}
#endif

#ifdef BUG_FINALIZE_EARLY
#define MAY_RETIRE (r1 == COMMITTED)
#else
#define MAY_RETIRE (r1 == DONE)
#endif
active proctype Finalize()
{
end:	atomic { MAY_RETIRE && !finalized ->
		finalized = 1;
		assert(b == OPENED && b_data == a_data && !referred && r2 == DONE) /* I4 */
	}
}

/* --- who moves the application ---------------------------------------------------------------------------------------------- */

/* Is R1 this process's, and OPEN? An abort that somebody asked for is this process's to carry out. */
#define LOOK \
	if \
	:: holder == me && r1 == OPEN \
	:: holder == me && r1 == ABORTED -> goto back \
	:: else -> goto lost \
	fi
#define LOOK_FOR(state) \
	if :: holder == me && r1 == state :: else -> goto lost fi
/* Anything may fail before the decision. */
#define MAY_FAIL if :: true :: goto abort fi
#ifdef LOSE_B
#define NEEDS_B if :: b_up :: else -> goto abort fi
#define AWAITS_B b_up
#else
#define NEEDS_B skip
#define AWAITS_B skip
#endif

proctype Coordinator(byte me; bool begins)
{
	byte i, state;

begin:
	if
	:: begins -> state = OPEN; goto prepare
	:: else
	fi;
#ifdef BUG_STALE_STATE
	state = r1;
	atomic { holder = me; r1_seen = 0 };
#else
	atomic { holder = me; r1_seen = 0; state = r1 };
#endif
#if defined(RESTORED) && !defined(BUG_THAW_RESTORED)
	if :: state == OPEN && r2 == COMMITTED -> goto halt :: else fi;
#endif
#ifdef BUG_THAW_DECIDED
	if :: state == COMMITTED && !b_up -> atomic { WRITE_R1(ABORTED) }; goto back :: else fi;
#endif
	if
	:: state == COMMITTED -> goto forward
	:: state == ABORTED -> goto back
	:: state == DONE -> goto through
	:: state == OPEN -> goto abort
	:: state == OPEN -> SEE(resumed)
	fi;

	/* B may have run on the data that travelled: it stops, and the next round overwrites what it wrote. */
#ifndef BUG_RESUME_NO_STOP
stop:
	atomic { b_seen = b_seen | me };
#ifndef BUG_STOP_UNCHECKED
	LOOK;
#endif
	atomic { NEEDS_B };
	if
#ifdef BUG_STOP_UNCHECKED
	:: atomic { true -> REMOVE_B }
#else
	:: atomic { true -> SWAP_STOP(me) }
#endif
	OR_LOST(G_STOP, 0, b_seen)
	fi;
	if :: b != ABSENT -> goto stop :: else fi;
#endif
#ifndef BUG_RESUME_KEEPS_MOVERS
	atomic { NEEDS_B; END_MOVERS };
#endif

prepare:
	LOOK;
	atomic { NEEDS_B; if :: b == ABSENT -> b = INERT; b_seen = 0; referred = 1 :: else fi };
#ifdef BUG_OLD_FIRST
	old = 0;
#endif
	LOOK;
	atomic { NEEDS_B; if :: !pod -> pod = me :: pod == me :: else -> goto abort fi };

	/* A round while A serves. */
	MAY_FAIL;
#ifndef BUG_SESSION_UNCHECKED
	LOOK;
#endif
	atomic { BEGIN_ROUND };
#ifdef BUG_IN_PLACE
	old = 2;
#endif
	if :: session != me :: goto abort fi;
#ifdef WATCHDOG
	LOOK;
	dog = 1;
#endif
#if defined(GUARD) && !defined(BUG_NO_GUARD)
	LOOK;
	guard = 1;
#endif

	i = 0;
hold:
#ifdef BUG_LOOK_FIRST
	LOOK;
	atomic { a_seen[i] = a_seen[i] | me };
#else
	atomic { a_seen[i] = a_seen[i] | me };
	LOOK;
#endif
	if
	:: a[i] == HELD || a[i] == BACK -> goto held
	:: a[i] == ENDING -> goto ending
	:: else
	fi;
	if
#ifdef BUG_HOLD_BLIND
	:: atomic { a[i] == RUN -> a[i] = ENDING; a_seen[i] = 0 }
	:: a[i] != RUN
#else
	:: atomic { true -> SWAP_HOLD(me, i) }
#endif
	OR_LOST(G_HOLD, i, a_seen[i])
	fi;
#ifdef BUG_SPIN
	do :: a[i] == RUN -> SWAP_HOLD(me, i) :: else -> break od;
#else
	if :: a[i] == RUN -> goto hold :: a[i] == RUN -> goto abort :: else fi;
#endif
ending:
	if :: a[i] != ENDING :: goto abort fi;
held:
	i++;
	if :: i < 2 -> goto hold :: else -> i = 0 fi;

	/* The last round, compared from what is durable; then the movers go. */
#ifndef BUG_SESSION_UNCHECKED
	LOOK;
#endif
	atomic { NEEDS_B; BEGIN_ROUND };
	if :: session != me :: goto abort fi;
#ifndef BUG_NO_COMPARE
	atomic { NEEDS_B; if :: b_data == a_data && session == 0 :: else -> goto abort fi };
#endif
#ifndef BUG_MOVERS_STAY
	atomic { NEEDS_B; END_MOVERS };
#endif

	/* B starts, closed. */
	atomic { b_seen = b_seen | me };
	LOOK;
	atomic { NEEDS_B };
	if
#ifdef BUG_OPEN_EARLY
	:: atomic { true -> SWAP_START(me); if :: b == CLOSED -> b = OPENED :: else fi }
#else
	:: atomic { true -> SWAP_START(me) }
#endif
	OR_LOST(G_START, 0, b_seen)
	fi;
	atomic { NEEDS_B; if :: b == CLOSED :: else -> goto abort fi };
	MAY_FAIL;

	/* The decision. */
#ifndef BUG_MOVERS_STAY
	atomic { NEEDS_B; END_MOVERS };
#endif
	LOOK;
#ifndef BUG_UNSEEN
	atomic { if :: !A_WORKS :: else -> goto abort fi };
#endif
#ifdef BUG_MIRROR_FIRST
	r2 = COMMITTED;
#endif
#ifdef BUG_LOCAL_DECISION
	goto forward;
#endif
	if
#ifdef BUG_COMMIT_UNOWNED
	:: atomic { true -> if :: r1 == OPEN -> WRITE_R1(COMMITTED) :: else fi }
#else
	:: atomic { true -> if :: r1 == OPEN && holder == me -> WRITE_R1(COMMITTED) :: else fi }
#endif
#ifdef GHOST
	:: atomic { !ghost_was && holder == me && r1 == OPEN -> ghost_was = 1; ghost = G_COMMIT; r1_seen = r1_seen | GHOST_BIT }
#endif
	fi;
	if
	:: r1 == COMMITTED || r1 == DONE -> goto forward
	:: r1 == ABORTED && holder == me -> goto back
	:: else -> goto lost /* in doubt */
	fi;

abort:
	i = 0;
	if
#if defined(BUG_ABORT_BLIND)
	:: atomic { true -> WRITE_R1(ABORTED) }
#elif defined(BUG_STALE_STATE)
	:: atomic { holder == me -> WRITE_R1(ABORTED) } /* its version is known, its state only believed */
	:: holder != me
#else
	:: atomic { true -> if :: r1 == OPEN && holder == me -> WRITE_R1(ABORTED) :: else fi }
#endif
#ifdef GHOST
	:: atomic { !ghost_was && holder == me && r1 == OPEN -> ghost_was = 1; ghost = G_ABORT; r1_seen = r1_seen | GHOST_BIT }
#endif
	fi;
	if
	:: r1 == ABORTED && holder == me -> goto back
	:: else -> goto lost
	fi;

forward:
	i = 0;
end_mirror:
	atomic { AWAITS_B -> if :: r2 == OPEN -> r2 = COMMITTED :: else fi };
open:
	atomic { b_seen = b_seen | me };
#ifndef BUG_LOCAL_DECISION
	LOOK_FOR(COMMITTED);
#endif
	atomic { if :: b == OPENED -> goto release :: else -> assert(b == CLOSED) /* it was decided on a B that ran */ fi };
end_open:
	if
	:: atomic { AWAITS_B -> SWAP_OPEN(me) }
	OR_LOST(G_OPEN, 0, b_seen)
	fi;
	goto open;
release:
#ifdef PINGPONG
	atomic { LOOK_FOR(COMMITTED); old = 0 };
#endif
#ifdef BUG_OWNER_FIRST
	owner = 0;
#endif
	LOOK_FOR(COMMITTED);
end_release:
	atomic { AWAITS_B -> referred = 0 };
#ifndef BUG_HELPERS_STAY
end_helpers:
	atomic { AWAITS_B -> END_MOVERS; dog = 0;
#ifdef GUARD
		guard = 0; lifted = 1;
#endif
	};
#endif
end_owner:
	atomic { AWAITS_B -> owner = 0 };
end_done:
	atomic { AWAITS_B -> r2 = DONE };
	atomic { if :: holder == me && r1 == COMMITTED -> WRITE_R1(DONE) :: else -> goto lost fi };
	goto through;

back:
	/* B's workloads end, if B answers; the movers are dismissed. */
	i = 2;
#ifdef BUG_GUARD_FIRST
	guard = 0;
#endif
#ifndef BUG_THAW_FIRST
#ifdef BUG_AWAIT_B
	atomic { AWAITS_B -> if :: b != ABSENT -> REMOVE_B :: else fi };
#else
	atomic { if :: b_up && b != ABSENT -> REMOVE_B :: else fi };
#endif
#endif
	atomic { if :: b_up -> END_MOVERS :: else fi };
#ifdef GUARD
	guard = 0;
#endif

	/* A is given back, the last that was held first. */
restore:
	i--;
again:
	atomic { a_seen[i] = a_seen[i] | me };
	LOOK_FOR(ABORTED);
	if
	:: a[i] == RUN ->
#ifdef BUG_NO_TOUCH
		goto restored;
#else
		atomic { if :: a_seen[i] & me -> a_seen[i] = 0; goto restored :: else -> goto again fi };
#endif
	:: a[i] == BACK -> atomic { if :: (a_seen[i] & me) && a[i] == BACK -> a[i] = RUN; a_seen[i] = 0 :: else fi }
	:: else ->
		if
		:: atomic { true -> SWAP_BACK(me, i) }
		OR_LOST(G_BACK, i, a_seen[i])
		fi
	fi;
	goto again;
restored:
	if :: i > 0 -> goto restore :: else -> i = 0 fi;
	atomic { dog = 0; given_back = 1 };

	/* The rest of B. */
end_rest:
	atomic { AWAITS_B -> if :: b != ABSENT -> REMOVE_B :: else fi };
end_movers:
	atomic { AWAITS_B -> END_MOVERS };
#ifndef BUG_OWNER_STAYS
end_owner_back:
	atomic { AWAITS_B -> owner = 0 };
#endif
end_undone:
	atomic { AWAITS_B -> r2 = ABORTED };
	goto through;

lost:
	i = 0;
	if
	:: me == RECOVER -> goto begin
	:: else -> goto dead
	fi;
halt:
through:
	i = 0;
	if :: me == RECOVER -> recovered = 1 :: else fi;
dead:
	atomic { state = 0; a_seen[0] = a_seen[0] & (15 - me); a_seen[1] = a_seen[1] & (15 - me); b_seen = b_seen & (15 - me) }
}

init
{
	atomic {
#ifdef RIVAL
		/* The first one died: before it did anything, prepared, half-way in the freeze, started, decided, half-way in the undo. */
		if
		:: true
		:: b = INERT; referred = 1; pod = MIGRATE
		:: b = INERT; referred = 1; pod = MIGRATE; a[0] = HELD
		:: b = CLOSED; referred = 1; b_data = a_data; a[0] = HELD; a[1] = HELD
		:: b = CLOSED; referred = 1; b_data = a_data; a[0] = HELD; a[1] = HELD; WRITE_R1(COMMITTED)
		:: referred = 0; a[0] = HELD; a[1] = BACK; WRITE_R1(ABORTED)
		fi;
		run Coordinator(RIVAL_BIT, 0);
#else
#ifndef RESTORED
		run Coordinator(MIGRATE, 1);
#endif
#endif
		run Coordinator(RECOVER, 0)
	}
}

/* --- what must hold --------------------------------------------------------------------------------------------------------- */

#define I1 (b != OPENED || !A_WORKS)
/* Only one side works: what a watchdog that knows nothing of B, or the loss of B, has to give up. */
#if defined(WATCHDOG) || defined(LOSE_B)
#define I1_STRICT true
#else
#define I1_STRICT (b != CLOSED || !A_WORKS)
#endif
#ifdef RESTORED
#define I2 true
#define R2_FOLLOWS true
#define R1_FIRST true
#else
#define I2 (decisions != 3)
#define R2_FOLLOWS ((r2 != COMMITTED && r2 != DONE) || r1 == COMMITTED || r1 == DONE)
#define R1_FIRST (b != OPENED || r1 == COMMITTED || r1 == DONE)
#endif
#define I3 (b != OPENED || b_data == a_data)
#define KEPT (old == 1 || r1 == COMMITTED || r1 == DONE)
#define SERVES_AGAIN (!given_back || (a[0] == RUN && a[1] == RUN))
/* I7: what came after the owner went is as good as collected. */
#define NO_HELPERS (!owner)
#define IS_DONE (r1 == DONE && r2 == DONE && b == OPENED && !referred && !A_WORKS)
#define IS_UNDONE (r1 == ABORTED && r2 == ABORTED && (b == ABSENT || (b == INERT && referred)) && a[0] == RUN && a[1] == RUN)
#ifdef PINGPONG
#define OLD_AS_DECIDED (old == (r1 == ABORTED))
#else
#define OLD_AS_DECIDED true
#endif
#ifdef RESTORED
#define AT_THE_END (r1 == OPEN && b == OPENED && !A_WORKS)
#else
#define AT_THE_END ((IS_DONE || IS_UNDONE) && NO_HELPERS && OLD_AS_DECIDED)
#endif

/* What must be able to happen, so that no variant is empty. */
#if defined(SIGHT_DONE)
#define REACHED (recovered && r1 == DONE)
#elif defined(SIGHT_UNDONE)
#define REACHED (recovered && r1 == ABORTED)
#elif defined(SIGHT_RESUMED)
#define REACHED (resumed && r1 == DONE)
#elif defined(SIGHT_WOKEN)
#define REACHED (recovered && woken)
#elif defined(SIGHT_RETURNED_UNDONE)
#define REACHED (recovered && r1 == ABORTED && parted)
#elif defined(SIGHT_RETURNED_DONE)
#define REACHED (recovered && r1 == DONE && parted)
#elif defined(SIGHT_SERVES_WITHOUT_B)
#define REACHED (given_back && !b_up)
#else
#define REACHED false
#endif

active proctype Monitor()
{
end:	do
	:: atomic { REACHED -> assert(false) }
	:: atomic {
		!(I1 && I1_STRICT && I2 && R2_FOLLOWS && R1_FIRST && I3 && KEPT && SERVES_AGAIN && (!recovered || AT_THE_END)) ->
		assert(I1); assert(I1_STRICT); assert(I2); assert(R1_FIRST); assert(R2_FOLLOWS); assert(I3); assert(KEPT);
		assert(SERVES_AGAIN); assert(!recovered || AT_THE_END) }
	od
}
