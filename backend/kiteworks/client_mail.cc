// KiteworksStore: mail with attachments.

#include <fmt/format.h>

#include <algorithm>

#include "backend/base/log.h"
#include "backend/kiteworks/client.h"
#include "backend/kiteworks/quirks.h"

namespace cabinetfs {

using namespace kiteworks;

namespace {

// For taking a draft away after the caller has given up.
constexpr std::chrono::seconds kCleanUp{10};

bool may_have_happened(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout ||
         code == ErrorCode::kCancelled;
}

// Of what was just made: in the body, or in a header where the server sends no entity.
Result<std::string> made_id(const HttpResponse& response, const char* what) {
  if (Result<std::string> id = parse_id(response.body)) return id;
  for (const char* const name : {"x-accellion-location", "x-kiteworks-location"}) {
    const std::string* const location = response.find(name);
    if (location == nullptr) continue;
    std::string id = id_of_location(*location);
    if (!id.empty()) return id;
  }
  return fail(ErrorCode::kCorrupt, fmt::format("the server does not tell the id of {}", what));
}

}  // namespace

Result<std::string> KiteworksStore::attach(const CallContext& call, const std::string& mail,
                                           const Mail::Attachment& attachment) {
  const std::uint64_t chunk_size = capabilities().chunk_size;
  TRY_ASSIGN(const WireUpload upload,
             open_upload(call, path_of("/rest/mail/", mail, "/actions/initiateUpload"),
                         "POST /rest/mail/{id}/actions/initiateUpload", attachment.name,
                         attachment.size, chunk_size, WallTime(), false));
  TRY_ASSIGN(const std::string path,
             api_.upload_path(upload.uri.empty() ? upload.upload_url : upload.uri));
  std::vector<std::byte> buffer(std::min(chunk_size, attachment.size));
  std::uint64_t offset = 0;
  for (std::uint64_t index = 1;; ++index) {
    const std::uint64_t size = std::min(chunk_size, attachment.size - offset);
    const MutableBytes chunk = MutableBytes(buffer).first(size);
    if (size > 0 && !attachment.read(offset, chunk)) {
      return fail(ErrorCode::kIo, "cannot read the attachment " + attachment.name);
    }
    offset += size;
    const bool last = offset == attachment.size;
    TRY_ASSIGN(const HttpResponse response, send_chunk(call, path, index, last, chunk));
    if (last) return made_id(response, "an attachment");
  }
}

Result<void> KiteworksStore::put_mail(const CallContext& call, const std::string& id,
                                      const std::vector<std::string>& files, bool draft) {
  TRY_ASSIGN(const bool numeric, sent_as_number(call, files.front()));
  ApiRequest request;
  request.method = "PUT";
  request.path = path_of("/rest/mail/", id, "/actions/sendFile");
  request.query = {{"returnEntity", "true"}};
  request.label = "PUT /rest/mail/{id}/actions/sendFile";
  request.about = "id=" + id;
  request.idempotent = false;
  TRY_ASSIGN(request.json, JsonText()
                               .add_ids("files", files, numeric)
                               .add("draft", draft ? "true" : "false")
                               .add("uploading", std::uint64_t{0})
                               .take());
  TRY(api_.send(call, request));
  return {};
}

void KiteworksStore::drop_mail(const std::string& id) {
  ApiRequest drop;
  drop.method = "DELETE";
  drop.path = path_of("/rest/mail/", id);
  drop.label = "DELETE /rest/mail/{id}";
  drop.about = "id=" + id;
  if (const auto dropped = api_.send(CallContext::within(kCleanUp), drop); !dropped) {
    log_info("kiteworks: a draft was left behind: {}", dropped.error().context);
  }
}

Result<void> KiteworksStore::send_mail(const CallContext& call, const Mail& mail) {
  if (!mail.draft && mail.to.empty() && mail.cc.empty() && mail.bcc.empty()) {
    return fail(ErrorCode::kInvalid, "a mail to nobody");
  }
  const bool at_once = mail.attachments.empty() && !mail.draft;
  ApiRequest request;
  request.method = "POST";
  request.path = "/rest/mail/actions/sendFile";
  request.query = {{"returnEntity", "true"}};
  request.label = "POST /rest/mail/actions/sendFile";
  request.idempotent = false;
  // The vendor's own programs send these booleans as text.
  TRY_ASSIGN(request.json, JsonText()
                               .add("subject", mail.subject)
                               .add("body", mail.body)
                               .add("to", mail.to)
                               .add("cc", mail.cc)
                               .add("bcc", mail.bcc)
                               .add("draft", at_once ? "false" : "true")
                               .add("secureBody", "false")
                               .take());
  const auto created = api_.send(call, request);
  if (!created) {
    const Error& error = created.error();
    if (!at_once || !may_have_happened(error.code)) return fail(error);
    return fail(error.code, error.context + "; it may have been sent: look into the sent mail");
  }
  if (mail.attachments.empty()) return {};
  TRY_ASSIGN(const std::string id, made_id(*created, "the mail"));

  std::vector<std::string> files;
  for (const Mail::Attachment& attachment : mail.attachments) {
    Result<std::string> file = attach(call, id, attachment);
    if (!file) {
      // It is a draft until the last request.
      drop_mail(id);
      return fail(file.error().code, file.error().context + "; nothing was sent");
    }
    files.push_back(*std::move(file));
  }
  const Result<void> sent = put_mail(call, id, files, mail.draft);
  if (sent) return {};
  if (may_have_happened(sent.error().code)) {
    // What is left of it stays in the drafts.
    return fail(sent.error().code, sent.error().context +
                                       "; it may have been sent: look into the "
                                       "drafts and the sent mail");
  }
  drop_mail(id);
  return sent;
}

}  // namespace cabinetfs
