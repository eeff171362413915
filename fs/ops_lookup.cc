#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>

#include "fs/fuse_internal.h"

// Names and attributes.
namespace cabinetfs {
namespace {

constexpr std::chrono::seconds kQuotaKept{30};
// A server that does not answer costs df this much, once in kQuotaKept.
constexpr std::chrono::seconds kQuotaPatience{5};
// What is shown as free where the vendor sets no limit: 1 PiB, which no program overflows on.
constexpr std::uint64_t kNoLimitBytes = 1ull << 50;
constexpr std::uint64_t kBlock = 4096;

Result<Attributes> look_up(Shell& shell, const CallContext& call, InodeNumber parent,
                           const std::string& name) {
  if (VirtualNodes::contains(parent)) return shell.virtual_nodes.lookup(call, parent, name);
  // A real object wins over `NAME@@`; `.cabinet` is never the account's, since nothing would tell
  // where the mount's own files are.
  if (parent == kRootInode && name == VirtualNodes::kControlDirectory) {
    return shell.virtual_nodes.lookup(call, parent, name);
  }
  auto found = shell.volume.lookup(call, parent, name);
  if (found || found.error().code != ErrorCode::kNotFound) return found;
  if (!VirtualNodes::may_be_virtual(parent, name)) return found;
  return shell.virtual_nodes.lookup(call, parent, name);
}

// A name that is not there is not cached by the kernel: another machine, or a name that differs in
// case only, may bring it at any time, and this process answers from memory anyway.
void op_lookup(fuse_req_t req, fuse_ino_t parent, const char* name) {
  run(
      req, RequestFamily::kNames, "lookup",
      [&shell = Shell::of(req), parent = InodeNumber{parent}, name = std::string(name)](
          const CallContext& call) { return look_up(shell, call, parent, name); },
      answer_entry);
}

void op_forget(fuse_req_t req, fuse_ino_t ino, std::uint64_t count) {
  Shell::of(req).forget({ino}, count);
  fuse_reply_none(req);
}

void op_forget_multi(fuse_req_t req, std::size_t count, fuse_forget_data* forgets) {
  Shell& shell = Shell::of(req);
  for (std::size_t i = 0; i < count; ++i) shell.forget({forgets[i].ino}, forgets[i].nlookup);
  fuse_reply_none(req);
}

void answer_attributes(FuseRequest& request, const Attributes& attributes) {
  request.attributes(attributes);
}

void op_getattr(fuse_req_t req, fuse_ino_t ino, fuse_file_info* /*info*/) {
  run(
      req, RequestFamily::kNames, "getattr",
      [&shell = Shell::of(req), ino = InodeNumber{ino}](const CallContext& call) {
        if (VirtualNodes::contains(ino)) return shell.virtual_nodes.getattr(call, ino);
        return shell.volume.getattr(call, ino);
      },
      answer_attributes);
}

WallTime to_wall(const timespec& time) {
  return WallTime(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

SetAttributes to_set_attributes(const struct stat& attr, int to_set) {
  SetAttributes set;
  if ((to_set & FUSE_SET_ATTR_SIZE) != 0) set.size = static_cast<std::uint64_t>(attr.st_size);
  if ((to_set & FUSE_SET_ATTR_MODE) != 0) set.mode = attr.st_mode & 07777;
  if ((to_set & FUSE_SET_ATTR_UID) != 0) set.uid = attr.st_uid;
  if ((to_set & FUSE_SET_ATTR_GID) != 0) set.gid = attr.st_gid;
  const WallTime now = Clock::system().wall();
  if ((to_set & FUSE_SET_ATTR_ATIME_NOW) != 0) {
    set.atime = now;
  } else if ((to_set & FUSE_SET_ATTR_ATIME) != 0) {
    set.atime = to_wall(attr.st_atim);
  }
  if ((to_set & FUSE_SET_ATTR_MTIME_NOW) != 0) {
    set.mtime = now;
  } else if ((to_set & FUSE_SET_ATTR_MTIME) != 0) {
    set.mtime = to_wall(attr.st_mtim);
  }
  return set;
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat* attr, int to_set,
                fuse_file_info* info) {
  std::shared_ptr<OpenFile> file;
  if (info != nullptr) file = OpenHandles::file(info->fh).file;
  run(
      req, RequestFamily::kNames, "setattr",
      [&shell = Shell::of(req), ino = InodeNumber{ino}, set = to_set_attributes(*attr, to_set),
       file = std::move(file)](const CallContext& call) -> Result<Attributes> {
        if (VirtualNodes::contains(ino)) return fail(ErrorCode::kReadOnly, "virtual node");
        return shell.volume.setattr(call, ino, set, file.get());
      },
      answer_attributes);
}

void op_access(fuse_req_t req, fuse_ino_t ino, int mask) {
  run(
      req, RequestFamily::kNames, "access",
      [&shell = Shell::of(req), ino = InodeNumber{ino},
       mask = static_cast<unsigned>(mask)](const CallContext& call) -> Result<void> {
        if (!VirtualNodes::contains(ino)) return shell.volume.access(call, ino, mask);
        if ((mask & W_OK) != 0) return fail(ErrorCode::kReadOnly, "virtual node");
        return {};
      },
      answer_ok);
}

// Never fails: a program that only wants to know whether there is room must not be told that the
// disk is broken when the server is away.
Result<Quota> find_quota(Shell& shell, CallContext call) {
  {
    MutexLock lock(shell.quota_mutex);
    if (Clock::system().steady() < shell.quota_until) return shell.quota;
  }
  call.deadline = std::min(call.deadline, Clock::system().steady() + kQuotaPatience);
  auto quota = shell.volume.quota(call);
  const bool unasked = !quota && (quota.error().code == ErrorCode::kWouldBlock ||
                                  quota.error().code == ErrorCode::kCancelled);
  if (unasked) return quota;
  MutexLock lock(shell.quota_mutex);
  if (quota) shell.quota = *quota;
  shell.quota_until = Clock::system().steady() + kQuotaKept;
  return shell.quota;
}

void op_statfs(fuse_req_t req, fuse_ino_t /*ino*/) {
  run(
      req, RequestFamily::kNames, "statfs",
      [&shell = Shell::of(req)](const CallContext& call) -> Result<Quota> {
        if (!shell.volume.capabilities().quota) return Quota{};
        return find_quota(shell, call);
      },
      [](FuseRequest& request, const Quota& quota) {
        const std::uint64_t total = quota.total.value_or(quota.used + kNoLimitBytes);
        struct statvfs out {};
        out.f_bsize = out.f_frsize = kBlock;
        out.f_blocks = total / kBlock;
        out.f_bfree = out.f_bavail = (total - std::min(total, quota.used)) / kBlock;
        out.f_namemax = 255;
        request.file_system(out);
      });
}

}  // namespace

void add_lookup_ops(fuse_lowlevel_ops& ops) {
  ops.lookup = op_lookup;
  ops.forget = op_forget;
  ops.forget_multi = op_forget_multi;
  ops.getattr = op_getattr;
  ops.setattr = op_setattr;
  ops.access = op_access;
  ops.statfs = op_statfs;
}

}  // namespace cabinetfs
