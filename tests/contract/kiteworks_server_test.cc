// What only this vendor does: its requests counted, its answers lost, cut and changed on the way.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/contract/kiteworks_world.h"

namespace cabinetfs {
namespace {

class KiteworksServer : public ::testing::Test {
 protected:
  void start(const std::string& settings = "{}", const KiteworksConfig& config = {},
             std::chrono::milliseconds throttle = std::chrono::milliseconds(1)) {
    world_ = std::make_unique<KiteworksWorld>(settings, config, throttle);
    const auto account = store().account(soon());
    ASSERT_OK(account);
    work_ = *find(store().root(soon())->id, "Work");
    world().reset_requests();
  }
  KiteworksWorld& world() { return *world_; }
  RemoteStore& store() { return world_->store(); }
  const RemoteId& work() const { return work_.id; }
  static CallContext soon() { return CallContext::within(std::chrono::seconds(30)); }

  std::optional<RemoteEntry> find(const RemoteId& folder, const std::string& name) {
    const auto found = store().find_child(soon(), folder, name);
    EXPECT_TRUE(found) << why(found);
    return found ? *found : std::nullopt;
  }
  Result<RemoteEntry> create(const std::string& name, const std::string& content) {
    return store().put(soon(), {{}, work(), name, {}}, as_bytes(content));
  }
  Result<std::string> read(const RemoteEntry& file) {
    std::string content;
    TRY(store().read(soon(), {file.id, {}, 0, file.size, file.size}, [&](Bytes bytes) {
      content += as_text(bytes);
      return true;
    }));
    return content;
  }

 private:
  std::unique_ptr<KiteworksWorld> world_;
  RemoteEntry work_;
};

TEST_F(KiteworksServer, ADirectoryIsOneRequestAndSoIsASmallFile) {
  start();
  world().server().admin("POST", "as", R"({"op":"fill","path":"Work","count":900})");
  ASSERT_EQ(store().list(soon(), work())->size(), 900u);
  EXPECT_EQ(world().requests(""), 1u);
  world().reset_requests();
  const auto file = create("small.txt", "hello");
  ASSERT_OK(file);
  EXPECT_EQ(world().requests(""), 1u);
  world().reset_requests();
  ASSERT_OK(store().put(soon(), {file->id, {}, file->name, {}}, as_bytes("again")));
  EXPECT_EQ(world().requests(""), 1u);
  world().reset_requests();
  ASSERT_OK(read(*store().stat(soon(), NodeKind::kFile, file->id)));
  EXPECT_EQ(world().requests(""), 2u);
}

TEST_F(KiteworksServer, BulkCallsAreOneRequest) {
  start();
  std::vector<RemoteEntry> files;
  std::vector<RemoteId> ids;
  for (int i = 0; i < 50; ++i) {
    const auto file = create("f" + std::to_string(i), std::string(100, 'x'));
    ASSERT_OK(file);
    files.push_back(*file);
    ids.push_back(file->id);
  }
  world().reset_requests();
  int got = 0;
  ASSERT_OK(store().read_many(soon(), files, [&](const RemoteId&, std::string) { ++got; }));
  EXPECT_EQ(got, 50);
  EXPECT_EQ(world().requests(""), 1u);
  world().reset_requests();
  for (const auto& result : store().remove_files(soon(), ids)) EXPECT_TRUE(result) << why(result);
  EXPECT_EQ(world().requests(""), 1u);
}

TEST_F(KiteworksServer, DeletedChildrenAreNotListed) {
  start();
  const auto file = create("a.txt", "x");
  ASSERT_OK(file);
  ASSERT_OK(store().remove(soon(), NodeKind::kFile, file->id));
  EXPECT_TRUE(store().list(soon(), work())->empty());
  EXPECT_CODE(store().stat(soon(), NodeKind::kFile, file->id), ErrorCode::kNotFound);
}

TEST_F(KiteworksServer, ForbiddenIsNotGone) {
  start();
  const auto file = create("a.txt", "x");
  ASSERT_OK(file);
  ASSERT_OK(store().list(soon(), work()));
  world().fault(R"({"match":{"method":"GET","path":"^/rest/files/"},"times":1,"action":"status",
                    "status":403,"content_type":"application/json",
                    "body":"{\"errors\":[{\"code\":\"ERR_ACCESS_USER\"}]}"})");
  EXPECT_CODE(store().stat(soon(), NodeKind::kFile, file->id), ErrorCode::kDenied);
  EXPECT_CODE(store().stat(soon(), NodeKind::kFile, RemoteId{"unknown-id"}), ErrorCode::kDenied);
  // The page of a proxy says nothing about the object.
  world().fault(R"({"match":{"method":"GET","path":"^/rest/files/"},"times":1,"action":"status",
                    "status":404,"content_type":"text/html","body":"<html>no such host</html>"})");
  EXPECT_CODE(store().stat(soon(), NodeKind::kFile, file->id), ErrorCode::kUnavailable);
  ASSERT_OK(store().stat(soon(), NodeKind::kFile, file->id));
}

TEST_F(KiteworksServer, ALostAnswerToACreateIsNotRepeated) {
  start();
  world().fault(R"({"match":{"method":"POST","path":"/actions/file$"},"times":1,
                    "action":"drop","after_effect":true})");
  const auto lost = create("a.txt", "x");
  EXPECT_CODE(lost, ErrorCode::kUnavailable);
  EXPECT_EQ(world().content_of("Work/a.txt"), "x") << "it happened";
  const auto found = find(work(), "a.txt");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(store().versions(soon(), found->id)->size(), 1u);
}

TEST_F(KiteworksServer, AServerErrorToACreateIsNotRepeated) {
  start();
  world().fault(R"({"match":{"method":"POST","path":"/actions/file$"},"times":1,"action":"status",
                    "status":503,"body":"busy"})");
  EXPECT_CODE(create("a.txt", "x"), ErrorCode::kUnavailable);
  EXPECT_EQ(world().requests("POST /rest/folders/{id}/actions/file"), 1u);
}

TEST_F(KiteworksServer, ALostAnswerToARemovalIsFine) {
  start();
  const auto file = create("a.txt", "x");
  ASSERT_OK(file);
  world().fault(R"({"match":{"method":"DELETE","path":"^/rest/files/"},"times":1,
                    "action":"drop","after_effect":true})");
  ASSERT_OK(store().remove(soon(), NodeKind::kFile, file->id));
  EXPECT_FALSE(find(work(), "a.txt").has_value());
}

TEST_F(KiteworksServer, ALostLastChunkIsFoundByLooking) {
  start(R"({"upload_chunk_max": 1000})");
  const std::string content = pattern(2500);
  auto session = store().upload_begin(soon(), {{}, work(), "a.bin", {}}, content.size());
  ASSERT_OK(session);
  EXPECT_EQ(session->chunk_size, 1000u);
  ASSERT_OK(store().upload_chunk(soon(), *session, as_bytes(content).subspan(0, 1000)));
  // A chunk in the middle whose answer is lost: the server knows where it stands.
  world().fault(R"({"match":{"method":"POST","path":"/rest/uploads/"},"times":1,
                    "action":"drop","after_effect":true})");
  EXPECT_CODE(store().upload_chunk(soon(), *session, as_bytes(content).subspan(1000, 1000)),
              ErrorCode::kUnavailable);
  EXPECT_EQ(session->next_chunk, 1u);
  auto resumed = store().upload_resume(soon(), *session);
  ASSERT_OK(resumed);
  EXPECT_EQ(resumed->next_chunk, 2u);
  world().fault(R"({"match":{"method":"POST","path":"/rest/uploads/"},"times":1,
                    "action":"drop","after_effect":true})");
  EXPECT_CODE(store().upload_chunk(soon(), *resumed, as_bytes(content).subspan(2000)),
              ErrorCode::kUnavailable);
  EXPECT_CODE(store().upload_resume(soon(), *resumed), ErrorCode::kNotFound);
  EXPECT_TRUE(world().content_of("Work/a.bin") == content);
}

TEST_F(KiteworksServer, ASessionOutlivesTheStore) {
  start(R"({"upload_chunk_max": 1000})");
  const std::string content = pattern(1500);
  auto session = store().upload_begin(soon(), {{}, work(), "a.bin", {}}, content.size());
  ASSERT_OK(session);
  ASSERT_OK(store().upload_chunk(soon(), *session, as_bytes(content).first(1000)));
  const auto restarted = world().another_store();
  auto resumed = restarted->upload_resume(soon(), *session);
  ASSERT_OK(resumed);
  const auto done = restarted->upload_chunk(soon(), *resumed, as_bytes(content).subspan(1000));
  ASSERT_OK(done);
  EXPECT_TRUE(done->has_value());
}

TEST_F(KiteworksServer, AStoredSessionCannotLeadElsewhere) {
  start(R"({"upload_chunk_max": 1000})");
  auto session = store().upload_begin(soon(), {{}, work(), "a.bin", {}}, 4);
  ASSERT_OK(session);
  for (const std::string address :
       {"https://evil.example.com/rest/uploads/1", "//evil.example.com/rest/uploads/1",
        "x/../../rest/uploads/1", "rest/uploads/1?to=x", "oauth/token", "",
        "@evil/rest/uploads/1"}) {
    UploadSession bent = *session;
    bent.address = address;
    EXPECT_CODE(store().upload_chunk(soon(), bent, as_bytes("1234")), ErrorCode::kDenied);
  }
  ASSERT_OK(store().upload_chunk(soon(), *session, as_bytes("1234")));
}

TEST_F(KiteworksServer, AnExpiredSessionStartsAnew) {
  start(R"({"upload_chunk_max": 1000, "upload_timeout": 0})");
  auto session = store().upload_begin(soon(), {{}, work(), "a.bin", {}}, 1500);
  ASSERT_OK(session);
  // One idle second is more than none.
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  Result<UploadSession> resumed = store().upload_resume(soon(), *session);
  while (resumed && std::chrono::steady_clock::now() < until) {
    resumed = store().upload_resume(soon(), *session);
  }
  EXPECT_CODE(resumed, ErrorCode::kNotFound);
}

TEST_F(KiteworksServer, ACutDownloadGoesOnWhereItBroke) {
  start();
  const std::string content = pattern(3'000'000);
  world().server().admin(
      "POST", "as",
      nlohmann::json{{"op", "put"}, {"path", "Work/a.bin"}, {"size", 3'000'000}}.dump());
  const auto file = find(work(), "a.bin");
  ASSERT_TRUE(file.has_value());
  const std::string expected = world().content_of("Work/a.bin");
  world().fault(R"({"match":{"method":"GET","path":"/content$"},"times":2,"action":"truncate",
                    "bytes":1000000})");
  const auto got = read(*file);
  ASSERT_OK(got);
  EXPECT_TRUE(*got == expected);
}

TEST_F(KiteworksServer, AnAnswerThatIsNotThePartIsCorrupt) {
  start();
  const auto file = create("a.txt", "hello world");
  ASSERT_OK(file);
  const auto part = [&](const std::string& headers, int status, const std::string& body) {
    world().fault(nlohmann::json{
        {"match", {{"method", "GET"}, {"path", "/content$"}}},
        {"times", 1},
        {"action", "status"},
        {"status", status},
        {"content_type", "application/octet-stream"},
        {"headers", nlohmann::json::parse(headers)},
        {"body",
         body}}.dump());
    std::string content;
    Result<void> done = store().read(soon(), {file->id, {}, 2, 3, file->size}, [&](Bytes bytes) {
      content += as_text(bytes);
      return true;
    });
    return done ? Result<std::string>(content) : Result<std::string>(fail(done.error()));
  };
  EXPECT_EQ(*part(R"({"Content-Range": "bytes 2-4/11"})", 206, "llo"), "llo");
  EXPECT_EQ(*part(R"({"Content-Range": "bytes 2-4/*"})", 206, "llo"), "llo");
  EXPECT_EQ(*part("{}", 200, "hello world"), "llo") << "the whole instead of a part";
  EXPECT_CODE(part("{}", 206, "llo"), ErrorCode::kCorrupt);
  EXPECT_CODE(part(R"({"Content-Range": "bytes 3-5/11"})", 206, "lo "), ErrorCode::kCorrupt);
  EXPECT_CODE(part(R"({"Content-Range": "bytes 2-4/12"})", 206, "llo"), ErrorCode::kConflict);
  EXPECT_CODE(part(R"({"Content-Range": "pages 2-4/11"})", 206, "llo"), ErrorCode::kCorrupt);
  EXPECT_CODE(part("{}", 200, "hello"), ErrorCode::kConflict);
  EXPECT_CODE(part("{}", 416, ""), ErrorCode::kConflict);
}

TEST_F(KiteworksServer, TheRequestLimitIsWaitedFor) {
  // One more request every half second, which is long enough for a machine with other things to do.
  for (const auto& [status, settings] :
       {std::pair(403, R"({"rate": 2, "rate_burst": 1, "rate_status": 403})"),
        std::pair(429, R"({"rate": 2, "rate_burst": 1, "rate_status": 429, "retry_after": 1})")}) {
    start("{}", {}, std::chrono::milliseconds(600));
    const auto file = create("a.txt", "x");
    ASSERT_OK(file);
    world().settings(settings);
    world().reset_requests();
    for (int i = 0; i < 3; ++i) {
      const auto entry = store().stat(soon(), NodeKind::kFile, file->id);
      EXPECT_TRUE(entry) << status << why(entry);
    }
    EXPECT_GE(world().answers(status), 1u) << "nothing was refused";
  }
}

TEST_F(KiteworksServer, ANewVersionWaitsForTheScanAndFailsWhereSomethingWasFound) {
  start(R"({"scan_ms": 3600000})");
  const auto file = create("a.txt", "hello");
  ASSERT_OK(file);
  const UploadTarget target{file->id, {}, file->name, {}};
  EXPECT_CODE(store().upload_begin(soon(), target, 100), ErrorCode::kTryAgain);
  const auto look = [&](const char* av) {
    world().server().admin("POST", "file",
                           nlohmann::json{{"path", "Work/a.txt"}, {"av", av}}.dump());
  };
  look("disallowed");
  EXPECT_CODE(store().upload_begin(soon(), target, 100), ErrorCode::kDenied);
  look("allowed");
  auto session = store().upload_begin(soon(), target, 5);
  ASSERT_OK(session);
  const auto again = store().upload_chunk(soon(), *session, as_bytes("again"));
  ASSERT_OK(again);
  ASSERT_TRUE(again->has_value());
  EXPECT_EQ(world().content_of("Work/a.txt"), "again");
}

TEST_F(KiteworksServer, HashesThatComeLateChangeNothing) {
  start(R"({"hash_ms": 1000000})");
  const auto file = create("a.txt", "hello");
  ASSERT_OK(file);
  EXPECT_TRUE(file->hashes.md5.empty());
  world().settings(R"({"hash_ms": 0})");
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  Result<RemoteEntry> later = store().stat(soon(), NodeKind::kFile, file->id);
  while (later && later->hashes.md5.empty() && std::chrono::steady_clock::now() < until) {
    later = store().stat(soon(), NodeKind::kFile, file->id);
  }
  ASSERT_OK(later);
  EXPECT_EQ(later->hashes.md5, "5d41402abc4b2a76b9719d911017c592");
  EXPECT_EQ(later->validator, file->validator);
}

TEST_F(KiteworksServer, AWrongFileInABulkDownloadIsLeftOut) {
  start();
  const auto file = create("a.txt", "hello");
  ASSERT_OK(file);
  RemoteEntry other = *file;
  other.hashes.md5 = std::string(32, '0');
  other.hashes.sha3_256.clear();
  int got = 0;
  ASSERT_OK(store().read_many(soon(), {other}, [&](const RemoteId&, std::string) { ++got; }));
  EXPECT_EQ(got, 0);
  ASSERT_OK(store().read_many(soon(), {*file}, [&](const RemoteId&, std::string) { ++got; }));
  EXPECT_EQ(got, 1);
}

TEST_F(KiteworksServer, WithoutALogTheCallerLooksItself) {
  start(R"({"activities_denied": true})");
  const auto first = store().changes(soon(), "");
  ASSERT_OK(first);
  const auto second = store().changes(soon(), first->cursor);
  ASSERT_OK(second);
  EXPECT_FALSE(second->complete);
}

TEST_F(KiteworksServer, SystemFoldersAreMarkedAndStay) {
  start();
  const auto root = store().root(soon());
  ASSERT_OK(root);
  const auto own = find(root->id, "My Folder");
  ASSERT_TRUE(own.has_value());
  EXPECT_TRUE(own->system);
  EXPECT_FALSE(own->rights->has(Right::kDelete));
  EXPECT_FALSE(own->rights->has(Right::kRename));
  EXPECT_TRUE(own->rights->has(Right::kCreate));
  EXPECT_CODE(store().remove(soon(), NodeKind::kFolder, own->id), ErrorCode::kNotPermitted);
  EXPECT_FALSE(find(root->id, "Work")->system);
}

TEST_F(KiteworksServer, RightsFollowTheRole) {
  start();
  const auto file = create("a.txt", "x");
  ASSERT_OK(file);
  EXPECT_EQ(to_string(*file->rights), "delete,list,lock,read,rename,share,versions,write");
  EXPECT_EQ(to_string(*find(store().root(soon())->id, "Work")->rights),
            "create,delete,list,read,rename,share,write");
  const std::string bob = "bob@example.com";
  world().as(bob, {{"op", "put"}, {"path", "Look/only.txt"}, {"content", "secret"}});
  world().as(
      bob, {{"op", "share"}, {"path", "Look"}, {"with", "alice@example.com"}, {"role", "Viewer"}});
  const auto look = find(store().root(soon())->id, "Look");
  ASSERT_TRUE(look.has_value());
  EXPECT_EQ(to_string(*look->rights), "list");
  const auto seen = find(look->id, "only.txt");
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(to_string(*seen->rights), "list,versions");
  EXPECT_CODE(read(*seen), ErrorCode::kDenied);
  EXPECT_CODE(store().remove(soon(), NodeKind::kFile, seen->id), ErrorCode::kDenied);
  EXPECT_CODE(store().rename(soon(), NodeKind::kFile, seen->id, "x"), ErrorCode::kDenied);
  EXPECT_CODE(store().put(soon(), {{}, look->id, "new", {}}, as_bytes("x")), ErrorCode::kDenied);
  EXPECT_CODE(store().put(soon(), {seen->id, {}, "only.txt", {}}, as_bytes("x")),
              ErrorCode::kDenied);
  EXPECT_CODE(store().create_folder(soon(), look->id, "new"), ErrorCode::kDenied);
}

TEST_F(KiteworksServer, AFolderThatIsNoLongerSharedIsGone) {
  start();
  const std::string bob = "bob@example.com";
  world().as(bob, {{"op", "put"}, {"path", "Look/only.txt"}, {"content", "secret"}});
  const auto share = [&](const char* role) {
    world().as(bob,
               {{"op", "share"}, {"path", "Look"}, {"with", "alice@example.com"}, {"role", role}});
  };
  share("Downloader");
  const auto root = store().root(soon());
  ASSERT_OK(root);
  const auto look = find(root->id, "Look");
  ASSERT_TRUE(look.has_value());
  ASSERT_OK(store().list(soon(), look->id));
  share("none");
  EXPECT_CODE(store().stat(soon(), NodeKind::kFolder, look->id), ErrorCode::kNotFound);
  EXPECT_CODE(store().list(soon(), look->id), ErrorCode::kNotFound);
}

TEST_F(KiteworksServer, SharedFilesStandInTheRootWhereWanted) {
  KiteworksConfig config;
  config.shared_files_in_root = true;
  start("{}", config);
  const std::string bob = "bob@example.com";
  world().as(bob, {{"op", "put"}, {"path", "Private/one.txt"}, {"content", "shared alone"}});
  world().as(bob, {{"op", "share"},
                   {"path", "Private/one.txt"},
                   {"with", "alice@example.com"},
                   {"role", "Viewer"}});
  const auto root = store().root(soon());
  ASSERT_OK(root);
  const auto file = find(root->id, "one.txt");
  ASSERT_TRUE(file.has_value());
  EXPECT_EQ(file->kind, NodeKind::kFile);
  EXPECT_EQ(file->parent, root->id);
  EXPECT_FALSE(find(root->id, "Private").has_value());
}

TEST_F(KiteworksServer, GoneIsFoundOutWithoutAnyCode) {
  start(R"({"error_shape": "html"})");
  const auto file = create("a.txt", "x");
  ASSERT_OK(file);
  ASSERT_OK(store().list(soon(), work()));
  world().remove_as_other("Work/a.txt");
  EXPECT_CODE(store().stat(soon(), NodeKind::kFile, file->id), ErrorCode::kNotFound);
}

TEST_F(KiteworksServer, ADeadTokenAsksForALogin) {
  start();
  world().server().admin("POST", "expire_tokens", R"({"access": true})");
  EXPECT_CODE(store().list(soon(), work()), ErrorCode::kUnauthenticated);
  EXPECT_CODE(create("a.txt", "x"), ErrorCode::kUnauthenticated);
}

TEST_F(KiteworksServer, ATakenNameInBetweenIsUndoneWhereTheVersionsAreSeen) {
  start(R"({"upload_chunk_max": 1000})");
  const std::string content = pattern(1500);
  auto session = store().upload_begin(soon(), {{}, work(), "a.bin", {}}, content.size());
  ASSERT_OK(session);
  ASSERT_OK(store().upload_chunk(soon(), *session, as_bytes(content).first(1000)));
  world().write_as_other("Work/a.bin", "theirs");
  EXPECT_CODE(store().upload_chunk(soon(), *session, as_bytes(content).subspan(1000)),
              ErrorCode::kExists);
  EXPECT_EQ(world().content_of("Work/a.bin"), "theirs");
  const auto file = find(work(), "a.bin");
  ASSERT_TRUE(file.has_value());
  EXPECT_EQ(store().versions(soon(), file->id)->size(), 2u) << "nothing was thrown away";
}

TEST_F(KiteworksServer, AVersionSavedDuringAnUploadIsNotBuried) {
  start(R"({"upload_chunk_max": 1000})");
  const auto file = create("a.bin", "mine");
  ASSERT_OK(file);
  const std::string content = pattern(1500);
  const UploadTarget target{file->id, work(), "a.bin", {}, file->validator};
  auto session = store().upload_begin(soon(), target, content.size());
  ASSERT_OK(session);
  ASSERT_OK(store().upload_chunk(soon(), *session, as_bytes(content).first(1000)));
  world().write_as_other("Work/a.bin", "theirs");
  EXPECT_CODE(store().upload_chunk(soon(), *session, as_bytes(content).subspan(1000)),
              ErrorCode::kConflict);
  EXPECT_EQ(world().content_of("Work/a.bin"), "theirs");
  // So the caller looks at the file and begins anew.
  EXPECT_CODE(store().upload_resume(soon(), *session), ErrorCode::kNotFound);
  const auto now = store().stat(soon(), NodeKind::kFile, file->id);
  ASSERT_OK(now);
  UploadTarget again = target;
  again.before = now->validator;
  world().reset_requests();
  auto second = store().upload_begin(soon(), again, content.size());
  ASSERT_OK(second);
  ASSERT_OK(store().upload_chunk(soon(), *second, as_bytes(content).first(1000)));
  ASSERT_OK(store().upload_chunk(soon(), *second, as_bytes(content).subspan(1000)));
  EXPECT_TRUE(world().content_of("Work/a.bin") == content);
  EXPECT_EQ(world().requests(""), 4u);
}

TEST_F(KiteworksServer, RefusedTypesAreRefusals) {
  start(R"({"restricted_extensions": ["exe"], "restricted_types": ["bat"],
            "max_upload_size": 100000})");
  EXPECT_CODE(create("a.exe", "x"), ErrorCode::kNotPermitted);
  EXPECT_CODE(create("a.bat", "x"), ErrorCode::kNotPermitted);
  EXPECT_CODE(create("a.txt", std::string(100001, 'x')), ErrorCode::kTooLarge);
  EXPECT_CODE(store().upload_begin(soon(), {{}, work(), "a.exe", {}}, 10),
              ErrorCode::kNotPermitted);
}

}  // namespace
}  // namespace cabinetfs
