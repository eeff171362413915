sandboxed=yes
remote_options=()
. "$(dirname "$0")/begin.sh"
login_as work 0 >/dev/null && cabinetfs mount work "$mnt" || exit 1
ls "$mnt/Projects" >/dev/null

# The server refuses what is new, changed or removed.
refuse_all() {
  case "$vendor $1" in
    'kiteworks new') refuse POST '(actions/file|initiateUpload)$' ;;
    'kiteworks changed') refuse POST '^/rest/files/' ;;
    'kiteworks removed') refuse DELETE '^/rest/files/' ;;
    'kenesto removed') refuse GET '/DeleteAsset$' ;;
    kenesto*) refuse GET '/UploadFile$' ;;
    *removed) refuse DELETE '^/webdav/' ;;
    *) refuse PUT '^/webdav/' ;;
  esac
}
t_flush() { echo flushed >"$mnt/Projects/new.txt" && cabinetfs flush "$mnt/Projects/new.txt" && server_has Projects/new.txt flushed; }
t_umount_sends() { echo last >"$mnt/Projects/last.txt" && cabinetfs umount "$mnt" && server_has Projects/last.txt last && cabinetfs mount work "$mnt"; }
t_umount_gives_up() {
  ls "$mnt/Projects" >/dev/null
  server_stop
  echo offline >"$mnt/Projects/offline.txt" || return 1
  exits 5 cabinetfs umount "$mnt" --timeout 2s 2>"$work/err"
  local status=$?
  cat "$work/err"
  [[ $status -eq 0 ]] && ! is_mounted && grep -q 'Nothing is lost' "$work/err"
}
t_status_idle() { cabinetfs status >"$work/status" && grep -q 'not mounted' "$work/status" && [[ $(cabinetfs status --json | json_of 'data["stores"][0]["unsent"]') == 1 ]]; }
t_remove_refused() { exits 5 cabinetfs remote remove work; }
t_mount_offline() { cabinetfs mount work "$mnt" 2>"$work/err" && grep -q offline "$work/err" && [[ $(cat "$mnt/Projects/offline.txt") == offline ]]; }
t_flush_times_out() { exits 5 cabinetfs flush "$mnt" --timeout 1s; }
# At once, as umount has it; one limit and one Ctrl-C for all files.
t_flush_several() {
  local before=$SECONDS pid
  exits 5 cabinetfs flush "$mnt" "$mnt/Projects" "$mnt/Projects/offline.txt" --timeout 0 && exits 5 cabinetfs flush "$mnt" "$mnt/Projects" "$mnt/Projects/offline.txt" --timeout 6s || return 1
  [[ $((SECONDS - before)) -lt 16 ]] || { echo "took $((SECONDS - before)) s"; return 1; }
  (exec env --default-signal=INT,TERM cabinetfs flush "$mnt" "$mnt/Projects" "$mnt/Projects/offline.txt" 2>"$work/err") &
  pid=$!
  eventually 10 grep -q ' left' "$work/err" && kill -INT "$pid" && exits 5 wait "$pid" && cat "$work/err" && [[ $(grep -c interrupted "$work/err") -eq 1 ]]
}
# Nothing there is kept, and the network has no part in it.
t_flush_nothing() {
  exits 1 cabinetfs flush "$mnt/Projects/nowhere" --timeout 5s 2>"$work/err" && cat "$work/err" && ! grep -q 'kept on this disk' "$work/err"
}
t_detach() { cabinetfs umount "$mnt" --detach | grep -q 'kept on this disk' && ! is_mounted && cabinetfs mount work "$mnt"; }
t_sent_later() { server_start "$port" && cabinetfs retry "$mnt" && cabinetfs flush "$mnt" --timeout 90s && server_has Projects/offline.txt offline; }
t_refused() {
  refuse_all new && echo refused >"$mnt/Projects/refused.txt" && exits 5 cabinetfs flush "$mnt" --timeout 30s && cabinetfs status "$mnt" | grep -q 'refused' &&
    [[ $(attribute state "$mnt/Projects/refused.txt") == failed:* ]]
}
t_export() { mkdir "$work/out" && cabinetfs export "$mnt/Projects" --to "$work/out" && [[ $(cat "$work/out/refused.txt") == refused ]]; }
t_export_file() {
  # Nothing is overwritten.
  cabinetfs export "$mnt/Projects/refused.txt" --to "$work/out" && [[ $(cat "$work/out/refused.txt.1") == refused ]] && exits 1 cabinetfs export "$mnt/none" --to "$work/out" &&
    cabinetfs export "$mnt/Projects/sub" --to "$work/out" | grep -q 'nothing is unsent' || return 1
  # Whole or not at all, as this user's other files are, and not to where it would be unsent again.
  chmod 666 "$mnt/Projects/refused.txt" && (umask 027 && cabinetfs export "$mnt/Projects/refused.txt" --to "$work/out/new") && [[ $(stat -c %a "$work/out/new/refused.txt") == 640 ]] || return 1
  exits 2 cabinetfs export "$mnt/Projects" --to "$mnt/Projects/out" 2>"$work/err" && grep -q 'is on the mount' "$work/err" && [[ ! -e $mnt/Projects/out ]] || return 1
  head -c 3000000 /dev/zero >"$mnt/Projects/big.bin" && mkdir "$work/full" || return 1
  (ulimit -f 1000 && trap '' XFSZ && exits 1 cabinetfs export "$mnt/Projects/big.bin" --to "$work/full") && [[ -z $(ls -A "$work/full") ]]
  local status=$?
  cabinetfs discard "$mnt/Projects/big.bin" && [[ $status -eq 0 ]]
}
t_retry() { no_faults && cabinetfs retry "$mnt/Projects/refused.txt" && cabinetfs flush "$mnt" --timeout 30s && server_has Projects/refused.txt refused; }
t_discard() {
  refuse_all changed && echo 'changed' >"$mnt/Projects/a.txt" && exits 5 cabinetfs flush "$mnt" --timeout 30s && [[ $(attribute state "$mnt/Projects/a.txt") == failed:* ]] &&
    cabinetfs discard "$mnt/Projects/a.txt" && eventually 10 grep -qx one "$mnt/Projects/a.txt"
  local status=$?
  no_faults
  [[ $status -eq 0 ]] && cabinetfs flush "$mnt" --timeout 30s && server_has Projects/a.txt one
}
t_discard_new() {
  refuse_all new && echo 1 >"$mnt/Projects/new1" && echo 2 >"$mnt/Projects/new2" && exits 5 cabinetfs flush "$mnt" --timeout 30s &&
    exits 1 cabinetfs discard "$mnt/Projects" 2>"$work/err" && grep -q '2 unsent changes' "$work/err" && cabinetfs discard --yes "$mnt/Projects" && [[ ! -e $mnt/Projects/new1 && ! -e $mnt/Projects/new2 ]]
  local status=$?
  no_faults
  [[ $status -eq 0 ]] && cabinetfs flush "$mnt" --timeout 30s && ! on_server Projects/new1
}
t_refused_delete() {
  # It comes back, with a notice that says why.
  refuse_all removed && rm "$mnt/Projects/b.txt" && eventually 20 test -e "$mnt/Projects/b.txt" && cabinetfs status "$mnt" | grep -q 'b.txt'
  local status=$?
  cabinetfs status "$mnt"
  no_faults
  [[ $status -eq 0 ]]
}
# A notice is nothing that could be sent.
t_encryption_with_a_notice() {
  cabinetfs umount "$mnt" && cabinetfs mount work "$mnt" -o no_cache_encryption && cabinetfs umount "$mnt" && cabinetfs mount work "$mnt" && ls "$mnt/Projects" >/dev/null
}
# What cannot be read may be unsent.
t_unreadable() {
  local key=$work/key secrets store
  refuse_all new && echo unread >"$mnt/Projects/unread.txt" && exits 5 cabinetfs flush "$mnt" --timeout 30s || return 1
  secrets=$(grep -rlF store_key "$XDG_STATE_HOME") && kill -KILL "$(mount_pid)" && eventually 10 exits 1 cabinetfs status "$mnt" && mv "$secrets" "$key" || return 1
  exits 5 cabinetfs umount "$mnt" 2>"$work/err" && cat "$work/err" && grep -q 'cannot be told' "$work/err" && ! is_mounted &&
    cabinetfs status | grep -q 'cannot be told' && [[ $(cabinetfs status --json | json_of 'data["stores"][0]["error"] != ""') == True ]] &&
    exits 5 cabinetfs remote remove work && exits 1 cabinetfs doctor work >"$work/doctor"
  local status=$?
  cat "$work/doctor"
  grep -q '^BAD .*cannot be told' "$work/doctor" || status=1
  mv "$key" "$secrets" && cabinetfs mount work "$mnt" && no_faults && cabinetfs retry "$mnt" && cabinetfs flush "$mnt" --timeout 30s && server_has Projects/unread.txt unread && [[ $status -eq 0 ]]
}
t_umount_refused() {
  refuse_all new && echo kept >"$mnt/Projects/kept.txt" && exits 5 cabinetfs umount "$mnt" --timeout 20s 2>"$work/err" && cat "$work/err" && grep -q 'Nothing is lost' "$work/err" && ! is_mounted
  local status=$?
  no_faults
  [[ $status -eq 0 ]] && cabinetfs doctor work | grep -q '1 unsent change' && cabinetfs mount work "$mnt" && cabinetfs retry "$mnt" && cabinetfs flush "$mnt" --timeout 30s && server_has Projects/kept.txt kept
}

check "flush waits until the server has it" t_flush
check "umount sends what is unsent" t_umount_sends
check "umount without a server: exit status 5, kept" t_umount_gives_up
check "status knows of the unsent data of a store that is not mounted" t_status_idle
check "a remote with unsent data is not removed" t_remove_refused
check "mounts offline and shows it" t_mount_offline
check "flush gives up after its time: exit status 5" t_flush_times_out
check "flush of several files" t_flush_several
check "flush of what does not exist" t_flush_nothing
check "umount --detach leaves it for the next mount" t_detach
check "it is sent when the server is back" t_sent_later
check "a refused change is kept and shown" t_refused
check "export copies it away" t_export
check "export of one file overwrites nothing" t_export_file
check "retry sends it" t_retry
check "discard of a refused change goes back to the server's version" t_discard
check "discard of several asks for --yes" t_discard_new
check "a refused removal is taken back with a notice" t_refused_delete
check "the encryption can change beside a notice" t_encryption_with_a_notice
check "a store that cannot be read is not one without unsent data" t_unreadable
check "umount with a refused change: exit status 5, kept" t_umount_refused
check_summary
