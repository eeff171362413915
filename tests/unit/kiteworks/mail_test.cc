// Mail: what is sent in which order, and what stays when it goes wrong.

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/unit/kiteworks/client_fixture.h"

namespace cabinetfs {
namespace {

class KiteworksMail : public KiteworksClient {
 protected:
  static Mail with_text() {
    Mail mail;
    mail.to = {"bob@example.com", "eve@example.com"};
    mail.cc = {"carol@example.com"};
    mail.bcc = {"dan@example.com"};
    mail.subject = "Numbers";
    mail.body = "Here they are.";
    return mail;
  }
  static Mail::Attachment file(const std::string& name, std::uint64_t size) {
    return {name, size, [](std::uint64_t, MutableBytes out) {
              std::fill(out.begin(), out.end(), std::byte{'x'});
              return true;
            }};
  }
  // Attaching a file of 1,500 bytes: the server takes chunks of 1,000.
  void answer_attachment(const std::string& id) {
    http_.answer("POST /rest/mail/m1/actions/initiateUpload?returnEntity=true", 201,
                 R"({"id": 7, "uri": "n1/rest/uploads/7"})");
    http_.answer("POST /n1/rest/uploads/7", 200, R"({"id": 7, "uploadedChunks": 1})");
    http_.answer("POST /n1/rest/uploads/7", 201, R"({"id": ")" + id + R"("})");
  }
  static nlohmann::json body_of(const ScriptedHttp::Seen& seen) {
    return nlohmann::json::parse(seen.body);
  }
};

TEST_F(KiteworksMail, TextGoesOutAtOnce) {
  http_.answer("POST /rest/mail/actions/sendFile?returnEntity=true", 201, R"({"id": "m1"})");
  ASSERT_TRUE(store_->send_mail(soon(), with_text()));
  const auto seen = http_.take_seen();
  EXPECT_FALSE(seen[0].idempotent);
  const auto body = body_of(seen[0]);
  EXPECT_EQ(body.at("to"), (std::vector<std::string>{"bob@example.com", "eve@example.com"}));
  EXPECT_EQ(body.at("cc"), (std::vector<std::string>{"carol@example.com"}));
  EXPECT_EQ(body.at("bcc"), (std::vector<std::string>{"dan@example.com"}));
  EXPECT_EQ(body.at("subject"), "Numbers");
  EXPECT_EQ(body.at("body"), "Here they are.");
  EXPECT_EQ(body.at("draft"), "false");
  EXPECT_EQ(body.at("secureBody"), "false");
}

TEST_F(KiteworksMail, FilesAreAttachedToADraftThatIsThenSent) {
  Mail mail = with_text();
  mail.attachments = {file("a.bin", 1500)};
  http_.answer("POST /rest/mail/actions/sendFile", 201, R"({"id": "m1"})");
  answer_attachment("f1");
  http_.answer("PUT /rest/mail/m1/actions/sendFile?returnEntity=true", 200, "{}");
  const auto sent = store_->send_mail(soon(), mail);
  ASSERT_TRUE(sent) << to_string(sent.error());
  const auto seen = http_.take_seen();
  ASSERT_EQ(seen.size(), 5u);
  EXPECT_EQ(body_of(seen[0]).at("draft"), "true");
  const auto opened = body_of(seen[1]);
  EXPECT_EQ(opened.at("filename"), "a.bin");
  EXPECT_EQ(opened.at("totalSize"), 1500);
  EXPECT_EQ(opened.at("totalChunks"), 2);
  const auto last = body_of(seen[4]);
  EXPECT_EQ(last.at("files"), (std::vector<std::string>{"f1"}));
  EXPECT_EQ(last.at("draft"), "false");
  EXPECT_EQ(last.at("uploading"), 0);
}

TEST_F(KiteworksMail, ADraftStaysOneWithItsFiles) {
  Mail mail;
  mail.subject = "later";
  mail.draft = true;
  mail.attachments = {file("a.bin", 1500)};
  http_.answer("POST /rest/mail/actions/sendFile", 201, R"({"id": "m1"})");
  answer_attachment("f1");
  http_.answer("PUT /rest/mail/m1/actions/sendFile", 200, "{}");
  ASSERT_TRUE(store_->send_mail(soon(), mail)) << "a draft needs nobody to send it to";
  const auto seen = http_.take_seen();
  EXPECT_EQ(body_of(seen.front()).at("draft"), "true");
  EXPECT_EQ(body_of(seen.back()).at("draft"), "true");
  mail.attachments.clear();
  http_.answer("POST /rest/mail/actions/sendFile", 201, "");
  ASSERT_TRUE(store_->send_mail(soon(), mail));
  EXPECT_EQ(body_of(http_.take_seen().front()).at("draft"), "true");
}

TEST_F(KiteworksMail, TheIdMayStandInAHeader) {
  Mail mail = with_text();
  mail.attachments = {file("empty", 0)};
  http_.answer("POST /rest/mail/actions/sendFile", 201, "",
               {{"x-accellion-location", "https://content.example.com/rest/mail/m1"}});
  http_.answer("POST /rest/mail/m1/actions/initiateUpload", 201,
               R"({"id": 7, "uri": "n1/rest/uploads/7"})");
  http_.answer("POST /n1/rest/uploads/7", 201, "",
               {{"x-kiteworks-location", "https://content.example.com/rest/files/f9"}});
  http_.answer("PUT /rest/mail/m1/actions/sendFile", 200, "{}");
  ASSERT_TRUE(store_->send_mail(soon(), mail));
  EXPECT_EQ(body_of(http_.take_seen().back()).at("files"), (std::vector<std::string>{"f9"}));
}

TEST_F(KiteworksMail, AnAttachmentThatFailsLeavesNothingBehind) {
  Mail mail = with_text();
  mail.attachments = {file("a.bin", 1500)};
  http_.answer("POST /rest/mail/actions/sendFile", 201, R"({"id": "m1"})");
  http_.answer("POST /rest/mail/m1/actions/initiateUpload", 201,
               R"({"id": 7, "uri": "n1/rest/uploads/7"})");
  http_.lose("POST /n1/rest/uploads/7", ErrorCode::kTimeout);
  http_.answer("DELETE /rest/mail/m1", 204, "");
  const auto lost = store_->send_mail(soon(), mail);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorCode::kTimeout);
  EXPECT_NE(lost.error().context.find("nothing was sent"), std::string::npos)
      << lost.error().context;
}

TEST_F(KiteworksMail, ALostAnswerToTheLastRequestMayMeanSent) {
  Mail mail = with_text();
  http_.lose("POST /rest/mail/actions/sendFile", ErrorCode::kUnavailable);
  const auto at_once = store_->send_mail(soon(), mail);
  ASSERT_FALSE(at_once);
  EXPECT_EQ(at_once.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(at_once.error().context.find("may have been sent"), std::string::npos);

  mail.attachments = {file("a.bin", 1500)};
  http_.answer("POST /rest/mail/actions/sendFile", 201, R"({"id": "m1"})");
  answer_attachment("f1");
  http_.lose("PUT /rest/mail/m1/actions/sendFile", ErrorCode::kUnavailable);
  const auto with_file = store_->send_mail(soon(), mail);
  ASSERT_FALSE(with_file);
  EXPECT_NE(with_file.error().context.find("may have been sent"), std::string::npos)
      << "and the draft is not removed: it may be the mail that went out";

  // Refused is refused.
  http_.answer("POST /rest/mail/actions/sendFile", 201, R"({"id": "m1"})");
  answer_attachment("f1");
  http_.answer("PUT /rest/mail/m1/actions/sendFile", 403,
               R"({"errors":[{"code":"ERR_ACCESS_USER"}]})");
  http_.answer("DELETE /rest/mail/m1", 204, "");
  EXPECT_EQ(store_->send_mail(soon(), mail).error().code, ErrorCode::kDenied);
}

}  // namespace
}  // namespace cabinetfs
