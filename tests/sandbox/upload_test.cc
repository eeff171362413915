#include "tests/sandbox/server_test.h"

namespace cabinetfs::sandbox {
namespace {

using nlohmann::json;

class UploadTest : public ServerTest {};

TEST_F(UploadTest, ChunksInOrderMakeAFileWithItsTimes) {
  Client client = Client::of(start());
  const std::string folder = client.top("Projects");
  const Reply session =
      client.initiate(folder, "new.bin", 6, 2, {{"clientModified", "2024-02-03T04:05:06Z"}});
  ASSERT_EQ(session.status, 201);
  const std::string uri = session.json().at("uri");
  EXPECT_EQ(uri.rfind("dacfs_upload1/rest/uploads/", 0), 0U);
  EXPECT_TRUE(session.json().at("id").is_number_integer());
  const Reply first = client.chunk(uri, 1, "abc");
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.json().at("uploadedChunks"), 1);
  EXPECT_EQ(first.json().at("uploadedSize"), 3);
  const Reply last = client.chunk(uri, 2, "def", true);
  ASSERT_EQ(last.status, 201);
  const json file = last.json();
  EXPECT_EQ(file.at("type"), "f");
  EXPECT_EQ(file.at("size"), 6);
  EXPECT_EQ(file.at("clientModified"), "2024-02-03T04:05:06+0000");
  const std::string location = last.headers.at("x-accellion-location");
  EXPECT_EQ(location.substr(location.rfind('/') + 1), file.at("id"));
  EXPECT_EQ(client.get("/rest/files/" + file.at("id").get<std::string>() + "/content").body,
            "abcdef");
}

TEST_F(UploadTest, ChunkOutOfOrderOrSentTwiceIsRefused) {
  Client client = Client::of(start());
  const std::string uri = client.initiate(client.top("Projects"), "new.bin", 6, 2).json().at("uri");
  EXPECT_EQ(client.chunk(uri, 2, "def").status, 422);
  EXPECT_EQ(client.chunk(uri, 0, "abc").status, 422);
  EXPECT_EQ(client.chunk(uri, 1, "abc").status, 200);
  EXPECT_EQ(client.chunk(uri, 1, "abc").status, 422);
  set({{"resend_chunk", "accept"}});
  EXPECT_EQ(client.chunk(uri, 1, "abc").status, 200);
  EXPECT_EQ(client.chunk(uri, 2, "def").status, 201);
}

TEST_F(UploadTest, WrongSizesAreRefusedAndEndTheSession) {
  Client client = Client::of(start());
  const std::string folder = client.top("Projects");
  const json session = client.initiate(folder, "new.bin", 6, 2).json();
  const std::string uri = session.at("uri");
  EXPECT_EQ(client.chunk(uri, 1, "abcdefg").status, 422) << "more than totalSize";
  EXPECT_EQ(client.chunk(uri, 1, "abc").status, 200);
  EXPECT_EQ(client.chunk(uri, 2, "d").status, 422) << "less than totalSize in the end";
  EXPECT_EQ(client.get("/rest/uploads/" + std::to_string(session.at("id").get<int>())).status, 403);
  EXPECT_EQ(client.initiate(folder, "x", 1, 0).status, 422);
  EXPECT_EQ(client
                .send("POST", "/rest/folders/" + folder + "/actions/initiateUpload",
                      {{"filename", "x"}, {"totalSize", 3}})
                .status,
            422);
}

TEST_F(UploadTest, SessionShowsWhereToResumeAndIsGoneWhenFinished) {
  Client client = Client::of(start());
  const json session = client.initiate(client.top("Projects"), "new.bin", 4, 2).json();
  const std::string path = "/rest/uploads/" + std::to_string(session.at("id").get<int>());
  client.chunk(session.at("uri"), 1, "ab");
  EXPECT_EQ(client.get(path).json().at("uploadedChunks"), 1);
  EXPECT_EQ(client.get("/rest/uploads?limit=10").json().at("data").size(), 1U);
  EXPECT_EQ(Client::of(*server_, 1).get(path).status, 403) << "somebody else's session";
  client.chunk(session.at("uri"), 2, "cd");
  EXPECT_EQ(client.get(path).status, 403);
  const json other = client.initiate(client.top("Projects"), "other.bin", 4, 2).json();
  const std::string other_path = "/rest/uploads/" + std::to_string(other.at("id").get<int>());
  EXPECT_EQ(client.send("DELETE", other_path).status, 204);
  EXPECT_EQ(client.chunk(other.at("uri"), 1, "ab").status, 403);
}

TEST_F(UploadTest, IdleSessionExpires) {
  Client client = Client::of(start(R"({"upload_timeout": 0})"));
  const json session = client.initiate(client.top("Projects"), "new.bin", 4, 2).json();
  // Zero seconds: the first millisecond of silence ends it.
  Reply reply;
  for (int i = 0; i < 1000 && reply.status != 403; ++i) {
    reply = client.get("/rest/uploads/" + std::to_string(session.at("id").get<int>()));
  }
  EXPECT_EQ(reply.status, 403);
}

TEST_F(UploadTest, ExistingNameGetsAVersionWhateverItsCase) {
  Client client = Client::of(start());
  const std::string folder = client.top("Projects");
  const std::string id = client.child(folder, "a.txt");
  const Reply reply = client.upload(folder, "A.TXT", "newer");
  ASSERT_EQ(reply.status, 201);
  EXPECT_EQ(reply.json().at("id"), id);
  EXPECT_EQ(reply.json().at("name"), "a.txt");
  EXPECT_EQ(client.get("/rest/files/" + id + "/versions?limit=10").json().at("data").size(), 2U);
}

TEST_F(UploadTest, StreamModeEndsWithTheLastChunk) {
  Client client = Client::of(start());
  const Reply session =
      client.send("POST", "/rest/folders/" + client.top("Projects") + "/actions/initiateUpload",
                  {{"filename", "stream.bin"}});
  const std::string uri = session.json().at("uri");
  EXPECT_EQ(client.chunk(uri, 1, "abc").status, 200);
  const Reply last = client.chunk(uri, 2, "", true);
  EXPECT_EQ(last.status, 201);
  EXPECT_EQ(last.json().at("size"), 3);
}

TEST_F(UploadTest, EmptyFileIsOneEmptyChunk) {
  Client client = Client::of(start());
  const Reply reply = client.upload(client.top("Projects"), "empty", "");
  EXPECT_EQ(reply.status, 201);
  EXPECT_EQ(reply.json().at("size"), 0);
}

TEST_F(UploadTest, PrefixOfTheUriAndTheChunkSizeMatter) {
  Client client = Client::of(start(R"({"upload_chunk_max": 4})"));
  const json session = client.initiate(client.top("Projects"), "new.bin", 5, 1).json();
  const std::string id = std::to_string(session.at("id").get<int>());
  EXPECT_EQ(client.chunk("rest/uploads/" + id, 1, "abcde").status, 403);
  EXPECT_EQ(client.chunk(session.at("uri"), 1, "abcde").status, 422);
  set({{"require_upload_prefix", false}, {"upload_chunk_max", 5}});
  EXPECT_EQ(client.chunk("rest/uploads/" + id, 1, "abcde").status, 201);
}

TEST_F(UploadTest, OneShotIsTheExclusiveCreate) {
  Client client = Client::of(start());
  const std::string path = "/rest/folders/" + client.top("Projects") + "/actions/file";
  const Reply clash =
      client.multipart(path, {{"disableAutoVersion", "true"}}, "body", "A.txt", "x");
  EXPECT_EQ(clash.status, 409);
  EXPECT_EQ(clash.error_code(), "ERR_ENTITY_EXISTS");
  const Reply made =
      client.multipart(path, {{"disableAutoVersion", "true"}}, "body", "c.txt", "exclusive");
  ASSERT_EQ(made.status, 200) << made.body;
  EXPECT_EQ(made.json().at("size"), 9);
  const Reply version = client.multipart("/rest/files/" + made.json().at("id").get<std::string>(),
                                         {{"clientModified", "2020-01-01T00:00:00+0000"}}, "body",
                                         "ignored", "second");
  EXPECT_EQ(version.status, 200);
  EXPECT_EQ(version.json().at("name"), "c.txt");
  EXPECT_EQ(version.json().at("clientModified"), "2020-01-01T00:00:00+0000");
}

TEST_F(UploadTest, NothingGoesIntoTheBaseFolderOrUnderABadName) {
  Client client = Client::of(start());
  EXPECT_EQ(client.initiate("0", "x", 0, 1).error_code(), "ERR_ENTITY_IS_BASE_DIR");
  const std::string folder = client.top("Projects");
  for (const char* name : {"a/b", "a:b", ".hidden", "dot.", "quo\"te", "tab\there", ""}) {
    EXPECT_EQ(client.initiate(folder, name, 0, 1).status, 422) << name;
  }
  EXPECT_EQ(client.initiate(folder, std::string(256, 'x'), 0, 1).error_code(),
            "ERR_INPUT_MAX_LENGTH");
  EXPECT_EQ(client.initiate(folder, std::string(255, 'x'), 0, 1).status, 201);
  set({{"leading_dot", "accept"}});
  EXPECT_EQ(client.initiate(folder, ".hidden", 0, 1).status, 201);
  EXPECT_EQ(client.initiate(folder, "x", 0, 1, {{"clientModified", "yesterday"}}).error_code(),
            "ERR_INPUT_INVALID_DATE");
}

TEST_F(UploadTest, RestrictedTypesAreNoticedLate) {
  Client client =
      Client::of(start(R"({"restricted_extensions": ["exe"], "restricted_types": ["iso"]})"));
  const std::string folder = client.top("Projects");
  EXPECT_EQ(client.initiate(folder, "a.exe", 1, 1).error_code(), "ERR_ENTITY_RESTRICTED_EXTENSION");
  const std::string uri = client.initiate(folder, "a.iso", 1, 1).json().at("uri");
  EXPECT_EQ(client.chunk(uri, 1, "x").error_code(), "ERR_ENTITY_RESTRICTED_TYPE");
}

TEST_F(UploadTest, FingerprintsAndScanTakeTheirTime) {
  Client client = Client::of(start(R"({"hash_ms": 3600000, "scan_ms": 3600000})"));
  const json file = client.upload(client.top("Projects"), "new", "x").json();
  EXPECT_EQ(file.at("fingerprint"), "Generating...");
  EXPECT_EQ(file.at("avStatus"), "scanning");
  const std::string path = "/rest/files/" + file.at("id").get<std::string>();
  EXPECT_EQ(client.get(path + "/content").error_code(), "ERR_ENTITY_NOT_SCANNED");
  set({{"hash_ms", 0}, {"sha3_ms", 3600000}, {"scan_ms", 0}});
  EXPECT_EQ(client.get(path).json().at("fingerprints").size(), 1U);
  EXPECT_EQ(client.get(path + "/content").body, "x");
  set({{"sha3_ms", 0}});
  EXPECT_EQ(client.get(path).json().at("fingerprints").at(0).at("algo"), "sha3-256");
  admin("POST", "file", {{"path", "Projects/new"}, {"av", "disallowed"}});
  EXPECT_EQ(client.get(path + "/content").error_code(), "ERR_ENTITY_VIRUS_FOUND");
}

TEST_F(UploadTest, NoSessionForAVersionOfWhatIsScannedOrBad) {
  Client client = Client::of(start(R"({"scan_ms": 3600000})"));
  const std::string folder = client.top("Projects");
  const std::string id = client.upload(folder, "new", "x").json().at("id");
  const std::string path = "/rest/files/" + id + "/actions/initiateUpload";
  const json body = {{"filename", "new"}, {"totalSize", 1}, {"totalChunks", 1}};
  const auto expect = [&](const std::string& code) {
    EXPECT_EQ(client.send("POST", path, body).error_code(), code);
    EXPECT_EQ(client.initiate(folder, "new", 1, 1).error_code(), code);
  };
  expect("ERR_ENTITY_NOT_SCANNED");
  admin("POST", "file", {{"path", "Projects/new"}, {"av", "disallowed"}});
  expect("ERR_ENTITY_VIRUS_FOUND");
  admin("POST", "file", {{"path", "Projects/new"}, {"av", "allowed"}, {"dlp", "disallowed"}});
  expect("ERR_ENTITY_DLP_LOCKED");
  admin("POST", "file", {{"path", "Projects/new"}, {"dlp", "allowed"}});
  EXPECT_EQ(client.send("POST", path, body).status, 201);
}

}  // namespace
}  // namespace cabinetfs::sandbox
