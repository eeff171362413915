remote_options=(--upload-delay 2s)
. "$(dirname "$0")/begin.sh"
login_as work 0 >/dev/null && cabinetfs mount work "$mnt" || exit 1
ls "$mnt/Projects" >/dev/null

dead() { ! cabinetfs status "$mnt" >/dev/null 2>&1; }
kill_mount() { kill -KILL "$(mount_pid)" && eventually 10 dead; }

t_kill() {
  local n
  for n in $(seq 1 50); do echo "content $n" >"$mnt/Projects/f$n" || return 1; done
  mkdir "$mnt/Projects/new" && mv "$mnt/Projects/f1" "$mnt/Projects/new/g1" && rm "$mnt/Projects/b.txt" || return 1
  kill_mount
}
t_dead_shown() { exits 1 cabinetfs status >"$work/status" && grep -q 'lost its server' "$work/status" && exits 1 cabinetfs doctor work; }
t_remount() {
  local n
  cabinetfs mount work "$mnt" || return 1
  for n in $(seq 2 50); do [[ $(cat "$mnt/Projects/f$n") == "content $n" ]] || return 1; done
  [[ $(cat "$mnt/Projects/new/g1") == 'content 1' && ! -e $mnt/Projects/b.txt && ! -e $mnt/Projects/f1 ]]
}
t_sent() {
  cabinetfs flush "$mnt" --timeout 60s && server_has Projects/f50 'content 50' && server_has Projects/new/g1 'content 1' &&
    ! on_server Projects/b.txt && ! on_server Projects/f1
}
t_once() {
  # No content twice: each new file has one version.
  admin GET 'tree?deleted=false&hash=0' | python3 -c '
import json, sys
files = [n for n in json.load(sys.stdin)["nodes"] if n["type"] == "f" and "/f" in n["path"]]
twice = [n["path"] for n in files if len(n["versions"]) != 1]
print(len(files), twice)
sys.exit(not files or bool(twice))'
}
t_umount_dead() { kill_mount && cabinetfs umount "$mnt" && ! is_mounted; }

check "kill -9 with fifty files unsent" t_kill
check "status and doctor show the dead mount" t_dead_shown
check "mounting again clears it and shows everything" t_remount
check "everything arrives" t_sent
check "nothing arrives twice" t_once
check "umount clears a dead mount" t_umount_dead
check_summary
