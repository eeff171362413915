#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "backend/base/mutex.h"
#include "backend/http/http_client.h"
#include "backend/kenesto/kenesto.h"
#include "tests/support/fake_clock.h"

namespace cabinetfs {

// No code at all where the call went well.
ErrorCode code(const auto& result) {
  return result ? static_cast<ErrorCode>(-1) : result.error().code;
}

// Answers requests from a script, in order, and remembers them. Requests are written like
// "GET RetrieveDocuments?t=..." (KDocuments.svc), "GET Access.svc/Login/..." or, to other hosts,
// "PUT https://store.example.com/...".
class ScriptedKenesto final : public HttpClient {
 public:
  struct Seen {
    std::string line;
    HttpRequest request;
    std::string body;
  };

  // `request`: a prefix of the line.
  void answer(const std::string& request, const std::string& body, int status = 200,
              const HttpHeaders& headers = {});
  // "{ResponseStatus: OK, ResponseData: data}"
  void ok(const std::string& request, const std::string& data = "null");
  void failed(const std::string& request, const std::string& message, int status = 200);
  void lose(const std::string& request, ErrorCode code = ErrorCode::kUnavailable);
  std::vector<Seen> take_seen() EXCLUDES(mutex_);
  std::size_t left() const EXCLUDES(mutex_);

  Result<HttpResponse> perform(const CallContext& call, HttpRequest request) override
      EXCLUDES(mutex_);

 private:
  struct Step {
    std::string request;
    Result<HttpResponse> result;
  };
  mutable Mutex mutex_;
  std::deque<Step> steps_ GUARDED_BY(mutex_);
  std::vector<Seen> seen_ GUARDED_BY(mutex_);
};

inline constexpr const char* kDoc = "2c4a0d5c-4a44-47a7-8049-3b6c76a73966";
inline constexpr const char* kDoc2 = "801f3e70-d87a-4655-b2da-fdb7d0740800";
inline constexpr const char* kVersion2 = "96a7bdfd-ce8a-4839-af16-a0b5a84f037a";
inline constexpr const char* kVersion3 = "aaaabdfd-ce8a-4839-af16-a0b5a84f037a";
inline constexpr const char* kFolder = "69155ac0-4f97-42dd-a169-5543b951c8e2";
inline constexpr const char* kSub = "ee7ad22d-8a14-48b1-8a0c-891941fb8b9a";
// The root in the store, which requests do not name.
inline constexpr const char* kRoot = "00000000-0000-0000-0000-000000000000";

struct ItemJson {
  std::string id = kDoc;
  std::string stem = "a";
  std::string extension = ".txt";
  std::string family = "GENERAL";
  std::string modified = "2017-08-07T08:59:12.0940000Z";
  std::uint64_t size = 5;
  bool vault = false;
  std::string holder = {};
  bool external = false;
  std::string external_token = {};
  bool sized = true;
  std::string text() const;
};
// `parts`: files and folders, not told where negative.
std::string page_json(const std::vector<ItemJson>& items, int total = -1,
                      const std::string& more = "", int parts = -1);
struct VersionJson {
  std::string id;
  std::uint64_t size = 5;
  bool current = true;
};
std::string versions_json(const std::vector<VersionJson>& versions);

// A store with a pasted token "tok+1", whose account() has found no undocumented calls.
class KenestoClient : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override { EXPECT_EQ(http_.left(), 0u) << "answers that nobody asked for"; }
  void make(KenestoConfig config, const std::string& user = "me@example.com",
            const std::string& name = "Me Myself");
  static CallContext soon() { return CallContext::within(std::chrono::seconds(10)); }
  // "RetrieveDocuments" of a folder, answered with these items. Those before are old by then.
  void expect_list(const std::string& folder, const std::vector<ItemJson>& items);
  // Lists the root, which has kFolder in it.
  void know_folder();
  // Lists kFolder, which is in the root, with these items in it.
  std::vector<RemoteEntry> listed(const std::vector<ItemJson>& items);
  static std::string list_call(const std::string& folder);
  static std::string versions_call(const std::string& file);
  static ItemJson folder_json(const std::string& id = kFolder, bool vault = false);

  ScriptedKenesto http_;
  FakeClock clock_;
  std::unique_ptr<KenestoSession> session_;
  std::unique_ptr<RemoteStore> store_;
};

}  // namespace cabinetfs
