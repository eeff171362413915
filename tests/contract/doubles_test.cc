// The doubles themselves, as far as the contract suite does not reach them.

#include <gtest/gtest.h>

#include <thread>

#include "tests/support/fake_remote_store.h"
#include "tests/support/faulty_remote_store.h"

namespace cabinetfs {
namespace {

CallContext soon() { return CallContext::within(std::chrono::seconds(20)); }

Result<std::string> read_all(RemoteStore& store, const RemoteEntry& file) {
  std::string content;
  TRY(store.read(soon(), {file.id, {}, 0, file.size, file.size}, [&](Bytes piece) {
    content += as_text(piece);
    return true;
  }));
  return content;
}

TEST(FakeRemoteStore, StartsWithTheGivenFiles) {
  FakeRemoteStore remote({{"docs/a.txt", "hello"}, {"empty/", ""}});
  EXPECT_EQ(remote.content("docs/a.txt"), "hello");
  EXPECT_EQ(remote.content("DOCS/A.TXT"), "hello") << "names are compared without case";
  EXPECT_EQ(remote.dump().size(), 3u);
  EXPECT_EQ(remote.dump().at("empty").kind, NodeKind::kFolder);
}

TEST(FakeRemoteStore, KeepsWhatOthersOverwriteAndDelete) {
  FakeRemoteStore remote({{"a.txt", "one"}});
  remote.write_file_as_other("a.txt", "two");
  EXPECT_EQ(remote.dump().at("a.txt").versions, (std::vector<std::string>{"one", "two"}));
  remote.remove_as_other("a.txt");
  EXPECT_TRUE(remote.dump().empty());
  ASSERT_EQ(remote.deleted().size(), 1u);
  EXPECT_EQ(remote.deleted()[0].first, "a.txt");
  EXPECT_EQ(remote.deleted()[0].second.content, "two");
}

TEST(FakeRemoteStore, TwinsAndImpossibleNamesCanBeMade) {
  FakeRemoteStore remote({{"d/a", "one"}});
  const RemoteId twin = remote.add_twin("d/a", "two");
  remote.add_raw("d", "x/y", "three");
  const auto listed = remote.list(soon(), remote.id_of("d"));
  ASSERT_TRUE(listed.has_value());
  EXPECT_EQ(listed->size(), 3u);
  EXPECT_EQ(remote.dump().count("d/x/y"), 1u);
  EXPECT_FALSE(twin.empty());
}

TEST(FakeRemoteStore, CountsCallsAndHoldsThemAtAGate) {
  FakeRemoteStore remote({{"a", "one"}});
  Gate gate;
  gate.close();
  remote.set_gate("stat", &gate);
  const RemoteId id = remote.id_of("a");
  std::jthread caller([&] { EXPECT_TRUE(remote.stat(soon(), NodeKind::kFile, id).has_value()); });
  ASSERT_TRUE(gate.wait_for_waiting(1));
  EXPECT_EQ(remote.calls("stat"), 1u);
  EXPECT_EQ(remote.calls("list"), 0u);
  gate.open();
  caller.join();
  EXPECT_EQ(remote.max_in_flight("stat"), 1);
}

TEST(FakeRemoteStore, AGateObeysCancellationAndDeadline) {
  FakeRemoteStore remote;
  Gate gate;
  gate.close();
  remote.set_gate("", &gate);
  const auto late = remote.root(CallContext::within(std::chrono::milliseconds(5)));
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, ErrorCode::kTimeout);
  CancelSource cancel;
  CallContext call = soon();
  call.cancel = cancel.token();
  std::jthread caller([&] {
    const auto stopped = remote.root(call);
    EXPECT_FALSE(stopped.has_value());
    if (!stopped) {
      EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
    }
  });
  ASSERT_TRUE(gate.wait_for_waiting(1));
  cancel.cancel();
}

TEST(FakeRemoteStore, CanLackEverything) {
  FakeRemoteOptions options;
  options.capabilities = FakeRemoteOptions::bare();
  FakeRemoteStore remote({{"a", "one"}, {"A", "two"}}, options);
  EXPECT_EQ(remote.dump().size(), 2u) << "names differ by case";
  const auto versions = remote.versions(soon(), remote.id_of("a"));
  ASSERT_FALSE(versions.has_value());
  EXPECT_EQ(versions.error().code, ErrorCode::kNotSupported);
  UploadTarget target;
  target.parent = remote.id_of("");
  target.name = "b";
  EXPECT_FALSE(remote.put(soon(), target, as_bytes("x")).has_value());
}

TEST(FaultyRemoteStore, FailsBeforeTheEffect) {
  FakeRemoteStore remote;
  FaultyRemoteStore faulty(remote);
  faulty.script("create_folder", RemoteFault::failing(ErrorCode::kOverQuota), 1, 1);
  const RemoteId root = remote.id_of("");
  EXPECT_TRUE(faulty.create_folder(soon(), root, "one").has_value());
  const auto refused = faulty.create_folder(soon(), root, "two");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kOverQuota);
  EXPECT_TRUE(faulty.create_folder(soon(), root, "three").has_value());
  EXPECT_EQ(remote.dump().count("two"), 0u);
  EXPECT_EQ(faulty.faults(), 1u);
}

TEST(FaultyRemoteStore, LosesTheAnswerAfterTheEffect) {
  FakeRemoteStore remote;
  FaultyRemoteStore faulty(remote);
  faulty.script("create_folder", RemoteFault::losing_answer());
  const auto lost = faulty.create_folder(soon(), remote.id_of(""), "one");
  ASSERT_FALSE(lost.has_value());
  EXPECT_EQ(lost.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(remote.dump().count("one"), 1u);
}

TEST(FaultyRemoteStore, ALostChunkLeavesTheCallersSession) {
  FakeRemoteStore remote({{"d/", ""}});
  FaultyRemoteStore faulty(remote);
  UploadTarget target;
  target.parent = remote.id_of("d");
  target.name = "b";
  auto session = faulty.upload_begin(soon(), target, 40000);
  ASSERT_TRUE(session.has_value());
  const std::string chunk(session->chunk_size, 'x');
  faulty.script("upload_chunk", RemoteFault::losing_answer());
  EXPECT_FALSE(faulty.upload_chunk(soon(), *session, as_bytes(chunk)).has_value());
  EXPECT_EQ(session->next_chunk, 0u);
  const auto resumed = faulty.upload_resume(soon(), *session);
  ASSERT_TRUE(resumed.has_value());
  EXPECT_EQ(resumed->next_chunk, 1u);
}

TEST(FaultyRemoteStore, TruncatesAndCorruptsReads) {
  FakeRemoteStore remote({{"a", "hello world"}});
  FaultyRemoteStore faulty(remote);
  const auto file = remote.stat(soon(), NodeKind::kFile, remote.id_of("a"));
  ASSERT_TRUE(file.has_value());
  faulty.script("read", RemoteFault::truncating(4));
  const auto cut = read_all(faulty, *file);
  ASSERT_FALSE(cut.has_value());
  EXPECT_EQ(cut.error().code, ErrorCode::kCorrupt);
  faulty.script("read", RemoteFault::corrupting(0));
  const auto flipped = read_all(faulty, *file);
  ASSERT_TRUE(flipped.has_value());
  EXPECT_EQ(*flipped, "iello world");
  EXPECT_EQ(*read_all(faulty, *file), "hello world");
}

TEST(FaultyRemoteStore, GoesOfflineAndBack) {
  FakeRemoteStore remote;
  FaultyRemoteStore faulty(remote);
  faulty.set_offline(true);
  const auto down = faulty.root(soon());
  ASSERT_FALSE(down.has_value());
  EXPECT_EQ(down.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(remote.calls("root"), 0u);
  faulty.set_offline(false);
  EXPECT_TRUE(faulty.root(soon()).has_value());
}

TEST(FaultyRemoteStore, ChanceIsTheSameForTheSameSeed) {
  FakeRemoteStore remote;
  const auto outcome = [&](std::uint64_t seed) {
    FaultyRemoteStore faulty(remote);
    faulty.set_chances(seed, {.fail = 0.5});
    std::string marks;
    for (int i = 0; i < 64; ++i) marks += faulty.root(soon()).has_value() ? '.' : 'x';
    return marks;
  };
  EXPECT_EQ(outcome(7), outcome(7));
  EXPECT_NE(outcome(7), outcome(8));
  EXPECT_NE(outcome(7).find('x'), std::string::npos);
}

}  // namespace
}  // namespace cabinetfs
