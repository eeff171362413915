# PowerFolder's OAuth as a user meets it: consent in a browser, refresh, the end of the login.
vendor=powerfolder
remote_options=(--auth code --client-id sandbox-client --redirect-port 0 --log-level debug)
. "$(dirname "$0")/begin.sh"

fresh_refresh_token() {
  admin POST token '{"user": "alice@example.com"}' | python3 -c 'import json, sys; print(json.load(sys.stdin)["refresh_token"])'
}
stored() { json_of "json.loads(data['work']['oauth'])['$1']" <"$work/state/cabinetfs/secrets.json"; }
t_not_logged_in() { exits 3 cabinetfs remote test work; }
t_needs_client_id() {
  cabinetfs remote add other --vendor powerfolder --url "$url" --auth code | grep -q 'no client_id' &&
    exits 1 cabinetfs remote test other
}
# Without a browser: the redirect is fetched as a browser would.
t_consent() {
  local address pid status
  credential client_secret | (exec setsid cabinetfs login work --no-browser --secret-stdin >"$work/login.out" 2>&1) &
  pid=$!
  eventually 10 grep -q 'oauth/allow' "$work/login.out" || return 1
  address=$(grep -o 'https://[^ ]*oauth/allow[^ ]*' "$work/login.out" | head -n 1)
  curl -sS -L --cacert "$work/server/ca.pem" -o "$work/page.html" "$address&user=alice%40example.com&approve=1" || return 1
  wait "$pid"
  status=$?
  cat "$work/login.out"
  [[ $status -eq 0 ]] && cabinetfs remote test work | grep -q alice@example.com
}
t_refresh_token() {
  cabinetfs logout work && { credential client_secret; fresh_refresh_token; } | cabinetfs login work --secret-stdin && cabinetfs remote test work
}
t_renewed_while_mounted() {
  local before
  cabinetfs mount work "$mnt" && [[ $(<"$mnt/Projects/a.txt") == one ]] || return 1
  before=$(stored access_token)
  admin POST settings '{"rotate_refresh_tokens": true}' >/dev/null && admin POST expire_tokens '{"access": true}' >/dev/null || return 1
  echo more >"$mnt/Projects/new.txt" && cabinetfs flush "$mnt" && server_has Projects/new.txt more || return 1
  [[ $(stored access_token) != "$before" ]]
}
t_no_secret_leaks() {
  local secret
  for secret in $(credential client_secret) $(stored refresh_token) $(stored access_token); do
    ! grep -rqF -- "$secret" "$work/config" "$work/state/cabinetfs/stores" "$work/cache" 2>/dev/null || return 1
  done
  grep -q 'GET token (refresh)' "$work/state/cabinetfs/stores/work/cabinetfs.log"
}
t_dead() {
  cabinetfs umount "$mnt" && admin POST expire_tokens '{"access": true, "refresh": true}' >/dev/null && exits 3 cabinetfs remote test work
}

check "without a login: exit status 3" t_not_logged_in
check "without the id of an application: says so" t_needs_client_id
check "consent over the loopback redirect" t_consent
check "secret and refresh token from standard input" t_refresh_token
check "an access token that dies while mounted is renewed, with rotation" t_renewed_while_mounted
check "a dead refresh token is exit status 3" t_dead
check "no token in logs, configuration and stores" t_no_secret_leaks
check_summary
