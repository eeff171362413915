# mount(8) finds helpers in /sbin only; what it would call is called here.
remote_options=()
. "$(dirname "$0")/begin.sh"
login_as work 0 >/dev/null || exit 1
helper=$2/tools/packaging/mount.cabinetfs
build=${1%/tools}

t_helper() { "$helper" work "$mnt" -sn -o rw,user=bob,noauto,noexec,_netdev,x-systemd.automount,fresh=5s && [[ $(cat "$mnt/Projects/a.txt") == one ]] && grep -q 'fresh = "5s"' "$mnt/.cabinet/config.toml" && ! grep -q bob "$mnt/.cabinet/config.toml" && [[ ,$(findmnt -no OPTIONS "$mnt"), == *,noexec,* ]]; }
t_umount8() { umount "$mnt" && ! is_mounted; }
t_argv0() { ln -s "$(command -v cabinetfs)" "$work/mount.cabinetfs" && "$work/mount.cabinetfs" work "$mnt" -o ro,noexec && [[ ,$(findmnt -no OPTIONS "$mnt"), == *,noexec,* ]] && ! touch "$mnt/Projects/x" && cabinetfs umount "$mnt"; }
t_fake() { "$helper" work "$mnt" -sfn -o rw && ! is_mounted && "$work/mount.cabinetfs" work "$mnt" -f && ! is_mounted; }
t_install() {
  local file
  DESTDIR=$work/root cmake --install "$build" --prefix /usr/local >"$work/install.log" || return 1
  for file in usr/local/bin/cabinetfs sbin/mount.cabinetfs usr/local/share/man/man1/cabinetfs.1 usr/local/lib/systemd/user/cabinetfs@.service \
    usr/local/share/bash-completion/completions/cabinetfs usr/local/share/zsh/site-functions/_cabinetfs usr/local/share/fish/vendor_completions.d/cabinetfs.fish; do
    [[ -s $work/root/$file ]] || { echo "not installed: $file"; return 1; }
  done
  [[ -x $work/root/sbin/mount.cabinetfs ]]
}
t_usage() { exits 2 "$helper" work; }
t_store_free() { cabinetfs mount work "$mnt" && cabinetfs umount "$mnt"; }

check "the mount helper passes options" t_helper
check "umount(8) ends it" t_umount8
check "the store is free again afterwards" t_store_free
check "called as mount.cabinetfs" t_argv0
check "-f, mount(8)'s fake, mounts nothing" t_fake
check "the helper's usage" t_usage
check "what is installed, and where" t_install
check_summary
