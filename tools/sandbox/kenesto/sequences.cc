#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "tools/sandbox/kenesto/call.h"
#include "tools/sandbox/kenesto/shared.h"

// Numbers for drawings and parts: calls 20 to 23, 25 and 26.

namespace cabinetfs::sandbox::kenesto {
namespace {

using nlohmann::json;

std::int64_t number(const std::string& text) {
  std::int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || value < 0) {
    throw Failure("The sequence number is not a number");
  }
  return value;
}

Sequence& find(Call& call, const std::string& name) {
  const auto found = call.state.sequences.find({call.organization_id, fold_name(name)});
  if (found == call.state.sequences.end()) throw Failure("The sequence does not exist");
  return found->second;
}

json create(Call& call) {
  const json body = call.body();
  const std::string name = call.text(body, "sequenceName", true);
  call.mutates(name);
  Sequence sequence;
  sequence.name = name;
  sequence.prefix = call.text(body, "sequencePrefix", false);
  sequence.next = number(call.text(body, "sequenceNumber", true));
  sequence.id = call.state.new_id();
  const bool added =
      call.state.sequences.emplace(std::pair(call.organization_id, fold_name(name)), sequence)
          .second;
  if (!added) throw Failure("The sequence exists already");
  return nullptr;
}

json next(Call& call) {
  const std::string name = call.need_arg("sn");
  call.mutates(name);
  Sequence& sequence = find(call, name);
  if (sequence.locked) throw Failure("The sequence is locked");
  const auto replacement = call.arg("rn");
  // Before anything changes: it may not be a number.
  const std::int64_t after = replacement ? number(*replacement) : 0;
  const bool lock = call.flag("lock");
  sequence.current = sequence.next;
  const std::string value = fmt::format("{}{}", sequence.prefix, *sequence.current);
  // The replacements are for the call after this one.
  sequence.next = replacement ? after : sequence.next + 1;
  if (const auto prefix = call.arg("rp")) sequence.prefix = *prefix;
  sequence.locked = lock;
  return value;
}

json release(Call& call) {
  const json body = call.body();
  const std::string name = call.text(body, "sequenceName", true);
  call.mutates(name);
  Sequence& sequence = find(call, name);
  const std::string replacement = call.text(body, "replacementSequenceNumber", false);
  if (!replacement.empty()) sequence.next = number(replacement);
  const std::string prefix = call.text(body, "replacementSequencePrefix", false);
  if (!prefix.empty()) sequence.prefix = prefix;
  sequence.locked = false;
  return nullptr;
}

json all(Call& call) {
  json results = json::object();
  const Organization* organization = call.state.find_organization(call.organization_id);
  for (const auto& [key, sequence] : call.state.sequences) {
    if (key.first != call.organization_id) continue;
    results[fmt::format("Object {}", results.size())] = {
        {"DOCUMENT_SEQ_META",
         {{"TENANT_ID", std::to_string(organization->tenant)},
          {"FAMILY_ID", "100707"},
          {"OBJECT_ID", sequence.id},
          {"NAME", sequence.name},
          {"PREFIX", sequence.prefix},
          {"IS_LOCKED", sequence.locked ? "True" : "False"}}}};
  }
  return {{"RESULTS", results}, {"INFO", {{"TOTAL_PAGES", 1}}}};
}

json current(Call& call) {
  const Sequence& sequence = find(call, call.need_arg("sn"));
  if (!sequence.current) throw Failure("CURRVAL is not defined before NEXTVAL");
  return std::to_string(*sequence.current);
}

// The page does not show the body: an object with either name of the parameter, or the bare text.
json remove(Call& call) {
  const json body = json::parse(call.request.body, nullptr, false);
  std::string name;
  if (body.is_string()) {
    name = body.get<std::string>();
  } else if (body.is_object()) {
    name = call.text(body, "sn", false);
    if (name.empty()) name = call.text(body, "sequenceName", true);
  } else {
    throw Fault(400, "The body is not the expected JSON");
  }
  call.mutates(name);
  static_cast<void>(find(call, name));
  call.state.sequences.erase({call.organization_id, fold_name(name)});
  return nullptr;
}

}  // namespace

void add_sequence_routes(Api& api) {
  api.route("POST", "CreateDocumentSequenceNumber", kLowerFailed, create);
  api.route("GET", "GetNextDocumentSequenceValue", kLowerFailed, next);
  api.route("POST", "ReleaseDocumentSequence", kLowerFailed, release);
  api.route("GET", "GetAllDocumentSequencesInfo", kLowerFailed, all);
  api.route("GET", "GetCurrentDocumentSequenceNumber", kUpper, current);
  api.route("POST", "RemoveDocumentSequence", kUpper, remove);
}

}  // namespace cabinetfs::sandbox::kenesto
