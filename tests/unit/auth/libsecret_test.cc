// Credentials in the session's keyring: a bus of our own, and a service on it that does as it is
// told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <future>
#include <memory>
#include <thread>

#include "backend/auth/secret_store.h"
#include "tests/unit/auth/auth_test_util.h"
#include "tests/unit/auth/fake_secret_service.h"

namespace cabinetfs {
namespace {

using testing::HasSubstr;

constexpr std::chrono::milliseconds kProbe{10'000};

class LibsecretStore : public testing::Test {
 protected:
  // GLib connects a process to one session bus, once.
  static void SetUpTestSuite() {
    directory_ = new TemporaryDirectory;
    bus_ = new PrivateBus(directory_->file(""));
    ::setenv("DBUS_SESSION_BUS_ADDRESS", bus_->address().c_str(), 1);
    if (!bus_->address().empty()) service_ = new FakeSecretService(bus_->address());
  }
  static void TearDownTestSuite() {
    delete service_;
    delete bus_;
    delete directory_;
  }
  void SetUp() override {
    if (service_ == nullptr) GTEST_SKIP() << "there is no dbus-daemon";
    service_->set_mode(FakeSecretService::Mode::kOpen);
  }

  static std::unique_ptr<SecretStore> open(std::chrono::milliseconds unlock_timeout = kProbe) {
    auto made = make_libsecret_store(kProbe, unlock_timeout);
    EXPECT_TRUE(made.has_value()) << to_string(made.error());
    return *std::move(made);
  }

  static TemporaryDirectory* directory_;
  static PrivateBus* bus_;
  static FakeSecretService* service_;
};
TemporaryDirectory* LibsecretStore::directory_ = nullptr;
PrivateBus* LibsecretStore::bus_ = nullptr;
FakeSecretService* LibsecretStore::service_ = nullptr;

TEST_F(LibsecretStore, KeepsValuesPerRemoteAndKey) {
  const auto store = open();
  EXPECT_EQ(store->description(), "Secret Service");
  EXPECT_FALSE(store->get("work", "password")->has_value());
  ASSERT_TRUE(store->set("work", "password", SecretString("p\"1")).has_value());
  ASSERT_TRUE(store->set("work", "oauth", SecretString("{\"a\":1}")).has_value());
  ASSERT_TRUE(store->set("cad", "password", SecretString("p2")).has_value());
  ASSERT_TRUE(store->set("cad", "password", SecretString("p3")).has_value());
  EXPECT_EQ(store->get("work", "password")->value().reveal(), "p\"1");
  EXPECT_EQ(store->get("work", "oauth")->value().reveal(), "{\"a\":1}");
  EXPECT_EQ(open()->get("cad", "password")->value().reveal(), "p3");
  const auto items = service_->items();
  ASSERT_EQ(items.size(), 3u);
  for (const auto& item : items) {
    EXPECT_EQ(item.attributes.at("xdg:schema"), "org.cabinetfs.Credential");
    EXPECT_THAT(item.label, testing::StartsWith("cabinetfs: "));
    EXPECT_THAT(item.label, testing::Not(HasSubstr(item.value)));
  }
  ASSERT_TRUE(store->erase("cad", "password").has_value());
  ASSERT_TRUE(store->erase("cad", "password").has_value());
  EXPECT_FALSE(store->get("cad", "password")->has_value());
  ASSERT_TRUE(store->erase("work", "password").has_value());
  ASSERT_TRUE(store->erase("work", "oauth").has_value());
  EXPECT_TRUE(service_->items().empty());
}

TEST_F(LibsecretStore, IsChosenWhereItAnswers) {
  const auto store =
      open_secret_store({.file = directory_->file("c.json"), .probe_timeout = kProbe});
  ASSERT_TRUE(store.has_value());
  EXPECT_EQ((*store)->description(), "Secret Service");
}

TEST_F(LibsecretStore, ALockedKeyringIsNamedWithTheWayOut) {
  const auto saved = open()->set("work", "password", SecretString("hush"));
  ASSERT_TRUE(saved.has_value()) << to_string(saved.error());
  const int before = service_->questions();
  service_->set_mode(FakeSecretService::Mode::kLocked);
  const auto store = open(std::chrono::milliseconds(300));
  const auto set = store->set("work", "password", SecretString("hush2"));
  const auto get = store->get("work", "password");
  const auto erase = store->erase("work", "password");
  ASSERT_FALSE(set.has_value());
  ASSERT_FALSE(get.has_value());
  ASSERT_FALSE(erase.has_value());
  for (const Error& error : {set.error(), get.error(), erase.error()}) {
    EXPECT_EQ(error.code, ErrorCode::kIo) << "not a fault of the server: " << to_string(error);
    EXPECT_THAT(error.context, HasSubstr("secret_store = \"file\""));
    EXPECT_THAT(error.context, testing::Not(HasSubstr("hush")));
  }
  EXPECT_GT(service_->questions(), before) << "the user is asked first";
  service_->set_mode(FakeSecretService::Mode::kOpen);
  EXPECT_EQ(open()->get("work", "password")->value().reveal(), "hush");
  EXPECT_TRUE(open()->erase("work", "password").has_value());
}

TEST_F(LibsecretStore, TheWaitForALockedKeyringCanBeGivenUp) {
  ASSERT_TRUE(open()->set("work", "password", SecretString("hush")).has_value());
  const int before = service_->questions();
  service_->set_mode(FakeSecretService::Mode::kLocked);
  CancelSource source;
  auto made = make_libsecret_store(kProbe, std::chrono::minutes(10), source.token());
  ASSERT_TRUE(made.has_value());
  auto value = std::async(std::launch::async, [&] { return (*made)->get("work", "password"); });
  while (service_->questions() == before) std::this_thread::yield();
  source.cancel();
  const auto given_up = value.get();
  ASSERT_FALSE(given_up.has_value());
  EXPECT_EQ(given_up.error().code, ErrorCode::kCancelled) << to_string(given_up.error());
  service_->set_mode(FakeSecretService::Mode::kOpen);
  EXPECT_TRUE(open()->erase("work", "password").has_value());
}

TEST_F(LibsecretStore, WhatIsSavedOrErasedIsNotGivenUp) {
  CancelSource source;
  auto made = make_libsecret_store(kProbe, kProbe, source.token());
  ASSERT_TRUE(made.has_value());
  source.cancel();
  const auto saved = (*made)->set("work", "oauth", SecretString("rotated"));
  ASSERT_TRUE(saved.has_value()) << to_string(saved.error());
  EXPECT_EQ(open()->get("work", "oauth")->value().reveal(), "rotated");
  const auto erased = (*made)->erase("work", "oauth");
  ASSERT_TRUE(erased.has_value()) << to_string(erased.error());
  EXPECT_TRUE(service_->items().empty());
}

TEST_F(LibsecretStore, AFirstContactThatIsGivenUpIsNoMissingService) {
  CancelSource source;
  source.cancel();
  const auto made = make_libsecret_store(kProbe, kProbe, source.token());
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, ErrorCode::kCancelled);
  // Through both, and the keyring is used all the same for what is saved.
  const std::string file = directory_->file("interrupted.json");
  const auto store =
      open_secret_store({.file = file, .probe_timeout = kProbe, .cancel = source.token()});
  ASSERT_TRUE(store.has_value());
  EXPECT_EQ((*store)->get("work", "oauth").error().code, ErrorCode::kCancelled);
  ASSERT_TRUE((*store)->set("work", "oauth", SecretString("rotated")).has_value());
  EXPECT_EQ(open()->get("work", "oauth")->value().reveal(), "rotated");
  EXPECT_TRUE(open()->erase("work", "oauth").has_value());
}

TEST_F(LibsecretStore, NobodyIsAskedWhereOneOnlyLooks) {
  ASSERT_TRUE(open()->set("work", "password", SecretString("hush")).has_value());
  const auto looking = open(std::chrono::milliseconds(0));
  EXPECT_EQ(looking->get("work", "password")->value().reveal(), "hush");
  const int before = service_->questions();
  service_->set_mode(FakeSecretService::Mode::kLocked);
  for (const auto& error :
       {looking->get("work", "password").error(), looking->erase("work", "password").error(),
        open()->erase_unasked("work", "password").error()}) {
    EXPECT_EQ(error.code, ErrorCode::kIo);
    EXPECT_THAT(error.context, HasSubstr("it is locked"));
  }
  EXPECT_FALSE(looking->get("work", "another")->has_value());
  EXPECT_EQ(service_->questions(), before);
  service_->set_mode(FakeSecretService::Mode::kOpen);
  EXPECT_TRUE(open()->erase_unasked("work", "password").has_value());
  EXPECT_TRUE(service_->items().empty());
}

TEST_F(LibsecretStore, ReadingWaitsNoLongerThanItsLimit) {
  const std::string file = directory_->file("limited.json");
  const auto store = open_secret_store(
      {.file = file, .probe_timeout = kProbe, .unlock_timeout = std::chrono::minutes(10)});
  ASSERT_TRUE(store.has_value());
  (*store)->limit_reads(std::chrono::milliseconds(200));  // before it is opened
  ASSERT_TRUE((*store)->set("work", "oauth", SecretString("hush")).has_value());
  service_->set_mode(FakeSecretService::Mode::kLocked);
  const int before = service_->questions();
  EXPECT_EQ((*store)->get("work", "oauth").error().code, ErrorCode::kIo);
  EXPECT_GT(service_->questions(), before);
  (*store)->limit_reads(std::chrono::milliseconds(100));
  EXPECT_EQ((*store)->get("work", "oauth").error().code, ErrorCode::kIo);
  service_->set_mode(FakeSecretService::Mode::kOpen);
  EXPECT_TRUE((*store)->erase("work", "oauth").has_value());
}

TEST_F(LibsecretStore, AQuestionThatIsDismissedIsNoAnswer) {
  ASSERT_TRUE(open()->set("cad", "password", SecretString("hush")).has_value());
  service_->set_mode(FakeSecretService::Mode::kDismissing);
  const auto set = open()->set("work", "password", SecretString("hush"));
  ASSERT_FALSE(set.has_value());
  // Not "there is none", which would mean a login, and not "removed".
  const auto get = open()->get("cad", "password");
  const auto erase = open()->erase("cad", "password");
  ASSERT_FALSE(get.has_value());
  ASSERT_FALSE(erase.has_value());
  for (const Error& error : {set.error(), get.error(), erase.error()}) {
    EXPECT_THAT(error.context, HasSubstr("secret_store = \"file\"")) << to_string(error);
  }
  EXPECT_EQ(service_->items().size(), 1u);
  EXPECT_FALSE(open()->get("cad", "another")->has_value()) << "that there is none is known";
  service_->set_mode(FakeSecretService::Mode::kOpen);
  EXPECT_TRUE(open()->erase("cad", "password").has_value());
}

}  // namespace
}  // namespace cabinetfs
