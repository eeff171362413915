// Reading and writing through open handles.
#include <gtest/gtest.h>

#include <thread>

#include "tests/support/gate.h"
#include "tests/unit/cache/tree/volume_harness.h"

namespace cabinetfs {
namespace {

using Mode = Volume::AllocateMode;

TEST(Data, AnUnlinkedFileLivesAsLongAsItsHandles) {
  VolumeHarness h({{"docs/a.txt", "old"}});
  auto file = h.open_rw("docs/a.txt");
  ASSERT_OK(file);
  ASSERT_OK(h.pwrite(**file, 3, " and new"));
  ASSERT_OK(h.unlink("docs/a.txt"));
  EXPECT_FALSE(h.exists("docs/a.txt"));
  EXPECT_EQ(h.read_all(**file).value_or("?"), "old and new");
  ASSERT_OK(h.pwrite(**file, 0, "OLD"));
  EXPECT_EQ(h.read_all(**file).value_or("?"), "OLD and new");
  EXPECT_EQ(h.volume->getattr(h.call(), (*file)->ino())->size, 11u);
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.read_all(**file).value_or("?"), "OLD and new");
  EXPECT_OK(h.close(*file));
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"docs", "/"}}));
}

TEST(Data, AnUnlinkedNewFileIsWritableAndNeverSent) {
  VolumeHarness h({{"docs/", ""}});
  auto file = h.create("docs/tmp");
  ASSERT_OK(file);
  ASSERT_OK(h.unlink("docs/tmp"));
  ASSERT_OK(h.pwrite(**file, 0, "scratch"));
  EXPECT_EQ(h.read_all(**file).value_or("?"), "scratch");
  SetAttributes set;
  set.size = 3;
  EXPECT_EQ(h.volume->setattr(h.call(), (*file)->ino(), set, file->get())->size, 3u);
  EXPECT_OK(h.close(*file));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.calls("put"), 0u);
}

TEST(Data, AHandleOnAFileThatWasRenamedOverKeepsItsContent) {
  VolumeHarness h({{"docs/a.txt", "old"}});
  auto reader = h.open_read("docs/a.txt");
  ASSERT_OK(reader);
  ASSERT_OK(h.write_file("docs/tmp", "new"));
  ASSERT_OK(h.rename("docs/tmp", "docs/a.txt"));
  EXPECT_EQ(h.text("docs/a.txt"), "new");
  EXPECT_EQ(h.read_all(**reader).value_or("?"), "old");
  EXPECT_OK(h.close(*reader));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"), (std::vector<std::string>{"old", "new"}));
}

TEST(Data, AHandleOnADirtyFileThatWasRenamedOverKeepsItsContent) {
  VolumeHarness h({{"docs/", ""}});
  ASSERT_OK(h.write_file("docs/a.txt", "unsent"));
  auto reader = h.open_read("docs/a.txt");
  ASSERT_OK(reader);
  ASSERT_OK(h.write_file("docs/tmp", "new"));
  ASSERT_OK(h.rename("docs/tmp", "docs/a.txt"));
  EXPECT_EQ(h.read_all(**reader).value_or("?"), "unsent");
  EXPECT_OK(h.close(*reader));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"), std::vector<std::string>{"new"});
}

TEST(Data, TruncateShortensAndGrowsWithZeros) {
  VolumeHarness h({{"docs/a.txt", "0123456789"}});
  ASSERT_OK(h.truncate("docs/a.txt", 4));
  EXPECT_EQ(h.text("docs/a.txt"), "0123");
  ASSERT_OK(h.truncate("docs/a.txt", 6));
  EXPECT_EQ(h.text("docs/a.txt"), std::string("0123\0\0", 6));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"),
            (std::vector<std::string>{"0123456789", std::string("0123\0\0", 6)}));
}

TEST(Data, OpeningWithTruncateEmptiesTheFile) {
  VolumeHarness h({{"docs/a.txt", "0123456789"}});
  auto file = h.open("docs/a.txt", {true, true, true});
  ASSERT_OK(file);
  EXPECT_EQ(h.stat("docs/a.txt")->size, 0u);
  ASSERT_OK(h.pwrite(**file, 0, "ab"));
  ASSERT_OK(h.close(*file));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"), (std::vector<std::string>{"0123456789", "ab"}));
  EXPECT_EQ(h.remote.bytes_read(), 0u);
}

TEST(Data, AllocatePunchAndSeek) {
  VolumeHarness h({{"docs/", ""}});
  auto file = h.create("docs/a.bin");
  ASSERT_OK(file);
  const std::string full = pattern_text(3 * kBlockBytes);
  ASSERT_OK(h.pwrite(**file, 0, full));
  ASSERT_OK(h.volume->allocate(h.call(), **file, kBlockBytes, kBlockBytes, Mode::kPunchHole));
  std::string expected = full;
  expected.replace(kBlockBytes, kBlockBytes, kBlockBytes, '\0');
  EXPECT_EQ(h.read_all(**file).value_or("?"), expected);
  EXPECT_EQ(h.volume->seek(h.call(), **file, 0, false).value_or(0), kBlockBytes);
  EXPECT_EQ(h.volume->seek(h.call(), **file, kBlockBytes, true).value_or(0), 2 * kBlockBytes);
  EXPECT_ERROR(ErrorCode::kRange, h.volume->seek(h.call(), **file, 3 * kBlockBytes, true));
  ASSERT_OK(h.volume->allocate(h.call(), **file, 0, 4 * kBlockBytes, Mode::kKeepSize));
  EXPECT_EQ(h.stat("docs/a.bin")->size, 3 * kBlockBytes);
  ASSERT_OK(h.volume->allocate(h.call(), **file, 0, 4 * kBlockBytes, Mode::kGrow));
  EXPECT_EQ(h.stat("docs/a.bin")->size, 4 * kBlockBytes);
  expected.resize(4 * kBlockBytes, '\0');
  ASSERT_OK(h.close(*file));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.content("docs/a.bin"), expected);
}

TEST(Data, AllocatingWithoutAnEffectIsNoEdit) {
  VolumeHarness h({{"docs/a.txt", "same"}});
  auto file = h.open_rw("docs/a.txt");
  ASSERT_OK(file);
  ASSERT_OK(h.volume->allocate(h.call(), **file, 0, 4, Mode::kKeepSize));
  ASSERT_OK(h.close(*file));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.versions("docs/a.txt"), std::vector<std::string>{"same"});
}

TEST(Data, CopyingAWholeCleanFileIsAServerSideCopy) {
  const std::string content = pattern_text(300'000);
  VolumeHarness h({{"docs/a.bin", content}});
  auto in = h.open_read("docs/a.bin");
  auto out = h.create("docs/b.bin");
  ASSERT_OK(in);
  ASSERT_OK(out);
  EXPECT_EQ(h.volume->copy_range(h.call(), **in, 0, **out, 0, content.size()).value_or(0),
            content.size());
  ASSERT_OK(h.close(*in));
  ASSERT_OK(h.close(*out));
  EXPECT_EQ(h.remote.bytes_read(), 0u);
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.content("docs/b.bin"), content);
  EXPECT_EQ(h.remote.calls("copy_file"), 1u);
  EXPECT_EQ(h.remote.bytes_read(), 0u);
  EXPECT_EQ(h.text("docs/b.bin"), content);
}

// Its bytes are nowhere but in the source, which may be gone a moment later.
TEST(Data, ACopyOfWhatIsNotHereCountsAsSavedWhenTheServerHasMadeIt) {
  const std::string content = pattern_text(300'000);
  VolumeHarness h({{"docs/a.bin", content}});
  auto in = h.open_read("docs/a.bin");
  auto out = h.create("docs/b.bin");
  ASSERT_OK(in);
  ASSERT_OK(out);
  ASSERT_OK(h.volume->copy_range(h.call(), **in, 0, **out, 0, content.size()));
  ASSERT_OK(h.close(*out));
  h.remote.remove_as_other("docs/a.bin");
  EXPECT_EQ(h.remote.content("docs/b.bin"), content);
  ASSERT_OK(h.close(*in));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.text("docs/b.bin"), content);
}

TEST(Data, WithoutANetworkNothingIsCopiedThatIsNotHere) {
  const std::string content = pattern_text(300'000);
  VolumeHarness h({{"docs/a.bin", content}, {"docs/c.bin", content}});
  ASSERT_EQ(h.text("docs/c.bin"), content);
  ASSERT_OK(h.volume->prefetch(h.call(), h.must("docs/c.bin")));
  auto in = h.open_read("docs/a.bin");
  auto here = h.open_read("docs/c.bin");
  ASSERT_OK(in);
  ASSERT_OK(here);
  auto out = h.create("docs/b.bin");
  auto other = h.create("docs/d.bin");
  ASSERT_OK(out);
  ASSERT_OK(other);
  h.faulty.set_offline(true);
  h.go_stale();
  EXPECT_FALSE(h.names("").has_value() && h.volume->status().online) << "it is noticed";
  EXPECT_FALSE(h.volume->copy_range(h.call(), **in, 0, **out, 0, content.size()).has_value());
  const auto copied = h.volume->copy_range(h.call(), **here, 0, **other, 0, content.size());
  ASSERT_OK(copied);
  ASSERT_OK(h.close(*other));
  EXPECT_EQ(h.text("docs/d.bin"), content);
  h.faulty.heal();
  ASSERT_OK(h.close(*out));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.content("docs/d.bin"), content);
}

// A service holds it open for days; what somebody else has closed is sent.
TEST(Data, WhatOneWriterHasClosedDoesNotWaitForAnother) {
  VolumeHarness h({{"docs/a", "first"}});
  auto holder = h.open_rw("docs/a");
  ASSERT_OK(holder);
  ASSERT_OK(h.write_at("docs/a", 0, "SAVED"));
  h.pass_quiet_time();
  EXPECT_TRUE(h.eventually([&] { return h.remote.content("docs/a") == "SAVED"; }));
  // What the holder writes waits until he closes it.
  ASSERT_OK(h.pwrite(**holder, 0, "LATER"));
  h.pass_quiet_time();
  ASSERT_OK(h.write_file("docs/b", "b"));
  h.pass_quiet_time();
  EXPECT_TRUE(h.eventually([&] { return h.remote.content("docs/b") == "b"; }));
  EXPECT_EQ(h.remote.content("docs/a"), "SAVED");
  ASSERT_OK(h.close(*holder));
  h.pass_quiet_time();
  EXPECT_TRUE(h.eventually([&] { return h.remote.content("docs/a") == "LATER"; }));
}

TEST(Data, ACopyThatIsEditedBeforeItIsSentHasBoth) {
  const std::string content = pattern_text(300'000);
  VolumeHarness h({{"docs/a.bin", content}});
  auto in = h.open_read("docs/a.bin");
  auto out = h.create("docs/b.bin");
  ASSERT_OK(in);
  ASSERT_OK(out);
  ASSERT_OK(h.volume->copy_range(h.call(), **in, 0, **out, 0, content.size()));
  ASSERT_OK(h.pwrite(**out, 150'000, "edited"));
  ASSERT_OK(h.close(*in));
  ASSERT_OK(h.close(*out));
  ASSERT_OK(h.unlink("docs/a.bin"));  // what it was copied from must stay until it is read
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  std::string expected = content;
  expected.replace(150'000, 6, "edited");
  EXPECT_EQ(h.remote_tree(), (TreeDump{{"docs", "/"}, {"docs/b.bin", expected}}));
}

TEST(Data, WithoutVersionsACopyOutlivesItsSourcesNextSave) {
  const std::string content = pattern_text(300'000);
  HarnessOptions options;
  options.remote.capabilities = FakeRemoteOptions::bare();
  VolumeHarness h({{"docs/a.bin", content}}, options);
  auto in = h.open_read("docs/a.bin");
  auto out = h.create("docs/b.bin");
  ASSERT_OK(in);
  ASSERT_OK(out);
  std::uint64_t copied = 0;
  while (copied < content.size()) {
    const auto more =
        h.volume->copy_range(h.call(), **in, copied, **out, copied, content.size() - copied);
    ASSERT_OK(more);
    ASSERT_GT(*more, 0u);
    copied += *more;
  }
  ASSERT_OK(h.close(*in));
  ASSERT_OK(h.close(*out));
  h.remote.write_file_as_other("docs/a.bin", "another content");
  EXPECT_EQ(h.text("docs/b.bin"), content);
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.content("docs/b.bin"), content);
}

TEST(Data, ACopyOverAFileThatIsBeingSentHasItsOwnBytes) {
  const std::string first = pattern_text(300'000, 1);
  const std::string second = pattern_text(200'000, 2);
  VolumeHarness h({{"docs/x.bin", first}, {"docs/a.bin", second}, {"docs/b.bin", "b"}});
  ASSERT_OK(h.mount_tree());
  ASSERT_OK(h.write_file("docs/b.bin", first));
  Gate gate;
  gate.close();
  h.remote.set_gate("put", &gate);
  h.remote.set_gate("put_stream", &gate);
  h.remote.set_gate("upload_begin", &gate);
  h.pass_quiet_time();
  ASSERT_TRUE(gate.wait_for_waiting(1));
  auto in = h.open_read("docs/a.bin");
  auto out = h.create("docs/b.bin");
  ASSERT_OK(in);
  ASSERT_OK(out);
  SetAttributes empty;
  empty.size = 0;
  ASSERT_OK(h.volume->setattr(h.call(), (*out)->ino(), empty, out->get()));
  ASSERT_OK(h.volume->copy_range(h.call(), **in, 0, **out, 0, second.size()));
  gate.open();
  ASSERT_OK(h.close(*in));
  ASSERT_OK(h.close(*out));
  h.pass_quiet_time();
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.text("docs/b.bin"), second);
  EXPECT_EQ(h.remote.content("docs/b.bin"), second);
}

TEST(Data, CopyingAPartCopiesBytes) {
  VolumeHarness h({{"docs/a.txt", "0123456789"}, {"docs/b.txt", "abcdefghij"}});
  auto in = h.open_read("docs/a.txt");
  auto out = h.open_rw("docs/b.txt");
  ASSERT_OK(in);
  ASSERT_OK(out);
  EXPECT_EQ(h.volume->copy_range(h.call(), **in, 2, **out, 4, 3).value_or(0), 3u);
  ASSERT_OK(h.close(*in));
  ASSERT_OK(h.close(*out));
  EXPECT_EQ(h.text("docs/b.txt"), "abcd234hij");
}

TEST(Data, EditingOneByteOfALargeFileFetchesNothingUntilItIsSent) {
  const std::string content = pattern_text(2'000'000);
  VolumeHarness h({{"docs/big.bin", content}});
  ASSERT_OK(h.names("docs"));
  ASSERT_OK(h.write_at("docs/big.bin", 1'234'567, "X"));
  EXPECT_EQ(h.remote.bytes_read(), 0u);
  ASSERT_OK(h.drain());
  std::string expected = content;
  expected[1'234'567] = 'X';
  EXPECT_EQ(h.versions("docs/big.bin"), (std::vector<std::string>{content, expected}));
  EXPECT_LE(h.remote.bytes_read(), content.size());
  h.remote.reset_calls();
  EXPECT_EQ(h.text("docs/big.bin"), expected);
  EXPECT_LE(h.remote.bytes_read(), kBlockBytes);  // what was read to be sent is in the cache
}

TEST(Data, AnEditOfAnEditHasTheRightBase) {
  std::string expected = pattern_text(400'000);
  VolumeHarness h({{"docs/big.bin", expected}});
  for (const std::size_t at : {10u, 200'000u, 399'000u}) {
    ASSERT_OK(h.write_at("docs/big.bin", at, "edit"));
    expected.replace(at, 4, "edit");
    ASSERT_OK(h.drain());
    EXPECT_EQ(h.remote.content("docs/big.bin"), expected);
    EXPECT_EQ(h.text("docs/big.bin"), expected);
  }
}

TEST(Data, AnEditThroughAHandleOnANewerVersionStandsOnThatVersion) {
  VolumeHarness h({{"docs/a.txt", "first version"}});
  auto keeper = h.open_rw("docs/a.txt");  // has seen our own upload
  ASSERT_OK(keeper);
  ASSERT_OK(h.pwrite(**keeper, 0, "FIRST"));
  ASSERT_OK(h.volume->fsync(h.call(), **keeper));
  ASSERT_OK(h.drain());
  h.remote.write_file_as_other("docs/a.txt", "their own version");
  h.go_stale();
  auto writer = h.open_rw("docs/a.txt");
  ASSERT_OK(writer);
  EXPECT_EQ(h.read_all(**writer).value_or("?"), "their own version");
  ASSERT_OK(h.pwrite(**writer, 0, "T"));
  EXPECT_EQ(h.read_all(**writer).value_or("?"), "Their own version");
  ASSERT_OK(h.close(*writer));
  ASSERT_OK(h.close(*keeper));
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.content("docs/a.txt").value_or("?"), "Their own version");
  EXPECT_EQ(h.state("docs/a.txt"), "clean");
}

TEST(Data, WritingWithoutTheFlagIsRefused) {
  VolumeHarness h({{"docs/a.txt", "x"}});
  auto file = h.open_read("docs/a.txt");
  ASSERT_OK(file);
  EXPECT_ERROR(ErrorCode::kInvalid, h.pwrite(**file, 0, "y"));
  ASSERT_OK(h.close(*file));
}

TEST(Data, ReadsThatNeedTheNetworkSaySoWithoutAnEffect) {
  VolumeHarness h({{"docs/a.bin", pattern_text(100'000)}});
  ASSERT_OK(h.names("docs"));
  auto file = h.open_read("docs/a.bin");
  ASSERT_OK(file);
  std::string out(10, '\0');
  const MutableBytes into = std::as_writable_bytes(std::span(out));
  EXPECT_ERROR(ErrorCode::kWouldBlock, h.volume->read(h.local_only(), **file, 90'000, into));
  ASSERT_OK(h.volume->read(h.call(), **file, 90'000, into));
  EXPECT_EQ(out, pattern_text(100'000).substr(90'000, 10));
  EXPECT_OK(h.volume->read(h.local_only(), **file, 90'000, into));
  ASSERT_OK(h.close(*file));
}

TEST(Data, CorruptedDownloadsAreNeverData) {
  const std::string content = pattern_text(100'000);
  VolumeHarness h({{"docs/a.bin", content}});
  h.faulty.script("read", RemoteFault::truncating(500), 3);
  const Result<std::string> got = h.read_file("docs/a.bin");
  EXPECT_GT(h.faulty.faults(), 0u);
  if (got) {
    EXPECT_EQ(*got, content);
  }
  h.faulty.heal();
  EXPECT_EQ(h.text("docs/a.bin"), content);
}

// A folder whose files have all been read while the question about the first two is held at a gate.
class ManyRead {
  Gate gate_;  // outlives the volume

 public:
  ManyRead() : h(files(), without_hashes()) {
    gate_.close();
    h.remote.set_gate("stat", &gate_);
    EXPECT_OK(h.names("docs"));
    h.remote.reset_calls();
    for (int i = 0; i < kFiles; ++i) {
      EXPECT_EQ(h.text(path(i)), path(i));
      // One for each thread that asks.
      if (i < 2) {
        EXPECT_TRUE(gate_.wait_for_waiting(i + 1));
      }
    }
  }
  ~ManyRead() { gate_.open(); }
  void answer() { gate_.open(); }

  static constexpr int kFiles = 40;
  static std::string path(int number) { return "docs/file" + std::to_string(number); }
  VolumeHarness h;

 private:
  // By which a whole content would be known for what it is.
  static HarnessOptions without_hashes() {
    HarnessOptions out;
    out.remote.hashes = false;
    return out;
  }
  static FakeRemoteStore::Files files() {
    FakeRemoteStore::Files out;
    for (int i = 0; i < kFiles; ++i) out.emplace_back(path(i), path(i));
    return out;
  }
};

TEST(Data, WhatWasReadOfManyFilesOfAFolderIsCheckedByItsListing) {
  ManyRead many;
  VolumeHarness& h = many.h;
  EXPECT_EQ(h.remote.calls("list"), 0u);
  many.answer();
  EXPECT_TRUE(
      h.eventually([&] { return h.remote.calls("list") > 0 && h.remote.in_flight() == 0; }));
  EXPECT_EQ(h.remote.calls("list"), 1u);
  EXPECT_EQ(h.remote.calls("stat"), 2u);
}

TEST(Data, AFileThatChangedWhileManyWereReadIsReadAgain) {
  ManyRead many;
  VolumeHarness& h = many.h;
  h.remote.write_file_as_other("docs/file7", "DOCS/file7");
  h.remote.remove_as_other("docs/file8");
  many.answer();
  // Nothing has become stale by the clock: it is the check that finds them out.
  EXPECT_TRUE(h.eventually([&] { return h.text("docs/file7") == "DOCS/file7"; }));
  EXPECT_TRUE(h.eventually([&] { return !h.exists("docs/file8"); }));
  EXPECT_EQ(h.text("docs/file9"), "docs/file9");
}

TEST(Data, AContentThatIsBeingScannedIsWaitedFor) {
  VolumeHarness h({{"docs/a.txt", "clean"}});
  h.remote.set_scan("docs/a.txt", ScanState::kScanning);
  ASSERT_OK(h.names("docs"));
  Result<std::string> got = fail(ErrorCode::kInternal, "not read");
  std::thread reader([&] { got = h.read_file("docs/a.txt"); });
  EXPECT_TRUE(h.eventually([&] { return h.remote.calls("read") >= 2; }));
  h.remote.set_scan("docs/a.txt", ScanState::kAllowed);
  reader.join();
  ASSERT_OK(got);
  EXPECT_EQ(*got, "clean");
}

TEST(Data, TheWaitForAScanEndsWithItsCaller) {
  VolumeHarness h({{"docs/a.txt", "clean"}});
  h.remote.set_scan("docs/a.txt", ScanState::kScanning);
  auto file = h.open_read("docs/a.txt");
  ASSERT_OK(file);
  CancelSource cancel;
  CallContext call = h.call();
  call.cancel = cancel.token();
  std::string buffer(10, '\0');
  Result<std::size_t> got = fail(ErrorCode::kInternal, "not read");
  std::thread reader(
      [&] { got = h.volume->read(call, **file, 0, std::as_writable_bytes(std::span(buffer))); });
  EXPECT_TRUE(h.eventually([&] { return h.remote.calls("read") >= 2; }));
  cancel.cancel();
  reader.join();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::kCancelled);
}

TEST(Data, OldVersionsAreReadable) {
  VolumeHarness h({{"docs/a.txt", "one"}});
  h.remote.write_file_as_other("docs/a.txt", "two!");
  const InodeNumber a = h.must("docs/a.txt");
  auto old = h.volume->open_version(h.call(), a, 1);
  ASSERT_OK(old);
  std::string out(10, '\0');
  const auto got = (*old)->read(h.call(), 0, std::as_writable_bytes(std::span(out)));
  ASSERT_OK(got);
  EXPECT_EQ(out.substr(0, *got), "one");
  ASSERT_OK(h.volume->promote(h.call(), a, 1));
  EXPECT_EQ(h.text("docs/a.txt"), "one");
}

// What is being written is later than any version that could be made the current one.
TEST(Data, NoVersionIsPromotedUnderAnEdit) {
  VolumeHarness h({{"docs/a.txt", "one"}});
  h.remote.write_file_as_other("docs/a.txt", "two!");
  const InodeNumber a = h.must("docs/a.txt");
  auto file = h.open_rw("docs/a.txt");
  ASSERT_OK(file);
  EXPECT_EQ(h.volume->promote(h.call(), a, 1).error().code, ErrorCode::kBusy) << "only opened";
  EXPECT_TRUE(h.volume->info(a)->edited);
  ASSERT_OK(h.volume->write(h.call(), **file, 0, as_bytes(std::string("ours"))));
  EXPECT_EQ(h.volume->promote(h.call(), a, 1).error().code, ErrorCode::kBusy) << "written";
  ASSERT_OK(h.close(*file));
  EXPECT_EQ(h.volume->promote(h.call(), a, 1).error().code, ErrorCode::kBusy) << "unsent";
  ASSERT_OK(h.drain());
  EXPECT_FALSE(h.volume->info(a)->edited);
  ASSERT_OK(h.volume->promote(h.call(), a, 1));
}

// Another machine has made the file longer since the kernel looked.
TEST(Data, AppendingGoesToTheEndThatTheFileHas) {
  VolumeHarness h({{"docs/log", "one\n"}});
  ASSERT_OK(h.mount_tree());
  h.remote.write_file_as_other("docs/log", "one\ntheirs\n");
  h.go_stale();
  auto file = h.open_rw("docs/log");
  ASSERT_OK(file);
  const InodeNumber ino = h.must("docs/log");
  ASSERT_OK(h.volume->append(h.call(), **file, 4, as_bytes(std::string("ours\n"))));
  EXPECT_TRUE(h.notifier.told_of(ino, true)) << "what the kernel put elsewhere";
  ASSERT_OK(h.volume->append(h.call(), **file, 16, as_bytes(std::string("more\n"))));
  ASSERT_OK(h.close(*file));
  EXPECT_EQ(h.text("docs/log"), "one\ntheirs\nours\nmore\n");
  ASSERT_OK(h.drain());
  EXPECT_EQ(h.remote.content("docs/log").value_or("?"), "one\ntheirs\nours\nmore\n");
}

// An old handle's reads bring its version's pages to the kernel, where a later open must not find
// them.
TEST(Data, PagesThatAnOlderHandleBroughtAreNotKept) {
  VolumeHarness h({{"docs/a", "version one"}});
  ASSERT_OK(h.mount_tree());
  auto old = h.open_read("docs/a");
  ASSERT_OK(old);
  EXPECT_EQ(h.pread(**old, 0, 11).value_or("?"), "version one");
  h.remote.write_file_as_other("docs/a", "version two");
  h.go_stale();
  {
    auto fresh = h.open_read("docs/a");
    ASSERT_OK(fresh);
    EXPECT_FALSE((*fresh)->keep_cache());
    EXPECT_EQ(h.pread(**fresh, 0, 11).value_or("?"), "version two");
    ASSERT_OK(h.close(*fresh));
  }
  {
    auto again = h.open_read("docs/a");
    ASSERT_OK(again);
    EXPECT_TRUE((*again)->keep_cache());
    ASSERT_OK(h.close(*again));
  }
  EXPECT_EQ(h.pread(**old, 0, 11).value_or("?"), "version one");
  ASSERT_OK(h.close(*old));
  auto last = h.open_read("docs/a");
  ASSERT_OK(last);
  EXPECT_FALSE((*last)->keep_cache());
  ASSERT_OK(h.close(*last));
}

TEST(Data, TruncatingByNameIsCompleteWhileOthersWrite) {
  VolumeHarness h({{"docs/a.txt", "0123456789"}});
  ASSERT_OK(h.mount_tree());
  auto writer = h.open_rw("docs/a.txt");
  ASSERT_OK(writer);
  ASSERT_OK(h.truncate("docs/a.txt", 4));
  writer->reset();  // as kill -9 does: nothing of a handle is left
  h.restart();
  EXPECT_EQ(h.text("docs/a.txt"), "0123");
}

// close() has returned, and the kernel's word of it comes beside the next call.
TEST(Data, TruncatingByNameBesideTheLastReleaseIsKept) {
  VolumeHarness h({{"docs/a.txt", "0123456789"}});
  ASSERT_OK(h.mount_tree());
  for (std::uint64_t size = 9; size > 0; --size) {
    auto writer = h.open_rw("docs/a.txt");
    ASSERT_OK(writer);
    ASSERT_OK(h.pwrite(**writer, 0, "x"));
    ASSERT_OK(h.volume->flush(h.call(), **writer));
    std::thread release([&] { h.volume->release(std::move(*writer)); });
    const Result<void> done = h.truncate("docs/a.txt", size);
    release.join();
    ASSERT_OK(done);
    EXPECT_EQ(h.stat("docs/a.txt")->size, size);
  }
  h.restart();
  EXPECT_EQ(h.stat("docs/a.txt")->size, 1u);
}

TEST(Data, TruncatingWithAHandleThatOnlyReadsIsKept) {
  VolumeHarness h({{"docs/a.txt", "0123456789"}});
  ASSERT_OK(h.mount_tree());
  auto file = h.open("docs/a.txt", {.read = true, .write = false, .truncate = true});
  ASSERT_OK(file);
  ASSERT_OK(h.close(*file));
  h.restart();
  EXPECT_EQ(h.text("docs/a.txt"), "");
}

}  // namespace
}  // namespace cabinetfs
