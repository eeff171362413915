remote_options=()
. "$(dirname "$0")/begin.sh"

t_not_logged_in() {
  exits 3 cabinetfs mount work "$mnt" 2>"$work/err" && grep -q 'cabinetfs login work' "$work/err" && exits 3 cabinetfs remote test work
}
t_wrong_secret() { printf 'wrong\nwrong\n' | exits 1 cabinetfs login work --secret-stdin 2>"$work/err" && grep -q invalid_client "$work/err" && ! grep -q wrong "$work/err"; }
t_login() { login_as work 0 && cabinetfs remote test work | grep -q alice@example.com; }
t_secret_hidden() {
  local secret
  for secret in $(credential client_secret) $(json_of 'json.loads(data["work"]["oauth"])["refresh_token"]' <"$work/state/cabinetfs/secrets.json"); do
    ! grep -rqF -- "$secret" "$work/config" "$work/state/cabinetfs/stores" "$work/cache" 2>/dev/null || return 1
  done
  [[ $(stat -c %a "$work/state/cabinetfs/secrets.json") == 600 ]]
}
# The browser flow without a browser: the redirect is fetched as a browser would.
t_loopback() {
  local address pid status
  cabinetfs logout work && credential client_secret | (exec setsid cabinetfs login work --no-browser --secret-stdin >"$work/login.out" 2>&1) &
  pid=$!
  eventually 10 grep -q 'oauth/authorize' "$work/login.out" || return 1
  address=$(grep -o 'https://[^ ]*oauth/authorize[^ ]*' "$work/login.out" | head -n 1)
  curl -sS -L --cacert "$work/server/ca.pem" -o "$work/page.html" "$address&user=alice@example.com&approve=1" || return 1
  wait "$pid"
  status=$?
  cat "$work/login.out"
  [[ $status -eq 0 ]] && cabinetfs remote test work
}
t_denied() {
  local address pid
  credential client_secret | (exec setsid cabinetfs login work --no-browser --secret-stdin >"$work/login.out" 2>&1) &
  pid=$!
  eventually 10 grep -q 'oauth/authorize' "$work/login.out" || return 1
  address=$(grep -o 'https://[^ ]*oauth/authorize[^ ]*' "$work/login.out" | head -n 1)
  curl -sS -L --cacert "$work/server/ca.pem" -o "$work/page.html" "$address&user=alice@example.com&deny=1"
  wait "$pid"
  [[ $? -ne 0 ]] && grep -q 'access_denied' "$work/login.out"
}
t_expired() {
  admin POST expire_tokens '{"access": true, "refresh": false}' && cabinetfs remote test work &&
    admin POST expire_tokens '{"access": true, "refresh": true}' && exits 3 cabinetfs remote test work
}
# The server has spent the refresh token, its answer is still on its way, and Ctrl-C comes: `interrupted COMMAND...`.
token_waits() { [[ $(admin GET faults | json_of 'sum(rule["waiting"] for rule in data)') == 1 ]]; }
interrupted() {
  local pid status
  faults '{"match": {"path": "^/oauth/token$"}, "times": 1, "action": "stall", "after_effect": true}'
  (exec env --default-signal=INT,TERM "$@" >"$work/interrupted.out" 2>&1) &
  pid=$!
  eventually 20 token_waits || { no_faults; kill "$pid"; cat "$work/interrupted.out"; return 1; }
  kill -INT "$pid" && no_faults
  wait "$pid"
  status=$?
  cat "$work/interrupted.out"
  [[ $status -eq 1 ]] && grep -q interrupted "$work/interrupted.out"
}
t_interrupted() {
  local command
  login_as work 0 || return 1
  for command in 'remote test' doctor; do
    admin POST expire_tokens '{"access": true, "refresh": false}' && interrupted cabinetfs $command work || return 1
    cabinetfs remote test work || { echo "after cabinetfs $command"; return 1; }
  done
}
# The login's own exchange of a refresh token goes on after Ctrl-C, and so does its proof.
t_interrupted_login() {
  local pid
  cabinetfs logout work || return 1
  { credential client_secret && admin POST token '{"user": "alice@example.com"}' | json_of 'data["refresh_token"]'; } >"$work/secret"
  faults '{"match": {"path": "^/oauth/token$"}, "times": 1, "action": "stall", "after_effect": true}'
  (exec env --default-signal=INT,TERM cabinetfs login work --secret-stdin <"$work/secret" >"$work/interrupted.out" 2>&1) &
  pid=$!
  eventually 20 token_waits || { no_faults; kill "$pid"; cat "$work/interrupted.out"; return 1; }
  kill -INT "$pid" && no_faults
  wait "$pid"
  cat "$work/interrupted.out"
  cabinetfs remote test work
}
t_logout() { login_as work 0 && cabinetfs logout work && exits 3 cabinetfs remote test work && ! grep -q access "$work/state/cabinetfs/secrets.json"; }
t_doctor() { exits 3 cabinetfs doctor work && login_as work 0 && cabinetfs doctor work; }
t_remotes() {
  cabinetfs remote list | grep -q "^work *kiteworks *$url" && [[ $(cabinetfs remote list --json | json_of 'data[0]["logged_in"]') == True ]] &&
    [[ $(cabinetfs remote show work --json | json_of 'data["rate_limit"]') == 0 ]]
}
t_proxy_hidden() {
  cabinetfs remote add proxied --url "$url" --client-id x --proxy http://me:unseen@localhost:1 && cabinetfs remote show proxied >"$work/shown" &&
    cabinetfs remote show proxied --json >>"$work/shown" && cabinetfs remote remove proxied || return 1
  ! grep unseen "$work/shown" && [[ $(grep -cF 'http://***@localhost:1' "$work/shown") == 2 ]]
}
t_unreachable() { server_stop; exits 4 cabinetfs remote test work && exits 4 cabinetfs mount work "$mnt" && ! is_mounted; }
t_remove() { cabinetfs remote remove work && exits 2 cabinetfs mount work "$mnt" && ! cabinetfs remote list | grep -q work; }

check "without a login: exit status 3 and what to do" t_not_logged_in
check "a wrong secret is refused" t_wrong_secret
check "secret and refresh token from standard input" t_login
check "no secret outside the secret store, which is 0600" t_secret_hidden
check "authorization code over the loopback redirect" t_loopback
check "a refused authorization says so" t_denied
check "an expired access token is renewed, a dead refresh token is exit status 3" t_expired
check "Ctrl-C while a token is renewed does not cost the login" t_interrupted
check "nor does it during a login" t_interrupted_login
check "logout forgets" t_logout
check "doctor tells a missing login from a working one" t_doctor
check "remote list and show" t_remotes
check "a proxy's password is not shown" t_proxy_hidden
check "an unreachable server is exit status 4" t_unreachable
check "remote remove" t_remove
check_summary
