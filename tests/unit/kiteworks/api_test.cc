#include "backend/kiteworks/api.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/kiteworks/scripted_http.h"

namespace cabinetfs::kiteworks {
namespace {

class KiteworksApi : public ::testing::Test {
 protected:
  static CallContext soon() { return CallContext::within(std::chrono::seconds(10)); }
  KiteworksConfig config_;
  ScriptedHttp http_;
  Api api_{http_, config_, "https://content.example.com"};
};

TEST_F(KiteworksApi, SendsBothVersionHeaders) {
  http_.answer("GET /rest/users/me", 200, "{}");
  ApiRequest request;
  request.path = "/rest/users/me";
  ASSERT_TRUE(api_.send(soon(), request));
  const auto seen = http_.take_seen();
  ASSERT_EQ(seen.size(), 1u);
  int found = 0;
  for (const auto& [name, value] : seen[0].headers) {
    if (name == "X-Accellion-Version" || name == "X-Kiteworks-Version") {
      EXPECT_EQ(value, "28");
      ++found;
    }
  }
  EXPECT_EQ(found, 2);
}

TEST_F(KiteworksApi, EncodesPathsAndQueries) {
  EXPECT_EQ(api_.url(object_path(NodeKind::kFile, RemoteId{"a/../b?c"}, "/content"),
                     {{"id:in", "a,b"}, {"name", "x & y"}}),
            "https://content.example.com/rest/files/a%2F..%2Fb%3Fc/content?id%3Ain=a%2Cb&"
            "name=x%20%26%20y");
}

TEST_F(KiteworksApi, BuildsAForm) {
  http_.answer("POST /rest/x", 200, "{}");
  ApiRequest request;
  request.method = "POST";
  request.path = "/rest/x";
  request.idempotent = false;
  ASSERT_TRUE(api_.post_form(soon(), request, {{"a", "1"}},
                             {"body", "na\"me\r\n.txt", as_bytes("content")}));
  const auto seen = http_.take_seen();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_FALSE(seen[0].idempotent);
  std::string type;
  for (const auto& [name, value] : seen[0].headers) {
    if (name == "Content-Type") type = value;
  }
  const std::string boundary = type.substr(type.find("boundary=") + 9);
  EXPECT_EQ(seen[0].body,
            "--" + boundary + "\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--" +
                boundary +
                "\r\nContent-Disposition: form-data; name=\"body\"; "
                "filename=\"na%22me%0D%0A.txt\"\r\nContent-Type: application/octet-stream\r\n\r\n"
                "content\r\n--" +
                boundary + "--\r\n");
}

TEST_F(KiteworksApi, FailuresCarryTheVendorsCode) {
  http_.answer("GET /rest/x", 403,
               R"({"errors":[{"code":"ERR_ENTITY_LOCKED","message":"Locked"}]})");
  ApiRequest request;
  request.path = "/rest/x";
  request.label = "GET /rest/x";
  request.about = "id=5";
  const auto answer = api_.send(soon(), request);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kBusy);
  EXPECT_EQ(answer.error().wire.code, "ERR_ENTITY_LOCKED");
  EXPECT_EQ(answer.error().context, "GET /rest/x id=5: 403 ERR_ENTITY_LOCKED Locked");
}

TEST_F(KiteworksApi, FailuresTellNoSecretThatTheServerRepeats) {
  ApiRequest request;
  request.path = "/rest/files/1";
  for (const char* const body :
       {R"({"errors":[{"code":"ERR_INPUT","field":"access_token=hush","message":"token: hush"}]})",
        R"({"errors":{"code":"ERR_INPUT","message":"sent {\"token\": [\"hush\"]}"}})",
        R"({"errors":["the token=hush is bad"]})",
        R"({"error":"invalid_grant","error_description":"refresh_token=hush"})"}) {
    http_.answer("GET /rest/files/1", 422, body);
    const auto failed = api_.send(soon(), request);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().context.find("hush"), std::string::npos) << failed.error().context;
    EXPECT_NE(failed.error().context.find("***"), std::string::npos) << failed.error().context;
  }
}

TEST_F(KiteworksApi, UploadAddressesStayOnTheHost) {
  EXPECT_EQ(*api_.upload_path("dacfs_upload1/rest/uploads/7890"),
            "/dacfs_upload1/rest/uploads/7890");
  EXPECT_EQ(*api_.upload_path("/rest/uploads/7890"), "/rest/uploads/7890");
  EXPECT_EQ(*api_.upload_path("https://CONTENT.example.com:443/x/rest/uploads/1"),
            "/x/rest/uploads/1");
  for (const char* const address :
       {"https://evil.example.com/rest/uploads/1", "http://content.example.com/rest/uploads/1",
        "https://content.example.com@evil.example.com/rest/uploads/1", "//evil/rest/uploads/1",
        "a/../rest/uploads/1", "rest/uploads/1#x", "rest/uploads/%2e%2e", "", "/",
        "rest/other/1"}) {
    EXPECT_FALSE(api_.upload_path(address)) << address;
  }
}

TEST(KiteworksJsonText, IsJson) {
  const auto text = JsonText()
                        .add("a", "quote \" slash \\ line \n ünï")
                        .add("b", std::uint64_t{18446744073709551615u})
                        .add("c", false)
                        .add("d", std::vector<std::string>{"x", "y\t"})
                        .take();
  ASSERT_TRUE(text);
  const auto json = nlohmann::json::parse(*text);
  EXPECT_EQ(json.at("a"), "quote \" slash \\ line \n ünï");
  EXPECT_EQ(json.at("b"), 18446744073709551615u);
  EXPECT_EQ(json.at("c"), false);
  EXPECT_EQ(json.at("d"), (std::vector<std::string>{"x", "y\t"}));
  EXPECT_EQ(*JsonText().take(), "{}");
  const auto bad = JsonText().add("a", "\xff").take();
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace cabinetfs::kiteworks
