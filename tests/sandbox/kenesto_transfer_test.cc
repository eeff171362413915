#include <chrono>
#include <regex>
#include <thread>

#include "tests/sandbox/kenesto_test.h"

// Downloads, uploads, and the object store.

namespace cabinetfs::sandbox {
namespace {

using nlohmann::json;
using Put = KenestoClient::Put;

class KenestoTransfer : public KenestoTest {
 protected:
  std::string note() const { return alice().id("note.txt"); }
  std::string upload_url(const KenestoClient::Args& args) const {
    return alice().data("UploadFile", args).at("AccessUrl");
  }
  json complete(const std::string& url) const {
    return alice().call("UploadFileCompleted", {{"u", url}});
  }
  std::size_t documents(const std::string& folder = {}) const {
    return alice().list(folder).size();
  }
};

TEST_F(KenestoTransfer, ContentComesFromAnotherHostInRanges) {
  start();
  const std::string url = alice().access_url(note());
  EXPECT_EQ(url.rfind(server_->content_url() + "/", 0), 0U);
  EXPECT_NE(server_->content_url(), server_->url());
  const Reply whole = KenestoClient::fetch(url);
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(whole.body, "a note");
  EXPECT_EQ(whole.headers.at("accept-ranges"), "bytes");
  const Reply part = KenestoClient::fetch(url, {"Range: bytes=2-3"});
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "no");
  EXPECT_EQ(part.headers.at("content-range"), "bytes 2-3/6");
  EXPECT_EQ(KenestoClient::fetch(url, {"Range: bytes=6-"}).status, 416);
  EXPECT_EQ(KenestoClient::fetch(url, {"If-Match: \"x\""}).status, 412);
  EXPECT_EQ(KenestoClient::fetch(url, {"Range: bytes=2-3", "If-Range: \"x\""}).status, 200);
  set({{"store_ranges", false}});
  EXPECT_EQ(KenestoClient::fetch(url, {"Range: bytes=2-3"}).body, "a note");
}

TEST_F(KenestoTransfer, TheStoreTakesItsOwnUrlsOnlyAndUnchanged) {
  start();
  const std::string url = alice().access_url(note());
  EXPECT_NE(url.find("/Customer%20Data/"), std::string::npos);
  EXPECT_TRUE(std::regex_search(url, std::regex("[?&]Signature=[^&]*%2[BF]")))
      << "a signature that does not survive being decoded";
  EXPECT_EQ(KenestoClient::fetch(url.substr(0, url.find('?'))).status, 403);
  EXPECT_EQ(KenestoClient::fetch(url + "&x=1").status, 403);
  std::string other = url;
  other.replace(other.find("Expires=") + 8, 1, "9");
  EXPECT_EQ(KenestoClient::fetch(other).status, 403);
  std::string raw = url;
  for (const char* code : {"%2B", "%2F", "%3D"}) {
    for (auto at = raw.find(code); at != std::string::npos; at = raw.find(code)) {
      raw.replace(at, 3, code[2] == 'B' ? "+" : code[2] == 'F' ? "/" : "=");
    }
  }
  EXPECT_EQ(KenestoClient::fetch(raw).status, 403);
  EXPECT_NE(KenestoClient::fetch(server_->content_url() + "/").body.find("<Code>AccessDenied"),
            std::string::npos);
  EXPECT_GE(admin("GET", "store").at("bad_signature"), 4);
  EXPECT_EQ(KenestoClient::put(url, "x").status, 403) << "a download is not an upload";
}

TEST_F(KenestoTransfer, TheNewerSignatureWorksToo) {
  start({{"signature", "v4"}});
  const std::string url = alice().access_url(note());
  EXPECT_NE(url.find("X-Amz-Signature="), std::string::npos);
  EXPECT_EQ(url.find("&Expires="), std::string::npos);
  EXPECT_EQ(KenestoClient::fetch(url).body, "a note");
  EXPECT_FALSE(failed(alice().upload("new.txt", "n", {})));
}

TEST_F(KenestoTransfer, UrlsExpireByTheClockAndByOrder) {
  start();
  const std::string download = alice().access_url(note());
  const std::string upload = upload_url({{"p", "x.txt"}});
  admin("POST", "clock", {{"advance", 3599}});
  EXPECT_EQ(KenestoClient::fetch(download).status, 200);
  admin("POST", "clock", {{"advance", 2}});
  EXPECT_EQ(KenestoClient::fetch(download).status, 403);
  EXPECT_EQ(KenestoClient::put(upload, "x").status, 200) << "a day, not an hour";
  admin("POST", "clock", {{"advance", 86400}});
  EXPECT_EQ(KenestoClient::put(upload, "x").status, 403);
  admin("POST", "token");
  const KenestoClient again(server_->url(), admin("POST", "token").at("access_token"));
  const std::string fresh = again.access_url(again.id("note.txt"));
  EXPECT_EQ(KenestoClient::fetch(fresh).status, 200);
  admin("POST", "expire_urls", {{"kind", "upload"}});
  EXPECT_EQ(KenestoClient::fetch(fresh).status, 200);
  admin("POST", "expire_urls", {{"kind", "download"}});
  EXPECT_NE(KenestoClient::fetch(fresh).body.find("Request has expired"), std::string::npos);
  EXPECT_EQ(admin("GET", "store").at("expired"), 3);
  set({{"download_lifetime", 0}, {"upload_lifetime", 0}});
  const json begun = again.data("UploadFile", {{"p", "late.txt"}});
  EXPECT_EQ(KenestoClient::put(begun.at("AccessUrl"), "x").status, 403);
  EXPECT_EQ(KenestoClient::fetch(again.access_url(again.id("note.txt"))).status, 403);
}

TEST_F(KenestoTransfer, CredentialsAreRefusedByTheStoreAndCounted) {
  start();
  const std::string url = alice().access_url(note());
  EXPECT_EQ(KenestoClient::fetch(url, {"Authorization: Bearer x"}).status, 400);
  EXPECT_EQ(KenestoClient::fetch(url, {"X-Session: " + alice().token}).status, 400);
  EXPECT_EQ(KenestoClient::fetch(url, {"Cookie: t=1"}).status, 400);
  EXPECT_EQ(KenestoClient::fetch(url + "&t=" + url_encode(alice().token)).status, 400);
  EXPECT_EQ(KenestoClient::fetch(url, {"Referer: " + url_encode(alice().token)}).status, 400);
  const std::string upload = upload_url({{"p", "x.txt"}});
  EXPECT_EQ(KenestoClient::put(upload, "x", Put{"multipart/form-data", false, {"Authorization: y"}})
                .status,
            400);
  EXPECT_EQ(admin("GET", "store").at("credentials"), 6);
  EXPECT_TRUE(failed(complete(upload))) << "nothing was stored";
  admin("POST", "mutations/reset");
  EXPECT_EQ(KenestoClient::fetch(url).status, 200);
  EXPECT_EQ(admin("GET", "store").at("credentials"), 0);
}

TEST_F(KenestoTransfer, PutsAreTakenInOneWayOnly) {
  start();
  const std::string url = upload_url({{"p", "x.txt"}});
  for (const char* type : {"", "application/octet-stream", "multipart/form-data; boundary=x",
                           "application/x-www-form-urlencoded"}) {
    EXPECT_EQ(KenestoClient::put(url, "x", Put{type, false, {}}).status, 403) << type;
  }
  EXPECT_EQ(KenestoClient::put(url, "x", Put{"multipart/form-data", true, {}}).status, 501);
  EXPECT_EQ(
      KenestoClient::put(url, "x", Put{"multipart/form-data", false, {"Content-MD5: abc="}}).status,
      403);
  EXPECT_EQ(KenestoClient::put(url, "x", Put{"multipart/form-data", false, {"x-amz-acl: private"}})
                .status,
            403);
  const json store = admin("GET", "store");
  EXPECT_EQ(store.at("content_type"), 4);
  EXPECT_EQ(store.at("chunked"), 1);
  EXPECT_EQ(store.at("unsigned_headers"), 2);
  EXPECT_TRUE(failed(complete(url))) << "nothing was stored";
  const Reply good = KenestoClient::put(url, "first");
  EXPECT_EQ(good.status, 200);
  EXPECT_EQ(good.headers.at("etag"), "\"8b04d5e3775d298e78455efc5ca404d5\"");
  EXPECT_EQ(KenestoClient::put(url, "second").status, 200) << "the last one counts";
  ASSERT_FALSE(failed(complete(url)));
  EXPECT_EQ(alice().read(alice().id("x.txt")), "second");
  set({{"put_max", 3}});
  EXPECT_EQ(KenestoClient::put(upload_url({{"p", "y.txt"}}), "four").status, 400);
}

TEST_F(KenestoTransfer, NothingIsVisibleBeforeTheLastStep) {
  start();
  const std::string url = upload_url({{"p", "new file.txt"}, {"fid", alice().id("Work")}});
  KenestoClient::put(url, "x");
  EXPECT_TRUE(alice().item("new file.txt", alice().id("Work")).is_null());
  ASSERT_FALSE(failed(complete(url)));
  const json made = alice().item("new file.txt", alice().id("Work"));
  EXPECT_EQ(made.at("CurrentVersionSize"), 1);
  EXPECT_NE(url.find("/Temp/"), std::string::npos);
  EXPECT_NE(url.find("/" + made.at("Id").get<std::string>() + "/"), std::string::npos)
      << "the path tells the id";
  set({{"path_id_is_document", false}});
  const std::string other = upload_url({{"p", "other.txt"}});
  KenestoClient::put(other, "x");
  ASSERT_FALSE(failed(complete(other)));
  EXPECT_EQ(other.find(alice().id("other.txt")), std::string::npos);
}

TEST_F(KenestoTransfer, SomethingMayBeVisibleFromTheFirstStepOn) {
  start({{"visible_early", true}});
  const std::string url = upload_url({{"p", "early.txt"}});
  const std::string id = alice().id("early.txt");
  EXPECT_EQ(alice().item("early.txt").at("CurrentVersionSize"), 0);
  KenestoClient::put(url, "content");
  EXPECT_EQ(alice().item("early.txt").at("CurrentVersionSize"), 0);
  ASSERT_FALSE(failed(complete(url)));
  EXPECT_EQ(alice().read(id), "content");
  EXPECT_EQ(documents(), 3U);
  EXPECT_EQ(alice().versions(id).size(), 1U);
}

TEST_F(KenestoTransfer, APutThatAsksFirstIsRefusedBeforeItsBody) {
  start();
  const std::string url = upload_url({{"p", "x.txt"}});
  // Counted when a request is through, which the client may notice a little earlier.
  const auto bytes_in = [&] {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    json counts = admin("GET", "counts");
    while (counts.at("in_flight") != 0 && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
      counts = admin("GET", "counts");
    }
    return counts.at("bytes_in").get<std::int64_t>();
  };
  const std::string content(4 << 20, 'x');
  const Put asking{"text/plain", false, {"Expect: 100-continue"}};
  EXPECT_EQ(KenestoClient::put(url, content, asking).status, 403);
  EXPECT_EQ(admin("GET", "store").at("content_type"), 1);
  EXPECT_LT(bytes_in(), 4 << 20);
  const Put good{"multipart/form-data", false, {"Expect: 100-continue"}};
  EXPECT_EQ(KenestoClient::put(url, content, good).status, 200);
  EXPECT_GE(bytes_in(), 4 << 20);
}

TEST_F(KenestoTransfer, TheLastStepReadsAUrlThatIsCutUnlessItIsStrict) {
  start();
  std::string url = upload_url({{"p", "x.txt"}});
  EXPECT_EQ(error_of(complete(url)), "The file was not uploaded");
  KenestoClient::put(url, "x");
  EXPECT_TRUE(failed(complete("http://elsewhere/nothing")));
  EXPECT_TRUE(failed(bob().call("UploadFileCompleted", {{"u", url}}))) << "somebody else's";
  // As the vendor's app sends it: everything after the first '&' is lost.
  EXPECT_FALSE(failed(complete(url.substr(0, url.find('&')))));
  set({{"strict_completed_url", true}});
  url = upload_url({{"p", "y.txt"}});
  KenestoClient::put(url, "y");
  EXPECT_TRUE(failed(complete(url.substr(0, url.find('&')))));
  EXPECT_FALSE(failed(complete(url)));
}

TEST_F(KenestoTransfer, CompletingTwiceIsASetting) {
  start();
  const auto twice = [&](const char* name) {
    const std::string url = upload_url({{"p", name}});
    KenestoClient::put(url, "x");
    EXPECT_FALSE(failed(complete(url)));
    return complete(url);
  };
  EXPECT_TRUE(failed(twice("a1")));
  EXPECT_EQ(documents(), 3U);
  set({{"completed_twice", "ok"}, {"completed_data", "id"}});
  const json second = twice("a2");
  EXPECT_EQ(second.at("ResponseData"), alice().id("a2"));
  EXPECT_EQ(documents(), 4U);
  set({{"completed_twice", "again"}, {"completed_data", "object"}});
  EXPECT_EQ(twice("a3").at("ResponseData").at("FileName"), "a3");
  EXPECT_EQ(documents(), 6U);
}

TEST_F(KenestoTransfer, ANameThatIsTakenMakesATwinOrAVersionOrFails) {
  start();
  const std::string work = alice().id("Work");
  const std::string id = alice().id("a.txt", work);
  ASSERT_FALSE(failed(alice().upload("a.txt", "twin", {{"fid", work}})));
  EXPECT_EQ(documents(work), 4U);
  EXPECT_EQ(alice().versions(id).size(), 1U);
  set({{"same_name", "new_version"}});
  ASSERT_FALSE(failed(alice().upload("b.txt", "more", {{"fid", work}})));
  EXPECT_EQ(documents(work), 4U);
  EXPECT_EQ(alice().versions(alice().id("b.txt", work)).size(), 2U);
  set({{"same_name", "fail"}});
  EXPECT_TRUE(failed(alice().call("UploadFile", {{"p", "B.TXT"}, {"fid", work}})));
  set({{"case_sensitive", true}});
  EXPECT_FALSE(failed(alice().call("UploadFile", {{"p", "B.TXT"}, {"fid", work}})));
}

TEST_F(KenestoTransfer, AVersionKeepsTheDocumentAndItsOldIdKeepsTheOldContent) {
  start();
  const std::string id = note();
  ASSERT_FALSE(failed(alice().upload("renamed.txt", "second text", {{"bid", id}})));
  EXPECT_EQ(alice().item("note.txt").at("CurrentVersionSize"), 11) << "the name stays";
  const json versions = alice().versions(id);
  ASSERT_EQ(versions.size(), 2U);
  EXPECT_EQ(versions.at(0).at("Id"), id) << "a document is its first version";
  EXPECT_EQ(versions.at(0).at("VersionNumber"), "1");
  EXPECT_FALSE(versions.at(0).at("IsCurrentVersion"));
  EXPECT_EQ(versions.at(1).at("VersionNumber"), "2");
  EXPECT_TRUE(versions.at(1).at("IsCurrentVersion"));
  EXPECT_EQ(versions.at(1).at("FileSize"), 11);
  EXPECT_EQ(versions.at(1).at("OwnerName"), "Alice Adams");
  EXPECT_EQ(versions.at(1).at("ModificationDate"), "/Date(-62135596800000)/");
  const std::string second = versions.at(1).at("Id");
  EXPECT_EQ(alice().read(id), "a note") << "stale";
  EXPECT_EQ(alice().read(second), "second text");
  EXPECT_TRUE(failed(alice().call("RetrieveFileVersions", {{"fid", second}})))
      << "only the base version leads to the list";
  set({{"document_id_serves", "current"}, {"version_dates", "real"}, {"version_order", "newest"}});
  EXPECT_EQ(alice().read(id), "second text");
  EXPECT_EQ(alice().versions(id).at(0).at("Id"), second);
  EXPECT_TRUE(std::regex_match(alice().versions(id).at(0).at("ModificationDate").get<std::string>(),
                               std::regex("/Date\\([0-9]{13}\\)/")));
  set({{"version_dates", "offset"}, {"bid_renames", true}});
  EXPECT_NE(alice().get("RetrieveFileVersions", {{"fid", id}}).body.find("+0200)\\/\""),
            std::string::npos);
  ASSERT_FALSE(failed(alice().upload("renamed.txt", "third", {{"bid", id}})));
  EXPECT_EQ(alice().id("renamed.txt"), id);
}

TEST_F(KenestoTransfer, SettingTheCurrentVersionMovesAPointerOrCopies) {
  start();
  const std::string id = note();
  ASSERT_FALSE(failed(alice().upload("note.txt", "second", {{"bid", id}})));
  ASSERT_FALSE(failed(alice().call_post("SetCurrentFileVersion", {{"fileId", id}})));
  EXPECT_TRUE(alice().versions(id).at(0).at("IsCurrentVersion"));
  EXPECT_FALSE(alice().versions(id).at(1).at("IsCurrentVersion"));
  EXPECT_EQ(alice().item("note.txt").at("CurrentVersionSize"), 6);
  set({{"set_current", "copy"}});
  ASSERT_FALSE(failed(alice().call_post("SetCurrentFileVersion", {{"fileId", id}})));
  ASSERT_EQ(alice().versions(id).size(), 3U);
  EXPECT_EQ(alice().read(alice().versions(id).at(2).at("Id")), "a note");
  EXPECT_TRUE(failed(alice().call_post("SetCurrentFileVersion",
                                       {{"fileId", "11111111-2222-4333-8444-555555555555"}})));
  EXPECT_EQ(alice().post("SetCurrentFileVersion", json::array()).status, 400);
}

TEST_F(KenestoTransfer, DownloadsAndChangesAreInTheHistory) {
  start();
  const std::string id = note();
  alice().access_url(id);
  alice().upload("note.txt", "longer text", {{"bid", id}});
  const json history = alice().data("RetrieveDocumentHistory", {{"dId", id}});
  ASSERT_EQ(history.at("VIEW_HISTORY").size(), 1U);
  EXPECT_EQ(history.at("VIEW_HISTORY").at(0).at("Event"), "Local Copy");
  EXPECT_EQ(history.at("VIEW_HISTORY").at(0).at("User"), "Alice Adams");
  const json& updates = history.at("UPDATE_HISTORY");
  ASSERT_EQ(updates.size(), 2U);
  EXPECT_EQ(updates.at(0).at("Event"), "Create");
  EXPECT_EQ(updates.at(1).at("Value"), "Attribute: File Size; Old Value: 6; New Value: 11");
  set({{"log_downloads", false}});
  alice().access_url(id);
  EXPECT_EQ(alice().data("RetrieveDocumentHistory", {{"did", id}}).at("VIEW_HISTORY").size(), 1U);
}

TEST_F(KenestoTransfer, BackslashesMakeFoldersAndOtherSignsAreRefused) {
  start();
  ASSERT_FALSE(failed(alice().upload("One\\Two\\x.txt", "deep", {})));
  EXPECT_FALSE(alice().item("x.txt", alice().id("Two", alice().id("One"))).is_null());
  for (const char* name :
       {"a/b", "a:b", "a?b", "a*b", "a\"b", "a<b", "a>b", "a|b", "a;b", " a", "a ", "a.", "a\tb"}) {
    EXPECT_TRUE(failed(alice().call("UploadFile", {{"p", name}}))) << name;
    EXPECT_TRUE(failed(alice().call("CreateFolder", {{"fn", name}}))) << name;
  }
  EXPECT_TRUE(failed(alice().call("UploadFile", {{"p", std::string(201, 'x')}})));
  std::string longest;
  for (int i = 0; i < 200; ++i) longest += "\xC3\xA9";
  EXPECT_FALSE(failed(alice().upload(longest, "x", {})));
  set({{"path_separators", "both"}});
  ASSERT_FALSE(failed(alice().upload("Three/y.txt", "y", {})));
  EXPECT_FALSE(alice().item("y.txt", alice().id("Three")).is_null());
  set({{"name_rules", "trim"}});
  ASSERT_FALSE(failed(alice().upload(" z.txt. ", "z", {})));
  EXPECT_FALSE(alice().item("z.txt").is_null());
  set({{"name_rules", "none"}});
  EXPECT_FALSE(failed(alice().upload("a:b", "z", {})));
}

TEST_F(KenestoTransfer, EmptyFilesAndFullAccounts) {
  start();
  ASSERT_FALSE(failed(alice().upload("empty", "", {})));
  EXPECT_EQ(alice().item("empty").at("CurrentVersionSize"), 0);
  EXPECT_EQ(KenestoClient::fetch(alice().access_url(alice().id("empty"))).status, 200);
  set({{"empty_files", false}});
  EXPECT_TRUE(failed(alice().upload("empty2", "", {})));
  admin("POST", "quota", {{"user", "alice@example.com"}, {"bytes", 30}});
  EXPECT_FALSE(failed(alice().upload("fits", "123456", {}))) << "24 bytes were there";
  EXPECT_TRUE(failed(alice().upload("over", "1", {})));
  admin("POST", "quota", {{"bytes", 0}});
  EXPECT_FALSE(failed(alice().upload("over", "1", {})));
}

TEST_F(KenestoTransfer, ExternalLinksHaveNoContent) {
  start();
  as("alice", {{"op", "link"}, {"path", "box.pdf"}, {"size", 99}});
  const json link = alice().item("box.pdf");
  EXPECT_TRUE(link.at("IsExternalLink"));
  EXPECT_EQ(link.at("ExternalLinkType"), "DROPBOX");
  EXPECT_EQ(link.at("CurrentVersionSize"), 99);
  EXPECT_TRUE(alice().versions(link.at("Id")).empty());
  EXPECT_TRUE(failed(alice().call("DownloadFile", {{"fid", link.at("Id")}})));
  EXPECT_TRUE(failed(alice().call("UploadFile", {{"p", "box.pdf"}, {"bid", link.at("Id")}})));
}

TEST_F(KenestoTransfer, FaultRulesReachTheStore) {
  start();
  const std::string url = alice().access_url(note());
  fault(
      {{"match", {{"method", "GET"}, {"path", "/Files/"}}}, {"action", "truncate"}, {"bytes", 2}});
  EXPECT_EQ(KenestoClient::fetch(url).body, "a ");
  fault({{"match", {{"path", "/Files/"}, {"user", "alice@example.com"}}},
         {"action", "corrupt"},
         {"offset", 0}});
  EXPECT_EQ(KenestoClient::fetch(url).body, "` note");
  fault({{"match", {{"path", "/Files/"}}}, {"action", "status"}, {"status", 503}});
  EXPECT_EQ(KenestoClient::fetch(url).status, 503);
  fault({{"match", {{"method", "PUT"}}}, {"action", "drop_upload"}, {"bytes", 1000}});
  const std::string upload = upload_url({{"p", "x"}});
  EXPECT_NE(KenestoClient::put(upload, std::string(1 << 20, 'x')).curl_code, 0);
  EXPECT_TRUE(failed(complete(upload)));
  fault({{"match", {{"method", "PUT"}}}, {"action", "drop_after_effect"}});
  EXPECT_NE(KenestoClient::put(upload, "x").curl_code, 0);
  EXPECT_FALSE(failed(complete(upload))) << "it had arrived";
  EXPECT_EQ(
      admin("GET", "counts").at("endpoints").at("PUT /kenesto-sandbox/Temp/{tenant}/{id}/{name}"),
      2);
}

TEST_F(KenestoTransfer, LargeBodiesGoThroughADisk) {
  start();
  std::string content(std::size_t{40} << 20, '\0');
  for (std::size_t i = 0; i < content.size(); i += 4096) content[i] = static_cast<char>(i >> 12);
  ASSERT_FALSE(failed(alice().upload("large.bin", content, {})));
  const std::string url = alice().access_url(alice().id("large.bin"));
  EXPECT_TRUE(KenestoClient::fetch(url).body == content);
  EXPECT_TRUE(KenestoClient::fetch(url, {"Range: bytes=40000000-"}).body ==
              content.substr(40000000));
}

}  // namespace
}  // namespace cabinetfs::sandbox
