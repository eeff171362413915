#pragma once

// The promises of backend/remote_store.h, tested once for every store.

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/remote_store.h"

namespace cabinetfs {

// A store and what happens behind its back. Paths have no leading slash. The account has a folder
// "Work" that takes files.
class ContractWorld {
 public:
  virtual ~ContractWorld() = default;
  virtual RemoteStore& store() = 0;

  // As another user, who may do everything.
  virtual void write_as_other(const std::string& path, const std::string& content) = 0;
  virtual void remove_as_other(const std::string& path) = 0;
  virtual void rename_as_other(const std::string& path, const std::string& name) = 0;
  virtual void lock_as_other(const std::string& path) = 0;
  // What the server holds, empty when there is no such file.
  virtual std::string content_of(const std::string& path) = 0;
  virtual void set_quota(std::uint64_t bytes) = 0;
  // The virus scan of the file runs, until told otherwise.
  virtual void set_scanning(const std::string& path, bool scanning) = 0;
  // Somebody's address that things may be shared with.
  virtual std::string other_address() = 0;
  virtual std::vector<std::string> mail_subjects() = 0;
  // What went out with the mail of that subject: names and contents.
  using Attachments = std::map<std::string, std::string>;
  virtual Attachments mail_attachments(const std::string& /*subject*/) { return {}; }

  // What the server behind this world cannot do at all; the tests about it are skipped.
  virtual bool has_quota() { return true; }
  // False: an account can be full, and nothing tells beforehand how much it takes.
  virtual bool tells_quota() { return true; }
  virtual bool has_scans() { return true; }
  // A folder in which files can be locked.
  virtual std::string lock_folder() { return "Work"; }
  // False: nobody's permissions can be listed, so that taking away what is not there is no error.
  virtual bool lists_permissions() { return true; }
  // What permission_of() knows the person of other_address() by.
  virtual std::string other_id() { return other_address(); }
  // What the history calls this account and that person; empty: their addresses.
  virtual std::string own_name() { return {}; }
  virtual std::string other_name() { return {}; }
  // Two writes of the same size within one second look different.
  virtual bool tells_every_write() { return true; }
};

struct ContractCase {
  std::string name;
  std::function<std::unique_ptr<ContractWorld>()> make;
  friend void PrintTo(const ContractCase& c, std::ostream* out) { *out << c.name; }
};

class Contract : public ::testing::TestWithParam<ContractCase> {
 protected:
  void SetUp() override;

  RemoteStore& store() { return world_->store(); }
  ContractWorld& world() { return *world_; }
  const Capabilities& can() { return store().capabilities(); }

  static CallContext soon();
  // The folder "Work", and an entry below it; both end the test when they are missing.
  RemoteEntry work();
  RemoteEntry find(const std::string& path);
  bool exists(const std::string& path);
  std::vector<std::string> names(const RemoteId& folder);
  // A new file or version with put() or a session, whichever fits.
  Result<RemoteEntry> upload(const UploadTarget& target, const std::string& content);
  Result<RemoteEntry> upload_by_session(const UploadTarget& target, const std::string& content);
  // The way that contents too large for put() go here: a session, or one stream.
  bool has_sessions() { return !can().stream_put; }
  Result<RemoteEntry> upload_large(const UploadTarget& target, const std::string& content);
  // Bytes of a content that does not fit into put(), and of a session into two chunks.
  std::uint64_t large_size();
  // `after` is the object that was `before`, renamed or moved: the same id, or the one of its
  // place.
  void expect_same_object(const RemoteEntry& before, const RemoteEntry& after);
  Result<RemoteEntry> create(const RemoteId& folder, const std::string& name,
                             const std::string& content);
  Result<RemoteEntry> overwrite(const RemoteEntry& file, const std::string& content);
  Result<std::string> read(const RemoteEntry& file, const VersionId& version = {});
  Result<std::string> read_part(const RemoteEntry& file, std::uint64_t offset,
                                std::uint64_t length);

 private:
  std::unique_ptr<ContractWorld> world_;
};

// Content that differs at every place and between seeds.
std::string pattern(std::size_t size, unsigned seed = 1);

template <class T>
ErrorCode code_of(const Result<T>& result) {
  return result ? static_cast<ErrorCode>(-1) : result.error().code;
}

// For gtest messages.
template <class T>
std::string why(const Result<T>& result) {
  return result ? "no error" : to_string(result.error());
}

#define ASSERT_OK(expr)                                     \
  do {                                                      \
    const auto& contract_result_ = (expr);                  \
    ASSERT_TRUE(contract_result_) << why(contract_result_); \
  } while (false)
#define EXPECT_CODE(expr, expected)                                          \
  do {                                                                       \
    const auto& contract_result_ = (expr);                                   \
    ASSERT_FALSE(contract_result_) << "no error";                            \
    EXPECT_EQ(to_string(contract_result_.error().code), to_string(expected)) \
        << why(contract_result_);                                            \
  } while (false)

}  // namespace cabinetfs
