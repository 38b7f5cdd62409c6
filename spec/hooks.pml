/*
 * Provisioning with its lease, and reconciliation's cursor, for the model checker spin: one company.
 * README.md explains what is abstracted and why. Names are those of the Go code.
 *
 * Configuration, by -D:
 *   PASSES=2      processes that make one pass each: provision.Reconcile
 *   ENDS=1        connections, each of which ends: provision.End (at most 2). 0: one that stays
 *   TURNS=1       processes that make one turn each: reconcile.turn
 *   DELETES=1     hooks that someone deletes at Procore
 *   DISABLES=1    hooks that Procore disables
 *   LOSES=1       the creator of the hook loses its access; another connection goes on
 *   ALONE=1       Procore refuses a second hook with one URL
 *   CHANGES=1     a change of which no delivery comes. It is any of them, and so all of them
 *   DENIALS=1     times in which Procore does not let the change's project be read
 *   LATE=1        requests to create a hook that land after their sender stopped waiting
 *   OVERLAPS=1    a lease may expire while its holder is at work. With ENDS it must not, see README.md
 *   READY=1       the company has its hook at the beginning
 *   REFUSED=1     and reads again what was refused from the beginning on
 *   TIME=3        the last time of Procore's clock before the faults end
 *   WITHOUT=X     leaves out the guard X of the list below
 */
#ifndef PASSES
#define PASSES 0
#endif
#ifndef ENDS
#define ENDS 0
#endif
#ifndef TURNS
#define TURNS 0
#endif
#ifndef DELETES
#define DELETES 0
#endif
#ifndef DISABLES
#define DISABLES 0
#endif
#ifndef LOSES
#define LOSES 0
#endif
#ifndef ALONE
#define ALONE 0
#endif
#ifndef CHANGES
#define CHANGES 0
#endif
#ifndef DENIALS
#define DENIALS 0
#endif
#ifndef LATE
#define LATE 0
#endif
#ifndef OVERLAPS
#define OVERLAPS 0
#endif
#ifndef READY
#define READY 0
#endif
#ifndef REFUSED
#define REFUSED 0
#endif
#ifndef TIME
#define TIME 0
#endif
#ifndef WITHOUT
#define WITHOUT 0
#endif

/* The guards. Each has a check in model.sh that must fail without it. */
#define without(guard) (WITHOUT == guard)
#define LEASE              1 /* a pass works under the company's lease */
#define LEASE_WRITE        2 /* every write of the row is conditional on the lease */
#define LEASE_OUTLIVES     3 /* a lease expires after its holder's pass has ended, and what it sent has landed */
#define OBSERVE            4 /* a hook is created after Procore showed none */
#define LOST_IS_UNKNOWN    5 /* after a lost answer the next pass observes */
#define LOST_KEEPS_LEASE   6 /* and no other process has the lease while the request may still land */
#define TWINS              7 /* our other hooks are deleted */
#define TRIGGERS           8 /* the triggers of a hook that was found are compared */
#define REACTIVATE         9 /* a disabled hook is made active */
#define REPLACE           10 /* a hook whose creator lost its access is created again */
#define ALONE_DELETES     11 /* where Procore refuses two hooks, the old one goes first */
#define CREATE_CONNECTED  12 /* a hook is created for a connection that was read under the lease */
#define END_LEASE         13 /* a connection ends under the lease */
#define END_KEEPS_LEASE   14 /* until it has ended */
#define END_READS         15 /* what other connections there are, under the lease */
#define END_OBSERVES      16 /* what hooks there are: not only the one that the row knows */
#define END_DELETES_FIRST 17
#define SINCE_FIRST       18 /* since when changes are reported is stored before the first trigger is created */
#define SINCE_KEPT        19 /* also when a hook is created again */
#define DUE_FIRST         20 /* and before that, the company is due */
#define BEGIN             21 /* the first cursor begins then */
#define CURSOR_KEPT       22 /* a later turn continues */
#define CURSOR_AFTER_READ 23 /* a cursor moves when its window was read */
#define FROZEN_END        24 /* to the end that the window had when it was opened */
#define SETTLING          25 /* which was some time ago */
#define ALL_PROJECTS      26 /* in all projects */
#define PROJECTS_AGAIN    27 /* of each window */
#define EVENT_FIRST       28 /* an event is stored before its range is done */
#define REFUSED_SINCE     29 /* what was refused is read later, from then on */
#define REFUSED_FIRST     30 /* and is stored before its project is done */
#define REFUSED_LEASE     31 /* what was read of a window that is no longer the company's ends no refusal */

#define fails (!calm) /* what comes next may happen to a process, a clock, storage or a call */

#define HAS(set, i) (((set) >> (i)) & 1)
#define ADD(set, i) set = set | (1 << (i))
#define DEL(set, i) set = set & ~(1 << (i))

/* Processes: 1 and following make passes, END(n) ends connection n, and JUDGE makes the last pass. */
#define END(n) (PASSES + 1 + (n))
#define JUDGE 7
#define IDS 6 /* of hooks: 1 to 6 */

typedef Row { /* provision.Row */
  byte hook;    /* HookID; 0: none known */
  byte creator; /* the connection, 1 or 2 */
  byte since;   /* Since, plus 1; 0: not yet */
  byte holder;  /* write: who wrote the row last, and so has the lease */
  bit held;     /* until */
};

typedef Cursor { /* reconcile.row, with one cursor */
  bit due;      /* it is in the index checks */
  bit begun;    /* there is a cursor */
  byte from;
  byte to;      /* plus 1; 0: no window */
  byte project; /* the last one that is done */
  byte at;      /* plus 1; 0: at the beginning */
  byte holder;
  bit held;
};

Row row;
Cursor cur;
byte refused; /* reconcile.refusals of the change's project: since, plus 1; 0: none */
byte refusedBy; /* who wrote them last */

/* Procore. */
byte there;    /* our hooks: set of ids */
byte reports;  /* those that have triggers */
byte disabled;
byte made;     /* the last id */
byte clock;
byte connected = 1; /* set of connections; of two the first */
bit lost;      /* connection 1 has lost its access: calls by it fail */
bit happened, visible, denied;
byte when, project; /* of the change */

/* For the assertions. */
bit calm;         /* no more faults */
byte running;     /* processes that have not ended */
byte working;     /* those that make calls: set of processes */
byte late;        /* those whose create is still under way, though they do not wait for it */
byte turning;     /* those that have a turn */
byte begunPass = 1, begunTurn = 1; /* processes begin in their order: they are alike */
bit overlapped;   /* a lease expired while its holder was at work */
bit subscribed;   /* the first trigger was created */
bit required;     /* the change happened after that */
bit found;        /* its event is stored */

/* The names of the assertions: never true, so "X || name" is X, and spin prints it. */
bit HOOK_one_remains_for_a_company_that_is_connected;
bit HOOK_none_remains_for_a_company_that_left;
bit HOOK_passes_that_do_not_overlap_create_no_second_one;
bit HOOK_what_remains_reports;
bit WINDOW_no_undelivered_change_is_passed;
bit WINDOW_every_undelivered_change_is_found;
bit MODEL_has_ids_for_all_hooks;

/* Every change that was not delivered is behind the cursor, or in what was refused. */
inline judged() {
  assert(!required || found || cur.from <= when || refused && refused - 1 <= when || WINDOW_no_undelivered_change_is_passed)
}

inline lowest(h, set) {
  if
  :: HAS(set, 1) -> h = 1 :: !HAS(set, 1) && HAS(set, 2) -> h = 2
  :: !(set & 7) && HAS(set, 3) -> h = 3 :: !(set & 15) && HAS(set, 4) -> h = 4
  :: !(set & 31) && HAS(set, 5) -> h = 5 :: !(set & 63) && HAS(set, 6) -> h = 6
  :: !(set & 127) -> h = 0
  fi
}

inline createHook() {
  made++;
  assert(made <= IDS || MODEL_has_ids_for_all_hooks);
  printf("   hook %d is created\n", made);
  ADD(there, made)
}

inline deleteHook(h) {
  printf("   hook %d is deleted\n", h);
  DEL(there, h); DEL(reports, h); DEL(disabled, h)
}

/* items.take and items.save */
#define atWork (HAS(working, row.holder) || HAS(late, row.holder))
#define free (!row.held || !atWork || fails && (OVERLAPS || without(LEASE_OUTLIVES)) || without(LEASE))
inline take(p) {
  printf("%d: takes the lease\n", p);
  if :: row.held && atWork && !without(LEASE) -> overlapped = 1 :: else fi;
  hook = row.hook; creator = row.creator; since = row.since;
  row.held = 1; row.holder = p; ADD(working, p)
}
#define holds(p) (row.holder == p || without(LEASE_WRITE))
inline save(p) {
  row.hook = hook; row.creator = creator; row.since = since; row.holder = p
}
inline release(p, keeps) {
  if
  :: holds(p) -> save(p); row.held = keeps; if :: !keeps -> printf("%d: releases the lease\n", p) :: else fi
  :: fails || !holds(p) /* it expires */
  fi
}

/* Memory.forget */
inline forget() {
  hook = 0; creator = 0;
  if :: without(SINCE_KEPT) -> since = 0 :: else fi
}

#define NOTHING 0
#define CREATE 1
#define PATCH 2
#define ADDTRIGGERS 3
#define DELETE 4
#define DELETETWINS 5

/* One call of provision.Reconcile. Each goto Ended with fails is the process's death, each goto Release an error. */
proctype Pass(byte p) {
  byte hook, creator, since; /* Memory */
  bit alone;
  bit unknown;               /* whether a create may still land */
  byte by;                   /* whose connection makes the calls */
  byte now, ours, twins, todo;
  bit all;                   /* whether the company is connected, read before the lease was taken */
  byte h;
  bit begun;                 /* without DUE_FIRST: the company is not yet due */
  atomic {
    p == JUDGE || begunPass == p;
    begunPass++;
    all = connected > 0
  };
Take:
  atomic {
    if
    :: free -> take(p); by = 1 + lost
    :: fails && row.held -> goto Ended /* busy, or it never comes */
    fi;
    if :: !all -> todo = NOTHING; goto Release :: else fi
  };

Observe: /* observe, plan */
  atomic {
    if
    :: fails -> goto Ended
    :: fails -> goto Release
    :: by == 1 && lost -> goto Release /* 403. Others are tried by another pass */
    :: by == 1 + lost ->
       now = clock; todo = NOTHING;
       if
       :: HAS(there, hook) && hook -> ours = hook
       :: !(HAS(there, hook) && hook) -> lowest(ours, there)
       fi;
       twins = there; DEL(twins, ours);
       if :: !hook && without(OBSERVE) -> ours = 0 :: else fi;
       if
       :: !ours -> forget(); todo = CREATE
       :: ours && lost && creator == 1 && ours == hook && !without(REPLACE) ->
          if
          :: alone && !without(ALONE_DELETES) -> todo = DELETE
          :: alone && without(ALONE_DELETES) -> goto Release
          :: !alone -> todo = CREATE
          fi
       :: else ->
          if :: hook != ours -> forget(); hook = ours; creator = by :: else fi;
          if
          :: HAS(disabled, ours) && !without(REACTIVATE) -> todo = PATCH
          :: !HAS(reports, ours) && !without(TRIGGERS) -> todo = ADDTRIGGERS
          :: else -> if :: twins && !without(TWINS) -> todo = DELETETWINS :: else fi
          fi
       fi;
       if :: hook && !since && !without(SINCE_FIRST) -> goto Began :: else fi;
       if :: todo == NOTHING -> goto Release :: else -> goto Save fi
    fi
  };

Began:
  atomic {
    if
    :: fails -> goto Ended
    :: fails -> goto Release
    :: printf("%d: changes are reported since %d\n", p, now);
       since = now + 1;
       if :: !without(DUE_FIRST) -> cur.due = 1 :: else -> begun = 1 fi;
       if :: todo == NOTHING -> goto Release :: else fi
    fi
  };

Save:
  atomic {
    if
    :: fails -> goto Ended
    :: fails || !holds(p) -> goto Release
    :: holds(p) -> save(p)
    fi
  };
  if :: begun -> atomic { begun = 0; if :: fails -> goto Ended :: cur.due = 1 fi } :: else fi;

Apply: /* Each call may fail, or its answer may be lost */
  atomic {
    if
    :: fails -> goto Ended
    :: fails -> goto Release
    :: todo == CREATE && !connected && !without(CREATE_CONNECTED) -> goto Release
    :: todo == CREATE && (connected || without(CREATE_CONNECTED)) -> goto Create
    :: todo == PATCH -> DEL(disabled, ours); printf("%d: hook %d is active\n", p, ours); goto Applied
    :: todo == ADDTRIGGERS && HAS(there, ours) ->
       printf("%d: hook %d has triggers\n", p, ours);
       ADD(reports, ours); subscribed = 1;
       if
       :: without(SINCE_FIRST) && !since -> goto Applied
       :: else -> if :: twins && !without(TWINS) -> todo = DELETETWINS; goto Apply :: else -> goto Applied fi
       fi
    :: todo == ADDTRIGGERS && !HAS(there, ours) -> goto Release /* it has vanished */
    :: todo == DELETE -> deleteHook(ours); forget(); goto Applied
    :: todo == DELETETWINS ->
       lowest(h, twins); deleteHook(h); DEL(twins, h); h = 0;
       if :: twins -> goto Apply :: else -> goto Applied fi
    fi
  };

Create:
  atomic {
    if
    :: fails -> goto Ended
    :: fails -> goto Release
    :: LATE && fails ->
       printf("%d: a create is under way\n", p);
       ADD(late, p); unknown = !without(LOST_KEEPS_LEASE); goto Release
    :: ALONE && there -> /* refused */
       if :: ours -> alone = 1; goto Observe :: else -> goto Release fi
    :: !(ALONE && there) ->
       createHook();
       assert(!(there & ~(1 << made)) || overlapped || ours || HOOK_passes_that_do_not_overlap_create_no_second_one);
       if
       :: fails && without(LOST_IS_UNKNOWN) -> goto Create
       :: true
       fi
    fi
  };
  atomic {
    if
    :: fails -> goto Ended
    :: fails && !without(LOST_IS_UNKNOWN) -> unknown = !without(LOST_KEEPS_LEASE); goto Release /* the answer is lost */
    :: forget(); hook = made; creator = by
    fi
  };

Applied:
  atomic {
    if
    :: fails -> goto Ended
    :: fails -> goto Release /* the answer is lost */
    :: true ->
       if :: without(SINCE_FIRST) && hook && !since && HAS(reports, hook) -> cur.due = 1; since = clock + 1 :: else fi;
       goto Observe
    fi
  };

Release:
  atomic { release(p, unknown) };
Ended:
  atomic {
    DEL(working, p); running--;
    hook = 0; creator = 0; since = 0; alone = 0; unknown = 0; by = 0; now = 0;
    ours = 0; twins = 0; todo = 0; all = 0; h = 0; begun = 0
  }
}

/* A request to create a hook that lands when its sender no longer waits, or never. */
proctype Lands() {
  byte p;
end:
  do
  :: atomic { late ->
       lowest(p, late); DEL(late, p); p = 0;
       if
       :: !(ALONE && there) ->
          createHook();
          assert(!(there & ~(1 << made)) || overlapped || LOSES || HOOK_passes_that_do_not_overlap_create_no_second_one)
       :: true
       fi }
  od
}

/* provision.End of one connection. It is repeated after an error, or never. */
proctype Ender(byte n) {
  byte p = END(n);
  byte hook, creator, since;
  byte targets, h, others;
  others = connected;
Take:
  atomic {
    if
    :: fails -> goto Ended
    :: free || without(END_LEASE) -> take(p)
    fi
  };
  if
  :: without(END_DELETES_FIRST) -> atomic { DEL(connected, n); if :: !connected -> required = 0 :: else fi }
  :: else
  fi;
Read:
  atomic {
    if
    :: fails -> goto Ended
    :: true ->
       if :: !without(END_READS) -> others = connected :: else fi;
       DEL(others, n); if :: others -> goto Gone :: else fi
    fi
  };
Observe:
  atomic {
    if
    :: fails -> goto Ended
    :: fails -> goto Error
    :: targets = there;
       if :: without(END_OBSERVES) -> targets = there & (1 << hook) :: else fi;
       if :: !targets -> hook = 0; creator = 0; since = 0; goto Gone :: else fi
    fi
  };
  atomic {
    if
    :: fails -> goto Ended
    :: fails || !holds(p) -> goto Error
    :: holds(p) -> save(p)
    fi
  };
Delete:
  atomic {
    if
    :: fails -> goto Ended
    :: fails -> goto Error
    :: lowest(h, targets); DEL(targets, h); deleteHook(h); h = 0;
       if
       :: fails -> goto Error /* the answer is lost */
       :: targets -> goto Delete
       :: !targets -> goto Observe
       fi
    fi
  };
Gone:
  if :: without(END_KEEPS_LEASE) -> atomic { release(p, 0) } :: else fi;
  atomic {
    if
    :: fails -> goto Ended
    :: fails -> goto Error
    :: printf("%d: connection %d ends\n", p, n);
       DEL(connected, n); if :: !connected -> required = 0 :: else fi
    fi
  };
  atomic { release(p, 0); goto Ended };
Error:
  atomic {
    release(p, 0); DEL(working, p); hook = 0; creator = 0; since = 0; targets = 0; others = connected;
    goto Take
  };
Ended:
  atomic { DEL(working, p); running--; hook = 0; creator = 0; since = 0; targets = 0; h = 0; others = 0; p = 0 }
}

inline saveCursor() {
  cur.begun = begun; cur.from = from; cur.to = to; cur.project = done; cur.at = at;
  if :: begun -> judged() :: else fi
}

/* One turn of reconcile. */
proctype Turn(byte p) {
  byte from, to, done, at, since, old, rev, end;
  bit begun, reread, hit;
Take:
  atomic {
    p == JUDGE || begunTurn == p;
    begunTurn++;
    if
    :: fails || !cur.due -> goto Ended
    :: cur.due -> /* the lease of another turn may always have expired: no assertion rests on it */
       printf("turn %d: begins\n", p);
       cur.held = 1; cur.holder = p; ADD(turning, p);
       begun = cur.begun; from = cur.from; to = cur.to; done = cur.project; at = cur.at
    fi
  };
  atomic {
    if
    :: fails -> goto Ended
    :: since = row.since;
       if :: !since -> goto Release :: else fi
    fi
  };
Open: /* adopt, open */
  atomic {
    if
    :: !begun || without(CURSOR_KEPT) ->
       begun = 1; from = since - 1;
       if :: without(BEGIN) || without(CURSOR_KEPT) -> from = clock :: else fi
    :: else
    fi;
    since = 0;
    if
    :: fails -> goto Release
    :: !to ->
       if :: without(SETTLING) -> to = clock :: !without(SETTLING) && clock -> to = clock - 1 :: else -> to = 0 fi;
       if
       :: to > from ->
          printf("turn %d: a window from %d to %d\n", p, from, to);
          to = to + 1;
          if :: !without(PROJECTS_AGAIN) -> done = 0 :: else fi
       :: else -> to = 0; goto Release
       fi
    :: to
    fi
  };
Read: /* next, project */
  atomic {
    if
    :: fails -> goto Ended
    :: fails -> goto Release
    :: done == 2 || without(ALL_PROJECTS) && done == 1 -> /* shut */
       from = to - 1; to = 0; at = 0;
       if :: without(FROZEN_END) -> from = clock :: else fi;
       if :: !without(PROJECTS_AGAIN) -> done = 0 :: else fi;
       goto Release
    :: done < 2 && !(without(ALL_PROJECTS) && done == 1) ->
       if :: done + 1 == project -> if :: !reread -> old = refused; rev = refusedBy; reread = 1 :: else fi :: else fi;
       if
       :: fails && done + 1 == project && old -> done++; at = 0; goto Read /* it was refused a short time ago */
       :: true ->
          if
          :: !at -> at = from + 1;
             if :: done + 1 == project && old && old - 1 < from && !without(REFUSED_SINCE) -> at = old :: else fi
          :: else
          fi
       fi
    fi
  };
Range:
  atomic {
    if
    :: fails -> goto Ended
    :: fails -> goto Release
    :: done + 1 == project && denied -> goto Denied
    :: !(done + 1 == project && denied) && at >= to -> goto Done
    :: !(done + 1 == project && denied) && at < to ->
       if :: end = to :: fails && at + 1 < to -> end = at + 1 fi; /* a half */
       hit = happened && visible && done + 1 == project && at - 1 <= when && when < end - 1;
       if :: without(EVENT_FIRST) -> at = end :: else fi
    fi
  };
  atomic { /* cover */
    if
    :: fails -> goto Ended
    :: fails -> goto Release
    :: true ->
       if :: hit -> printf("turn %d: the change is found\n", p); found = 1 :: else fi;
       at = end; end = 0; hit = 0;
       if :: at >= to -> goto Done :: else -> goto Range fi
    fi
  };
Denied: /* the refusals are another row, which is written first */
  atomic {
    if
    :: fails -> goto Ended
    :: refusedBy == rev ->
       printf("turn %d: project %d is refused\n", p, project);
       if :: old -> refused = old :: else -> refused = at fi;
       old = refused; refusedBy = p; rev = p; done++; at = 0; goto Read
    :: fails || refusedBy != rev ->
       if :: without(REFUSED_FIRST) -> done++; at = 0 :: else fi;
       goto Release
    fi
  };
Done:
  atomic {
    done++; at = 0;
    if :: done != project || !old -> goto Read :: else fi
  };
  atomic {
    if
    :: fails -> goto Ended
    :: without(REFUSED_LEASE)
    :: (fails || cur.holder != p) && !without(REFUSED_LEASE) -> goto Release
    :: cur.holder == p && !without(REFUSED_LEASE) -> saveCursor()
    fi
  };
  atomic {
    if
    :: fails -> goto Ended
    :: refusedBy == rev -> refused = 0; refusedBy = p; old = 0; rev = p; judged(); goto Read
    :: fails || refusedBy != rev -> goto Release
    fi
  };
Release:
  atomic {
    if
    :: cur.holder == p ->
       if :: without(CURSOR_AFTER_READ) && to -> from = to - 1; to = 0; done = 0; at = 0 :: else fi;
       printf("turn %d: the cursor is at %d\n", p, from);
       saveCursor(); cur.held = 0
    :: fails || cur.holder != p
    fi
  };
Ended:
  atomic {
    DEL(turning, p); running--;
    from = 0; to = 0; done = 0; at = 0; since = 0; old = 0; rev = 0; end = 0; begun = 0; reread = 0; hit = 0
  }
}

/* People at Procore, and Procore itself. */
proctype Someone() {
  byte deletes, disables, denials;
  byte h;
end:
  do
  :: atomic { fails && there && deletes < DELETES -> deletes++;
       if
       :: HAS(there, 1) -> h = 1 :: HAS(there, 2) -> h = 2 :: HAS(there, 3) -> h = 3
       :: HAS(there, 4) -> h = 4 :: HAS(there, 5) -> h = 5 :: HAS(there, 6) -> h = 6
       fi;
       printf("someone:"); deleteHook(h); h = 0 }
  :: atomic { fails && there && disables < DISABLES -> disables++; disabled = there; printf("Procore disables the hooks\n") }
  :: atomic { fails && LOSES && !lost -> lost = 1; printf("the creator loses its access\n") }
  :: atomic { fails && !denied && denials < DENIALS -> denials++; denied = 1; printf("the project may not be read\n") }
  :: atomic { denied -> denied = 0; printf("the project may be read\n") }
  :: atomic { fails && CHANGES && !happened ->
       happened = 1; when = clock; required = subscribed && connected;
       if :: project = 1 :: project = 2 fi;
       printf("a change at %d, in project %d\n", when, project) }
  :: atomic { happened && !visible -> visible = 1; printf("the change is visible\n") }
  :: atomic { fails && clock < TIME && (!happened || visible || clock == when) -> clock++; printf("it is %d\n", clock) }
  od
}

/* After the last fault: a pass and a turn. */
proctype Judge() {
  atomic {
    running == 0 && !late;
    printf("no more faults\n");
    calm = 1; denied = 0; visible = happened;
    running++; run Pass(JUDGE)
  };
  atomic { running == 0;
    if
    :: connected ->
       assert(there && !(there & (there - 1)) || HOOK_one_remains_for_a_company_that_is_connected);
       assert(reports == there && !disabled && there == 1 << row.hook && !(lost && row.creator == 1) || HOOK_what_remains_reports)
    :: else -> assert(!there || HOOK_none_remains_for_a_company_that_left)
    fi;
    if :: CHANGES && required -> clock = clock + 3; running++; run Turn(JUDGE) :: else -> goto end fi };
  atomic { running == 0; running++; run Turn(JUDGE) }; /* a window was open */
  atomic { running == 0; assert(found || WINDOW_every_undelivered_change_is_found) };
end:
  false
}

init {
  atomic {
    byte p = 1;
    if
    :: READY ->
       createHook(); reports = there; subscribed = 1; row.hook = 1; row.creator = 1; row.since = 1; cur.due = 1;
       refused = REFUSED
    :: else
    fi;
    if :: ENDS == 2 -> connected = 3 :: else fi;
    running = PASSES + TURNS + ENDS;
    do :: p <= PASSES -> run Pass(p); p++ :: else -> break od;
    p = 1;
    do :: p <= TURNS -> run Turn(p); p++ :: else -> break od;
    p = 0;
    do :: p < ENDS -> run Ender(p); p++ :: else -> break od;
    if :: LATE -> run Lands() :: else fi;
    run Someone(); run Judge();
    p = 0
  }
}
