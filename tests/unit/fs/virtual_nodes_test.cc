#include "fs/virtual_nodes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "fs/control_files.h"
#include "tests/unit/fs/memory_volume.h"

namespace cabinetfs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Virtual : public ::testing::Test {
 protected:
  Virtual() {
    file_ = volume_.add_file("doc", "one");
    volume_.add_version("doc", "second");
    folder_ = volume_.add_folder("dir");
  }
  std::vector<std::string> names(InodeNumber ino) {
    std::vector<std::string> out;
    const DirListing listing = nodes_.list(call_, ino).value();
    for (const DirEntry& entry : *listing) out.push_back(entry.name);
    return out;
  }
  std::string read(InodeNumber ino) {
    const auto opened = nodes_.open(call_, ino).value();
    std::string text(opened.content->size(), '\0');
    EXPECT_EQ(opened.content->read(call_, 0, std::as_writable_bytes(std::span(text))).value(),
              text.size());
    return text;
  }
  ErrorCode code(const Result<Attributes>& result) {
    return result ? ErrorCode::kInternal : result.error().code;
  }

  MemoryVolume volume_;
  VirtualNodes nodes_{volume_, {{"one", [] { return "first text"; }}, {"two", [] { return ""; }}}};
  const CallContext call_;
  InodeNumber file_, folder_;
};

TEST_F(Virtual, VersionsAreADirectoryOfNumberedFiles) {
  const auto directory = nodes_.lookup(call_, kRootInode, "doc@@").value();
  EXPECT_TRUE(VirtualNodes::contains(directory.ino));
  EXPECT_EQ(directory.kind, NodeKind::kFolder);
  EXPECT_EQ(directory.mode, 0555u);
  EXPECT_EQ(VirtualNodes::backing(directory.ino), file_);
  EXPECT_THAT(names(directory.ino), ElementsAre("1", "2"));
  const auto first = nodes_.lookup(call_, directory.ino, "1").value();
  EXPECT_EQ(first.size, 3u);
  EXPECT_EQ(first.mode, 0444u);
  EXPECT_EQ(first.mtime, WallTime(std::chrono::hours(1000)));
  EXPECT_EQ(VirtualNodes::backing(first.ino), file_);
  EXPECT_EQ(VirtualNodes::version_number(first.ino), 1u);
  EXPECT_EQ(nodes_.getattr(call_, first.ino)->size, 3u);
  EXPECT_EQ(read(first.ino), "one");
  EXPECT_EQ(nodes_.get_xattr(call_, first.ino, "user.cabinet.version").value(), "1");
  // Listed is what there is.
  const std::vector<std::string> told = nodes_.list_xattrs(call_, first.ino).value();
  for (const char* key : {"access", "created", "hash.md5", "hash.sha3-256", "id", "modifier",
                          "version", "versions", "nonsense"}) {
    const std::string name = std::string("user.cabinet.") + key;
    EXPECT_EQ(std::count(told.begin(), told.end(), name),
              nodes_.get_xattr(call_, first.ino, name) ? 1 : 0)
        << name;
  }
  EXPECT_THAT(told, ::testing::SizeIs(::testing::Ge(4u)));
  EXPECT_EQ(nodes_.get_xattr(call_, first.ino, "user.cabinet.lock").error().code,
            ErrorCode::kNoData);
}

TEST_F(Virtual, OnlyRealVersionsOfRealFilesExist) {
  const auto directory = nodes_.lookup(call_, kRootInode, "doc@@").value();
  for (const char* name : {"0", "3", "01", "-1", "1 ", "", "x", "99999999999"}) {
    EXPECT_EQ(code(nodes_.lookup(call_, directory.ino, name)), ErrorCode::kNotFound) << name;
  }
  for (const char* name : {"dir@@", "missing@@", "@@", "doc@", "doc"}) {
    EXPECT_EQ(code(nodes_.lookup(call_, kRootInode, name)), ErrorCode::kNotFound) << name;
  }
  const auto first = nodes_.lookup(call_, directory.ino, "1").value();
  EXPECT_EQ(code(nodes_.lookup(call_, first.ino, "1")), ErrorCode::kNotDirectory);
  EXPECT_EQ(nodes_.open(call_, directory.ino).error().code, ErrorCode::kIsDirectory);
  volume_.can().versions = false;
  EXPECT_EQ(code(nodes_.lookup(call_, kRootInode, "doc@@")), ErrorCode::kNotFound);
}

TEST_F(Virtual, ControlDirectoryIsAtTheRootOnly) {
  const auto directory = nodes_.lookup(call_, kRootInode, ".cabinet").value();
  EXPECT_EQ(directory.mode, 0500u);
  EXPECT_THAT(names(directory.ino), ElementsAre("one", "two"));
  const auto one = nodes_.lookup(call_, directory.ino, "one").value();
  EXPECT_EQ(one.mode, 0400u);
  EXPECT_EQ(read(one.ino), "first text");
  EXPECT_TRUE(nodes_.open(call_, one.ino)->direct);
  EXPECT_FALSE(VirtualNodes::backing(one.ino));
  EXPECT_EQ(code(nodes_.lookup(call_, directory.ino, "three")), ErrorCode::kNotFound);
  EXPECT_EQ(code(nodes_.lookup(call_, folder_, ".cabinet")), ErrorCode::kNotFound);
}

TEST(ControlFiles, MetricsArePrometheusText) {
  VolumeStatus status;
  status.unsent_bytes = 42;
  RequestRunnerStats requests;
  requests.waited = 7;
  const std::string text = metrics_text(status, requests);
  EXPECT_THAT(text, HasSubstr("# TYPE cabinetfs_unsent_bytes gauge\ncabinetfs_unsent_bytes 42\n"));
  EXPECT_THAT(text, HasSubstr("cabinetfs_requests_waited_total 7\n"));
  EXPECT_EQ(text.back(), '\n');
}

}  // namespace
}  // namespace cabinetfs
