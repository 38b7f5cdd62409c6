/*
 * The refresh protocol of pkg/tokens for the model checker spin. README.md in
 * this directory says what is abstracted and why. Names are those of the Go code.
 *
 * Configuration, by -D:
 *   ON_A, ON_B       refreshing processes on row A and on row B (3, 0)
 *   TRIES            claims of one process, as after one that was not confirmed (2)
 *   USERS            authorizations by the user (0, 1 or 2)
 *   KEEP KILL RETURN what an authorization does to the user's earlier pair
 *   DISCONNECT REVOKE BACKUP TOUCH   the actors of these names
 *   BEYOND           clocks differ by more than the margin
 *   STRICT           STRICT_SENT and STRICT_SUCCESSOR: what holds except for the limits that README.md lists
 * and one deliberate breakage, BREAK_*.
 */
#ifndef ON_A
#define ON_A 3
#endif
#ifndef ON_B
#define ON_B 0
#endif
#ifndef USERS
#define USERS 0
#endif
#ifdef STRICT
#define STRICT_SENT
#define STRICT_SUCCESSOR
#endif
#define NP (ON_A + ON_B)
#if ON_B > 0
#define NR 2
#else
#define NR 1
#endif
#ifndef TRIES
#define TRIES 2 /* claims of one process */
#endif

#define NONE 0
#define ACTIVE 1
#define UNCERTAIN 2
#define REAUTHORIZE 3
#define DISCONNECTED 4
#define REVOKING 5
#define REVOKED 6

#define HOLDER 1  /* the process that refreshed it ended without an answer */
#define UNKNOWN 2 /* Procore's answer to a refresh is not known */
#define REFUSED 3 /* Procore refused the refresh token */
#define SPENT 4   /* this refresh token was sent before */

/* Token values, which stand for whole pairs: 1 is the first, 2+p what process p
 * receives, the last ones those of the user's authorizations. */
#define HOME(p) (2 + (p))
#define GRANTED(i) (2 + NP + (i))
#define NT (2 + NP + USERS)

/* Attempts are 1 and up; 0 is not an attempt. */
#define ATTEMPT(p, try) (1 + TRIES * (p) + (try))
#define OWNER(attempt) (((attempt) - 1) / TRIES)
#define DEAD 98      /* some attempt whose process has ended: they are alike */
#define GIVENBACK 99 /* the same, and it had said that the token was not sent */

#define HAS(set, i) (((set) >> (i)) & 1)
#define ADD(set, i) set = set | (1 << (i))
#define DEL(set, i) set = set & ~(1 << (i))

typedef Row {
  byte state = ACTIVE;
  byte generation = 1;
  byte pair = 1;
  byte attempt;
  bit claimed;
  byte last;  /* lastAttempt */
  byte cause; /* stateAttempt */
  byte why;
  /* what happened in the world since the last authorization */
  byte authorized = 1; /* the generation of that authorization */
  bit disconnected;    /* an admin disconnected it, and the row was told */
  bit revoked;         /* an operator ordered its end */
};

Row row[NR];
byte ledger[NT]; /* Spends: the attempt that entered the value */

/* Procore: which pairs live, and which values it was sent. */
byte live = 2;
byte sent;

/* Of a process's claim and pair, what others need. */
byte holds[NP];      /* the confirmed claim's attempt */
byte generation[NP]; /* homecoming: where the pair may land */
byte attempt[NP];
byte spends[NP]; /* the value that it spends or has spent */
byte queue[NP];  /* rescue queue: 1 waits, 2 was delivered and may be again */

#ifdef BACKUP
Row saved;
byte savedClaim[NP]; /* late requests whose condition is that row: it comes back with it */
byte savedStore;
bit savedRead;
#define inBackup(x) (saved.pair == (x))
#define claimUnderWay(p, a) (lateClaim[p] == a || savedClaim[p] == a)
#define storeUnderWay(p) (HAS(lateStore, p) || HAS(savedStore, p))
#else
#define inBackup(x) 0
#define claimUnderWay(p, a) (lateClaim[p] == a)
#define storeUnderWay(p) HAS(lateStore, p)
#endif

/* Requests on the network whose sender no longer waits. A write to the row makes
 * their condition fail for good, so they vanish with it. */
byte lateClaim[NP]; /* the attempt */
byte lateStore;     /* set of processes */
#ifdef REVOKE
bit revokerRead; /* the row is still as the revoker read it */
#endif
#ifdef BREAK_RELEASE_WITHOUT_REV
byte before[NP]; /* lateClaim as before the row's claim */
#endif
#ifdef BREAK_REV_ALONE
byte rev[NR] = 1;
byte claimedRev[NP];
byte savedRev;
#endif

/* Ghosts: for the assertions alone. */
byte past;     /* set of processes: another process judged the claim expired */
byte released; /* set of attempts that ended with the token not sent */
byte stored;   /* set of processes: the row has held their pair */

byte started; /* refreshers begin in their order: they are alike */
byte left;    /* actors that have not ended */
bit over;

#define usable(r) (row[r].state == ACTIVE || row[r].state == UNCERTAIN)
#if NR == 1
#define ROW(p) 0
#else
#define ROW(p) ((p) < ON_A -> 0 : 1)
#endif

c_decl {
  extern int readtrail; /* this is the replay of a counterexample */
  static int fromState, fromClaimed, fromGeneration;
  static char seenTransition[8][2][8][2][4];
  static const char *stateName[] = {"none", "active", "uncertain", "reauthorize", "disconnected", "revoking", "revoked"};
  static void printTransitions(void) {
    int s, c, t, d, n;
    for (s = 1; s < 7; s++) for (c = 0; c < 2; c++) for (t = 1; t < 7; t++) for (d = 0; d < 2; d++) for (n = 0; n < 4; n++)
      if (seenTransition[s][c][t][d][n])
        printf("TRANSITION %s/%s -> %s/%s %+d\n", stateName[s], c ? "claimed" : "free", stateName[t], d ? "claimed" : "free", n - 1);
  }
}

/* The names of the assertions: never true, so that "X || name" is X, and spin
 * prints the name when it fails. */
byte R1_a_token_is_sent_at_most_once;
byte R2_a_pair_that_came_home_is_not_lost;
byte R8_a_late_refresh_does_not_overwrite_a_newer_authorization;
byte R8_a_disconnected_or_revoked_connection_is_not_revived;
byte FENCE_a_claim_that_was_given_back_does_not_come_back;
byte TRUTH_a_connection_is_not_ended_for_a_token_that_was_not_sent;
byte TRUTH_a_new_authorization_does_not_replace_its_own_successor;
byte TRUTH_every_row_comes_to_an_end;
byte LEDGER_keeps_no_token_that_is_known_not_to_be_sent;
byte REVOKED_a_revoked_connection_leaves_no_living_pair;

byte at, i, oldPair; /* of one step, and 0 between steps */

c_code {
  static void noteTransition(int at, const struct Row *r) {
    static int registered;
    int n = r->generation - fromGeneration + 1;
    if (readtrail) {
      printf("      row %c is %s/%s, generation %d, pair %d, attempt %d\n", 'A' + at,
        stateName[r->state], r->claimed ? "claimed" : "free", r->generation, r->pair, r->attempt);
      return;
    }
    if (!registered) { registered = 1; atexit(printTransitions); }
    if (n < 0 || n > 2) n = 3;
    seenTransition[fromState][fromClaimed][r->state][r->claimed][n] = 1;
  }
};

/* Every write to a row is between writing and wrote, which are swap. */
inline writing(r) {
  at = r; oldPair = row[r].pair;
  c_code { fromState = now.row[now.at].state; fromClaimed = now.row[now.at].claimed; fromGeneration = now.row[now.at].generation; };
}

/* A new revision: requests that are conditional on the one before will fail. */
inline fence(r) {
  i = 0;
  do
  :: i < NP ->
     if
     :: ROW(i) == r ->
        lateClaim[i] = 0; DEL(lateStore, i);
#ifdef BREAK_RELEASE_WITHOUT_REV
        before[i] = 0;
#endif
     :: else
     fi;
     i++
  :: else -> break
  od;
#ifdef REVOKE
  if :: r == 0 -> revokerRead = 0 :: else fi;
#endif
#ifdef BREAK_REV_ALONE
  rev[r]++;
#endif
}

inline wrote(r) {
  c_code { noteTransition(now.at, &now.row[now.at]); };
  fence(r);
  assert(!row[r].disconnected || row[r].state >= DISCONNECTED || R8_a_disconnected_or_revoked_connection_is_not_revived);
  at = 0; i = 0; oldPair = 0;
  assert(!row[r].revoked || row[r].state >= REVOKING || R8_a_disconnected_or_revoked_connection_is_not_revived);
}

/* claim: the transaction on row and ledger. */
inline claim(r, p, a) {
  writing(r);
  assert(!HAS(released, a) || FENCE_a_claim_that_was_given_back_does_not_come_back);
  printf("   claim by attempt %d\n", a); row[r].attempt = a; row[r].claimed = 1;
#ifndef BREAK_NO_LEDGER
  ledger[row[r].pair] = a;
#endif
  DEL(past, p);
#ifdef BREAK_RELEASE_WITHOUT_REV
  i = 0;
  do
  :: i < NP -> before[i] = lateClaim[i]; i++
  :: else -> break
  od;
  before[p] = a; /* and the twin of this request that the network made */
  kept();
#else
  wrote(r);
#endif
#ifdef BREAK_REV_ALONE
  claimedRev[p] = rev[r];
#endif
}

#ifdef BREAK_RELEASE_WITHOUT_REV
inline kept() { /* wrote, except for the fences that a release is going to lift */
  c_code { noteTransition(now.at, &now.row[now.at]); };
  i = 0;
  do
  :: i < NP -> lateClaim[i] = 0; DEL(lateStore, i); i++
  :: else -> break
  od
}
#endif

#if defined(BREAK_NO_LEDGER) || defined(BREAK_CLAIM_BY_TIME)
#define inLedger(r) 0
#else
#define inLedger(r) ledger[row[r].pair]
#endif

#ifdef BREAK_CLAIM_BY_TIME
#define claimable(r) (row[r].state == ACTIVE)
#else
#define claimable(r) (row[r].state == ACTIVE && !row[r].claimed)
#endif

#define follows(r, g) (row[r].generation == g && !row[r].claimed)
#define confirmed(r, a, g) (row[r].attempt == a && row[r].generation == g && row[r].state == ACTIVE && row[r].claimed)

/* release; the ledger alone when the row was taken over. */
inline release(r, p, a, g, t) {
#ifdef BREAK_RELEASE_UNCONDITIONAL
  if
  :: true ->
     writing(r);
     row[r].state = ACTIVE; row[r].attempt = 0; row[r].claimed = 0;
     row[r].generation = g;
#else
  if
  :: row[r].attempt == a && row[r].generation == g && ledger[row[r].pair] == a ->
     writing(r);
     row[r].attempt = 0; row[r].claimed = 0;
     if
     :: row[r].cause == a && (row[r].state == UNCERTAIN || row[r].state == REAUTHORIZE) ->
        row[r].state = ACTIVE; row[r].why = 0
     :: else
     fi;
#endif
#ifndef BREAK_RELEASE_KEEPS_LEDGER
     ledger[row[r].pair] = 0;
#endif
#ifdef BREAK_RELEASE_WITHOUT_REV
     i = 0;
     do
     :: i < NP -> lateClaim[i] = before[i]; before[i] = 0; i++
     :: else -> break
     od;
#else
     wrote(r)
#endif
#ifndef BREAK_RELEASE_LEAVES_LEDGER
  :: (row[r].attempt != a || row[r].generation != g) && ledger[t] == a -> ledger[t] = 0 /* unspend */
#endif
  :: else
  fi;
  if
  :: claimUnderWay(p, a) || ledger[t] == a -> ADD(released, a)
  :: else
  fi
}

/* endClaim, by any process that reads a claim that has expired by its clock. */
inline endClaim(r) {
  if :: row[r].attempt && row[r].attempt < DEAD && holds[OWNER(row[r].attempt)] == row[r].attempt -> ADD(past, OWNER(row[r].attempt)) :: else fi;
  writing(r);
  row[r].claimed = 0;
  if
  :: usable(r) ->
     row[r].state = UNCERTAIN; row[r].cause = row[r].attempt; row[r].why = HOLDER
#ifdef BREAK_UNCERTAIN_DROPS_ATTEMPT
     ; row[r].attempt = 0
#endif
#ifdef BREAK_EXPIRED_CLAIM_IS_FREE
     ; row[r].state = ACTIVE; ledger[row[r].pair] = 0
#endif
  :: else
  fi;
  wrote(r)
}

/* endUncertain, when the access token of an uncertain connection has ended. */
inline endUncertain(r) {
  writing(r);
  row[r].state = REAUTHORIZE;
  wrote(r)
}

/* unrefreshable: its last step, on a row of that generation. */
inline unrefreshable(r, g) {
  if
  :: usable(r) && row[r].generation == g && !row[r].claimed ->
     writing(r);
     row[r].state = REAUTHORIZE; row[r].cause = 0; row[r].why = SPENT;
     wrote(r)
  :: else
  fi
}

/* renewed: the condition and the step, for a refresh's store and for Restore. */
#ifdef BREAK_STORE_WITHOUT_CONDITION
#define awaits(r, p) true
#else
#ifdef BREAK_STORE_BY_GENERATION_ALONE
#define awaits(r, p) (row[r].generation <= generation[p] + 1)
#else
#define awaits(r, p) (row[r].generation == generation[p] && row[r].attempt == attempt[p])
#endif
#endif

inline renewed(r, p) {
  writing(r);
  assert(row[r].state != REVOKED || REVOKED_a_revoked_connection_leaves_no_living_pair);
  assert(row[r].authorized <= generation[p] && oldPair == spends[p] || R8_a_late_refresh_does_not_overwrite_a_newer_authorization);
  row[r].generation = generation[p] + 1; row[r].pair = HOME(p);
  row[r].last = attempt[p]; row[r].attempt = 0; row[r].claimed = 0;
  if :: holds[p] -> ADD(stored, p) :: else fi;
  if
  :: usable(r) || row[r].state == REAUTHORIZE && row[r].cause == attempt[p] ->
     row[r].state = ACTIVE; row[r].cause = attempt[p]; row[r].why = 0
#ifdef BREAK_STORE_REVIVES
  :: row[r].state == DISCONNECTED -> row[r].state = ACTIVE
#endif
  :: else
  fi;
  wrote(r)
}

/* failed: the row after a request that was sent and gave no pair. */
inline failed(r, p, a, g, outcome) {
  if
  :: row[r].generation == g && row[r].attempt == a && row[r].claimed ->
     writing(r);
     row[r].claimed = 0;
     if
     :: !usable(r)
     :: usable(r) && outcome == REFUSED -> row[r].state = REAUTHORIZE; row[r].cause = a; row[r].why = REFUSED
     :: usable(r) && outcome == UNKNOWN -> row[r].state = UNCERTAIN; row[r].cause = a; row[r].why = UNKNOWN
     fi;
     wrote(r)
  :: else
  fi
}

/* succeeded: the row with the pair that replaces the spent one it holds. */
#define precedes(r, t) (t && row[r].pair == t && row[r].state != REVOKING)
inline succeeded(r, p) {
  writing(r);
  printf("%d: orphan, stored as the successor\n", p);
  assert(row[r].state != REVOKED || REVOKED_a_revoked_connection_leaves_no_living_pair);
  row[r].generation++; row[r].pair = HOME(p); row[r].attempt = 0; row[r].claimed = 0;
  if
  :: row[r].state == UNCERTAIN || row[r].state == REAUTHORIZE -> row[r].state = ACTIVE; row[r].cause = 0; row[r].why = 0
  :: else
  fi;
  wrote(r);
  if :: holds[p] -> ADD(stored, p) :: else fi
}

inline revokeAtProcore(what) { DEL(live, what) }

/* What R2 requires of a pair when its holder drops it silently. */
#define safe(p) (HAS(stored, p) || queue[p] || !HAS(live, HOME(p)))

/* No process will compare with this attempt any longer. */
inline forget(c, x) {
  if :: c.attempt == x -> c.attempt = DEAD :: else fi;
  if :: c.last == x -> c.last = DEAD :: else fi;
  if :: c.cause == x -> c.cause = DEAD :: else fi
}

/* A refreshing process: one call of Token or Refresh. Every goto Ended without
 * its own reason is a crash or the end of the caller's time. */
proctype Refresher(byte p) {
  byte a, g, tok, tries;
  bit did; /* it has sent */

Begin:
  atomic { (started >= p) -> if :: started == p -> started++ :: else fi };

Read: /* renew and answer */
  atomic {
    if
    :: true -> goto Ended /* a token that lives, a row that is not usable, no time left */
    :: row[ROW(p)].claimed -> printf("%d: endClaim\n", p); endClaim(ROW(p)); goto Read
    :: row[ROW(p)].state == UNCERTAIN && !row[ROW(p)].claimed -> printf("%d: endUncertain\n", p); endUncertain(ROW(p)); goto Ended
    :: claimable(ROW(p)) && tries < TRIES && !did ->
       a = ATTEMPT(p, tries); tries++;
       g = row[ROW(p)].generation; tok = row[ROW(p)].pair;
       if
       :: inLedger(ROW(p)) -> a = 0; tok = 0; goto SpentBefore
       :: !inLedger(ROW(p)) -> printf("%d: claim\n", p); claim(ROW(p), p, a); holds[p] = a; goto Claimed
       :: !inLedger(ROW(p)) -> printf("%d: claim, its answer is lost\n", p); claim(ROW(p), p, a); holds[p] = a; goto Confirm /* the answer is lost */
       :: tries == 1 -> printf("%d: a claim by attempt %d is on its way\n", p, a); lateClaim[p] = a; goto Confirm           /* it has not landed yet */
#ifdef BREAK_SPEND_UNCONFIRMED
       :: true -> goto Claimed
#endif
       fi
    fi
  };

SpentBefore:
  atomic {
    if
    :: printf("%d: unrefreshable\n", p); unrefreshable(ROW(p), g)
    :: true
    fi;
    goto Ended
  };

Confirm:
  atomic {
    if
    :: confirmed(ROW(p), a, g) -> holds[p] = a; goto Claimed
    :: !confirmed(ROW(p), a, g) -> a = 0; tok = 0; g = 0; holds[p] = 0; DEL(past, p); goto Read /* errNotClaimed */
    :: true -> goto Ended
    fi
  };

Claimed: /* spend, up to the clock's check before the first byte */
  atomic {
    if
    :: true -> goto Ended
    :: printf("%d: release, the token was not sent\n", p); release(ROW(p), p, a, g, tok); goto Ended /* not dialled, or too late */
#ifdef BEYOND
    :: goto Write
#else
    :: !HAS(past, p) -> goto Write
#endif
    fi
  };

Write: /* it may be frozen between the check and the byte */
  atomic {
    if
    :: true -> goto Ended
    :: true ->
       assert(!HAS(sent, tok) || R1_a_token_is_sent_at_most_once);
       printf("%d: SENDS pair %d\n", p, tok); ADD(sent, tok); did = 1;
       goto Sent
    fi
  };

Sent: /* what Procore does, and what came back */
  atomic {
    if
    :: HAS(live, tok) ->
       printf("%d: Procore gives pair %d for pair %d\n", p, HOME(p), tok); DEL(live, tok); ADD(live, HOME(p));
       if
       :: generation[p] = g; attempt[p] = a; spends[p] = tok; goto Store
       :: goto Unknown
       :: goto Ended
       fi
    :: !HAS(live, tok) -> goto Refused
    :: true -> goto Unknown
    :: true -> goto Ended
    fi
  };

Unknown: /* settle */
  atomic {
    if
#ifdef BREAK_UNKNOWN_IS_NOT_SENT
    :: release(ROW(p), p, a, g, tok)
#else
    :: printf("%d: no answer, settle\n", p); failed(ROW(p), p, a, g, UNKNOWN)
#endif
    :: true /* the outcome could not be stored */
    fi;
    goto Ended
  };

Refused: /* settle */
  atomic {
    if
    :: printf("%d: invalid_grant, settle\n", p); failed(ROW(p), p, a, g, REFUSED)
    :: true
    fi;
    goto Ended
  };

Store: /* the pair is in memory */
  atomic {
    if
    :: true -> goto Ended
    :: awaits(ROW(p), p) -> printf("%d: store\n", p); renewed(ROW(p), p); goto Ended
    :: awaits(ROW(p), p) -> printf("%d: store, its answer is lost\n", p); renewed(ROW(p), p); goto Store /* the answer is lost */
#ifdef BREAK_REV_ALONE
    :: rev[ROW(p)] == claimedRev[p] && !awaits(ROW(p), p) -> printf("%d: store, conditional on a revision that came back\n", p); renewed(ROW(p), p); goto Ended
#endif
    :: awaits(ROW(p), p) && !storeUnderWay(p) -> printf("%d: a store is on its way\n", p); ADD(lateStore, p); goto Rescue
    :: !awaits(ROW(p), p) && row[ROW(p)].last == a -> goto Dropped
    :: !awaits(ROW(p), p) && row[ROW(p)].last != a ->
       goto Orphan
    :: true -> goto Rescue
    fi
  };

Orphan: /* one turn of its loop: the decision on a row, and the write if it is still that one */
  atomic {
    if
    :: row[ROW(p)].pair == HOME(p) -> ADD(stored, p); goto Dropped /* an authorization was given the same */
    :: row[ROW(p)].pair != HOME(p) && !precedes(ROW(p), tok) ->
#ifdef BREAK_ORPHAN_FORGOTTEN
       goto Dropped
#else
       goto Revoke
#endif
    :: precedes(ROW(p), tok) ->
#ifdef BREAK_SUCCEED_SILENT
       if :: row[ROW(p)].claimed -> goto Dropped :: else fi;
#endif
       succeeded(ROW(p), p);
       if
       :: goto Dropped
       :: goto Orphan /* the answer is lost */
       fi
    :: true -> goto Rescue
    :: true -> goto Ended
    fi
  };

Revoke: /* the pair of a refresh that was overtaken */
  atomic {
    if
    :: printf("%d: orphan, pair %d revoked\n", p, HOME(p)); revokeAtProcore(HOME(p)); goto Dropped
    :: true -> goto Rescue
    :: true -> goto Ended
    fi
  };

Rescue:
  atomic {
    if
#ifndef BREAK_NO_RESCUE
    :: printf("%d: the pair goes to the rescue queue\n", p); queue[p] = 1; goto Dropped
    :: true -> goto Ended /* the queue refuses as well, or the process dies: lost, as R2 says */
#else
    :: goto Dropped
#endif
    fi
  };

Dropped: /* without a crash */
  atomic {
    assert(row[ROW(p)].state != REVOKED || !HAS(live, HOME(p)) || HAS(stored, p) || queue[p] || REVOKED_a_revoked_connection_leaves_no_living_pair);
    assert(safe(p) || R2_a_pair_that_came_home_is_not_lost);
    goto Ended
  };

Ended:
  atomic {
    holds[p] = 0; DEL(past, p); DEL(stored, p);
#ifndef RETURN
    if
    :: !queue[p] && !storeUnderWay(p) && row[ROW(p)].pair != HOME(p) && !inBackup(HOME(p)) -> DEL(live, HOME(p)) /* lost or out of sight: no process can tell */
    :: else
    fi;
#endif
    if
    :: a && ledger[tok] == a && !claimUnderWay(p, a) ->
       ledger[tok] = (HAS(released, a) -> GIVENBACK : DEAD); DEL(released, a)
    :: else
    fi;
    if
    :: !queue[p] && !storeUnderWay(p) ->
       generation[p] = 0; attempt[p] = 0; spends[p] = 0;
       if
       :: a && !claimUnderWay(p, a) -> forget(row[ROW(p)], a)
#ifdef BACKUP
          ; forget(saved, a)
#endif
       :: else
       fi
    :: else
    fi;
#ifdef BREAK_REV_ALONE
    claimedRev[p] = 0;
#endif
    a = 0; g = 0; tok = 0; tries = 0; did = 0;
    left--
  };
end:
  false
}

/* Late requests land, while their condition holds. */
proctype Network() {
end:
  do
#ifdef BACKUP
#define LANDED(p) savedClaim[p] = 0; DEL(savedStore, p)
#else
#define LANDED(p) skip
#endif
#define LANDS(p) \
  :: atomic { !over && lateClaim[p] && !inLedger(ROW(p)) -> printf("network: the late claim of %d lands\n", p); LANDED(p); claim(ROW(p), p, lateClaim[p]) } \
  :: atomic { !over && HAS(lateStore, p) -> printf("network: the late store of %d lands\n", p); LANDED(p); renewed(ROW(p), p) }
  LANDS(0)
#if NP > 1
  LANDS(1)
#endif
#if NP > 2
  LANDS(2)
#endif
#if NP > 3
  LANDS(3)
#endif
  od
}

byte delivering = 255; /* whose pair housekeeping has for a row that has moved on */

/* Restore, of a message of the rescue queue: late, twice, in any order. */
inline restore(p) {
  printf("housekeeping: Restore of the pair of %d\n", p); queue[p] = 2;
  if
#ifdef BREAK_RESCUE_WITHOUT_CONDITION
  :: true -> renewed(ROW(p), p)
#else
  :: awaits(ROW(p), p) -> renewed(ROW(p), p)
  :: !awaits(ROW(p), p) && row[ROW(p)].last != attempt[p] && row[ROW(p)].pair != HOME(p) -> delivering = p
  :: else
#endif
  fi
}

proctype Housekeeping() {
end:
  do
#define DELIVERY(p) \
  :: atomic { !over && delivering == 255 && queue[p] -> restore(p) }
  DELIVERY(0)
#if NP > 1
  DELIVERY(1)
#endif
#if NP > 2
  DELIVERY(2)
#endif
#if NP > 3
  DELIVERY(3)
#endif
  :: atomic { !over && delivering != 255 ->
       if
       :: precedes(ROW(delivering), spends[delivering]) -> succeeded(ROW(delivering), delivering)
       :: !precedes(ROW(delivering), spends[delivering]) && row[ROW(delivering)].pair != HOME(delivering) ->
          printf("housekeeping: orphan, pair %d revoked\n", HOME(delivering)); revokeAtProcore(HOME(delivering))
       :: true /* it is redelivered */
       fi;
       delivering = 255
     }
  od
}

/* A user authorizes again: connect. */
proctype User(byte n) {
  byte pair;
  byte r;
Authorize:
  atomic {
    if
    :: true -> goto Ended
#ifdef RETURN
    :: live == 0 -> pair = GRANTED(n)
    :: HAS(live, 1) -> pair = 1
    :: HAS(live, 2) -> pair = 2
#if NT > 3
    :: HAS(live, 3) -> pair = 3
#endif
#if NT > 4
    :: HAS(live, 4) -> pair = 4
#endif
#if NT > 5
    :: HAS(live, 5) -> pair = 5
#endif
#if NT > 6
    :: HAS(live, 6) -> pair = 6
#endif
#else
#ifdef KILL
    :: live = 0; pair = GRANTED(n)
#else
    :: pair = GRANTED(n)
#endif
#endif
    fi;
    printf("user: authorizes, Procore gives pair %d\n", pair); ADD(live, pair)
  };
Connect:
  atomic {
    if
    :: true -> goto Ended
    :: r = 0
#if NR > 1
    :: r = 1
#endif
    fi;
    printf("user: Connect\n"); writing(r);
#ifdef STRICT_SUCCESSOR
    assert(!HAS(sent, pair) || pair == row[r].pair || !HAS(live, row[r].pair) || TRUTH_a_new_authorization_does_not_replace_its_own_successor);
#endif
    /* authorized */
    row[r].generation++; row[r].pair = pair; row[r].state = ACTIVE;
    row[r].attempt = 0; row[r].claimed = 0; row[r].last = 0; row[r].cause = 0; row[r].why = 0;
    row[r].authorized = row[r].generation; row[r].disconnected = 0; row[r].revoked = 0;
    wrote(r)
  };
Ended:
  atomic { pair = 0; r = 0; left-- };
end:
  false
}

#ifdef DISCONNECT
/* An admin disconnected the app, and a call of this generation's token met it. */
proctype Disconnect() {
  byte g;
Met:
  atomic {
    if
    :: true -> goto Ended
    :: g = row[0].generation
    fi
  };
  atomic {
    if
    :: row[0].generation == g && usable(0) ->
       writing(0);
       printf("admin: Disconnect\n"); row[0].state = DISCONNECTED; row[0].cause = row[0].attempt; row[0].why = 0; row[0].disconnected = 1;
       wrote(0)
    :: true
    fi
  };
Ended:
  atomic { g = 0; left-- };
end:
  false
}
#endif

#ifdef REVOKE
proctype Revoker() {
Order:
  atomic {
    if
    :: true -> goto Ended
    :: row[0].state != REVOKING && row[0].state != REVOKED ->
       writing(0);
       printf("revoker: Revoke begins\n"); row[0].state = REVOKING; row[0].cause = row[0].attempt; row[0].why = 0; row[0].revoked = 1;
       wrote(0)
    fi
  };
Step: /* revokeStep: the row is read, its pair revoked, and the row written if it is still that one */
  atomic {
    if
    :: true -> goto Ended
    :: row[0].state == REVOKING ->
       if
       :: row[0].claimed ->
          if :: row[0].attempt && row[0].attempt < DEAD && holds[OWNER(row[0].attempt)] == row[0].attempt -> ADD(past, OWNER(row[0].attempt)) :: else fi
       :: !row[0].claimed
       fi;
       printf("revoker: pair %d revoked at Procore\n", row[0].pair); revokerRead = 1; revokeAtProcore(row[0].pair)
    fi
  };
  atomic {
    if
    :: true -> goto Ended
    :: !revokerRead -> goto Step
    :: revokerRead ->
       writing(0);
       assert(!HAS(live, row[0].pair) || REVOKED_a_revoked_connection_leaves_no_living_pair);
       printf("revoker: the row ends\n"); row[0].pair = 0; row[0].attempt = 0; row[0].claimed = 0; row[0].state = REVOKED; row[0].cause = 0; row[0].why = 0;
       wrote(0);
       goto Ended
    fi
  };
Ended:
  atomic { revokerRead = 0; left-- };
end:
  false
}
#endif

#ifdef BACKUP
inline take() {
  saved.state = row[0].state; saved.generation = row[0].generation; saved.pair = row[0].pair; saved.attempt = row[0].attempt;
  saved.claimed = row[0].claimed; saved.last = row[0].last; saved.cause = row[0].cause; saved.why = row[0].why;
  saved.authorized = row[0].authorized; saved.disconnected = row[0].disconnected; saved.revoked = row[0].revoked
}
inline putBack() {
  row[0].state = saved.state; row[0].generation = saved.generation; row[0].pair = saved.pair; row[0].attempt = saved.attempt;
  row[0].claimed = saved.claimed; row[0].last = saved.last; row[0].cause = saved.cause; row[0].why = saved.why;
  row[0].authorized = saved.authorized; row[0].disconnected = saved.disconnected; row[0].revoked = saved.revoked
}
/* The row comes back from a backup; the ledger does not. */
proctype Backup() {
Taken:
  atomic {
    if
    :: true -> goto Ended
    :: true
    fi;
    printf("backup: taken\n");
    take();
    i = 0;
    do
    :: i < NP -> savedClaim[i] = lateClaim[i]; i++
    :: else -> break
    od;
    i = 0; savedStore = lateStore
#ifdef REVOKE
    ; savedRead = revokerRead
#endif
#ifdef BREAK_REV_ALONE
    ; savedRev = rev[0]
#endif
  };
  atomic {
    if
    :: true -> goto Ended
    :: true
    fi;
    printf("backup: the row comes back, generation %d, pair %d\n", saved.generation, saved.pair);
    putBack();
    i = 0;
    do
    :: i < NP -> lateClaim[i] = savedClaim[i]; i++
    :: else -> break
    od;
    i = 0; lateStore = savedStore
#ifdef REVOKE
    ; revokerRead = savedRead
#endif
#ifdef BREAK_REV_ALONE
    ; rev[0] = savedRev
#endif
  };
Ended:
  atomic {
    i = 0;
    do
    :: i < NP -> savedClaim[i] = 0; i++
    :: else -> break
    od;
    i = 0; savedStore = 0; savedRead = 0;
    saved.state = 0; saved.generation = 0; saved.pair = 0; saved.attempt = 0; saved.claimed = 0; saved.last = 0;
    saved.cause = 0; saved.why = 0; saved.authorized = 0; saved.disconnected = 0; saved.revoked = 0;
    left--
  };
end:
  false
}
#endif

#ifdef TOUCH
/* Writes that only count: the last use, and SetWebhooks. */
proctype Touch() {
  atomic {
    if
    :: true
    :: writing(0); wrote(0)
    fi;
    left--
  };
end:
  false
}
#endif

/* When all have ended, one more reader comes, long after: what does it find? */
inline conclude(r) {
  if :: row[r].claimed -> endClaim(r) :: else fi;
  if :: row[r].state == UNCERTAIN -> endUncertain(r) :: else fi;
  if
  :: row[r].state == ACTIVE && ledger[row[r].pair] -> row[r].state = REAUTHORIZE; row[r].why = SPENT
  :: row[r].state == ACTIVE && !ledger[row[r].pair] && !HAS(live, row[r].pair) ->
     row[r].state = REAUTHORIZE; row[r].why = REFUSED /* it was asked, and refused */
  :: else
  fi;
  assert(row[r].state && !row[r].claimed && row[r].state != UNCERTAIN || TRUTH_every_row_comes_to_an_end);
  assert(ledger[row[r].pair] != GIVENBACK || LEDGER_keeps_no_token_that_is_known_not_to_be_sent);
  if
  :: row[r].state == REAUTHORIZE && row[r].why != REFUSED ->
     /* HOLDER, UNKNOWN, SPENT: it was sent, or no process can prove that it was not */
#ifdef STRICT_SENT
     assert(HAS(sent, row[r].pair) || ledger[row[r].pair] && ledger[row[r].pair] != GIVENBACK || TRUTH_a_connection_is_not_ended_for_a_token_that_was_not_sent)
#else
#ifndef BACKUP
     assert(row[r].why == SPENT || HAS(sent, row[r].pair) || ledger[row[r].pair] || TRUTH_a_connection_is_not_ended_for_a_token_that_was_not_sent)
#else
     skip
#endif
#endif
  :: else
  fi
}

proctype Last() {
  atomic {
    left == 0 && delivering == 255 ->
    printf("everybody has ended; one more reader\n"); over = 1;
    conclude(0);
#if NR > 1
    conclude(1);
#endif
  };
end:
  false
}

init {
  atomic {
    left = NP + USERS;
    run Refresher(0);
#if NP > 1
    run Refresher(1);
#endif
#if NP > 2
    run Refresher(2);
#endif
#if NP > 3
    run Refresher(3);
#endif
    run Network();
    run Housekeeping();
#if USERS > 0
    run User(0);
#endif
#if USERS > 1
    run User(1);
#endif
#ifdef DISCONNECT
    left++; run Disconnect();
#endif
#ifdef REVOKE
    left++; run Revoker();
#endif
#ifdef BACKUP
    left++; run Backup();
#endif
#ifdef TOUCH
    left++; run Touch();
#endif
    run Last()
  };
end:
  false
}
