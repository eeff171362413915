#include "backend/auth/secret_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/unit/auth/auth_test_util.h"

namespace cabinetfs {
namespace {

mode_t mode_of(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

TEST(FileSecretStore, KeepsValuesPerRemoteAndKey) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("state/cabinetfs/credentials.json");
  {
    const auto store = make_file_secret_store(path);
    EXPECT_FALSE(store->get("work", "password")->has_value());
    ASSERT_TRUE(store->set("work", "password", SecretString("p\"1")).has_value());
    ASSERT_TRUE(store->set("work", "oauth", SecretString("{\"a\":1}")).has_value());
    ASSERT_TRUE(store->set("cad", "password", SecretString("p2")).has_value());
    ASSERT_TRUE(store->set("cad", "password", SecretString("p3")).has_value());
  }
  const auto store = make_file_secret_store(path);
  EXPECT_EQ(store->get("work", "password")->value().reveal(), "p\"1");
  EXPECT_EQ(store->get("work", "oauth")->value().reveal(), "{\"a\":1}");
  EXPECT_EQ(store->get("cad", "password")->value().reveal(), "p3");
  ASSERT_TRUE(store->erase("cad", "password").has_value());
  ASSERT_TRUE(store->erase("cad", "password").has_value());
  EXPECT_FALSE(store->get("cad", "password")->has_value());
  EXPECT_EQ(mode_of(path), 0600u);
  EXPECT_EQ(mode_of(directory.file("state/cabinetfs")), 0700u);
  // Nothing is left lying about but the lock file.
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory.file("state/cabinetfs"))) {
    EXPECT_THAT(entry.path().string(), testing::StartsWith(path));
    ++files;
  }
  EXPECT_EQ(files, 2);
}

TEST(FileSecretStore, RefusesAFileThatOthersCanRead) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("c.json");
  const auto store = make_file_secret_store(path);
  ASSERT_TRUE(store->set("work", "password", SecretString("hush")).has_value());
  ::chmod(path.c_str(), 0640);
  const auto value = store->get("work", "password");
  ASSERT_FALSE(value.has_value());
  EXPECT_EQ(value.error().code, ErrorCode::kDenied);
  EXPECT_EQ(store->set("work", "password", SecretString("x")).error().code, ErrorCode::kDenied);
  EXPECT_EQ(mode_of(path), 0640u);  // untouched: the user decides
}

TEST(FileSecretStore, DamageIsAnErrorAndIsNotOverwritten) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("c.json");
  std::ofstream(path) << "{\"work\":{\"password\":\"hu";
  ::chmod(path.c_str(), 0600);
  const auto store = make_file_secret_store(path);
  EXPECT_EQ(store->get("work", "password").error().code, ErrorCode::kIo);
  EXPECT_EQ(store->set("cad", "password", SecretString("x")).error().code, ErrorCode::kIo);
  EXPECT_EQ(std::filesystem::file_size(path), 23u);
}

TEST(FileSecretStore, WritersDoNotLoseEachOthersValues) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("c.json");
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        const auto store = make_file_secret_store(path);  // one each, as processes have
        for (int i = 0; i < 5; ++i) {
          EXPECT_TRUE(
              store->set("remote" + std::to_string(t), "key" + std::to_string(i), SecretString("v"))
                  .has_value());
        }
      });
    }
  }
  const auto store = make_file_secret_store(path);
  for (int t = 0; t < 4; ++t) {
    for (int i = 0; i < 5; ++i) {
      const auto value = store->get("remote" + std::to_string(t), "key" + std::to_string(i));
      ASSERT_TRUE(value.has_value());
      EXPECT_TRUE(value->has_value()) << t << " " << i;
    }
  }
}

TEST(SecretStore, FallsBackToTheFileQuicklyWithoutABus) {
  const TemporaryDirectory directory;
  const char* const bus = std::getenv("DBUS_SESSION_BUS_ADDRESS");
  const std::string old_bus = bus == nullptr ? "" : bus;
  // A bus that does not answer.
  ::setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
  const auto start = std::chrono::steady_clock::now();
  const auto store = open_secret_store({.file = directory.file("c.json")});
  const auto service = open_secret_store(
      {.file = directory.file("c.json"), .kind = SecretStoreOptions::Kind::kSecretService});
  const auto took = std::chrono::steady_clock::now() - start;
  if (bus == nullptr) {
    ::unsetenv("DBUS_SESSION_BUS_ADDRESS");
  } else {
    ::setenv("DBUS_SESSION_BUS_ADDRESS", old_bus.c_str(), 1);
  }
  ASSERT_TRUE(store.has_value());
  EXPECT_EQ((*store)->description(), directory.file("c.json"));
  ASSERT_FALSE(service.has_value());
  EXPECT_EQ(service.error().code, ErrorCode::kNotSupported);
  EXPECT_LT(took, std::chrono::seconds(5));
}

// Nobody unlocks it.
class LockedStore final : public SecretStore {
 public:
  Result<std::optional<SecretString>> get(std::string_view, std::string_view) override {
    return locked();
  }
  Result<void> set(std::string_view, std::string_view, const SecretString&) override {
    return locked();
  }
  Result<void> erase(std::string_view, std::string_view) override { return locked(); }
  std::string description() const override { return "locked"; }

 private:
  static tl::unexpected<Error> locked() { return fail(ErrorCode::kIo, "it is locked"); }
};

// The keyring is another file here, which some sessions do not have.
class AutomaticStore : public testing::Test {
 protected:
  enum class Keyring { kNone, kOpen, kLocked, kInterrupted };
  std::unique_ptr<SecretStore> session(Keyring keyring, bool unattended = false) const {
    return make_automatic_secret_store(
        make_file_secret_store(file_),
        [=, this](bool may_give_up) -> Result<std::unique_ptr<SecretStore>> {
          if (keyring == Keyring::kNone)
            return fail(ErrorCode::kNotSupported, "there is no session bus");
          if (keyring == Keyring::kInterrupted && may_give_up)
            return fail(ErrorCode::kCancelled, "interrupted");
          if (keyring == Keyring::kLocked) return std::make_unique<LockedStore>();
          return make_file_secret_store(ring_);
        },
        unattended);
  }
  std::unique_ptr<SecretStore> desktop() const { return session(Keyring::kOpen); }
  std::unique_ptr<SecretStore> cron() const { return session(Keyring::kNone); }
  // As a version left it that knew of no notes.
  static void put(const std::string& place, const char* key, const char* value) {
    ASSERT_TRUE(make_file_secret_store(place)->set("work", key, SecretString(value)).has_value());
  }
  static std::string value_of(SecretStore& store, const char* key = "password") {
    const auto value = store.get("work", key);
    if (!value) return to_string(value.error());
    return *value ? (*value)->reveal() : "none";
  }

  const TemporaryDirectory directory_;
  const std::string file_ = directory_.file("c.json"), ring_ = directory_.file("ring.json");
};

TEST_F(AutomaticStore, ALoginInTheKeyringIsNotMissingWhereThereIsNone) {
  ASSERT_TRUE(desktop()->set("work", "password", SecretString("hush")).has_value());
  EXPECT_EQ(value_of(*desktop()), "hush");
  const auto missed = cron()->get("work", "password");
  ASSERT_FALSE(missed.has_value());
  EXPECT_EQ(missed.error().code, ErrorCode::kIo);
  EXPECT_THAT(missed.error().context,
              testing::HasSubstr("the keyring that holds the login of work is not reachable"));
  EXPECT_EQ(value_of(*cron(), "another"), "none");
  EXPECT_FALSE(cron()->erase("work", "password").has_value()) << "it would come back";
  std::stringstream text;
  text << std::ifstream(file_).rdbuf();
  EXPECT_THAT(text.str(), testing::Not(testing::HasSubstr("hush")));
}

TEST_F(AutomaticStore, WhatIsInTheFileStaysThereAndIsFoundByAll) {
  ASSERT_TRUE(cron()->set("work", "store_key", SecretString("old")).has_value());
  const auto store = desktop();
  EXPECT_EQ(value_of(*store, "store_key"), "old");
  EXPECT_EQ(store->description(), file_);
  ASSERT_TRUE(store->set("work", "store_key", SecretString("new")).has_value());
  EXPECT_EQ(value_of(*cron(), "store_key"), "new");
  EXPECT_EQ(value_of(*make_file_secret_store(ring_), "store_key"), "none");
}

TEST_F(AutomaticStore, ANewLoginWithoutTheKeyringCountsForAll) {
  ASSERT_TRUE(desktop()->set("work", "password", SecretString("old")).has_value());
  ASSERT_TRUE(cron()->set("work", "password", SecretString("new")).has_value());
  EXPECT_EQ(value_of(*cron()), "new");
  EXPECT_EQ(value_of(*desktop()), "new");
  ASSERT_TRUE(desktop()->erase("work", "password").has_value());
  EXPECT_EQ(value_of(*desktop()), "none") << "from both places";
  EXPECT_EQ(value_of(*cron()), "none");
}

TEST_F(AutomaticStore, WhatAnOlderVersionLeftInTheKeyringIsRemembered) {
  ASSERT_TRUE(
      make_file_secret_store(ring_)->set("work", "password", SecretString("hush")).has_value());
  EXPECT_EQ(value_of(*cron()), "none");
  EXPECT_EQ(value_of(*desktop()), "hush");
  EXPECT_FALSE(cron()->get("work", "password").has_value());
}

TEST_F(AutomaticStore, OfTwoValuesOfAnOlderVersionTheKeyringsIsTaken) {
  for (const char* key : {"password", "store_key"}) {
    put(file_, key, "of ssh");
    put(ring_, key, "of the desktop");
    EXPECT_EQ(value_of(*cron(), key), "of ssh");
    EXPECT_EQ(value_of(*desktop(), key), "of the desktop");
    EXPECT_EQ(value_of(*make_file_secret_store(file_), (std::string(key) + "@keyring").c_str()),
              "yes");
    EXPECT_EQ(value_of(*desktop(), key), "of the desktop");
    EXPECT_EQ(value_of(*cron(), key), "of ssh") << "as before, where there is no keyring";
    ASSERT_TRUE(desktop()->set("work", key, SecretString("new")).has_value());
    EXPECT_EQ(value_of(*make_file_secret_store(ring_), key), "new");
    EXPECT_EQ(value_of(*desktop(), key), "new");
    ASSERT_TRUE(desktop()->erase("work", key).has_value());
    EXPECT_EQ(value_of(*desktop(), key), "none");
    EXPECT_EQ(value_of(*cron(), key), "none");
  }
}

TEST_F(AutomaticStore, WhereOnlyTheFileHasOneThatIsRemembered) {
  put(file_, "password", "of ssh");
  EXPECT_EQ(value_of(*desktop()), "of ssh");
  put(ring_, "password", "later");
  EXPECT_EQ(value_of(*desktop()), "of ssh");
}

TEST_F(AutomaticStore, AChangeGoesWhereTheValueOfAnOlderVersionIs) {
  put(file_, "password", "of ssh");
  put(ring_, "password", "of the desktop");
  ASSERT_TRUE(desktop()->set("work", "password", SecretString("new")).has_value());
  EXPECT_EQ(value_of(*make_file_secret_store(ring_)), "new");
  EXPECT_EQ(value_of(*desktop()), "new");
}

TEST_F(AutomaticStore, WhatIsLeftInTheKeyringDoesNotComeBack) {
  ASSERT_TRUE(desktop()->set("work", "password", SecretString("old")).has_value());
  ASSERT_TRUE(cron()->set("work", "password", SecretString("new")).has_value());
  ASSERT_TRUE(cron()->set("work", "password", SecretString("newer")).has_value());
  EXPECT_EQ(cron()->erase("work", "password").error().code, ErrorCode::kIo);
  EXPECT_EQ(value_of(*cron()), "newer");
  // A session that reaches it takes it away.
  ASSERT_TRUE(desktop()->set("work", "password", SecretString("newest")).has_value());
  EXPECT_EQ(value_of(*make_file_secret_store(ring_)), "none");
  EXPECT_EQ(value_of(*cron()), "newest");
  ASSERT_TRUE(cron()->erase("work", "password").has_value());
  EXPECT_EQ(value_of(*desktop()), "none");
}

TEST_F(AutomaticStore, ALockedKeyringDoesNotKeepAValueFromTheFileThatCounts) {
  ASSERT_TRUE(cron()->set("work", "password", SecretString("old")).has_value());
  ASSERT_TRUE(session(Keyring::kLocked)->set("work", "password", SecretString("new")).has_value());
  EXPECT_EQ(value_of(*cron()), "new");
  EXPECT_FALSE(cron()->erase("work", "password").has_value()) << "it may hold one, nobody knows";
  EXPECT_TRUE(desktop()->erase("work", "password").has_value());
}

TEST_F(AutomaticStore, AnInterruptionIsNotAMissingLogin) {
  for (const bool unattended : {false, true}) {
    const auto store = session(Keyring::kInterrupted, unattended);
    EXPECT_EQ(store->get("work", "password").error().code, ErrorCode::kCancelled);
  }
  // Nor a reason to lose one.
  const auto store = session(Keyring::kInterrupted);
  ASSERT_TRUE(store->set("work", "password", SecretString("hush")).has_value());
  EXPECT_EQ(value_of(*make_file_secret_store(ring_)), "hush");
  const auto another = session(Keyring::kInterrupted);
  EXPECT_TRUE(another->erase("work", "password").has_value());
  EXPECT_EQ(value_of(*desktop()), "none");
}

TEST_F(AutomaticStore, UnattendedWhatIsOutOfReachIsAbsent) {
  for (const Keyring keyring : {Keyring::kNone, Keyring::kLocked}) {
    const std::string key = keyring == Keyring::kNone ? "oauth" : "client_secret";
    ASSERT_TRUE(desktop()->set("work", key, SecretString("old")).has_value());
    EXPECT_FALSE(session(keyring)->get("work", key).has_value());
    const auto store = session(keyring, true);
    EXPECT_EQ(value_of(*store, key.c_str()), "none");
    ASSERT_TRUE(store->set("work", key, SecretString("new")).has_value());
    EXPECT_EQ(value_of(*store, key.c_str()), "new");
    EXPECT_EQ(store->description(), file_);
    EXPECT_EQ(value_of(*desktop(), key.c_str()), "new");
  }
  ASSERT_TRUE(desktop()->set("work", "store_key", SecretString("seal")).has_value());
  for (const Keyring keyring : {Keyring::kNone, Keyring::kLocked})
    EXPECT_FALSE(session(keyring, true)->get("work", "store_key").has_value())
        << "another one would open nothing";
}

TEST_F(AutomaticStore, UnattendedADamagedFileIsNotAbsent) {
  std::ofstream(file_) << "{";
  ::chmod(file_.c_str(), 0600);
  EXPECT_FALSE(session(Keyring::kNone, true)->get("work", "oauth").has_value());
}

TEST(SecretString, MovesAndComparesLikeAValue) {
  SecretString first("one");
  SecretString second = std::move(first);
  EXPECT_TRUE(first.empty());
  EXPECT_EQ(second.reveal(), "one");
  first = second;
  EXPECT_EQ(first, second);
  first = SecretString("two");
  EXPECT_FALSE(first == second);
  std::string text = "three";
  SecretString::wipe(text);
  EXPECT_TRUE(text.empty());
}

}  // namespace
}  // namespace cabinetfs
