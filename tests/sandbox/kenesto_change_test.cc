#include <curl/curl.h>

#include "tests/sandbox/kenesto_test.h"

// Folders, deleting, renaming, vaults; what is counted; what outlives the server.

namespace cabinetfs::sandbox {
namespace {

using nlohmann::json;

constexpr const char* kNothing = "11111111-2222-4333-8444-555555555555";

class KenestoChange : public KenestoTest {
 protected:
  std::string work() const { return alice().id("Work"); }
  std::string document() const { return alice().id("a.txt", work()); }
  // A vault of alice that bob may change things in.
  void make_vault() const {
    as("alice", {{"op", "vault"}, {"path", "Work"}});
    as("alice", {{"op", "share"},
                 {"path", "Work"},
                 {"with", "bob@example.com"},
                 {"level", "ALLOW_UPDATE_VERSIONS"},
                 {"upload", true}});
  }
};

TEST_F(KenestoChange, FolderNamesAreUniqueAndDocumentsAreNotAsked) {
  start();
  const json made = alice().data(
      "CreateFolder",
      {{"fn", "New"}, {"fd", "about"}, {"fk", "key"}, {"iv", "true"}, {"pid", work()}});
  EXPECT_EQ(made.at("Name"), "New");
  EXPECT_EQ(made.at("Description"), "about");
  EXPECT_EQ(made.at("Keyword"), "key");
  EXPECT_TRUE(alice().item("New", work()).at("IsVault"));
  EXPECT_NE(
      error_of(alice().call("CreateFolder", {{"fn", "new"}, {"pid", work()}})).find("VAL10357"),
      std::string::npos);
  EXPECT_FALSE(failed(alice().call("CreateFolder", {{"fn", "a.txt"}, {"pid", work()}})));
  EXPECT_FALSE(failed(alice().call("CreateFolder", {{"fn", "New"}}))) << "elsewhere";
  EXPECT_TRUE(failed(alice().call("CreateFolder", {{"fn", "X"}, {"pid", kNothing}})));
  EXPECT_TRUE(failed(alice().call("CreateFolder")));
}

TEST_F(KenestoChange, DeletingAFolderTakesAllOrOnlyEmptyOnes) {
  start();
  set({{"delete_folder", "only_empty"}});
  EXPECT_TRUE(failed(alice().call("DeleteFolder", {{"fid", work()}})));
  EXPECT_FALSE(failed(alice().call("DeleteFolder", {{"fid", work()}, {"dc", "true"}})));
  EXPECT_TRUE(alice().item("Work").is_null());
  EXPECT_EQ(alice().data("RetrieveArchivedDocuments").at("TotalDocuments"), "3");
  set({{"delete_folder", "recursive"}, {"delete_archives", false}});
  as("alice", {{"op", "put"}, {"path", "W2/x"}, {"content", "1"}});
  EXPECT_FALSE(failed(alice().call("DeleteFolder", {{"fid", alice().id("W2")}})));
  EXPECT_EQ(alice().data("RetrieveArchivedDocuments").at("TotalDocuments"), "3");
  EXPECT_TRUE(failed(
      alice().call("DeleteFolder", {{"fid", alice().data("RetrieveDocuments").at("FolderId")}})));
}

TEST_F(KenestoChange, ADeletedFolderMayLingerInListings) {
  start({{"delete_linger_ms", -1}});
  const std::string id = work();
  ASSERT_FALSE(failed(alice().call("DeleteFolder", {{"fid", id}})));
  EXPECT_EQ(alice().item("Work").at("Id"), id) << "still listed";
  EXPECT_EQ(alice().data("RetrieveNumberOfDocuments").at("TotalDocuments"), "2");
  EXPECT_TRUE(failed(alice().call("RetrieveDocuments", {{"fid", id}}))) << "but gone";
  EXPECT_TRUE(failed(alice().call("CreateFolder", {{"fn", "Work"}}))) << "its name is not free";
  admin("POST", "settle");
  EXPECT_TRUE(alice().item("Work").is_null());
  set({{"delete_linger_ms", 60000}});
  as("alice", {{"op", "mkdir"}, {"path", "Next"}});
  ASSERT_FALSE(failed(alice().call("DeleteFolder", {{"fid", alice().id("Next")}})));
  EXPECT_FALSE(alice().item("Next").is_null());
  admin("POST", "clock", {{"advance", 61}});
  EXPECT_TRUE(alice().item("Next").is_null());
}

TEST_F(KenestoChange, DeletedDocumentsAreGoneWithTheirVersions) {
  start();
  const std::string id = document();
  const std::string url = alice().access_url(id);
  EXPECT_TRUE(failed(alice().call("DeleteAsset", {{"aid", id}}))) << "without its family";
  ASSERT_FALSE(failed(alice().call("DeleteAsset", {{"aid", id}, {"fc", "GENERAL"}})));
  EXPECT_TRUE(alice().item("a.txt", work()).is_null());
  EXPECT_TRUE(failed(alice().call("RetrieveFileVersions", {{"fid", id}})));
  EXPECT_TRUE(failed(alice().call("DownloadFile", {{"fid", id}})));
  EXPECT_EQ(KenestoClient::fetch(url).status, 404);
  EXPECT_TRUE(failed(alice().call("DeleteAsset", {{"aid", id}, {"fc", "GENERAL"}})));
}

TEST_F(KenestoChange, RenamingADocumentKeepsItsExtensionUnlessToldOtherwise) {
  start();
  const std::string id = document();
  ASSERT_FALSE(failed(alice().call("UpdateAssetName", {{"did", id}, {"dn", "new"}})));
  EXPECT_EQ(alice().id("new.txt", work()), id);
  ASSERT_FALSE(failed(alice().call("UpdateAssetName", {{"did", id}, {"dn", "new.doc"}})));
  EXPECT_EQ(alice().id("new.doc.txt", work()), id);
  ASSERT_FALSE(failed(alice().call("UpdateAssetName", {{"did", id}, {"dn", "b"}})));
  EXPECT_EQ(alice().list(work()).size(), 3U) << "a second b.txt";
  set({{"rename_extension", "full"}, {"rename_duplicates", "fail"}});
  ASSERT_FALSE(failed(alice().call("UpdateAssetName", {{"did", id}, {"dn", "c.doc"}})));
  EXPECT_EQ(alice().id("c.doc", work()), id);
  EXPECT_TRUE(failed(alice().call("UpdateAssetName", {{"did", id}, {"dn", "b.txt"}})));
}

TEST_F(KenestoChange, EditFolderRenamesAndSetsTheVaultAtOnce) {
  start();
  const std::string id = work();
  as("alice", {{"op", "vault"}, {"path", "Work"}});
  ASSERT_FALSE(failed(alice().call("EditFolder", {{"fid", id}, {"fn", "Play"}})));
  EXPECT_EQ(alice().id("Play"), id);
  EXPECT_FALSE(alice().item("Play").at("IsVault")) << "it was not told to stay one";
  as("alice", {{"op", "mkdir"}, {"path", "Other"}});
  EXPECT_NE(error_of(alice().call("EditFolder", {{"fid", id}, {"fn", "OTHER"}})).find("VAL10357"),
            std::string::npos);
  EXPECT_FALSE(failed(alice().call("EditFolder", {{"fid", id}, {"fn", "PLAY"}, {"iv", "true"}})));
  EXPECT_TRUE(alice().item("PLAY").at("IsVault"));
}

TEST_F(KenestoChange, AVaultTakesVersionsOnlyFromWhoHasTheDocumentCheckedOut) {
  start();
  make_vault();
  const std::string id = document();
  EXPECT_TRUE(alice().item("a.txt", work()).at("IsVault"));
  EXPECT_TRUE(failed(alice().upload("a.txt", "x", {{"bid", id}}))) << "not checked out";
  ASSERT_FALSE(failed(bob().call("CheckOut", {{"did", id}})));
  const json held = alice().item("a.txt", work());
  EXPECT_TRUE(held.at("IsCheckedOut"));
  EXPECT_EQ(held.at("ChceckedOutBy"), "Bob Brown");
  EXPECT_FALSE(held.contains("CheckedOutBy"));
  EXPECT_TRUE(failed(alice().upload("a.txt", "x", {{"bid", id}}))) << "by somebody else";
  EXPECT_TRUE(failed(alice().call("CheckOut", {{"did", id}})));
  EXPECT_TRUE(failed(alice().call("DeleteAsset", {{"aid", id}, {"fc", "GENERAL"}})));
  EXPECT_TRUE(failed(alice().call("UpdateAssetName", {{"did", id}, {"dn", "n"}})));
  EXPECT_TRUE(failed(alice().call("DeleteFolder", {{"fid", work()}})));
  ASSERT_FALSE(failed(bob().upload("a.txt", "bob's", {{"bid", id}})));
  EXPECT_TRUE(failed(alice().call_post("CheckIn", {{"asset", {{"ID", id}}}})));
  ASSERT_FALSE(failed(bob().call_post("CheckIn", {{"asset", {{"ID", id}, {"Comment", "done"}}}})));
  EXPECT_FALSE(alice().item("a.txt", work()).at("IsCheckedOut"));
  EXPECT_EQ(alice().versions(id).size(), 2U);
  EXPECT_TRUE(failed(alice().call_post("SetCurrentFileVersion", {{"fileId", id}})));
  EXPECT_FALSE(failed(alice().upload("new.txt", "n", {{"fid", work()}}))) << "a new one is free";
}

TEST_F(KenestoChange, AVaultMayBeLenient) {
  start({{"vault_needs_checkout", false}});
  make_vault();
  EXPECT_FALSE(failed(alice().upload("a.txt", "x", {{"bid", document()}})));
  as("bob", {{"op", "lock"}, {"id", document()}});
  EXPECT_TRUE(failed(alice().upload("a.txt", "x", {{"bid", document()}})));
}

TEST_F(KenestoChange, TheHoldersNameHasOtherFormsToo) {
  start({{"holder_key", "correct"}, {"holder_value", "email"}});
  as("bob", {{"op", "lock"}, {"id", document()}});
  EXPECT_EQ(alice().item("a.txt", work()).at("CheckedOutBy"), "bob@example.com");
  EXPECT_TRUE(failed(alice().upload("a.txt", "x", {{"bid", document()}})))
      << "a lock holds outside vaults as well, once it is there";
}

TEST_F(KenestoChange, CheckingOutIsForVaultsAndOncePerHolder) {
  start();
  const std::string id = document();
  EXPECT_TRUE(failed(alice().call("CheckOut", {{"did", id}}))) << "not a vault";
  set({{"checkout_anywhere", true}});
  ASSERT_FALSE(failed(alice().call("CheckOut", {{"dId", id}})));
  EXPECT_TRUE(failed(alice().call("CheckOut", {{"did", id}})));
  set({{"checkout_twice", true}, {"checkin_needs_version", true}});
  EXPECT_FALSE(failed(alice().call("CheckOut", {{"did", id}})));
  EXPECT_TRUE(failed(alice().call_post("CheckIn", {{"asset", {{"ID", id}}}})));
  ASSERT_FALSE(failed(alice().upload("a.txt", "x", {{"bid", id}})));
  EXPECT_FALSE(failed(alice().call_post("CheckIn", {{"asset", {{"ID", id}}}})));
  EXPECT_TRUE(failed(alice().call_post("CheckIn", {{"asset", {{"ID", id}}}})));
}

TEST_F(KenestoChange, VersionsMayWaitForTheCheckIn) {
  start({{"checkin_publishes", true}});
  make_vault();
  const std::string id = document();
  ASSERT_FALSE(failed(bob().call("CheckOut", {{"did", id}})));
  ASSERT_FALSE(failed(bob().upload("a.txt", "not yet", {{"bid", id}})));
  EXPECT_EQ(alice().item("a.txt", work()).at("CurrentVersionSize"), 5);
  EXPECT_FALSE(alice().versions(id).at(1).at("IsCurrentVersion"));
  ASSERT_FALSE(failed(alice().call("DiscardCheckOut", {{"did", id}})));
  EXPECT_EQ(alice().versions(id).size(), 1U);
  ASSERT_FALSE(failed(bob().call("CheckOut", {{"did", id}})));
  ASSERT_FALSE(failed(bob().upload("a.txt", "it is out", {{"bid", id}})));
  ASSERT_FALSE(failed(bob().call_post("CheckIn", {{"asset", {{"ID", id}}}})));
  EXPECT_EQ(alice().item("a.txt", work()).at("CurrentVersionSize"), 9);
}

TEST_F(KenestoChange, OwnersDiscardTheCheckoutsOfOthers) {
  start();
  make_vault();
  const std::string id = document();
  const auto may = [&](const KenestoClient& who) {
    return who.data("RetrieveObjectInfo", {{"oi", id}, {"fc", "GENERAL"}}).at("ObjectPermissions");
  };
  EXPECT_TRUE(may(bob()).at("AllowCheckout"));
  EXPECT_FALSE(may(bob()).at("AllowDiscardCheckout"));
  ASSERT_FALSE(failed(bob().call("CheckOut", {{"did", id}})));
  EXPECT_TRUE(may(bob()).at("AllowCheckin"));
  EXPECT_FALSE(may(alice()).at("AllowCheckin"));
  EXPECT_TRUE(may(alice()).at("AllowDiscardCheckout"));
  ASSERT_FALSE(failed(alice().call("DiscardCheckOut", {{"did", id}})));
  EXPECT_FALSE(alice().item("a.txt", work()).at("IsCheckedOut"));
  ASSERT_FALSE(failed(alice().call("CheckOut", {{"did", id}})));
  EXPECT_TRUE(failed(bob().call("DiscardCheckOut", {{"did", id}}))) << "not the owner";
  set({{"discard_own", false}});
  EXPECT_FALSE(may(alice()).at("AllowDiscardCheckout"));
  EXPECT_TRUE(failed(alice().call("DiscardCheckOut", {{"did", id}})));
  set({{"discard_own", true}});
  EXPECT_FALSE(failed(alice().call("DiscardCheckOut", {{"did", id}})));
}

TEST_F(KenestoChange, SeveralAtOnceDoWhatCanBeDoneOrNothing) {
  start();
  make_vault();
  const std::string a = document();
  const std::string b = alice().id("b.txt", work());
  as("bob", {{"op", "lock"}, {"id", b}});
  const json both = {{"documentIds", {a, b}}};
  EXPECT_EQ(alice().call_post("CheckOutMultiple", both).at("ResponseStatus"), "Failed");
  EXPECT_EQ(alice().item("a.txt", work()).at("ChceckedOutBy"), "Alice Adams") << "in part";
  json in = both;
  in["asset"] = {{"Comment", "all"}};
  EXPECT_EQ(alice().call_post("CheckInMultiple", in).at("ResponseStatus"), "Fail");
  EXPECT_FALSE(alice().item("a.txt", work()).at("IsCheckedOut"));
  set({{"multiple", "atomic"}});
  EXPECT_TRUE(failed(alice().call_post("CheckOutMultiple", both)));
  EXPECT_FALSE(alice().item("a.txt", work()).at("IsCheckedOut"));
  as("bob", {{"op", "unlock"}, {"id", b}});
  EXPECT_FALSE(failed(alice().call_post("CheckOutMultiple", both)));
  EXPECT_EQ(alice().call_post("CheckInMultiple", in).at("ResponseStatus"), "ok");
  EXPECT_TRUE(failed(alice().call_post("CheckOutMultiple", {{"documentIds", json::array()}})));
}

TEST_F(KenestoChange, FrozenDocumentsAreReadOnlyForAll) {
  start();
  as("alice", {{"op", "freeze"}, {"path", "Work/a.txt"}});
  EXPECT_TRUE(failed(alice().upload("a.txt", "x", {{"bid", document()}})));
  as("alice", {{"op", "freeze"}, {"path", "Work/a.txt"}, {"frozen", false}});
  EXPECT_FALSE(failed(alice().upload("a.txt", "x", {{"bid", document()}})));
}

TEST_F(KenestoChange, ChangesAreCountedByCallAndTarget) {
  start();
  const std::string id = document();
  alice().call("CreateFolder", {{"fn", "Once"}});
  alice().call("CreateFolder", {{"fn", "Once"}});
  alice().call("RetrieveDocuments");
  alice().call("UpdateAssetName", {{"did", id}, {"dn", "n"}});
  const json counted = admin("GET", "mutations");
  EXPECT_EQ(counted.at("CreateFolder").at("root/Once"), (json{{"requests", 2}, {"effects", 1}}));
  EXPECT_EQ(counted.at("UpdateAssetName").at(id), (json{{"requests", 1}, {"effects", 1}}));
  EXPECT_FALSE(counted.contains("RetrieveDocuments"));
  admin("POST", "mutations/reset");
  EXPECT_TRUE(admin("GET", "mutations").empty());
}

TEST_F(KenestoChange, AnAnswerMayBeLostAfterTheEffect) {
  start();
  fault({{"match", {{"path", "CreateFolder"}}}, {"action", "drop_after_effect"}});
  EXPECT_EQ(alice().get("CreateFolder", {{"fn", "Lost"}}).curl_code, CURLE_GOT_NOTHING);
  EXPECT_FALSE(alice().item("Lost").is_null());
  fault({{"match", {{"path", "CreateFolder"}}},
         {"action", "status"},
         {"status", 500},
         {"after_effect", true},
         {"content_type", "text/html"},
         {"body", "<html>sorry</html>"}});
  const Reply page = alice().get("CreateFolder", {{"fn", "Second"}});
  EXPECT_EQ(page.status, 500);
  EXPECT_EQ(page.body, "<html>sorry</html>");
  EXPECT_FALSE(alice().item("Second").is_null());
  EXPECT_EQ(admin("GET", "mutations").at("CreateFolder").at("root/Second").at("effects"), 1);
}

TEST_F(KenestoChange, OthersAct) {
  start();
  as("alice", {{"op", "share"},
               {"path", "Work"},
               {"with", "bob@example.com"},
               {"level", "ALLOW_UPDATE_VERSIONS"}});
  const std::string id = document();
  as("bob", {{"op", "put"}, {"path", "Work/a.txt"}, {"content", "from bob"}});
  EXPECT_EQ(server_->admin("GET", "content?path=Work/a.txt"), "from bob");
  EXPECT_EQ(server_->admin("GET", "content?path=Work/a.txt&version=1"), "alpha");
  EXPECT_EQ(server_->admin("GET", "content?id=" + id + "&version=2"), "from bob");
  EXPECT_EQ(alice().versions(id).at(1).at("OwnerName"), "Bob Brown");
  as("bob", {{"op", "rename"}, {"path", "Work/a.txt"}, {"name", "z.md"}});
  EXPECT_EQ(alice().id("z.md", work()), id);
  as("bob", {{"op", "promote"}, {"path", "Work/z.md"}, {"version", id}});
  EXPECT_EQ(server_->admin("GET", "content?path=Work/z.md"), "alpha");
  as("bob", {{"op", "put"}, {"path", "Work/New/deep.txt"}, {"size", 1000}});
  EXPECT_EQ(alice().item("deep.txt", alice().id("New", work())).at("CurrentVersionSize"), 1000);
  as("bob", {{"op", "delete"}, {"path", "Work/z.md"}});
  EXPECT_TRUE(alice().item("z.md", work()).is_null());
  as("alice", {{"op", "purge"}, {"id", id}});
  EXPECT_EQ(alice().data("RetrieveArchivedDocuments").at("TotalDocuments"), "0");
  for (const json& bad : {json{{"op", "fly"}}, json{{"op", "delete"}, {"path", "nowhere"}},
                          json{{"op", "mkdir"}, {"path", "Work"}}}) {
    EXPECT_THROW(as("alice", bad), std::runtime_error) << bad;
  }
  EXPECT_THROW(set({{"no_such_setting", 1}}), std::runtime_error);
  EXPECT_THROW(set({{"same_name", "shrug"}}), std::runtime_error);
  EXPECT_EQ(admin("GET", "settings").at("same_name"), "new_document");
}

TEST_F(KenestoChange, TheTreeShowsEverything) {
  start();
  as("alice", {{"op", "lock"}, {"path", "Work/a.txt"}});
  json found;
  const json tree = admin("GET", "tree");
  for (const json& node : tree.at("nodes")) {
    if (node.at("path") == "Work/a.txt") found = node;
  }
  ASSERT_FALSE(found.is_null());
  EXPECT_EQ(found.at("md5"), "2c1743a391305fbf367df8e4f069f9f9");
  EXPECT_EQ(found.at("lock_user"), "alice@example.com");
  EXPECT_EQ(found.at("owner"), "alice@example.com");
  EXPECT_EQ(found.at("versions").size(), 1U);
  EXPECT_EQ(found.at("type"), "f");
}

TEST_F(KenestoChange, EverythingOutlivesTheServer) {
  start({{"set_current", "pointer"}}, true);
  make_vault();
  const std::string id = document();
  const std::string session = alice().token;
  ASSERT_FALSE(failed(alice().call("CheckOut", {{"did", id}})));
  ASSERT_FALSE(failed(alice().upload("a.txt", "second", {{"bid", id}})));
  ASSERT_FALSE(failed(alice().call_post("SetCurrentFileVersion", {{"fileId", id}})));
  ASSERT_FALSE(
      failed(alice().call("DeleteAsset", {{"aid", alice().id("note.txt")}, {"fc", "GENERAL"}})));
  ASSERT_FALSE(failed(alice().call_post("CreateDocumentSequenceNumber",
                                        {{"sequenceName", "S"}, {"sequenceNumber", 7}})));
  const std::string large(std::size_t{20} << 20, 'y');
  const std::string url =
      alice().data("UploadFile", {{"p", "large"}, {"fid", work()}}).at("AccessUrl");
  ASSERT_EQ(KenestoClient::put(url, large).status, 200);
  const json before = admin("GET", "tree");
  start(nullptr, true);
  const KenestoClient old(server_->url(), session);
  EXPECT_EQ(old.id("a.txt", old.id("Work")), id) << "the session goes on";
  EXPECT_EQ(old.versions(id).size(), 2U);
  EXPECT_EQ(old.item("a.txt", old.id("Work")).at("ChceckedOutBy"), "Alice Adams");
  EXPECT_EQ(old.data("RetrieveArchivedDocuments").at("TotalDocuments"), "1");
  EXPECT_EQ(old.data("GetNextDocumentSequenceValue", {{"sn", "S"}}), "7");
  EXPECT_EQ(bob().list().size(), 1U) << "so do the shares";
  ASSERT_FALSE(failed(old.call("UploadFileCompleted", {{"u", url}})));
  EXPECT_TRUE(old.read(old.id("large", old.id("Work"))) == large);
  EXPECT_EQ(before.at("nodes").size() + 1, admin("GET", "tree").at("nodes").size());
}

}  // namespace
}  // namespace cabinetfs::sandbox
