#include "backend/kiteworks/bulk_zip.h"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <map>

namespace cabinetfs::kiteworks {
namespace {

RemoteEntry file(const std::string& id, const std::string& name, std::uint64_t size) {
  RemoteEntry entry;
  entry.id.value = id;
  entry.name = name;
  entry.size = size;
  return entry;
}

std::string zip(const std::vector<std::pair<std::string, std::string>>& files, bool deflate) {
  std::string out(1 << 20, '\0');
  std::size_t used = 0;
  archive* const writer = archive_write_new();
  archive_write_set_format_zip(writer);
  archive_write_zip_set_compression_store(writer);
  if (deflate) archive_write_zip_set_compression_deflate(writer);
  archive_write_set_options(writer, "hdrcharset=UTF-8");
  EXPECT_EQ(archive_write_open_memory(writer, out.data(), out.size(), &used), ARCHIVE_OK);
  for (const auto& [name, content] : files) {
    archive_entry* const entry = archive_entry_new();
    archive_entry_set_pathname_utf8(entry, name.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    EXPECT_EQ(archive_write_header(writer, entry), ARCHIVE_OK);
    archive_write_data(writer, content.data(), content.size());
    archive_entry_free(entry);
  }
  archive_write_close(writer);
  archive_write_free(writer);
  out.resize(used);
  return out;
}

std::map<std::string, std::string> deliver(const ZipMatcher& matcher, const std::string& archive) {
  std::map<std::string, std::string> got;
  const auto done =
      matcher.deliver(as_bytes(archive), [&](const RemoteId& id, std::string content) {
        EXPECT_TRUE(got.emplace(id.value, std::move(content)).second) << "once";
      });
  if (!done) got["error"] = to_string(done.error());
  return got;
}

TEST(BulkZip, FilesAreFoundByNameAndSize) {
  const ZipMatcher matcher({file("1", "a", 3), file("2", "b.txt", 5)}, 1000);
  EXPECT_EQ(matcher.ids().size(), 2u);
  for (const bool deflate : {false, true}) {
    const auto got = deliver(
        matcher, zip({{"folder/a", "one"}, {"b.txt", "three"}, {"stranger", "x"}}, deflate));
    EXPECT_EQ(got, (std::map<std::string, std::string>{{"1", "one"}, {"2", "three"}}));
  }
}

TEST(BulkZip, WhatDoesNotFitIsLeftOut) {
  const ZipMatcher matcher({file("1", "a", 3), file("2", "b", 4), file("3", "c", 3)}, 1000);
  const auto got =
      deliver(matcher, zip({{"a", "longer"}, {"b", "sho"}, {"c", "yes"}, {"c", "two"}}, false));
  EXPECT_EQ(got, (std::map<std::string, std::string>{{"3", "yes"}}));
}

TEST(BulkZip, NamesThatComeTwiceAreNotAskedFor) {
  const ZipMatcher matcher({file("1", "a", 3), file("2", "a", 3), file("3", "b", 3)}, 1000);
  ASSERT_EQ(matcher.ids().size(), 1u);
  EXPECT_EQ(matcher.ids()[0].value, "3");
}

TEST(BulkZip, TheWholeIsBounded) {
  const ZipMatcher matcher(
      {file("1", "a", 600), file("2", "b", 500), file("3", "c", 400), file("4", "d", 0)}, 1000);
  std::vector<std::string> ids;
  for (const RemoteId& id : matcher.ids()) ids.push_back(id.value);
  EXPECT_EQ(ids, (std::vector<std::string>{"1", "3"}));
  EXPECT_GT(matcher.max_archive(), 1000u);
}

TEST(BulkZip, HashesDecide) {
  RemoteEntry right = file("1", "a", 5);
  right.hashes.md5 = "5d41402abc4b2a76b9719d911017c592";
  RemoteEntry wrong = file("2", "b", 5);
  wrong.hashes.md5 = "00000000000000000000000000000000";
  const ZipMatcher matcher({right, wrong}, 1000);
  EXPECT_EQ(deliver(matcher, zip({{"a", "hello"}, {"b", "hello"}}, false)),
            (std::map<std::string, std::string>{{"1", "hello"}}));
}

TEST(BulkZip, ACutArchiveGivesWhatIsIntact) {
  const std::string content(50'000, 'x');
  const ZipMatcher matcher({file("1", "a", 3), file("2", "b", 50'000)}, 100'000);
  std::string cut = zip({{"a", "one"}, {"b", content}}, false);
  cut.resize(20'000);
  const auto got = deliver(matcher, cut);
  EXPECT_EQ(got.count("2"), 0u);
}

TEST(BulkZip, NonsenseGivesNothing) {
  const ZipMatcher matcher({file("1", "a", 3)}, 1000);
  for (const std::string& nonsense :
       {std::string(), std::string("not a zip"), std::string(5000, 'P')}) {
    const auto got = deliver(matcher, nonsense);
    EXPECT_EQ(got.count("1"), 0u);
  }
}

}  // namespace
}  // namespace cabinetfs::kiteworks
