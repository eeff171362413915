// Reading, uploading and versions.

#include <algorithm>
#include <map>

#include "tests/contract/contract.h"

namespace cabinetfs {
namespace {

constexpr WallTime kSomeTime{std::chrono::seconds(1600000000)};

TEST_P(Contract, AnyPartOfAContentCanBeRead) {
  const std::string content = pattern(100'000);
  const auto file = create(work().id, "a.bin", content);
  ASSERT_OK(file);
  EXPECT_EQ(file->size, content.size());
  const auto whole = read(*file);
  ASSERT_OK(whole);
  EXPECT_TRUE(*whole == content);
  for (const auto& [offset, length] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {0, 1}, {1, 99'998}, {99'999, 1}, {50'000, 4096}, {7, 0}, {100'000, 0}}) {
    const auto part = read_part(*file, offset, length);
    ASSERT_OK(part);
    EXPECT_TRUE(*part == content.substr(offset, length)) << offset << "+" << length;
  }
}

TEST_P(Contract, NothingIsReadBeyondTheEnd) {
  const auto file = create(work().id, "a.bin", "hello");
  ASSERT_OK(file);
  EXPECT_CODE(read_part(*file, 3, 5), ErrorCode::kInvalid);
}

TEST_P(Contract, AFileThatChangedIsNoLongerReadAsTheOldOne) {
  const auto file = create(work().id, "a.bin", "hello");
  ASSERT_OK(file);
  world().write_as_other("Work/a.bin", "hello world");
  EXPECT_CODE(read(*file), ErrorCode::kConflict);
  EXPECT_CODE(read_part(*file, 1, 2), ErrorCode::kConflict);
}

TEST_P(Contract, TheSinkCanStopARead) {
  const auto file = create(work().id, "a.bin", pattern(60'000));
  ASSERT_OK(file);
  EXPECT_CODE(
      store().read(soon(), {file->id, {}, 0, file->size, file->size}, [](Bytes) { return false; }),
      ErrorCode::kCancelled);
}

TEST_P(Contract, EmptyFilesExist) {
  const auto file = create(work().id, "empty", "");
  ASSERT_OK(file);
  EXPECT_EQ(file->size, 0u);
  EXPECT_EQ(*read(*file), "");
  const auto by_session = upload_large({{}, work().id, "also-empty", {}}, "");
  ASSERT_OK(by_session);
  EXPECT_EQ(by_session->size, 0u);
  EXPECT_EQ(names(work().id), (std::vector<std::string>{"also-empty", "empty"}));
}

TEST_P(Contract, EveryWriteChangesTheValidator) {
  if (!world().tells_every_write()) GTEST_SKIP() << "this server shows size and second only";
  const auto one = create(work().id, "a.txt", "one");
  ASSERT_OK(one);
  // The same size within the same second: all there is to see is that there was another write.
  world().write_as_other("Work/a.txt", "two");
  const auto two = store().stat(soon(), NodeKind::kFile, one->id);
  ASSERT_OK(two);
  EXPECT_NE(one->validator, two->validator);
  const auto three = overwrite(*two, "six");
  ASSERT_OK(three);
  EXPECT_NE(two->validator, three->validator);
  const auto seen = store().stat(soon(), NodeKind::kFile, one->id);
  ASSERT_OK(seen);
  EXPECT_EQ(seen->validator, three->validator);
  EXPECT_EQ(find("Work/a.txt").validator, three->validator);
}

TEST_P(Contract, OverwritingKeepsTheId) {
  const auto file = create(work().id, "a.txt", "one");
  ASSERT_OK(file);
  const auto again = overwrite(*file, "one and a half");
  ASSERT_OK(again);
  EXPECT_EQ(again->id, file->id);
  EXPECT_EQ(again->name, "a.txt");
  EXPECT_EQ(again->size, 14u);
  EXPECT_EQ(*read(*again), "one and a half");
}

TEST_P(Contract, AnOverwriteNeedsNoName) {
  const auto file = create(work().id, "a.txt", "one");
  ASSERT_OK(file);
  UploadTarget target;
  target.file = file->id;
  ASSERT_OK(upload(target, "two"));
  ASSERT_OK(upload_large(target, "three"));
  EXPECT_EQ(world().content_of("Work/a.txt"), "three");
  EXPECT_EQ(names(work().id), std::vector<std::string>{"a.txt"});
}

TEST_P(Contract, TheUploadersTimeIsKept) {
  if (!can().mtime_at_upload) GTEST_SKIP() << "this store keeps its own times";
  const auto by_put = upload({{}, work().id, "a.txt", kSomeTime}, "one");
  ASSERT_OK(by_put);
  EXPECT_EQ(by_put->modified, kSomeTime);
  const auto by_session = upload_large({{}, work().id, "b.txt", kSomeTime}, "one");
  ASSERT_OK(by_session);
  EXPECT_EQ(by_session->modified, kSomeTime);
  EXPECT_EQ(find("Work/a.txt").modified, kSomeTime);
  UploadTarget later{by_put->id, {}, "a.txt", kSomeTime + std::chrono::seconds(10)};
  const auto again = upload(later, "two");
  ASSERT_OK(again);
  EXPECT_EQ(again->modified, later.modified);
}

TEST_P(Contract, ALargeFileIsCarried) {
  const std::string content = pattern(large_size(), 7);
  const auto file = upload_large({{}, work().id, "large.bin", {}}, content);
  ASSERT_OK(file);
  EXPECT_EQ(file->size, content.size());
  // Where it is told.
  EXPECT_TRUE(file->version_count <= 1) << file->version_count;
  EXPECT_TRUE(*read(*file) == content);
  const std::string other = pattern(large_size() - 1000, 8);
  UploadTarget target{file->id, {}, "large.bin", {}};
  const auto again = upload_large(target, other);
  ASSERT_OK(again);
  EXPECT_EQ(again->id, file->id);
  if (again->version_count != 0) {
    EXPECT_EQ(again->version_count, can().versions ? 2u : 1u);
  }
  EXPECT_TRUE(world().content_of("Work/large.bin") == other);
  if (!can().versions) return;
  const auto versions = store().versions(soon(), file->id);
  ASSERT_OK(versions);
  EXPECT_EQ(versions->size(), 2u) << "each once";
}

TEST_P(Contract, NothingIsThereBeforeTheLastChunk) {
  if (!has_sessions()) GTEST_SKIP() << "uploads are one stream here";
  const std::string content = pattern(can().chunk_size + 10, 3);
  auto session = store().upload_begin(soon(), {{}, work().id, "a.bin", {}}, content.size());
  ASSERT_OK(session);
  EXPECT_FALSE(exists("Work/a.bin"));
  const auto first =
      store().upload_chunk(soon(), *session, as_bytes(content).first(session->chunk_size));
  ASSERT_OK(first);
  EXPECT_FALSE(first->has_value());
  EXPECT_EQ(session->next_chunk, 1u);
  EXPECT_FALSE(exists("Work/a.bin"));
  const auto last =
      store().upload_chunk(soon(), *session, as_bytes(content).subspan(session->chunk_size));
  ASSERT_OK(last);
  ASSERT_TRUE(last->has_value());
  EXPECT_EQ((*last)->name, "a.bin");
}

TEST_P(Contract, ASessionIsTakenUpWhereTheServerStands) {
  if (!has_sessions()) GTEST_SKIP() << "uploads are one stream here";
  const std::string content = pattern(can().chunk_size * 2 + 10, 4);
  auto session = store().upload_begin(soon(), {{}, work().id, "a.bin", {}}, content.size());
  ASSERT_OK(session);
  const UploadSession stored = *session;
  const auto chunk = [&](std::uint64_t number) {
    const std::uint64_t offset = number * stored.chunk_size;
    return as_bytes(content).subspan(
        offset, std::min<std::uint64_t>(stored.chunk_size, content.size() - offset));
  };
  ASSERT_OK(store().upload_chunk(soon(), *session, chunk(0)));
  // The session as it was stored before the crash.
  auto resumed = store().upload_resume(soon(), stored);
  ASSERT_OK(resumed);
  EXPECT_EQ(resumed->next_chunk, 1u);
  ASSERT_OK(store().upload_chunk(soon(), *resumed, chunk(1)));
  // A chunk that the server has already is not taken twice.
  UploadSession behind = *resumed;
  behind.next_chunk = 1;
  EXPECT_CODE(store().upload_chunk(soon(), behind, chunk(1)), ErrorCode::kConflict);
  const auto done = store().upload_chunk(soon(), *resumed, chunk(2));
  ASSERT_OK(done);
  ASSERT_TRUE(done->has_value());
  EXPECT_CODE(store().upload_resume(soon(), *resumed), ErrorCode::kNotFound);
  EXPECT_TRUE(world().content_of("Work/a.bin") == content);
}

TEST_P(Contract, AnAbortedSessionIsGone) {
  if (!has_sessions()) GTEST_SKIP() << "uploads are one stream here";
  auto session = store().upload_begin(soon(), {{}, work().id, "a.bin", {}}, can().chunk_size + 1);
  ASSERT_OK(session);
  ASSERT_OK(store().upload_abort(soon(), *session));
  ASSERT_OK(store().upload_abort(soon(), *session));
  EXPECT_CODE(store().upload_resume(soon(), *session), ErrorCode::kNotFound);
  const std::string chunk = pattern(session->chunk_size);
  EXPECT_CODE(store().upload_chunk(soon(), *session, as_bytes(chunk)), ErrorCode::kConflict);
  EXPECT_FALSE(exists("Work/a.bin"));
}

TEST_P(Contract, AChunkOfAnotherSizeIsRefused) {
  if (!has_sessions()) GTEST_SKIP() << "uploads are one stream here";
  auto session = store().upload_begin(soon(), {{}, work().id, "a.bin", {}}, can().chunk_size + 10);
  ASSERT_OK(session);
  EXPECT_CODE(store().upload_chunk(soon(), *session, as_bytes("short")), ErrorCode::kInvalid);
}

TEST_P(Contract, ASessionDoesNotStartOntoATakenName) {
  if (!has_sessions()) GTEST_SKIP() << "uploads are one stream here";
  ASSERT_OK(create(work().id, "a.bin", "theirs"));
  EXPECT_CODE(store().upload_begin(soon(), {{}, work().id, "a.bin", {}}, 10), ErrorCode::kExists);
}

TEST_P(Contract, ANameTakenDuringTheUploadStaysTheOthers) {
  if (!has_sessions()) GTEST_SKIP() << "uploads are one stream here";
  const std::string content = pattern(can().chunk_size + 10, 5);
  auto session = store().upload_begin(soon(), {{}, work().id, "a.bin", {}}, content.size());
  ASSERT_OK(session);
  ASSERT_OK(store().upload_chunk(soon(), *session, as_bytes(content).first(session->chunk_size)));
  world().write_as_other("Work/a.bin", "theirs");
  EXPECT_CODE(
      store().upload_chunk(soon(), *session, as_bytes(content).subspan(session->chunk_size)),
      ErrorCode::kExists);
  EXPECT_EQ(world().content_of("Work/a.bin"), "theirs");
}

TEST_P(Contract, AStreamDoesNotGoOntoATakenName) {
  if (has_sessions()) GTEST_SKIP() << "uploads are sessions here";
  ASSERT_OK(create(work().id, "a.bin", "theirs"));
  EXPECT_CODE(upload_large({{}, work().id, "a.bin", {}}, pattern(large_size())),
              ErrorCode::kExists);
  EXPECT_EQ(world().content_of("Work/a.bin"), "theirs");
}

TEST_P(Contract, AStreamThatCannotBeReadIsNoUpload) {
  if (has_sessions()) GTEST_SKIP() << "uploads are sessions here";
  ContentSource source;
  source.size = large_size() + (4u << 20);  // no single piece
  source.read = [](std::uint64_t offset, MutableBytes) { return offset == 0; };
  EXPECT_CODE(store().put_stream(soon(), {{}, work().id, "a.bin", {}}, source), ErrorCode::kIo);
}

TEST_P(Contract, OldVersionsAreListedReadAndRestored) {
  if (!can().versions) GTEST_SKIP() << "no versions here";
  const auto file = create(work().id, "a.txt", "one");
  ASSERT_OK(file);
  ASSERT_OK(overwrite(*file, "two!"));
  world().write_as_other("Work/a.txt", "three");
  auto versions = store().versions(soon(), file->id);
  ASSERT_OK(versions);
  ASSERT_EQ(versions->size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    const RemoteVersion& version = (*versions)[i];
    EXPECT_EQ(version.number, 3 - i) << "newest first";
    EXPECT_EQ(version.current, i == 0);
    RemoteEntry as_file = *file;
    as_file.size = version.size;
    const auto content = read(as_file, version.id);
    ASSERT_OK(content);
    EXPECT_EQ(*content, std::vector<std::string>({"three", "two!", "one"})[i]);
  }
  if (!can().promote) return;
  const auto promoted = store().promote(soon(), file->id, (*versions)[2].id);
  ASSERT_OK(promoted);
  EXPECT_EQ(promoted->id, file->id);
  EXPECT_EQ(promoted->size, 3u);
  EXPECT_EQ(world().content_of("Work/a.txt"), "one");
  const auto after = store().stat(soon(), NodeKind::kFile, file->id);
  ASSERT_OK(after);
  EXPECT_EQ(after->validator, promoted->validator);
  EXPECT_NE(after->validator, file->validator);
}

TEST_P(Contract, RestoringKeepsTheNameOfTheFile) {
  if (!can().promote || !can().rename) GTEST_SKIP() << "no versions, or no other names, here";
  const auto file = create(work().id, "old.txt", "one");
  ASSERT_OK(file);
  ASSERT_OK(overwrite(*file, "two"));
  ASSERT_OK(store().rename(soon(), NodeKind::kFile, file->id, "new.txt"));
  const auto versions = store().versions(soon(), file->id);
  ASSERT_OK(versions);
  const auto promoted = store().promote(soon(), file->id, versions->back().id);
  ASSERT_OK(promoted);
  EXPECT_EQ(promoted->name, "new.txt");
  EXPECT_EQ(names(work().id), std::vector<std::string>{"new.txt"});
  EXPECT_EQ(world().content_of("Work/new.txt"), "one");
}

TEST_P(Contract, ACopyHasItsOwnLife) {
  if (!can().copy) GTEST_SKIP() << "no server-side copy";
  const auto file = create(work().id, "a.txt", "hello");
  const auto folder = store().create_folder(soon(), work().id, "d");
  ASSERT_OK(file);
  ASSERT_OK(folder);
  const auto beside = store().copy_file(soon(), file->id, work().id, "b.txt");
  ASSERT_OK(beside);
  EXPECT_EQ(beside->name, "b.txt");
  EXPECT_NE(beside->id, file->id);
  const auto below = store().copy_file(soon(), file->id, folder->id, "a.txt");
  ASSERT_OK(below);
  EXPECT_EQ(below->parent, folder->id);
  EXPECT_CODE(store().copy_file(soon(), file->id, work().id, "b.txt"), ErrorCode::kExists);
  EXPECT_EQ(names(work().id), (std::vector<std::string>{"a.txt", "b.txt", "d"}));
  ASSERT_OK(overwrite(*file, "changed"));
  EXPECT_EQ(world().content_of("Work/b.txt"), "hello");
}

TEST_P(Contract, SmallFilesComeInBulk) {
  if (can().bulk_read_max == 0) GTEST_SKIP() << "no bulk download";
  std::vector<RemoteEntry> files;
  std::map<std::string, std::string> expected;
  const auto sub = store().create_folder(soon(), work().id, "sub");
  ASSERT_OK(sub);
  for (int i = 0; i < 8; ++i) {
    const std::string content =
        pattern(static_cast<std::size_t>(i) * 100 + 1, static_cast<unsigned>(i));
    const auto file = create(i % 2 == 0 ? work().id : sub->id, "f" + std::to_string(i), content);
    ASSERT_OK(file);
    files.push_back(*file);
    expected[file->id.value] = content;
  }
  world().remove_as_other("Work/f2");
  expected.erase(files[2].id.value);
  std::map<std::string, std::string> got;
  const auto done = store().read_many(soon(), files, [&](const RemoteId& id, std::string content) {
    EXPECT_EQ(got.count(id.value), 0u) << "each file once";
    got[id.value] = std::move(content);
  });
  // A vendor may refuse the whole when one file is gone; what came is right in any case.
  for (const auto& [id, content] : got)
    EXPECT_TRUE(expected.count(id) == 1 && expected[id] == content);
  if (done) {
    EXPECT_EQ(got.size(), expected.size());
  } else {
    files.erase(files.begin() + 2);
    got.clear();
    ASSERT_OK(store().read_many(soon(), files, [&](const RemoteId& id, std::string content) {
      got[id.value] = std::move(content);
    }));
    EXPECT_EQ(got, expected);
  }
}

TEST_P(Contract, TwoFilesOfOneNameAreNotMixedUpInBulk) {
  if (can().bulk_read_max == 0) GTEST_SKIP() << "no bulk download";
  const auto sub = store().create_folder(soon(), work().id, "sub");
  ASSERT_OK(sub);
  const auto one = create(work().id, "same", "1111");
  const auto two = create(sub->id, "same", "2222");
  ASSERT_OK(one);
  ASSERT_OK(two);
  const auto done =
      store().read_many(soon(), {*one, *two}, [&](const RemoteId& id, std::string content) {
        EXPECT_EQ(content, id == one->id ? "1111" : "2222");
      });
  ASSERT_OK(done);
}

TEST_P(Contract, AFileUnderScanIsTriedAgainLater) {
  if (!world().has_scans()) GTEST_SKIP() << "no virus scans here";
  const auto file = create(work().id, "a.txt", "hello");
  ASSERT_OK(file);
  world().set_scanning("Work/a.txt", true);
  EXPECT_CODE(read(*file), ErrorCode::kTryAgain);
  const auto entry = store().stat(soon(), NodeKind::kFile, file->id);
  ASSERT_OK(entry);
  EXPECT_EQ(entry->scan, ScanState::kScanning);
  EXPECT_EQ(entry->validator, file->validator) << "scanning changes nothing";
  world().set_scanning("Work/a.txt", false);
  EXPECT_EQ(*read(*file), "hello");
}

TEST_P(Contract, AFullAccountSaysSo) {
  if (!world().has_quota()) GTEST_SKIP() << "nothing limits the account";
  const auto file = create(work().id, "a.txt", pattern(1000));
  ASSERT_OK(file);
  world().set_quota(1500);
  EXPECT_CODE(create(work().id, "b.txt", pattern(1000)), ErrorCode::kOverQuota);
  EXPECT_CODE(upload_large({{}, work().id, "b.txt", {}}, pattern(1000)), ErrorCode::kOverQuota);
  EXPECT_CODE(overwrite(*file, pattern(2000, 2)), ErrorCode::kOverQuota);
  if (!can().quota) return;
  const auto quota = store().quota(soon());
  ASSERT_OK(quota);
  EXPECT_EQ(quota->used, 1000u);
  if (!world().tells_quota()) {
    EXPECT_FALSE(quota->total.has_value());
    return;
  }
  EXPECT_EQ(quota->total, std::optional<std::uint64_t>(1500));
  world().set_quota(0);
  const auto unlimited = store().quota(soon());
  ASSERT_OK(unlimited);
  EXPECT_FALSE(unlimited->total.has_value());
}

}  // namespace
}  // namespace cabinetfs
