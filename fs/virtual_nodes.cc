#include "fs/virtual_nodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "backend/base/times.h"

namespace cabinetfs {
namespace {

// Bits 0-39: the file (0 for `.cabinet`); bits 40-61: a number (0: the directory itself).
constexpr unsigned kNumberShift = 40;
constexpr std::uint64_t kFileMask = (1ull << kNumberShift) - 1;
constexpr std::uint64_t kMaxNumber = (1ull << (62 - kNumberShift)) - 1;
constexpr std::string_view kVersionsSuffix = "@@";
// A list of versions grows at any time by an upload that the kernel does not see.
constexpr std::chrono::milliseconds kValidFor{1'000};

InodeNumber compose(std::uint64_t file, std::uint64_t number) {
  return {VirtualNodes::kFirst | (number << kNumberShift) | file};
}
std::uint64_t file_of(InodeNumber ino) { return ino.value & kFileMask; }
std::uint64_t number_of(InodeNumber ino) {
  return (ino.value & (VirtualNodes::kFirst - 1)) >> kNumberShift;
}

std::optional<std::uint32_t> parse_number(const std::string& name) {
  std::uint32_t number = 0;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data(), end, number);
  // "007" is not the name of a version.
  if (error != std::errc() || stop != end || number == 0 || name[0] == '0') return std::nullopt;
  return number;
}

class TextContent final : public ReadableContent {
 public:
  explicit TextContent(std::string text) : text_(std::move(text)) {}
  std::uint64_t size() const override { return text_.size(); }
  Result<std::size_t> read(const CallContext& /*call*/, std::uint64_t offset,
                           MutableBytes out) override {
    if (offset >= text_.size()) return std::size_t{0};
    const std::size_t count = std::min<std::size_t>(out.size(), text_.size() - offset);
    std::copy_n(as_bytes(text_).begin() + static_cast<std::ptrdiff_t>(offset), count, out.begin());
    return count;
  }

 private:
  const std::string text_;
};

}  // namespace

InodeNumber VirtualNodes::backing(InodeNumber ino) { return {file_of(ino)}; }
std::uint32_t VirtualNodes::version_number(InodeNumber ino) {
  return file_of(ino) == 0 ? 0 : static_cast<std::uint32_t>(number_of(ino));
}
InodeNumber VirtualNodes::versions_directory(InodeNumber file) { return compose(file.value, 0); }

VirtualNodes::VirtualNodes(Volume& volume, std::vector<ControlFile> control_files)
    : volume_(volume), control_files_(std::move(control_files)), started_(Clock::system().wall()) {}

bool VirtualNodes::may_be_virtual(InodeNumber parent, const std::string& name) {
  if (parent == kRootInode && name == kControlDirectory) return true;
  return name.size() > kVersionsSuffix.size() && name.ends_with(kVersionsSuffix);
}

Result<Attributes> VirtualNodes::lookup(const CallContext& call, InodeNumber parent,
                                        const std::string& name) const {
  if (!contains(parent)) {
    if (parent == kRootInode && name == kControlDirectory) return getattr(call, compose(0, 0));
    if (!may_be_virtual(parent, name) || !volume_.capabilities().versions) {
      return fail(ErrorCode::kNotFound, name);
    }
    const std::string base = name.substr(0, name.size() - kVersionsSuffix.size());
    TRY_ASSIGN(const Attributes file, volume_.lookup(call, parent, base));
    if (file.kind != NodeKind::kFile || file.ino.value > kFileMask) {
      return fail(ErrorCode::kNotFound, name);
    }
    return directory_attributes(versions_directory(file.ino), 0555);
  }
  if (number_of(parent) != 0) return fail(ErrorCode::kNotDirectory, name);
  if (file_of(parent) == 0) {
    for (std::size_t i = 0; i < control_files_.size(); ++i) {
      if (control_files_[i].name == name) return control_attributes(i);
    }
    return fail(ErrorCode::kNotFound, name);
  }
  const auto number = parse_number(name);
  if (!number || *number > kMaxNumber) return fail(ErrorCode::kNotFound, name);
  return getattr(call, compose(file_of(parent), *number));
}

Result<Attributes> VirtualNodes::getattr(const CallContext& call, InodeNumber ino) const {
  const std::uint64_t number = number_of(ino);
  if (file_of(ino) == 0) {
    if (number == 0) return directory_attributes(ino, 0500);
    if (number > control_files_.size()) return fail(ErrorCode::kNotFound, "control file");
    return control_attributes(number - 1);
  }
  if (number == 0) return directory_attributes(ino, 0555);
  TRY_ASSIGN(const RemoteVersion version, find_version(call, ino));
  return version_attributes(ino, version);
}

Result<DirListing> VirtualNodes::list(const CallContext& call, InodeNumber ino) const {
  auto entries = std::make_shared<std::vector<DirEntry>>();
  if (file_of(ino) == 0) {
    for (std::size_t i = 0; i < control_files_.size(); ++i) {
      entries->push_back({control_files_[i].name, control_attributes(i)});
    }
    return DirListing(std::move(entries));
  }
  TRY_ASSIGN(const std::vector<RemoteVersion> versions, volume_.versions(call, backing(ino)));
  for (auto version = versions.rbegin(); version != versions.rend(); ++version) {
    if (version->number == 0 || version->number > kMaxNumber) continue;
    const InodeNumber child = compose(file_of(ino), version->number);
    entries->push_back({fmt::format("{}", version->number), version_attributes(child, *version)});
  }
  return DirListing(std::move(entries));
}

Result<VirtualNodes::Opened> VirtualNodes::open(const CallContext& call, InodeNumber ino) const {
  const std::uint64_t number = number_of(ino);
  if (number == 0) return fail(ErrorCode::kIsDirectory, "virtual directory");
  if (file_of(ino) == 0) {
    if (number > control_files_.size()) return fail(ErrorCode::kNotFound, "control file");
    return Opened{std::make_shared<TextContent>(control_files_[number - 1].text()), true};
  }
  TRY_ASSIGN(auto content,
             volume_.open_version(call, backing(ino), static_cast<std::uint32_t>(number)));
  return Opened{std::move(content), false};
}

Result<std::string> VirtualNodes::get_xattr(const CallContext& call, InodeNumber ino,
                                            const std::string& name) const {
  if (version_number(ino) != 0) {
    if (name == "user.cabinet.version") return fmt::format("{}", version_number(ino));
    if (name == "user.cabinet.access") return std::string("read");
    TRY_ASSIGN(const RemoteVersion version, find_version(call, ino));
    if (name == "user.cabinet.id") return version.id.value;
    if (name == "user.cabinet.created") return format_rfc3339(version.created);
    if (name == "user.cabinet.modifier" && !version.author.empty()) return version.author;
    if (name == "user.cabinet.hash.md5" && !version.hashes.md5.empty()) return version.hashes.md5;
    if (name == "user.cabinet.hash.sha3-256" && !version.hashes.sha3_256.empty()) {
      return version.hashes.sha3_256;
    }
  }
  return fail(ErrorCode::kNoData, name);
}

Result<std::vector<std::string>> VirtualNodes::list_xattrs(const CallContext& call,
                                                           InodeNumber ino) const {
  std::vector<std::string> names;
  if (version_number(ino) == 0) return names;
  for (const char* key :
       {"access", "created", "hash.md5", "hash.sha3-256", "id", "modifier", "version"}) {
    const std::string name = std::string("user.cabinet.") + key;
    if (const auto value = get_xattr(call, ino, name)) {
      names.push_back(name);
    } else if (value.error().code != ErrorCode::kNoData) {
      return fail(value.error());
    }
  }
  return names;
}

Result<RemoteVersion> VirtualNodes::find_version(const CallContext& call, InodeNumber ino) const {
  TRY_ASSIGN(std::vector<RemoteVersion> versions, volume_.versions(call, backing(ino)));
  for (RemoteVersion& version : versions) {
    if (version.number == version_number(ino)) return std::move(version);
  }
  return fail(ErrorCode::kNotFound, fmt::format("version {}", version_number(ino)));
}

Attributes VirtualNodes::version_attributes(InodeNumber ino, const RemoteVersion& version) const {
  Attributes attributes;
  attributes.ino = ino;
  attributes.kind = NodeKind::kFile;
  attributes.mode = 0444;
  attributes.size = version.size;
  attributes.mtime = attributes.atime = attributes.ctime = version.modified;
  attributes.btime = version.created;
  attributes.valid_for = kValidFor;
  return attributes;
}

Attributes VirtualNodes::directory_attributes(InodeNumber ino, std::uint32_t mode) const {
  Attributes attributes;
  attributes.ino = ino;
  attributes.kind = NodeKind::kFolder;
  attributes.mode = mode;
  attributes.atime = attributes.mtime = attributes.ctime = attributes.btime = started_;
  attributes.valid_for = kValidFor;
  return attributes;
}

// Read by their owner only: they tell names and addresses, and with allow_other everybody could.
Attributes VirtualNodes::control_attributes(std::size_t index) const {
  Attributes attributes = directory_attributes(compose(0, index + 1), 0400);
  attributes.kind = NodeKind::kFile;
  return attributes;
}

}  // namespace cabinetfs
