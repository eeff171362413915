# The server is away for CABINETFS_E2E_OUTAGE seconds (6) while programs read and write: they go on, and all of it arrives.
remote_options=(--fresh 1s --poll-interval 1s --walk-ahead=no)
cold=3000000
. "$(dirname "$0")/begin.sh"
outage=${CABINETFS_E2E_OUTAGE:-6}
login_as work 0 >/dev/null && cabinetfs mount work "$mnt" || exit 1
P=$mnt/Projects

# Each step of a program that fails or takes longer than this leaves a line in $work/trouble: no wait for a server that is away.
patience_ms=5000
step() {
  local begin=${EPOCHREALTIME/./} what=$1 took
  shift
  "$@" || echo "$what failed" >>"$work/trouble"
  took=$(((${EPOCHREALTIME/./} - begin) / 1000))
  [[ $took -lt $patience_ms ]] || echo "$what took $took ms" >>"$work/trouble"
}
same() { [[ $(cat "$1") == "$2" ]]; }
# Until $work/stop is there, or the disk gets tired of it.
reader() {
  while [[ ! -e $work/stop ]]; do
    step 'reading a.txt' same "$P/a.txt" one
    step 'reading sub/c.txt' same "$P/sub/c.txt" deep
    step 'listing' test "$(ls "$P/sub")" = c.txt
    echo read >>"$work/reads"
  done
}
put() { echo "$2" >"$1"; }
append() { echo "$2" >>"$1"; }
writer() {
  local n=0
  while [[ ! -e $work/stop && $n -lt 400 ]]; do
    n=$((n + 1))
    step "writing w$n" put "$P/w$n" "text $n"
    step "reading w$n" same "$P/w$n" "text $n"
    step 'appending' append "$P/log" "line $n"
    step 'saving' put "$P/.b.tmp" "save $n"
    step 'saving' mv "$P/.b.tmp" "$P/b.txt"
    echo "$n" >"$work/written"
  done
}
wait_until() { [[ $SECONDS -ge $1 ]]; }
progress() { [[ $(wc -l 2>/dev/null <"$work/reads") -gt $1 && $(cat "$work/written" 2>/dev/null) -gt $2 ]]; }
lost() { [[ $(cabinetfs status "$mnt" --json | json_of 'data["mounts"][0]["online"]') == "$1" ]]; }

t_away() {
  local begin reads written
  cat "$P"/[ab].txt "$P/sub/c.txt" >/dev/null && echo 'line 0' >"$P/log" && cabinetfs flush "$mnt" --timeout 60s || return 1
  reader & readers=$!
  writer & writers=$!
  eventually 30 progress 2 2 && server_stop && eventually 30 lost False || return 1
  begin=$SECONDS reads=$(wc -l <"$work/reads") written=$(<"$work/written")
  eventually $((outage + 5)) wait_until $((begin + outage))
  # Both have got on without a server.
  eventually 30 progress $((reads + 2)) $((written < 390 ? written + 2 : 1))
}
t_no_lie() {
  # What is not on this disk is an error, and soon.
  local begin=$SECONDS
  ! cat "$P/cold.bin" >/dev/null 2>"$work/err" && cat "$work/err" && [[ $((SECONDS - begin)) -lt 70 ]]
}
t_back() {
  server_start "$port" && eventually 90 lost True || return 1
  local written
  written=$(<"$work/written")
  if [[ $written -lt 400 ]]; then eventually 30 progress 0 "$written" || return 1; fi
  touch "$work/stop"
  wait "$readers" "$writers"
  cabinetfs flush "$mnt" --timeout 120s
}
t_untroubled() { ! cat "$work/trouble" 2>/dev/null; }
t_all_there() {
  local n count
  count=$(<"$work/written")
  echo "$count rounds written, $(wc -l <"$work/reads") rounds read"
  mkdir "$work/want.d" && cd "$work/want.d" || return 1
  for n in $(seq "$count"); do echo "text $n" >"w$n"; done
  echo "save $count" >b.txt && seq -f 'line %g' 0 "$count" >log
  sums_of * >"$work/want"
  cd "$work" && server_sums Projects | grep -v '^a.txt\|^cold.bin\|^sub/' | diff "$work/want" -
}
t_once() {
  { echo a.txt; echo b.txt; echo cold.bin; echo log; echo sub/c.txt; seq -f 'w%g' "$(<"$work/written")"; } | sort >"$work/want"
  server_files Projects | cut -d' ' -f1 | sort | diff "$work/want" - && cmp "$P/cold.bin" "$account/Projects/cold.bin"
}

check "programs read and write while the server is away" t_away
check "what is not on this disk is an error" t_no_lie
check "the server is back, and everything is sent" t_back
check "no step failed or waited" t_untroubled
check "everything has arrived" t_all_there
check "nothing else has" t_once
touch "$work/stop"
check_summary
