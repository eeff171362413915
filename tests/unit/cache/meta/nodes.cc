#include "tests/unit/cache/meta/nodes.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cache/sealer.h"

namespace cabinetfs {

std::unique_ptr<Sealer> test_sealer() {
  Sealer::Key key;
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::byte>(i * 3);
  return Sealer::aes_gcm(key);
}

NodeRecord clean_node(std::uint64_t ino, std::uint64_t parent, const std::string& name) {
  NodeRecord node;
  node.ino = InodeNumber{ino};
  node.parent = node.remote_parent = InodeNumber{parent};
  node.name = name;
  node.size = 12'345 + ino;
  node.mtime = node.atime = node.ctime =
      WallTime(std::chrono::nanoseconds(1'769'028'222'000'000'000));
  node.btime = node.mtime - std::chrono::hours(48);
  RemoteEntry entry;
  entry.id = RemoteId{fmt::format("7b0c2f1e-{:012}", ino)};
  entry.parent = RemoteId{fmt::format("7b0c2f1e-{:012}", parent)};
  entry.name = name;
  entry.size = node.size;
  entry.modified = node.mtime;
  entry.changed = node.mtime + std::chrono::seconds(3);
  entry.created = node.btime;
  entry.validator = Validator{fmt::format("{}-1769028222", ino)};
  entry.rights = Rights::all();
  entry.hashes.md5 = "5d41402abc4b2a76b9719d911017c592";
  entry.hashes.sha3_256 = "3338be694f50c5f338814986cdf0686453a888b84f424d792af4b9202398f392";
  entry.scan = ScanState::kAllowed;
  entry.version_count = 3;
  entry.mime = "application/octet-stream";
  entry.creator = "someone@example.com";
  node.remote = std::move(entry);
  return node;
}

void expect_same(const NodeRecord& a, const NodeRecord& b) {
  EXPECT_EQ(a.ino, b.ino);
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_TRUE(a.remote == b.remote);
  EXPECT_EQ(a.remote_parent, b.remote_parent);
  EXPECT_EQ(a.parent, b.parent);
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.size, b.size);
  EXPECT_TRUE(a.mtime == b.mtime && a.atime == b.atime && a.ctime == b.ctime && a.btime == b.btime);
  EXPECT_EQ(a.mode, b.mode);
  EXPECT_EQ(a.times_local, b.times_local);
  EXPECT_EQ(a.xattrs, b.xattrs);
  EXPECT_EQ(a.description, b.description);
  EXPECT_EQ(a.deleted, b.deleted);
  EXPECT_EQ(a.content_dirty, b.content_dirty);
  EXPECT_EQ(a.generation, b.generation);
  EXPECT_EQ(a.uploaded_generation, b.uploaded_generation);
  EXPECT_EQ(a.staged, b.staged);
  EXPECT_TRUE(a.base == b.base);
  EXPECT_EQ(a.base_validator.value, b.base_validator.value);
  EXPECT_TRUE(a.base_modified == b.base_modified);
  EXPECT_EQ(a.base_version, b.base_version);
  EXPECT_EQ(a.upload_soon, b.upload_soon);
  EXPECT_TRUE(a.changed_at == b.changed_at);
  EXPECT_TRUE(a.intent == b.intent);
  EXPECT_EQ(a.intent.versions_before, b.intent.versions_before);
  EXPECT_EQ(a.intent.md5, b.intent.md5);
  EXPECT_TRUE(a.intent.modified == b.intent.modified);
  EXPECT_EQ(a.intent.folder, b.intent.folder);
  EXPECT_EQ(a.intent.name, b.intent.name);
  ASSERT_EQ(a.intent.session.has_value(), b.intent.session.has_value());
  if (a.intent.session) {
    const UploadSession& x = *a.intent.session;
    const UploadSession& y = *b.intent.session;
    EXPECT_EQ(x.id, y.id);
    EXPECT_EQ(x.address, y.address);
    EXPECT_EQ(x.size, y.size);
    EXPECT_EQ(x.chunk_size, y.chunk_size);
    EXPECT_EQ(x.next_chunk, y.next_chunk);
    EXPECT_EQ(x.target.file.value, y.target.file.value);
    EXPECT_EQ(x.target.parent.value, y.target.parent.value);
    EXPECT_EQ(x.target.name, y.target.name);
    EXPECT_TRUE(x.target.modified == y.target.modified);
  }
  EXPECT_TRUE(a.failure == b.failure);
  EXPECT_EQ(a.conflict, b.conflict);
  EXPECT_TRUE(a.listed_at == b.listed_at);
  EXPECT_EQ(a.listed, b.listed);
  EXPECT_EQ(a.pin, b.pin);
  EXPECT_EQ(a.sync, b.sync);
  EXPECT_EQ(a.lock_taken, b.lock_taken);
  EXPECT_EQ(a.renamed, b.renamed);
}

}  // namespace cabinetfs
