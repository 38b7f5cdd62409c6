#!/bin/bash
# Checks both models, refresh.pml and hooks.pml: every configuration exhaustively, and without
# each of their guards for the error that must reject it.
# README.md explains. Arguments choose checks by name; none: all, and transitions.txt.
#   UPDATE=1  writes transitions.txt instead of comparing
#   JOBS=2    checks at a time; each takes up to 1 GB
set -u -o pipefail
cd "$(dirname "$0")"
for tool in spin gcc; do
  command -v $tool >/dev/null || { echo "model: $tool is missing (Debian: apt-get install spin gcc). The model was NOT checked." >&2; exit 1; }
done
export SPEC=$PWD OUT=${OUT:-$PWD/../build/model}

# The refresh protocol: name | flags. Each must hold, in all its states.
hold='
three-user-return-backup | -DNP=3 -DUSERS=1 -DMODE=RETURN -DBACKUPS=1
three-user-keep-backup   | -DNP=3 -DUSERS=1 -DMODE=KEEP -DBACKUPS=1
two-users-return-backup  | -DNP=2 -DUSERS=2 -DMODE=RETURN -DBACKUPS=1
five                     | -DNP=5
three                    | -DNP=3
three-no-delay           | -DNP=3 -DNO_DELAY=1
three-steady             | -DNP=3 -DUSERS=1 -DMODE=RETURN -DREVOKERS=1 -DSTEADY=1
three-user-keep          | -DNP=3 -DUSERS=1 -DMODE=KEEP
three-user-kill          | -DNP=3 -DUSERS=1 -DMODE=KILL
three-user-return        | -DNP=3 -DUSERS=1 -DMODE=RETURN
three-revoke             | -DNP=3 -DREVOKERS=1
three-backup             | -DNP=3 -DBACKUPS=1
two-user-keep-revoke     | -DNP=2 -DUSERS=1 -DMODE=KEEP -DREVOKERS=1
two-user-kill-revoke     | -DNP=2 -DUSERS=1 -DMODE=KILL -DREVOKERS=1
two-user-return-revoke   | -DNP=2 -DUSERS=1 -DMODE=RETURN -DREVOKERS=1
two-users-keep           | -DNP=2 -DUSERS=2 -DMODE=KEEP
two-users-kill           | -DNP=2 -DUSERS=2 -DMODE=KILL
two-users-return         | -DNP=2 -DUSERS=2 -DMODE=RETURN
two-revoke-backup        | -DNP=2 -DREVOKERS=1 -DBACKUPS=1
three-mark               | -DNP=3 -DMARKS=1
two-user-keep-mark       | -DNP=2 -DUSERS=1 -DMODE=KEEP -DMARKS=1
two-user-return-mark     | -DNP=2 -DUSERS=1 -DMODE=RETURN -DMARKS=1
two-revoke-mark          | -DNP=2 -DREVOKERS=1 -DMARKS=1
two-backup-mark          | -DNP=2 -DBACKUPS=1 -DMARKS=1
'
# The same, only when they are named: minutes, and up to 6 GB.
more='
three-user-keep-revoke        | -DNP=3 -DUSERS=1 -DMODE=KEEP -DREVOKERS=1
three-user-kill-revoke        | -DNP=3 -DUSERS=1 -DMODE=KILL -DREVOKERS=1
three-user-return-revoke      | -DNP=3 -DUSERS=1 -DMODE=RETURN -DREVOKERS=1
three-revoke-backup           | -DNP=3 -DREVOKERS=1 -DBACKUPS=1
two-user-return-revoke-backup | -DNP=2 -DUSERS=1 -DMODE=RETURN -DREVOKERS=1 -DBACKUPS=1
'
# name, of the guard that is left out | flags | the assertion that must reject it, or a deadlock.
reject='
LEDGER                | -DNP=2 -DBACKUPS=1                               | R1_a_token_is_sent_at_most_once
FREE_ROW              | -DNP=2                                           | TRUTH_a_grant_is_not_ended_while_its_process_is_at_work
CONFIRMED             | -DNP=2                                           | R1_a_token_is_sent_at_most_once
UNKNOWN_IS_SPENT      | -DNP=2                                           | R1_a_token_is_sent_at_most_once
EXPIRED_IS_DOUBT      | -DNP=2                                           | R1_a_token_is_sent_at_most_once
DELAY                 | -DNP=2                                           | TRUTH_a_grant_is_not_ended_while_its_process_is_at_work
DOUBT_KEEPS_ATTEMPT   | -DNP=2                                           | R2_a_received_pair_is_not_lost
STORE_BY_ATTEMPT      | -DNP=2 -DUSERS=1 -DMODE=KEEP                     | R8_a_late_write_does_not_replace_a_newer_pair
RESTORE_BY_ATTEMPT    | -DNP=2 -DREVOKERS=1                              | R8_a_late_write_does_not_replace_a_newer_pair
LATE_STORE_HEALS      | -DNP=2                                           | R2_a_received_pair_is_not_lost
SETTLE_BY_ATTEMPT     | -DNP=2 -DUSERS=1 -DMODE=KILL                     | TRUTH_a_grant_is_not_ended_for_a_token_that_was_not_sent
SETTLE_ENDS_CLAIM     | -DNP=1 -DUSERS=1 -DREVOKERS=1 -DSTEADY=1         | invalid.end.state
RESCUE                | -DNP=2                                           | R2_a_received_pair_is_not_lost
RELEASE_BY_ATTEMPT    | -DNP=2 -DREVOKERS=1                              | R8_a_late_write_does_not_revive_a_revoked_grant
RELEASE_UNSPENDS      | -DNP=2                                           | TRUTH_a_grant_is_not_ended_for_a_token_that_was_not_sent
RELEASE_BY_ROW        | -DNP=2 -DUSERS=1 -DMODE=RETURN -DREVOKERS=1      | TRUTH_only_a_token_in_the_ledger_is_in_doubt
RELEASE_FENCES        | -DNP=2                                           | FENCE_a_released_claim_does_not_return
REV                   | -DNP=2 -DUSERS=1                                 | FENCE_a_released_claim_does_not_return
WRITE_NAME            | -DNP=2 -DUSERS=1 -DBACKUPS=1                     | R8_a_late_write_does_not_replace_a_newer_pair
AUTHORIZE_BY_LEDGER   | -DNP=2 -DUSERS=1 -DMODE=RETURN                   | TRUTH_an_authorization_is_neither_spent_nor_revoked
AUTHORIZE_AT_ONCE     | -DNP=2 -DUSERS=1 -DMODE=RETURN -DREVOKERS=1      | TRUTH_an_authorization_is_neither_spent_nor_revoked
AUTHORIZE_WAITS       | -DNP=2 -DUSERS=1 -DMODE=RETURN                   | HELD_a_grant_with_a_holder_is_not_revoked
AUTHORIZE_FENCES      | -DNP=2 -DUSERS=1                                 | R8_a_late_write_does_not_replace_a_newer_pair
NEWER_WINS            | -DNP=1 -DUSERS=2 -DMODE=KILL                     | TRUTH_a_dead_pair_does_not_replace_a_living_one
DISCARD               | -DNP=2 -DUSERS=1 -DMODE=RETURN                   | TRUTH_a_user_is_not_sent_in_circles
DISCARD_ENTERED       | -DNP=2 -DUSERS=1 -DMODE=RETURN                   | HELD_a_grant_with_a_holder_is_not_revoked
FENCED_IS_DROPPED     | -DNP=2                                           | HELD_a_grant_with_a_holder_is_not_revoked
WITHDRAWN_IS_REVOKED  | -DNP=2 -DREVOKERS=1                              | REVOKED_a_revoked_grant_leaves_no_living_pair
WITHDRAWN_EARLY       | -DNP=2 -DREVOKERS=1                              | R2_a_received_pair_is_not_lost
WITHDRAWN_ENTERED     | -DNP=2 -DUSERS=1 -DMODE=RETURN -DREVOKERS=1      | TRUTH_an_authorization_is_neither_spent_nor_revoked
REVOKE_UNHELD         | -DNP=1 -DUSERS=1 -DREVOKERS=1                    | HELD_a_grant_with_a_holder_is_not_revoked
REVOKE_CLAIMS         | -DNP=1 -DUSERS=1 -DMODE=RETURN -DREVOKERS=1      | HELD_a_grant_with_a_holder_is_not_revoked
REVOKE_ENTERS         | -DNP=1 -DUSERS=1 -DMODE=RETURN -DREVOKERS=1      | TRUTH_only_a_token_in_the_ledger_is_in_doubt
REVOKE_FAILS_IN_DOUBT | -DNP=1 -DUSERS=1 -DREVOKERS=1                    | TRUTH_a_grant_is_not_ended_for_a_token_that_was_not_sent
REVOKED_BY_ATTEMPT    | -DNP=1 -DUSERS=1 -DREVOKERS=1                    | REVOKED_a_revoked_grant_leaves_no_living_pair
HOLD_ACTIVE           | -DNP=1 -DUSERS=1 -DREVOKERS=1                    | HELD_a_grant_with_a_holder_is_not_revoked
HOLD_WAITS            | -DNP=1 -DUSERS=1 -DMODE=RETURN -DREVOKERS=1      | HELD_a_grant_with_a_holder_is_not_revoked
MARK_STAYS            | -DNP=2 -DMARKS=1                                 | MARK_a_grant_that_an_operator_ended_needs_its_user
'

# Provisioning and reconciliation: the same. A third column is how a counterexample is searched that the shortest-first
# search finds among millions of states: depth first.
hooks_hold='
hooks-overlap | -DPASSES=2 -DOVERLAPS=1 -DLATE=1 -DDELETES=1 -DDISABLES=1 -DLOSES=1
hooks-alone   | -DPASSES=2 -DOVERLAPS=1 -DLATE=1 -DDELETES=1 -DALONE=1 -DLOSES=1
hooks-lease   | -DPASSES=2 -DLATE=1 -DDELETES=1 -DDISABLES=1
hooks-end     | -DPASSES=2 -DENDS=2 -DLATE=1
hooks-gap     | -DREADY=1 -DPASSES=1 -DTURNS=1 -DDELETES=1 -DCHANGES=1 -DTIME=1
cursor-two    | -DREADY=1 -DTURNS=2 -DCHANGES=1 -DTIME=3
cursor-denied | -DREADY=1 -DREFUSED=1 -DTURNS=2 -DCHANGES=1 -DTIME=2 -DDENIALS=1
'
hooks_reject='
LEASE             | -DPASSES=2                                  | HOOK_passes_that_do_not_overlap_create_no_second_one
LEASE_WRITE       | -DPASSES=2 -DOVERLAPS=1 -DCHANGES=1 -DTIME=1 | WINDOW_no_undelivered_change_is_passed
LEASE_OUTLIVES    | -DPASSES=1 -DENDS=1                         | HOOK_none_remains_for_a_company_that_left
OBSERVE           | -DPASSES=2                                  | HOOK_passes_that_do_not_overlap_create_no_second_one
LOST_IS_UNKNOWN   | -DPASSES=1                                  | HOOK_passes_that_do_not_overlap_create_no_second_one
LOST_KEEPS_LEASE  | -DPASSES=1 -DENDS=1 -DLATE=1                | HOOK_none_remains_for_a_company_that_left
TWINS             | -DPASSES=2 -DOVERLAPS=1                     | HOOK_one_remains_for_a_company_that_is_connected
TRIGGERS          | -DPASSES=1                                  | HOOK_what_remains_reports
REACTIVATE        | -DPASSES=1 -DDISABLES=1                     | HOOK_what_remains_reports
REPLACE           | -DPASSES=1 -DLOSES=1                        | HOOK_what_remains_reports
ALONE_DELETES     | -DPASSES=1 -DLOSES=1 -DALONE=1              | HOOK_what_remains_reports
CREATE_CONNECTED  | -DPASSES=1 -DENDS=1                         | HOOK_none_remains_for_a_company_that_left
END_LEASE         | -DPASSES=1 -DENDS=1                         | HOOK_none_remains_for_a_company_that_left
END_KEEPS_LEASE   | -DPASSES=1 -DENDS=1                         | HOOK_none_remains_for_a_company_that_left
END_READS         | -DREADY=1 -DENDS=2                          | HOOK_none_remains_for_a_company_that_left
END_OBSERVES      | -DPASSES=1 -DENDS=1                         | HOOK_none_remains_for_a_company_that_left
END_DELETES_FIRST | -DREADY=1 -DENDS=1                          | HOOK_none_remains_for_a_company_that_left
SINCE_FIRST       | -DPASSES=1 -DCHANGES=1 -DTIME=1             | WINDOW_every_undelivered_change_is_found
SINCE_KEPT        | -DREADY=1 -DPASSES=1 -DDELETES=1 -DTURNS=1 -DCHANGES=1 -DTIME=1 | WINDOW_no_undelivered_change_is_passed
DUE_FIRST         | -DPASSES=2 -DCHANGES=1                      | WINDOW_every_undelivered_change_is_found
BEGIN             | -DREADY=1 -DTURNS=1 -DCHANGES=1 -DTIME=2    | WINDOW_no_undelivered_change_is_passed
CURSOR_KEPT       | -DREADY=1 -DTURNS=1 -DCHANGES=1 -DTIME=2    | WINDOW_no_undelivered_change_is_passed
CURSOR_AFTER_READ | -DREADY=1 -DTURNS=1 -DCHANGES=1 -DTIME=2    | WINDOW_no_undelivered_change_is_passed
FROZEN_END        | -DREADY=1 -DTURNS=1 -DCHANGES=1 -DTIME=2    | WINDOW_no_undelivered_change_is_passed
SETTLING          | -DREADY=1 -DTURNS=1 -DCHANGES=1 -DTIME=2    | WINDOW_no_undelivered_change_is_passed
ALL_PROJECTS      | -DREADY=1 -DTURNS=1 -DCHANGES=1 -DTIME=2    | WINDOW_no_undelivered_change_is_passed
PROJECTS_AGAIN    | -DREADY=1 -DTURNS=1 -DCHANGES=1 -DTIME=2    | WINDOW_no_undelivered_change_is_passed
EVENT_FIRST       | -DREADY=1 -DTURNS=1 -DCHANGES=1 -DTIME=2    | WINDOW_no_undelivered_change_is_passed
REFUSED_SINCE     | -DREADY=1 -DTURNS=1 -DCHANGES=1 -DTIME=2 -DDENIALS=1             | WINDOW_no_undelivered_change_is_passed
REFUSED_FIRST     | -DREADY=1 -DTURNS=1 -DCHANGES=1 -DTIME=2 -DDENIALS=1             | WINDOW_no_undelivered_change_is_passed
REFUSED_LEASE     | -DREADY=1 -DREFUSED=1 -DTURNS=2 -DCHANGES=1 -DTIME=3 -DDENIALS=1 | WINDOW_no_undelivered_change_is_passed | DEEP
'

# The replay of a counterexample, as the printf of the model tell it.
replay() { gcc -w -DSAFETY -o replay pan.c && ./replay -S -m20000 2>&1 | sed '/^spin: trail ends/,$d'; }

# check "model | name | flags | assertion | search": no assertion means that all must hold.
check() {
  IFS='|' read -r model name flags wanted search <<<"$1"
  name=${name// /} wanted=${wanted// /}
  local dir=$OUT/$name begun=$SECONDS
  rm -rf "$dir" && mkdir -p "$dir" && cp "$SPEC/$model.pml" "$dir" && cd "$dir" || return 1
  # A counterexample is found among few states, the shortest one first: optimizing would take longer than the search.
  local how="-O2"
  [ -n "$wanted" ] && how="-O0" flags+=" -DWITHOUT=$name"
  [ -n "$wanted" ] && [ -z "$search" ] && how+=" -DBFS"
  # shellcheck disable=SC2086
  if ! { spin $flags -a "$model.pml" && gcc $how -w -DSAFETY -DCOLLAPSE -DMEMLIM=6000 -o pan pan.c; } >build.out 2>&1; then
    printf '%-24s FAILED to build, see %s\n' "$name" "$dir/build.out"; return 1
  fi
  ./pan -m20000 -w24 -n >out 2>&1
  local states; states=$(awk '/states, stored/ {print $1; exit}' out)
  if [ -z "$wanted" ]; then
    if grep -q 'errors: 0' out && ! grep -Eq 'max search depth|not completed|out of memory' out; then
      printf '%-24s holds in all %s states, %ss\n' "$name" "$states" $((SECONDS - begun)); return
    fi
    printf '%-24s DOES NOT HOLD, or was not finished: %s\n' "$name" "$dir/out"
    grep -E 'violated|invalid end|max search depth|out of memory' out | cut -c1-300; replay; return 1
  fi
  if grep -q "^pan:1: .*$wanted" out; then
    printf '%-24s rejected: %s\n' "$name" "$wanted"; return
  fi
  printf '%-24s NOT REJECTED by %s, see %s\n' "$name" "$wanted" "$dir/out"; grep violated out | cut -c1-300; return 1
}
export -f check replay

[ -n "${SHOW:-}" ] && { cd "$OUT/$SHOW" && replay; exit; }
lines() { grep '|' <<<"$2" | sed "s/^/$1|/"; } # of a model
list=$(lines refresh "$hold$more$reject"; lines hooks "$hooks_hold$hooks_reject")
for name in "$@"; do
  line=$(grep "^[a-z]*|$name  *|" <<<"$list") || { echo "model: no check is named $name" >&2; exit 1; }
  chosen+=$line$'\n'
done
status=0
all=$(lines hooks "$hooks_hold"; lines refresh "$hold$reject"; lines hooks "$hooks_reject")
grep '|' <<<"${chosen-$all}" | tr '\n' '\0' | xargs -0 -P "${JOBS:-2}" -I{} bash -c 'check "$1"' - {} || status=1
[ $# -gt 0 ] && exit $status
[ $status = 0 ] || { echo "model: FAILED"; exit 1; }
grep '|' <<<"$hold" | while IFS='|' read -r name _; do sed -n 's/^TRANSITION //p' "$OUT/${name// /}/out"; done | LC_ALL=C sort -u >"$OUT/transitions.txt"
if [ -n "${UPDATE:-}" ]; then cp "$OUT/transitions.txt" transitions.txt; fi
diff -u transitions.txt "$OUT/transitions.txt" || { echo "model: transitions.txt is not what the model does; UPDATE=1 $0"; exit 1; }
echo "model: holds; $(wc -l <transitions.txt) transitions"
