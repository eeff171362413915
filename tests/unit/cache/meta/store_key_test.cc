#include "cache/store_key.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <map>

#include "cache/posix_env.h"
#include "tests/unit/cache/meta/temp_dir.h"

namespace cabinetfs {
namespace {

class Keyring {
 public:
  std::map<std::string, std::string> secrets;
  bool locked = false;
  bool forgets = false;

  SecretAccess access() {
    return {[this](const std::string& name) -> Result<std::optional<std::string>> {
              if (locked) return fail(ErrorCode::kUnavailable, "the keyring is locked");
              const auto found = secrets.find(name);
              if (found == secrets.end()) return std::optional<std::string>();
              return std::optional<std::string>(found->second);
            },
            [this](const std::string& name, const std::string& value) -> Result<void> {
              if (locked) return fail(ErrorCode::kUnavailable, "the keyring is locked");
              if (!forgets) secrets[name] = value;
              return {};
            }};
  }
};

class StoreKey : public ::testing::Test {
 protected:
  TempDir dir_;
  Keyring keyring_;
  SecretAccess access_ = keyring_.access();

  Result<Sealer::Key> load(bool exists, const SecretAccess* secrets) {
    return load_store_key(dir_.path(), "work", exists, secrets);
  }
};

TEST_F(StoreKey, IsMadeOnceAndKeptInAPrivateFile) {
  const auto made = load(false, nullptr);
  ASSERT_TRUE(made);
  EXPECT_EQ(load(true, nullptr).value(), *made);
  struct stat info {};
  ASSERT_EQ(::stat((dir_ / "store.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
  TempDir other;
  EXPECT_NE(load_store_key(other.path(), "work", false, nullptr).value(), *made);
}

TEST_F(StoreKey, IsKeptInTheKeyringWhereThereIsOne) {
  const auto made = load(false, &access_);
  ASSERT_TRUE(made);
  EXPECT_FALSE(file_exists(dir_ / "store.key"));
  EXPECT_EQ(load(true, &access_).value(), *made);
  EXPECT_EQ(keyring_.secrets.size(), 1u);
}

TEST_F(StoreKey, OfTheFileIsUsedThoughThereIsAKeyringNow) {
  const auto made = load(false, nullptr);
  EXPECT_EQ(load(true, &access_).value(), made.value());
  EXPECT_TRUE(keyring_.secrets.empty());
}

TEST_F(StoreKey, IsNotReplacedWhereDataDependsOnIt) {
  EXPECT_EQ(load(true, nullptr).error().code, ErrorCode::kDenied);
  EXPECT_EQ(load(true, &access_).error().code, ErrorCode::kDenied);
  keyring_.locked = true;
  EXPECT_EQ(load(true, &access_).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(load(false, &access_).error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(list_dir(dir_.path())->empty());
}

TEST_F(StoreKey, IsNotUsedUnlessTheKeyringKeptIt) {
  keyring_.forgets = true;
  EXPECT_EQ(load(false, &access_).error().code, ErrorCode::kIo);
}

TEST_F(StoreKey, DamagedIsAnError) {
  ASSERT_TRUE(atomic_write_file(dir_ / "store.key", as_bytes("0123")));
  EXPECT_EQ(load(true, nullptr).error().code, ErrorCode::kCorrupt);
  ASSERT_TRUE(remove_file(dir_ / "store.key"));
  keyring_.secrets["work"] = "not hex";
  const auto damaged = load(false, &access_);
  EXPECT_EQ(damaged.error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(damaged.error().context.find("not hex"), std::string::npos);
}

}  // namespace
}  // namespace cabinetfs
