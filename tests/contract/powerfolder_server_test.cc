// What is special about PowerFolder, over HTTP.

#include <nlohmann/json.hpp>

#include "backend/powerfolder/powerfolder.h"
#include "tests/contract/powerfolder_world.h"

namespace cabinetfs {
namespace {

constexpr const char* kBob = "bob@example.com";

CallContext soon() { return CallContext::within(std::chrono::seconds(60)); }

UploadTarget new_file(const std::string& folder, const std::string& name) {
  UploadTarget target;
  target.parent.value = folder;
  target.name = name;
  return target;
}

Result<RemoteEntry> put(RemoteStore& store, const UploadTarget& target,
                        const std::string& content) {
  return store.put(soon(), target, as_bytes(content));
}

const RemoteEntry* named(const std::vector<RemoteEntry>& entries, const std::string& name) {
  for (const RemoteEntry& entry : entries) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

TEST(PowerFolderServer, TheTopLevelIsLeftAloneByDefault) {
  PowerFolderWorld world("{}");
  const auto store = world.another_store(PowerFolderConfig());
  ASSERT_OK(store->account(soon()));
  const auto root = store->root(soon());
  ASSERT_OK(root);
  EXPECT_FALSE(root->rights->has(Right::kCreate));
  const auto work = store->stat(soon(), NodeKind::kFolder, {"Work"});
  ASSERT_OK(work);
  EXPECT_TRUE(work->system);
  world.reset_requests();
  EXPECT_CODE(store->create_folder(soon(), {}, "New"), ErrorCode::kNotPermitted);
  EXPECT_CODE(store->rename(soon(), NodeKind::kFolder, {"Work"}, "Play"), ErrorCode::kNotPermitted);
  EXPECT_CODE(store->remove(soon(), NodeKind::kFolder, {"Work"}), ErrorCode::kNotPermitted);
  EXPECT_EQ(world.requests(""), 0u);
}

TEST(PowerFolderServer, NothingMovesBetweenTheTopLevelAndDeeper) {
  PowerFolderWorld world("{}");
  RemoteStore& store = world.store();
  ASSERT_OK(store.account(soon()));
  ASSERT_OK(store.create_folder(soon(), {}, "Other"));
  ASSERT_OK(store.create_folder(soon(), {"Work"}, "sub"));
  EXPECT_CODE(store.move(soon(), NodeKind::kFolder, {"Other"}, {"Work"}), ErrorCode::kCrossDevice);
  EXPECT_CODE(store.move(soon(), NodeKind::kFolder, {"Work/sub"}, {}), ErrorCode::kCrossDevice);
  // From one folder into another is fine where the server says so.
  ASSERT_OK(put(store, new_file("Work", "a.txt"), "hello"));
  const auto moved = store.move(soon(), NodeKind::kFile, {"Work/a.txt"}, {"Other"});
  ASSERT_OK(moved);
  EXPECT_EQ(moved->id, RemoteId{"Other/a.txt"});
  EXPECT_EQ(world.content_of("Other/a.txt"), "hello");
}

TEST(PowerFolderServer, OnlyAnOwnerRemovesATopFolderAndOnlyAnEmptyOne) {
  PowerFolderWorld world("{}");
  RemoteStore& alice = world.store();
  ASSERT_OK(alice.account(soon()));
  const auto bob = world.store_of(1, PowerFolderWorld::everything());
  ASSERT_OK(bob->account(soon()));
  EXPECT_CODE(bob->remove(soon(), NodeKind::kFolder, {"Work"}), ErrorCode::kDenied);
  ASSERT_OK(put(alice, new_file("Work", "a.txt"), "hello"));
  EXPECT_CODE(alice.remove(soon(), NodeKind::kFolder, {"Work"}), ErrorCode::kNotEmpty);
  // Not even while the server lists nothing.
  world.settings(R"({"empty_listings": 100, "empty_path": "Work"})");
  EXPECT_FALSE(alice.remove(soon(), NodeKind::kFolder, {"Work"}));
  world.settings(R"({"empty_listings": 0})");
  EXPECT_EQ(world.content_of("Work/a.txt"), "hello");
  ASSERT_OK(alice.remove(soon(), NodeKind::kFile, {"Work/a.txt"}));
  ASSERT_OK(alice.remove(soon(), NodeKind::kFolder, {"Work"}));
  const auto left = alice.list(soon(), {});
  ASSERT_OK(left);
  EXPECT_EQ(named(*left, "Work"), nullptr);
}

TEST(PowerFolderServer, AFolderThatSomebodyRenamedIsNotRemovedByItsOldName) {
  PowerFolderWorld world("{}");
  RemoteStore& alice = world.store();
  ASSERT_OK(alice.account(soon()));
  const auto bob = world.store_of(1, PowerFolderWorld::everything());
  ASSERT_OK(bob->account(soon()));
  ASSERT_OK(alice.list(soon(), {}));
  // The folder service goes on saying "Work" for longer than the test lasts.
  world.settings(R"({"api_delay_ms": 3600000})");
  ASSERT_OK(bob->rename(soon(), NodeKind::kFolder, {"Work"}, "Other"));
  ASSERT_OK(put(*bob, new_file("Other", "a.txt"), "hello"));
  ASSERT_OK(alice.remove(soon(), NodeKind::kFolder, {"Work"}));
  EXPECT_EQ(world.content_of("Other/a.txt"), "hello");
}

TEST(PowerFolderServer, AnEmptyListingAloneIsAskedForAgainBeforeARemoval) {
  PowerFolderWorld world(R"({"files_api": false})");
  ASSERT_OK(world.store().account(soon()));
  ASSERT_OK(world.store().create_folder(soon(), {"Work"}, "sub"));
  ASSERT_OK(put(world.store(), new_file("Work/sub", "a.txt"), "hello"));
  for (const char* folder : {"Work/sub", "Work"}) {
    // One that has never seen the folder full.
    const auto store = world.another_store();
    ASSERT_OK(store->account(soon()));
    world.settings(std::string(R"({"empty_listings": 2, "empty_path": ")") + folder + "\"}");
    EXPECT_CODE(store->remove(soon(), NodeKind::kFolder, {folder}), ErrorCode::kNotEmpty);
    EXPECT_EQ(world.content_of("Work/sub/a.txt"), "hello");
  }
  ASSERT_OK(world.store().remove(soon(), NodeKind::kFile, {"Work/sub/a.txt"}));
  ASSERT_OK(world.store().remove(soon(), NodeKind::kFolder, {"Work/sub"}));
  ASSERT_OK(world.store().remove(soon(), NodeKind::kFolder, {"Work"}));
}

TEST(PowerFolderServer, ALyingListingIsChecked) {
  PowerFolderWorld world("{}");
  RemoteStore& store = world.store();
  ASSERT_OK(store.account(soon()));
  ASSERT_OK(put(store, new_file("Work", "a.txt"), "hello"));
  ASSERT_OK(store.list(soon(), {"Work"}));
  world.settings(R"({"empty_listings": 1, "empty_path": "Work"})");
  const auto again = store.list(soon(), {"Work"});
  ASSERT_OK(again);
  EXPECT_EQ(again->size(), 1u) << "a second look";
  world.settings(R"({"empty_listings": 100, "empty_path": "Work"})");
  EXPECT_CODE(store.list(soon(), {"Work"}), ErrorCode::kUnavailable);
  world.settings(R"({"empty_listings": 0})");
  EXPECT_EQ(store.list(soon(), {"Work"})->size(), 1u);
}

TEST(PowerFolderServer, RightsAreThoseOfTheTopFolder) {
  PowerFolderWorld world("{}");
  ASSERT_OK(world.store().account(soon()));
  ASSERT_OK(world.store().create_folder(soon(), {"Work"}, "sub"));
  ASSERT_OK(put(world.store(), new_file("Work/sub", "a.txt"), "hello"));
  PowerFolderConfig config;
  config.rights_fresh = std::chrono::seconds(0);
  const auto bob = world.store_of(1, config);
  ASSERT_OK(bob->account(soon()));
  const auto rights = [&](const std::string& id) {
    const auto entry = bob->stat(soon(), NodeKind::kFile, {id});
    EXPECT_TRUE(entry) << why(entry);
    return entry && entry->rights ? to_string(*entry->rights) : std::string("not told");
  };
  EXPECT_EQ(rights("Work/sub/a.txt"), "delete,read,rename,write");
  ASSERT_OK(world.store().share(soon(), NodeKind::kFolder, {"Work"}, kBob, AccessLevel::kRead));
  EXPECT_EQ(rights("Work/sub/a.txt"), "read");
  EXPECT_CODE(put(*bob, new_file("Work/sub", "b.txt"), "x"), ErrorCode::kDenied);
  // Below a folder there is nobody to share with, above it there is no folder.
  EXPECT_CODE(
      world.store().share(soon(), NodeKind::kFolder, {"Work/sub"}, kBob, AccessLevel::kRead),
      ErrorCode::kNotPermitted);
  EXPECT_CODE(world.store().share(soon(), NodeKind::kFolder, {}, kBob, AccessLevel::kRead),
              ErrorCode::kNotPermitted);
  const auto of_file =
      world.store().permission_of(soon(), NodeKind::kFile, {"Work/sub/a.txt"}, "BOB@example.com");
  ASSERT_OK(of_file);
  EXPECT_EQ(of_file->vendor_word, "READ");
  EXPECT_CODE(
      world.store().permission_of(soon(), NodeKind::kFolder, {"Work"}, "nobody@example.com"),
      ErrorCode::kNoData);
}

TEST(PowerFolderServer, EverybodysAccessCanBeTakenAway) {
  PowerFolderWorld world("{}");
  ASSERT_OK(world.store().account(soon()));
  ASSERT_OK(world.store().unshare_all(soon(), NodeKind::kFolder, {"Work"}));
  const auto bob = world.store_of(1, PowerFolderConfig());
  ASSERT_OK(bob->account(soon()));
  const auto left = bob->list(soon(), {});
  ASSERT_OK(left);
  EXPECT_EQ(named(*left, "Work"), nullptr);
}

TEST(PowerFolderServer, TwinsAreReadOnly) {
  PowerFolderWorld world("{}");
  ASSERT_OK(put(world.store(), new_file("Work", "a.txt"), "hello"));
  world.as("", {{"op", "twin"}, {"path", "Work"}, {"id", "[TwinTwinTwinTwinTwin00]"}});
  const auto store = world.another_store();
  ASSERT_OK(store->account(soon()));
  ASSERT_OK(store->list(soon(), {}));
  EXPECT_CODE(put(*store, new_file("Work", "b.txt"), "x"), ErrorCode::kReadOnly);
  EXPECT_CODE(store->create_folder(soon(), {"Work"}, "d"), ErrorCode::kReadOnly);
  EXPECT_CODE(store->remove(soon(), NodeKind::kFile, {"Work/a.txt"}), ErrorCode::kReadOnly);
  EXPECT_CODE(store->rename(soon(), NodeKind::kFolder, {"Work"}, "Play"), ErrorCode::kReadOnly);
  EXPECT_CODE(store->remove(soon(), NodeKind::kFolder, {"Work"}), ErrorCode::kReadOnly);
  EXPECT_CODE(store->create_folder(soon(), {}, "Work"), ErrorCode::kExists);
}

TEST(PowerFolderServer, SpecialFoldersAreShownAndStay) {
  PowerFolderWorld world("{}");
  world.as("", {{"op", "special"}, {"path", "$mail_attachments"}, {"name", "Mail attachments"}});
  RemoteStore& store = world.store();
  ASSERT_OK(store.account(soon()));
  const auto listed = store.list(soon(), {});
  ASSERT_OK(listed);
  const RemoteEntry* const special = named(*listed, "$mail_attachments");
  ASSERT_NE(special, nullptr);
  EXPECT_TRUE(special->system);
  EXPECT_CODE(store.remove(soon(), NodeKind::kFolder, special->id), ErrorCode::kNotPermitted);
  EXPECT_CODE(store.rename(soon(), NodeKind::kFolder, special->id, "x"), ErrorCode::kNotPermitted);
  ASSERT_OK(put(store, new_file("$mail_attachments", "a.txt"), "hello"));
}

TEST(PowerFolderServer, OneFolderCanBeTheRoot) {
  PowerFolderWorld world("{}");
  PowerFolderConfig config;
  config.folder = "Work";
  const auto store = world.another_store(config);
  ASSERT_OK(store->account(soon()));
  EXPECT_TRUE(store->capabilities().root_takes_files);
  const auto made = put(*store, new_file("", "a.txt"), "hello");
  ASSERT_OK(made);
  EXPECT_EQ(made->id, RemoteId{"a.txt"});
  EXPECT_EQ(world.content_of("Work/a.txt"), "hello");
  ASSERT_OK(store->create_folder(soon(), {}, "d"));
  ASSERT_OK(store->move(soon(), NodeKind::kFile, {"a.txt"}, {"d"}));
  ASSERT_OK(store->share(soon(), NodeKind::kFolder, {}, kBob, AccessLevel::kRead));
  const auto permissions = store->permissions(soon(), NodeKind::kFile, {"d/a.txt"});
  ASSERT_OK(permissions);
  EXPECT_EQ(permissions->size(), 2u);
  EXPECT_CODE(store->remove(soon(), NodeKind::kFolder, {}), ErrorCode::kNotPermitted);
}

TEST(PowerFolderServer, ATokenStandsForThePassword) {
  PowerFolderWorld world("{}");
  PowerFolderConfig config;
  config.server_url = world.server().url();
  const auto& alice = world.server().credentials().users.at(0);
  const auto token = powerfolder_login_token(world.plain_http(), soon(), config, alice.email,
                                             SecretString(alice.password));
  ASSERT_OK(token);
  EXPECT_NE(token->reveal(), alice.password);
  const auto wrong = powerfolder_login_token(world.plain_http(), soon(), config, alice.email,
                                             SecretString("not this one"));
  EXPECT_CODE(wrong, ErrorCode::kUnauthenticated);
  // Passwords are never part of an address.
  for (const auto& request : world.admin("requests")) {
    EXPECT_EQ(request.value("query", "").find("assword"), std::string::npos);
  }
}

TEST(PowerFolderServer, ADeadTokenEndsInOneRefusal) {
  PowerFolderConfig config = PowerFolderWorld::everything();
  config.bearer = true;
  PowerFolderWorld world("{}", config);
  ASSERT_OK(world.store().account(soon()));
  ASSERT_OK(world.store().list(soon(), {"Work"}));
  world.server().admin("POST", "expire_tokens", "{}");
  world.reset_requests();
  for (int i = 0; i < 5; ++i) {
    EXPECT_CODE(world.store().list(soon(), {"Work"}), ErrorCode::kUnauthenticated);
  }
  EXPECT_EQ(world.requests(""), 1u) << "accounts are locked by less";
}

TEST(PowerFolderServer, APageForPeopleIsNoFolder) {
  PowerFolderWorld world("{}");
  ASSERT_OK(world.store().account(soon()));
  for (const char* kind : {"html", "redirect"}) {
    world.settings(std::string(R"({"login_page": ")") + kind + "\"}");
    EXPECT_CODE(world.store().list(soon(), {"Work"}), ErrorCode::kUnauthenticated);
    EXPECT_CODE(world.store().find_child(soon(), {"Work"}, "a"), ErrorCode::kUnauthenticated);
    EXPECT_CODE(put(world.store(), new_file("Work", "a"), "x"), ErrorCode::kUnauthenticated);
  }
}

TEST(PowerFolderServer, ABrokenUploadIsMended) {
  for (const char* etag : {"none", "strong"}) {
    PowerFolderWorld world(std::string(R"({"put_truncates": true, "etag": ")") + etag + "\"}");
    ASSERT_OK(world.store().account(soon()));
    const std::string content = pattern(300'000);
    UploadTarget target = new_file("Work", "a.bin");
    for (int i = 0; i < 2; ++i) {
      world.fault(R"({"match": {"method": "PUT"}, "times": 1, "action": "drop_upload",
                      "bytes": 100000})");
      const auto sent = put(world.store(), target, content);
      ASSERT_OK(sent);
      EXPECT_EQ(sent->size, content.size());
      EXPECT_TRUE(world.content_of("Work/a.bin") == content);
      target.file = sent->id;
    }
    EXPECT_GE(world.admin("actions").at("truncated_puts"), 1) << "else this proves nothing";
  }
}

TEST(PowerFolderServer, AnUploadThatArrivedIsNotSentTwice) {
  PowerFolderWorld world("{}");
  ASSERT_OK(world.store().account(soon()));
  world.fault(R"({"match": {"method": "PUT"}, "times": 1, "action": "drop_after_effect"})");
  world.reset_requests();
  ASSERT_OK(put(world.store(), new_file("Work", "a.txt"), "hello"));
  EXPECT_EQ(world.requests("PUT"), 1u);
  EXPECT_EQ(world.content_of("Work/a.txt"), "hello");
}

TEST(PowerFolderServer, PartsAreNeverUploaded) {
  PowerFolderWorld world("{}");
  ASSERT_OK(world.store().account(soon()));
  const std::string content = pattern(1'000'000);
  ContentSource source;
  source.size = content.size();
  source.read = [&](std::uint64_t offset, MutableBytes out) {
    const Bytes from = as_bytes(content).subspan(offset, out.size());
    std::copy(from.begin(), from.end(), out.begin());
    return true;
  };
  const auto made = world.store().put_stream(soon(), new_file("Work", "a.bin"), source);
  ASSERT_OK(made);
  EXPECT_TRUE(world.content_of("Work/a.bin") == content);
  EXPECT_EQ(world.admin("actions").at("content_range_puts"), 0);
}

TEST(PowerFolderServer, NamesThatOthersCannotHaveAreRefused) {
  PowerFolderWorld world("{}");
  RemoteStore& store = world.store();
  ASSERT_OK(store.account(soon()));
  for (const char* name : {"a.", "a ", "a:b", ".PowerFolder", "a\x01"}) {
    EXPECT_CODE(put(store, new_file("Work", name), "x"), ErrorCode::kInvalid);
    EXPECT_CODE(store.create_folder(soon(), {"Work"}, name), ErrorCode::kInvalid);
  }
  for (const char* name : {"x.webdav", "x.crypto", "$x"}) {
    EXPECT_CODE(store.create_folder(soon(), {}, name), ErrorCode::kInvalid);
  }
  ASSERT_OK(store.create_folder(soon(), {"Work"}, "x.webdav"));
}

TEST(PowerFolderServer, TheQuotaComesFromTheAccount) {
  PowerFolderWorld world("{}");
  ASSERT_OK(world.store().account(soon()));
  ASSERT_TRUE(world.store().capabilities().quota);
  world.set_quota(1000);
  ASSERT_OK(put(world.store(), new_file("Work", "a.txt"), std::string(100, 'x')));
  const auto quota = world.store().quota(soon());
  ASSERT_OK(quota);
  EXPECT_EQ(quota->used, 100u);
  EXPECT_EQ(quota->total, 1000u);
}

}  // namespace
}  // namespace cabinetfs
