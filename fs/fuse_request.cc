#include <sys/stat.h>

#include <algorithm>

#include "backend/base/log.h"
#include "fs/errno_map.h"
#include "fs/fuse_internal.h"

namespace cabinetfs {
namespace {

// The size that programs choose their buffers by: one request of the kernel's default read-ahead.
constexpr blksize_t kPreferredTransfer = 128 << 10;
// 16 MiB in all; more buffers than that are in use only while as many reads run.
constexpr std::size_t kMaxFreeBuffers = 16;

timespec to_timespec(WallTime time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  timespec out{};
  out.tv_sec = whole.time_since_epoch().count();
  out.tv_nsec = std::chrono::nanoseconds(time - whole).count();
  return out;
}

void call_interrupted(fuse_req_t /*req*/, void* data) {
  (*static_cast<std::function<void()>*>(data))();
}

bool is_worth_a_line(ErrorCode code) {
  return code == ErrorCode::kInternal || code == ErrorCode::kIo || code == ErrorCode::kCorrupt ||
         code == ErrorCode::kWouldBlock;
}

}  // namespace

BufferPool::Buffer BufferPool::take() {
  {
    MutexLock lock(mutex_);
    if (!free_.empty()) {
      Buffer buffer = std::move(free_.back());
      free_.pop_back();
      return buffer;
    }
  }
  return std::make_unique_for_overwrite<std::byte[]>(kMaxTransfer);
}

void BufferPool::give_back(Buffer buffer) {
  MutexLock lock(mutex_);
  if (free_.size() < kMaxFreeBuffers) free_.push_back(std::move(buffer));
}

void Shell::remember(InodeNumber ino) {
  if (VirtualNodes::contains(ino)) ino = VirtualNodes::backing(ino);
  if (ino) volume.remember(ino);
}

void Shell::forget(InodeNumber ino, std::uint64_t count) {
  if (VirtualNodes::contains(ino)) ino = VirtualNodes::backing(ino);
  if (ino) volume.forget(ino, count);
}

struct stat Shell::to_stat(const Attributes& attributes) const {
  struct stat out {};
  const bool folder = attributes.kind == NodeKind::kFolder;
  out.st_ino = attributes.ino.value;
  out.st_mode = (folder ? S_IFDIR : S_IFREG) | (attributes.mode & 07777);
  // A directory's 1 means "not counted": programs do not conclude from it that it has no children.
  out.st_nlink = 1;
  out.st_uid = uid;
  out.st_gid = gid;
  out.st_size = static_cast<off_t>(attributes.size);
  out.st_blksize = kPreferredTransfer;
  out.st_blocks = static_cast<blkcnt_t>((attributes.size + 511) / 512);
  out.st_atim = to_timespec(attributes.atime);
  out.st_mtim = to_timespec(attributes.mtime);
  out.st_ctim = to_timespec(attributes.ctime);
  return out;
}

double seconds(std::chrono::milliseconds span) { return static_cast<double>(span.count()) / 1e3; }

fuse_entry_param to_entry(const Shell& shell, const Attributes& attributes) {
  fuse_entry_param entry{};
  entry.ino = attributes.ino.value;
  entry.generation = 0;  // inode numbers are never used again
  entry.attr = shell.to_stat(attributes);
  entry.attr_timeout = entry.entry_timeout = seconds(attributes.valid_for);
  return entry;
}

FuseRequest::~FuseRequest() {
  if (req_ == nullptr) return;
  log_error("{}: a request was not answered", name_);
  watch({});
  fuse_reply_err(take(), EIO);
}

void FuseRequest::watch(std::function<void()> interrupted) {
  if (interrupted) {
    interrupted_ = std::make_unique<std::function<void()>>(std::move(interrupted));
    fuse_req_interrupt_func(req_, call_interrupted, interrupted_.get());
  } else if (interrupted_) {
    // Takes the request's lock, which libfuse holds while it calls the function.
    fuse_req_interrupt_func(req_, nullptr, nullptr);
    interrupted_.reset();
  }
}

void FuseRequest::fail(const Error& error) {
  if (is_worth_a_line(error.code)) {
    log_warn("{}: {}", name_, to_string(error));
  } else if (error.code != ErrorCode::kNotFound && error.code != ErrorCode::kNoData) {
    log_debug("{}: {}", name_, to_string(error));
  }
  fuse_reply_err(take(), to_errno(error.code));
}

bool FuseRequest::entry(const Attributes& attributes) {
  const fuse_entry_param entry = to_entry(shell(), attributes);
  return fuse_reply_entry(take(), &entry) == 0;
}

bool FuseRequest::attributes(const Attributes& attributes) {
  const struct stat out = shell().to_stat(attributes);
  return fuse_reply_attr(take(), &out, seconds(attributes.valid_for)) == 0;
}

bool FuseRequest::created(const Attributes& attributes, const fuse_file_info& info) {
  const fuse_entry_param entry = to_entry(shell(), attributes);
  return fuse_reply_create(take(), &entry, &info) == 0;
}

void answer_entry(FuseRequest& request, const Attributes& attributes) {
  Shell& shell = request.shell();
  // Before the reply: the kernel may forget it the moment it has heard of it.
  shell.remember(attributes.ino);
  if (!request.entry(attributes)) shell.forget(attributes.ino, 1);
}

}  // namespace cabinetfs
