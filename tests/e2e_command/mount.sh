remote_options=()
. "$(dirname "$0")/begin.sh"
login_as work 0 >/dev/null || exit 1
second=$work/second
mkdir "$second"

t_mount() { cabinetfs mount work "$mnt" && is_mounted && [[ $(cat "$mnt/Projects/a.txt") == one ]]; }
t_status() {
  cabinetfs status "$mnt" --json >"$work/status.json" || return 1
  [[ $(json_of 'data["mounts"][0]["remote"]' <"$work/status.json") == work ]] &&
    [[ $(json_of 'data["mounts"][0]["mount_point"]' <"$work/status.json") == "$mnt" ]] &&
    [[ $(json_of 'data["mounts"][0]["unsent"]' <"$work/status.json") == '[]' ]] &&
    [[ $(json_of 'data["mounts"][0]["http"]["requests"] > 0' <"$work/status.json") == True ]] &&
    cabinetfs status "$mnt" | grep -qE '^  up [0-9.]+ [KMG]?i?B/s, down [0-9.]+ [KMG]?i?B/s$' &&
    cabinetfs status "$mnt" | grep -q 'everything is on the server'
}
t_rates() {
  head -c 4000000 /dev/urandom >"$mnt/Projects/rated" && cabinetfs flush "$mnt/Projects/rated" || return 1
  cabinetfs status "$mnt" --json >"$work/status.json" && rm "$mnt/Projects/rated"
  # 4 MB within ten seconds, and little back.
  json_of 'data["mounts"][0]["rates"]' <"$work/status.json"
  [[ $(json_of 'data["mounts"][0]["rates"]["up"] >= 390000 and data["mounts"][0]["rates"]["down"] < 390000' <"$work/status.json") == True ]]
}
t_hardened() {
  local pid
  pid=$(mount_pid) && grep -q '^Max core file size  *0  *0 ' "/proc/$pid/limits"
}
t_again() { exits 1 cabinetfs mount work "$mnt" 2>"$work/err" && grep -q 'already' "$work/err"; }
t_second() { exits 1 cabinetfs mount work "$second" 2>"$work/err" && grep -q 'instance=' "$work/err" && ! is_mounted "$second"; }
t_instance() {
  cabinetfs mount work "$second" -o instance=two && [[ $(cat "$second/Projects/b.txt") == two ]] && cabinetfs umount "$second"
}
t_root() {
  cabinetfs mount work:/Projects/sub "$second" && [[ $(ls "$second") == c.txt ]] && [[ $(cat "$second/c.txt") == deep ]] &&
    echo new >"$second/new.txt" && cabinetfs umount "$second" && server_has Projects/sub/new.txt new
}
t_root_missing() { exits 1 cabinetfs mount work:/Nowhere "$second" && ! is_mounted "$second"; }
t_read_only() {
  cabinetfs mount work "$second" --read-only -o instance=ro && ! touch "$second/Projects/x" && cabinetfs umount "$second"
}
# As root another user can be tried; else what the kernel was told has to do.
t_allow_other() {
  local others=(setpriv --reuid 65534 --regid 65534 --clear-groups) status=0
  if [[ $EUID -ne 0 ]]; then
    grep -qx user_allow_other /etc/fuse.conf 2>/dev/null || { echo "user_allow_other is not in /etc/fuse.conf"; return 0; }
    others=()
  fi
  cabinetfs mount work "$second" -o instance=others || return 1
  # From within: the way there is this user's alone.
  [[ $EUID -ne 0 ]] || ! (cd "$second" && "${others[@]}" cat Projects/a.txt) || status=1
  cabinetfs umount "$second" && cabinetfs mount work "$second" --allow-other -o instance=others || return 1
  [[ $(cd "$second" && "${others[@]}" cat Projects/a.txt) == one ]] || status=1
  # Its mode bits hold for him.
  [[ $EUID -ne 0 ]] || ! (cd "$second" && "${others[@]}" touch Projects/x) || status=1
  [[ $(findmnt -no FS-OPTIONS "$second") == *default_permissions*allow_other* ]] || status=1
  cabinetfs umount "$second" && return "$status"
}
t_noexec() {
  cabinetfs mount work "$second" -o noexec,noatime,nodiratime,instance=noexec || return 1
  local options run
  options=,$(findmnt -no OPTIONS "$second"),
  printf '#!/bin/sh\n' >"$second/Projects/program" && chmod +x "$second/Projects/program" && "$second/Projects/program"
  run=$?
  rm "$second/Projects/program" && cabinetfs umount "$second" || return 1
  echo "$options"
  [[ $options == *,noexec,* && $options == *,noatime,* && $options == *,nosuid,* && $run -eq 126 ]]
}
t_usage() {
  exits 2 cabinetfs mount work "$second" -o cache_sise=1G && exits 2 cabinetfs mount wrok "$second" && exits 2 cabinetfs mount work &&
    exits 1 cabinetfs mount work "$work/nowhere"
}
t_busy() {
  (cd "$mnt/Projects" && exec sleep 60) &
  local sleeper=$!
  eventually 5 test "$mnt/Projects" = "$(readlink /proc/$sleeper/cwd)"
  exits 1 cabinetfs umount "$mnt" 2>"$work/err"
  local status=$?
  kill "$sleeper"; wait "$sleeper" 2>/dev/null
  cat "$work/err"
  [[ $status -eq 0 ]] && grep -q "($sleeper)" "$work/err" && is_mounted
}
# What a program writes meanwhile is on the server when umount says so (0), or said to be unsent (5).
t_umount_under_a_writer() {
  local file=$mnt/Projects/growing umounting status
  cabinetfs umount "$mnt" && cabinetfs mount work "$mnt" -o upload_limit=100KiB || return 1
  exec 9>"$file"
  head -c 300000 /dev/zero >&9
  cabinetfs umount --force "$mnt" 2>"$work/err" &
  umounting=$!
  eventually 10 grep -q uploading "$mnt/.cabinet/uploads.json" && echo more >&9
  wait "$umounting"
  status=$?
  exec 9>&-
  cat "$work/err"
  is_mounted && return 1
  [[ $status -eq 5 || ($status -eq 0 && $(on_server Projects/growing | wc -c) -eq 300005) ]] && cabinetfs mount work "$mnt" && [[ $(wc -c <"$file") -eq 300005 ]] &&
    cabinetfs umount "$mnt" && [[ $(on_server Projects/growing | wc -c) -eq 300005 ]] && cabinetfs mount work "$mnt"
}
# Its process may still be closing the store for a moment.
forgotten() { cabinetfs status >"$work/status" && ! grep -qF "$mnt" "$work/status"; }
t_umount() { cabinetfs umount "$mnt" && ! is_mounted && eventually 20 forgotten && exits 1 cabinetfs umount "$mnt"; }
t_foreground() {
  cabinetfs mount -f work "$mnt" >"$work/fg.log" 2>&1 &
  local pid=$!
  eventually 20 is_mounted || return 1
  eventually 10 test -e "$mnt/Projects/a.txt"
  kill -TERM "$pid" && wait "$pid"
  local status=$?
  cat "$work/fg.log"
  [[ $status -eq 0 ]] && ! is_mounted && grep -q "unmounted from $mnt" "$work/fg.log"
}
# What is unsent then is said, and is a status of its own.
t_foreground_unsent() {
  cabinetfs mount -f work "$mnt" --upload-delay 1h >"$work/fg.log" 2>&1 &
  local pid=$!
  eventually 20 is_mounted && echo later >"$mnt/Projects/later" || return 1
  kill -TERM "$pid" && exits 5 wait "$pid" && cat "$work/fg.log" && grep -q '1 change of work not on the server' "$work/fg.log" &&
    cabinetfs mount work "$mnt" && cabinetfs flush "$mnt" --timeout 30s && cabinetfs umount "$mnt" && server_has Projects/later later
}
# Nothing that the caller has open is kept by the process behind the mount.
t_descriptors() {
  mkfifo "$work/held" && { cabinetfs mount work "$mnt" 8>"$work/held" & } && timeout 30 cat "$work/held" && wait $! && is_mounted && cabinetfs umount "$mnt"
}
t_log_file() {
  (cd "$work" && cabinetfs mount work "$mnt" --log-file my.log) && grep -q 'mounted at' "$work/my.log" && cabinetfs umount "$mnt" && grep -q 'unmounted from' "$work/my.log" || return 1
  exits 1 cabinetfs mount work "$mnt" --log-file "$work" 2>"$work/err" && cat "$work/err" && grep -qF "log_file $work: " "$work/err" && ! grep -q internal "$work/err" && ! is_mounted
}
# Another store of the remote is not what has the lock.
t_wait_for_store() {
  cabinetfs mount work "$second" -o instance=two || return 1
  flock "$XDG_STATE_HOME/cabinetfs/stores/work/lock" sleep 2 &
  local holder=$!
  eventually 5 exits 1 flock -n "$XDG_STATE_HOME/cabinetfs/stores/work/lock" true 2>/dev/null
  cabinetfs mount work "$mnt" && is_mounted && cabinetfs umount "$mnt"
  local status=$?
  wait "$holder"
  cabinetfs umount "$second" && [[ $status -eq 0 ]]
}
# A mount that still starts: it waits for the store for 20 seconds.
interrupted_start() {
  local pid status before=$SECONDS
  (exec env --default-signal=INT,TERM cabinetfs mount "$@" work "$mnt" >"$work/start.log" 2>&1) &
  pid=$!
  eventually 5 waits_for_store && kill -INT "$pid"
  wait "$pid"
  status=$?
  cat "$work/start.log"
  echo "exit status $status after $((SECONDS - before)) s"
  [[ $status -ne 0 && $((SECONDS - before)) -lt 10 ]] && eventually 5 no_mount_process
}
mount_processes() { pgrep -u "$EUID" -f "^cabinetfs mount.* work $mnt\$"; }
# One of them has blocked SIGINT (the second bit), so that it gets to the store.
waits_for_store() {
  local each
  for each in $(mount_processes); do grep -q '^SigBlk:.*[2367abef]$' "/proc/$each/status" && return; done
  return 1
}
no_mount_process() { [[ -z $(mount_processes) ]]; }
t_interrupted_start() {
  local store=$XDG_STATE_HOME/cabinetfs/stores/work
  exec 8>>"$store/lock"
  flock -n 8 && interrupted_start -f && grep -q interrupted "$work/start.log" && interrupted_start
  local status=$?
  exec 8>&-
  [[ $status -eq 0 ]] && ! is_mounted && cabinetfs mount work "$mnt" && cabinetfs umount "$mnt"
}
# Its process hangs: it is not waited for, and nobody says that all is sent.
t_silent() {
  local pid status
  cabinetfs mount work "$mnt" && pid=$(mount_pid) && kill -STOP "$pid" || return 1
  exits 5 timeout 60 cabinetfs umount --force "$mnt" 2>"$work/err"
  status=$?
  cat "$work/err"
  kill -KILL "$pid"
  [[ $status -eq 0 ]] && ! is_mounted && grep -q 'cannot be told' "$work/err" && cabinetfs mount work "$mnt" && cabinetfs umount "$mnt"
}
# Said as what it is, and not as a fault of the network.
t_dead() {
  cabinetfs mount work "$mnt" && kill -KILL "$(mount_pid)" && eventually 10 exits 1 cabinetfs flush "$mnt" 2>"$work/err" || return 1
  exits 1 cabinetfs flush "$mnt" 2>"$work/err" && cat "$work/err" && grep -q 'cabinetfs mount work' "$work/err" && ! grep -q network "$work/err" || return 1
  cabinetfs mount work "$mnt" && mkdir -m 700 "$work/elsewhere" || return 1
  exits 1 env XDG_RUNTIME_DIR="$work/elsewhere" cabinetfs flush "$mnt" 2>"$work/err" && cat "$work/err" && grep -q XDG_RUNTIME_DIR "$work/err" && ! grep -q network "$work/err" || return 1
  # It is well, and only not this session's.
  [[ $(XDG_RUNTIME_DIR=$work/elsewhere cabinetfs status --json | json_of '[(mount["alive"], "error" in mount) for mount in data["mounts"] if mount["mount_point"].startswith(sys.argv[2])]' "$work") == '[(True, True)]' ]] &&
    [[ $(XDG_RUNTIME_DIR=$work/elsewhere cabinetfs remote list --json | json_of 'data[0]["mounts"]') == '[]' ]] && [[ $(cabinetfs remote list --json | json_of 'data[0]["mounts"]') == "['$mnt']" ]] &&
    cabinetfs umount "$mnt"
}
t_control_files() {
  cabinetfs mount work "$mnt" || return 1
  grep -q cabinetfs_http_requests_total "$mnt/.cabinet/metrics" && grep -q '^\[remote.work\]' "$mnt/.cabinet/config.toml" &&
    ! ls -a "$mnt" | grep -qx .cabinet && cabinetfs umount "$mnt"
}
# On no terminal a line now and then, the first after three seconds.
t_progress() {
  cabinetfs mount work "$mnt" -o upload_limit=100KiB || return 1
  head -c 600000 /dev/urandom >"$mnt/Projects/slow" && cabinetfs flush "$mnt" 2>"$work/err" && grep -q '1 left' "$work/err" || return 1
  head -c 600000 /dev/urandom >"$mnt/Projects/slow" && cabinetfs umount "$mnt" 2>"$work/err" && grep -q '1 left' "$work/err"
}
t_encryption_off() {
  cabinetfs mount work "$mnt" -o no_cache_encryption && cat "$mnt/Projects/a.txt" && cabinetfs umount "$mnt" &&
    cabinetfs mount work "$mnt" && cat "$mnt/Projects/a.txt" && cabinetfs umount "$mnt"
}

check "mounts, and is ready when it returns" t_mount
check "status as JSON and for people" t_status
check "status tells how fast it goes" t_rates
check "no core dumps" t_hardened
check "a second mount on the same place is refused" t_again
check "a second mount of the same store is refused" t_second
check "instance= mounts one account twice" t_instance
check "a folder of the account as the mount's root" t_root
check "a folder that is not there" t_root_missing
check "read-only" t_read_only
check "allow_other" t_allow_other
check "noexec and noatime reach the kernel" t_noexec
check "wrong arguments are usage errors" t_usage
check "umount names who uses the mount" t_busy
check "umount --force under a program that writes" t_umount_under_a_writer
check "umount" t_umount
check "in the foreground, until SIGTERM" t_foreground
check "... says what is unsent then" t_foreground_unsent
check "nothing of the caller's stays open" t_descriptors
check "a log file of one's own, and one that cannot be opened" t_log_file
check "a store that is about to be free is waited for" t_wait_for_store
check "Ctrl-C ends a mount that still starts" t_interrupted_start
check "umount --force of a mount that does not answer" t_silent
check "a mount that died, and another session's" t_dead
check "control files" t_control_files
check "flush and umount show how far they are" t_progress
check "changing the encryption makes the store anew" t_encryption_off
check_summary
