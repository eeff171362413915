#include <sys/xattr.h>

#include "fs/fuse_internal.h"

namespace cabinetfs {
namespace {

// Asked with size 0 for the size, then with room for the value.
void answer_value(FuseRequest& request, const std::string& value, std::size_t size) {
  if (size == 0) {
    request.xattr_size(value.size());
  } else if (value.size() > size) {
    request.error_number(ERANGE);
  } else {
    request.bytes(value.data(), value.size());
  }
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char* name, std::size_t size) {
  run(
      req, RequestFamily::kNames, "getxattr",
      [&shell = Shell::of(req), ino = InodeNumber{ino},
       name = std::string(name)](const CallContext& call) {
        if (VirtualNodes::contains(ino)) return shell.virtual_nodes.get_xattr(call, ino, name);
        return shell.xattrs.get(call, ino, name);
      },
      [size](FuseRequest& request, const std::string& value) {
        answer_value(request, value, size);
      });
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, std::size_t size) {
  run(
      req, RequestFamily::kNames, "listxattr",
      [&shell = Shell::of(req), ino = InodeNumber{ino}](const CallContext& call) {
        if (VirtualNodes::contains(ino)) return shell.virtual_nodes.list_xattrs(call, ino);
        return shell.xattrs.list(ino);
      },
      [size](FuseRequest& request, const std::vector<std::string>& names) {
        std::string value;
        for (const std::string& name : names) value.append(name).push_back('\0');
        answer_value(request, value, size);
      });
}

Volume::XattrMode to_xattr_mode(int flags) {
  if ((flags & XATTR_CREATE) != 0) return Volume::XattrMode::kCreate;
  if ((flags & XATTR_REPLACE) != 0) return Volume::XattrMode::kReplace;
  return Volume::XattrMode::kSet;
}

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char* name, const char* value,
                 std::size_t size, int flags) {
  run(
      req, RequestFamily::kNames, "setxattr",
      [&shell = Shell::of(req), ino = InodeNumber{ino}, name = std::string(name),
       value = std::string(value, size),
       mode = to_xattr_mode(flags)](const CallContext& call) -> Result<void> {
        if (VirtualNodes::contains(ino)) return fail(ErrorCode::kReadOnly, "virtual node");
        return shell.xattrs.set(call, ino, name, value, mode);
      },
      answer_ok);
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char* name) {
  run(
      req, RequestFamily::kNames, "removexattr",
      [&shell = Shell::of(req), ino = InodeNumber{ino},
       name = std::string(name)](const CallContext& call) -> Result<void> {
        if (VirtualNodes::contains(ino)) return fail(ErrorCode::kReadOnly, "virtual node");
        return shell.xattrs.remove(call, ino, name);
      },
      answer_ok);
}

}  // namespace

void add_xattr_ops(fuse_lowlevel_ops& ops) {
  ops.getxattr = op_getxattr;
  ops.listxattr = op_listxattr;
  ops.setxattr = op_setxattr;
  ops.removexattr = op_removexattr;
}

}  // namespace cabinetfs
