#include "fs/control_mail.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "cache/volume.h"

namespace cabinetfs {
namespace {

using nlohmann::json;

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// From the tree, without a way through the kernel back to this process.
Result<Mail::Attachment> attach_node(Volume& volume, const std::string& path,
                                     const CallContext& call) {
  TRY_ASSIGN(const InodeNumber ino, volume.find_path(call, path));
  TRY_ASSIGN(const Attributes attributes, volume.getattr(call, ino));
  TRY_ASSIGN(std::shared_ptr<OpenFile> opened, volume.open_file(call, ino, OpenFlags{}));
  // Released with the last copy of the attachment.
  const std::shared_ptr<OpenFile> file(
      opened.get(), [&volume, opened](OpenFile* /*file*/) { volume.release(opened); });
  Mail::Attachment out;
  out.name = base_name(path);
  out.size = attributes.size;
  out.read = [&volume, file, call](std::uint64_t offset, MutableBytes room) {
    while (!room.empty()) {
      const auto got = volume.read(call, *file, offset, room);
      if (!got || *got == 0) return false;
      offset += *got;
      room = room.subspan(*got);
    }
    return true;
  };
  return out;
}

Result<Mail::Attachment> attach_file(const std::string& path) {
  const auto failed = [&path] {
    const ErrorCode code = errno == ENOENT   ? ErrorCode::kNotFound
                           : errno == EACCES ? ErrorCode::kDenied
                                             : ErrorCode::kIo;
    return fail(code, fmt::format("{}: {}", path, std::strerror(errno)));
  };
  // Not blocking: the path may be a pipe's.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return failed();
  const std::shared_ptr<const int> owned(new int(fd), [](const int* number) {
    ::close(*number);
    delete number;
  });
  struct stat info {};
  if (::fstat(fd, &info) != 0) return failed();
  if (!S_ISREG(info.st_mode)) return fail(ErrorCode::kInvalid, path + ": not a regular file");
  Mail::Attachment out;
  out.name = base_name(path);
  out.size = static_cast<std::uint64_t>(info.st_size);
  out.read = [owned](std::uint64_t offset, MutableBytes room) {
    while (!room.empty()) {
      const ssize_t got = ::pread(*owned, room.data(), room.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      offset += static_cast<std::uint64_t>(got);
      room = room.subspan(static_cast<std::size_t>(got));
    }
    return true;
  };
  return out;
}

}  // namespace

Result<void> send_control_mail(Volume& volume, const json& request, const CallContext& call) {
  Mail mail;
  mail.to = request.value("to", std::vector<std::string>{});
  mail.cc = request.value("cc", std::vector<std::string>{});
  mail.bcc = request.value("bcc", std::vector<std::string>{});
  mail.subject = request.value("subject", "");
  mail.body = request.value("body", "");
  mail.draft = request.value("draft", false);
  if (mail.to.empty() && mail.cc.empty() && mail.bcc.empty() && !mail.draft) {
    return fail(ErrorCode::kInvalid, "a mail needs somebody to go to");
  }
  for (const json& file : request.value("files", json::array())) {
    if (file.is_object() && file.contains("path")) {
      TRY_ASSIGN(auto attachment, attach_node(volume, file.at("path").get<std::string>(), call));
      mail.attachments.push_back(std::move(attachment));
    } else if (file.is_object() && file.contains("file")) {
      TRY_ASSIGN(auto attachment, attach_file(file.at("file").get<std::string>()));
      mail.attachments.push_back(std::move(attachment));
    } else {
      return fail(ErrorCode::kInvalid, "files: each has a \"path\" or a \"file\"");
    }
  }
  return volume.send_mail(call, mail);
}

}  // namespace cabinetfs
