#include "backend/kiteworks/wire.h"

#include <gtest/gtest.h>

#include "backend/base/times.h"
#include "backend/http/http_client.h"
#include "backend/kiteworks/quirks.h"
#include "backend/kiteworks/validators.h"

namespace cabinetfs::kiteworks {
namespace {

HttpResponse answer(int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

// As documented, with a few fields that nobody reads.
constexpr const char* kFile = R"({
  "id": "f333a444-b555-c666-d777-e888999000ff", "parentId": "c222d333", "name": "my-file.csv",
  "type": "f", "size": 30, "mime": "text/plain", "path": "My Folder/my-file.csv",
  "created": "2026-01-21T20:43:41+0000", "modified": "2026-01-21T20:43:42+0000",
  "clientModified": "2020-02-03T04:05:06Z", "clientCreated": null, "deleted": false,
  "fingerprint": "C8E1128F94A57129F59AA39F230C7844",
  "fingerprints": [{"algo": "sha3-256", "hash": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}],
  "creator": {"id": "u1", "name": "John Doe", "email": "john@example.com", "profileIcon": "u1"},
  "modifier": {"id": "u2", "name": "Jane"}, "locked": false, "lockUser": null,
  "safeEdit": {"safeEditLocked": false, "user": null}, "avStatus": "allowed", "dlpStatus": null,
  "adminQuarantineStatus": "allowed", "expire": 0, "tags": [{"guid": "g", "name": "red", "type": "t"}],
  "permalink": "https://content.example.com/w/f-f333", "source": {"deep": [[{"x": 1}]]},
  "permissions": [{"id": 1, "name": "download", "allowed": true},
                  {"id": 2, "name": "file_delete", "allowed": false},
                  {"id": 3, "name": "version_create"},
                  {"id": 4, "name": "lock", "allowed": 0},
                  {"id": 5, "name": "view", "allowed": 1, "more": [1, {"name": "lock"}]}]})";

TEST(KiteworksWire, ReadsAFile) {
  const auto node = parse_node(kFile);
  ASSERT_TRUE(node) << to_string(node.error());
  const RemoteEntry& entry = node->entry;
  EXPECT_EQ(entry.id.value, "f333a444-b555-c666-d777-e888999000ff");
  EXPECT_EQ(entry.parent.value, "c222d333");
  EXPECT_EQ(entry.name, "my-file.csv");
  EXPECT_EQ(entry.kind, NodeKind::kFile);
  EXPECT_EQ(entry.size, 30u);
  EXPECT_EQ(format_rfc3339(entry.modified), "2020-02-03T04:05:06Z") << "the uploader's time";
  EXPECT_EQ(format_rfc3339(entry.changed), "2026-01-21T20:43:42Z");
  EXPECT_EQ(format_rfc3339(entry.created), "2026-01-21T20:43:41Z");
  EXPECT_EQ(entry.hashes.md5, "c8e1128f94a57129f59aa39f230c7844");
  EXPECT_EQ(entry.hashes.sha3_256.size(), 64u);
  EXPECT_EQ(entry.creator, "john@example.com");
  EXPECT_EQ(entry.modifier, "Jane");
  EXPECT_EQ(entry.scan, ScanState::kAllowed);
  EXPECT_FALSE(entry.expires.has_value());
  EXPECT_EQ(entry.tags, std::vector<std::string>{"red"});
  EXPECT_EQ(entry.link, "https://content.example.com/w/f-f333");
  ASSERT_TRUE(entry.rights.has_value());
  EXPECT_EQ(to_string(*entry.rights), "list,read,write");
  EXPECT_FALSE(node->locked);
  EXPECT_FALSE(node->versions_count.has_value());
}

TEST(KiteworksWire, ReadsAFolder) {
  const auto node = parse_node(
      R"({"id": 17, "type": "d", "name": "Sales", "parentId": "0", "description": null,
          "modified": "2026-01-21T20:43:42+00:00", "expire": "2027-01-01T00:00:00+0000",
          "permissions": ["properties_view", "file_add", "folder_delete", "user_add", "rename"]})");
  ASSERT_TRUE(node) << to_string(node.error());
  EXPECT_EQ(node->entry.id.value, "17") << "ids were numbers once";
  EXPECT_EQ(node->entry.parent.value, kRootId);
  EXPECT_EQ(node->entry.kind, NodeKind::kFolder);
  EXPECT_EQ(to_string(*node->entry.rights), "create,delete,list,rename,share");
  ASSERT_TRUE(node->entry.expires.has_value());
  EXPECT_EQ(format_rfc3339(*node->entry.expires), "2027-01-01T00:00:00Z");
}

TEST(KiteworksWire, WithoutPermissionsNothingIsKnownOfRights) {
  const auto node = parse_node(R"({"id": "1", "type": "d", "name": "x"})");
  ASSERT_TRUE(node);
  EXPECT_FALSE(node->entry.rights.has_value());
  const auto none = parse_node(R"({"id": "1", "type": "d", "name": "x", "permissions": []})");
  ASSERT_TRUE(none);
  EXPECT_EQ(none->entry.rights, std::optional<Rights>(Rights()));
}

TEST(KiteworksWire, OldScalarsAreUnderstood) {
  const auto node = parse_node(
      R"({"id": 5, "parentId": 0, "type": "f", "name": "a", "size": "12345678901", "locked": 42,
          "deleted": 0, "expire": null, "versionsCount": "3", "fingerprint": "Generating..."})");
  ASSERT_TRUE(node) << to_string(node.error());
  EXPECT_EQ(node->entry.size, 12345678901u);
  EXPECT_TRUE(node->locked);
  EXPECT_EQ(node->lock_user.id, "42");
  EXPECT_EQ(node->entry.version_count, 3u);
  EXPECT_TRUE(node->entry.hashes.md5.empty()) << "not computed yet";
  const auto free = parse_node(R"({"id": 5, "type": "f", "name": "a", "size": 1.0, "locked": 0})");
  ASSERT_TRUE(free) << to_string(free.error());
  EXPECT_EQ(free->entry.size, 1u);
  EXPECT_FALSE(free->locked);
}

TEST(KiteworksWire, ASafeEditIsALock) {
  const auto node = parse_node(
      R"({"id": "5", "type": "f", "name": "a", "size": 1, "locked": false,
          "safeEdit": {"safeEditLocked": true, "user": {"id": "u7", "email": "u7@example.com"}}})");
  ASSERT_TRUE(node);
  EXPECT_TRUE(node->locked);
  EXPECT_EQ(node->lock_user.label(), "u7@example.com");
}

TEST(KiteworksWire, ScanStatesAddUp) {
  const auto scan = [](const std::string& fields) {
    const auto node =
        parse_node(R"({"id": "5", "type": "f", "name": "a", "size": 1)" + fields + "}");
    return node ? node->entry.scan : ScanState::kUnknown;
  };
  EXPECT_EQ(scan(""), ScanState::kUnknown);
  EXPECT_EQ(scan(R"(, "avStatus": null, "dlpStatus": null)"), ScanState::kUnknown);
  EXPECT_EQ(scan(R"(, "avStatus": "clean")"), ScanState::kAllowed);
  EXPECT_EQ(scan(R"(, "avStatus": "allowed", "dlpStatus": "pending")"), ScanState::kScanning);
  EXPECT_EQ(scan(R"(, "avStatus": "scanning", "dlpStatus": "disallowed")"), ScanState::kRefused);
  EXPECT_EQ(scan(R"(, "avStatus": "allowed", "adminQuarantineStatus": "locked")"),
            ScanState::kRefused);
}

TEST(KiteworksWire, NonsenseIsCorrupt) {
  for (const char* const body :
       {"", "null", "[]", "{", R"({"id": "1"})", R"({"id": "1", "type": "f", "name": "a"})",
        R"({"id": "1", "type": "f", "name": "a", "size": -1})",
        R"({"id": "1", "type": "f", "name": "a", "size": 1.5})",
        R"({"id": "1", "type": "f", "name": "a", "size": "1x"})",
        R"({"id": "1", "type": "f", "name": "a", "size": 1e300})",
        R"({"id": {}, "type": "f", "name": "a", "size": 1})",
        R"({"id": "1", "type": "x", "name": "a", "size": 1})",
        R"({"id": "1", "type": "d", "name": ""})", R"({"id": "1", "type": "d", "name": ["a"]})",
        "{\"id\": \"1\", \"type\": \"d\", \"name\": \"\xff\"}", "<html>proxy</html>"}) {
    const auto node = parse_node(body);
    ASSERT_FALSE(node) << body;
    EXPECT_EQ(node.error().code, ErrorCode::kCorrupt) << body;
  }
}

TEST(KiteworksWire, DepthIsBounded) {
  std::string deep = R"({"id": "1", "type": "d", "name": "a", "unknown": )";
  for (int i = 0; i < 100'000; ++i) deep += '[';
  EXPECT_FALSE(parse_node(deep));
  for (int i = 0; i < 100'000; ++i) deep += ']';
  EXPECT_FALSE(parse_node(deep + "}"));
  EXPECT_EQ(parse_error(answer(500, deep)).status, 500);
}

TEST(KiteworksWire, BothEnvelopesAreLists) {
  const std::string item = R"({"id": "1", "type": "d", "name": "a"})";
  for (const std::string& body :
       {"[" + item + "]", R"({"data": [)" + item + "]}",
        R"({"data": [)" + item + R"(], "metadata": {"total": 1, "limit": null, "offset": 0}})"}) {
    const auto page = parse_nodes(body);
    ASSERT_TRUE(page) << body;
    ASSERT_EQ(page->items.size(), 1u);
    EXPECT_EQ(page->items[0].entry.name, "a");
  }
  EXPECT_EQ(parse_nodes(R"({"data": [], "metadata": {"total": "7"}})")->total,
            std::optional<std::uint64_t>(7));
  EXPECT_FALSE(parse_nodes(R"({"error": "x"})"));
  EXPECT_FALSE(parse_nodes(R"({"data": {}})"));
}

TEST(KiteworksWire, AListWithAnUnreadableFileIsNoList) {
  EXPECT_FALSE(parse_nodes(R"([{"id": "1", "type": "f", "name": "a"}])"))
      << "leaving it out would look like its deletion";
  const auto page = parse_nodes(R"([{"id": "1", "type": "m", "name": "a mail"}])");
  ASSERT_TRUE(page) << "other kinds of objects are left out";
  EXPECT_TRUE(page->items.empty());
  EXPECT_EQ(page->received, 1u);
}

TEST(KiteworksWire, AllShapesOfErrorsAreRead) {
  struct Row {
    const char* body;
    const char* code;
    const char* message;
  };
  for (const Row& row : {
           Row{R"({"errors":[{"code":"ERR_A","message":"m"}]})", "ERR_A", "m"},
           Row{R"({"errors":{"code":"ERR_A","message":"m"}})", "ERR_A", "m"},
           Row{R"({"error":[{"code":"ERR_A","message":"m"}]})", "ERR_A", "m"},
           Row{R"({"code":"ERR_A","message":"m","field":"name"})", "ERR_A", "m"},
           Row{R"({"error":"invalid_grant","error_description":"m"})", "invalid_grant", "m"},
           Row{R"({"code":17,"message":"m"})", "17", "m"},
           Row{R"([{"code":"ERR_A","message":"m"}])", "ERR_A", "m"},
           Row{R"({"errors":["ERR_A"]})", "ERR_A", "ERR_A"},
           Row{"<html><body>Forbidden</body></html>", "", ""},
           Row{"", "", ""},
           Row{"[]", "", ""},
           Row{R"({"errors":[]})", "", ""},
           Row{R"({"errors":[{"code":"not a code; rm","message":"a\nb"}]})", "", "a b"},
       }) {
    const WireError error = parse_error(answer(403, row.body));
    EXPECT_EQ(error.status, 403);
    EXPECT_EQ(error.code, row.code) << row.body;
    EXPECT_EQ(error.message, row.message) << row.body;
  }
  EXPECT_EQ(parse_error(answer(422, R"({"code":"E","field":"name"})")).field, "name");
  const std::string longer(5000, 'x');
  EXPECT_EQ(parse_error(answer(403, R"({"code":"E","message":")" + longer + "\"}")).message.size(),
            200u);
}

TEST(KiteworksQuirks, CodesMeanWhatTheTableSays) {
  const auto meaning = [](int status, const char* code, bool from_api = true) {
    WireError error;
    error.status = status;
    error.code = code;
    error.from_api = from_api;
    return error_code(error);
  };
  EXPECT_EQ(meaning(401, "ERR_AUTH_UNAUTHORIZED"), ErrorCode::kUnauthenticated);
  EXPECT_EQ(meaning(401, ""), ErrorCode::kUnauthenticated);
  EXPECT_EQ(meaning(401, "ERR_ACCESS_USER"), ErrorCode::kDenied);
  EXPECT_EQ(meaning(403, "ERR_ACCESS_DENIED"), ErrorCode::kDenied);
  EXPECT_EQ(meaning(403, "ERR_ENTITY_DELETED"), ErrorCode::kNotFound);
  EXPECT_EQ(meaning(404, ""), ErrorCode::kNotFound);
  EXPECT_EQ(meaning(410, ""), ErrorCode::kNotFound);
  EXPECT_EQ(meaning(404, "", false), ErrorCode::kUnavailable) << "the page of some proxy";
  EXPECT_EQ(meaning(422, "ERR_ENTITY_LOCKED"), ErrorCode::kBusy);
  EXPECT_EQ(meaning(403, "ERR_ENTITY_LOCKED_BY_ANOTHER_USER"), ErrorCode::kBusy);
  EXPECT_EQ(meaning(403, "ERR_ENTITY_SAFE_EDIT_LOCKED"), ErrorCode::kBusy);
  EXPECT_EQ(meaning(403, "ERR_ENTITY_CONTAINS_LOCKED_FILES"), ErrorCode::kBusy);
  EXPECT_EQ(meaning(403, "ERR_ENTITY_NOT_SCANNED"), ErrorCode::kTryAgain);
  EXPECT_EQ(meaning(403, "ERR_ENTITY_DLP_SCANNING"), ErrorCode::kTryAgain);
  EXPECT_EQ(meaning(403, "ERR_ENTITY_VIRUS_FOUND"), ErrorCode::kDenied);
  EXPECT_EQ(meaning(403, "ERR_ENTITY_DLP_LOCKED"), ErrorCode::kDenied);
  EXPECT_EQ(meaning(403, "ERR_ENTITY_IS_SECURE_FOLDER"), ErrorCode::kDenied);
  EXPECT_EQ(meaning(403, "ERR_ENTITY_RESTRICTED_EXTENSION_CUSTOM"), ErrorCode::kNotPermitted);
  EXPECT_EQ(meaning(403, "ERR_ENTITY_IS_SYNC_DIR"), ErrorCode::kNotPermitted);
  EXPECT_EQ(meaning(409, "ERR_ENTITY_EXISTS"), ErrorCode::kExists);
  EXPECT_EQ(meaning(422, "ERR_ENTITY_EXISTS"), ErrorCode::kExists);
  EXPECT_EQ(meaning(422, "ERR_CANNOT_MOVE_TO_CHILD"), ErrorCode::kInvalid);
  EXPECT_EQ(meaning(422, "ERR_INPUT_INVALID_FORMAT"), ErrorCode::kInvalid);
  EXPECT_EQ(meaning(422, "ERR_INPUT_MAX_LENGTH"), ErrorCode::kNameTooLong);
  EXPECT_EQ(meaning(413, "ERR_SYSTEM_NO_STORAGE_AVAILABLE"), ErrorCode::kOverQuota);
  EXPECT_EQ(meaning(403, "ERR_SYSTEM_FOLDER_QUOTA_EXCEEDED"), ErrorCode::kOverQuota);
  EXPECT_EQ(meaning(507, ""), ErrorCode::kOverQuota);
  EXPECT_EQ(meaning(422, "ERR_LICENSE_MAX_UPLOAD_SIZE"), ErrorCode::kTooLarge);
  EXPECT_EQ(meaning(422, "ERR_LICENSE_EXPIRED"), ErrorCode::kNoAccess);
  EXPECT_EQ(meaning(403, "ERR_PROFILE_COLLABORATION_DISABLED"), ErrorCode::kNoAccess);
  EXPECT_EQ(meaning(429, ""), ErrorCode::kTryAgain);
  EXPECT_EQ(meaning(490, "", false), ErrorCode::kDenied);
  for (const int status : {408, 500, 502, 503, 504, 509}) {
    EXPECT_EQ(meaning(status, ""), ErrorCode::kUnavailable) << status;
  }
}

TEST(KiteworksQuirks, OnlyAmbiguousRefusalsMayMeanGone) {
  const auto ask = [](int status, const char* code) {
    WireError error;
    error.status = status;
    error.code = code;
    return may_mean_gone(error);
  };
  EXPECT_TRUE(ask(403, "ERR_ACCESS_USER"));
  EXPECT_TRUE(ask(401, "ERR_ACCESS_USER"));
  EXPECT_TRUE(ask(404, ""));
  EXPECT_FALSE(ask(401, ""));
  EXPECT_FALSE(ask(429, ""));
  EXPECT_FALSE(ask(500, ""));
  EXPECT_FALSE(ask(403, "ERR_ENTITY_LOCKED"));
}

TEST(KiteworksQuirks, ThrottlingAndDeadTokensAreToldFromRefusals) {
  const auto json = [](int status, const std::string& body) {
    HttpResponse response = answer(status, body);
    response.headers = {{"content-type", "application/json; charset=utf-8"}};
    return response;
  };
  EXPECT_TRUE(is_throttled(answer(429, "")));
  EXPECT_TRUE(is_throttled(answer(403, "")));
  EXPECT_TRUE(is_throttled(answer(403, "<html>slow down</html>")));
  EXPECT_TRUE(is_throttled(json(403, "{}")));
  EXPECT_FALSE(is_throttled(json(403, R"({"errors":[{"code":"ERR_ACCESS_USER"}]})")));
  EXPECT_FALSE(is_throttled(answer(401, "")));
  EXPECT_TRUE(is_token_rejected(answer(401, "")));
  EXPECT_TRUE(is_token_rejected(json(401, R"({"errors":[{"code":"ERR_AUTH_UNAUTHORIZED"}]})")));
  EXPECT_FALSE(is_token_rejected(json(401, R"({"errors":[{"code":"ERR_ACCESS_USER"}]})")));
  EXPECT_FALSE(is_token_rejected(answer(403, "")));
}

TEST(KiteworksWire, UploadsConfigsAndQuotas) {
  const auto upload = parse_upload(
      R"({"id": 7890, "uri": "dacfs_upload1/rest/uploads/7890", "totalSize": 2048, "totalChunks": 2,
          "uploadedSize": "1024", "uploadedChunks": 1, "replaceId": null, "finished": false,
          "error": "OK"})");
  ASSERT_TRUE(upload);
  EXPECT_EQ(upload->id, "7890");
  EXPECT_EQ(upload->uploaded_chunks, std::optional<std::uint64_t>(1));
  EXPECT_EQ(upload->uploaded_size, std::optional<std::uint64_t>(1024));
  EXPECT_TRUE(upload->replaces.empty());
  EXPECT_EQ(parse_upload(R"({"id": 1, "replaceId": "f1"})")->replaces, "f1");
  EXPECT_FALSE(parse_upload(R"({"uri": "x"})"));
  EXPECT_EQ(*parse_upload_config(R"({"uploadChunkMax": 10485760})"),
            std::optional<std::uint64_t>(10485760));
  EXPECT_EQ(*parse_upload_config("{}"), std::nullopt);
  const auto quota = parse_quota(R"({"folder_quota_allowed": -1, "folder_quota_used": 10})");
  ASSERT_TRUE(quota);
  EXPECT_EQ(quota->allowed, -1);
  EXPECT_EQ(quota->used, 10u);
}

TEST(KiteworksWire, VersionsInBothSpellings) {
  const auto page = parse_versions(
      R"({"data": [{"id": "v2", "versionNumber": 0, "size": 5, "created": "2026-01-21T20:43:42+0000",
                    "creator": {"email": "a@example.com"}, "fingerprints": []},
                   {"id": "v1", "version_number": 1, "size": 4, "client_modified": "2020-01-01T00:00:00Z",
                    "user_id": "u1", "deleted": true}]})");
  ASSERT_TRUE(page) << to_string(page.error());
  ASSERT_EQ(page->items.size(), 2u);
  EXPECT_EQ(page->items[0].server_number, 0u);
  EXPECT_EQ(page->items[0].version.author, "a@example.com");
  EXPECT_EQ(page->items[1].server_number, 1u);
  EXPECT_EQ(format_rfc3339(page->items[1].version.modified), "2020-01-01T00:00:00Z");
  EXPECT_TRUE(page->items[1].deleted);
  EXPECT_FALSE(parse_versions(R"([{"id": "v1", "size": 4}])"));
}

TEST(KiteworksWire, ActivitiesNameFilesAndFolders) {
  const auto page = parse_activities(
      R"([{"id": 12, "created": "2026-01-21T20:43:42+0000", "event": "add_file", "successful": 1,
           "user": {"userId": "u1", "email": "a@example.com"}, "permissions": ["download"],
           "data": {"file": {"id": "f1", "file_id": "x"}, "parent_folder": {"id": "d1"}}},
          {"id": 13, "event": "download_zip", "data": {"files": [{"id": "f1"}, {"id": "f2"}]}},
          {"id": 14, "event": "add_folder", "data": {"folder": {"id": "d2"}}},
          {"id": 15, "event": "login", "successful": false}])");
  ASSERT_TRUE(page) << to_string(page.error());
  ASSERT_EQ(page->items.size(), 4u);
  EXPECT_EQ(page->items[0].files, std::vector<std::string>{"f1"});
  EXPECT_EQ(page->items[0].parent, "d1");
  EXPECT_EQ(page->items[0].user.label(), "a@example.com");
  EXPECT_TRUE(page->items[0].successful);
  EXPECT_EQ(page->items[1].files.size(), 2u);
  EXPECT_EQ(page->items[2].folders, std::vector<std::string>{"d2"});
  EXPECT_FALSE(page->items[3].successful);
}

TEST(KiteworksWire, LocationsEndInAnId) {
  EXPECT_EQ(id_of_location("https://x.example.com/rest/files/abc-123"), "abc-123");
  EXPECT_EQ(id_of_location("/rest/files/abc-123/?x=1"), "abc-123");
  EXPECT_EQ(id_of_location("abc"), "abc");
  EXPECT_EQ(id_of_location("/rest/files/../x y"), "");
  EXPECT_EQ(id_of_location(""), "");
}

TEST(KiteworksWire, TimesGoOutInTheVendorsForm) {
  EXPECT_EQ(format_time(*parse_rfc3339("2026-01-21T20:43:42Z")), "2026-01-21T20:43:42+0000");
}

TEST(KiteworksValidators, AnswersAgreeWhateverTheySpell) {
  const auto validator = [](const std::string& fields) {
    const auto node = parse_node(R"({"id": "5", "type": "f", "name": "a", )" + fields + "}");
    return make_validator(*node, 0);
  };
  const Validator plain =
      validator(R"("size": 5, "modified": "2026-01-21T20:43:42+0000", "clientModified": null)");
  EXPECT_EQ(plain, validator(R"("size": "5", "modified": "2026-01-21T20:43:42Z")"));
  EXPECT_EQ(plain, validator(R"("size": 5, "modified": "2026-01-21T20:43:42+00:00",
                                "fingerprint": "c8e1128f94a57129f59aa39f230c7844")"))
      << "a hash that appears later is no change";
  EXPECT_NE(plain, validator(R"("size": 6, "modified": "2026-01-21T20:43:42Z")"));
  EXPECT_NE(plain, validator(R"("size": 5, "modified": "2026-01-21T20:43:43Z")"));
  EXPECT_NE(plain, validator(R"("size": 5, "modified": "2026-01-21T20:43:42Z",
                                "clientModified": "2026-01-21T20:43:42Z")"));
}

TEST(KiteworksValidators, TheListingsDecideWhetherVersionsCount) {
  WireNode told;
  told.versions_count = 3;
  const WireNode silent;
  ValidatorPolicy yes;
  EXPECT_EQ(yes.count(silent, false), std::nullopt) << "unknown: look into a listing";
  EXPECT_EQ(yes.count_in_listing(told), 3u);
  EXPECT_EQ(yes.count(told, false), std::optional<std::uint32_t>(3));
  EXPECT_EQ(yes.count(silent, false), std::nullopt);
  EXPECT_EQ(yes.count(silent, true), std::optional<std::uint32_t>(1)) << "a new file";
  ValidatorPolicy no;
  EXPECT_EQ(no.count_in_listing(silent), 0u);
  EXPECT_EQ(no.count(told, false), std::optional<std::uint32_t>(0));
  EXPECT_EQ(no.count(silent, true), std::optional<std::uint32_t>(0));
  EXPECT_EQ(no.count_in_listing(told), 0u) << "decided once";
}

}  // namespace
}  // namespace cabinetfs::kiteworks
