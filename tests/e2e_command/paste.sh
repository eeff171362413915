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
# hidden KEYS [SIGNAL]: types at the question for a secret; prints the exit status, how long it took, and whether the
# terminal has its echo afterwards.
hidden() {
  python3 - "$@" <<'PYTHON'
import os, pty, select, signal, sys, termios, time
keys = eval(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.execvp("cabinetfs", ["cabinetfs", "login", "home"])
def read_until(word, patience=20):
    text, until = b"", time.monotonic() + patience
    while word not in text and time.monotonic() < until:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                text += os.read(terminal, 4096)
            except OSError:
                break
    return text
echo = lambda: bool(termios.tcgetattr(terminal)[3] & termios.ECHO)
read_until(b": ")
until = time.monotonic() + 10
while echo() and time.monotonic() < until:
    time.sleep(0.02)
begin, shown = time.monotonic(), b""
while keys:
    keys = keys[os.write(terminal, keys[:1000]):]
    shown += read_until(b"\0", 0.05)
if len(sys.argv) > 2:
    os.kill(pid, getattr(signal, sys.argv[2]))
shown += read_until(b"\0", 8)
print("echo", echo())
status = os.waitpid(pid, 0)[1]
print("status", os.waitstatus_to_exitcode(status), "quick", time.monotonic() - begin < 20)
print(shown.decode(errors="replace"))
PYTHON
}
home_remote() { cabinetfs remote list --names | grep -qx home || cabinetfs remote add home --vendor webdav --url https://localhost:1/dav --auth bearer --user alice --secret-store file; }
kept_secret() { json_of 'data["home"]["password"]' <"$work/state/cabinetfs/secrets.json"; }
t_hidden_interrupted() {
  local how
  home_remote || return 1
  for how in 'b"half\x03"' 'b"half" SIGTERM' 'b"half" SIGINT'; do
    hidden $how >"$work/hidden.out"
    cat "$work/hidden.out"
    grep -qx 'echo True' "$work/hidden.out" && grep -q '^status 1 quick True' "$work/hidden.out" && grep -q interrupted "$work/hidden.out" && ! grep -q half "$work/hidden.out" || return 1
  done
}
# The proof fails, since there is no server; what was entered is kept before.
t_hidden_long() {
  home_remote && hidden 'b"x" * 9000 + b"\n"' >"$work/hidden.out"
  cat "$work/hidden.out"
  [[ $(kept_secret | wc -c) -eq 9001 ]] && hidden '"verloren\x15gr\u00fc\u00df\x7f\x7fun\n".encode()' && [[ $(kept_secret) == grun ]] || return 1
  hidden 'b"x" * 20000 + b"\n"' >"$work/hidden.out"
  cat "$work/hidden.out"
  grep -q 'longer than' "$work/hidden.out" && [[ $(kept_secret) == grun ]]
}
# The port is free again and nothing of the failed ones is in the way.
t_afterwards() { t_pasted; }

check "a pasted address logs in" t_pasted
check "so does an answer that comes back by itself" t_by_itself
check "the address of another login is refused" t_another
check "Ctrl-C ends the wait for both" t_interrupted
check "Ctrl-C and SIGTERM at a hidden question, with the echo back" t_hidden_interrupted
check "a long secret is whole, and can be mended while it is typed" t_hidden_long
check "and the next login works" t_afterwards
check_summary
