#!/bin/bash
# Checks the model of the refresh protocol: every configuration exhaustively, every
# deliberate breakage and every known limit for the assertion that must reject it.
# README.md explains. Arguments choose checks by name; none: all, and transitions.txt.
#   UPDATE=1  writes transitions.txt instead of comparing
#   JOBS=2    checks at a time; each takes up to 3.5 GB
set -u -o pipefail
cd "$(dirname "$0")"
for tool in spin gcc; do
  command -v $tool >/dev/null || { echo "model: $tool is missing (Debian: apt-get install spin gcc). The model was NOT checked." >&2; exit 1; }
done
export SPEC=$PWD OUT=${OUT:-$PWD/../build/model}

# name | flags. Each must hold, in all its states.
hold='
three                      | -DON_A=3 -DSTRICT
three-touch                | -DON_A=3 -DTOUCH -DSTRICT
three-beyond-margin        | -DON_A=3 -DBEYOND -DSTRICT
three-user-keep            | -DON_A=3 -DTRIES=1 -DUSERS=1 -DKEEP -DSTRICT
three-user-kill            | -DON_A=3 -DTRIES=1 -DUSERS=1 -DKILL -DSTRICT
three-user-return          | -DON_A=3 -DTRIES=1 -DUSERS=1 -DRETURN
three-disconnect           | -DON_A=3 -DTRIES=1 -DDISCONNECT -DSTRICT
three-revoke               | -DON_A=3 -DTRIES=1 -DREVOKE -DSTRICT
three-backup               | -DON_A=3 -DTRIES=1 -DBACKUP
three-second-row           | -DON_A=3 -DTRIES=1 -DON_B=1
two-user-keep-disconnect   | -DON_A=2 -DTRIES=1 -DUSERS=1 -DKEEP -DDISCONNECT -DSTRICT
two-user-kill-disconnect   | -DON_A=2 -DTRIES=1 -DUSERS=1 -DKILL -DDISCONNECT -DSTRICT
two-user-return-disconnect | -DON_A=2 -DTRIES=1 -DUSERS=1 -DRETURN -DDISCONNECT
two-user-keep-revoke       | -DON_A=2 -DTRIES=1 -DUSERS=1 -DKEEP -DREVOKE -DSTRICT
two-user-kill-revoke       | -DON_A=2 -DTRIES=1 -DUSERS=1 -DKILL -DREVOKE -DSTRICT
two-user-return-revoke     | -DON_A=2 -DTRIES=1 -DUSERS=1 -DRETURN -DREVOKE
two-user-keep-backup       | -DON_A=2 -DTRIES=1 -DUSERS=1 -DKEEP -DBACKUP
two-user-return-backup     | -DON_A=2 -DTRIES=1 -DUSERS=1 -DRETURN -DBACKUP
two-disconnect-revoke      | -DON_A=2 -DDISCONNECT -DREVOKE -DSTRICT
two-disconnect-backup      | -DON_A=2 -DTRIES=1 -DDISCONNECT -DBACKUP
two-touch-disconnect-revoke | -DON_A=2 -DTRIES=1 -DTOUCH -DDISCONNECT -DREVOKE -DSTRICT
two-beyond-backup          | -DON_A=2 -DBEYOND -DBACKUP
two-revoke-backup          | -DON_A=2 -DTRIES=1 -DREVOKE -DBACKUP
two-users-keep             | -DON_A=2 -DTRIES=1 -DUSERS=2 -DKEEP -DSTRICT
two-users-return           | -DON_A=2 -DTRIES=1 -DUSERS=2 -DRETURN
two-second-row-user-return | -DON_A=2 -DON_B=1 -DTRIES=1 -DUSERS=1 -DRETURN
'
# name | flags | the assertion that must reject it.
reject='
break-no-ledger                | -DON_A=3 -DTRIES=1 -DBACKUP -DBREAK_NO_LEDGER                            | R1_a_token_is_sent_at_most_once
break-no-ledger-second-row     | -DON_A=2 -DON_B=1 -DBREAK_NO_LEDGER                            | R1_a_token_is_sent_at_most_once
break-store-without-condition  | -DON_A=3 -DTRIES=1 -DUSERS=1 -DKEEP -DBREAK_STORE_WITHOUT_CONDITION      | R8_a_late_refresh_does_not_overwrite_a_newer_authorization
break-claim-by-time            | -DON_A=3 -DBREAK_CLAIM_BY_TIME                                 | R1_a_token_is_sent_at_most_once
break-release-without-rev      | -DON_A=3 -DBREAK_RELEASE_WITHOUT_REV                           | FENCE_a_claim_that_was_given_back_does_not_come_back
break-release-unconditional    | -DON_A=3 -DTRIES=1 -DDISCONNECT -DBREAK_RELEASE_UNCONDITIONAL            | R8_a_disconnected_or_revoked_connection_is_not_revived
break-release-keeps-ledger     | -DON_A=3 -DSTRICT -DBREAK_RELEASE_KEEPS_LEDGER                 | LEDGER_keeps_no_token_that_is_known_not_to_be_sent
break-spend-unconfirmed        | -DON_A=3 -DBREAK_SPEND_UNCONFIRMED                             | R1_a_token_is_sent_at_most_once
break-unknown-is-not-sent      | -DON_A=3 -DBREAK_UNKNOWN_IS_NOT_SENT                           | R1_a_token_is_sent_at_most_once
break-expired-claim-is-free    | -DON_A=3 -DBREAK_EXPIRED_CLAIM_IS_FREE                         | R1_a_token_is_sent_at_most_once
break-uncertain-drops-attempt  | -DON_A=3 -DTRIES=1 -DUSERS=1 -DKEEP -DBREAK_UNCERTAIN_DROPS_ATTEMPT -DBREAK_STORE_BY_GENERATION_ALONE | R8_a_late_refresh_does_not_overwrite_a_newer_authorization
break-rescue-without-condition | -DON_A=3 -DTRIES=1 -DUSERS=1 -DKEEP -DBREAK_RESCUE_WITHOUT_CONDITION     | R8_a_late_refresh_does_not_overwrite_a_newer_authorization
break-store-revives            | -DON_A=3 -DTRIES=1 -DDISCONNECT -DBREAK_STORE_REVIVES                    | R8_a_disconnected_or_revoked_connection_is_not_revived
break-no-rescue                | -DON_A=3 -DBREAK_NO_RESCUE                                     | R2_a_pair_that_came_home_is_not_lost
break-orphan-forgotten         | -DON_A=3 -DTRIES=1 -DREVOKE -DSTRICT -DBREAK_ORPHAN_FORGOTTEN            | REVOKED_a_revoked_connection_leaves_no_living_pair
break-rev-alone                | -DON_A=1 -DUSERS=1 -DKEEP -DBACKUP -DBREAK_REV_ALONE            | R8_a_late_refresh_does_not_overwrite_a_newer_authorization
break-release-leaves-ledger    | -DON_A=1 -DUSERS=1 -DRETURN -DBREAK_RELEASE_LEAVES_LEDGER      | LEDGER_keeps_no_token_that_is_known_not_to_be_sent
break-succeed-silent           | -DON_A=2 -DTRIES=1 -DBACKUP -DBREAK_SUCCEED_SILENT             | R2_a_pair_that_came_home_is_not_lost
limit-connect-user-return      | -DON_A=1 -DUSERS=1 -DRETURN -DSTRICT_SUCCESSOR                 | TRUTH_a_new_authorization_does_not_replace_its_own_successor
limit-spent-user-return        | -DON_A=2 -DUSERS=1 -DRETURN -DSTRICT_SENT                      | TRUTH_a_connection_is_not_ended_for_a_token_that_was_not_sent
limit-spent-second-row         | -DON_A=1 -DON_B=1 -DSTRICT_SENT                                | TRUTH_a_connection_is_not_ended_for_a_token_that_was_not_sent
'

# check "name | flags | assertion": no assertion means that all must hold.
check() {
  # The replay of a counterexample, as the printf of the model tell it.
  replay() { gcc -w -DSAFETY -o replay pan.c && ./replay -S -m20000 2>&1 | sed '/^spin: trail ends/,$d'; }
  IFS='|' read -r name flags wanted <<<"$1"
  name=${name// /} wanted=${wanted// /}
  local dir=$OUT/$name begun=$SECONDS
  rm -rf "$dir" && mkdir -p "$dir" && cp "$SPEC/refresh.pml" "$dir" && cd "$dir" || return 1
  local how=-DCOLLAPSE
  [ -n "$wanted" ] && how=-DBFS # the shortest counterexample
  # shellcheck disable=SC2086
  if ! { spin $flags -a refresh.pml && gcc -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=3500 $how -o pan pan.c; } >build.out 2>&1; then
    printf '%-30s FAILED to build, see %s\n' "$name" "$dir/build.out"; return 1
  fi
  ./pan -m20000 -w24 -n >out 2>&1
  local states; states=$(awk '/states, stored/ {print $1; exit}' out)
  if [ -z "$wanted" ]; then
    if grep -q 'errors: 0' out && ! grep -Eq 'max search depth|not completed|out of memory' out; then
      printf '%-30s holds in all %s states, %ss\n' "$name" "$states" $((SECONDS - begun)); return
    fi
    printf '%-30s DOES NOT HOLD, or was not finished: %s\n' "$name" "$dir/out"
    grep -E 'violated|invalid end|max search depth|out of memory' out | cut -c1-300; replay; return 1
  fi
  if grep -q "assertion violated.*$wanted" out; then
    printf '%-30s rejected: %s\n' "$name" "$wanted"; replay >schedule; return
  fi
  printf '%-30s NOT REJECTED by %s, see %s\n' "$name" "$wanted" "$dir/out"; grep violated out | cut -c1-300; return 1
}
export -f check

[ -n "${SHOW:-}" ] && { cat "$OUT/$SHOW/schedule"; exit; }
list=$(grep -h '|' <<<"$hold$reject")
for name in "$@"; do
  line=$(grep "^$name " <<<"$list") || { echo "model: no check is named $name" >&2; exit 1; }
  chosen+=$line$'\n'
done
status=0
grep '|' <<<"${chosen-$list}" | tr '\n' '\0' | xargs -0 -P "${JOBS:-2}" -I{} bash -c 'check "$1"' - {} || status=1
[ $# -gt 0 ] && exit $status
[ $status = 0 ] || { echo "model: FAILED"; exit 1; }
grep '|' <<<"$hold" | while IFS='|' read -r name _; do sed -n 's/^TRANSITION //p' "$OUT/${name// /}/out"; done | LC_ALL=C sort -u >"$OUT/transitions.txt"
if [ -n "${UPDATE:-}" ]; then cp "$OUT/transitions.txt" transitions.txt; fi
diff -u transitions.txt "$OUT/transitions.txt" || { echo "model: transitions.txt is not what the model does; UPDATE=1 $0"; exit 1; }
echo "model: holds; $(wc -l <transitions.txt) transitions"
