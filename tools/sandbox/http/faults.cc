#include "tools/sandbox/http/faults.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "tools/sandbox/http/message.h"
#include "tools/sandbox/http/stop_signal.h"

namespace cabinetfs::sandbox {
namespace {

using nlohmann::json;

struct ActionName {
  FaultAction action;
  bool after_effect;
};

const std::map<std::string, ActionName>& actions() {
  static const std::map<std::string, ActionName> kActions = {
      {"delay", {FaultAction::kDelay, false}},
      {"status", {FaultAction::kStatus, false}},
      {"drop", {FaultAction::kDrop, false}},
      {"drop_before", {FaultAction::kDrop, false}},
      {"drop_after_effect", {FaultAction::kDrop, true}},
      {"reset", {FaultAction::kReset, false}},
      {"drop_upload", {FaultAction::kDropUpload, false}},
      {"truncate", {FaultAction::kTruncate, true}},
      {"corrupt", {FaultAction::kCorrupt, true}},
      {"slow", {FaultAction::kSlow, true}},
      {"stall", {FaultAction::kStall, false}},
  };
  return kActions;
}

void refuse_unknown_keys(const json& object, const std::set<std::string>& known) {
  if (!object.is_object()) throw std::invalid_argument("a fault rule is a JSON object");
  for (const auto& item : object.items()) {
    if (known.count(item.key()) == 0) {
      throw std::invalid_argument(fmt::format("fault rule: unknown key {}", item.key()));
    }
  }
}

std::shared_ptr<FaultRule> parse(const json& text) {
  refuse_unknown_keys(
      text, {"id", "match", "skip", "times", "action", "after_effect", "ms", "status", "body",
             "content_type", "headers", "bytes", "offset", "bytes_per_second"});
  auto rule = std::make_shared<FaultRule>();
  rule->action_name = text.at("action").get<std::string>();
  const auto found = actions().find(rule->action_name);
  if (found == actions().end()) {
    throw std::invalid_argument(fmt::format("fault rule: unknown action {}", rule->action_name));
  }
  rule->action = found->second.action;
  rule->after_effect = text.value("after_effect", found->second.after_effect);
  const json match = text.value("match", json::object());
  refuse_unknown_keys(match, {"method", "path", "user", "query"});
  rule->method = match.value("method", "");
  rule->user = match.value("user", "");
  rule->path_text = match.value("path", "");
  rule->with_query = match.value("query", false);
  if (!rule->path_text.empty()) rule->path.emplace(rule->path_text, std::regex::ECMAScript);
  rule->skip = text.value("skip", std::int64_t{0});
  rule->times = text.value("times", std::int64_t{1});
  rule->ms = text.value("ms", std::int64_t{0});
  rule->bytes = text.value("bytes", std::int64_t{0});
  rule->offset = text.value("offset", std::int64_t{-1});
  rule->bytes_per_second = text.value("bytes_per_second", std::int64_t{0});
  rule->status = text.value("status", 500);
  rule->body = text.contains("body") && !text.at("body").is_string()
                   ? text.at("body").dump()
                   : text.value("body", std::string());
  rule->content_type = text.value(
      "content_type",
      text.contains("body") && !text.at("body").is_string() ? "application/json" : "text/plain");
  const json headers = text.value("headers", json::object());
  for (const auto& item : headers.items()) {
    rule->headers.emplace_back(item.key(), item.value().is_string()
                                               ? item.value().get<std::string>()
                                               : item.value().dump());
  }
  if (rule->action == FaultAction::kSlow && rule->bytes_per_second <= 0) {
    throw std::invalid_argument("fault rule: slow needs bytes_per_second");
  }
  return rule;
}

}  // namespace

json FaultTable::add(const json& rules) {
  std::vector<std::shared_ptr<FaultRule>> parsed;
  try {
    if (rules.is_array()) {
      for (const json& rule : rules) parsed.push_back(parse(rule));
    } else {
      parsed.push_back(parse(rules));
    }
  } catch (const json::exception& error) {
    throw std::invalid_argument(fmt::format("fault rule: {}", error.what()));
  } catch (const std::regex_error& error) {
    throw std::invalid_argument(fmt::format("fault rule: path: {}", error.what()));
  }
  auto ids = json::array();
  const std::lock_guard lock(mutex_);
  for (auto& rule : parsed) {
    rule->id = ++last_id_;
    ids.push_back(rule->id);
    rules_.push_back(std::move(rule));
  }
  return ids;
}

json FaultTable::list() const {
  const std::lock_guard lock(mutex_);
  auto out = json::array();
  for (const auto& rule : rules_) {
    out.push_back(
        {{"id", rule->id},
         {"action", rule->action_name},
         {"after_effect", rule->after_effect},
         {"match", {{"method", rule->method}, {"path", rule->path_text}, {"user", rule->user}}},
         {"skip", rule->skip},
         {"times", rule->times},
         {"seen", rule->seen},
         {"hits", rule->hits},
         {"waiting", rule->waiting}});
  }
  return out;
}

void FaultTable::clear() {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& rule : rules_) rule->removed = true;
    rules_.clear();
  }
  stop_.poke();
}

bool FaultTable::remove(int id) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(rules_.begin(), rules_.end(),
                                    [id](const auto& rule) { return rule->id == id; });
    if (found == rules_.end()) return false;
    (*found)->removed = true;
    rules_.erase(found);
  }
  stop_.poke();
  return true;
}

std::shared_ptr<FaultRule> FaultTable::match(const Request& request) {
  const std::lock_guard lock(mutex_);
  for (const auto& rule : rules_) {
    if (!rule->method.empty() && rule->method != request.method) continue;
    if (!rule->user.empty() && rule->user != request.user) continue;
    if (rule->path) {
      const std::string target = rule->with_query && !request.raw_query.empty()
                                     ? request.path + "?" + request.raw_query
                                     : request.path;
      if (!std::regex_search(target, *rule->path)) continue;
    }
    if (rule->times != 0 && rule->hits >= rule->times) continue;
    ++rule->seen;
    if (rule->seen <= rule->skip) continue;
    ++rule->hits;
    return rule;
  }
  return nullptr;
}

void FaultTable::stall(FaultRule& rule) {
  {
    const std::lock_guard lock(mutex_);
    ++rule.waiting;
  }
  // A day stands for "until the rule goes".
  const auto deadline = std::chrono::steady_clock::now() +
                        (rule.ms > 0 ? std::chrono::milliseconds(rule.ms) : std::chrono::hours(24));
  stop_.wait_until(deadline, [this, &rule] {
    const std::lock_guard lock(mutex_);
    return rule.removed;
  });
  const std::lock_guard lock(mutex_);
  --rule.waiting;
}

}  // namespace cabinetfs::sandbox
