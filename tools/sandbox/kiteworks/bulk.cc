#include "tools/sandbox/kiteworks/bulk.h"

namespace cabinetfs::sandbox::kiteworks {

using nlohmann::json;

json BulkResult::json_of(Call& call) const {
  json data = json::array();
  Wire wire = call.wire();
  for (const Node* node : done) data.push_back(wire.node(*node));
  return {{"errors", errors}, {"successIds", success_ids}, {"data", data}};
}

BulkResult run_bulk(Call& call, const std::vector<std::string>& ids,
                    const std::function<Node&(const std::string&)>& check,
                    const std::function<void(Node&)>& apply) {
  BulkResult result;
  const bool partial = call.request.flag("partialSuccess");
  if (!partial) {
    for (const std::string& id : ids) static_cast<void>(check(id));
  }
  for (const std::string& id : ids) {
    try {
      // Checked again: two of the list may clash with each other.
      Node& node = check(id);
      apply(node);
      result.done.push_back(call.state.tree.find(id));
      if (result.done.back() == nullptr) result.done.pop_back();  // purged
      result.success_ids.push_back(id);
    } catch (const ApiError& error) {
      if (!partial) throw;
      result.errors.push_back({{"id", id}, {"code", error.code()}, {"message", error.message()}});
    }
  }
  return result;
}

Response bulk_removed(Call& call, const BulkResult& result) {
  if (result.partial())
    return call.reply(207, {{"errors", result.errors}, {"successIds", result.success_ids}});
  Response response;
  response.status = 204;
  return response;
}

}  // namespace cabinetfs::sandbox::kiteworks
