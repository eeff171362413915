# A login without a browser on a terminal: the answer comes back by itself or is pasted, whichever is first.
remote_options=()
. "$(dirname "$0")/begin.sh"
credential client_secret >"$work/secret" && chmod 600 "$work/secret" && mkfifo "$work/keys" || exit 1

# Sets $pid and $address; what is written to descriptor 7 is typed. end_login sets $status.
begin_login() {
  cabinetfs logout work
  rm -f "$work/login.out"
  script -qec "cabinetfs login work --no-browser --secret-stdin <'$work/secret'" /dev/null <"$work/keys" >"$work/login.out" 2>&1 &
  pid=$!
  exec 7>"$work/keys"
  eventually 20 grep -q 'Paste the address' "$work/login.out" || return 1
  address=$(tr -d '\r' <"$work/login.out" | grep -o 'https://[^ ]*oauth/authorize[^ ]*' | head -n 1)
}
end_login() {
  wait "$pid"
  status=$?
  exec 7>&-
  cat "$work/login.out"
}
approve() { curl -sS --cacert "$work/server/ca.pem" -o "$work/page.html" "$@" "$address&user=alice@example.com&approve=1"; }

t_pasted() {
  begin_login && approve -w '%{redirect_url}\n' >&7 && end_login && [[ $status -eq 0 ]] && cabinetfs remote test work | grep -q alice@example.com
}
t_by_itself() { begin_login && approve -L && end_login && [[ $status -eq 0 ]] && cabinetfs remote test work; }
t_another() {
  begin_login && approve -w '%{redirect_url}\n' | sed 's/state=[^&]*/state=another/' >&7 && end_login &&
    [[ $status -ne 0 ]] && grep -q 'belongs to another login' "$work/login.out" && exits 3 cabinetfs remote test work
}
t_interrupted() { begin_login && printf '\003' >&7 && end_login && [[ $status -eq 1 ]] && grep -q interrupted "$work/login.out"; }
# The port is free again and nothing of the failed ones is in the way.
t_afterwards() { t_pasted; }

check "a pasted address logs in" t_pasted
check "so does an answer that comes back by itself" t_by_itself
check "the address of another login is refused" t_another
check "Ctrl-C ends the wait for both" t_interrupted
check "and the next login works" t_afterwards
check_summary
