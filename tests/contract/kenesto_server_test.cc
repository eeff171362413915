// What the contract does not say: how the client gets along with this server.

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/contract/kenesto_world.h"
#include "tests/support/fake_clock.h"

namespace cabinetfs {
namespace {

using nlohmann::json;

class KenestoServer : public ::testing::Test {
 protected:
  void start(const std::string& settings = "{}") {
    KenestoConfig config;
    config.put_max = 4096;
    world_ = std::make_unique<KenestoWorld>(settings, config);
    ASSERT_TRUE(store().account(soon()));
    root_ = store().root(soon())->id;
    work_ = find(root_, "Work").id;
    vault_ = find(root_, "Vault").id;
  }
  RemoteStore& store() { return world_->store(); }
  KenestoWorld& world() { return *world_; }
  static CallContext soon() { return CallContext::within(std::chrono::seconds(60)); }
  RemoteEntry find(const RemoteId& folder, const std::string& name) {
    const auto found = store().find_child(soon(), folder, name);
    EXPECT_TRUE(found && *found) << name << ": " << why(found);
    return found && *found ? **found : RemoteEntry();
  }
  RemoteEntry create(const RemoteId& folder, const std::string& name, const std::string& content) {
    const auto made = store().put(soon(), {{}, folder, name, {}, {}}, as_bytes(content));
    EXPECT_TRUE(made) << why(made);
    return made ? *made : RemoteEntry();
  }
  Result<std::string> read(RemoteStore& from, const RemoteEntry& file) {
    std::string content;
    TRY(from.read(soon(), {file.id, {}, 0, file.size, file.size, file.validator}, [&](Bytes b) {
      content += as_text(b);
      return true;
    }));
    return content;
  }
  // Requests of one call since the last reset.
  std::uint64_t calls(const std::string& call) {
    const json counts = world().admin("GET", "counts");
    std::uint64_t sum = 0;
    for (const auto& [endpoint, count] : counts.at("endpoints").items()) {
      if (endpoint.find(call) != std::string::npos) sum += count.get<std::uint64_t>();
    }
    return sum;
  }
  std::unique_ptr<KenestoWorld> world_;
  RemoteId root_, work_, vault_;
};

TEST_F(KenestoServer, ASessionThatEndsCostsOneLoginForAll) {
  for (const char* const shape : {"failed", "401", "403", "html", "page", "redirect"}) {
    start(json{{"expired_shape", shape}}.dump());
    world().admin("POST", "expire_tokens", "{}");
    world().reset_requests();
    std::atomic<int> good = 0;
    {
      std::vector<std::jthread> callers;
      for (int i = 0; i < 6; ++i) {
        callers.emplace_back([&] {
          const auto entries = store().list(soon(), root_);
          if (entries && entries->size() == 2) ++good;
        });
      }
    }
    EXPECT_EQ(good.load(), 6) << shape;
    EXPECT_EQ(calls("Authenticate"), 1u) << shape;
    EXPECT_EQ(calls("Login"), 1u) << shape;
  }
}

// Something between us and the server, or a fault of it: new sessions do not help.
TEST_F(KenestoServer, PagesThatStayCostOneLogin) {
  start();
  world().admin("POST", "expire_tokens", "{}");
  world().settings(R"({"expired_shape": "page", "access_lifetime": 0})");
  world().reset_requests();
  for (int i = 0; i < 5; ++i) EXPECT_CODE(store().list(soon(), root_), ErrorCode::kUnavailable);
  EXPECT_EQ(calls("Authenticate"), 1u);
}

TEST_F(KenestoServer, AReadOutlivesSessionsThatEndOneAfterAnother) {
  start();
  FakeClock clock;
  KenestoLoginSession session(
      world().http(), {"contract", world().server().url(), ""},
      [&](const CallContext&) -> Result<KenestoCredentials> {
        const auto& known = world().server().credentials();
        return KenestoCredentials{SecretString(known.client_secret), known.users.at(0).email,
                                  SecretString(known.users.at(0).password)};
      },
      clock);
  const auto reader = world().another_store(session);
  ASSERT_TRUE(reader->account(soon()));
  std::vector<RemoteEntry> files;
  for (std::size_t i = 0; i < 3; ++i)
    files.push_back(create(work_, std::to_string(i) + ".txt", "hello"));
  world().reset_requests();
  for (std::size_t i = 0; i < 2; ++i) {
    world().admin("POST", "expire_tokens", "{}");
    EXPECT_EQ(read(*reader, files[i]).value_or("?"), "hello");
  }
  EXPECT_EQ(calls("Authenticate"), 2u);
  // The third in a row: logging in waits for five seconds, and so does the read.
  world().admin("POST", "expire_tokens", "{}");
  {
    const std::jthread waits([&] { EXPECT_EQ(read(*reader, files[2]).value_or("?"), "hello"); });
    const auto paused = [&] {
      const auto token = session.token(CallContext::within(std::chrono::seconds(1)));
      return code_of(token) == ErrorCode::kUnavailable;
    };
    while (!paused()) std::this_thread::yield();
    EXPECT_EQ(calls("Authenticate"), 2u);
    clock.advance(std::chrono::seconds(6));
  }
  EXPECT_EQ(calls("Authenticate"), 3u);
}

TEST_F(KenestoServer, AWrongPasswordIsTriedOnce) {
  start();
  int asked = 0;
  KenestoLoginSession session(world().http(), {"contract", world().server().url(), ""},
                              [&](const CallContext&) -> Result<KenestoCredentials> {
                                ++asked;
                                const auto& known = world().server().credentials();
                                return KenestoCredentials{SecretString(known.client_secret),
                                                          known.users.at(0).email,
                                                          SecretString("wrong")};
                              });
  const auto store = world().another_store(session);
  world().reset_requests();
  for (int i = 0; i < 3; ++i) EXPECT_CODE(store->account(soon()), ErrorCode::kUnauthenticated);
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(calls("Authenticate"), 1u);
}

TEST_F(KenestoServer, TheObjectStoreSeesNothingThatItMustNot) {
  for (const char* const signature : {"v2", "v4"}) {
    start(json{{"signature", signature}}.dump());
    const RemoteEntry small = create(work_, "small.txt", "hello");
    const std::string large = pattern(3u << 20);
    ContentSource source;
    source.size = large.size();
    source.read = [&](std::uint64_t offset, MutableBytes out) {
      const Bytes from = as_bytes(large).subspan(offset, out.size());
      std::copy(from.begin(), from.end(), out.begin());
      return true;
    };
    const auto big = store().put_stream(soon(), {{}, work_, "big.bin", {}, {}}, source);
    ASSERT_TRUE(big) << why(big);
    EXPECT_EQ(*read(store(), small), "hello");
    EXPECT_TRUE(*read(store(), *big) == large);
    const json seen = world().admin("GET", "store");
    for (const char* const bad : {"bad_signature", "chunked", "content_type", "credentials",
                                  "expired", "missing", "no_length", "unsigned_headers"}) {
      EXPECT_EQ(seen.at(bad), 0) << bad;
    }
    EXPECT_GT(seen.at("urls"), 0);
  }
}

// What a save costs, in requests: before listings and versions were shared, 5 for each new file and
// 8 for each version.
class KenestoRequests : public KenestoServer {
 protected:
  void SetUp() override {
    start();
    session_ = world().login();
    saver_ = world().another_store(*session_, clock_);
    ASSERT_TRUE(saver_->account(soon()));
    ASSERT_TRUE(saver_->list(soon(), root_));
    ASSERT_TRUE(saver_->list(soon(), work_));
    later();
  }
  // No listing of a moment ago.
  void later() {
    clock_.advance(std::chrono::seconds(2));
    world().reset_requests();
  }
  // "listings versions other", since the last time.
  std::string cost() {
    const std::uint64_t listings = calls("RetrieveDocuments");
    const std::uint64_t versions = calls("RetrieveFileVersions");
    const std::uint64_t total = world().requests("");
    world().reset_requests();
    return std::to_string(listings) + " " + std::to_string(versions) + " " +
           std::to_string(total - listings - versions);
  }
  RemoteEntry save(const UploadTarget& target, const std::string& content) {
    const auto saved = saver_->put(soon(), target, as_bytes(content));
    EXPECT_TRUE(saved) << why(saved);
    return saved ? *saved : RemoteEntry();
  }

  FakeClock clock_;
  std::unique_ptr<KenestoLoginSession> session_;
  std::unique_ptr<RemoteStore> saver_;
};

// A place, the content and the completion; a look before and one after.
TEST_F(KenestoRequests, OfANewFile) {
  save({{}, work_, "a.txt", {}, {}}, "a");
  EXPECT_EQ(cost(), "2 0 3");
  save({{}, work_, "b.txt", {}, {}}, "b");
  EXPECT_EQ(cost(), "1 0 3") << "the look after one is the look before the next";
  later();
  {
    std::vector<std::jthread> savers;
    for (int i = 0; i < 16; ++i) {
      savers.emplace_back([&, i] { save({{}, work_, "many " + std::to_string(i), {}, {}}, "x"); });
    }
  }
  EXPECT_LE(calls("RetrieveDocuments"), 18u);
  EXPECT_EQ(world().requests("") - calls("RetrieveDocuments"), 48u);
  EXPECT_EQ(saver_->list(soon(), work_)->size(), 18u);
}

// Besides: which version stands there, right before the completion and after it.
TEST_F(KenestoRequests, OfAVersion) {
  const RemoteEntry made = save({{}, work_, "a.txt", {}, {}}, "first");
  later();
  RemoteEntry now = save({made.id, work_, "a.txt", {}, made.validator}, "second");
  EXPECT_EQ(cost(), "2 3 4") << "of a file that was neither read nor saved here before: a look "
                                "confirms the version that it follows";
  later();
  now = save({now.id, work_, "a.txt", {}, now.validator}, "third");
  EXPECT_EQ(cost(), "2 2 3") << "of one that was";
  later();
  // As the cache does it: its own look, and the save right after it.
  const auto upload = CallContext::within(std::chrono::seconds(60), Priority::kUpload);
  ASSERT_TRUE(saver_->stat(upload, NodeKind::kFile, now.id));
  now = save({now.id, work_, "a.txt", {}, now.validator}, "fourth");
  EXPECT_EQ(cost(), "2 2 3");
  EXPECT_EQ(world().content_of("Work/a.txt"), "fourth");
  // Others' versions are noticed all the same.
  later();
  ASSERT_TRUE(saver_->stat(soon(), NodeKind::kFile, now.id));
  world().write_as_other("Work/a.txt", "theirs");
  EXPECT_CODE(saver_->put(soon(), {now.id, work_, "a.txt", {}, now.validator}, as_bytes("ours")),
              ErrorCode::kConflict);
  EXPECT_EQ(world().content_of("Work/a.txt"), "theirs");
}

// A listing that began before a change of ours never stands for one after it.
TEST_F(KenestoRequests, AreNotSharedAcrossOurOwnChanges) {
  for (int i = 0; i < 20; ++i) {
    const std::string name = "n" + std::to_string(i);
    std::jthread other([&] { EXPECT_TRUE(saver_->list(soon(), work_)); });
    save({{}, work_, name, {}, {}}, "x");
    const auto found = saver_->find_child(soon(), work_, name);
    EXPECT_TRUE(found && *found) << name;
  }
}

TEST_F(KenestoServer, ParallelRangesShareOneAddressAndOneLookAtTheVersions) {
  start();
  std::string content = pattern(400'000);
  for (char& c : content) c = static_cast<char>('a' + (static_cast<unsigned char>(c) & 15));
  world().write_as_other("Work/a.bin", content);  // JSON: text only
  const RemoteEntry file = find(work_, "a.bin");
  world().reset_requests();
  const auto part = [&](std::uint64_t offset) -> std::string {
    std::string got;
    const auto done = store().read(soon(), {file.id, {}, offset, 50'000, file.size, file.validator},
                                   [&](Bytes b) {
                                     got += as_text(b);
                                     return true;
                                   });
    return done ? got : to_string(done.error());
  };
  EXPECT_TRUE(part(0) == content.substr(0, 50'000));
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> readers;
    for (std::uint64_t i = 1; i < 8; ++i) {
      readers.emplace_back([&, i] {
        if (part(i * 50'000) == content.substr(i * 50'000, 50'000)) ++good;
      });
    }
  }
  EXPECT_EQ(good.load(), 7);
  EXPECT_EQ(calls("DownloadFile"), 1u);
  EXPECT_EQ(calls("RetrieveFileVersions"), 1u);
}

TEST_F(KenestoServer, TheCurrentVersionIsReadAlthoughTheIdNamesTheFirst) {
  start();
  const RemoteEntry file = create(work_, "a.txt", "one");
  world().write_as_other("Work/a.txt", "two");
  EXPECT_EQ(*read(store(), find(work_, "a.txt")), "two");
  EXPECT_EQ(file.id, find(work_, "a.txt").id);
}

TEST_F(KenestoServer, AVersionOfTheSameSizeDoesNotPassForTheOneThatWasListed) {
  for (const bool undocumented : {true, false}) {
    start(json{{"undocumented", undocumented}}.dump());
    world().write_as_other("Work/a.txt", "one");
    const RemoteEntry file = find(work_, "a.txt");
    world().write_as_other("Work/a.txt", "two");
    EXPECT_CODE(read(store(), file), ErrorCode::kConflict);
    EXPECT_EQ(read(store(), find(work_, "a.txt")).value_or("?"), "two");
    // What has been read once is read again, whatever came since.
    const RemoteEntry now = find(work_, "a.txt");
    world().write_as_other("Work/a.txt", "six");
    EXPECT_EQ(read(store(), now).value_or("?"), "two");
  }
  // Of a large folder not the pages: the object itself.
  start();
  world().as("", {{"op", "fill"}, {"path", "Work"}, {"count", 300}, {"size", 3}});
  const RemoteEntry file = find(work_, "f000299");
  world().reset_requests();
  EXPECT_EQ(read(store(), file).value_or("?"), "xxx");
  EXPECT_EQ(calls("RetrieveDocuments"), 0u);
  EXPECT_EQ(calls("RetrieveObjectInfo"), 1u);
}

TEST_F(KenestoServer, AServerThatGivesAnotherVersionIsFoundOut) {
  start(R"({"document_id_serves": "current"})");
  const RemoteEntry file = create(work_, "a.txt", "one");
  world().write_as_other("Work/a.txt", "two and more");
  const auto versions = store().versions(soon(), file.id);
  ASSERT_TRUE(versions);
  // The first version cannot be had from such a server: an error, never the wrong bytes.
  std::string got;
  const auto old = store().read(soon(), {file.id, versions->back().id, 0, 3, 3, {}}, [&](Bytes b) {
    got += as_text(b);
    return true;
  });
  EXPECT_CODE(old, ErrorCode::kCorrupt);
  EXPECT_EQ(got, "");
  EXPECT_EQ(*read(store(), find(work_, "a.txt")), "two and more");
}

TEST_F(KenestoServer, DocumentsThatAppearEarlyAreWrittenAllTheSame) {
  start(R"({"visible_early": true})");
  const RemoteEntry file = create(work_, "a.txt", "one");
  EXPECT_EQ(*read(store(), file), "one");
}

TEST_F(KenestoServer, TwinsAreListedBothAndReadApart) {
  start();
  world().as("", {{"op", "put"}, {"path", "Work/a.txt"}, {"content", "one"}});
  world().as("", {{"op", "put"}, {"path", "Work/a.txt"}, {"content", "other"}, {"twin", true}});
  const auto entries = store().list(soon(), work_);
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 2u);
  for (const RemoteEntry& entry : *entries) {
    EXPECT_EQ(entry.name, "a.txt");
    EXPECT_EQ(*read(store(), entry), entry.size == 3 ? "one" : "other");
  }
}

TEST_F(KenestoServer, LinksToOtherServicesAreShownAndNotRead) {
  start();
  world().as("", {{"op", "link"}, {"path", "Work/box.txt"}, {"link_type", "DROPBOX"}, {"size", 7}});
  const RemoteEntry link = find(work_, "box.txt");
  EXPECT_EQ(link.size, 7u);
  ASSERT_TRUE(link.rights);
  EXPECT_FALSE(link.rights->has(Right::kWrite));
  const auto told = store().stat(soon(), NodeKind::kFile, link.id);
  ASSERT_TRUE(told && told->rights) << why(told);
  EXPECT_FALSE(told->rights->has(Right::kWrite));
  EXPECT_TRUE(told->rights->has(Right::kDelete));
  EXPECT_CODE(read(store(), link), ErrorCode::kNotSupported);
  EXPECT_CODE(store().put(soon(), {link.id, {}, "box.txt", {}, {}}, as_bytes("x")),
              ErrorCode::kNotSupported);
}

TEST_F(KenestoServer, WhatAnotherCompanySharesIsReadAndEntered) {
  start();
  const std::string carol = "carol@partner.example";
  const auto put = [&](const std::string& path, const std::string& content) {
    world().as(carol, {{"op", "put"}, {"path", path}, {"content", content}});
  };
  put("letter.txt", "dear alice");
  put("Plans/sub/house.txt", "four walls");
  for (const char* const path : {"letter.txt", "Plans"}) {
    world().as(carol, {{"op", "share"},
                       {"path", path},
                       {"with", "alice@example.com"},
                       {"level", "ALLOW_DOWNLOAD"}});
  }
  const RemoteEntry letter = find(root_, "letter.txt");
  EXPECT_EQ(read(store(), letter).value_or("?"), "dear alice");
  const RemoteEntry plans = find(root_, "Plans");
  const RemoteEntry sub = find(plans.id, "sub");
  const RemoteEntry house = find(sub.id, "house.txt");
  EXPECT_EQ(read(store(), house).value_or("?"), "four walls");
  for (const RemoteEntry& one : {letter, plans, house}) {
    const auto told = store().stat(soon(), one.kind, one.id);
    ASSERT_TRUE(told && told->rights) << one.name << why(told);
    EXPECT_FALSE(told->rights->has(Right::kWrite)) << one.name;
  }
  EXPECT_EQ(store().versions(soon(), letter.id)->size(), 1u);
}

TEST_F(KenestoServer, AnExpiredAddressIsRenewedWhileReading) {
  start();
  const RemoteEntry file = create(work_, "a.txt", "hello");
  EXPECT_EQ(read(store(), file).value_or("?"), "hello");
  EXPECT_GT(world().admin("POST", "expire_urls", "{}").at("ended"), 0);
  EXPECT_EQ(read(store(), file).value_or("?"), "hello");
  EXPECT_EQ(world().admin("GET", "store").at("expired"), 1) << "403s of the store";
}

TEST_F(KenestoServer, ALargeFolderCostsAPageForEach200) {
  start();
  world().as("", {{"op", "fill"}, {"path", "Work"}, {"count", 450}});
  world().reset_requests();
  const auto entries = store().list(soon(), work_);
  ASSERT_TRUE(entries);
  EXPECT_EQ(entries->size(), 450u);
  EXPECT_EQ(calls("RetrieveDocuments"), 3u);
  world().as("", {{"op", "fill"}, {"path", "Vault"}, {"count", 400}});
  world().reset_requests();
  EXPECT_EQ(store().list(soon(), vault_)->size(), 400u);
  EXPECT_EQ(calls("RetrieveDocuments"), 2u);
}

TEST_F(KenestoServer, FoldersWhoseNumbersDoNotFitAreListedAllTheSame) {
  for (const char* const habit :
       {R"({"listed_twice": "f000007"})", R"({"total_counts": "files"})"}) {
    start(habit);
    world().as("", {{"op", "fill"}, {"path", "Work"}, {"count", 210}});
    ASSERT_TRUE(store().create_folder(soon(), work_, "folder")) << habit;
    const auto entries = store().list(soon(), work_);
    ASSERT_TRUE(entries) << habit << why(entries);
    EXPECT_EQ(entries->size(), 211u) << habit;
  }
}

TEST_F(KenestoServer, ALostCompletionIsNotRepeated) {
  start();
  const RemoteEntry file = create(work_, "a.txt", "one");
  for (const bool fresh : {false, true}) {
    world().reset_requests();
    world().fault(R"([{"match":{"path":"UploadFileCompleted"},"action":"drop_after_effect"}])");
    UploadTarget target;
    if (fresh) {
      target.parent = work_;
      target.name = "b.txt";
    } else {
      target.file = file.id;
    }
    const auto done = store().put(soon(), target, as_bytes("again"));
    ASSERT_TRUE(done) << why(done);
    EXPECT_EQ(done->size, 5u);
    EXPECT_EQ(calls("UploadFileCompleted"), 1u);
  }
  EXPECT_EQ(store().versions(soon(), file.id)->size(), 2u);
  EXPECT_EQ(store().list(soon(), work_)->size(), 2u);
}

TEST_F(KenestoServer, LostChangesAreNeverSentTwice) {
  start();
  const RemoteEntry file = create(work_, "a.txt", "one");
  const struct {
    const char* call;
    std::function<bool()> change;
  } cases[] = {
      {"CreateFolder", [&] { return store().create_folder(soon(), work_, "d").has_value(); }},
      {"UpdateAssetName",
       [&] { return store().rename(soon(), NodeKind::kFile, file.id, "b.txt").has_value(); }},
      {"DeleteAsset", [&] { return store().remove(soon(), NodeKind::kFile, file.id).has_value(); }},
  };
  for (const auto& one : cases) {
    world().reset_requests();
    world().fault(json{{{"match", {{"path", one.call}}}, {"action", "drop_after_effect"}}}.dump());
    EXPECT_FALSE(one.change()) << one.call;
    EXPECT_EQ(calls(one.call), 1u) << one.call;
  }
  EXPECT_EQ(find(work_, "d").kind, NodeKind::kFolder);
  EXPECT_TRUE(store().remove(soon(), NodeKind::kFile, file.id)) << "gone already";
}

TEST_F(KenestoServer, WhatIsRemovedLaterIsNotListedAnyMore) {
  start(R"({"delete_linger_ms": 600000})");
  const auto folder = store().create_folder(soon(), work_, "d");
  ASSERT_TRUE(folder);
  const RemoteEntry inside = create(folder->id, "a.txt", "x");
  ASSERT_TRUE(store().remove(soon(), NodeKind::kFile, inside.id));
  EXPECT_TRUE(store().list(soon(), folder->id)->empty());
  const auto removed = store().remove(soon(), NodeKind::kFolder, folder->id);
  EXPECT_TRUE(removed) << why(removed);
  EXPECT_TRUE(store().list(soon(), work_)->empty());
}

TEST_F(KenestoServer, AfterARestartAnIdIsFound) {
  start();
  const auto folder = store().create_folder(soon(), work_, "deep");
  ASSERT_TRUE(folder);
  const RemoteEntry file = create(folder->id, "a.txt", "hello");
  const auto session = world().login();
  const auto again = world().another_store(*session);
  const auto entry = again->stat(soon(), NodeKind::kFile, file.id);
  ASSERT_TRUE(entry) << why(entry);
  EXPECT_EQ(entry->validator, file.validator);
  EXPECT_EQ(entry->parent, folder->id);
  EXPECT_EQ(*read(*again, file), "hello");
}

// A mount of the vault alone asks for no root.
TEST_F(KenestoServer, AfterARestartAVaultIsStillOne) {
  for (const bool undocumented : {true, false}) {
    start(json{{"documents_tell_vault", false}, {"undocumented", undocumented}}.dump());
    const RemoteEntry file = create(vault_, "a.txt", "one");
    const auto ordinary = store().create_folder(soon(), work_, "deep");
    ASSERT_TRUE(ordinary);
    create(ordinary->id, "b.txt", "two");
    const auto session = world().login();
    const auto again = world().another_store(*session);
    ASSERT_TRUE(again->account(soon()));
    const auto entries = again->list(soon(), vault_);
    ASSERT_TRUE(entries) << why(entries);
    ASSERT_EQ(entries->size(), 1u);
    EXPECT_TRUE(entries->front().lock_to_write) << undocumented;
    EXPECT_EQ(entries->front().lock, LockState::kFree);
    EXPECT_CODE(again->put(soon(), {file.id, {}, "a.txt", {}, {}}, as_bytes("x")),
                ErrorCode::kBusy);
    const auto locked = again->lock(soon(), file.id);
    EXPECT_TRUE(locked) << why(locked);
    const auto others = again->list(soon(), ordinary->id);
    ASSERT_TRUE(others) << why(others);
    EXPECT_FALSE(others->front().lock_to_write);
  }
}

TEST_F(KenestoServer, SeveralDocumentsAreCheckedOutAndInAtOnce) {
  for (const char* const multiple : {"partial", "atomic"}) {
    start(json{{"multiple", multiple}}.dump());
    std::vector<RemoteId> files;
    for (const char* const name : {"a.txt", "b.txt", "c.txt"}) {
      files.push_back(create(vault_, name, "x").id);
    }
    world().reset_requests();
    const auto locked = store().lock_files(soon(), files);
    for (const auto& one : locked) {
      ASSERT_TRUE(one) << why(one);
      EXPECT_EQ(one->lock, LockState::kHeldByUs);
      EXPECT_TRUE(one->lock_to_write);
    }
    EXPECT_EQ(calls("CheckOutMultiple"), 1u);
    const auto written = store().put(soon(), {files[0], {}, "a.txt", {}, {}}, as_bytes("mine"));
    ASSERT_TRUE(written) << why(written);
    const auto back = store().unlock_files(soon(), files, "done");
    for (const auto& one : back) {
      ASSERT_TRUE(one) << why(one);
      EXPECT_EQ(one->lock, LockState::kFree);
    }
    EXPECT_EQ(calls("CheckInMultiple"), 1u);
    EXPECT_EQ(calls("CheckIn"), 1u) << "of all whose names begin so";
    world().lock_as_other("Vault/b.txt");
    const auto some = store().lock_files(soon(), files);
    EXPECT_TRUE(some[0] && some[2]);
    EXPECT_EQ(code_of(some[1]), ErrorCode::kBusy);
    const auto discarded = store().discard_lock(soon(), files[1]);
    ASSERT_TRUE(discarded) << why(discarded);
    EXPECT_EQ(discarded->lock, LockState::kFree);
    ASSERT_TRUE(store().discard_lock(soon(), files[0]));
    EXPECT_EQ(find(vault_, "a.txt").lock, LockState::kFree);
  }
}

TEST_F(KenestoServer, SeveralThingsAreSharedAtOnce) {
  start();
  const RemoteEntry file = create(root_, "mine.txt", "x");
  const auto folder = store().create_folder(soon(), root_, "ours");
  ASSERT_TRUE(folder);
  world().reset_requests();
  const auto shared =
      store().share_many(soon(), {{NodeKind::kFile, file.id}, {NodeKind::kFolder, folder->id}},
                         {world().other_address()}, AccessLevel::kRead);
  ASSERT_EQ(shared.size(), 2u);
  EXPECT_TRUE(shared[0] && shared[1]) << why(shared[0]);
  EXPECT_EQ(calls("MultiSelectShare"), 1u);
  const std::string other = world().other_id();
  EXPECT_EQ(store().permission_of(soon(), NodeKind::kFile, file.id, other)->level,
            AccessLevel::kRead);
  const auto bob = world().login(1);
  const auto theirs = world().another_store(*bob);
  EXPECT_EQ(*read(*theirs, file), "x");
  EXPECT_FALSE(theirs->put(soon(), {file.id, {}, "mine.txt", {}, {}}, as_bytes("y")));
  EXPECT_EQ(world().content_of("mine.txt"), "x");
}

TEST_F(KenestoServer, SequencesCountForTheTenant) {
  start();
  NumberSequences& numbers = *store().sequences();
  ASSERT_TRUE(numbers.create(soon(), "Parts", "P_", 10));
  EXPECT_EQ(*numbers.next(soon(), {"Parts", false, "", {}}), "P_10");
  EXPECT_EQ(*numbers.next(soon(), {"Parts", true, "", {}}), "P_11");
  EXPECT_EQ(*numbers.current(soon(), "Parts"), "11");
  EXPECT_FALSE(numbers.next(soon(), {"Parts", false, "", {}})) << "locked";
  const auto all = numbers.list(soon());
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 1u);
  EXPECT_TRUE((*all)[0].locked);
  ASSERT_TRUE(numbers.release(soon(), {"Parts", false, "Q_", 50}));
  EXPECT_EQ(*numbers.next(soon(), {"Parts", false, "", {}}), "Q_50");
  const auto removed = numbers.remove(soon(), "Parts");
  ASSERT_TRUE(removed) << why(removed);
  EXPECT_TRUE(numbers.list(soon())->empty());
}

TEST_F(KenestoServer, WhatRenamesIsProbedByItself) {
  for (const char* const missing : {"UpdateAssetName", "EditFolder", "RetrieveStatistics"}) {
    start(json{{"missing_calls", missing}}.dump());
    const bool renames = missing == std::string("RetrieveStatistics");
    EXPECT_EQ(store().capabilities().rename, renames) << missing;
    const RemoteEntry file = create(work_, "a.txt", "one");
    const auto renamed = store().rename(soon(), NodeKind::kFile, file.id, "b.txt");
    EXPECT_EQ(renamed.has_value(), renames) << missing;
    if (!renamed) EXPECT_CODE(renamed, ErrorCode::kCrossDevice);
  }
  // One that goes away later.
  start();
  const RemoteEntry file = create(work_, "a.txt", "one");
  world().settings(R"({"missing_calls": "UpdateAssetName,EditFolder"})");
  EXPECT_CODE(store().rename(soon(), NodeKind::kFile, file.id, "b.txt"), ErrorCode::kCrossDevice);
  EXPECT_FALSE(store().capabilities().rename);
  EXPECT_TRUE(store().capabilities().quota);
}

TEST_F(KenestoServer, RightsAreToldForEachLevel) {
  start();
  const auto bob = world().login(1);
  const auto theirs = world().another_store(*bob);
  ASSERT_TRUE(theirs->account(soon()));
  const auto rights = [&](RemoteStore& store, NodeKind kind, const RemoteId& id) -> std::string {
    const auto told = store.stat(soon(), kind, id);
    return told && told->rights ? to_string(*told->rights) : "? " + why(told);
  };
  const auto share = [&](const std::string& path, const char* level, bool upload = false) {
    world().as("", {{"op", "share"},
                    {"path", path},
                    {"with", world().other_address()},
                    {"level", level},
                    {"upload", upload}});
  };
  const struct {
    const char* level;
    const char* document;
    const char* folder;
  } levels[] = {{"VIEW_ONLY", "list", "list"},
                {"ALLOW_DOWNLOAD", "list,read,versions", "list,read,versions"},
                {"ALLOW_UPDATE_VERSIONS", "list,read,versions,write", "list,read,versions"}};
  for (const auto& one : levels) {
    const std::string name = one.level;
    const RemoteEntry document = create(root_, name + ".txt", "x");
    const auto folder = store().create_folder(soon(), root_, name);
    ASSERT_TRUE(folder);
    share(name + ".txt", one.level);
    share(name, one.level);
    EXPECT_EQ(rights(*theirs, NodeKind::kFile, document.id), one.document) << name;
    EXPECT_EQ(rights(*theirs, NodeKind::kFolder, folder->id), one.folder) << name;
    EXPECT_EQ(rights(store(), NodeKind::kFile, document.id),
              "delete,list,read,rename,share,versions,write");
    EXPECT_EQ(rights(store(), NodeKind::kFolder, folder->id),
              "create,delete,list,read,rename,share,versions");
  }
  const auto box = store().create_folder(soon(), root_, "box");
  ASSERT_TRUE(box);
  share("box", "VIEW_ONLY", true);
  EXPECT_EQ(rights(*theirs, NodeKind::kFolder, box->id), "create,list");
  const RemoteEntry held = create(vault_, "held.txt", "x");
  EXPECT_EQ(rights(*theirs, NodeKind::kFile, held.id), "list,lock,read,versions,write");
  // AllowUpdateVersions is the last word, also for whoever owns it.
  const RemoteEntry frozen = create(root_, "frozen.txt", "x");
  world().as("", {{"op", "freeze"}, {"path", "frozen.txt"}});
  EXPECT_EQ(rights(store(), NodeKind::kFile, frozen.id), "delete,list,read,rename,share,versions");
}

TEST_F(KenestoServer, TheUsedSpaceIsTold) {
  start();
  EXPECT_TRUE(store().capabilities().quota);
  create(work_, "a.txt", "12345");
  const auto quota = store().quota(soon());
  ASSERT_TRUE(quota);
  EXPECT_EQ(quota->used, 5u);
  EXPECT_FALSE(quota->total);
}

}  // namespace
}  // namespace cabinetfs
