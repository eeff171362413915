#include "backend/kiteworks/bulk_zip.h"

#include <archive.h>
#include <archive_entry.h>
#include <openssl/evp.h>

#include <array>
#include <memory>
#include <set>

namespace cabinetfs::kiteworks {
namespace {

// Headers, directory and a long name of one entry, with room to spare.
constexpr std::uint64_t kEntryOverhead = 4096;

struct CloseArchive {
  void operator()(archive* reader) const { archive_read_free(reader); }
};

bool digest_is(const EVP_MD* algorithm, Bytes content, const std::string& expected) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(content.data(), content.size(), digest.data(), &size, algorithm, nullptr) != 1) {
    return false;
  }
  return to_hex(std::as_bytes(std::span(digest).first(size))) == expected;
}

// The whole entry when it has exactly this many bytes and its checksum is right.
bool read_entry(archive* reader, std::uint64_t size, std::string& content) {
  content.resize(size);
  std::size_t filled = 0;
  while (true) {
    char extra = 0;
    const bool full = filled == content.size();
    const la_ssize_t got = archive_read_data(reader, full ? &extra : content.data() + filled,
                                             full ? 1 : content.size() - filled);
    if (got < 0) return false;
    if (got == 0) return full;
    if (full) return false;
    filled += static_cast<std::size_t>(got);
  }
}

}  // namespace

bool matches(const ContentHashes& hashes, Bytes content) {
  if (!hashes.sha3_256.empty()) return digest_is(EVP_sha3_256(), content, hashes.sha3_256);
  if (!hashes.md5.empty()) return digest_is(EVP_md5(), content, hashes.md5);
  return true;
}

ZipMatcher::ZipMatcher(const std::vector<RemoteEntry>& files, std::uint64_t max_bytes) {
  std::set<std::string> twice;
  for (const RemoteEntry& file : files) {
    const bool fits = file.size > 0 && file.size <= max_bytes - bytes_;
    if (!fits || file.kind != NodeKind::kFile || file.name.find('/') != std::string::npos) continue;
    const auto [at, added] = wanted_.emplace(file.name, Wanted{file.id, file.size, file.hashes});
    if (!added) {
      twice.insert(file.name);
      continue;
    }
    bytes_ += file.size;
  }
  for (const std::string& name : twice) wanted_.erase(name);
  for (const auto& [name, wanted] : wanted_) ids_.push_back(wanted.id);
}

std::size_t ZipMatcher::max_archive() const {
  return static_cast<std::size_t>(bytes_ + kEntryOverhead * (ids_.size() + 1));
}

Result<void> ZipMatcher::deliver(
    Bytes bytes, const std::function<void(const RemoteId&, std::string)>& on_file) const {
  const std::unique_ptr<archive, CloseArchive> reader(archive_read_new());
  if (reader == nullptr || archive_read_support_format_zip(reader.get()) != ARCHIVE_OK ||
      archive_read_open_memory(reader.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) {
    return fail(ErrorCode::kCorrupt, "bulk download: not an archive");
  }
  std::set<std::string> delivered;
  archive_entry* entry = nullptr;
  // A warning (a name in another character set) still gives an entry.
  for (int state = ARCHIVE_OK;
       (state = archive_read_next_header(reader.get(), &entry)) == ARCHIVE_OK ||
       state == ARCHIVE_WARN;) {
    const char* path = archive_entry_pathname_utf8(entry);
    if (path == nullptr) path = archive_entry_pathname(entry);
    if (path == nullptr) continue;
    std::string name = path;
    name.erase(0, name.rfind('/') + 1);
    const auto found = wanted_.find(name);
    if (found == wanted_.end() || delivered.count(name) != 0) continue;
    const Wanted& wanted = found->second;
    if (archive_entry_size_is_set(entry) != 0 &&
        archive_entry_size(entry) != static_cast<la_int64_t>(wanted.size)) {
      continue;
    }
    std::string content;
    if (!read_entry(reader.get(), wanted.size, content)) continue;
    if (!matches(wanted.hashes, as_bytes(content))) continue;
    delivered.insert(name);
    on_file(wanted.id, std::move(content));
  }
  return {};
}

}  // namespace cabinetfs::kiteworks
