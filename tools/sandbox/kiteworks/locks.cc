#include <nlohmann/json.hpp>

#include "tools/sandbox/kiteworks/bulk.h"
#include "tools/sandbox/kiteworks/call.h"
#include "tools/sandbox/kiteworks/ops.h"

// Locks: they never end by themselves, and cannot be taken twice, not even by their owner.

namespace cabinetfs::sandbox::kiteworks {
namespace {

using nlohmann::json;

Node& check_can_lock(Call& call, const std::string& id) {
  Node& file = call.file(id);
  call.need(file, "lock");
  if (file.lock_user_id == call.user.id)
    throw ApiError(403, "ERR_ENTITY_LOCKED", "The file is locked");
  if (!file.lock_user_id.empty()) {
    throw ApiError(403, "ERR_ENTITY_LOCKED_BY_ANOTHER_USER", "The file is locked by another user");
  }
  return file;
}

Node& check_can_unlock(Call& call, const std::string& id) {
  Node& file = call.file(id);
  call.need(file, "unlock");
  if (file.lock_user_id.empty())
    throw ApiError(403, "ERR_ENTITY_UNLOCKED", "The file is not locked");
  if (file.lock_user_id != call.user.id) {
    throw ApiError(403, "ERR_ENTITY_LOCKED_BY_ANOTHER_USER", "The file is locked by another user");
  }
  return file;
}

Response one(Call& call, bool lock) {
  Node& file = lock ? check_can_lock(call, call.param(0)) : check_can_unlock(call, call.param(0));
  set_lock(call.state, call.user, file, lock);
  return call.reply(200, call.wire().file(file));
}

Response many(Call& call, bool lock) {
  const BulkResult result = run_bulk(
      call, call.ids(call.body(), "ids"),
      [&](const std::string& id) -> Node& {
        return lock ? check_can_lock(call, id) : check_can_unlock(call, id);
      },
      [&](Node& file) { set_lock(call.state, call.user, file, lock); });
  return call.reply(200, result.json_of(call));
}

}  // namespace

void add_lock_routes(Api& api) {
  api.route("PATCH", "/rest/files/{id}/actions/lock", [](Call& call) { return one(call, true); });
  api.route("PATCH", "/rest/files/{id}/actions/unlock",
            [](Call& call) { return one(call, false); });
  api.route("PATCH", "/rest/files/actions/lock", [](Call& call) { return many(call, true); });
  api.route("PATCH", "/rest/files/actions/unlock", [](Call& call) { return many(call, false); });
}

}  // namespace cabinetfs::sandbox::kiteworks
