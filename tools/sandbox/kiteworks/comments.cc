#include <nlohmann/json.hpp>

#include "tools/sandbox/kiteworks/call.h"
#include "tools/sandbox/kiteworks/ops.h"

// Comments on files.

namespace cabinetfs::sandbox::kiteworks {
namespace {

using nlohmann::json;

json shown(const Call& call, const Comment& comment) {
  return {{"id", comment.id},
          {"parentId", comment.parent_id},
          {"objectId", comment.file_id},
          {"userId", comment.user_id},
          {"author", call.wire().person(comment.user_id)},
          {"created", format_time(comment.created, call.settings)},
          {"modified", format_time(comment.modified, call.settings)},
          {"contents", comment.contents},
          {"deleted", comment.deleted},
          {"isComment", true}};
}

Response list_comments(Call& call) {
  const Node& file = call.file(call.param(0));
  call.need(file, "comment_view");
  const Call::Page page = call.page();
  json items = json::array();
  std::size_t total = 0;
  for (const Comment& comment : call.state.comments) {
    if (comment.file_id != file.id || comment.deleted) continue;
    if (total++ >= page.offset && items.size() < page.limit) items.push_back(shown(call, comment));
  }
  return call.list(items, total, page);
}

std::string contents_of(const Call& call) {
  const auto contents = Call::text(call.body(), "contents");
  if (!contents || contents->empty())
    throw ApiError(422, "ERR_INPUT_REQUIRED", "contents is required", "contents");
  return *contents;
}

Response add(Call& call) {
  const Node& file = call.file(call.param(0));
  call.need(file, "comment_add");
  const json body = call.body();
  Comment comment;
  comment.contents = contents_of(call);
  if (const auto parent = Call::text(body, "parentId"))
    comment.parent_id = std::atoll(parent->c_str());
  comment.id = ++call.state.last_comment_id;
  comment.file_id = file.id;
  comment.user_id = call.user.id;
  comment.created = comment.modified = now_ms();
  call.state.comments.push_back(comment);
  record(call.state, call.user, "add_comment", file);
  return call.reply(200, shown(call, comment));
}

Comment& find_comment(const Call& call) {
  const std::int64_t id = std::atoll(call.param(0).c_str());
  for (Comment& comment : call.state.comments) {
    if (comment.id == id && !comment.deleted) {
      call.need(call.file(comment.file_id), "comment_view");
      return comment;
    }
  }
  call.missing();
}

Comment& own_comment(const Call& call) {
  Comment& comment = find_comment(call);
  if (comment.user_id != call.user.id)
    throw ApiError(403, "ERR_ACCESS_USER", "Insufficient access permissions");
  return comment;
}

Response change(Call& call) {
  Comment& comment = own_comment(call);
  comment.contents = contents_of(call);
  comment.modified = now_ms();
  return call.reply(200, shown(call, comment));
}

Response remove(Call& call) {
  own_comment(call).deleted = true;
  Response response;
  response.status = 204;
  return response;
}

}  // namespace

void add_comment_routes(Api& api) {
  api.route("GET", "/rest/files/{id}/comments", list_comments);
  api.route("POST", "/rest/files/{id}/comments", add);
  api.route("GET", "/rest/comments/{id}",
            [](Call& call) { return call.reply(200, shown(call, find_comment(call))); });
  api.route("PUT", "/rest/comments/{id}", change);
  api.route("DELETE", "/rest/comments/{id}", remove);
}

}  // namespace cabinetfs::sandbox::kiteworks
