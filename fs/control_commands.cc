#include "fs/control_commands.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "backend/base/log_level.h"
#include "backend/remote_store.h"
#include "cache/content.h"
#include "cache/volume.h"
#include "fs/control_mail.h"
#include "fs/status_json.h"

namespace cabinetfs {
namespace {

using nlohmann::json;

// One request and what it may use.
struct Command {
  const ControlServices& services;
  const json& request;
  CallContext call;
  const std::function<void(const json&)>& progress;

  Volume& volume() const { return *services.volume; }

  Result<std::string> text(const char* key) const {
    const auto found = request.find(key);
    if (found == request.end() || !found->is_string()) {
      return fail(ErrorCode::kInvalid, fmt::format("\"{}\" must be a text", key));
    }
    return found->get<std::string>();
  }

  Result<InodeNumber> node() const {
    TRY_ASSIGN(std::string path, text("path"));
    while (!path.empty() && path.front() == '/') path.erase(path.begin());
    while (!path.empty() && path.back() == '/') path.pop_back();
    return services.volume->find_path(call, path);
  }
};

// The nodes of "paths"; what is missing is missing for all, since nothing has been done yet.
Result<std::vector<InodeNumber>> nodes_of(const Command& c) {
  const auto paths = c.request.find("paths");
  if (paths == c.request.end() || !paths->is_array() || paths->empty())
    return fail(ErrorCode::kInvalid, "\"paths\" must be a list of texts");
  std::vector<InodeNumber> out;
  for (const json& path : *paths) {
    if (!path.is_string()) return fail(ErrorCode::kInvalid, "\"paths\" must be a list of texts");
    std::string text = path.get<std::string>();
    while (!text.empty() && text.front() == '/') text.erase(text.begin());
    while (!text.empty() && text.back() == '/') text.pop_back();
    TRY_ASSIGN(const InodeNumber ino, c.volume().find_path(c.call, text));
    out.push_back(ino);
  }
  return out;
}

// One entry for each path: null, or what went wrong with it.
json results_to_json(const std::vector<Result<void>>& results) {
  json out = json::array();
  for (const Result<void>& result : results) {
    out.push_back(result ? json()
                         : json{{"code", std::string(to_string(result.error().code))},
                                {"message", result.error().context}});
  }
  return {{"results", std::move(out)}};
}

json items(json list) { return {{"items", std::move(list)}}; }

Result<json> done(Result<void> result) {
  if (!result) return fail(result.error());
  return json::object();
}

Result<json> run_status(const Command& c) {
  json out = status_to_json(c.volume().status());
  out["vendor"] = c.volume().capabilities().vendor;
  if (c.services.extra_status) out.update(c.services.extra_status());
  return out;
}

Result<json> run_stats(const Command& c) {
  const VolumeStatus status = c.volume().status();
  json out{{"content", content_stats_to_json(status.content)},
           {"volume", status_to_json(status)},
           {"fuse", json::object()}};
  out["volume"].erase("unsent");
  out["volume"].erase("notices");
  if (c.services.extra_status) out["fuse"] = c.services.extra_status();
  return out;
}

Result<json> run_info(const Command& c) {
  TRY_ASSIGN(const InodeNumber ino, c.node());
  TRY_ASSIGN(const NodeInfo info, c.volume().info(ino));
  return node_to_json(info);
}

Result<json> run_flush(const Command& c) {
  TRY_ASSIGN(const InodeNumber ino, c.node());
  return done(c.volume().flush_to_server(c.call, ino, [&c](const VolumeStatus& status) {
    if (c.progress) c.progress(status_to_json(status));
  }));
}

Result<json> run_pin(const Command& c) {
  TRY_ASSIGN(const InodeNumber ino, c.node());
  TRY_ASSIGN(const std::string word, c.text("state"));
  const auto state = parse_pin_state(word);
  if (!state) return fail(ErrorCode::kInvalid, "state: pinned, unpinned or inherit");
  return done(c.volume().set_pin(ino, *state));
}

Result<json> run_sync(const Command& c) {
  TRY_ASSIGN(const InodeNumber ino, c.node());
  TRY_ASSIGN(const std::string word, c.text("mode"));
  const auto mode = parse_sync_mode(word);
  if (!mode) return fail(ErrorCode::kInvalid, "mode: local, remote or inherit");
  return done(c.volume().set_sync(ino, *mode));
}

Result<json> run_promote(const Command& c) {
  TRY_ASSIGN(const InodeNumber ino, c.node());
  const auto version = c.request.find("version");
  if (version == c.request.end() || !version->is_number_unsigned()) {
    return fail(ErrorCode::kInvalid, "\"version\" must be a number");
  }
  return done(c.volume().promote(c.call, ino, version->get<std::uint32_t>()));
}

Result<json> run_share(const Command& c) {
  TRY_ASSIGN(const InodeNumber ino, c.node());
  TRY_ASSIGN(const std::string who, c.text("who"));
  TRY_ASSIGN(const std::string word, c.text("level"));
  const auto level = parse_access_level(word);
  if (!level) return fail(ErrorCode::kInvalid, "level: none, view, read, write, manage or owner");
  if (*level == AccessLevel::kNone) return done(c.volume().unshare(c.call, ino, who));
  return done(c.volume().share(c.call, ino, who, *level));
}

Result<json> run_lock_many(const Command& c) {
  TRY_ASSIGN(const std::vector<InodeNumber> inos, nodes_of(c));
  return results_to_json(c.volume().lock_many(c.call, inos));
}

Result<json> run_unlock_many(const Command& c) {
  TRY_ASSIGN(const std::vector<InodeNumber> inos, nodes_of(c));
  return results_to_json(c.volume().unlock_many(c.call, inos, c.request.value("comment", "")));
}

Result<json> run_share_many(const Command& c) {
  TRY_ASSIGN(const std::vector<InodeNumber> inos, nodes_of(c));
  TRY_ASSIGN(const std::string word, c.text("level"));
  const auto level = parse_access_level(word);
  if (!level || *level == AccessLevel::kNone)
    return fail(ErrorCode::kInvalid, "level: view, read, write, manage or owner");
  const auto people = c.request.find("people");
  std::vector<std::string> who;
  if (people != c.request.end() && people->is_array()) {
    for (const json& person : *people)
      if (person.is_string()) who.push_back(person.get<std::string>());
  }
  if (who.empty()) return fail(ErrorCode::kInvalid, "\"people\" must be a list of texts");
  return results_to_json(c.volume().share_many(c.call, inos, who, *level));
}

// Numbers of documents: of the account, not of a path.
Result<json> run_sequence(const Command& c) {
  NumberSequences* const sequences = c.volume().sequences();
  if (sequences == nullptr)
    return fail(ErrorCode::kNotSupported, "this vendor has no document numbers");
  TRY_ASSIGN(const std::string what, c.text("what"));
  if (what == "list") {
    TRY_ASSIGN(const auto all, sequences->list(c.call));
    json out = json::array();
    for (const auto& one : all)
      out.push_back({{"name", one.name}, {"prefix", one.prefix}, {"locked", one.locked}});
    return items(std::move(out));
  }
  TRY_ASSIGN(const std::string name, c.text("name"));
  const std::string prefix = c.request.value("prefix", "");
  const auto number = c.request.find("number");
  std::optional<std::uint64_t> wanted;
  if (number != c.request.end() && !number->is_null()) {
    if (!number->is_number_unsigned())
      return fail(ErrorCode::kInvalid, "\"number\" must be a number");
    wanted = number->get<std::uint64_t>();
  }
  if (what == "create") return done(sequences->create(c.call, name, prefix, wanted.value_or(1)));
  if (what == "remove") return done(sequences->remove(c.call, name));
  const NumberSequences::Next next{name, c.request.value("lock", false), prefix, wanted};
  if (what == "release") return done(sequences->release(c.call, next));
  if (what != "next" && what != "current")
    return fail(ErrorCode::kInvalid, "what: list, create, next, current, release or remove");
  Result<std::string> value =
      what == "next" ? sequences->next(c.call, next) : sequences->current(c.call, name);
  if (!value) return fail(value.error());
  return json{{"value", *value}};
}

Result<json> run_log_level(const Command& c) {
  TRY_ASSIGN(const std::string word, c.text("level"));
  static const std::map<std::string, LogLevel> kLevels = {
      {"trace", LogLevel::kTrace}, {"debug", LogLevel::kDebug}, {"info", LogLevel::kInfo},
      {"warn", LogLevel::kWarn},   {"error", LogLevel::kError}, {"off", LogLevel::kOff}};
  const auto level = kLevels.find(word);
  if (level == kLevels.end()) {
    return fail(ErrorCode::kInvalid, "level: trace, debug, info, warn, error or off");
  }
  set_log_level(level->second);
  return json::object();
}

Result<json> run_cache(const Command& c) {
  ContentStore* const contents = c.services.contents;
  if (contents == nullptr) return fail(ErrorCode::kNotSupported, "this mount has no cache");
  const std::string name = c.request.value("cmd", "");
  if (name == "cache-clear") contents->clear_cache();
  if (name == "cache-gc") contents->collect_garbage();
  if (name == "cache-verify") {
    const ContentStore::VerifyReport report = contents->verify(c.call.cancel);
    return json{
        {"files", report.files}, {"blocks", report.blocks}, {"bad_blocks", report.bad_blocks}};
  }
  return content_stats_to_json(contents->stats());
}

// A command whose only argument is the path.
template <class Function>
auto on_node(Function function) {
  return [function](const Command& c) -> Result<json> {
    TRY_ASSIGN(const InodeNumber ino, c.node());
    return function(c, ino);
  };
}

template <class List, class Convert>
Result<json> listed(Result<List> list, Convert convert) {
  if (!list) return fail(list.error());
  return items(convert(*list));
}

using Runner = std::function<Result<json>(const Command&)>;

const std::map<std::string, Runner>& runners() {
  static const std::map<std::string, Runner> kRunners = {
      {"status", run_status},
      {"stats", run_stats},
      {"info", run_info},
      {"flush", run_flush},
      {"pin", run_pin},
      {"sync", run_sync},
      {"promote", run_promote},
      {"share", run_share},
      {"log-level", run_log_level},
      {"lock-many", run_lock_many},
      {"unlock-many", run_unlock_many},
      {"share-many", run_share_many},
      {"sequence", run_sequence},
      {"discard-lock", on_node([](const Command& c, InodeNumber ino) {
         return done(c.volume().discard_lock(c.call, ino));
       })},
      {"unshare-all", on_node([](const Command& c, InodeNumber ino) {
         return done(c.volume().unshare_all(c.call, ino));
       })},
      {"cache-stats", run_cache},
      {"cache-verify", run_cache},
      {"cache-gc", run_cache},
      {"cache-clear", run_cache},
      {"unmount",
       [](const Command& c) -> Result<json> {
         if (!c.services.unmount) return fail(ErrorCode::kNotSupported, "unmount");
         return json::object();
       }},
      {"log",
       [](const Command&) -> Result<json> {
         return json{{"lines", recent_log()}};
       }},
      {"account",
       [](const Command& c) -> Result<json> {
         TRY_ASSIGN(const RemoteAccount account, c.volume().account(c.call));
         return account_to_json(account);
       }},
      {"quota",
       [](const Command& c) -> Result<json> {
         TRY_ASSIGN(const Quota quota, c.volume().quota(c.call));
         return quota_to_json(quota);
       }},
      {"capabilities",
       [](const Command& c) -> Result<json> {
         return capabilities_to_json(c.volume().capabilities());
       }},
      {"retry",
       on_node([](const Command& c, InodeNumber ino) { return done(c.volume().retry(ino)); })},
      {"discard", on_node([](const Command& c, InodeNumber ino) {
         return done(c.volume().discard(c.call, ino));
       })},
      {"refresh",
       on_node([](const Command& c, InodeNumber ino) { return done(c.volume().refresh(ino)); })},
      {"prefetch", on_node([](const Command& c, InodeNumber ino) {
         return done(c.volume().prefetch(c.call, ino));
       })},
      {"lock", on_node([](const Command& c, InodeNumber ino) {
         return done(c.volume().lock(c.call, ino));
       })},
      {"unlock", on_node([](const Command& c, InodeNumber ino) {
         return done(c.volume().unlock(c.call, ino, c.request.value("comment", "")));
       })},
      {"unshare", on_node([](const Command& c, InodeNumber ino) -> Result<json> {
         TRY_ASSIGN(const std::string who, c.text("who"));
         return done(c.volume().unshare(c.call, ino, who));
       })},
      {"describe", on_node([](const Command& c, InodeNumber ino) -> Result<json> {
         TRY_ASSIGN(const std::string words, c.text("text"));
         return done(c.volume().set_description(ino, words));
       })},
      {"versions", on_node([](const Command& c, InodeNumber ino) {
         return listed(c.volume().versions(c.call, ino), versions_to_json);
       })},
      {"history", on_node([](const Command& c, InodeNumber ino) {
         return listed(c.volume().history(c.call, ino), history_to_json);
       })},
      {"permissions", on_node([](const Command& c, InodeNumber ino) {
         return listed(c.volume().permissions(c.call, ino), permissions_to_json);
       })},
      {"send",
       [](const Command& c) { return done(send_control_mail(c.volume(), c.request, c.call)); }},
  };
  return kRunners;
}

}  // namespace

Result<json> run_control_command(const ControlServices& services, const json& request,
                                 CallContext call,
                                 const std::function<void(const json&)>& progress) {
  if (!request.is_object()) return fail(ErrorCode::kInvalid, "a request is a JSON object");
  const auto name = request.find("cmd");
  if (name == request.end() || !name->is_string()) {
    return fail(ErrorCode::kInvalid, "\"cmd\" must be a text");
  }
  const auto runner = runners().find(name->get<std::string>());
  if (runner == runners().end()) {
    return fail(ErrorCode::kInvalid, "unknown command " + name->get<std::string>());
  }
  std::chrono::milliseconds timeout = services.call_timeout;
  if (const auto wanted = request.find("timeout"); wanted != request.end()) {
    // A day is as good as for ever, and does not overflow.
    constexpr double kMaxSeconds = 86'400;
    if (!wanted->is_number() || !(wanted->get<double>() >= 0)) {
      return fail(ErrorCode::kInvalid, "\"timeout\" must be a number of seconds");
    }
    timeout = std::chrono::milliseconds(
        static_cast<long long>(std::min(wanted->get<double>(), kMaxSeconds) * 1000));
  }
  call.may_block = true;
  if (timeout.count() > 0) call.deadline = Clock::system().steady() + timeout;
  try {
    return runner->second({services, request, std::move(call), progress});
  } catch (const json::exception& e) {
    return fail(ErrorCode::kInvalid, e.what());
  } catch (const std::exception& e) {
    log_error("control command {}: {}", runner->first, e.what());
    return fail(ErrorCode::kInternal, e.what());
  }
}

}  // namespace cabinetfs
