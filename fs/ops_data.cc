#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "fs/fuse_internal.h"

// The bytes of open files.
namespace cabinetfs {
namespace {

// A buffer on loan for one read.
class Loan {
 public:
  Loan(BufferPool& pool, std::size_t size) : pool_(&pool), buffer_(pool.take()), size_(size) {}
  Loan(Loan&& other) noexcept = default;
  Loan& operator=(Loan&&) = delete;
  ~Loan() {
    if (buffer_) pool_->give_back(std::move(buffer_));
  }
  MutableBytes room() { return {buffer_.get(), size_}; }
  const std::byte* data() const { return buffer_.get(); }
  std::size_t size() const { return size_; }
  void shrink(std::size_t size) { size_ = std::min(size, size_); }

 private:
  BufferPool* pool_;
  BufferPool::Buffer buffer_;
  std::size_t size_;
};

void op_read(fuse_req_t req, fuse_ino_t /*ino*/, std::size_t size, off_t offset,
             fuse_file_info* info) {
  const FileHandle& handle = OpenHandles::file(info->fh);
  run(
      req, RequestFamily::kData, "read",
      [&shell = Shell::of(req), file = handle.file, content = handle.content,
       size = std::min(size, kMaxTransfer),
       offset = static_cast<std::uint64_t>(offset)](const CallContext& call) -> Result<Loan> {
        Loan loan(shell.buffers, size);
        TRY_ASSIGN(const std::size_t count,
                   file ? shell.volume.read(call, *file, offset, loan.room())
                        : content->read(call, offset, loan.room()));
        loan.shrink(count);
        return loan;
      },
      // Copied once, into the reader's pages. Splicing would need the bytes in a file or pipe; they
      // come out of a decrypted block.
      [](FuseRequest& request, const Loan& loan) { request.bytes(loan.data(), loan.size()); });
}

// Borrows the bytes from the FUSE thread's buffer for the first try. The data arrives in memory
// (no splice): sealing it reads every byte, so a pipe would only add a copy.
struct WriteOperation {
  Volume* volume;
  std::shared_ptr<OpenFile> file;
  std::uint64_t offset;
  Bytes bytes;
  bool append = false;
  std::string copy = {};

  void keep() {
    copy.assign(as_text(bytes));
    bytes = {};
  }
  Result<std::size_t> operator()(const CallContext& call) {
    const Bytes from = copy.empty() ? bytes : as_bytes(copy);
    if (!file) return fail(ErrorCode::kReadOnly, "virtual node");
    TRY(append ? volume->append(call, *file, offset, from)
               : volume->write(call, *file, offset, from));
    return from.size();
  }
};

void op_write(fuse_req_t req, fuse_ino_t /*ino*/, const char* data, std::size_t size, off_t offset,
              fuse_file_info* info) {
  run(req, RequestFamily::kData, "write",
      WriteOperation{
          &Shell::of(req).volume, OpenHandles::file(info->fh).file,
          static_cast<std::uint64_t>(offset), as_bytes({data, size}),
          // The kernel knows the end as of its last look. Pages that were mapped have
          // their place; so have the pieces of a large direct write, which come several
          // at a time.
          (info->flags & O_APPEND) != 0 && (info->flags & O_DIRECT) == 0 && info->writepage == 0},
      [](FuseRequest& request, std::size_t count) { request.written(count); });
}

Result<Volume::AllocateMode> to_allocate_mode(int mode) {
  switch (mode) {
    case 0:
      return Volume::AllocateMode::kGrow;
    case FALLOC_FL_KEEP_SIZE:
      return Volume::AllocateMode::kKeepSize;
    case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
      return Volume::AllocateMode::kPunchHole;
    case FALLOC_FL_ZERO_RANGE:
      return Volume::AllocateMode::kZeroRange;
    case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
      return Volume::AllocateMode::kZeroRangeKeepSize;
    default:
      return fail(ErrorCode::kNotSupported, "fallocate mode");
  }
}

void op_fallocate(fuse_req_t req, fuse_ino_t /*ino*/, int mode, off_t offset, off_t length,
                  fuse_file_info* info) {
  run(
      req, RequestFamily::kData, "fallocate",
      [&shell = Shell::of(req), file = OpenHandles::file(info->fh).file, mode,
       offset = static_cast<std::uint64_t>(offset),
       length = static_cast<std::uint64_t>(length)](const CallContext& call) -> Result<void> {
        if (!file) return fail(ErrorCode::kReadOnly, "virtual node");
        TRY_ASSIGN(const Volume::AllocateMode how, to_allocate_mode(mode));
        return shell.volume.allocate(call, *file, offset, length, how);
      },
      answer_ok);
}

// The kernel asks for data and holes only; the rest it knows.
void op_lseek(fuse_req_t req, fuse_ino_t /*ino*/, off_t offset, int whence, fuse_file_info* info) {
  const FileHandle& handle = OpenHandles::file(info->fh);
  run(
      req, RequestFamily::kData, "lseek",
      [&shell = Shell::of(req), file = handle.file, content = handle.content, whence,
       offset =
           static_cast<std::uint64_t>(offset)](const CallContext& call) -> Result<std::uint64_t> {
        if (whence != SEEK_DATA && whence != SEEK_HOLE) {
          return fail(ErrorCode::kInvalid, "lseek whence");
        }
        const bool data = whence == SEEK_DATA;
        if (file) return shell.volume.seek(call, *file, offset, data);
        // An old version is all data.
        if (offset >= content->size()) return fail(ErrorCode::kRange, "beyond the end");
        return data ? offset : content->size();
      },
      [](FuseRequest& request, std::uint64_t offset_found) { request.offset(offset_found); });
}

// May copy as much as the file is long; not on a FUSE thread.
void op_copy_file_range(fuse_req_t req, fuse_ino_t /*ino_in*/, off_t offset_in,
                        fuse_file_info* info_in, fuse_ino_t /*ino_out*/, off_t offset_out,
                        fuse_file_info* info_out, std::size_t length, int /*flags*/) {
  run_waiting(
      req, RequestFamily::kData, "copy_file_range",
      [&shell = Shell::of(req), in = OpenHandles::file(info_in->fh).file,
       out = OpenHandles::file(info_out->fh).file,
       offset_in = static_cast<std::uint64_t>(offset_in),
       offset_out = static_cast<std::uint64_t>(offset_out),
       // The answer is a 32 bit number.
       length = std::min<std::uint64_t>(length, 1u << 30)](
          const CallContext& call) -> Result<std::uint64_t> {
        // From an old version: the kernel falls back to read and write.
        if (!in || !out) return fail(ErrorCode::kNotSupported, "virtual node");
        return shell.volume.copy_range(call, *in, offset_in, *out, offset_out, length);
      },
      [](FuseRequest& request, std::uint64_t count) {
        request.written(static_cast<std::size_t>(count));
      });
}

void op_ioctl(fuse_req_t req, fuse_ino_t /*ino*/, unsigned int /*command*/, void* /*arg*/,
              fuse_file_info* /*info*/, unsigned /*flags*/, const void* /*in*/,
              std::size_t /*in_size*/, std::size_t /*out_size*/) {
  fuse_reply_err(req, ENOTTY);
}

}  // namespace

void add_data_ops(fuse_lowlevel_ops& ops) {
  ops.read = op_read;
  ops.write = op_write;
  ops.fallocate = op_fallocate;
  ops.lseek = op_lseek;
  ops.copy_file_range = op_copy_file_range;
  ops.ioctl = op_ioctl;
}

}  // namespace cabinetfs
