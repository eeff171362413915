// KiteworksStore: mail with attachments.

#include <fmt/format.h>

#include <algorithm>

#include "backend/base/log.h"
#include "backend/kiteworks/client.h"
#include "backend/kiteworks/quirks.h"

namespace cabinetfs {

using namespace kiteworks;

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
    if (!last) continue;
    if (Result<std::string> id = parse_id(response.body)) return id;
    for (const char* const name : {"x-accellion-location", "x-kiteworks-location"}) {
      const std::string* const location = response.find(name);
      if (location == nullptr) continue;
      std::string id = id_of_location(*location);
      if (!id.empty()) return id;
    }
    return fail(ErrorCode::kCorrupt, "the server does not tell the id of an attachment");
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
  TRY_ASSIGN(const HttpResponse created, api_.send(call, request));
  if (mail.attachments.empty()) return {};
  TRY_ASSIGN(const std::string id, parse_id(created.body));

  const auto send = [&]() -> Result<void> {
    std::vector<std::string> files;
    for (const Mail::Attachment& attachment : mail.attachments) {
      TRY_ASSIGN(std::string file, attach(call, id, attachment));
      files.push_back(std::move(file));
    }
    ApiRequest put;
    put.method = "PUT";
    put.path = path_of("/rest/mail/", id, "/actions/sendFile");
    put.query = {{"returnEntity", "true"}};
    put.label = "PUT /rest/mail/{id}/actions/sendFile";
    put.about = "id=" + id;
    put.idempotent = false;
    TRY_ASSIGN(put.json, JsonText()
                             .add("files", files)
                             .add("draft", mail.draft ? "true" : "false")
                             .add("uploading", std::uint64_t{0})
                             .take());
    TRY(api_.send(call, put));
    return {};
  };
  const Result<void> sent = send();
  if (sent) return {};
  const ErrorCode code = sent.error().code;
  if (code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout ||
      code == ErrorCode::kCancelled) {
    // It may have gone out; what is left of it stays in the drafts.
    return fail(code, sent.error().context + "; look into the drafts and the sent mail");
  }
  ApiRequest drop;
  drop.method = "DELETE";
  drop.path = path_of("/rest/mail/", id);
  drop.label = "DELETE /rest/mail/{id}";
  drop.about = "id=" + id;
  if (const auto dropped = api_.send(call, drop); !dropped) {
    log_info("kiteworks: a draft was left behind: {}", dropped.error().context);
  }
  return sent;
}

}  // namespace cabinetfs
