/*
 * The refresh protocol of pkg/tokens for the model checker spin: one grant. README.md
 * explains what is abstracted and why. Names are those of the Go code.
 *
 * Configuration, by -D:
 *   NP=3          processes that refresh
 *   USERS=1       browsers in which the user authorizes again and then chooses a second company (at most 2)
 *   MODE=RETURN   what Procore does to earlier pairs then: KEEP, KILL or RETURN
 *   REVOKERS=1    the first company's end, which revokes the grant if it was the last holder
 *   BACKUPS=1     a restore of the grant's row from an old copy
 *   MARKS=1       an operator who marks the grant as restored, which ends it
 *   NO_DELAY=1    clocks differ by more than the delay after which doubt ends
 *   STEADY=1      no process dies, no claim expires, and storage never fails: each process must reach its end
 *   WITHOUT=X     leaves out the guard X of the list below
 */
#ifndef NP
#define NP 3
#endif
#ifndef USERS
#define USERS 0
#endif
#ifndef MODE
#define MODE KEEP
#endif
#ifndef REVOKERS
#define REVOKERS 0
#endif
#ifndef BACKUPS
#define BACKUPS 0
#endif
#ifndef MARKS
#define MARKS 0
#endif
#ifndef NO_DELAY
#define NO_DELAY 0
#endif
#ifndef STEADY
#define STEADY 0
#endif
#ifndef WITHOUT
#define WITHOUT 0
#endif

/* The guards. Each has a check in model.sh that must fail without it. */
#define without(guard) (WITHOUT == guard)
#define LEDGER                 1 /* a claim enters its token in Spends, where it must not be yet */
#define FREE_ROW               2 /* a claim needs a row without an open claim */
#define CONFIRMED              3 /* only a confirmed claim spends */
#define UNKNOWN_IS_SPENT       4 /* a request without an answer is not released */
#define EXPIRED_IS_DOUBT       5 /* an expired claim makes the grant uncertain */
#define DELAY                  6 /* doubt ends when no process can be at work, or Procore rejects the access token */
#define DOUBT_KEEPS_ATTEMPT    7 /* so a late store finds its row */
#define STORE_BY_ATTEMPT       8
#define RESTORE_BY_ATTEMPT     9
#define LATE_STORE_HEALS      10 /* also in reauthorize */
#define SETTLE_BY_ATTEMPT     11
#define SETTLE_ENDS_CLAIM     12 /* so what waits for it goes on */
#define RESCUE                13
#define RELEASE_BY_ATTEMPT    14
#define RELEASE_UNSPENDS      15
#define RELEASE_BY_ROW        16 /* a token leaves the ledger with its row's claim, or never */
#define RELEASE_FENCES        17 /* it is a write, which ends its own late claim */
#define REV                   18 /* every write is conditional on the row that was read */
#define WRITE_NAME            19 /* the same after a restore, which brings old revisions back */
#define AUTHORIZE_BY_LEDGER   20 /* a token in Spends is not stored as an authorization */
#define AUTHORIZE_AT_ONCE     21 /* in the transaction that stores it */
#define AUTHORIZE_WAITS       22 /* for an open claim on the very token */
#define AUTHORIZE_FENCES      23 /* it ends the claim that it finds */
#define NEWER_WINS            24 /* by created_at or, undecided, by what /me answers */
#define DISCARD               25 /* a stale pair is revoked before the user authorizes once more */
#define DISCARD_ENTERED       26 /* in Spends first, so no release takes it out */
#define FENCED_IS_DROPPED     27 /* not revoked */
#define WITHDRAWN_IS_REVOKED  28 /* a pair that arrives at a revoked grant */
#define WITHDRAWN_EARLY       29 /* or at one whose revocation has begun */
#define WITHDRAWN_ENTERED     30 /* in Spends first, so Procore cannot return it to an authorization */
#define REVOKE_UNHELD         31 /* a grant is revoked only without a holder */
#define REVOKE_CLAIMS         32 /* under the row's claim */
#define REVOKE_ENTERS         33 /* with the token in Spends */
#define REVOKE_FAILS_IN_DOUBT 34 /* a revocation that may have been sent does not leave an active grant */
#define REVOKED_BY_ATTEMPT    35
#define HOLD_ACTIVE           36 /* a holder is added to an active grant */
#define HOLD_WAITS            37 /* not to one that is being revoked */
#define MARK_STAYS            38 /* a pair that arrives late is kept, and does not revive a grant that an operator ended */

#define fails (!STEADY) /* what comes next may happen to a process, a clock or storage */

#define ACTIVE 1
#define UNCERTAIN 2
#define REAUTHORIZE 3
#define REVOKED 4

#define KEEP 1
#define KILL 2
#define RETURN 3

/* Tokens, which stand for whole pairs: 1 is the first, then what each process receives,
 * then what each authorization issues. */
#define RENEWED(p) (2 + (p))
#define ISSUED(n) (2 + NP + (n))
#define NT (2 + NP + USERS)

/* Attempts: a process claims once. A revocation's name shows on the row. */
#define ATTEMPT(p) (1 + (p))
#define REVOCATION 14
#define DEAD 15 /* of a process that has ended and left nothing behind */

#define HAS(set, i) (((set) >> (i)) & 1)
#define ADD(set, i) set = set | (1 << (i))
#define DEL(set, i) set = set & ~(1 << (i))

typedef Row {
  byte state = ACTIVE;
  byte pair = 1;
  byte attempt;
  bit claimed;
  bit marked; /* an operator has ended it */
  byte holders = 1; /* set of companies */
  byte mine;        /* for the assertions: the last refresh that claimed since the pair was written */
};

Row row, saved, blank;
byte ledger[NT]; /* Spends: the attempt that entered the token */
byte queue;      /* the rescue queue: set of processes. A message may come late, twice, and in any order */
byte spends[NP]; /* the token that the process means to send */
byte working;    /* set of the attempts whose process has not ended */
byte late;       /* claims under way whose sender no longer waits: set of processes. A write to the row ends them */
byte savedLate;  /* their condition returns with the row */
byte repeated;   /* without WRITE_NAME: claims for a revision whose number comes up again */
bit checked;     /* without AUTHORIZE_AT_ONCE: the user's process has not found its token in the ledger */
byte released;   /* late claims that were said not to be sent */
byte started;    /* processes begin in their order: they are alike */

/* Procore. */
byte live = 2;
byte sent;  /* to the token endpoint */
byte ended; /* to the revocation endpoint */

/* The names of the assertions: never true, so "X || name" is X, and spin prints it. */
bit R1_a_token_is_sent_at_most_once;
bit R2_a_received_pair_is_not_lost;
bit R8_a_late_write_does_not_replace_a_newer_pair;
bit R8_a_late_write_does_not_revive_a_revoked_grant;
bit FENCE_a_released_claim_does_not_return;
bit TRUTH_only_a_token_in_the_ledger_is_in_doubt;
bit TRUTH_a_grant_is_not_ended_for_a_token_that_was_not_sent;
bit TRUTH_a_grant_is_not_ended_while_its_process_is_at_work;
bit TRUTH_an_authorization_is_neither_spent_nor_revoked;
bit TRUTH_a_dead_pair_does_not_replace_a_living_one;
bit TRUTH_a_user_is_not_sent_in_circles;
bit REVOKED_a_revoked_grant_leaves_no_living_pair;
bit HELD_a_grant_with_a_holder_is_not_revoked;
bit MARK_a_grant_that_an_operator_ended_needs_its_user;

c_decl {
  extern int readtrail; /* this is the replay of a counterexample */
  static int fromState, fromClaim, fromPair;
  static char transitions[5][3][5][3][2];
  static const char *stateName[] = {"none", "active", "uncertain", "reauthorize", "revoked"};
  static const char *claimName[] = {"free", "claimed", "revoking"};
  static void printTransitions(void) {
    int s, c, t, d, n;
    for (s = 1; s < 5; s++) for (c = 0; c < 3; c++) for (t = 1; t < 5; t++) for (d = 0; d < 3; d++) for (n = 0; n < 2; n++)
      if (transitions[s][c][t][d][n])
        printf("TRANSITION %s/%s -> %s/%s +%d\n", stateName[s], claimName[c], stateName[t], claimName[d], n);
  }
}

c_code {
  static int claimOf(const struct Row *r) { return !r->claimed ? 0 : r->attempt == 14 ? 2 : 1; } /* REVOCATION */
  static void noteTransition(const struct Row *r) {
    static int registered;
    if (readtrail) {
      printf("      the grant is %s/%s, pair %d, attempt %d, holders %d\n",
        stateName[r->state], claimName[claimOf(r)], r->pair, r->attempt, r->holders);
      return;
    }
    if (!registered) { registered = 1; atexit(printTransitions); }
    if (r->state == fromState && claimOf(r) == fromClaim && r->pair == fromPair) return; /* it changed holders, or nothing */
    transitions[fromState][fromClaim][r->state][claimOf(r)][r->pair && r->pair != fromPair] = 1;
  }
};

/* Every write to the row is a compare-and-swap between writing and wrote. */
inline writing() {
  c_code { fromState = now.row.state; fromClaim = claimOf(&now.row); fromPair = now.row.pair; }
}

inline wrote() {
  c_code { noteTransition(&now.row); };
  checked = 0;
  if :: !without(REV) -> late = repeated /* none */ :: else fi;
  assert(!row.holders || row.state != REVOKED || HELD_a_grant_with_a_holder_is_not_revoked);
  assert(!row.marked || row.state == REAUTHORIZE || row.state == REVOKED || MARK_a_grant_that_an_operator_ended_needs_its_user);
  assert(BACKUPS || row.marked || row.state == ACTIVE || row.state == REVOKED || ledger[row.pair] || TRUTH_only_a_token_in_the_ledger_is_in_doubt)
}

/* claim: the transaction on row and ledger. */
inline claim(p) {
  writing();
  printf("   claim by attempt %d\n", ATTEMPT(p));
  assert(!HAS(released, p) || FENCE_a_released_claim_does_not_return);
  assert(row.pair == spends[p] || R8_a_late_write_does_not_replace_a_newer_pair);
  row.attempt = ATTEMPT(p); row.claimed = 1; row.mine = ATTEMPT(p);
  if :: !without(LEDGER) -> ledger[row.pair] = ATTEMPT(p) :: else fi;
  wrote()
}

/* release, of a claim whose token was not sent. */
inline release(p) {
  printf("%d: release, nothing was sent\n", p);
  if
  :: row.attempt == ATTEMPT(p) || without(RELEASE_BY_ATTEMPT) ->
     writing();
     assert(row.state != REVOKED || R8_a_late_write_does_not_revive_a_revoked_grant);
     row.attempt = 0; row.claimed = 0;
     if
     :: ledger[spends[p]] == ATTEMPT(p) ->
        if :: !row.marked -> row.state = ACTIVE :: else fi;
        if :: !without(RELEASE_UNSPENDS) -> ledger[spends[p]] = 0 :: else fi
     :: else /* a Discard has entered it in the meantime: the doubt remains */
     fi;
     wrote()
  :: else ->
     if :: without(RELEASE_BY_ROW) && ledger[spends[p]] == ATTEMPT(p) -> ledger[spends[p]] = 0 :: else fi;
     if :: HAS(late, p) && !without(RELEASE_FENCES) -> writing(); wrote() :: else fi
  fi;
  if :: HAS(late, p) -> ADD(released, p) :: else fi
}

/* endClaim, by any process whose clock has passed the claim's end. */
inline endClaim() {
  writing();
  printf("   an open claim is judged expired\n");
  row.claimed = 0;
  if :: row.state == ACTIVE && !without(EXPIRED_IS_DOUBT) -> row.state = UNCERTAIN :: else fi;
  if :: without(EXPIRED_IS_DOUBT) -> ledger[row.pair] = 0 :: else fi;
  if :: without(DOUBT_KEEPS_ATTEMPT) -> row.attempt = 0 :: else fi;
  wrote()
}

/* The end of a doubt, or of a grant whose token is in the ledger. */
#define atWork (HAS(working, row.attempt) && HAS(live, row.pair))
inline reauthorize() {
  writing();
  assert(!atWork || NO_DELAY || TRUTH_a_grant_is_not_ended_while_its_process_is_at_work);
  row.state = REAUTHORIZE;
  wrote()
}

/* renewed: the row with the pair of a refresh, by its process or from the rescue queue. */
inline renewed(p) {
  writing();
  assert(row.state != REVOKED || R8_a_late_write_does_not_revive_a_revoked_grant);
  assert(row.mine == ATTEMPT(p) || R8_a_late_write_does_not_replace_a_newer_pair);
  if :: !row.marked || without(MARK_STAYS) -> row.state = ACTIVE :: else fi;
  row.pair = RENEWED(p); row.attempt = 0; row.claimed = 0; row.mine = 0;
  wrote()
}
#define awaits(p) (row.attempt == ATTEMPT(p) && (row.state != REAUTHORIZE || !without(LATE_STORE_HEALS)))

/* A pair arrives at a grant that has moved on. */
#define withdrawn (row.state == REVOKED && !without(WITHDRAWN_IS_REVOKED) || row.attempt == REVOCATION && !without(WITHDRAWN_EARLY))
inline withdraw(p) { /* in a transaction that checks that the row is as it was read */
  printf("   pair %d is entered in the ledger, to be revoked\n", RENEWED(p));
  if :: !ledger[RENEWED(p)] && !without(WITHDRAWN_ENTERED) -> ledger[RENEWED(p)] = REVOCATION :: else fi
}
inline dropped(p, queued) {
  printf("   pair %d is dropped\n", RENEWED(p));
  assert(row.mine != ATTEMPT(p) || queued || !HAS(live, RENEWED(p)) || R2_a_received_pair_is_not_lost);
  assert(row.state != REVOKED || queued || !HAS(live, RENEWED(p)) || REVOKED_a_revoked_grant_leaves_no_living_pair)
}

inline revokeAtProcore(x) {
  printf("   pair %d is revoked at Procore\n", x);
  assert(BACKUPS || row.pair != x || !row.holders || row.state != ACTIVE || HELD_a_grant_with_a_holder_is_not_revoked);
  DEL(live, x); ADD(ended, x)
}

/* One call of Token. Each goto Ended without a reason is the process's death, or the end of its time. */
proctype Refresher(byte p) {
Read: /* and connect, which changes nothing */
  atomic {
    (started >= p) ->
    if :: started == p -> started++ :: else fi;
    if
    :: fails || !row.claimed -> goto Ended
    :: fails && row.claimed -> endClaim(); goto Read
    :: row.state == UNCERTAIN && !row.claimed && (!atWork || NO_DELAY || without(DELAY)) ->
       printf("%d: the doubt ends\n", p); reauthorize(); goto Ended
    :: row.state == ACTIVE && (!row.claimed || without(FREE_ROW)) ->
       if
       :: ledger[row.pair] ->
          printf("%d: the ledger knows the token\n", p);
          assert(BACKUPS || row.claimed || TRUTH_a_grant_is_not_ended_for_a_token_that_was_not_sent);
          reauthorize(); goto Ended
       :: !ledger[row.pair] ->
          spends[p] = row.pair; ADD(working, ATTEMPT(p));
          if
          :: claim(p); goto Claimed
          :: fails -> printf("%d: a claim is under way\n", p); ADD(late, p); goto Confirm
          :: without(CONFIRMED) -> goto Claimed
          fi
       fi
    fi
  };

Confirm: /* it is read back, landed or not */
  atomic {
    if
    :: fails -> goto Ended
    :: row.attempt == ATTEMPT(p) && row.claimed -> goto Claimed
    :: row.attempt != ATTEMPT(p) -> goto Ended /* not claimed: a next try is another process's */
    :: release(p); goto Ended /* it cannot be read, has expired, or may still land */
    fi
  };

Claimed:
  atomic {
    if
    :: fails -> goto Ended
    :: release(p); goto Ended /* the connection was closed, or it is too late */
    :: printf("%d: SENDS pair %d\n", p, spends[p]);
       assert(!HAS(sent, spends[p]) || R1_a_token_is_sent_at_most_once);
       ADD(sent, spends[p]);
       goto Sent
    fi
  };

Sent: /* what Procore does, and what of it arrives */
  atomic {
    if
    :: fails -> goto Ended
    :: goto Unknown
    :: !HAS(live, spends[p]) -> goto Refused
    :: HAS(live, spends[p]) ->
       printf("%d: Procore renews pair %d with pair %d\n", p, spends[p], RENEWED(p));
       DEL(live, spends[p]); ADD(live, RENEWED(p));
       if
       :: fails -> goto Ended
       :: goto Unknown
       :: goto Store
       fi
    fi
  };

#define holds(p) (row.attempt == ATTEMPT(p) && row.claimed)
Unknown: /* settle */
  atomic {
    if
    :: holds(p) && !without(UNKNOWN_IS_SPENT) ->
       printf("%d: no answer\n", p);
       writing(); row.claimed = 0; row.state = UNCERTAIN; wrote()
    :: without(UNKNOWN_IS_SPENT) -> release(p)
    :: fails || !holds(p) || without(SETTLE_ENDS_CLAIM)
    fi;
    goto Ended
  };

Refused: /* settle */
  atomic {
    if
    :: (row.attempt == ATTEMPT(p) || without(SETTLE_BY_ATTEMPT)) && (row.state == ACTIVE || row.state == UNCERTAIN) ->
       printf("%d: invalid_grant\n", p);
       writing(); row.claimed = 0; row.state = REAUTHORIZE;
       assert(row.pair == spends[p] || TRUTH_a_grant_is_not_ended_for_a_token_that_was_not_sent);
       wrote()
    :: fails || !holds(p)
    fi;
    goto Ended
  };

Store: /* until the deadline, and in the rescue queue: a store may land after its sender has turned to the queue */
  atomic {
    if
    :: fails -> goto Ended
    :: awaits(p) || without(STORE_BY_ATTEMPT) ->
       printf("%d: store\n", p); renewed(p);
       if :: goto Ended :: fails -> goto Store /* its answer is lost */ fi
    :: !awaits(p) && (row.pair == RENEWED(p) || !withdrawn) && !without(FENCED_IS_DROPPED) -> dropped(p, HAS(queue, p)); goto Ended
    :: !awaits(p) && row.pair != RENEWED(p) && withdrawn -> withdraw(p); goto Revoke
    :: !awaits(p) && without(FENCED_IS_DROPPED) -> goto Revoke
    :: fails && !HAS(queue, p) && !without(RESCUE) -> printf("%d: the pair goes to the rescue queue\n", p); ADD(queue, p); goto Store
    :: without(RESCUE) -> dropped(p, 0); goto Ended
    fi
  };

Revoke:
  atomic {
    if
    :: fails -> goto Ended
    :: revokeAtProcore(RENEWED(p)); goto Ended
    :: fails && !HAS(queue, p) -> ADD(queue, p); goto Ended
    fi
  };

Ended: /* what no process can see any longer is made equal */
  atomic {
    DEL(working, ATTEMPT(p));
    if
    :: !HAS(queue | late | savedLate | repeated, p) ->
       if :: ledger[spends[p]] == ATTEMPT(p) -> ledger[spends[p]] = DEAD :: else fi;
       if :: row.attempt == ATTEMPT(p) -> row.attempt = DEAD :: else fi;
       if :: row.mine == ATTEMPT(p) -> row.mine = DEAD :: else fi;
       if :: saved.attempt == ATTEMPT(p) -> saved.attempt = DEAD :: else fi;
       if :: saved.mine == ATTEMPT(p) -> saved.mine = DEAD :: else fi;
       if :: MODE != RETURN && row.pair != RENEWED(p) && saved.pair != RENEWED(p) -> DEL(live, RENEWED(p)) :: else fi;
       spends[p] = 0
    :: else
    fi
  };
end:
  false
}

/* A claim request that lands late, and housekeeping with a message of the rescue queue. */
proctype Late(byte p) {
end:
  do
  :: atomic { HAS(late, p) && !ledger[spends[p]] ->
       printf("the late claim of %d lands\n", p); DEL(late, p); DEL(savedLate, p); DEL(repeated, p); claim(p) }
  :: atomic { HAS(queue, p) ->
       printf("housekeeping: Restore of the pair of %d\n", p);
       if
       :: awaits(p) || without(RESTORE_BY_ATTEMPT) -> renewed(p)
       :: !awaits(p) && (row.pair == RENEWED(p) || !withdrawn) -> dropped(p, 0)
       :: !awaits(p) && row.pair != RENEWED(p) && withdrawn -> withdraw(p); break
       fi }
  od;
  atomic { if :: revokeAtProcore(RENEWED(p)) :: true /* it is redelivered */ fi; goto end }
}

/* Storing an authorization. */
#define beingRevoked (row.claimed && row.attempt == REVOCATION)
#define waits(u) (row.claimed && (row.pair == u && !without(AUTHORIZE_WAITS) || beingRevoked && STEADY)) /* an expired revocation is overtaken */
#define stale(u) (ledger[u] && !without(AUTHORIZE_BY_LEDGER))
#define superseded(u) (row.state == ACTIVE && row.pair != u)
#define older(u) (superseded(u) && HAS(live, row.pair))
#define newer(u) (!superseded(u) || HAS(live, u) || !HAS(live, row.pair) || without(NEWER_WINS))

inline authorized(u) {
  writing();
  printf("user: pair %d is stored\n", u);
  assert(!HAS(sent, u) && !HAS(ended, u) || TRUTH_an_authorization_is_neither_spent_nor_revoked);
  assert(!older(u) || HAS(live, u) || TRUTH_a_dead_pair_does_not_replace_a_living_one);
  row.state = ACTIVE; row.pair = u; row.mine = 0; row.marked = 0;
  if :: !without(AUTHORIZE_FENCES) -> row.attempt = 0; row.claimed = 0 :: else fi;
  wrote()
}

#define RETURNS(x) :: MODE == RETURN && x < NT && HAS(live, x) -> u = x
proctype User(byte n) {
  byte u, discarded;
Authorize:
  atomic {
    if
    RETURNS(1) RETURNS(2) RETURNS(3) RETURNS(4) RETURNS(5) RETURNS(6)
    :: (MODE != RETURN || !live) && !HAS(sent | ended | live, ISSUED(n)) -> u = ISSUED(n)
    :: goto Ended
    fi;
    printf("user: authorizes, Procore issues pair %d\n", u);
    if :: MODE == KILL -> live = 0 :: else fi;
    ADD(live, u)
  };
Store:
  atomic {
    if
    :: fails -> goto Ended
    :: fails && row.claimed -> endClaim(); goto Store
    :: without(AUTHORIZE_AT_ONCE) && !stale(u) && !checked -> checked = 1; goto Store
    :: !waits(u) && stale(u) && superseded(u) -> goto Choose /* the grant has its successor */
    :: !waits(u) && stale(u) && !superseded(u) ->
       printf("user: pair %d is stale\n", u);
       assert(u != discarded || TRUTH_a_user_is_not_sent_in_circles);
       discarded = u;
       if :: !without(DISCARD_ENTERED) -> ledger[u] = REVOCATION :: else fi
    :: !waits(u) && !stale(u) && row.state == ACTIVE && row.pair == u -> goto Choose /* nothing changes */
    :: !waits(u) && !stale(u) && older(u) -> goto Choose /* the grant's pair is newer */
    :: !waits(u) && (!stale(u) || checked) && newer(u) && !(row.state == ACTIVE && row.pair == u) -> authorized(u); goto Choose
    fi
  };
  atomic { /* Discard, and authorize once more */
    if
    :: fails -> goto Ended
    :: !without(DISCARD) -> revokeAtProcore(u); goto Authorize
    :: without(DISCARD) -> goto Authorize
    fi
  };
Choose: /* Hold */
  atomic {
    if
    :: (row.state == ACTIVE || without(HOLD_ACTIVE)) && (!beingRevoked || without(HOLD_WAITS)) ->
       writing(); printf("user: chooses a company\n");
       assert(BACKUPS || !HAS(ended, row.pair) || HELD_a_grant_with_a_holder_is_not_revoked);
       ADD(row.holders, 1); wrote()
    :: true /* not now, or never */
    fi
  };
Ended:
  atomic { u = 0; discarded = 0 };
end:
  false
}

/* Release of the first company, and Revoke. That refreshes first if the access token has
 * expired: it is an ordinary refresh, and its pair is in the row before the claim. */
proctype Revoker() {
  byte u;
  bit own; /* it entered the token */
  atomic { writing(); printf("revoker: Release\n"); DEL(row.holders, 0); wrote() };
Claim:
  atomic {
    if
    :: fails -> goto Ended
    :: row.holders && !without(REVOKE_UNHELD) -> goto Ended
    :: row.state == REVOKED -> goto Ended
    :: fails && row.claimed -> endClaim(); goto Claim
    :: !row.claimed && row.state != REVOKED && (!row.holders || without(REVOKE_UNHELD)) ->
       printf("revoker: claim\n");
       u = row.pair;
       if
       :: !without(REVOKE_CLAIMS) ->
          writing(); row.attempt = REVOCATION; row.claimed = 1;
          own = !ledger[u];
          if :: own && !without(REVOKE_ENTERS) -> ledger[u] = REVOCATION :: else fi;
          wrote()
       :: else
       fi
    fi
  };
  atomic {
    if
    :: fails -> goto Ended
    :: revokeAtProcore(u)
    :: fails && beingRevoked -> /* Procore cannot be reached: release. The attempt stays, for pairs that arrive late */
       writing(); row.claimed = 0;
       if :: own -> ledger[u] = 0 :: else fi;
       wrote(); goto Ended
    fi
  };
  atomic {
    if
    :: fails -> goto Ended /* its claim expires, and the grant is uncertain */
    :: without(REVOKE_FAILS_IN_DOUBT) && beingRevoked -> writing(); row.claimed = 0; wrote(); goto Ended
    :: row.attempt == REVOCATION || without(REVOKED_BY_ATTEMPT) || without(REVOKE_CLAIMS) && row.pair == u && !row.holders ->
       writing();
       printf("revoker: the grant is revoked\n");
       assert(!HAS(live, row.pair) || REVOKED_a_revoked_grant_leaves_no_living_pair);
       row.state = REVOKED; row.pair = 0; row.attempt = 0; row.claimed = 0; row.mine = 0; row.marked = 0;
       wrote()
    :: !(row.attempt == REVOCATION) && !without(REVOKED_BY_ATTEMPT) -> goto Claim
    fi
  };
Ended:
  atomic { u = 0; own = 0 };
end:
  false
}

inline copy(to, from) {
  to.state = from.state; to.pair = from.pair; to.attempt = from.attempt; to.claimed = from.claimed;
  to.holders = from.holders; to.mine = from.mine; to.marked = from.marked
}

/* The row is restored from a copy; the ledger never is. */
proctype Backup() {
  atomic { printf("backup: a copy is made\n"); copy(saved, row); savedLate = late };
  atomic {
    printf("backup: the row is restored, pair %d\n", saved.pair); copy(row, saved);
    if :: without(WRITE_NAME) -> repeated = late & ~savedLate :: else fi;
    late = savedLate; savedLate = 0;
    copy(saved, blank)
  };
end:
  false
}

/* Restored: whatever attempt has the claim, the grant ends. Whether a revocation has come through is not known. */
proctype Mark() {
Again:
  atomic {
    if
    :: beingRevoked && (row.state == ACTIVE || row.state == UNCERTAIN) ->
       writing(); printf("operator: the revocation is in doubt\n"); row.claimed = 0; row.state = UNCERTAIN; wrote(); goto Again
    :: !beingRevoked && (row.state == ACTIVE || row.state == UNCERTAIN) ->
       writing(); printf("operator: the grant is marked as restored\n");
       row.claimed = 0; row.state = REAUTHORIZE; row.marked = 1; wrote()
    :: row.state == REAUTHORIZE || row.state == REVOKED
    fi
  };
end:
  false
}

init {
  atomic {
    byte p;
    do :: p < NP -> run Refresher(p); run Late(p); p++ :: else -> break od;
    p = 0;
    do :: p < USERS -> run User(p); p++ :: else -> break od;
    if :: REVOKERS -> run Revoker() :: else fi;
    if :: BACKUPS -> run Backup() :: else fi;
    if :: MARKS -> run Mark() :: else fi;
    p = 0
  };
end:
  false
}
