// Versions, locks, permissions, history and sequences.

#include <nlohmann/json.hpp>

#include "tests/unit/kenesto/scripted_kenesto.h"

namespace cabinetfs {
namespace {

using nlohmann::json;

constexpr const char* kPerson = "be3a3293-bc0a-a046-bbcd-704bfb088a2f";

class KenestoVault : public KenestoClient {
 protected:
  void SetUp() override {
    KenestoClient::SetUp();
    free_.vault = ours_.vault = theirs_.vault = true;
    ours_.holder = "Me Myself";
    theirs_.holder = "Joe Engineer";
    listed({free_});
  }
  std::string body_of(const std::string& call) {
    for (const auto& seen : http_.take_seen()) {
      if (seen.line.find(" " + call + "?") != std::string::npos) return seen.body;
    }
    return "no " + call;
  }
  const RemoteId doc_{kDoc};
  ItemJson free_, ours_, theirs_;
};

TEST_F(KenestoVault, ACheckOutIsConfirmedByTheListing) {
  expect_list(kFolder, {free_});
  http_.ok("GET CheckOut?t=tok%2B1&did=" + std::string(kDoc));
  expect_list(kFolder, {ours_});
  const auto locked = store_->lock(soon(), doc_);
  ASSERT_TRUE(locked) << to_string(locked.error());
  EXPECT_EQ(locked->lock, LockState::kHeldByUs);
  expect_list(kFolder, {ours_});
  EXPECT_TRUE(store_->lock(soon(), doc_)) << "ours already";
  expect_list(kFolder, {ours_});
  http_.ok("POST CheckIn?t=tok%2B1");
  expect_list(kFolder, {free_});
  const auto unlocked = store_->unlock(soon(), doc_, "a \"comment\"");
  ASSERT_TRUE(unlocked);
  EXPECT_EQ(unlocked->lock, LockState::kFree);
  const json body = json::parse(body_of("CheckIn"));
  EXPECT_EQ(body, (json{{"asset", {{"ID", kDoc}, {"Comment", "a \"comment\""}}}}));
}

TEST_F(KenestoVault, ALostAnswerIsDecidedByTheListing) {
  expect_list(kFolder, {free_});
  http_.lose("GET CheckOut?");
  expect_list(kFolder, {ours_});
  EXPECT_TRUE(store_->lock(soon(), doc_));
  expect_list(kFolder, {ours_});
  http_.lose("POST CheckIn?");
  expect_list(kFolder, {ours_});
  EXPECT_EQ(code(store_->unlock(soon(), doc_, "")), ErrorCode::kUnavailable);
}

TEST_F(KenestoVault, AnothersCheckOutIsRespected) {
  expect_list(kFolder, {theirs_});
  EXPECT_EQ(code(store_->lock(soon(), doc_)), ErrorCode::kBusy);
  expect_list(kFolder, {theirs_});
  EXPECT_EQ(code(store_->unlock(soon(), doc_, "")), ErrorCode::kBusy);
  expect_list(kFolder, {theirs_});
  EXPECT_EQ(code(store_->put(soon(), {doc_, {}, "a.txt", {}, {}}, as_bytes("x"))),
            ErrorCode::kBusy);
  expect_list(kFolder, {theirs_});
  EXPECT_EQ(code(store_->remove(soon(), NodeKind::kFile, doc_)), ErrorCode::kBusy);
  // Somebody was faster.
  expect_list(kFolder, {free_});
  http_.failed("GET CheckOut?", "already checked out");
  expect_list(kFolder, {theirs_});
  EXPECT_EQ(code(store_->lock(soon(), doc_)), ErrorCode::kBusy);
}

TEST_F(KenestoVault, ADocumentInAVaultIsNotWrittenWithoutACheckOut) {
  expect_list(kFolder, {free_});
  EXPECT_EQ(code(store_->put(soon(), {doc_, {}, "a.txt", {}, {}}, as_bytes("x"))),
            ErrorCode::kBusy);
}

TEST_F(KenestoVault, ACheckOutThatSomebodyTookOverIsNotOurs) {
  ItemJson held = free_;
  held.holder = "M. M.";  // as the server calls us, and nothing else tells
  expect_list(kFolder, {free_});
  http_.ok("GET CheckOut?");
  expect_list(kFolder, {held});
  ASSERT_TRUE(store_->lock(soon(), doc_));
  expect_list(kFolder, {held});
  EXPECT_EQ(store_->stat(soon(), NodeKind::kFile, doc_)->lock, LockState::kHeldByUs);
  for (const ItemJson& item : {theirs_, held}) {
    expect_list(kFolder, {item});
    EXPECT_EQ(code(store_->put(soon(), {doc_, {}, "a.txt", {}, {}}, as_bytes("x"))),
              ErrorCode::kBusy)
        << item.holder << ": once it was another's, who knows whose it is now";
  }
}

TEST_F(KenestoVault, OutsideVaultsThereAreNoLocks) {
  free_.vault = false;
  expect_list(kFolder, {free_});
  EXPECT_EQ(code(store_->lock(soon(), doc_)), ErrorCode::kNotSupported);
}

TEST_F(KenestoVault, ADiscardFallsBackToACheckIn) {
  expect_list(kFolder, {theirs_});
  http_.ok("GET DiscardCheckOut?t=tok%2B1&did=" + std::string(kDoc));
  expect_list(kFolder, {free_});
  EXPECT_TRUE(store_->discard_lock(soon(), doc_));
  expect_list(kFolder, {ours_});
  http_.failed("GET DiscardCheckOut?", "only by owner");
  expect_list(kFolder, {ours_});
  expect_list(kFolder, {ours_});
  http_.ok("POST CheckIn?");
  expect_list(kFolder, {free_});
  EXPECT_TRUE(store_->discard_lock(soon(), doc_));
}

TEST_F(KenestoVault, SeveralGoInOneRequestAndTheListingSaysWhichCame) {
  ItemJson second = free_, third = free_;
  second.id = kDoc2;
  third.id = kVersion3;
  third.vault = false;
  const std::vector<RemoteId> files = {doc_, RemoteId{kDoc2}, RemoteId{kVersion3},
                                       RemoteId{kVersion2}};
  listed({free_, second, third});
  expect_list(kFolder, {free_, second, third});
  // The fourth is nowhere: searched for.
  expect_list(kRoot, {folder_json()});
  expect_list(kFolder, {free_, second, third});
  http_.failed("POST CheckOutMultiple?t=tok%2B1", "one of them failed");
  second.holder = "Joe Engineer";
  expect_list(kFolder, {ours_, second, third});
  const auto results = store_->lock_files(soon(), files);
  ASSERT_EQ(results.size(), 4u);
  EXPECT_TRUE(results[0]);
  EXPECT_EQ(code(results[1]), ErrorCode::kBusy);
  EXPECT_EQ(code(results[2]), ErrorCode::kNotSupported);
  EXPECT_EQ(code(results[3]), ErrorCode::kNotFound);
  EXPECT_EQ(json::parse(body_of("CheckOutMultiple")), (json{{"documentIds", {kDoc, kDoc2}}}));

  second.holder = "Me Myself";
  expect_list(kFolder, {ours_, second});
  http_.ok("POST CheckInMultiple?");
  second.holder = "";
  expect_list(kFolder, {free_, second});
  const auto back = store_->unlock_files(soon(), {doc_, RemoteId{kDoc2}}, "done");
  EXPECT_TRUE(back[0] && back[1]);
  EXPECT_EQ(json::parse(body_of("CheckInMultiple")),
            (json{{"documentIds", {kDoc, kDoc2}}, {"asset", {{"Comment", "done"}}}}));
}

TEST_F(KenestoClient, VersionsComeNewestFirst) {
  listed({ItemJson()});
  http_.ok(versions_call(kDoc),
           versions_json({{kDoc, 1, false}, {kVersion2, 2, false}, {kVersion3, 3, true}}));
  const auto versions = store_->versions(soon(), RemoteId{kDoc});
  ASSERT_TRUE(versions);
  ASSERT_EQ(versions->size(), 3u);
  EXPECT_EQ((*versions)[0].id.value, kVersion3);
  EXPECT_EQ((*versions)[0].number, 3u);
  EXPECT_TRUE((*versions)[0].current);
  EXPECT_EQ((*versions)[2].number, 1u);
}

TEST_F(KenestoClient, PromotingIsSentOnceAndLookedUp) {
  listed({ItemJson()});
  const std::string before = versions_json({{kDoc, 1, false}, {kVersion2, 5, true}});
  const std::string after = versions_json({{kDoc, 1, true}, {kVersion2, 5, false}});
  ItemJson promoted;
  promoted.size = 1;
  for (const bool lost : {false, true}) {
    expect_list(kFolder, {ItemJson()});
    http_.ok(versions_call(kDoc), before);
    if (lost) {
      http_.lose("POST SetCurrentFileVersion?");
      http_.ok(versions_call(kDoc), after);
    } else {
      http_.ok("POST SetCurrentFileVersion?t=tok%2B1");
    }
    expect_list(kFolder, {promoted});
    const auto entry = store_->promote(soon(), RemoteId{kDoc}, VersionId{kDoc});
    ASSERT_TRUE(entry) << to_string(entry.error());
    EXPECT_EQ(entry->size, 1u);
  }
  expect_list(kFolder, {ItemJson()});
  http_.ok(versions_call(kDoc), before);
  EXPECT_EQ(code(store_->promote(soon(), RemoteId{kDoc}, VersionId{kVersion3})),
            ErrorCode::kNotFound);
}

TEST_F(KenestoClient, ADocumentIsSharedAsTheVendorSpellsIt) {
  listed({ItemJson()});
  http_.ok("POST ShareDocument?t=tok%2B1");
  ASSERT_TRUE(store_->share(soon(), NodeKind::kFile, RemoteId{kDoc}, "lisa@example.com",
                            AccessLevel::kManage));
  const auto permission = [](const std::string& type, bool share, bool upload, bool update,
                             const std::string& who = "lisa@example.com",
                             const std::string& family = "PARTICIPANT_USER") {
    return json{{"ParticipantUniqueID", who},  {"FamilyCode", family}, {"ForUpdate", update},
                {"PermissionTypeValue", type}, {"AllowShare", share},  {"AllowUpload", upload}};
  };
  EXPECT_EQ(json::parse(http_.take_seen().at(0).body),
            (json{{"asset",
                   {{"ID", kDoc},
                    {"UsersPermissions",
                     json::array({permission("ALLOW_UPDATE_VERSIONS", true, false, false)})}}}}));
  // Known by now: changed first.
  http_.ok("POST ShareDocument?");
  ASSERT_TRUE(store_->share(soon(), NodeKind::kFile, RemoteId{kDoc}, "lisa@example.com",
                            AccessLevel::kRead));
  EXPECT_EQ(json::parse(http_.take_seen().at(0).body)["asset"]["UsersPermissions"][0],
            permission("ALLOW_DOWNLOAD", false, false, true));
  http_.ok("POST ShareDocument?");
  ASSERT_TRUE(store_->unshare(soon(), NodeKind::kFile, RemoteId{kDoc}, "lisa@example.com"));
  EXPECT_EQ(json::parse(http_.take_seen().at(0).body)["asset"]["UsersPermissions"][0],
            permission("NONE", false, false, true));
  // A folder, and somebody who turns out to be an outsider with a permission.
  for (int i = 0; i < 3; ++i) http_.failed("POST ShareFolder?", "unknown participant");
  http_.ok("POST ShareFolder?");
  ASSERT_TRUE(store_->share(soon(), NodeKind::kFolder, RemoteId{kFolder}, "x@outside.example",
                            AccessLevel::kWrite));
  const auto seen = http_.take_seen();
  ASSERT_EQ(seen.size(), 4u);
  EXPECT_EQ(
      json::parse(seen.back().body)["folder"]["UsersPermissions"][0],
      permission("ALLOW_UPDATE_VERSIONS", false, true, true, "x@outside.example", "EXTERNAL_USER"));
}

TEST_F(KenestoClient, AStrangerOfTheOwnDomainIsNotInvitedFromOutside) {
  listed({ItemJson()});
  for (int i = 0; i < 2; ++i) http_.failed("POST ShareDocument?", "unknown participant");
  expect_list(kFolder, {ItemJson()});
  EXPECT_FALSE(store_->share(soon(), NodeKind::kFile, RemoteId{kDoc}, "typo@example.com",
                             AccessLevel::kRead));
  for (const auto& seen : http_.take_seen()) {
    EXPECT_EQ(seen.body.find("EXTERNAL_USER"), std::string::npos);
  }
  EXPECT_EQ(
      code(store_->share(soon(), NodeKind::kFile, RemoteId{kDoc}, "nobody", AccessLevel::kRead)),
      ErrorCode::kInvalid);
  EXPECT_EQ(
      code(store_->share(soon(), NodeKind::kFile, RemoteId{kDoc}, "a@b", AccessLevel::kOwner)),
      ErrorCode::kNotPermitted);
}

TEST_F(KenestoClient, SeveralAreSharedInOneRequest) {
  listed({ItemJson()});
  const std::vector<RemoteObject> objects = {{NodeKind::kFile, RemoteId{kDoc}},
                                             {NodeKind::kFolder, RemoteId{kSub}}};
  http_.ok("POST MultiSelectShare?t=tok%2B1");
  const auto results =
      store_->share_many(soon(), objects, {"a@example.com", "b@example.com"}, AccessLevel::kView);
  ASSERT_EQ(results.size(), 2u);
  EXPECT_TRUE(results[0] && results[1]);
  const json body = json::parse(http_.take_seen().at(0).body)["shareObject"];
  EXPECT_EQ(body["Items"],
            (json{{{"Id", kDoc}, {"Type", "Document"}}, {{"Id", kSub}, {"Type", "Folder"}}}));
  ASSERT_EQ(body["UsersPermissions"].size(), 2u);
  EXPECT_EQ(body["UsersPermissions"][1]["ParticipantUniqueID"], "b@example.com");
  EXPECT_EQ(body["UsersPermissions"][1]["PermissionTypeValue"], "VIEW_ONLY");
}

TEST_F(KenestoClient, APermissionIsToldByTheIdOfAPerson) {
  listed({ItemJson()});
  http_.ok("GET GetParticipantPermissionsForObject?t=tok%2B1&oid=" + std::string(kDoc) +
               "&ofc=GENERAL&pid=" + kPerson,
           R"({"ALLOW_OWNER":"False","ALLOW_VIEW":"True","ALLOW_DOWNLOAD":"True",
               "ALLOW_UPDATE_VERSIONS":"False","SHARE_EXPDATE":"29/03/2999 00:00:00"})");
  const auto got = store_->permission_of(soon(), NodeKind::kFile, RemoteId{kDoc}, kPerson);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->level, AccessLevel::kRead);
  http_.ok("GET GetParticipantPermissionsForObject?t=tok%2B1&oid=" + std::string(kFolder) +
               "&ofc=BASE_FOLDER",
           R"({"ALLOW_VIEW":"True","SHARE_EXPDATE":"29/03/2018 00:00:00"})");
  EXPECT_EQ(code(store_->permission_of(soon(), NodeKind::kFolder, RemoteId{kFolder}, kPerson)),
            ErrorCode::kNoData)
      << "over";
  EXPECT_EQ(code(store_->permission_of(soon(), NodeKind::kFile, RemoteId{kDoc}, "a@example.com")),
            ErrorCode::kNoData);
}

TEST_F(KenestoClient, SequencesAreAskedForAsWritten) {
  NumberSequences* const sequences = store_->sequences();
  ASSERT_NE(sequences, nullptr);
  http_.ok("POST CreateDocumentSequenceNumber?t=tok%2B1");
  ASSERT_TRUE(sequences->create(soon(), "My \"Seq\"", "TEST_", 10));
  EXPECT_EQ(json::parse(http_.take_seen().at(0).body), (json{{"sequenceName", "My \"Seq\""},
                                                             {"sequencePrefix", "TEST_"},
                                                             {"sequenceNumber", "10"}}));
  http_.ok("GET GetNextDocumentSequenceValue?t=tok%2B1&sn=A%20B&lock=true&rp=P_&rn=7", "\"P_7\"");
  EXPECT_EQ(*sequences->next(soon(), {"A B", true, "P_", 7}), "P_7");
  EXPECT_FALSE(http_.take_seen().at(0).request.idempotent) << "uses a number up";
  http_.lose("GET GetNextDocumentSequenceValue?");
  EXPECT_EQ(code(sequences->next(soon(), {"A", false, "", {}})), ErrorCode::kUnavailable);
  http_.ok("GET GetCurrentDocumentSequenceNumber?t=tok%2B1&sn=A", "\"1\"");
  EXPECT_EQ(*sequences->current(soon(), "A"), "1");
  http_.take_seen();
  http_.ok("POST ReleaseDocumentSequence?");
  ASSERT_TRUE(sequences->release(soon(), {"A", false, "T2_", 50}));
  EXPECT_EQ(json::parse(http_.take_seen().at(0).body), (json{{"sequenceName", "A"},
                                                             {"replacementSequencePrefix", "T2_"},
                                                             {"replacementSequenceNumber", "50"}}));
  http_.ok("POST RemoveDocumentSequence?");
  EXPECT_TRUE(sequences->remove(soon(), "A"));
  EXPECT_EQ(code(sequences->remove(soon(), "")), ErrorCode::kInvalid);
}

}  // namespace
}  // namespace cabinetfs
