#include <linux/fs.h>

#include "fs/fuse_internal.h"

// Renames, and the kinds of names that no server has.
namespace cabinetfs {
namespace {

Result<Volume::RenameMode> to_rename_mode(unsigned flags) {
  switch (flags) {
    case 0:
      return Volume::RenameMode::kReplace;
    case RENAME_NOREPLACE:
      return Volume::RenameMode::kNoReplace;
    case RENAME_EXCHANGE:
      return Volume::RenameMode::kExchange;
    default:
      return fail(ErrorCode::kInvalid, "rename flags");
  }
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char* name, fuse_ino_t new_parent,
               const char* new_name, unsigned int flags) {
  run(
      req, RequestFamily::kNames, "rename",
      [&shell = Shell::of(req), parent = InodeNumber{parent}, name = std::string(name),
       new_parent = InodeNumber{new_parent}, new_name = std::string(new_name),
       flags](const CallContext& call) -> Result<void> {
        if (VirtualNodes::is_fixed(parent, name) || VirtualNodes::is_fixed(new_parent, new_name)) {
          return fail(ErrorCode::kReadOnly, "virtual node");
        }
        TRY_ASSIGN(const Volume::RenameMode mode, to_rename_mode(flags));
        auto renamed = shell.volume.rename(call, parent, name, new_parent, new_name, mode);
        if (!renamed && renamed.error().code == ErrorCode::kNotFound &&
            VirtualNodes::may_be_virtual(parent, name)) {
          return fail(ErrorCode::kReadOnly, "virtual node");
        }
        return renamed;
      },
      answer_ok);
}

void op_symlink(fuse_req_t req, const char* /*target*/, fuse_ino_t /*parent*/,
                const char* /*name*/) {
  fuse_reply_err(req, EPERM);
}

void op_link(fuse_req_t req, fuse_ino_t /*ino*/, fuse_ino_t /*parent*/, const char* /*name*/) {
  fuse_reply_err(req, EPERM);
}

void op_readlink(fuse_req_t req, fuse_ino_t /*ino*/) { fuse_reply_err(req, EINVAL); }

}  // namespace

void add_rename_ops(fuse_lowlevel_ops& ops) {
  ops.rename = op_rename;
  ops.symlink = op_symlink;
  ops.link = op_link;
  ops.readlink = op_readlink;
}

}  // namespace cabinetfs
