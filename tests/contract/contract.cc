#include "tests/contract/contract.h"

#include <algorithm>

#include "tests/support/needs.h"

namespace cabinetfs {

void Contract::SetUp() {
  world_ = GetParam().make();
  CABINET_NEEDS(world_ ? "" : "the server of this world is not installed");
  const auto account = store().account(soon());
  ASSERT_TRUE(account) << why(account);
}

CallContext Contract::soon() { return CallContext::within(std::chrono::seconds(60)); }

RemoteEntry Contract::work() { return find("Work"); }

RemoteEntry Contract::find(const std::string& path) {
  const auto root = store().root(soon());
  EXPECT_TRUE(root) << why(root);
  RemoteEntry at = root ? *root : RemoteEntry();
  for (const std::string& name : split(path, '/')) {
    const auto found = store().find_child(soon(), at.id, name);
    if (!found || !*found) {
      ADD_FAILURE() << "nothing at " << path << ": " << why(found);
      return {};
    }
    at = **found;
  }
  return at;
}

bool Contract::exists(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const auto found =
      store().find_child(soon(), find(path.substr(0, slash)).id, path.substr(slash + 1));
  EXPECT_TRUE(found) << why(found);
  return found && found->has_value();
}

std::vector<std::string> Contract::names(const RemoteId& folder) {
  std::vector<std::string> names;
  const auto entries = store().list(soon(), folder);
  EXPECT_TRUE(entries) << why(entries);
  if (entries) {
    for (const RemoteEntry& entry : *entries) names.push_back(entry.name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<RemoteEntry> Contract::upload_by_session(const UploadTarget& target,
                                                const std::string& content) {
  TRY_ASSIGN(UploadSession session, store().upload_begin(soon(), target, content.size()));
  while (true) {
    const std::uint64_t offset = session.next_chunk * session.chunk_size;
    const std::uint64_t size = std::min<std::uint64_t>(session.chunk_size, content.size() - offset);
    TRY_ASSIGN(auto entry,
               store().upload_chunk(soon(), session, as_bytes(content).subspan(offset, size)));
    if (entry) return *std::move(entry);
  }
}

Result<RemoteEntry> Contract::upload(const UploadTarget& target, const std::string& content) {
  if (content.size() <= can().put_max) return store().put(soon(), target, as_bytes(content));
  return upload_large(target, content);
}

Result<RemoteEntry> Contract::upload_large(const UploadTarget& target, const std::string& content) {
  if (has_sessions()) return upload_by_session(target, content);
  ContentSource source;
  source.size = content.size();
  source.read = [&](std::uint64_t offset, MutableBytes out) {
    if (offset > content.size() || out.size() > content.size() - offset) return false;
    const Bytes from = as_bytes(content).subspan(offset, out.size());
    std::copy(from.begin(), from.end(), out.begin());
    return true;
  };
  return store().put_stream(soon(), target, source);
}

std::uint64_t Contract::large_size() {
  return has_sessions() ? can().chunk_size * 2 + 12345 : can().put_max + 12345;
}

void Contract::expect_same_object(const RemoteEntry& before, const RemoteEntry& after) {
  if (!can().ids_follow_path) {
    EXPECT_EQ(after.id, before.id);
    return;
  }
  EXPECT_NE(after.id, before.id);
  EXPECT_EQ(store().rebase(before.id, before.id, after.id), after.id);
  const auto old_place = store().stat(soon(), before.kind, before.id);
  EXPECT_FALSE(old_place);
  if (!old_place) {
    EXPECT_EQ(to_string(old_place.error().code), to_string(ErrorCode::kNotFound));
  }
}

Result<RemoteEntry> Contract::create(const RemoteId& folder, const std::string& name,
                                     const std::string& content) {
  UploadTarget target;
  target.parent = folder;
  target.name = name;
  return upload(target, content);
}

Result<RemoteEntry> Contract::overwrite(const RemoteEntry& file, const std::string& content) {
  UploadTarget target;
  target.file = file.id;
  target.name = file.name;
  return upload(target, content);
}

Result<std::string> Contract::read_part(const RemoteEntry& file, std::uint64_t offset,
                                        std::uint64_t length) {
  std::string content;
  TRY(store().read(soon(), {file.id, {}, offset, length, file.size}, [&](Bytes bytes) {
    content += as_text(bytes);
    return true;
  }));
  return content;
}

Result<std::string> Contract::read(const RemoteEntry& file, const VersionId& version) {
  std::string content;
  TRY(store().read(soon(), {file.id, version, 0, file.size, file.size}, [&](Bytes bytes) {
    content += as_text(bytes);
    return true;
  }));
  return content;
}

std::string pattern(std::size_t size, unsigned seed) {
  std::string text(size, '\0');
  std::uint32_t state = seed * 2654435761u + 1;
  for (char& c : text) {
    state = state * 1664525u + 1013904223u;
    c = static_cast<char>(state >> 24);
  }
  return text;
}

}  // namespace cabinetfs
