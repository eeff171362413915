#include "backend/kenesto/sequences.h"

#include <fmt/format.h>

#include "backend/kenesto/api.h"

namespace cabinetfs::kenesto {
namespace {

Result<void> check_sequence(const std::string& name) {
  if (name.empty() || !is_valid_utf8(name)) {
    return fail(ErrorCode::kInvalid, "a sequence needs a name");
  }
  return {};
}

}  // namespace

Result<std::vector<NumberSequences::Sequence>> KenestoSequences::list(const CallContext& call) {
  ApiRequest request;
  request.call = "GetAllDocumentSequencesInfo";
  TRY_ASSIGN(const WireEnvelope envelope, api_.send(call, request));
  return parse_sequences(*envelope.data);
}

Result<void> KenestoSequences::create(const CallContext& call, const std::string& name,
                                      const std::string& prefix, std::uint64_t first) {
  TRY(check_sequence(name));
  ApiRequest request;
  request.call = "CreateDocumentSequenceNumber";
  request.about = name;
  request.mutates = true;
  request.json = "{\"sequenceName\":" + json_text(name);
  if (!prefix.empty()) request.json += ",\"sequencePrefix\":" + json_text(prefix);
  // A number by the vendor's table, a string in its example; servers of this kind take both.
  request.json += fmt::format(",\"sequenceNumber\":\"{}\"}}", first);
  TRY(api_.send(call, request));
  return {};
}

Result<std::string> KenestoSequences::next(const CallContext& call, const Next& next) {
  TRY(check_sequence(next.name));
  ApiRequest request;
  request.call = "GetNextDocumentSequenceValue";
  request.about = next.name;
  request.mutates = true;
  request.query = {{"sn", next.name}, {"lock", next.lock ? "true" : "false"}};
  if (!next.replacement_prefix.empty()) request.query.emplace_back("rp", next.replacement_prefix);
  if (next.replacement_number) {
    request.query.emplace_back("rn", std::to_string(*next.replacement_number));
  }
  TRY_ASSIGN(const WireEnvelope envelope, api_.send(call, request));
  Result<std::string> number = parse_text(*envelope.data);
  if (number) return number;
  return fail(ErrorCode::kUnavailable, "a number was used up, but the answer does not tell it");
}

Result<std::string> KenestoSequences::current(const CallContext& call, const std::string& name) {
  TRY(check_sequence(name));
  ApiRequest request;
  request.call = "GetCurrentDocumentSequenceNumber";
  request.about = name;
  request.query = {{"sn", name}};
  TRY_ASSIGN(const WireEnvelope envelope, api_.send(call, request));
  return parse_text(*envelope.data);
}

Result<void> KenestoSequences::release(const CallContext& call, const Next& next) {
  TRY(check_sequence(next.name));
  ApiRequest request;
  request.call = "ReleaseDocumentSequence";
  request.about = next.name;
  request.mutates = true;
  request.json = "{\"sequenceName\":" + json_text(next.name);
  if (!next.replacement_prefix.empty()) {
    request.json += ",\"replacementSequencePrefix\":" + json_text(next.replacement_prefix);
  }
  if (next.replacement_number) {
    request.json += fmt::format(",\"replacementSequenceNumber\":\"{}\"", *next.replacement_number);
  }
  request.json += "}";
  TRY(api_.send(call, request));
  return {};
}

Result<void> KenestoSequences::remove(const CallContext& call, const std::string& name) {
  TRY(check_sequence(name));
  ApiRequest request;
  request.call = "RemoveDocumentSequence";
  request.about = name;
  request.mutates = true;
  // The vendor's table says "sn, JSON" and shows the parameter in no example.
  request.json = "{\"sn\":" + json_text(name) + "}";
  TRY(api_.send(call, request));
  return {};
}

}  // namespace cabinetfs::kenesto
