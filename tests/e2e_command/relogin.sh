# The login ends for good while an account is mounted: what is here goes on, nothing is lost, and after `cabinetfs login` all of
# it goes on without another mount.
remote_options=(--fresh 1s --poll-interval 1s --walk-ahead=no)
cold=300000
. "$(dirname "$0")/begin.sh"
login_as work 0 >/dev/null && cabinetfs mount work "$mnt" && ls -l "$mnt/Projects" >/dev/null && cat "$mnt"/Projects/[ab].txt >/dev/null || exit 1

asked() { cabinetfs status "$mnt" | tee "$work/status" | grep -q 'cabinetfs login work'; }
t_ended() { admin POST expire_tokens '{"access": true, "refresh": true, "login": true}' >/dev/null && exits 3 cabinetfs remote test work; }
t_goes_on() {
  [[ $(cat "$mnt/Projects/a.txt") == one ]] && echo 'written meanwhile' >"$mnt/Projects/b.txt" && echo new >"$mnt/Projects/new.txt" &&
    [[ $(cat "$mnt/Projects/b.txt") == 'written meanwhile' ]]
}
t_no_lie() { ! cat "$mnt/Projects/cold.bin" >/dev/null 2>"$work/err" && cat "$work/err" && grep -qi 'permission denied' "$work/err"; }
t_told() { eventually 30 asked || { cat "$work/status"; return 1; }; exits 5 cabinetfs flush "$mnt" --timeout 5s; }
t_again() {
  login_as work 0 && cabinetfs flush "$mnt" --timeout 60s && server_has Projects/b.txt 'written meanwhile' && server_has Projects/new.txt new &&
    cmp "$mnt/Projects/cold.bin" "$account/Projects/cold.bin" && cabinetfs status "$mnt" | grep -q 'everything is on the server'
}
t_forgotten() { cabinetfs umount "$mnt" && cabinetfs remote remove work && ! grep -qE 'password|oauth|client_secret' "$work/state/cabinetfs/secrets.json"; }

check "the login has ended: exit status 3" t_ended
check "what is here is read and written" t_goes_on
check "what is not here is EACCES" t_no_lie
check "status says what to do" t_told
check "after the login the mount goes on" t_again
check "remote remove forgets the credentials" t_forgotten
check_summary
