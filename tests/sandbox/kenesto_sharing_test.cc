#include "tests/sandbox/kenesto_test.h"

// Permissions and how they are enforced; sequences.

namespace cabinetfs::sandbox {
namespace {

using nlohmann::json;

class KenestoSharing : public KenestoTest {
 protected:
  std::string work() const { return alice().id("Work"); }
  std::string document() const { return alice().id("a.txt", work()); }

  static json permission(const std::string& level, const json& more = json::object()) {
    json out = {{"ParticipantUniqueID", "bob@example.com"},
                {"FamilyCode", "PARTICIPANT_USER"},
                {"ForUpdate", false},
                {"PermissionTypeValue", level}};
    out.update(more);
    return out;
  }
  json share_folder(const std::string& level, const json& more = json::object()) const {
    return alice().call_post(
        "ShareFolder",
        {{"folder",
          {{"ID", work()}, {"UsersPermissions", json::array({permission(level, more)})}}}});
  }
  json share_document(const KenestoClient& who, const std::string& id, const json& entry) const {
    return who.call_post("ShareDocument",
                         {{"asset", {{"ID", id}, {"UsersPermissions", json::array({entry})}}}});
  }
  std::string bob_id() const {
    const json all = admin("GET", "organizations");
    for (const json& organization : all.at("organizations")) {
      for (const json& user : organization.at("users")) {
        if (user.at("email") == "bob@example.com") return user.at("id");
      }
    }
    return {};
  }
};

TEST_F(KenestoSharing, EachLevelAllowsMore) {
  start();
  const std::string id = document();
  const auto can_see = [&] { return !failed(bob().call("RetrieveFileVersions", {{"fid", id}})); };
  const auto can_read = [&] { return !failed(bob().call("DownloadFile", {{"fid", id}})); };
  const auto can_write = [&] {
    return !failed(bob().call("UploadFile", {{"p", "a.txt"}, {"bid", id}}));
  };
  const auto can_add = [&] {
    return !failed(bob().call("UploadFile", {{"p", "n.txt"}, {"fid", work()}}));
  };
  EXPECT_FALSE(can_see());
  ASSERT_FALSE(failed(share_folder("VIEW_ONLY")));
  EXPECT_TRUE(can_see());
  EXPECT_FALSE(can_read());
  EXPECT_FALSE(can_write());
  ASSERT_FALSE(failed(share_folder("ALLOW_DOWNLOAD", {{"ForUpdate", true}})));
  EXPECT_TRUE(can_read());
  EXPECT_FALSE(can_write());
  EXPECT_FALSE(can_add());
  ASSERT_FALSE(failed(share_folder("ALLOW_UPDATE_VERSIONS", {{"ForUpdate", true}})));
  EXPECT_TRUE(can_write());
  EXPECT_FALSE(can_add()) << "that is another permission";
  EXPECT_TRUE(failed(bob().call("CreateFolder", {{"fn", "n"}, {"pid", work()}})));
  ASSERT_FALSE(failed(share_folder("ALLOW_UPDATE_VERSIONS", {{"AllowUpload", true}})));
  EXPECT_TRUE(can_add());
  EXPECT_FALSE(failed(bob().call("CreateFolder", {{"fn", "n"}, {"pid", work()}})));
  EXPECT_TRUE(failed(bob().call("DeleteAsset", {{"aid", id}, {"fc", "GENERAL"}})));
  EXPECT_TRUE(failed(bob().call("UpdateAssetName", {{"did", id}, {"dn", "x"}})));
  EXPECT_TRUE(failed(bob().call("EditFolder", {{"fid", work()}, {"fn", "x"}})));
  EXPECT_TRUE(failed(bob().call("DeleteFolder", {{"fid", work()}})));
  set({{"rename_by", "update"}});
  EXPECT_FALSE(failed(bob().call("UpdateAssetName", {{"did", id}, {"dn", "x"}})));
  ASSERT_FALSE(failed(share_folder("NONE", {{"ForUpdate", true}})));
  EXPECT_FALSE(can_see());
  EXPECT_TRUE(bob().list().empty());
}

TEST_F(KenestoSharing, WhatIsSharedMayBeSharedOnOnlyIfThatWasSaid) {
  start();
  admin("POST", "as",
        {{"op", "share"},
         {"path", "Work"},
         {"with", "bob@example.com"},
         {"level", "ALLOW_DOWNLOAD"}});
  json entry = permission("VIEW_ONLY");
  entry["ParticipantUniqueID"] = "out@side.example";
  entry["FamilyCode"] = "EXTERNAL_USER";
  EXPECT_TRUE(failed(share_document(bob(), document(), entry)));
  ASSERT_FALSE(failed(share_folder("ALLOW_DOWNLOAD", {{"AllowShare", "true"}})));
  EXPECT_FALSE(failed(share_document(bob(), document(), entry)));
  entry["PermissionTypeValue"] = "ALLOW_UPDATE_VERSIONS";
  EXPECT_TRUE(failed(share_document(bob(), document(), entry))) << "more than he has";
}

TEST_F(KenestoSharing, EntriesAreChecked) {
  start();
  const std::string id = document();
  for (const json& wrong :
       {json{{"ForUpdate", nullptr}}, json{{"PermissionTypeValue", "EVERYTHING"}},
        json{{"FamilyCode", "GROUP"}}, json{{"ParticipantUniqueID", "nobody@example.com"}},
        json{{"ParticipantUniqueID", "carol@partner.example"}},
        json{{"FamilyCode", "EXTERNAL_USER"}},
        json{{"ParticipantUniqueID", "alice@example.com"}}}) {
    EXPECT_TRUE(failed(share_document(alice(), id, permission("VIEW_ONLY", wrong)))) << wrong;
  }
  EXPECT_TRUE(failed(alice().call_post("ShareDocument", {{"asset", {{"ID", id}}}})));
  EXPECT_TRUE(failed(alice().call_post("ShareDocument", json::object())));
  EXPECT_TRUE(bob().list().empty()) << "nothing of it was done";
  set({{"for_update", "strict"}, {"require_uid", true}});
  EXPECT_TRUE(failed(share_document(alice(), id, permission("VIEW_ONLY")))) << "no uid";
  set({{"require_uid", false}});
  EXPECT_TRUE(failed(share_document(alice(), id, permission("VIEW_ONLY", {{"ForUpdate", true}}))));
  EXPECT_FALSE(failed(share_document(alice(), id, permission("VIEW_ONLY"))));
  EXPECT_TRUE(failed(share_document(alice(), id, permission("ALLOW_DOWNLOAD"))));
  EXPECT_FALSE(failed(share_document(alice(), id, permission("NONE", {{"ForUpdate", true}}))));
  EXPECT_TRUE(bob().list().empty());
}

TEST_F(KenestoSharing, SeveralThingsAreSharedAtOnce) {
  start();
  const json items = {{{"Id", alice().id("note.txt")}, {"Type", "Document"}},
                      {{"Id", work()}, {"Type", "Folder"}}};
  const auto body = [&](const json& of) {
    return json{
        {"shareObject",
         {{"Items", of},
          {"UsersPermissions", json::array({permission("VIEW_ONLY", {{"AllowUpload", true}})})}}}};
  };
  json bad = items;
  bad.push_back({{"Id", work()}, {"Type", "Document"}});
  EXPECT_TRUE(failed(alice().call_post("MultiSelectShare", body(bad))));
  EXPECT_TRUE(bob().list().empty());
  ASSERT_FALSE(failed(alice().call_post("MultiSelectShare", body(items))));
  EXPECT_EQ(bob().list().size(), 2U);
}

TEST_F(KenestoSharing, EffectivePermissionsAreTextForSomebodyWhoseIdIsKnown) {
  start();
  const std::string id = document();
  const auto of = [&](const std::string& who, const std::string& object,
                      const std::string& family) {
    return alice().data("GetParticipantPermissionsForObject",
                        {{"oid", object}, {"ofc", family}, {"pid", who}});
  };
  ASSERT_FALSE(failed(share_folder("ALLOW_DOWNLOAD", {{"AllowShare", true}})));
  const json bobs = of(bob_id(), id, "GENERAL");
  EXPECT_EQ(bobs.at("ALLOW_OWNER"), "False");
  EXPECT_EQ(bobs.at("ALLOW_VIEW"), "True");
  EXPECT_EQ(bobs.at("ALLOW_DOWNLOAD"), "True");
  EXPECT_EQ(bobs.at("ALLOW_UPDATE_VERSIONS"), "False");
  EXPECT_EQ(bobs.at("ALLOW_SHARE_F"), "True");
  EXPECT_EQ(bobs.at("ALLOW_UPLOAD_F"), "False");
  EXPECT_EQ(bobs.at("SHARE_EXPDATE"), "31/12/2099 00:00:00");
  const std::string own = alice().versions(id).at(0).at("OwnerId");
  EXPECT_EQ(of(own, work(), "BASE_FOLDER").at("ALLOW_OWNER"), "True");
  EXPECT_EQ(of(own, work(), "BASE_FOLDER").at("ALLOW_UPLOAD_F"), "True");
  EXPECT_TRUE(failed(alice().call("GetParticipantPermissionsForObject",
                                  {{"oid", work()}, {"ofc", "FOLDER"}, {"pid", own}})));
  EXPECT_EQ(alice()
                .get("GetParticipantPermissionsForObject",
                     {{"oid", id}, {"ofc", "GENERAL"}, {"pid", "bob@example.com"}})
                .status,
            400);
  set({{"participant_email", true}});
  EXPECT_EQ(of("bob@example.com", id, "GENERAL").at("ALLOW_VIEW"), "True");
}

TEST_F(KenestoSharing, ObjectInfoTellsTheCallersOwnRights) {
  start();
  ASSERT_FALSE(failed(share_folder("ALLOW_DOWNLOAD", {{"AllowUpload", true}})));
  const json folder = bob().data("RetrieveObjectInfo", {{"oi", work()}, {"fc", "FOLDER"}});
  EXPECT_EQ(folder.at("Name"), "Work");
  EXPECT_TRUE(folder.at("ObjectPermissions").at("AllowUpload"));
  EXPECT_FALSE(folder.at("ObjectPermissions").at("IsOwnedByRequestor"));
  const json file = bob().data("RetrieveObjectInfo", {{"oi", document()}, {"fc", "GENERAL"}});
  const json& may = file.at("ObjectPermissions");
  EXPECT_TRUE(may.at("AllowView"));
  EXPECT_TRUE(may.at("AllowDownload"));
  EXPECT_FALSE(may.at("AllowUpdateVersions"));
  EXPECT_FALSE(may.at("AllowUpload"));
  EXPECT_FALSE(may.at("AllowDelete"));
  EXPECT_FALSE(may.at("AllowCheckout")) << "not a vault";
  EXPECT_TRUE(alice()
                  .data("RetrieveObjectInfo", {{"oi", document()}, {"fc", "GENERAL"}})
                  .at("ObjectPermissions")
                  .at("AllowDelete"));
}

class KenestoSequences : public KenestoTest {
 protected:
  json next(const KenestoClient::Args& more = {}) const {
    KenestoClient::Args args = {{"sn", "Seq"}};
    args.insert(args.end(), more.begin(), more.end());
    return alice().call("GetNextDocumentSequenceValue", args);
  }
  json create(const json& number = "10") const {
    return alice().call_post(
        "CreateDocumentSequenceNumber",
        {{"sequenceName", "Seq"}, {"sequencePrefix", "TEST_"}, {"sequenceNumber", number}});
  }
};

TEST_F(KenestoSequences, CountUpAndHaveACurrentValueOnlyOnceUsed) {
  start();
  EXPECT_TRUE(failed(next()));
  ASSERT_FALSE(failed(create()));
  EXPECT_TRUE(failed(create(11))) << "the name is taken";
  EXPECT_TRUE(failed(alice().call("GetCurrentDocumentSequenceNumber", {{"sn", "Seq"}})));
  EXPECT_EQ(next().at("ResponseData"), "TEST_10");
  EXPECT_EQ(next().at("ResponseData"), "TEST_11");
  EXPECT_EQ(alice().data("GetCurrentDocumentSequenceNumber", {{"sn", "Seq"}}), "11");
  EXPECT_EQ(bob().data("GetNextDocumentSequenceValue", {{"sn", "seq"}}), "TEST_12")
      << "one for the whole organization";
  EXPECT_EQ(admin("GET", "mutations").at("GetNextDocumentSequenceValue").at("Seq").at("effects"),
            2);
}

TEST_F(KenestoSequences, ALockHoldsUntilItIsReleased) {
  start();
  ASSERT_FALSE(failed(create(10)));
  EXPECT_EQ(next({{"lock", "true"}}).at("ResponseData"), "TEST_10");
  EXPECT_TRUE(failed(next()));
  EXPECT_TRUE(failed(bob().call("GetNextDocumentSequenceValue", {{"sn", "Seq"}})));
  const auto meta = [&] {
    return alice()
        .data("GetAllDocumentSequencesInfo")
        .at("RESULTS")
        .at("Object 0")
        .at("DOCUMENT_SEQ_META");
  };
  EXPECT_EQ(meta().at("IS_LOCKED"), "True");
  ASSERT_FALSE(failed(alice().call_post("ReleaseDocumentSequence", {{"sequenceName", "Seq"}})));
  EXPECT_EQ(meta().at("IS_LOCKED"), "False");
  EXPECT_EQ(next().at("ResponseData"), "TEST_11");
  ASSERT_FALSE(
      failed(alice().call_post("ReleaseDocumentSequence", {{"sequenceName", "Seq"},
                                                           {"replacementSequencePrefix", "B-"},
                                                           {"replacementSequenceNumber", "50"}})));
  EXPECT_EQ(next().at("ResponseData"), "B-50");
}

TEST_F(KenestoSequences, AReplacementIsForTheCallAfter) {
  start();
  ASSERT_FALSE(failed(create()));
  EXPECT_EQ(next({{"rp", "X"}, {"rn", "70"}}).at("ResponseData"), "TEST_10");
  EXPECT_EQ(next().at("ResponseData"), "X70");
  EXPECT_TRUE(failed(next({{"rn", "many"}})));
  EXPECT_EQ(next().at("ResponseData"), "X71") << "a refused call burns no number";
}

TEST_F(KenestoSequences, AreListedAsAMapAndRemoved) {
  start();
  EXPECT_TRUE(alice().data("GetAllDocumentSequencesInfo").at("RESULTS").empty());
  ASSERT_FALSE(failed(create()));
  ASSERT_FALSE(failed(alice().call_post("CreateDocumentSequenceNumber",
                                        {{"sequenceName", "Two"}, {"sequenceNumber", 1}})));
  const json all = alice().data("GetAllDocumentSequencesInfo");
  EXPECT_EQ(all.at("RESULTS").size(), 2U);
  EXPECT_EQ(all.at("RESULTS").at("Object 1").at("DOCUMENT_SEQ_META").at("NAME"), "Two");
  EXPECT_EQ(all.at("INFO").at("TOTAL_PAGES"), 1);
  EXPECT_EQ(admin("GET", "sequences").at("sequences").size(), 2U);
  EXPECT_TRUE(failed(alice().call_post("RemoveDocumentSequence", {{"sn", "Three"}})));
  EXPECT_FALSE(failed(alice().call_post("RemoveDocumentSequence", {{"sn", "Seq"}})));
  EXPECT_FALSE(failed(alice().call_post("RemoveDocumentSequence", "Two"))) << "bare text";
  EXPECT_TRUE(failed(next()));
}

}  // namespace
}  // namespace cabinetfs::sandbox
