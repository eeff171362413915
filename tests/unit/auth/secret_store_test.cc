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

// The keyring is another file here, which some sessions do not have.
class AutomaticStore : public testing::Test {
 protected:
  std::unique_ptr<SecretStore> session(bool with_keyring) const {
    return make_automatic_secret_store(
        make_file_secret_store(file_), [=, this]() -> Result<std::unique_ptr<SecretStore>> {
          if (!with_keyring) return fail(ErrorCode::kNotSupported, "there is no session bus");
          return make_file_secret_store(ring_);
        });
  }
  std::unique_ptr<SecretStore> desktop() const { return session(true); }
  std::unique_ptr<SecretStore> cron() const { return session(false); }
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
  EXPECT_FALSE(std::filesystem::exists(ring_));
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
