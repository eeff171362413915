#include <nlohmann/json.hpp>

#include "tools/sandbox/kenesto/call.h"
#include "tools/sandbox/kenesto/ops.h"

// Vaults: CheckIn (6), CheckOut (7), DiscardCheckOut (8), CheckInMultiple (9), CheckOutMultiple
// (10).

namespace cabinetfs::sandbox::kenesto {
namespace {

using nlohmann::json;

Node& to_check_out(const Call& call, const std::string& id) {
  Node& document = call.document(id);
  if (!document.link_type.empty()) throw Failure("The document is an external link");
  if (!document.parent->vault && !call.settings.checkout_anywhere) {
    throw Failure("The document is not under a vault");
  }
  call.need(call.rights(document).update);
  call.need_unlocked(document);
  if (document.holder_id == call.user.id && !call.settings.checkout_twice) {
    throw Failure("The document is checked out already");
  }
  return document;
}

Node& to_check_in(const Call& call, const std::string& id) {
  Node& document = call.document(id);
  if (document.holder_id != call.user.id) {
    throw Failure("The document is not checked out by this user");
  }
  if (call.settings.checkin_needs_version &&
      document.versions.size() == document.versions_at_checkout) {
    throw Failure("There is no new version to check in");
  }
  return document;
}

json check_out_one(Call& call) {
  const std::string id = call.need_guid("did");
  call.mutates(id);
  check_out(call.user, to_check_out(call, id));
  return nullptr;
}

json check_in_one(Call& call) {
  const json asset = call.member(call.body(), "asset");
  const std::string id = call.as_guid(call.text(asset, "ID", true));
  call.mutates(id);
  check_in(call.state, call.user, to_check_in(call, id), call.text(asset, "Comment", false));
  return nullptr;
}

json discard(Call& call) {
  const std::string id = call.need_guid("did");
  call.mutates(id);
  Node& document = call.document(id);
  if (document.holder_id.empty()) throw Failure("The document is not checked out");
  const bool own = document.holder_id == call.user.id;
  call.need(own ? call.settings.discard_own : call.rights(document).owner);
  discard_check_out(call.state, document);
  return nullptr;
}

// Does it for each document that it can be done for (or for none, as the settings want it), and
// fails if one was left.
template <class Find, class Do>
json each(Call& call, const std::vector<std::string>& ids, Find find, Do act) {
  std::string first_error;
  std::vector<Node*> good;
  for (const std::string& id : ids) {
    try {
      good.push_back(&find(call, id));
    } catch (const Failure& failure) {
      if (first_error.empty()) first_error = failure.what();
    }
  }
  if (first_error.empty() || call.settings.multiple == "partial") {
    for (Node* document : good) act(*document);
  }
  if (!first_error.empty()) throw Failure(first_error);
  return nullptr;
}

std::string joined(const std::vector<std::string>& ids) {
  std::string out;
  for (const std::string& id : ids) out += (out.empty() ? "" : ",") + id;
  return out;
}

json check_out_many(Call& call) {
  const auto ids = call.guids(call.body(), "documentIds");
  call.mutates(joined(ids));
  return each(call, ids, to_check_out, [&](Node& document) { check_out(call.user, document); });
}

json check_in_many(Call& call) {
  const json body = call.body();
  const auto ids = call.guids(body, "documentIds");
  call.mutates(joined(ids));
  const auto asset = body.find("asset");
  const std::string comment =
      asset != body.end() && asset->is_object() ? call.text(*asset, "Comment", false) : "";
  return each(call, ids, to_check_in,
              [&](Node& document) { check_in(call.state, call.user, document, comment); });
}

}  // namespace

void add_checkout_routes(Api& api) {
  api.route("GET", "CheckOut", kFail, check_out_one);
  api.route("POST", "CheckIn", kFailed, check_in_one);
  api.route("GET", "DiscardCheckOut", kFail, discard);
  api.route("POST", "CheckInMultiple", kOkFail, check_in_many);
  api.route("POST", "CheckOutMultiple", kFailed, check_out_many);
}

}  // namespace cabinetfs::sandbox::kenesto
