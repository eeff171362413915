#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "backend/kiteworks/kiteworks.h"
#include "backend/remote_store.h"
#include "tests/unit/kiteworks/scripted_http.h"

namespace cabinetfs {

inline constexpr const char* kMe = R"({"id": "u1", "name": "Me", "email": "me@example.com",
                                "syncdirId": "sync", "basedirId": "base"})";

inline std::string file_json(const std::string& id, const std::string& name,
                             const std::string& more = "") {
  return R"({"id":")" + id + R"(","type":"f","parentId":"d1","name":")" + name +
         R"(","size":5,"modified":"2026-01-21T20:43:42+0000")" + more + "}";
}

class KiteworksClient : public ::testing::Test {
 protected:
  void SetUp() override { connect({}, kMe); }
  void connect(KiteworksConfig config, const std::string& me) {
    config.base_url = "https://content.example.com/";
    config.second_look = std::chrono::milliseconds(1);
    auto made = make_kiteworks_store(http_, config);
    ASSERT_TRUE(made);
    store_ = *std::move(made);
    http_.answer("GET /rest/users/me", 200, me);
    http_.answer("GET /rest/uploads/config", 200, R"({"uploadChunkMax": 1000})");
    ASSERT_TRUE(store_->account(soon()));
    http_.take_seen();
  }
  void TearDown() override { EXPECT_EQ(http_.left(), 0u) << "answers that nobody asked for"; }
  static CallContext soon() { return CallContext::within(std::chrono::seconds(10)); }
  // The first listing decides how validators are made.
  void list_with(const std::string& file) {
    http_.answer("GET /rest/folders/d1/children?deleted=false&", 200,
                 R"({"data":[)" + file + R"(],"metadata":{"total":1}})");
    ASSERT_TRUE(store_->list(soon(), RemoteId{"d1"}));
  }

  ScriptedHttp http_;
  std::unique_ptr<RemoteStore> store_;
};

}  // namespace cabinetfs
