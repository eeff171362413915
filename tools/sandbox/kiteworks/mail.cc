#include <nlohmann/json.hpp>

#include "tools/sandbox/http/blob.h"
#include "tools/sandbox/kiteworks/call.h"
#include "tools/sandbox/kiteworks/content.h"
#include "tools/sandbox/kiteworks/names.h"
#include "tools/sandbox/kiteworks/uploads.h"

// Mail with attachments: a draft, uploads into it, sending. Nothing leaves the sandbox.

namespace cabinetfs::sandbox::kiteworks {
namespace {

using nlohmann::json;

json shown(const Call& call, const Mail& mail) {
  json recipients = json::array();
  const auto add = [&recipients](const std::vector<std::string>& emails, int type) {
    for (const std::string& email : emails)
      recipients.push_back({{"email", email}, {"type", type}});
  };
  add(mail.to, 0);
  add(mail.cc, 1);
  add(mail.bcc, 2);
  return {{"id", mail.id},
          {"senderId", mail.sender_id},
          {"status", mail.draft ? "draft" : "sent"},
          {"type", "original"},
          {"date", format_time(mail.date, call.settings)},
          {"deleted", false},
          {"subject", mail.subject},
          {"body", mail.body},
          {"attachmentCount", mail.files.size()},
          {"recipients", recipients},
          {"sender", call.wire().person(mail.sender_id)}};
}

void read_list(const json& body, const char* name, std::vector<std::string>& out) {
  if (!body.contains(name)) return;
  if (!body.at(name).is_array())
    throw ApiError(422, "ERR_INVALID_PARAMETER", "A list is expected", name);
  out.clear();
  for (const json& entry : body.at(name))
    out.push_back(entry.is_string() ? entry.get<std::string>() : entry.dump());
}

void fill_in(Call& call, Mail& mail, const json& body) {
  if (const auto subject = Call::text(body, "subject")) mail.subject = *subject;
  if (const auto text = Call::text(body, "body")) mail.body = *text;
  read_list(body, "to", mail.to);
  read_list(body, "cc", mail.cc);
  read_list(body, "bcc", mail.bcc);
  std::vector<std::string> files = mail.files;
  read_list(body, "files", files);
  for (const std::string& id : files) call.need(call.file(id), "download");
  mail.files = files;
  if (body.contains("draft")) mail.draft = Call::truth(body, "draft");
}

void check_sendable(const Mail& mail) {
  if (mail.draft) return;
  if (mail.to.empty() && mail.cc.empty() && mail.bcc.empty()) {
    throw ApiError(403, "ERR_INPUT_EMAIL_WITH_NO_RECIPIENTS_NOT_ALLOWED",
                   "The mail has no recipients");
  }
}

Mail& find_mail(const Call& call, const std::string& id) {
  for (Mail& mail : call.state.mails) {
    if (mail.id == id && mail.sender_id == call.user.id) return mail;
  }
  call.missing();
}

Response create(Call& call) {
  const json body = call.body();
  Mail mail;
  mail.draft = false;
  fill_in(call, mail, body);
  check_sendable(mail);
  mail.id = call.state.new_id();
  mail.sender_id = call.user.id;
  mail.date = now_ms();
  call.state.mails.push_back(mail);
  Response response;
  response.status = 201;
  if (call.request.flag("returnEntity")) response = call.reply(201, shown(call, mail));
  response.headers.emplace_back(call.settings.location_header,
                                call.state.base_url + "/rest/mail/" + mail.id);
  return response;
}

Response send(Call& call) {
  Mail& mail = find_mail(call, call.param(0));
  if (!mail.draft) throw ApiError(403, "ERR_ACCESS_DENIED", "The mail has been sent");
  Mail changed = mail;
  fill_in(call, changed, call.body());
  check_sendable(changed);
  changed.date = now_ms();
  mail = changed;
  return call.reply(200, shown(call, mail));
}

Response initiate(Call& call) {
  const Mail& mail = find_mail(call, call.param(0));
  if (!mail.draft) throw ApiError(403, "ERR_ACCESS_DENIED", "The mail has been sent");
  const json body = call.body();
  UploadSession session;
  const auto name = Call::text(body, "filename");
  if (!name) throw ApiError(422, "ERR_INPUT_REQUIRED", "filename is required", "filename");
  call.check_name(*name, "filename");
  session.filename = *name;
  session.mail_id = mail.id;
  // Attachments of drafts are kept in the tray, each in a place of its own.
  Node& tray = *call.state.tree.find(call.user.mydir_id);
  while (call.state.tree.child(tray, session.filename) != nullptr) {
    session.filename = free_name(call.state, tray, session.filename);
  }
  session.folder_id = tray.id;
  return open_session(call, std::move(session));
}

json attachment(const Call& call, const std::string& file_id) {
  const Node& file = call.file(file_id, true);
  return {{"id", file_id},
          {"attachmentId", file_id},
          {"name", file.name},
          {"size", file.current().blob->size()},
          {"mime", file.current().mime},
          {"withdrawn", false}};
}

Response attachments(Call& call) {
  const Mail& mail = find_mail(call, call.param(0));
  json items = json::array();
  for (const std::string& id : mail.files) items.push_back(attachment(call, id));
  return call.list(items, items.size(), call.page());
}

const std::string& attached(const Call& call) {
  const Mail& mail = find_mail(call, call.param(0));
  for (const std::string& id : mail.files) {
    if (id == call.param(1)) return id;
  }
  call.missing();
}

Response list_mails(Call& call) {
  const Call::Page page = call.page();
  json items = json::array();
  std::size_t total = 0;
  for (const Mail& mail : call.state.mails) {
    if (mail.sender_id != call.user.id) continue;
    if (total++ >= page.offset && items.size() < page.limit) items.push_back(shown(call, mail));
  }
  return call.list(items, total, page);
}

Response remove(Call& call) {
  const std::string id = find_mail(call, call.param(0)).id;
  auto& mails = call.state.mails;
  for (std::size_t i = 0; i < mails.size(); ++i) {
    if (mails[i].id == id) {
      mails.erase(mails.begin() + static_cast<std::ptrdiff_t>(i));
      break;
    }
  }
  Response response;
  response.status = 204;
  return response;
}

}  // namespace

void add_mail_routes(Api& api) {
  api.route("POST", "/rest/mail/actions/sendFile", create);
  api.route("PUT", "/rest/mail/{id}/actions/sendFile", send);
  api.route("POST", "/rest/mail/{id}/actions/initiateUpload", initiate);
  api.route("GET", "/rest/mail", list_mails);
  api.route("GET", "/rest/mail/{id}", [](Call& call) {
    return call.reply(200, shown(call, find_mail(call, call.param(0))));
  });
  api.route("DELETE", "/rest/mail/{id}", remove);
  api.route("GET", "/rest/mail/{id}/attachments", attachments);
  api.route("GET", "/rest/mail/{id}/attachments/{aid}",
            [](Call& call) { return call.reply(200, attachment(call, attached(call))); });
  api.route("GET", "/rest/mail/{id}/attachments/{aid}/content", [](Call& call) {
    const Node& file = call.file(attached(call), true);
    return send_blob(call.request, file.current().blob, file.name);
  });
}

}  // namespace cabinetfs::sandbox::kiteworks
