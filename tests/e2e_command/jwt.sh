# Unattended: no browser and no refresh token, the account is named in assertions that a key signs.
remote_options=(--auth jwt --jwt-issuer files.example.com --jwt-audience https://files.example.com --fresh 1s)
cold=300000
new_key() { (umask 077 && openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$1" 2>/dev/null); }
prepare() {
  new_key "$work/key.pem" && openssl pkey -in "$work/key.pem" -pubout -out "$work/public.pem" || return 1
  python3 -c '
import json, sys
json.dump({"client": {"jwt_public_key": open(sys.argv[1]).read(), "jwt_issuer": "files.example.com",
                      "jwt_audience": "https://files.example.com"}}, open(sys.argv[2], "w"))' "$work/public.pem" "$work/users.json"
  server_options=(--users "$work/users.json")
  remote_options+=(--jwt-key-file "$work/key.pem")
}
. "$(dirname "$0")/begin.sh"
secrets=$work/state/cabinetfs/secrets.json

t_login() {
  credential client_secret | cabinetfs login work --secret-stdin && cabinetfs remote test work | grep -q alice@example.com &&
    [[ -z $(json_of 'json.loads(data["work"]["oauth"])["refresh_token"]' <"$secrets") ]]
}
t_mount() { cabinetfs mount work "$mnt" && [[ $(cat "$mnt/Projects/a.txt") == one ]]; }
refusals() { admin GET counts | json_of 'data["statuses"].get("401", 0)'; }
t_expired() {
  local before
  before=$(refusals)
  admin POST expire_tokens '{"access": true}' >/dev/null && cmp "$mnt/Projects/cold.bin" "$account/Projects/cold.bin" && [[ $(refusals) -gt $before ]]
}
t_write() {
  admin POST expire_tokens '{"access": true}' >/dev/null && echo new >"$mnt/Projects/new.txt" && cabinetfs flush "$mnt" --timeout 60s &&
    server_has Projects/new.txt new
}
# The mount goes on with a client secret that is saved while it runs.
t_secret() {
  echo wrong | cabinetfs login work --secret-stdin
  admin POST expire_tokens '{"access": true}' >/dev/null && cabinetfs remote test work 2>"$work/err" && return 1
  grep -q invalid_client "$work/err" && ! ls "$mnt/Projects" >/dev/null 2>&1
  credential client_secret | cabinetfs login work --secret-stdin && eventually 30 ls "$mnt/Projects" && cabinetfs umount "$mnt"
}
t_other_key() {
  mv "$work/key.pem" "$work/right.pem" && new_key "$work/key.pem" && admin POST expire_tokens '{"access": true}' >/dev/null || return 1
  exits 3 cabinetfs remote test work 2>"$work/err" && grep -q jwt_key_file "$work/err" && ! grep -qi 'run `cabinetfs login\|log in with' "$work/err"
}
t_open_key() {
  mv "$work/right.pem" "$work/key.pem" && chmod 644 "$work/key.pem" || return 1
  ! cabinetfs mount work "$mnt" 2>"$work/err" && grep -q 'chmod 600' "$work/err" && ! is_mounted && chmod 600 "$work/key.pem" && cabinetfs remote test work
}
t_secrets_hidden() {
  ! grep -rqF -- "$(sed -n 2p "$work/key.pem")" "$work/config" "$work/state" "$work/cache" && ! grep -rq 'eyJ[A-Za-z0-9_-]*\.eyJ' "$work/state" "$work/cache"
}

check "login saves the client secret and needs no browser" t_login
check "mount and read" t_mount
check "a token that has ended is replaced" t_expired
check "also for what is sent" t_write
check "a client secret that is saved later reaches the mount" t_secret
check "another key is refused, and no login is advised" t_other_key
check "a key that others may read is refused" t_open_key
check "neither key nor assertion is in a log" t_secrets_hidden
check_summary
