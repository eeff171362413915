# Sourced by begin.sh in the place of session.sh's calls: a real Apache over $account, whose disk is what the server has.
server_start() {
  local tries=0
  if [[ -n $server_pid ]]; then
    kill -USR2 "$server_pid"
  else
    command -v cabinetfs-webdav-server >/dev/null || { echo "cabinetfs-webdav-server is not built"; return 77; }
    mkdir -p "$work/server" && (umask 077 && head -c 18 /dev/urandom | base64 >"$work/server/password")
    setsid cabinetfs-webdav-server "$account" alice "$work/server/password" "$work/server/url" \
      >>"$work/server/out.log" 2>&1 </dev/null &
    server_pid=$!
  fi
  while [[ ! -s $work/server/url ]]; do
    if ! kill -0 "$server_pid" 2>/dev/null || [[ $((tries += 1)) -gt 300 ]]; then
      cat "$work/server/out.log" >&2
      wait "$server_pid"
      return
    fi
    sleep 0.1
  done
  url=$(<"$work/server/url")
  port=${url#http*://*:}
  port=${port%%/*}
}
# Off the network, on a port that stays its own.
server_stop() { kill -USR1 "$server_pid" && eventually 20 test ! -e "$work/server/url"; }
server_end() {
  [[ -n $server_pid ]] || return 0
  kill -TERM "$server_pid" 2>/dev/null
  wait "$server_pid" 2>/dev/null
  server_pid=
}
on_server() { cat "$account/$1"; }
credential() { echo alice; }
remote_add() { cabinetfs remote add "$1" --vendor webdav --url "$url" --secret-store file "${@:2}"; }
login_as() { cabinetfs login "$1" --secret-stdin <"$work/server/password"; }
